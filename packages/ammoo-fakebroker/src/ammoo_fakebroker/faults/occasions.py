"""The occasions on which faults can strike: a login, a method, a publish, a delivery, a connection.

An occasion reads an attribute only when a fault's scope names it, because most scopes name one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ammoo_wire import method_of

from ..connections.connection import Connection
from ..predicates import decides
from ..snapshots import ConnectionSnapshot, MessageSnapshot, snapshot_connection, snapshot_message
from .options import matches

if TYPE_CHECKING:
    from collections.abc import Collection

    from ammoo_wire import Command

    from ..connections.channel import Channel
    from ..messages.message import Message, QueuedMessage
    from ..queues.consumers import Consumer
    from ..queues.queue import Queue
    from .options import ConnectionChoice

__all__ = [
    "DeliveryOccasion",
    "MethodOccasion",
    "Occasion",
    "PublishOccasion",
    "is_chosen",
]


class Occasion:
    """Something that a fault may strike; this class itself stands for a connection or its login.

    Args:
        connection: The connection.
        channel: The channel, if it happens on one.

    Attributes:
        client: The connection.
        channel: The channel, if it happens on one.
        published: The message, if it happens to one.
    """

    def __init__(self, connection: Connection, channel: Channel | None = None) -> None:
        self.client = connection
        self.channel = channel
        self.published: Message | None = None

    def answers(self, name: str, wanted: Any) -> bool:
        """Return whether an attribute that a scope names has the wanted value."""
        if name == "connection":
            return self._is_connection(wanted)
        return matches(wanted, self.read(name))

    def read(self, name: str) -> Any:
        """Return an attribute that a scope names; None if this occasion has none of that name."""
        return getattr(self, name, None)

    @property
    def user(self) -> str | None:
        """The name of the user that has logged in."""
        return self.client.login_name

    @property
    def virtualhost(self) -> str | None:
        """The name of the virtual host; None before the connection is open."""
        return self.client.virtualhost.name if self.client.is_open else None

    @property
    def channel_number(self) -> int | None:
        """The number of the channel, if it happens on one."""
        return None if self.channel is None else self.channel.number

    @property
    def connection(self) -> str:
        """The client's name of the connection; without one, the name that RabbitMQ gives it."""
        return self.client.identity.name

    def _is_connection(self, wanted: Any) -> bool:
        own = self.client.client_properties.get("connection_name")
        name = self.client.peer.connection_name
        if isinstance(wanted, ConnectionSnapshot):
            return wanted.name == name
        if callable(wanted):
            return self.client.is_open and decides(wanted, snapshot_connection(self.client))
        return matches(wanted, name) or matches(wanted, own)

    def describe(self) -> str:
        """Return the text of a strike."""
        return f"connection {self.connection!r}"


def is_chosen(connection: object, choice: ConnectionChoice) -> bool:
    """Return whether a connection is one that the option ``connection`` chooses."""
    assert isinstance(connection, Connection)
    return Occasion(connection).answers("connection", choice)


class PublishOccasion(Occasion):
    """A publish."""

    channel: Channel
    published: Message

    def __init__(
        self,
        channel: Channel,
        message: Message,
        connection: Connection,
        queues: Collection[Queue] = (),
    ) -> None:
        super().__init__(connection, channel)
        self.published = message
        self._queues = queues

    def answers(self, name: str, wanted: Any) -> bool:
        if name == "queue_name":
            return any(matches(wanted, queue.name) for queue in self._queues)
        return super().answers(name, wanted)

    @property
    def exchange_name(self) -> str:
        """The exchange that it was published to."""
        return self.published.exchange_name

    @property
    def routing_key(self) -> str:
        """The routing key that it was published with."""
        return self.published.routing_key

    @property
    def queue_name(self) -> str:
        """The queues that it was routed to."""
        return ", ".join(queue.name for queue in self._queues)

    @property
    def message(self) -> MessageSnapshot:
        """The message as a test sees it."""
        message = self.published
        return MessageSnapshot(
            message.exchange_name,
            message.routing_key,
            message.decoded(),
            bytes(message.body),
            False,
        )

    def describe(self) -> str:
        return (
            f"publish to exchange {self.exchange_name!r} with key {self.routing_key!r}"
            f" ({len(self.published.body):,} octets)"
        )


class DeliveryOccasion(Occasion):
    """A message on its way to a consumer."""

    def __init__(
        self,
        consumer: Consumer,
        queued: QueuedMessage,
        connection: Connection,
        channel: Channel,
    ) -> None:
        super().__init__(connection, channel)
        self.published: Message = queued.message
        self.consumer = consumer
        self.queued = queued

    @property
    def exchange_name(self) -> str:
        """The exchange that it was published to."""
        return self.queued.message.exchange_name

    @property
    def routing_key(self) -> str:
        """The routing key that it was published with."""
        return self.queued.message.routing_key

    @property
    def queue_name(self) -> str:
        """The queue that it comes from."""
        return self.consumer.queue.name

    @property
    def consumer_tag(self) -> str:
        """The consumer that it goes to."""
        return self.consumer.tag

    @property
    def message(self) -> MessageSnapshot:
        """The message as a test sees it."""
        return snapshot_message(self.queued)

    def describe(self) -> str:
        return f"delivery from queue {self.queue_name!r} to consumer {self.consumer_tag!r}"


class MethodOccasion(Occasion):
    """A method that has arrived and is not executed yet."""

    def __init__(self, connection: Connection, command: Command) -> None:
        self.command = command
        super().__init__(connection, connection.channels.get(command[0]))

    @property
    def channel_number(self) -> int:
        """The number of the channel that it came on, open or not."""
        return self.command[0]

    @property
    def method(self) -> str:
        """The name of the method, such as ``queue.declare``."""
        parameters: Any = self.command[1]
        return method_of(getattr(parameters, "parameters", parameters)).name

    def read(self, name: str) -> Any:
        if hasattr(type(self), name):
            return getattr(self, name)
        return getattr(self.command[1], name, None)

    def describe(self) -> str:
        return f"{self.method} on channel {self.channel_number}"
