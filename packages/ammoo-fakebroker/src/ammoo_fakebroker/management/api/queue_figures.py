"""The figures of a queue: its messages by place and kind, and how ready its consumers are.

They are those of the moment. RabbitMQ keeps some messages on disk only and measures consumers over
time; here all messages are in memory, and consumers can take a message now or cannot.
"""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from ...queues.consumers import SingleActiveConsumer
from ...rabbitmq.arguments import STREAM
from .connections import open_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...messages.message import Message, QueuedMessage
    from ...node.node import Node
    from ...queues.queue import Queue
    from ..releases import ApiRelease

__all__ = ["Held", "consumer_figures", "held_by_clients", "message_figures"]

Held = dict["Queue", list["QueuedMessage"]]
"""By queue, the messages that clients have and have not settled."""


def held_by_clients(node: Node) -> Held:
    """Return the messages that clients have and have not settled."""
    held: Held = {}
    for connection in open_in(node):
        for channel in connection.all_channels():
            for delivery in channel.unacked.values():
                held.setdefault(delivery.queue, []).append(delivery.queued)
    return held


def message_figures(
    queue: Queue, held: Sequence[QueuedMessage], release: ApiRelease
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
    unsettled = [queued.message for queued in sorted(held, key=attrgetter("position"))]
    every = [*unsettled, *ready]
    persistent = [message for message in every if _is_persistent(queue, message)]
    figures: dict[str, int | None] = {
        "message_bytes": _octets(every),
        "message_bytes_ready": _octets(ready),
        "message_bytes_unacknowledged": _octets(unsettled),
        "message_bytes_persistent": _octets(persistent),
        "messages_persistent": len(persistent),
    }
    if queue.is_replicated:
        return figures
    return figures | _places(ready, unsettled) | (_PAGED_OUT if release.pages_messages_out else {})


_PAGED_OUT: Final = {"messages_paged_out": 0, "message_bytes_paged_out": 0}


def _places(ready: Sequence[Message], unsettled: Sequence[Message]) -> dict[str, int | None]:
    """Return the figures of messages in memory, and the time of the oldest one.

    Args:
        ready: The messages that are ready, in the order of the queue.
        unsettled: Those that clients have, in the order of the queue.
    """
    times = (_timestamp(messages[0]) for messages in (unsettled, ready) if messages)
    return {
        "messages_ram": len(ready) + len(unsettled),
        "messages_ready_ram": len(ready),
        "messages_unacknowledged_ram": len(unsettled),
        "message_bytes_ram": _octets(ready) + _octets(unsettled),
        "head_message_timestamp": min((time for time in times if time is not None), default=None),
    }


def _timestamp(message: Message) -> int | None:
    """Return the property timestamp of a message, in seconds since 1970."""
    timestamp = message.decoded().timestamp
    return int(timestamp.timestamp()) if isinstance(timestamp, datetime) else timestamp


def _octets(messages: Iterable[Message]) -> int:
    return sum(len(message.body) for message in messages)


def _is_persistent(queue: Queue, message: Message) -> bool:
    """Return whether a message outlives a restart of the broker."""
    if queue.is_replicated:
        return True
    return queue.durable and message.parsed.is_persistent


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
