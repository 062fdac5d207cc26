"""Counts of what has happened to a queue, to an exchange, on a channel or in a virtual host.

The names are those that RabbitMQ has for them in ``message_stats``. A group of names is shown as a
whole once one of them has been counted, and not before.
See https://www.rabbitmq.com/docs/http-api-reference
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "CHANNEL_GROUPS",
    "CHURN",
    "DISK",
    "EXCHANGE_GROUPS",
    "QUEUE_GROUPS",
    "Counts",
    "VirtualHostCounts",
    "shown_counts",
]

_PUBLISHES = ("confirm", "drop_unroutable", "publish", "return_unroutable")
_DELIVERIES = (
    "ack",
    "deliver",
    "deliver_get",
    "deliver_no_ack",
    "get",
    "get_empty",
    "get_no_ack",
    "redeliver",
)
CHURN: Final = (
    "channel_closed",
    "channel_created",
    "connection_closed",
    "connection_created",
    "queue_created",
    "queue_declared",
    "queue_deleted",
)
"""What is counted of connections, channels and queues that come and go."""
DISK: Final = ("disk_reads", "disk_writes")
"""What RabbitMQ counts of its files; there is no file here, so both are 0."""

CHANNEL_GROUPS: Final = (_PUBLISHES, _DELIVERIES)
"""What is shown of a channel, of a virtual host, and of the broker."""
QUEUE_GROUPS: Final = (("publish",), _DELIVERIES)
"""What is shown of a queue."""
EXCHANGE_GROUPS: Final = (("publish_in",), ("publish_out",))
"""What is shown of an exchange."""


class Counts(Counter[str]):
    """Counts by name.

    Attributes:
        active_at: The time of the last activity, in seconds since 1970.
    """

    active_at: float = 0.0


class VirtualHostCounts:
    """What is counted in a virtual host.

    Attributes:
        total: The counts of all channels that are or were open in it.
        queues, exchanges: The counts of those that exist, by name.
        received_octets, sent_octets: The octets of connections that are closed.
        had_connections: Whether a connection was ever open.
    """

    def __init__(self) -> None:
        self.total: Counts = Counts()
        self.queues: dict[str, Counts] = {}
        self.exchanges: dict[str, Counts] = {}
        self.received_octets: int = 0
        self.sent_octets: int = 0
        self.had_connections: bool = False


def shown_counts(counts: Mapping[str, int], groups: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """Return the groups of counts of which one has been counted; empty if none has."""
    return {
        name: counts.get(name, 0)
        for group in groups
        if any(name in counts for name in group)
        for name in group
    }
