"""Which publish a returned message belongs to.

``basic.return`` names no publish. It holds the message itself, and comes before
the confirm of its publish; so it belongs to a publish of that very message that
has not been confirmed. Among byte for byte identical messages the first that is
confirmed afterwards gets it: the server confirms what it cannot route at once.
Nothing is written into the user's message to tell them apart.

This module keeps what is outstanding; it knows neither futures nor the wire.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from ammoo_wire import (
    ProtocolError,
    decode_properties,
    encode_properties,
    encode_table,
)

from ..messages import ReturnMessage

__all__ = ["AwaitedReturns"]

_HAS_HEADERS: Final = 0x20  # in the first octet of encoded properties
_DIRECT_REPLY_TO: Final = "amq.rabbitmq.reply-to"

_Key = tuple[str, str, bytes, bytes]  # exchange, routing key, properties in canonical form, body


class _Publish(NamedTuple):
    key: _Key
    raise_returned: bool


class _Publishes:
    """Unconfirmed publishes of one and the same message, and those that came back."""

    __slots__ = ("awaiting", "not_awaiting", "returned", "unmatched")

    def __init__(self) -> None:
        self.awaiting = 0  # those that want to know
        self.not_awaiting = 0
        self.returned: deque[ReturnMessage] = deque()  # of the awaiting
        self.unmatched = 0  # of the others


class AwaitedReturns:
    """The publishes of a channel that may come back, and who of them wants to know."""

    __slots__ = ("_by_number", "_publishes")

    def __init__(self) -> None:
        self._by_number: dict[int, _Publish] = {}
        self._publishes: dict[_Key, _Publishes] = {}

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
        """Note a publish that was sent as mandatory.

        Args:
            publish_sequence_number: Its number.
            exchange_name: Where it was sent.
            routing_key: By what it was to be routed.
            properties: Encoded.
            body: The octets.
            raise_returned: Whether its return is its own, and nobody else's.
        """
        key = (exchange_name, routing_key, _canonical(properties), bytes(body))
        self._by_number[publish_sequence_number] = _Publish(key, raise_returned)
        publishes = self._publishes.setdefault(key, _Publishes())
        if raise_returned:
            publishes.awaiting += 1
        else:
            publishes.not_awaiting += 1

    def returned(self, message: ReturnMessage, properties: bytes) -> bool:
        """Note a message that came back.

        Returns:
            Whether it belongs to a publish that wants to know.
        """
        key = (
            message.exchange_name,
            message.routing_key,
            _canonical(properties),
            bytes(message.body),
        )
        for publishes in self._candidates(key):
            if len(publishes.returned) < publishes.awaiting:
                publishes.returned.append(message)
                return True
            if publishes.unmatched < publishes.not_awaiting:
                publishes.unmatched += 1
                return False
        return False

    def settle(self, publish_sequence_number: int) -> ReturnMessage | None:
        """Give the message of a publish that is confirmed now, if it came back and it is its own."""
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
        if not (publishes.awaiting or publishes.not_awaiting):
            del self._publishes[publish.key]
        return message

    def _candidates(self, key: _Key) -> Iterator[_Publishes]:
        """Give the publishes of this message; then those that the server may have rewritten.

        RabbitMQ makes an address of a reply_to for direct replies, and interceptors add headers.
        """
        exact = self._publishes.get(key)
        if exact is not None:
            yield exact
        exchange_name, routing_key, properties, body = key
        for other, publishes in self._publishes.items():
            if (
                other != key
                and other[:2] == (exchange_name, routing_key)
                and other[3] == body
                and _may_have_become(other[2], properties)
            ):
                yield publishes


def _canonical(properties: bytes) -> bytes:
    """Give properties in a form that a server does not change on the way back.

    RabbitMQ takes the header BCC out, and version 4 sorts headers by their names.
    """
    if not properties[0] & _HAS_HEADERS:
        return properties
    try:
        decoded = decode_properties(properties)
    except ProtocolError:
        return properties  # whoever reads the message will be told
    headers = decoded.headers or {}
    kept = {name: headers[name] for name in sorted(headers) if name != "BCC"}
    return encode_properties(decoded._replace(headers=kept or None))


def _may_have_become(published: bytes, returned: bytes) -> bool:
    """Tell whether a server may have made one of the other, both in canonical form."""
    try:
        before, after = decode_properties(published), decode_properties(returned)
    except ProtocolError:
        return False
    headers = after.headers or {}
    if any(not _holds(headers, name, value) for name, value in (before.headers or {}).items()):
        return False
    expected = before._replace(headers=None)
    if before.reply_to == _DIRECT_REPLY_TO and (after.reply_to or "").startswith(_DIRECT_REPLY_TO):
        expected = expected._replace(reply_to=after.reply_to)
    return all(was is None or was == now for was, now in zip(expected, after, strict=True))


def _holds(headers: Mapping[str, Any], name: str, value: Any) -> bool:
    """Tell whether a header is there, by its octets: Python cannot compare what is nested deeply."""
    return name in headers and encode_table({name: headers[name]}) == encode_table({name: value})
