"""Topic patterns: which of many match a routing key.

Patterns are kept in a trie of words, so that the cost of a message grows with the words of its
routing key and not with the number of bindings (10,000 of them cost what ten do).

Words are what stands between dots; the empty key has none, and ``a..b`` has three.
``*`` stands for exactly one word, be it empty; ``#`` for any number of words.
See https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-topic
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["TopicTrie", "split_words"]

_Value = TypeVar("_Value")


def split_words(key: str) -> list[str]:
    """Split a routing key or a pattern into its words."""
    return key.split(".") if key else []


class _Node(Generic[_Value]):
    __slots__ = ("children", "values")

    def __init__(self) -> None:
        self.children: dict[str, _Node[_Value]] = {}
        self.values: dict[_Value, None] = {}


class TopicTrie(Generic[_Value]):
    """A set of (pattern, value) pairs that finds the values whose pattern matches a key."""

    def __init__(self) -> None:
        self._root: _Node[_Value] = _Node()

    def add(self, pattern: str, value: _Value) -> None:
        """Add a value under a pattern."""
        node = self._root
        for word in split_words(pattern):
            child = node.children.get(word)
            if child is None:
                child = node.children[word] = _Node()
            node = child
        node.values[value] = None

    def remove(self, pattern: str, value: _Value) -> None:
        """Remove a value that was added under a pattern, and the branches it leaves empty."""
        path = [self._root]
        words = split_words(pattern)
        for word in words:
            path.append(path[-1].children[word])
        del path[-1].values[value]
        while words and not path[-1].values and not path[-1].children:
            path.pop()
            del path[-1].children[words.pop()]

    def matches(self, key: str) -> Iterator[_Value]:
        """Find the values under all patterns that match a key, each pattern's once."""
        words = split_words(key)
        # Several # in a row reach the same place by many ways; each is walked once.
        seen: set[tuple[int, int]] = set()
        waiting = [(self._root, 0)]
        while waiting:
            node, index = waiting.pop()
            if (id(node), index) in seen:
                continue
            seen.add((id(node), index))
            if index == len(words):
                yield from node.values
            children = node.children
            if not children:
                continue
            if index < len(words):
                for word in (words[index], "*"):
                    child = children.get(word)
                    if child is not None:
                        waiting.append((child, index + 1))
            rest = children.get("#")
            if rest is not None:
                waiting.extend((rest, position) for position in range(index, len(words) + 1))
