"""How often a fault strikes: the limits `skip`, `every`, `times` and `probability`.

The broker's thread counts the matches of all connections together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..call_checks import check_count

if TYPE_CHECKING:
    from random import Random

__all__ = ["Limit"]


class Limit(NamedTuple):
    """Which of the matches of a fault it strikes.

    Raises:
        TypeError: A value is of a wrong type (`check`).
        ValueError: A value is out of its range (`check`).
    """

    skip: int = 0
    """How many matches it lets pass first."""
    every: int = 1
    """After those, it strikes the first of every so many matches."""
    times: int | None = None
    """How many matches it strikes at most; None for any number."""
    probability: float = 1.0
    """The chance that it strikes a match that the other limits allow."""

    def check(self) -> Limit:
        """Check all values, and return the limit."""
        check_count("skip", self.skip, lowest=0)
        check_count("every", self.every, lowest=1)
        if self.times is not None:
            check_count("times", self.times, lowest=1)
        chance = self.probability
        if isinstance(chance, bool) or not isinstance(chance, int | float):
            raise TypeError(f"probability is {chance!r}; expected a number from 0 to 1")
        if not 0 < chance <= 1:
            raise ValueError(f"probability is {chance!r}; expected a number above 0, at most 1")
        return self

    def admits(self, matched: int, struck: int, random: Random) -> bool:
        """Return whether a fault strikes a match.

        Args:
            matched: How many matches there were, this one included.
            struck: How many of those before were struck.
            random: The source of random numbers; used only if the other limits allow a strike.
        """
        if self.times is not None and struck >= self.times:
            return False
        if matched <= self.skip or (matched - self.skip - 1) % self.every:
            return False
        return self.probability >= 1 or random.random() < self.probability

    def describe(self) -> str:
        """Return the limits that are not the default: ``skip=2, times=1``."""
        default = Limit()
        return ", ".join(
            f"{name}={value!r}"
            for name, value in self._asdict().items()
            if value != getattr(default, name)
        )
