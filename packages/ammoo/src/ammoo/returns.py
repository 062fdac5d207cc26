"""Which publish a returned message belongs to.

``basic.return`` names no publish. It holds the message itself, and comes before
the confirm of its publish; so it belongs to a publish of that very message that
has not been confirmed. Among byte for byte identical messages the first that is
confirmed afterwards gets it: the server confirms what it cannot route at once.
Nothing is written into the user's message to tell them apart.

This module keeps what is outstanding; it knows neither futures nor the wire.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from ammoo_wire import decode_properties, encode_properties

from .messages import ReturnMessage

__all__ = ["AwaitedReturns"]

_HAS_HEADERS: Final = 0x20  # a flag in the first octet of encoded properties (section 4.2.6.1)

_Key = tuple[str, str, bytes, bytes]  # exchange, routing key, properties in canonical form, body


class _Publishes:
    """Unconfirmed publishes of one and the same message, and those that came back."""

    __slots__ = ("outstanding", "returned")

    def __init__(self) -> None:
        self.outstanding = 0
        self.returned: deque[ReturnMessage] = deque()


class AwaitedReturns:
    """The publishes of a channel that want to know whether they were returned."""

    __slots__ = ("_keys", "_publishes")

    def __init__(self) -> None:
        self._keys: dict[int, _Key] = {}
        self._publishes: dict[_Key, _Publishes] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def add(
        self,
        publish_sequence_number: int,
        exchange_name: str,
        routing_key: str,
        properties: bytes,
        body: bytes | bytearray,
    ) -> None:
        """Note a publish that was sent."""
        key = (exchange_name, routing_key, _canonical(properties), bytes(body))
        self._keys[publish_sequence_number] = key
        self._publishes.setdefault(key, _Publishes()).outstanding += 1

    def returned(self, message: ReturnMessage, properties: bytes) -> bool:
        """Note a message that came back.

        Returns:
            Whether it belongs to one of the publishes here.
        """
        key = (
            message.exchange_name,
            message.routing_key,
            _canonical(properties),
            bytes(message.body),
        )
        for publishes in self._candidates(key):
            if len(publishes.returned) < publishes.outstanding:
                publishes.returned.append(message)
                return True
        return False

    def settle(self, publish_sequence_number: int) -> ReturnMessage | None:
        """Give the message of a publish that is confirmed now, if it came back."""
        key = self._keys.pop(publish_sequence_number, None)
        if key is None:
            return None
        publishes = self._publishes[key]
        publishes.outstanding -= 1
        message = publishes.returned.popleft() if publishes.returned else None
        if not publishes.outstanding:
            del self._publishes[key]
        return message

    def _candidates(self, key: _Key) -> Iterator[_Publishes]:
        """Give the publishes of this message; then those that the server may have rewritten.

        RabbitMQ makes an address of a reply_to for direct replies, for one.
        """
        exact = self._publishes.get(key)
        if exact is not None:
            yield exact
        exchange_name, routing_key, _, body = key
        for other, publishes in self._publishes.items():
            if other[:2] == (exchange_name, routing_key) and other[3] == body:
                yield publishes


def _canonical(properties: bytes) -> bytes:
    """Give properties in a form that a server does not change on the way back.

    RabbitMQ takes the header BCC out, and version 4 sorts headers by their names.
    """
    if not properties[0] & _HAS_HEADERS:
        return properties
    decoded = decode_properties(properties)
    headers = decoded.headers or {}
    kept = {name: headers[name] for name in sorted(headers) if name != "BCC"}
    return encode_properties(decoded._replace(headers=kept or None))
