"""What queues and consumers ask of the rooms above them.

The host of a queue is its virtual host. With these protocols no room of queues imports a room above,
and a test can drive a queue without a node and without a connection. What dead-lettering asks stands
in `dead_lettering.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..clocks.clock import Clock
    from ..history.event_fields import Identity
    from ..history.ports import EventRecorder
    from ..messages.message import QueuedMessage
    from ..rabbitmq.profiles import Profile
    from .consumers import Consumer
    from .dead_lettering import DeadLetters
    from .prefetch import PrefetchLimiter
    from .queue import Queue

__all__ = ["ConsumerChannel", "ConsumerConnection", "DeliveryPoint", "QueueHost"]


class QueueHost(Protocol):
    """What a queue asks of the virtual host that it lives in."""

    @property
    def name(self) -> str:
        """The name of the virtual host."""
        ...

    @property
    def profile(self) -> Profile:
        """The RabbitMQ release that is imitated."""
        ...

    @property
    def clock(self) -> Clock:
        """The time in which messages and queues expire."""
        ...

    @property
    def dead_letters(self) -> DeadLetters:
        """Publishes messages that died in a queue."""
        ...

    @property
    def recorder(self) -> EventRecorder | None:
        """What records events: the history, statistics or both; None for neither."""
        ...

    @property
    def consumer_timeout(self) -> int | None:
        """How long a delivery may stay unsettled, in milliseconds; None for any time."""
        ...

    def delete_queue(self, queue: Queue) -> object:
        """Delete a queue that is unused, or whose last consumer is gone."""


class DeliveryPoint(Protocol):
    """The point at which a scripted fault can change deliveries."""

    @property
    def deliver(self) -> Callable[[Consumer, QueuedMessage], bool] | None:
        """Called with a consumer and its next message; returns whether it must not be sent."""
        ...


class ConsumerConnection(Protocol):
    """What a consumer asks of its channel's connection."""

    @property
    def identity(self) -> Identity:
        """The names of the connection, for the history."""
        ...

    @property
    def strike_points(self) -> DeliveryPoint:
        """The point at which scripted faults can change what is delivered."""
        ...

    @property
    def is_deliverable(self) -> bool:
        """Whether the client reads fast enough to be sent more messages."""
        ...

    def send_content(
        self, channel_number: int, payload: bytes, properties: bytes, body: bytes | bytearray
    ) -> None:
        """Queue an encoded method with its content for the client."""


class ConsumerChannel(Protocol):
    """What a consumer asks of its channel."""

    @property
    def number(self) -> int:
        """The channel's number on its connection."""
        ...

    @property
    def connection(self) -> ConsumerConnection:
        """The connection that the channel is on."""
        ...

    @property
    def limiter(self) -> PrefetchLimiter:
        """The prefetch that all consumers of the channel share."""
        ...

    def next_delivery_tag(self) -> int:
        """Return the delivery tag of a delivery that needs no acknowledgement."""
        ...

    def await_acknowledgement(
        self, queue: Queue, queued: QueuedMessage, consumer: Consumer | None
    ) -> int:
        """Return the delivery tag of a delivery, and keep the delivery until it is settled."""
        ...

    def time_out(self, consumer: Consumer | None) -> None:
        """Notify the client that the queue has taken deliveries back."""

    def notify_cancelled(self, consumer: Consumer) -> None:
        """Remove a consumer whose queue is deleted, and notify the client (basic.cancel)."""
