"""What queues and consumers ask of the rooms above them.

A queue asks something of its host (a virtual host), a consumer of its channel, and dead-lettering
of a router (the virtual host again). With these protocols no room of queues imports a room above,
and a test can drive a queue without a node and without a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..clock import Clock
    from ..exchanges.exchange import Exchange
    from ..history.event_fields import Identity
    from ..history.recorder import Recorder
    from ..messages.message import Message, QueuedMessage
    from ..rabbitmq.profiles import Profile
    from .consumers import Consumer
    from .dead_lettering import DeadLetters
    from .limiter import Limiter
    from .queue import Queue

__all__ = ["ConsumerChannel", "ConsumerConnection", "DeliveryPoint", "QueueHost", "Router"]


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
        """What forwards messages that died in a queue."""
        ...

    @property
    def recorder(self) -> Recorder | None:
        """The history of the broker; None if it is off."""
        ...

    @property
    def consumer_timeout(self) -> int | None:
        """How long a delivery may stay unsettled, in milliseconds; None for ever."""
        ...

    def delete_queue(self, queue: Queue) -> object:
        """Delete a queue that is unused, or whose last consumer is gone."""


class Router(Protocol):
    """What dead-lettering asks of the virtual host."""

    @property
    def profile(self) -> Profile:
        """The RabbitMQ release that is imitated."""
        ...

    @property
    def clock(self) -> Clock:
        """The time that is written into the x-death header."""
        ...

    @property
    def exchanges(self) -> Mapping[str, Exchange]:
        """The exchanges by name."""
        ...

    @property
    def recorder(self) -> Recorder | None:
        """The history of the broker; None if it is off."""
        ...

    def route(self, exchange: Exchange, message: Message) -> Collection[Queue]:
        """Find the queues that a message reaches from an exchange, each once."""
        ...


class DeliveryPoint(Protocol):
    """Where a scripted fault can take a hand in deliveries."""

    @property
    def deliver(self) -> Callable[[Consumer, QueuedMessage], bool] | None:
        """Gets a message on its way to a consumer; returns whether it must not be sent."""
        ...


class ConsumerConnection(Protocol):
    """What a consumer asks of its channel's connection."""

    @property
    def identity(self) -> Identity:
        """The names of the connection, for the history."""
        ...

    @property
    def strike_points(self) -> DeliveryPoint:
        """Where scripted faults can take a hand."""
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
    def limiter(self) -> Limiter:
        """The prefetch that all consumers of the channel share."""
        ...

    def next_delivery_tag(self) -> int:
        """Number a delivery that needs no acknowledgement."""
        ...

    def await_acknowledgement(
        self, queue: Queue, queued: QueuedMessage, consumer: Consumer | None
    ) -> int:
        """Number a delivery, and remember it until it is settled."""
        ...

    def time_out(self, consumer: Consumer | None) -> None:
        """Notify the client that the queue has taken deliveries back."""

    def notify_cancelled(self, consumer: Consumer) -> None:
        """Remove a consumer whose queue is deleted, and tell the client (basic.cancel)."""
