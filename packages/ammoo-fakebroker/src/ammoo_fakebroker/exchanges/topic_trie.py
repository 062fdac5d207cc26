"""Topic patterns: which of many match a routing key.

The patterns form a trie of words, so the cost of a message grows with the words of its routing key and
not with the number of bindings (10,000 bindings cost the same as ten).

A key can lead to many nodes of a trie at once, for example if there are patterns such as ``#.*.*.*``.
Such keys are matched by a `TopicAutomaton`, which keeps all places in the bits of one integer.

Words are separated by dots; the empty key has no word, and ``a..b`` has three.
``*`` matches exactly one word, which may be empty; ``#`` matches any number of words.
See https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-topic
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from .topic_automaton import TopicAutomaton
from .topic_words import split_words

__all__ = ["TopicTrie"]

_Value = TypeVar("_Value")

_MANY_NODES = 64
"""The automaton is faster for more nodes at once: one of its steps costs as much as some 20 nodes."""


class _Node(Generic[_Value]):
    """A node of the trie: the words on the way to it begin a pattern.

    A key is followed word by word, from all nodes that its former words have led to. These nodes are
    a set, so a node counts once even if several # lead to it in several ways.
    """

    __slots__ = ("children", "is_rest", "values")

    def __init__(self, *, is_rest: bool = False) -> None:
        self.children: dict[str, _Node[_Value]] = {}
        self.values: dict[_Value, None] = {}
        self.is_rest = is_rest  # whether its word is #, which matches any number of words

    def enter(self, reached: dict[_Node[_Value], None]) -> None:
        """Add this node to the reached ones, and its child # as well, which may match no word."""
        reached[self] = None
        rest = self.children.get("#")
        if rest is not None and rest not in reached:
            rest.enter(reached)

    def follow(self, word: str, reached: dict[_Node[_Value], None]) -> None:
        """Add the nodes that the next word leads to."""
        if self.is_rest:
            self.enter(reached)
        children = self.children
        for name in (word, "*"):
            child = children.get(name)
            if child is not None:
                child.enter(reached)


class TopicTrie(Generic[_Value]):
    """A set of (pattern, value) pairs that finds the values whose pattern matches a key."""

    def __init__(self) -> None:
        self._root: _Node[_Value] = _Node()
        self._patterns: dict[str, int] = {}  # how many values each has
        self._automaton: TopicAutomaton | None = None

    def add(self, pattern: str, value: _Value) -> None:
        """Add a value under a pattern."""
        self._patterns[pattern] = self._patterns.get(pattern, 0) + 1
        self._automaton = None
        node = self._root
        for word in split_words(pattern):
            child = node.children.get(word)
            if child is None:
                child = node.children[word] = _Node(is_rest=word == "#")
            node = child
        node.values[value] = None

    def remove(self, pattern: str, value: _Value) -> None:
        """Remove a value that was added under a pattern, and branches that become empty."""
        self._patterns[pattern] -= 1
        if not self._patterns[pattern]:
            del self._patterns[pattern]
        self._automaton = None
        path = [self._root]
        words = split_words(pattern)
        for word in words:
            path.append(path[-1].children[word])
        del path[-1].values[value]
        while words and not path[-1].values and not path[-1].children:
            path.pop()
            del path[-1].children[words.pop()]

    def matches(self, key: str) -> Iterator[_Value]:
        """Find the values of all patterns that match a key, each pattern once."""
        words = split_words(key)
        reached: dict[_Node[_Value], None] = {}
        self._root.enter(reached)
        for word in words:
            if len(reached) > _MANY_NODES:
                yield from self._match_all_at_once(words)
                return
            left, reached = reached, {}
            for node in left:
                node.follow(word, reached)
        for node in reached:
            yield from node.values

    def _match_all_at_once(self, words: Iterable[str]) -> Iterator[_Value]:
        if self._automaton is None:
            self._automaton = TopicAutomaton(self._patterns)
        for pattern in self._automaton.matches(words):
            yield from self._values(pattern)

    def _values(self, pattern: str) -> Iterable[_Value]:
        node = self._root
        for word in split_words(pattern):
            node = node.children[word]
        return node.values
