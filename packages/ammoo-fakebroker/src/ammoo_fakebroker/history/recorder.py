"""The recorder, which the broker's core calls when something has happened.

The core holds a `Recorder`, or None if history is off, and checks this before each call. A recorder
numbers messages as they are published, and keeps the last events within two limits: their number,
and the octets of the bodies that they hold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from .event_fields import NO_CLIENT, Identity, Row
from .events import Event

if TYPE_CHECKING:
    from ..messages.message import Message
    from .ports import NamedQueue, RecordedChannel, RecordedConnection

__all__ = ["BODIES_LIMIT", "EVENTS_LIMIT", "Recorder"]

EVENTS_LIMIT: Final = 10_000
"""How many events are kept."""
BODIES_LIMIT: Final = 16_777_216
"""The octets of bodies that events may hold; small bodies do not count."""

_SMALL = 1024
"""The size of the largest body that does not count: 10,000 of these take at most 10 MiB."""
_NOTHING: Final[dict[str, Any]] = {}


class Recorder:
    """The history of one broker, as its core writes it.

    Args:
        now: Returns the time in seconds, which never goes back.
        limit: How many events to keep.

    Attributes:
        actor: The channel whose command is being executed: it causes the events of queues,
            exchanges and bindings.
        total: The number of the last event.
    """

    def __init__(
        self,
        now: Callable[[], float],
        *,
        limit: int = EVENTS_LIMIT,
        bodies_limit: int = BODIES_LIMIT,
    ) -> None:
        self.actor: RecordedChannel | None = None
        self.total: int = 0
        self._now = now
        self._start = now()
        self._limit = limit
        self._bodies_limit = bodies_limit
        # The deque drops the oldest row by itself; what holds a large body must be dropped by us.
        self._rows: deque[tuple[Any, ...]] = deque(maxlen=limit)
        self._last_message = 0
        self._holders: dict[int, int] = {}  # how many rows hold a large body, by its id
        self._octets = 0

    @property
    def first(self) -> int:
        """The number of the oldest event that is kept."""
        return self.total - len(self._rows) + 1

    # -- writing -------------------------------------------------------------------------------

    def record(
        self,
        kind: str,
        *,
        channel: RecordedChannel | None = None,
        connection: RecordedConnection | None = None,
        message: Message | None = None,
        **details: Any,
    ) -> None:
        """Record an event.

        Args:
            kind: One of `KINDS`.
            channel: The channel that it happened on.
            connection: The connection, if no channel is concerned.
            message: The message that it happened to.
            details: Further data by name; the names are attributes of `Event`, or keys of its
                `details`.
        """
        if channel is not None:
            self._add(kind, message, channel.connection.identity, channel.number, details)
        else:
            identity = NO_CLIENT if connection is None else connection.identity
            self._add(kind, message, identity, 0, details)

    def record_change(self, kind: str, **details: Any) -> None:
        """Record a change that was caused by the command of the `actor`."""
        self.record(kind, channel=self.actor, **details)

    def published(
        self, channel: RecordedChannel | None, message: Message, queues: Collection[NamedQueue]
    ) -> None:
        """Record that a message was published and where it was routed, and number the message.

        Args:
            channel: The channel that it came on; None if the broker or the test published it.
            message: The message.
            queues: The queues that it was routed to.
        """
        self._last_message = message.number = self._last_message + 1
        identity, number = NO_CLIENT, 0
        if channel is not None:
            identity, number = channel.connection.identity, channel.number
        if self._holders:
            self._make_room(2 if queues else 1)
        # Two rows and one time: 0.7 µs here, a quarter more by two calls of `_add`.
        time = self._now() - self._start
        self._rows.append(("published", time, message, identity, number, _NOTHING))
        self.total += 1
        if queues:
            self.total += 1
            routed = {"queue_names": tuple([queue.name for queue in queues])}
            self._rows.append(("routed", time, message, identity, number, routed))
        if len(message.body) > _SMALL:
            self._hold(message, min(2 if queues else 1, self._limit))

    def number(self, message: Message) -> None:
        """Number a message that was not published here, but restored."""
        self._last_message = message.number = self._last_message + 1

    def delivered(
        self,
        channel: RecordedChannel,
        message: Message,
        queue_name: str,
        consumer_tag: str,
        delivery_tag: int,
        redelivered: bool,
        no_ack: bool,
    ) -> None:
        """Record that a message was sent to a consumer; the history does not keep `no_ack`."""
        self._add(
            "delivered",
            message,
            channel.connection.identity,
            channel.number,
            {
                "queue_name": queue_name,
                "consumer_tag": consumer_tag,
                "delivery_tag": delivery_tag,
                "redelivered": redelivered,
            },
        )

    def settled(
        self,
        kind: str,
        channel: RecordedChannel,
        message: Message,
        queue_name: str,
        delivery_tag: int,
    ) -> None:
        """Record that a client acknowledged, rejected or requeued a delivery."""
        details = {"queue_name": queue_name, "delivery_tag": delivery_tag}
        self._add(kind, message, channel.connection.identity, channel.number, details)

    def confirmed(
        self, channel: RecordedChannel, message: Message, sequence_number: int, accepted: bool
    ) -> None:
        """Record that a publish was confirmed (basic.ack), or refused (basic.nack)."""
        self._add(
            "confirmed" if accepted else "nacked",
            message,
            channel.connection.identity,
            channel.number,
            {"sequence_number": sequence_number},
        )

    def committed(
        self, channel: RecordedChannel, message: Message, queues: Collection[NamedQueue]
    ) -> None:
        """Do nothing: the publish is recorded already."""

    def found_empty(self, channel: RecordedChannel, queue_name: str) -> None:
        """Do nothing: nothing has happened to a message."""

    def virtualhost_deleted(self, name: str) -> None:
        """Do nothing: the deletion of what was in it is recorded already."""

    def restarted(self) -> None:
        """Do nothing: what is recorded stays."""

    def _add(
        self,
        kind: str,
        message: Message | None,
        identity: Identity,
        channel_number: int,
        details: dict[str, Any],
    ) -> None:
        if self._holders:
            self._make_room(1)
        time = self._now() - self._start
        self._rows.append((kind, time, message, identity, channel_number, details))
        self.total += 1
        if message is not None and len(message.body) > _SMALL:
            self._hold(message, 1)

    def _make_room(self, rows: int) -> None:
        """Drop the oldest rows for new ones, and what they hold."""
        while self._rows and len(self._rows) > self._limit - rows:
            self._drop_oldest()

    def _hold(self, message: Message, rows: int) -> None:
        """Count the body that new rows hold; drop the oldest events above the limit."""
        # Not by the message's number: a fault can strike a message before it is numbered.
        holders = self._holders.get(id(message.body), 0)
        self._holders[id(message.body)] = holders + rows
        if not holders:
            self._octets += len(message.body)
            while self._octets > self._bodies_limit and len(self._rows) > 1:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        message = self._rows.popleft()[2]
        if message is None or len(message.body) <= _SMALL:
            return
        holders = self._holders.pop(id(message.body)) - 1
        if holders:
            self._holders[id(message.body)] = holders
        else:
            self._octets -= len(message.body)

    # -- reading -------------------------------------------------------------------------------

    def events(self, since: int = 0, kinds: Collection[str] | None = None) -> Iterator[Event]:
        """Yield the events that are kept, oldest first.

        Args:
            since: The number of the last event to leave out.
            kinds: The kinds of events to yield; None for all.
        """
        first = max(since + 1, self.first)
        rows = islice(self._rows, first - self.first, None)
        for number, row in enumerate(rows, first):
            if kinds is None or row[0] in kinds:
                yield Event(number, Row(*row))
