"""The properties of messages in the JSON of the API."""

from __future__ import annotations

from typing import Any

from ammoo_wire import BasicHeaderProperties, EncodeError, decode_properties, encode_properties

from ..refusals import bad_request

__all__ = ["from_json", "to_json"]

_NAMES = {field.rstrip("_"): field for field in BasicHeaderProperties._fields}
_NUMBERS = ("delivery_mode", "priority", "timestamp")


def from_json(properties: Any) -> bytes:
    """Encode the properties of a message; those that AMQP does not know are ignored.

    Raises:
        Refusal: 400, AMQP has no type for a value.
    """
    given = properties if isinstance(properties, dict) else {}
    known = {
        _NAMES[name]: value for name, value in given.items() if name in _NAMES and value is not None
    }
    for name in _NUMBERS:
        if name in known and not isinstance(known[name], int):
            raise bad_request(["not_int", name])
    try:
        return encode_properties(BasicHeaderProperties(**known))
    except EncodeError as error:
        raise bad_request(str(error)) from None


def to_json(properties: bytes) -> dict[str, Any] | list[Any]:
    """Decode the properties of a message; RabbitMQ writes none as an empty list."""
    decoded = decode_properties(properties)
    values = {name: getattr(decoded, field) for name, field in _NAMES.items()}
    return {name: value for name, value in values.items() if value is not None} or []
