"""Find the queues and exchanges that methods name, or raise RabbitMQ's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...rabbitmq import errors

if TYPE_CHECKING:
    from ...exchanges.exchange import Exchange
    from ...queues.queue import Queue
    from ..channel import Channel

__all__ = [
    "accessible_queue",
    "check_exclusive_access",
    "check_not_default_exchange",
    "existing_exchange",
    "existing_queue",
    "named_queue",
    "strip_line_breaks",
]


def strip_line_breaks(name: str) -> str:
    """Remove CR and LF from the name of a queue or exchange, as RabbitMQ does."""
    if "\n" in name or "\r" in name:
        return name.replace("\n", "").replace("\r", "")
    return name


def named_queue(channel: Channel, queue_name: str) -> str:
    """Return a queue name; an empty one stands for the queue that the channel declared last.

    Raises:
        ProtocolError: 404, the channel has declared no queue.
    """
    if queue_name:
        return queue_name
    if not channel.last_queue_name:
        raise errors.no_queue_declared_on_channel()
    return channel.last_queue_name


def accessible_queue(channel: Channel, queue_name: str) -> Queue:
    """Find a queue that is not exclusive to another connection.

    Raises:
        ProtocolError: 404, there is no such queue; 405, it is exclusive to another connection.
    """
    queue = existing_queue(channel, queue_name)
    check_exclusive_access(channel, queue)
    return queue


def existing_queue(channel: Channel, queue_name: str) -> Queue:
    """Find a queue, even one that is exclusive to another connection.

    Raises:
        ProtocolError: 404, there is no queue or exchange of that name.
    """
    queue = channel.virtualhost.queues.get(queue_name)
    if queue is None:
        raise errors.no_queue(channel.virtualhost.name, queue_name)
    return queue


def check_exclusive_access(channel: Channel, queue: Queue) -> None:
    """Check that a queue is not exclusive to another connection.

    Raises:
        ProtocolError: 405, it is exclusive to another connection.
    """
    if queue.owner is not None and queue.owner is not channel.connection:
        raise errors.queue_locked(channel.virtualhost.name, queue.name)


def existing_exchange(channel: Channel, exchange_name: str) -> Exchange:
    """Find an exchange.

    Raises:
        ProtocolError: 404, there is no queue or exchange of that name.
    """
    exchange = channel.virtualhost.exchanges.get(exchange_name)
    if exchange is None:
        raise errors.no_exchange(channel.virtualhost.name, exchange_name)
    return exchange


def check_not_default_exchange(exchange_name: str) -> None:
    """Check that an exchange is not the default exchange, which cannot be changed.

    Raises:
        ProtocolError: 403, it is the default exchange.
    """
    if not exchange_name:
        raise errors.default_exchange_not_permitted()
