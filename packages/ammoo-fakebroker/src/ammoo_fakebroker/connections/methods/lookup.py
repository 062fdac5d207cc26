"""From names in methods to queues and exchanges, with the refusals that are due on the way."""

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
    """Clean a queue's or an exchange's name: RabbitMQ drops CR and LF wherever they stand."""
    if "\n" in name or "\r" in name:
        return name.replace("\n", "").replace("\r", "")
    return name


def named_queue(channel: Channel, queue_name: str) -> str:
    """Give the queue name that is meant: an empty one is that of the queue declared last.

    Raises:
        ProtocolError: 404, none was declared on the channel.
    """
    if queue_name:
        return queue_name
    if not channel.last_queue_name:
        raise errors.no_queue_declared_on_channel()
    return channel.last_queue_name


def accessible_queue(channel: Channel, queue_name: str) -> Queue:
    """Find a queue that is not another connection's own.

    Raises:
        ProtocolError: 404, there is none of that name; 405, it is another connection's.
    """
    queue = existing_queue(channel, queue_name)
    check_exclusive_access(channel, queue)
    return queue


def existing_queue(channel: Channel, queue_name: str) -> Queue:
    """Find a queue, whoever may own it.

    Raises:
        ProtocolError: 404, there is none of that name.
    """
    queue = channel.virtualhost.queues.get(queue_name)
    if queue is None:
        raise errors.no_queue(channel.virtualhost.name, queue_name)
    return queue


def check_exclusive_access(channel: Channel, queue: Queue) -> None:
    """Check that a queue is not another connection's own.

    Raises:
        ProtocolError: 405, it is.
    """
    if queue.owner is not None and queue.owner is not channel.connection:
        raise errors.queue_locked(channel.virtualhost.name, queue.name)


def existing_exchange(channel: Channel, exchange_name: str) -> Exchange:
    """Find an exchange.

    Raises:
        ProtocolError: 404, there is none of that name.
    """
    exchange = channel.virtualhost.exchanges.get(exchange_name)
    if exchange is None:
        raise errors.no_exchange(channel.virtualhost.name, exchange_name)
    return exchange


def check_not_default_exchange(exchange_name: str) -> None:
    """Check that it is not the default exchange, which nobody can change.

    Raises:
        ProtocolError: 403, it is.
    """
    if not exchange_name:
        raise errors.default_exchange_not_permitted()
