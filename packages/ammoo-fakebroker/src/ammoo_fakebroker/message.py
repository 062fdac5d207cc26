"""Messages as the broker holds them.

A `Message` is what was published; all queues that it was routed to share it.
A `QueuedMessage` is its place in one of them.

Properties stay the octets that the publisher sent: they go out again untouched, whatever types
their headers had. What the broker itself needs to know of them is read once, by
`PropertyFacts.of`, and remembered for properties that come again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ammoo_wire import (
    BasicHeaderProperties,
    ProtocolError,
    decode_properties,
    encode_properties,
)

from . import errors
from .arguments import parse_expiration
from .terms import type_name

__all__ = ["Message", "PropertyFacts", "QueuedMessage"]

_NO_PROPERTIES = b"\x00\x00"
_MEMO_LIMIT = 1024
_MEMO_MAX_OCTETS = 256


class PropertyFacts(NamedTuple):
    """What the broker reads from a message's properties."""

    expiration: int | None = None
    """Milliseconds to live."""
    priority: int = 0
    user_id: str | None = None
    reply_to: str | None = None
    carbon_copies: tuple[str, ...] = ()
    """Routing keys from the CC header."""
    blind_carbon_copies: tuple[str, ...] = ()
    """Routing keys from the BCC header."""
    has_blind_carbon_copies: bool = False
    """Whether there is a BCC header, which nobody may see, be it empty."""
    faults: tuple[ProtocolError, ...] = ()
    """What RabbitMQ refuses of them, in the order in which it looks."""

    @classmethod
    def of(cls, properties: bytes) -> PropertyFacts:
        """Read encoded properties.

        Raises:
            ProtocolError: They cannot be decoded.
        """
        # 0.1 µs for what was seen before against 1.5 for a fresh reading: publishers repeat
        # themselves. The memo is bounded in number and size, for its keys are the peer's.
        facts = _memo.get(properties)
        if facts is None:
            facts = _read_facts(decode_properties(properties))
            if len(properties) <= _MEMO_MAX_OCTETS and not facts.faults:
                if len(_memo) >= _MEMO_LIMIT:
                    _memo.clear()
                _memo[properties] = facts
        return facts


_memo: dict[bytes, PropertyFacts] = {_NO_PROPERTIES: PropertyFacts()}


def _read_facts(properties: BasicHeaderProperties) -> PropertyFacts:
    headers = properties.headers or {}
    faults: list[ProtocolError] = []
    expiration = None
    if properties.expiration is not None:
        try:
            expiration = parse_expiration(properties.expiration)
        except ProtocolError as error:
            faults.append(error)
    return PropertyFacts(
        expiration=expiration,
        priority=properties.priority or 0,
        user_id=properties.user_id,
        reply_to=properties.reply_to,
        carbon_copies=_routing_keys(headers, "CC", faults),
        blind_carbon_copies=_routing_keys(headers, "BCC", faults),
        has_blind_carbon_copies="BCC" in headers,
        faults=tuple(faults),
    )


def _routing_keys(
    headers: Mapping[str, Any], header: str, faults: list[ProtocolError]
) -> tuple[str, ...]:
    """Read the additional routing keys in a CC or BCC header; what is no string is ignored."""
    if header not in headers:
        return ()
    value = headers[header]
    if not isinstance(value, list):
        faults.append(errors.unacceptable_header_type(header, type_name(value)))
        return ()
    return tuple(key for key in value if isinstance(key, str))


class Message:
    """A published message.

    Attributes:
        exchange_name: Where it was published to.
        routing_key: What it was published with; deliveries show this one.
        properties: Encoded, as consumers get them.
        body: The octets.
        facts: What the broker needs to know of the properties.
        has_died: Whether it was dead-lettered here before.
    """

    __slots__ = (
        "_headers",
        "body",
        "exchange_name",
        "facts",
        "has_died",
        "properties",
        "routing_key",
    )

    def __init__(
        self,
        exchange_name: str,
        routing_key: str,
        properties: bytes,
        body: bytes | bytearray,
        facts: PropertyFacts,
    ) -> None:
        self.exchange_name = exchange_name
        self.routing_key = routing_key
        self.properties = properties
        self.body = body
        self.facts = facts
        self.has_died = False
        self._headers: Mapping[str, Any] | None = None

    @property
    def routing_keys(self) -> tuple[str, ...]:
        """All keys that the message is routed by."""
        facts = self.facts
        if facts.carbon_copies or facts.blind_carbon_copies:
            return (self.routing_key, *facts.carbon_copies, *facts.blind_carbon_copies)
        return (self.routing_key,)

    @property
    def headers(self) -> Mapping[str, Any]:
        """The decoded headers, for exchanges that route by them."""
        if self._headers is None:
            self._headers = self.decoded().headers or {}
        return self._headers

    def decoded(self) -> BasicHeaderProperties:
        """Decode the properties."""
        return decode_properties(self.properties)


def without_blind_carbon_copies(properties: bytes) -> bytes:
    """Take the BCC header out of encoded properties."""
    decoded = decode_properties(properties)
    headers = {name: value for name, value in (decoded.headers or {}).items() if name != "BCC"}
    return encode_properties(decoded._replace(headers=headers))


def with_header(properties: bytes, name: str, value: Any) -> bytes:
    """Set one header in encoded properties."""
    decoded = decode_properties(properties)
    return encode_properties(decoded._replace(headers={**(decoded.headers or {}), name: value}))


class QueuedMessage:
    """A message in a queue, or on its way between the queue and an acknowledgement.

    Attributes:
        message: What was published.
        position: Its place in the queue's order; requeueing brings it back there.
        deadline: When it expires, on the broker's clock.
        redelivered: Whether it was delivered before, to anybody.
        delivery_count: How often it came back unacknowledged (quorum queues count).
    """

    __slots__ = ("deadline", "delivery_count", "message", "position", "redelivered")

    def __init__(self, message: Message, position: int, deadline: float | None) -> None:
        self.message = message
        self.position = position
        self.deadline = deadline
        self.redelivered = False
        self.delivery_count = 0
