"""Near misses: the events that came closest to a query, and the criteria that each fails.

They are computed only when an assertion fails, and only for the few events that are shown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from .criteria import mismatch, nearness
from .texts import describe

if TYPE_CHECKING:
    from .events import Event

__all__ = [
    "describe_kinds",
    "describe_matches",
    "describe_near_misses",
    "describe_other_kinds",
    "nearest_reason",
]

_SHOWN: Final = 3
_MATCHES_SHOWN: Final = 5
_RANKED: Final = 500
"""How many of the last events are ranked: comparing JSON takes time."""


class Asked(Protocol):
    """What this module asks of a query."""

    @property
    def kinds(self) -> tuple[str, ...] | None:
        """The kinds of events."""
        ...

    @property
    def criteria(self) -> Mapping[str, object]:
        """The criteria that events must meet."""
        ...


class _Miss:
    """An event that a query does not find.

    Attributes:
        event: The event.
        met: The names of the criteria that it meets.
        failed: The reason why it fails each other criterion.
        nearness: How much of the values that it fails is there nevertheless.
    """

    def __init__(self, event: Event, query: Asked) -> None:
        self.event = event
        self.met: list[str] = []
        self.failed: dict[str, str] = {}
        self.nearness = 0
        for name, expected in query.criteria.items():
            difference = mismatch(event, name, expected)
            if difference is None:
                self.met.append(name)
            else:
                self.failed[name] = difference
                self.nearness += nearness(event, name, expected)

    def lines(self) -> list[str]:
        """Return the event and, below it, a line for each criterion."""
        lines = [f"  {describe(self.event)}"]
        if self.met:
            lines.append("      ✓ " + ", ".join(self.met))
        lines += [f"      ✗ {name} {reason}" for name, reason in self.failed.items()]
        return lines


def _ranked(candidates: Sequence[Event], query: Asked) -> list[_Miss]:
    """Return the misses that meet most criteria, and most of the others; the latest of equals first."""
    misses = [_Miss(event, query) for event in candidates[-_RANKED:]]
    misses.sort(key=lambda miss: (len(miss.met), miss.nearness, miss.event.number), reverse=True)
    return misses[:_SHOWN]


def describe_kinds(kinds: Collection[str] | None) -> str:
    """Return the kinds of a query in words; empty for all kinds."""
    return " or ".join(kinds or ()).replace("dead_", "dead-").replace("_", " ")


def describe_near_misses(candidates: Sequence[Event], query: Asked) -> str:
    """Return the lines of a failed assertion that show the nearest events."""
    kinds = describe_kinds(query.kinds)
    if not candidates:
        return f"\n  there are no other{kinds and ' ' + kinds} events"
    count = len(candidates)
    intro = f"  {count} {kinds} {'event does' if count == 1 else 'events do'} not match. Nearest:"
    lines = [intro.replace("  not", " not")]
    for miss in _ranked(candidates, query):
        lines += miss.lines()
    return "\n" + "\n".join(lines)


def describe_other_kinds(events: Sequence[Event]) -> str:
    """Return the lines of a failed assertion that show the last events of other kinds that match."""
    if not events:
        return ""
    noun = "event of another kind matches" if len(events) == 1 else "events of other kinds match"
    lines = [f"  {describe(event)}" for event in events[-_SHOWN:]]
    last = f", the last {len(lines)} of them" if len(lines) < len(events) else ""
    return "\n".join([f"\n  {len(events)} {noun}{last}:", *lines])


def describe_matches(events: Collection[Event]) -> str:
    """Return the lines of a failed assertion that show the events that should not match."""
    shown = list(events)[:_MATCHES_SHOWN]
    lines = [f"  {describe(event)}" for event in shown]
    if len(events) > len(shown):
        lines.append(f"  … and {len(events) - len(shown)} more")
    return "\n" + "\n".join(lines)


def nearest_reason(candidates: Sequence[Event], query: Asked) -> str:
    """Return the nearest miss and the reason in one line; empty if there is none."""
    ranked = _ranked(candidates, query)
    if not ranked or not ranked[0].failed:
        return ""
    failed = "; ".join(f"{name} {reason}" for name, reason in ranked[0].failed.items())
    return f"#{ranked[0].event.number}: {failed}"
