"""What can be seen of a running broker: its things as they were when they were looked at.

A snapshot shares nothing with the broker that could change: it is taken in the broker's thread,
and read in another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ammoo_wire import BasicHeaderProperties

    from .exchanges.exchange import Binding, Exchange
    from .messages.message import QueuedMessage
    from .node.ports import Client
    from .queues.queue import Queue

__all__ = [
    "BindingSnapshot",
    "ConnectionSnapshot",
    "ExchangeSnapshot",
    "MessageSnapshot",
    "QueueSnapshot",
    "look_at_binding",
    "look_at_connection",
    "look_at_exchange",
    "look_at_message",
    "look_at_queue",
]


class BindingSnapshot(NamedTuple):
    """A binding, as it was when it was looked at."""

    source: str
    destination: str
    routing_key: str
    arguments: Mapping[str, Any]


class QueueSnapshot(NamedTuple):
    """A queue, as it was when it was looked at."""

    name: str
    queue_type: str
    durable: bool
    exclusive: bool
    auto_delete: bool
    arguments: Mapping[str, Any]
    message_count: int
    """Messages that wait for a consumer."""
    unacknowledged_count: int
    """Messages that are with clients."""
    consumer_count: int
    bindings: tuple[BindingSnapshot, ...]


class ExchangeSnapshot(NamedTuple):
    """An exchange, as it was when it was looked at."""

    name: str
    exchange_type: str
    durable: bool
    auto_delete: bool
    internal: bool
    arguments: Mapping[str, Any]
    bindings: tuple[BindingSnapshot, ...]
    """Those that lead away from it."""


class MessageSnapshot(NamedTuple):
    """A message that waits in a queue."""

    exchange_name: str
    routing_key: str
    properties: BasicHeaderProperties
    body: bytes
    redelivered: bool


class ConnectionSnapshot(NamedTuple):
    """A connection, as it was when it was looked at."""

    user: str
    virtualhost: str
    host: str
    port: int
    client_properties: Mapping[str, Any]
    channel_count: int
    is_blocked: bool


def look_at_connection(connection: Client) -> ConnectionSnapshot:
    """Look at an open connection."""
    return ConnectionSnapshot(
        connection.user.name,
        connection.virtualhost.name,
        connection.peer.host,
        connection.peer.port,
        dict(connection.client_properties),
        len(connection.channels),
        connection.is_blocked,
    )


def look_at_exchange(exchange: Exchange) -> ExchangeSnapshot:
    """Look at an exchange."""
    return ExchangeSnapshot(
        exchange.name,
        exchange.type,
        exchange.durable,
        exchange.auto_delete,
        exchange.internal,
        dict(exchange.arguments),
        tuple(map(look_at_binding, exchange.bindings.values())),
    )


def look_at_queue(queue: Queue) -> QueueSnapshot:
    """Look at a queue."""
    return QueueSnapshot(
        queue.name,
        queue.queue_type,
        queue.durable,
        queue.owner is not None,
        queue.auto_delete,
        dict(queue.arguments),
        queue.message_count,
        queue.unacked_count,
        len(queue.consumers),
        tuple(map(look_at_binding, queue.incoming)),
    )


def look_at_binding(binding: Binding) -> BindingSnapshot:
    """Look at a binding."""
    return BindingSnapshot(
        binding.source.name,
        binding.destination.name,
        binding.routing_key,
        dict(binding.arguments),
    )


def look_at_message(queued: QueuedMessage) -> MessageSnapshot:
    """Look at a message that waits."""
    message = queued.message
    return MessageSnapshot(
        message.exchange_name,
        message.routing_key,
        message.decoded(),
        bytes(message.body),
        queued.redelivered,
    )
