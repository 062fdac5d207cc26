"""Which publish a returned message belongs to.

``basic.return`` names no publish. It holds the message itself, and comes before the confirm of
its publish. So it belongs to an unconfirmed publish of the same message. Among identical
messages, it belongs to the first that is confirmed afterwards, because the server confirms an
unroutable message at once. The client adds no identifier to the user's message.

Servers may change properties. The comparison ignores the changes that RabbitMQ is known to make
(`_canonical`). For other changes, a limited number of publishes with the same exchange, routing
key and body are compared. If none of them matches, the message belongs to the oldest, because the
server returns messages in order. A returned message therefore never counts as routed.

This module knows neither futures nor the wire.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from ammoo_wire import (
    ProtocolError,
    decode_properties,
    encode_properties,
    encode_table,
)

from ..messages import ReturnMessage

__all__ = ["RETURNED_MESSAGES", "RETURNED_OCTETS", "AwaitedReturns", "ReturnedMessages"]

RETURNED_MESSAGES: Final = 1000
"""How many returned messages are kept for the program to fetch; older ones are dropped."""
RETURNED_OCTETS: Final = 16 * 1024 * 1024
"""How many octets of their bodies are kept."""

_MAY_CHANGE: Final = 0x20 | 0x02 | 0x01  # headers, reply_to, expiration: flags in the first octet
_DIRECT_REPLY_TO: Final = "amq.rabbitmq.reply-to"
_MOST_COMPARED: Final = 16
"""How many publishes are compared with a message that was rewritten in an unknown way."""

_Place = tuple[str, str, bytes]  # exchange, routing key, body
_Key = tuple[str, str, bytes, bytes]  # exchange, routing key, properties in canonical form, body


class _Publish(NamedTuple):
    key: _Key
    raise_returned: bool


class _Publishes:
    """Unconfirmed publishes of identical messages, and their returns."""

    __slots__ = ("awaiting", "not_awaiting", "returned", "unmatched")

    def __init__(self) -> None:
        self.awaiting = 0  # those of raise_returned
        self.not_awaiting = 0
        self.returned: deque[ReturnMessage] = deque()  # of the awaiting
        self.unmatched = 0  # of the others

    @property
    def may_come_back(self) -> bool:
        """Whether a further one of them may be returned."""
        return len(self.returned) < self.awaiting or self.unmatched < self.not_awaiting

    def take(self, message: ReturnMessage) -> bool:
        """Record a return; return whether it belongs to a publish that awaits it."""
        if len(self.returned) < self.awaiting:
            self.returned.append(message)
            return True
        self.unmatched += 1
        return False


class AwaitedReturns:
    """The publishes of a channel that the server may return."""

    __slots__ = ("_by_number", "_by_place", "_publishes")

    def __init__(self) -> None:
        self._by_number: dict[int, _Publish] = {}
        self._publishes: dict[_Key, _Publishes] = {}
        # Those of `_publishes` that the server may still return, the oldest first; never empty.
        self._by_place: dict[_Place, OrderedDict[_Key, _Publishes]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_number)

    def add(
        self,
        publish_sequence_number: int,
        exchange_name: str,
        routing_key: str,
        properties: bytes,
        body: bytes | bytearray,
        *,
        raise_returned: bool,
    ) -> None:
        """Record a publish that was sent as mandatory or immediate.

        Args:
            publish_sequence_number: Its number.
            exchange_name: The exchange.
            routing_key: The routing key.
            properties: The properties, encoded.
            body: The octets.
            raise_returned: Whether the publish awaits its return.
        """
        key = (exchange_name, routing_key, _canonical(properties), bytes(body))
        self._by_number[publish_sequence_number] = _Publish(key, raise_returned)
        publishes = self._publishes.setdefault(key, _Publishes())
        if raise_returned:
            publishes.awaiting += 1
        else:
            publishes.not_awaiting += 1
        self._by_place.setdefault(_place(key), OrderedDict()).setdefault(key, publishes)

    def returned(self, message: ReturnMessage, properties: bytes) -> bool:
        """Record a returned message.

        Returns:
            Whether it belongs to a publish that awaits its return.
        """
        key = (
            message.exchange_name,
            message.routing_key,
            _canonical(properties),
            bytes(message.body),
        )
        publishes = self._publishes.get(key)
        if publishes is None or not publishes.may_come_back:
            key, publishes = self._most_like(key)
        if publishes is None:
            return False
        is_awaited = publishes.take(message)
        self._forget_if_settled(key, publishes)
        return is_awaited

    def settle(self, publish_sequence_number: int) -> ReturnMessage | None:
        """Remove a publish that is confirmed, and return its returned message.

        Returns:
            The message; None if it was not returned, or the publish does not await that.
        """
        publish = self._by_number.pop(publish_sequence_number, None)
        if publish is None:
            return None
        publishes, message = self._publishes[publish.key], None
        if publish.raise_returned:
            publishes.awaiting -= 1
            if publishes.returned:
                message = publishes.returned.popleft()
        else:
            publishes.not_awaiting -= 1
            publishes.unmatched = max(0, publishes.unmatched - 1)
        self._forget_if_settled(publish.key, publishes)
        return message

    def _most_like(self, key: _Key) -> tuple[_Key, _Publishes | None]:
        """Return the publishes whose properties the server has most likely changed to these."""
        alike = self._by_place.get(_place(key))
        if alike is None:
            return key, None
        for other, publishes in islice(alike.items(), _MOST_COMPARED):
            if _may_have_become(other[2], key[2]):
                return other, publishes
        return next(iter(alike.items()))

    def _forget_if_settled(self, key: _Key, publishes: _Publishes) -> None:
        """Remove publishes from the indexes if none of them can be returned or settled."""
        if not publishes.may_come_back:
            place = _place(key)
            alike = self._by_place.get(place)
            if alike is not None:
                alike.pop(key, None)
                if not alike:
                    del self._by_place[place]
        if not (publishes.awaiting or publishes.not_awaiting):
            del self._publishes[key]


class ReturnedMessages:
    """The latest returned messages that belong to no publish, for the program to fetch.

    Attributes:
        dropped: How many were dropped because the program did not fetch them.
    """

    __slots__ = ("_messages", "_octets", "dropped")

    def __init__(self) -> None:
        self._messages: deque[ReturnMessage] = deque()
        self._octets = 0
        self.dropped: int = 0

    def __len__(self) -> int:
        return len(self._messages)

    def append(self, message: ReturnMessage) -> None:
        """Add a message; if there are too many, drop the oldest ones, but never this one."""
        self._messages.append(message)
        self._octets += len(message.body)
        while len(self._messages) > RETURNED_MESSAGES or (
            self._octets > RETURNED_OCTETS and len(self._messages) > 1
        ):
            self.popleft()
            self.dropped += 1

    def popleft(self) -> ReturnMessage:
        """Remove and return the oldest message."""
        message = self._messages.popleft()
        self._octets -= len(message.body)
        return message


def _place(key: _Key) -> _Place:
    exchange_name, routing_key, _, body = key
    return exchange_name, routing_key, body


def _canonical(properties: bytes) -> bytes:
    """Return properties in a form that a server does not change on the way back.

    RabbitMQ takes the header BCC out and makes an address of a reply_to for direct replies.
    Version 4 sorts headers by their names, and writes an expiration of 0100 or +100 as 100.
    """
    if not properties[0] & _MAY_CHANGE:
        return properties
    try:
        decoded = decode_properties(properties)
    except ProtocolError:
        return properties  # reading the message raises this error
    headers = decoded.headers or {}
    kept = {name: headers[name] for name in sorted(headers) if name != "BCC"}
    expiration, reply_to = decoded.expiration, decoded.reply_to
    if expiration is not None:
        expiration = _without_zeros(expiration)
    if reply_to is not None and reply_to.startswith(_DIRECT_REPLY_TO):
        reply_to = _DIRECT_REPLY_TO
    return encode_properties(
        decoded._replace(headers=kept or None, expiration=expiration, reply_to=reply_to)
    )


def _without_zeros(number: str) -> str:
    """Return a number as its shortest digits; anything else as it is."""
    digits = number[1:] if number[:1] in ("+", "-") else number
    return str(int(number)) if digits.isascii() and digits.isdecimal() else number


def _may_have_become(published: bytes, returned: bytes) -> bool:
    """Return whether a server may have changed one to the other, both in canonical form."""
    try:
        before, after = decode_properties(published), decode_properties(returned)
    except ProtocolError:
        return False
    headers = after.headers or {}
    if any(not _holds(headers, name, value) for name, value in (before.headers or {}).items()):
        return False
    expected = before._replace(headers=None)
    return all(was is None or was == now for was, now in zip(expected, after, strict=True))


def _holds(headers: Mapping[str, Any], name: str, value: Any) -> bool:
    """Return whether headers hold a value; its octets count: Python cannot compare deep nesting."""
    return name in headers and encode_table({name: headers[name]}) == encode_table({name: value})
