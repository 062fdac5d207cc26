"""All topic patterns of an exchange at once, as the bits of integers (the shift-and algorithm).

Each bit stands for a place in a pattern. A set bit means that the words before the place have matched.
For each word of a key, a few operations on integers move all bits. So the cost of a key is the number
of its words times the total length of the patterns, at 64 bits or so a step. No set of patterns makes
this worse; some make the trie (`topic_trie.py`) much slower.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .topic_words import split_words

__all__ = ["TopicAutomaton"]


class TopicAutomaton:
    """Finds which of many patterns match a key.

    Args:
        patterns: The patterns, each once.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._start = 0
        self._literals: dict[str, int] = {}
        self._stars = 0
        self._hashes = 0
        self._ends: dict[int, str] = {}
        self._final = 0
        place = 0
        for pattern in patterns:
            place = self._add(pattern, place)

    def _add(self, pattern: str, place: int) -> int:
        """Add a pattern whose first place is `place`; return the place behind it."""
        self._start |= 1 << place
        previous = ""
        for word in split_words(pattern):
            if word == previous == "#":
                continue  # two in a row match the same as one
            previous = word
            if word == "#":
                self._hashes |= 1 << place
            elif word == "*":
                self._stars |= 1 << place
            else:
                self._literals[word] = self._literals.get(word, 0) | 1 << place
            place += 1
        self._ends[place] = pattern
        self._final |= 1 << place
        return place + 1

    def matches(self, words: Iterable[str]) -> Iterator[str]:
        """Find the patterns that match a key's words."""
        literals, stars, hashes = self._literals, self._stars, self._hashes
        places = self._start
        places |= (places & hashes) << 1  # a # may match no word
        for word in words:
            moved = (places & (literals.get(word, 0) | stars)) << 1
            places = moved | (places & hashes)
            places |= (places & hashes) << 1
        ended = places & self._final
        while ended:
            place = ended.bit_length() - 1
            ended ^= 1 << place
            yield self._ends[place]
