"""Snapshots: queues, exchanges, messages and connections as they were at one moment.

A snapshot is taken in the broker's thread and may be read in another, so it shares no mutable data
with the broker.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from .attribute_names import names_attributes

if TYPE_CHECKING:
    from ammoo_wire import BasicHeaderProperties

    from .exchanges.exchange import Binding, Exchange
    from .messages.message import QueuedMessage
    from .node.ports import Client
    from .queues.delivery import Unacked
    from .queues.queue import Queue

__all__ = [
    "BindingSnapshot",
    "ConnectionSnapshot",
    "ExchangeSnapshot",
    "MessageSnapshot",
    "QueueSnapshot",
    "snapshot_binding",
    "snapshot_connection",
    "snapshot_exchange",
    "snapshot_message",
    "snapshot_queue",
    "snapshot_unacked",
]


@names_attributes
class BindingSnapshot(NamedTuple):
    """A binding at the moment of the call.

    Attributes:
        source: The name of the exchange that it leads away from.
        destination: The name of the queue or the exchange that it leads to.
        routing_key: The binding key.
        arguments: Its arguments.
    """

    source: str
    destination: str
    routing_key: str
    arguments: Mapping[str, Any]


@names_attributes
class QueueSnapshot(NamedTuple):
    """A queue at the moment of the call.

    Attributes:
        name: Its name.
        queue_type: ``"classic"``, ``"quorum"`` or ``"stream"``.
        durable: Whether it survives a restart.
        exclusive: Whether it belongs to one connection.
        auto_delete: Whether it is deleted when its last consumer is gone.
        arguments: Its arguments, as declared.
        message_count: How many messages are ready to be delivered.
        unacknowledged_count: How many messages are delivered and not settled.
        consumer_count: How many consumers it has.
        bindings: The bindings that lead to it.
    """

    name: str
    queue_type: str
    durable: bool
    exclusive: bool
    auto_delete: bool
    arguments: Mapping[str, Any]
    message_count: int
    unacknowledged_count: int
    consumer_count: int
    bindings: tuple[BindingSnapshot, ...]


@names_attributes
class ExchangeSnapshot(NamedTuple):
    """An exchange at the moment of the call.

    Attributes:
        name: Its name; empty for the default exchange.
        exchange_type: Its type, such as ``"topic"``.
        durable: Whether it survives a restart.
        auto_delete: Whether it is deleted with its last binding.
        internal: Whether only exchanges can publish to it.
        arguments: Its arguments, as declared.
        bindings: The bindings that lead away from it.
    """

    name: str
    exchange_type: str
    durable: bool
    auto_delete: bool
    internal: bool
    arguments: Mapping[str, Any]
    bindings: tuple[BindingSnapshot, ...]


@names_attributes
class MessageSnapshot(NamedTuple):
    """A message that is ready in a queue, or with a client.

    Attributes:
        exchange_name: The exchange that it was published to; empty for the default exchange.
        routing_key: The routing key that it was published with.
        properties: Its properties; those that it does not have are None.
        body: Its body.
        redelivered: Whether it was delivered before.
        message_number: Its number in the history; None if history is off.
        connection: The name of the connection whose client has it; None if it is ready.
        channel_number: The channel that it was delivered on; None if it is ready.
        delivery_tag: The delivery tag by which the client settles it; None if it is ready.
        consumer_tag: The consumer that has it; None if it is ready, or after basic.get.
    """

    exchange_name: str
    routing_key: str
    properties: BasicHeaderProperties
    body: bytes
    redelivered: bool
    message_number: int | None = None
    connection: str | None = None
    channel_number: int | None = None
    delivery_tag: int | None = None
    consumer_tag: str | None = None

    @property
    def headers(self) -> Mapping[str, Any]:
        """The headers of the message; empty if it has none."""
        return self.properties.headers or {}

    def json(self) -> Any:
        """Decode the body from JSON.

        Raises:
            ValueError: The body is not JSON.
        """
        return json.loads(self.body)


@names_attributes
class ConnectionSnapshot(NamedTuple):
    """A connection at the moment of the call.

    Attributes:
        user: The name of the user that has logged in.
        virtualhost: The name of the virtual host.
        host: The address that the client connects from.
        port: The port that the client connects from.
        client_properties: The properties that the client has sent, such as ``connection_name``.
        channel_count: How many channels are open.
        is_blocked: Whether the client published during an alarm, and is blocked.
        name: The name that RabbitMQ gives to the connection, such as
            ``127.0.0.1:50812 -> 127.0.0.1:5672``.
    """

    user: str
    virtualhost: str
    host: str
    port: int
    client_properties: Mapping[str, Any]
    channel_count: int
    is_blocked: bool
    name: str


def snapshot_connection(connection: Client) -> ConnectionSnapshot:
    """Take a snapshot of an open connection."""
    return ConnectionSnapshot(
        connection.user.name,
        connection.virtualhost.name,
        connection.peer.host,
        connection.peer.port,
        deepcopy(dict(connection.client_properties)),
        len(connection.channels),
        connection.is_blocked,
        connection.peer.connection_name,
    )


def snapshot_exchange(exchange: Exchange) -> ExchangeSnapshot:
    """Take a snapshot of an exchange."""
    return ExchangeSnapshot(
        exchange.name,
        exchange.type,
        exchange.durable,
        exchange.auto_delete,
        exchange.internal,
        deepcopy(exchange.arguments),
        tuple(map(snapshot_binding, exchange.bindings.values())),
    )


def snapshot_queue(queue: Queue) -> QueueSnapshot:
    """Take a snapshot of a queue."""
    return QueueSnapshot(
        queue.name,
        queue.queue_type,
        queue.durable,
        queue.owner is not None,
        queue.auto_delete,
        deepcopy(queue.arguments),
        queue.message_count,
        queue.unacked_count,
        len(queue.consumers),
        tuple(map(snapshot_binding, queue.incoming)),
    )


def snapshot_binding(binding: Binding) -> BindingSnapshot:
    """Take a snapshot of a binding."""
    return BindingSnapshot(
        binding.source.name,
        binding.destination.name,
        binding.routing_key,
        deepcopy(dict(binding.arguments)),
    )


def snapshot_message(queued: QueuedMessage) -> MessageSnapshot:
    """Take a snapshot of a ready message."""
    message = queued.message
    return MessageSnapshot(
        message.exchange_name,
        message.routing_key,
        message.decoded(),
        bytes(message.body),
        queued.redelivered,
        message.number or None,
    )


def snapshot_unacked(
    unacked: Unacked, connection: Client, channel_number: int, delivery_tag: int
) -> MessageSnapshot:
    """Take a snapshot of a message that a client holds and has not settled."""
    return snapshot_message(unacked.queued)._replace(
        connection=connection.identity.name,
        channel_number=channel_number,
        delivery_tag=delivery_tag,
        consumer_tag=None if unacked.consumer is None else unacked.consumer.tag,
    )
