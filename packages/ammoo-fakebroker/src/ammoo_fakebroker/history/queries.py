"""Queries of the history, and the events that they find.

`Events` are an immutable sequence that knows its query; a failing assertion can therefore show
which events came closest. If the history has dropped events that may match, a count raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, overload

from ..attribute_names import names_attributes
from ..call_checks import checks_arguments
from .criteria import describe_criteria, mismatch
from .near_misses import (
    describe_kinds,
    describe_matches,
    describe_near_misses,
    describe_other_kinds,
    nearest_reason,
)

if TYPE_CHECKING:
    from .events import Event
    from .recorder import Recorder

__all__ = [
    "EventSource",
    "Events",
    "Found",
    "HistoryLost",
    "Query",
    "describe_loss",
    "find",
    "find_of_other_kinds",
]


class HistoryLost(RuntimeError):
    """Events cannot be counted, because the history has dropped some that may match."""


class Query(NamedTuple):
    """The kinds and criteria of the events to find."""

    kinds: tuple[str, ...] | None
    """The kinds of events; None for all."""
    criteria: Mapping[str, object]
    since: int = 0
    """The number of the last event to leave out."""

    def matches(self, event: Event) -> bool:
        """Return whether an event of these kinds meets all criteria."""
        return all(
            mismatch(event, name, expected) is None for name, expected in self.criteria.items()
        )

    def describe(self, count: int | str) -> str:
        """Return the subject of a sentence, such as ``2 published events match …``."""
        kinds = describe_kinds(self.kinds)
        event = "event" if count == 1 else "events"
        what = " ".join(filter(None, (str(count), kinds, event)))
        if not self.criteria:
            return what
        return f"{what} {'matches' if count == 1 else 'match'} {describe_criteria(self.criteria)}"


class Found(NamedTuple):
    """The result of a query."""

    events: tuple[Event, ...]
    candidates: tuple[Event, ...]
    """The events of these kinds that do not meet the criteria."""
    held: int
    total: int
    is_lost: bool
    """Whether the history has dropped events that may match."""


def find(recorder: Recorder, query: Query) -> Found:
    """Find events; called in the broker's thread.

    Raises:
        ValueError: The query begins after an event that has not happened.
    """
    if query.since > recorder.total:
        raise ValueError(
            f"since is {query.since}, and {recorder.total} events have happened; expected what mark()"
            " of this broker returned"
        )
    matching: list[Event] = []
    others: list[Event] = []
    for event in recorder.events(query.since, query.kinds):
        (matching if query.matches(event) else others).append(event)
    held = recorder.total - recorder.first + 1
    is_lost = recorder.first > max(query.since, 0) + 1
    return Found(tuple(matching), tuple(others), held, recorder.total, is_lost)


def find_of_other_kinds(recorder: Recorder, query: Query) -> tuple[Event, ...]:
    """Find events that only differ in kind; called in the broker's thread when a query found none."""
    if query.kinds is None or not query.criteria:
        return ()
    return tuple(event for event in recorder.events(query.since) if query.matches(event))


class EventSource(Protocol):
    """What `Events` ask of the broker."""

    def _find(self, query: Query) -> Found:
        """Find events, after the broker has executed the commands that clients have sent."""
        ...

    def _find_of_other_kinds(self, query: Query) -> tuple[Event, ...]:
        """Find events that meet the criteria of a query, and are of other kinds."""
        ...

    def _wait_for_events(self, query: Query, count: int, timeout: float) -> Found:
        """Wait until a query finds at least so many events."""
        ...

    async def _wait_for_events_async(self, query: Query, count: int, timeout: float) -> Found:  # noqa: ASYNC109  it ends with a text that says what was there
        """Wait until a query finds at least so many events, without blocking the event loop."""
        ...


@names_attributes
@checks_arguments
class Events(Sequence["Event"]):
    """Events that a query has found, oldest first.

    The sequence never changes. `assert_count`, `assert_none` and `wait` run the query again, and
    count all events up to now. Counting and iterating raise `HistoryLost` if the history has
    dropped events that may match.
    """

    def __init__(self, source: EventSource, query: Query, found: Found) -> None:
        self._source = source
        self._query = query
        self._found = found

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Event, ...]: ...

    def __getitem__(self, index: int | slice) -> Event | tuple[Event, ...]:
        events = self._found.events
        if isinstance(index, int) and not -len(events) <= index < len(events):
            _check_nothing_is_lost(self._found)
            raise IndexError(self._describe_nearest())
        return events[index]

    def __iter__(self) -> Iterator[Event]:
        _check_nothing_is_lost(
            self._found
        )  # any() and all() iterate, and rely on the number of events
        return iter(self._found.events)

    def __len__(self) -> int:
        _check_nothing_is_lost(self._found)
        return len(self._found.events)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Events):
            return self._found.events == other._found.events
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._found.events)

    def __repr__(self) -> str:
        return f"<{self._describe_nearest()}>"

    def _describe_nearest(self) -> str:
        """Return how many events match; if none does, why the nearest one does not."""
        reason = "" if self._found.events else nearest_reason(self._found.candidates, self._query)
        subject = self._query.describe(len(self._found.events))
        return f"{subject}; nearest {reason}" if reason else subject

    def assert_count(self, count: int) -> None:
        """Assert that exactly so many events have happened up to now.

        Args:
            count: How many must match.

        Raises:
            AssertionError: More or fewer match; the text shows the nearest.
            HistoryLost: The history has dropped events that may have matched.
        """
        __tracebackhide__ = True
        found = self._source._find(self._query)
        _check_nothing_is_lost(found)
        matching = len(found.events)
        if matching == count:
            return
        text = f"{self._query.describe(matching)}; expected {count}"
        if matching > count:
            raise AssertionError(text + describe_matches(found.events))
        if not matching:
            text += describe_other_kinds(self._source._find_of_other_kinds(self._query))
        raise AssertionError(text + describe_near_misses(found.candidates, self._query))

    def assert_none(self) -> None:
        """Assert that no such event has happened up to now.

        It does not wait, and a client may still cause the event. First wait for an event that comes
        later.

        Raises:
            AssertionError: At least one matches; the text shows them.
            HistoryLost: The history has dropped events that may have matched.
        """
        __tracebackhide__ = True
        self.assert_count(0)

    def wait(self, count: int = 1, *, timeout: float = 5.0) -> Events:
        """Wait until at least so many events have happened, those before the call included.

        Example::

            broker.acknowledged(queue_name="orders").wait(3)

        Args:
            count: How many must match.
            timeout: How long to wait at most, in real seconds.

        Returns:
            All events that match by then.

        Raises:
            AssertionError: Fewer have happened in that time, or the broker was stopped.
            RuntimeError: The broker runs in this thread's event loop; see `wait_async`.
        """
        __tracebackhide__ = True
        found = self._source._wait_for_events(self._query, count, timeout)
        return Events(self._source, self._query, found)

    async def wait_async(self, count: int = 1, *, timeout: float = 5.0) -> Events:  # noqa: ASYNC109  as above
        """Wait as `wait` does, in any event loop and without blocking it.

        Args:
            count: How many must match.
            timeout: How long to wait at most, in seconds of the event loop.

        Returns:
            All events that match by then.

        Raises:
            AssertionError: Fewer have happened in that time, or the broker was stopped.
        """
        __tracebackhide__ = True
        found = await self._source._wait_for_events_async(self._query, count, timeout)
        return Events(self._source, self._query, found)


def _check_nothing_is_lost(found: Found) -> None:
    if found.is_lost:
        raise HistoryLost(describe_loss(found))


def describe_loss(found: Found) -> str:
    """Return how many events the history holds, and how to make it hold all."""
    return (
        f"the history holds only the last {found.held:,} of {found.total:,} events; keep more with"
        " FakeBroker(history=…), or count the events after a mark() with since="
    )
