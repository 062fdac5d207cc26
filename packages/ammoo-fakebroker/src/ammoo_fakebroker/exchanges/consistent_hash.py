"""The consistent hash exchange: a hash of the message chooses one of the destinations.

RabbitMQ has this type in the plugin rabbitmq_consistent_hash_exchange. A binding key is a weight: the
number of places of the destination on a ring. The hash is RabbitMQ's, so each message goes to the same
queue as in RabbitMQ. See https://www.rabbitmq.com/docs/plugins#tier1-plugins
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from ..messages.message import Message
from ..rabbitmq import errors
from ..rabbitmq.erlang_hash import Atom, Term, phash2, uniform_numbers
from ..rabbitmq.erlang_terms import print_binary, print_term, type_name
from .exchange import Binding, Destination, Exchange, FindType

__all__ = ["ConsistentHashExchange"]

_PROPERTIES: Final = ("correlation_id", "message_id", "timestamp")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_UNDEFINED: Final = Atom("undefined")


class ConsistentHashExchange(Exchange):
    """Routes to one destination, which a hash of the routing key, a header or a property chooses.

    Args:
        name: Its name.
        most_weight: The highest weight of a binding; None for no limit.
        hashes_types: Whether the type of a header is hashed with its value.
        options: The flags and arguments that `Exchange` takes.
    """

    type = "x-consistent-hash"
    description = "Consistent Hashing Exchange"

    def __init__(
        self,
        name: str,
        *,
        most_weight: int | None = None,
        hashes_types: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(name, **options)
        self._most_weight = most_weight
        self._hashes_types = hashes_types
        self._header: str | None = self.arguments.get("hash-header")
        self._property: str | None = self.arguments.get("hash-property")
        self.routes_by_key_only: bool = self._header is None and self._property is None
        self._ring: list[Binding] = []

    @classmethod
    def validate_arguments(cls, arguments: Mapping[str, Any], find_type: FindType) -> None:
        header, property_name = arguments.get("hash-header"), arguments.get("hash-property")
        if any(not isinstance(each, str | None) for each in (header, property_name)):
            raise errors.internal_error()
        if header is not None and property_name is not None:
            raise errors.two_hash_arguments()
        if property_name is not None and property_name not in _PROPERTIES:
            raise errors.unsupported_hash_property(property_name)

    def validate_binding(
        self, destination: Destination, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        if not _INTEGER.fullmatch(routing_key):
            raise errors.weight_is_no_integer(print_binary(routing_key))
        weight = int(routing_key)
        if weight < 1:
            raise errors.weight_too_low()
        if self._most_weight is not None and weight > self._most_weight:
            raise errors.weight_too_high(self._most_weight)

    def add_binding(self, binding: Binding) -> None:
        super().add_binding(binding)
        if all(each.destination is not binding.destination for each in self._ring):
            self._ring += [binding] * int(binding.routing_key)

    def remove_binding(self, binding: Binding) -> None:
        super().remove_binding(binding)
        # As in RabbitMQ, the destination loses all its places, even if it has another binding.
        self._ring = [each for each in self._ring if each.destination is not binding.destination]

    def matching(self, message: Message) -> Iterable[Binding]:
        if not self._ring:
            return ()
        return (self._ring[_choose(self._key_of(message), len(self._ring))],)

    def _key_of(self, message: Message) -> Term:
        """Return the term that RabbitMQ hashes for a message."""
        if self._header is not None:
            if self._header not in message.headers:
                return _UNDEFINED
            value = message.headers[self._header]
            return _typed_term(value) if self._hashes_types else _term(value)
        if self._property is not None:
            return _property_term(getattr(message.decoded(), self._property))
        return message.routing_key.encode(errors="surrogateescape")


def _choose(key: Term, count: int) -> int:
    """Choose a place on a ring (jump consistent hash)."""
    if count == 1:
        return 0
    numbers = uniform_numbers(key if isinstance(key, int) else phash2(key))
    place, following = -1, 0
    while following < count:
        place = following
        following = int((place + 1) / next(numbers))
    return place


def _property_term(value: str | datetime | None) -> Term:
    if value is None:
        return _UNDEFINED
    text = str(int(value.timestamp())) if isinstance(value, datetime) else value
    return text.encode(errors="surrogateescape")


def _typed_term(value: Any) -> Term:
    """Return the pair of type and value that RabbitMQ 3.10 hashes."""
    kind = Atom(type_name(value))
    if isinstance(value, datetime):
        return kind, int(value.timestamp())
    return kind, _term(value)


def _term(value: Any) -> Term:
    """Return the term that a header is in RabbitMQ."""
    if value is None:
        return _UNDEFINED
    if isinstance(value, bool):
        return Atom("true" if value else "false")
    if isinstance(value, datetime):
        return int(value.timestamp()) * 1000
    if isinstance(value, int | float):
        return value
    if isinstance(value, Decimal):
        exponent = -int(value.as_tuple().exponent)
        return exponent, int(value.scaleb(exponent))
    if isinstance(value, str):
        return value.encode(errors="surrogateescape")
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    return print_term(value).encode(
        errors="surrogateescape"
    )  # a table or an array: not RabbitMQ's hash
