"""The life of a message: its events, from the publish to its end, in every queue that it reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from ..attribute_names import names_attributes
from .texts import describe_body, describe_origin, what_happened

if TYPE_CHECKING:
    from .events import Event
    from .recorder import Recorder

__all__ = ["Life", "find_life"]

_ARRIVALS = ("routed", "dead_lettered")
_DEPARTURES = ("delivered", "got", "expired", "dropped", "rejected", "acknowledged")
_ENDS_OF_QUEUES = ("purged", "queue_deleted")


@names_attributes
class Life(Sequence["Event"]):
    """The events of one message, oldest first; `print` shows a line for each.

    Example::

        print(broker.life_of(broker.published(json={"id": 7})[0]))

    Attributes:
        message_number: The number of the message.
        is_whole: Whether the history still holds the first event of the message; if not, `print`
            says so.
    """

    def __init__(
        self, message_number: int, events: tuple[Event, ...], *, is_whole: bool = True
    ) -> None:
        self.message_number: int = message_number
        self.is_whole: bool = is_whole
        self._events = events

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Event, ...]: ...

    def __getitem__(self, index: int | slice) -> Event | tuple[Event, ...]:
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the events, such as ``("published", "routed", "delivered")``."""
        return tuple(event.kind for event in self._events)

    def __repr__(self) -> str:
        kinds = self.kinds if self.is_whole else ("(forgotten)", *self.kinds)
        return f"<message {self.message_number}: {' → '.join(kinds)}>"

    def __str__(self) -> str:
        lines = [f"message {self.message_number}, {describe_body(self._events[0])}"]
        if not self.is_whole:
            lines.append(
                "  … the history has dropped earlier events; FakeBroker(history=…) keeps more"
            )
        subject = f"message {self.message_number} "
        for event in self._events:
            origin = describe_origin(event)
            happened = what_happened(event).removeprefix(subject)
            lines.append(f"  {event.time:9.3f} s  {happened}{origin and f' ({origin})'}")
        return "\n".join(lines)


def find_life(recorder: Recorder, message_number: int, known: Event | None = None) -> Life:
    """Find the events of a message, and those that purged or deleted a queue with it.

    Args:
        recorder: The history.
        message_number: The number of the message.
        known: An event of the message, if the test has passed one.

    Raises:
        LookupError: The history holds no event of the message.
        ValueError: The known event is of the history of another broker.
    """
    found: list[Event] = []
    lies_in: set[str | None] = set()
    for event in recorder.events():
        if event.message_number == message_number:
            found.append(event)
            _follow(lies_in, event)
        elif event.kind in _ENDS_OF_QUEUES and event.queue_name in lies_in:
            found.append(event)
            lies_in.discard(event.queue_name)
    if not found:
        kept = len(range(recorder.first, recorder.total + 1))
        lost = f" in the last {kept:,} of {recorder.total:,} events" if recorder.first > 1 else ""
        raise LookupError(f"the history holds no event of message {message_number}{lost}")
    if known is not None and not _may_be_of(recorder, known, found):
        raise ValueError(f"{known!r} is an event of another broker")
    is_whole = found[0].kind in ("published", "restored") or recorder.first == 1
    return Life(message_number, tuple(found), is_whole=is_whole)


def _may_be_of(recorder: Recorder, known: Event, found: list[Event]) -> bool:
    """Return whether an event is of the same history as the events of its message number.

    They are not compared for equality: events of two brokers can have the same number and details. An
    event that the history has dropped may be of it.
    """
    is_dropped = known.number < recorder.first
    return is_dropped or any(each._message is known._message for each in found)


def _follow(lies_in: set[str | None], event: Event) -> None:
    """Record in which queues a message is ready after an event."""
    if event.kind in _DEPARTURES or event.kind == "dead_lettered":
        lies_in.discard(event.queue_name)
    if event.kind in _ARRIVALS:
        lies_in.update(event.queue_names or ())
    if event.kind in ("requeued", "restored"):
        lies_in.add(event.queue_name)
