"""How quiet the machine was: a fixed piece of work, timed by the clock beside each round.

The work always takes the same processor time, so what it takes longer by the clock is what others
took from it. Processors that share a core take from each other too: beside a busy server the work
takes a fourth longer. The server of the last round is ours, so a sample waits until that has come
to rest; what still takes from it then is not ours.

Figures are the least or the median of their rounds: a few disturbed rounds do not change them. So
the median sample counts, and figures for a document are written only if it took little longer than
the fastest.
"""

import math
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Final

__all__ = ["Calibration"]

TURNS: Final = 500_000
"""So many that the work takes some tens of milliseconds."""
TRIES: Final = 100
"""How often a sample does the work, until it takes no longer than on a quiet machine."""
QUIET: Final = 0.10
"""The largest spread at which a document is written: the median sample by the fastest, less 1."""


class Calibration:
    """The samples of one run."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self._fastest = math.inf

    def sample(self) -> None:
        """Do the work until the machine is quiet, and record how long the last time took."""
        if not self.milliseconds:
            self._fastest = min(_milliseconds() for _ in range(TRIES))
        for _ in range(TRIES):
            took = _milliseconds()
            self._fastest = min(self._fastest, took)
            if took <= self._fastest * (1 + QUIET):
                break
        self.milliseconds.append(took)

    def rounds(self, number: int) -> Iterator[int]:
        """Yield the numbers of so many rounds, and take a sample before each."""
        for each in range(number):
            self.sample()
            yield each

    @property
    def fastest(self) -> float:
        """The least that the work ever took, in milliseconds."""
        return min(self._fastest, *self.milliseconds)

    @property
    def spread(self) -> float:
        """By which part the median sample took longer than the fastest."""
        return statistics.median(self.milliseconds) / self.fastest - 1

    def __str__(self) -> str:
        samples = f"{len(self.milliseconds)} samples"
        return f"{self.fastest:.0f} ms +{self.spread:.0%} ({samples})"

    def require_quiet(self) -> None:
        """End the program if the machine was not quiet.

        Raises:
            SystemExit: The spread is larger than `QUIET`.
        """
        if self.spread > QUIET:
            sys.exit(
                f"nothing is written: the calibration took {self}, and at most +{QUIET:.0%} is"
                " quiet; end what else runs on this machine and measure again"
            )


def _milliseconds() -> float:
    started = time.perf_counter()
    _work()
    return (time.perf_counter() - started) * 1000


def _work() -> int:
    total = 0
    for number in range(TURNS):
        total += number & 7
    return total
