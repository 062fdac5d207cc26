"""The figures of a queue: its messages by place and kind, and how ready its consumers are.

They are those of the moment. RabbitMQ keeps some messages on disk only and measures consumers over
time; here all messages are in memory, and consumers can take a message now or cannot.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ...queues.consumers import SingleActiveConsumer
from ...rabbitmq.arguments import STREAM
from .connections import open_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...messages.message import Message
    from ...node.node import Node
    from ...queues.queue import Queue
    from ..releases import ApiRelease

__all__ = ["Held", "consumer_figures", "held_by_clients", "message_figures"]

_PERSISTENT: Final = 2

Held = dict["Queue", list["Message"]]
"""By queue, the messages that clients have and have not settled."""


def held_by_clients(node: Node) -> Held:
    """Return the messages that clients have and have not settled."""
    held: Held = {}
    for connection in open_in(node):
        for channel in connection.all_channels():
            for delivery in channel.unacked.values():
                held.setdefault(delivery.queue, []).append(delivery.queued.message)
    return held


def message_figures(
    queue: Queue, held: Sequence[Message], release: ApiRelease
) -> dict[str, int | None]:
    """Return how many messages and octets of bodies a queue has; RabbitMQ counts none in streams.

    Args:
        queue: The queue.
        held: Its messages that clients have.
        release: How the API of the imitated RabbitMQ differs from that of other releases.
    """
    if queue.queue_type == STREAM:
        return {}
    ready = [queued.message for queued in queue.ready_messages()]
    every = [*held, *ready]
    persistent = [message for message in every if _is_persistent(queue, message)]
    figures: dict[str, int | None] = {
        "message_bytes": _octets(every),
        "message_bytes_ready": _octets(ready),
        "message_bytes_unacknowledged": _octets(held),
        "message_bytes_persistent": _octets(persistent),
        "messages_persistent": len(persistent),
    }
    if queue.is_replicated:
        return figures
    return figures | _places(ready, held) | (_PAGED_OUT if release.pages_messages_out else {})


_PAGED_OUT: Final = {"messages_paged_out": 0, "message_bytes_paged_out": 0}


def _places(ready: Sequence[Message], held: Sequence[Message]) -> dict[str, int | None]:
    """Return the figures of messages in memory, and when the oldest message was published."""
    oldest = next(iter([*held, *ready]), None)
    published_at = None if oldest is None else oldest.decoded().timestamp
    if isinstance(published_at, datetime):
        published_at = int(published_at.timestamp())
    return {
        "messages_ram": len(ready) + len(held),
        "messages_ready_ram": len(ready),
        "messages_unacknowledged_ram": len(held),
        "message_bytes_ram": _octets(ready) + _octets(held),
        "head_message_timestamp": published_at,
    }


def _octets(messages: Iterable[Message]) -> int:
    return sum(len(message.body) for message in messages)


def _is_persistent(queue: Queue, message: Message) -> bool:
    """Return whether a message outlives a restart of the broker."""
    if queue.is_replicated:
        return True
    return queue.durable and message.decoded().delivery_mode == _PERSISTENT


def consumer_figures(queue: Queue) -> dict[str, Any]:
    """Return how ready the consumers of a queue are, and which is the single active one."""
    if queue.queue_type == STREAM:
        return {}
    consumers = queue.consumers
    is_ready = any(consumer.can_take() for consumer in consumers)
    readiness = float(is_ready) if len(consumers) else 0
    figures: dict[str, Any] = {
        "consumer_capacity": readiness,
        "consumer_utilisation": readiness,
    }
    if not queue.is_replicated:
        active = consumers.active if isinstance(consumers, SingleActiveConsumer) else None
        figures["single_active_consumer_tag"] = None if active is None else active.tag
    return figures
