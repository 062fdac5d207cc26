"""What the broker's core asks of a recorder, and what a recorder asks of the core.

The core reports what happens to one `EventRecorder`, or to None, and checks this before each call.
The history is such a recorder, and so are the statistics of the management API, which pass all
reports on to the history.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..messages.message import Message
    from .event_fields import Identity

__all__ = [
    "BegunDelay",
    "EventRecorder",
    "NamedQueue",
    "PublishingChannel",
    "RecordedChannel",
    "RecordedConnection",
]


class RecordedConnection(Protocol):
    """What a recorder asks of a connection."""

    @property
    def identity(self) -> Identity:
        """The names of the connection."""
        ...


class RecordedChannel(Protocol):
    """What a recorder asks of a channel."""

    @property
    def number(self) -> int:
        """The channel's number on its connection."""
        ...

    @property
    def connection(self) -> RecordedConnection:
        """The connection that the channel is on."""
        ...


class PublishingChannel(RecordedChannel, Protocol):
    """What a recorder asks of a channel that publishes."""

    @property
    def transaction(self) -> object | None:
        """The open transaction; None if there is none."""
        ...


class NamedQueue(Protocol):
    """What a recorder asks of a queue."""

    @property
    def name(self) -> str:
        """The name of the queue."""
        ...


class BegunDelay(Protocol):
    """What a recorder asks of a message that an exchange has begun to delay."""

    @property
    def exchange_name(self) -> str:
        """The exchange."""
        ...

    @property
    def seconds(self) -> float:
        """How long it delays the message."""
        ...

    @property
    def due(self) -> float:
        """When the delay ends, on the broker's clock."""
        ...


class EventRecorder(Protocol):
    """What the core reports to.

    Attributes:
        actor: The channel whose command is being executed: it causes the events of queues,
            exchanges and bindings.
    """

    actor: RecordedChannel | None

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

    def record_change(self, kind: str, **details: Any) -> None:
        """Record a change that was caused by the command of the `actor`."""

    def published(
        self, channel: PublishingChannel | None, message: Message, queues: Collection[NamedQueue]
    ) -> None:
        """Record that a message was published and where it was routed, and number the message.

        Args:
            channel: The channel that it came on; None if the broker or the test published it.
            message: The message.
            queues: The queues that it was routed to.
        """

    def committed(
        self, channel: RecordedChannel, message: Message, queues: Collection[NamedQueue]
    ) -> None:
        """Record that a publish of a transaction takes effect."""

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
        """Record that a message was sent to a consumer."""

    def found_empty(self, channel: RecordedChannel, queue_name: str) -> None:
        """Record that a basic.get found no message in a queue."""

    def settled(
        self,
        kind: str,
        channel: RecordedChannel,
        message: Message,
        queue_name: str,
        delivery_tag: int,
    ) -> None:
        """Record that a client acknowledged, rejected or requeued a delivery."""

    def confirmed(
        self, channel: RecordedChannel, message: Message, sequence_number: int, accepted: bool
    ) -> None:
        """Record that a publish was confirmed (basic.ack), or refused (basic.nack)."""

    def virtualhost_deleted(self, name: str) -> None:
        """Record that a virtual host was deleted, after all that was in it."""

    def restarted(self) -> None:
        """Record that the node is up again after it was down."""
