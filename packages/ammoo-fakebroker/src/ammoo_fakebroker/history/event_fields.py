"""The attributes of an event, which queries compare and texts show.

The recorder keeps rows, which cost little to write, and makes an event of a row when a caller needs
one. An event shares the body and the properties with the message, and references no connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ammoo_wire import BasicHeaderProperties

if TYPE_CHECKING:
    from ..messages.message import Message

__all__ = ["KINDS", "NO_CLIENT", "EventFields", "Identity", "Row"]

KINDS: Final = (
    "published",
    "routed",
    "delayed",
    "unroutable",
    "returned",
    "confirmed",
    "nacked",
    "delivered",
    "got",
    "acknowledged",
    "rejected",
    "requeued",
    "expired",
    "dead_lettered",
    "dropped",
    "purged",
    "restored",
    "queue_declared",
    "queue_deleted",
    "exchange_declared",
    "exchange_deleted",
    "bound",
    "unbound",
    "consumer_started",
    "consumer_cancelled",
    "channel_opened",
    "channel_closed",
    "connection_opened",
    "connection_closed",
    "connection_blocked",
    "connection_unblocked",
    "fault_struck",
)
"""All kinds of events."""


class Identity(NamedTuple):
    """The connection that an event belongs to, by its names."""

    name: str
    """The ``connection_name`` that the client has given; without one, as `peer_name`."""
    peer_name: str
    """The name that RabbitMQ gives to the connection: both its addresses."""
    user: str | None = None
    virtualhost: str | None = None


NO_CLIENT: Final = Identity("", "")
"""The identity for the broker itself and for the test, which have no connection."""


class Row(NamedTuple):
    """The data that the recorder keeps of an event; it writes rows as plain tuples in this order."""

    kind: str
    time: float
    message: Message | None
    identity: Identity
    channel_number: int
    details: Mapping[str, Any]


class EventFields:
    """The attributes of an event; `Event` documents each."""

    def __init__(self, number: int, row: Row) -> None:
        kind, time, message, identity, channel_number, details = row
        self.number: int = number
        self.kind: str = kind
        self.time: float = time
        self.connection: str | None = identity.name or None
        self.peer_name: str | None = identity.peer_name or None
        self.user: str | None = identity.user
        self.virtualhost: str | None = details.get("virtualhost", identity.virtualhost)
        self.channel_number: int | None = channel_number or None
        self.message_number: int | None = None if message is None else message.number or None
        self.exchange_name: str | None = details.get(
            "exchange_name", None if message is None else message.exchange_name
        )
        self.routing_key: str | None = details.get(
            "routing_key", None if message is None else message.routing_key
        )
        self.queue_name: str | None = details.get("queue_name")
        self.queue_names: tuple[str, ...] | None = details.get("queue_names")
        self.consumer_tag: str | None = details.get("consumer_tag")
        self.delivery_tag: int | None = details.get("delivery_tag")
        self.redelivered: bool | None = details.get("redelivered")
        self.reason: str | None = details.get("reason")
        self.by: str | None = details.get("by")
        self.code: int | None = details.get("code")
        self.text: str | None = details.get("text")
        self.fault: str | None = details.get("fault")
        self.details: Mapping[str, Any] = details
        self._message = message

    @property
    def body(self) -> bytes | None:
        """The body of the message; None if the event is not about a message."""
        return None if self._message is None else bytes(self._message.body)

    @property
    def body_size(self) -> int | None:
        """The size of the body in octets."""
        return None if self._message is None else len(self._message.body)

    def body_start(self, size: int) -> bytes:
        """Return the first octets of the body, without copying the others.

        Args:
            size: How many octets to return at most.
        """
        return b"" if self._message is None else bytes(self._message.body[:size])

    @cached_property
    def properties(self) -> BasicHeaderProperties:
        """The properties of the message; all are None if the event is not about a message."""
        return BasicHeaderProperties() if self._message is None else self._message.decoded()

    @property
    def headers(self) -> Mapping[str, Any]:
        """The headers of the message; empty if it has none."""
        return self.properties.headers or {}
