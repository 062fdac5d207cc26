"""How quiet the machine was: a fixed piece of work, timed by the clock beside each round.

The work always takes the same processor time, so what it takes longer by the clock is what others
took from it. Figures are the least or the median of their rounds: a few disturbed rounds do not
change them. So the median sample counts, and figures for a document are written only if it took
little longer than the fastest.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from typing import Final

__all__ = ["Calibration"]

TURNS: Final = 500_000
"""So many that the work takes some tens of milliseconds."""
QUIET: Final = 0.10
"""The largest spread at which a document is written: the median sample by the fastest, less 1."""


class Calibration:
    """The samples of one run."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []

    def sample(self) -> None:
        """Do the work once, and record how long it took."""
        started = time.perf_counter()
        _work()
        self.milliseconds.append((time.perf_counter() - started) * 1000)

    def rounds(self, number: int) -> Iterator[int]:
        """Yield the numbers of so many rounds, and take a sample before each."""
        for each in range(number):
            self.sample()
            yield each

    @property
    def spread(self) -> float:
        """By which part the median sample took longer than the fastest."""
        return statistics.median(self.milliseconds) / min(self.milliseconds) - 1

    def __str__(self) -> str:
        samples = f"{len(self.milliseconds)} samples"
        return f"{min(self.milliseconds):.0f} ms +{self.spread:.0%} ({samples})"

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


def _work() -> int:
    total = 0
    for number in range(TURNS):
        total += number & 7
    return total
