"""What a comparison has found: medians, ratios, how far goals are reached; and tables of them.

It runs nothing and knows no client but the two that goals are relative to.
"""

import statistics
from collections.abc import Iterator
from typing import Final

from benchmarks.job import Figures
from benchmarks.workloads import LIMIT, PEER, WORKLOADS, Workload

__all__ = [
    "UVLOOP",
    "Reached",
    "Results",
    "clock_table",
    "cpu_table",
    "goals_table",
    "kernel_table",
    "medians",
    "microseconds",
    "ratio",
    "shown",
    "table",
]

Results = dict[str, dict[str, list[Figures | None]]]
"""By workload and client, one a round; None where the client does not have the workload."""

UVLOOP: Final = "+uvloop"
"""Behind a client's name: it runs on uvloop."""


# --- figures ----------------------------------------------------------------------------------


def medians(rounds: list[Figures | None]) -> Figures | None:
    """Give the median of each figure over the rounds in which there is one."""
    measured = [figures for figures in rounds if figures is not None]
    if not measured:
        return None
    return Figures._make(statistics.median(column) for column in zip(*measured, strict=True))


def ratio(
    ours: list[Figures | None], theirs: list[Figures | None], figure: str = "cpu"
) -> float | None:
    """Give the median of the rounds' ratios of one figure."""
    ratios: list[float] = [
        getattr(mine, figure) / getattr(other, figure)
        for mine, other in zip(ours, theirs, strict=False)  # an interrupted round is not whole
        if mine is not None and other is not None and getattr(other, figure)
    ]
    return statistics.median(ratios) if ratios else None


class Reached:
    """What one client has reached in one workload, against the limit and against the peer.

    Attributes:
        of_limit: Its CPU time in multiples of the limit's, or None if that was not measured.
        below_peer: How many times less it is than the peer's, or None.
        rate_of_limit: Its messages a second in multiples of the limit's, or None.
        on_uvloop: Its CPU time on uvloop in multiples of that on asyncio's own loop, or None.
    """

    def __init__(self, results: Results, workload: Workload, client: str) -> None:
        rows = results[workload.name]
        others = results.get(workload.compared_with, rows)
        ours = rows[client]
        self.workload = workload
        self.of_limit = ratio(ours, others.get(LIMIT, []))
        of_peer = ratio(ours, others.get(PEER, []))
        self.below_peer = 1 / of_peer if of_peer else None
        clock = ratio(ours, others.get(LIMIT, []), "wall")
        self.rate_of_limit = 1 / clock if clock else None
        self.on_uvloop = ratio(rows.get(client + UVLOOP, []), ours)

    @property
    def verdict(self) -> str:
        """Say whether the goals are met."""
        if self.of_limit is None and self.below_peer is None:
            return ""
        missed = []
        if self.of_limit is not None and self.of_limit > self.workload.of_limit:
            missed.append("C")
        if self.below_peer is not None and self.below_peer < self.workload.below_peer:
            missed.append(PEER)
        if missed:
            return "missed: " + ", ".join(missed)
        return "stretch" if self._reaches_stretch() else "met"

    def _reaches_stretch(self) -> bool:
        stretch, rate = self.workload.stretch, self.workload.stretch_rate
        if stretch is None or self.of_limit is None or self.of_limit > stretch:
            return False
        return rate is None or (self.rate_of_limit is not None and self.rate_of_limit >= rate)


# --- tables -----------------------------------------------------------------------------------


def shown(value: float | None, form: str = ".2f") -> str:
    """Write a number, or a dash where there is none."""
    return "-" if value is None else format(value, form)


def microseconds(value: float) -> str:
    """Write microseconds: three digits, or as many as stand before the point."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def table(titles: list[str], rows: list[list[str]], *, ends_in_words: bool = False) -> list[str]:
    """Write a table in Markdown: names in the first column, numbers in the others."""
    rule = ["---", *["---:"] * (len(titles) - 1)]
    if ends_in_words:
        rule[-1] = "---"
    return [f"| {' | '.join(cells)} |" for cells in (titles, rule, *rows)]


def measured(results: Results) -> Iterator[Workload]:
    """Give the workloads that were measured, in the order in which they are shown."""
    return (workload for workload in WORKLOADS if workload.name in results)


def _costs_table(results: Results, clients: list[str], title: str, figure: str) -> list[str]:
    rows = []
    for workload in measured(results):
        cells = [workload.title]
        for client in clients:
            figures = medians(results[workload.name][client])
            if figures is None:
                cells.append("-")
            elif figure == "wall":
                cells.append(f"{1e6 / figures.wall:,.0f}")
            else:
                cells.append(microseconds(getattr(figures, figure)))
        rows.append(cells)
    return table([title, *clients], rows)


def cpu_table(results: Results, clients: list[str]) -> list[str]:
    """Show all clients' CPU time."""
    return _costs_table(results, clients, "CPU, µs a message", "cpu")


def kernel_table(results: Results, clients: list[str]) -> list[str]:
    """Show what of that is the kernel's: no client can do anything about a call but make fewer."""
    return _costs_table(results, clients, "of that in the kernel", "system")


def clock_table(results: Results, clients: list[str]) -> list[str]:
    """Show all clients' messages a second."""
    return _costs_table(results, clients, "clock, messages a second", "wall")


def _stretch(workload: Workload) -> str:
    if workload.stretch_rate is None:
        return shown(workload.stretch, "g")
    return f"{workload.stretch:g} at {workload.stretch_rate:g} x its rate"


def goals_table(results: Results, client: str) -> list[str]:
    """Show what a client has reached, beside the goals."""
    has_uvloop = any(client + UVLOOP in rows for rows in results.values())
    titles = [client, "µs", f"x {LIMIT}", "goal", "stretch", f"of {PEER}", "goal"]
    titles += ["messages/s x C", *(["on uvloop"] if has_uvloop else []), "reached"]
    rows = []
    for workload in measured(results):
        figures = medians(results[workload.name][client])
        if figures is None:
            continue
        reached = Reached(results, workload, client)
        cells = [
            workload.title,
            microseconds(figures.cpu),
            shown(reached.of_limit),
            f"{workload.of_limit:g}",
            _stretch(workload),
            "-" if reached.below_peer is None else f"1/{reached.below_peer:.1f}",
            f"1/{workload.below_peer:g}",
            shown(reached.rate_of_limit),
        ]
        if has_uvloop:
            cells.append("-" if reached.on_uvloop is None else f"x {reached.on_uvloop:.2f}")
        rows.append([*cells, reached.verdict])
    return table(titles, rows, ends_in_words=True)
