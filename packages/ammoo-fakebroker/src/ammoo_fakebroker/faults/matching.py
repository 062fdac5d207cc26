"""Matching: which occasions a fault strikes, and why it did not strike the others.

A matcher compares an occasion with the scope of a fault (the options that name a connection, a queue,
a routing key and so on), and then applies its limits. It counts the matches, and the reasons why
occasions did not match, for the error of a block in which the fault never struck.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

    from .limits import Limit
    from .occasions import Occasion

__all__ = ["Matcher"]

_MISSES_SHOWN = 3
_MISSES_KEPT = 100


class Matcher:
    """Decides for one fault which occasions it strikes.

    Args:
        scope: The wanted values by the names of an occasion's attributes.
        limit: Which of the matches are struck.
        random: The fault's own random numbers.
        noun: The noun for an occasion, in singular and plural.

    Attributes:
        scope, limit, random: As passed.
        matched: How many occasions matched, including those that the limit let pass.
    """

    def __init__(
        self, scope: Mapping[str, Any], limit: Limit, random: Random, noun: tuple[str, str]
    ) -> None:
        self.scope: Mapping[str, Any] = scope
        self.limit: Limit = limit
        self.random: Random = random
        self.matched: int = 0
        self._nouns = noun
        self._misses: Counter[str] = Counter()
        self._obstacles: Counter[str] = Counter()

    def admits(
        self, occasion: Occasion, struck: int, obstacle: Callable[[Occasion], str | None]
    ) -> bool:
        """Return whether an occasion is in the scope and within the limit; count a match.

        Args:
            occasion: The publish, delivery, method, login or connection.
            struck: How many occasions were struck before.
            obstacle: Returns why the fault cannot strike an occasion of its scope; None if it can.
        """
        for name, wanted in self.scope.items():
            if not occasion.answers(name, wanted):
                self._count_miss(f"{name} was {occasion.read(name)!r}")
                return False
        found = obstacle(occasion)
        if found is not None:
            self._obstacles[found] += 1
            return False
        self.matched += 1
        return self.limit.admits(self.matched, struck, self.random)

    def _count_miss(self, reason: str) -> None:
        if reason in self._misses or len(self._misses) < _MISSES_KEPT:
            self._misses[reason] += 1
        else:
            self._misses["other values"] += 1

    def why_not(self, *, struck: int) -> str:
        """Return why no more was struck, for the text of an error.

        Args:
            struck: How many occasions were struck.
        """
        if self._obstacles:
            obstacle, count = self._obstacles.most_common(1)[0]
            return f"{count} {self._noun(count)} matched, {obstacle}"
        if self.matched:
            matches = f"{self.matched} {self._noun(self.matched)} matched"
            limits = self.limit.describe()
            if limits:
                return f"{matches}; its limits are {limits}"
            return matches if struck else f"{matches}; nothing came that it could strike"
        if self._misses:
            total = self._misses.total()
            shown = "; ".join(
                f"{reason} ({count}x)" for reason, count in self._misses.most_common(_MISSES_SHOWN)
            )
            if total == 1:
                return f"1 {self._noun(1)} did not match: {next(iter(self._misses))}"
            return f"none of {total} {self._noun(total)} matched: {shown}"
        return f"there was no {self._noun(1)}"

    def _noun(self, count: int) -> str:
        return self._nouns[0] if count == 1 else self._nouns[1]
