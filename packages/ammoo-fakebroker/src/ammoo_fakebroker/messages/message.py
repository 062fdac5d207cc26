"""Messages as the broker stores them.

A `Message` was published; all queues that it was routed to share it.
A `QueuedMessage` is a message in one queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ammoo_wire import BasicHeaderProperties, decode_properties

from .headers import with_headers
from .properties import ParsedProperties

__all__ = ["MESSAGE_SIZE", "DeadMessage", "Message", "QueuedMessage"]

MESSAGE_SIZE = 512
"""About how much memory a message takes in a queue beside its body, in octets."""


class Message:
    """A published message.

    Attributes:
        exchange_name: The exchange that it was published to.
        routing_key: The routing key that it was published with, and is delivered with.
        properties: The encoded properties, as consumers get them.
        body: The body.
        parsed: What the broker needs of the properties, and the deaths of the message.
        number: The number of the message in the history; copies have the same number. 0 if history
            is off.
    """

    __slots__ = (
        "_headers",
        "body",
        "exchange_name",
        "number",
        "parsed",
        "properties",
        "routing_key",
    )

    def __init__(
        self,
        exchange_name: str,
        routing_key: str,
        properties: bytes,
        body: bytes | bytearray,
        parsed: ParsedProperties,
    ) -> None:
        self.exchange_name: str = exchange_name
        self.routing_key: str = routing_key
        self.properties: bytes = properties
        self.body: bytes | bytearray = body
        self.parsed: ParsedProperties = parsed
        self.number: int = 0
        self._headers: Mapping[str, Any] | None = None

    @property
    def routing_keys(self) -> tuple[str, ...]:
        """The routing key, and those in the headers CC and BCC."""
        parsed = self.parsed
        if parsed.carbon_copies or parsed.blind_carbon_copies:
            return (self.routing_key, *parsed.carbon_copies, *parsed.blind_carbon_copies)
        return (self.routing_key,)

    @property
    def own_properties(self) -> bytes:
        """The encoded properties without the counts that a queue has added for its consumers."""
        history = self.parsed.history
        return self.parsed.outgoing if history is None else history.encoded()

    @property
    def headers(self) -> Mapping[str, Any]:
        """The decoded headers, for exchanges that route by them."""
        if self._headers is None:
            self._headers = self.decoded().headers or {}
        return self._headers

    def decoded(self) -> BasicHeaderProperties:
        """Decode the properties."""
        return decode_properties(self.properties)

    def own_decoded(self) -> BasicHeaderProperties:
        """Decode the properties without the counts that a queue has added for its consumers."""
        return decode_properties(self.own_properties)

    def with_properties(self, properties: bytes) -> Message:
        """Return a copy with other properties for consumers."""
        copy = Message(self.exchange_name, self.routing_key, properties, self.body, self.parsed)
        copy.number = self.number
        return copy

    def with_header(self, name: str, value: Any) -> Message:
        """Return a copy with another value of a header, which later queues and dead letters keep."""
        history = self.parsed.history
        properties = self.decoded() if history is None else history.properties
        headers = {**(properties.headers or {}), name: value}
        octets = with_headers(properties, headers)
        if history is not None:
            history = history.with_properties(properties._replace(headers=headers))
            octets = history.encoded()
        return self.with_parsed(
            self.parsed._replace(outgoing=octets, history=history)
        ).with_properties(octets)

    def shown_as(self, properties: bytes) -> Message:
        """Return a copy with other properties for consumers, which is routed by the same headers."""
        copy = self.with_properties(properties)
        copy._headers = self.headers
        return copy

    def without_counts(self) -> Message:
        """Return the message without the counts that a queue has added for its consumers."""
        return self.with_properties(self.own_properties)

    def with_parsed(self, parsed: ParsedProperties) -> Message:
        """Return a copy with other parsed properties."""
        copy = Message(self.exchange_name, self.routing_key, self.properties, self.body, parsed)
        copy.number = self.number
        return copy

    def unnumbered(self) -> Message:
        """Return a copy that no history has numbered."""
        copy = self.with_parsed(self.parsed)
        copy.number, copy._headers = 0, self._headers
        return copy


class DeadMessage(Message):
    """A dead letter, which encodes its properties only when they are read.

    Otherwise each queue would encode all deaths of a message that dies in thousands of queues in a
    row.
    """

    __slots__ = ()

    def __init__(
        self,
        exchange_name: str,
        routing_key: str,
        body: bytes | bytearray,
        parsed: ParsedProperties,
    ) -> None:
        self.exchange_name = exchange_name
        self.routing_key = routing_key
        self.body = body
        self.parsed = parsed
        self.number = 0
        self._headers = None

    @property
    def properties(self) -> bytes:  # type: ignore[override]  # read-only here
        """The encoded properties, with the header x-death."""
        return self.own_properties

    def without_counts(self) -> Message:
        return self

    def with_parsed(self, parsed: ParsedProperties) -> Message:
        copy = DeadMessage(self.exchange_name, self.routing_key, self.body, parsed)
        copy.number = self.number
        return copy


class QueuedMessage:
    """A message in a queue: ready, or delivered and not settled.

    Attributes:
        message: The message.
        position: Its place in the order of the queue; a requeued message returns to its place.
        deadline: The time at which it expires, on the broker's clock; None if it does not expire.
        redelivered: Whether it was delivered before, to any consumer.
        delivery_count: How often it was delivered without success, as its queue counts.
    """

    __slots__ = ("deadline", "delivery_count", "message", "position", "redelivered")

    def __init__(self, message: Message, position: int, deadline: float | None) -> None:
        self.message: Message = message
        self.position: int = position
        self.deadline: float | None = deadline
        self.redelivered: bool = False
        self.delivery_count: int = 0
