"""Topic patterns, compared with a matcher that is too simple to be wrong."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_fakebroker.exchanges.topic_automaton import TopicAutomaton
from ammoo_fakebroker.exchanges.topic_trie import TopicTrie, _Node
from ammoo_fakebroker.exchanges.topic_words import split_words

words = st.sampled_from(["a", "b", ""])
keys = st.lists(words, max_size=6).map(".".join)
patterns = st.lists(st.sampled_from(["a", "b", "", "*", "#"]), max_size=6).map(".".join)


def matches(pattern: Sequence[str], key: Sequence[str]) -> bool:
    """Match words against a pattern's, by the definition of ``*`` and ``#``."""
    if not pattern:
        return not key
    if pattern[0] == "#":
        return any(matches(pattern[1:], key[index:]) for index in range(len(key) + 1))
    return bool(key) and pattern[0] in ("*", key[0]) and matches(pattern[1:], key[1:])


def trie_of(bound: list[str]) -> TopicTrie[str]:
    """Add each pattern, with itself for its value."""
    trie: TopicTrie[str] = TopicTrie()
    for pattern in bound:
        trie.add(pattern, pattern)
    return trie


@given(st.lists(patterns, unique=True, max_size=8), keys)
def test_trie_finds_what_matches(bound: list[str], key: str) -> None:
    trie = trie_of(bound)

    found = sorted(trie.matches(key))

    expected = [pattern for pattern in bound if matches(split_words(pattern), split_words(key))]
    assert sorted(expected) == found


@given(st.lists(patterns, unique=True, min_size=1, max_size=8), keys, st.data())
def test_trie_forgets_what_is_removed(bound: list[str], key: str, data: st.DataObject) -> None:
    trie = trie_of(bound)
    removed = data.draw(st.sampled_from(bound))

    trie.remove(removed, removed)

    assert removed not in trie.matches(key)


def test_trie_keeps_no_empty_branches() -> None:
    trie: TopicTrie[int] = TopicTrie()
    trie.add("a.b.c", 1)
    trie.add("a.b", 2)

    trie.remove("a.b.c", 1)
    trie.remove("a.b", 2)

    assert not trie._root.children


def test_many_hashes_in_a_row_do_not_explode() -> None:
    trie: TopicTrie[int] = TopicTrie()
    trie.add(".".join(["#"] * 120 + ["z"]), 1)

    found = list(trie.matches(".".join("a" * 120)))

    assert [] == found


@given(st.lists(patterns, unique=True, max_size=8), keys)
def test_automaton_finds_what_matches(bound: list[str], key: str) -> None:
    automaton = TopicAutomaton(bound)

    found = sorted(automaton.matches(split_words(key)))

    expected = [pattern for pattern in bound if matches(split_words(pattern), split_words(key))]
    assert sorted(expected) == found


def hostile_trie() -> TopicTrie[int]:
    """Return 64 patterns that a long key is in thousands of places of."""
    trie: TopicTrie[int] = TopicTrie()
    for number in range(64):
        words = ["*"] * 126
        words[number] = "#"
        words[number + 30] = "#"
        trie.add(".".join(words), number)
    return trie


def test_key_in_many_places_at_once_costs_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    follow = _Node.follow

    def count(node: _Node[int], word: str, reached: dict[_Node[int], None]) -> None:
        nonlocal steps
        steps += 1
        follow(node, word, reached)

    monkeypatch.setattr(_Node, "follow", count)

    found = sorted(hostile_trie().matches(".".join(["a"] * 128)))

    assert list(range(64)) == found
    assert steps < 1000


def test_automaton_knows_what_was_added_and_removed_since() -> None:
    trie = hostile_trie()
    key = ".".join(["a"] * 128)
    before = sorted(trie.matches(key))

    trie.add("#.b.#.a", 64)
    trie.add("#.a.#.a", 65)
    words = ["*"] * 126
    words[0] = words[30] = "#"
    trie.remove(".".join(words), 0)

    assert before == list(range(64))
    assert [*range(1, 64), 65] == sorted(trie.matches(key))
