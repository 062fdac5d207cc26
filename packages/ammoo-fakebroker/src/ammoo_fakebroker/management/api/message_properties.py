"""The properties of messages in the JSON of the API."""

from __future__ import annotations

from typing import Any, Final

from ammoo_wire import BasicHeaderProperties, EncodeError, decode_properties, encode_properties

from ..json_bodies import read_table
from ..refusals import bad_request

__all__ = ["from_json", "to_json"]

_NAMES = {field.rstrip("_"): field for field in BasicHeaderProperties._fields}
_NUMBERS: Final = ("delivery_mode", "priority", "timestamp")
_TEXTS: Final = _NAMES.keys() - {*_NUMBERS, "headers"}


def from_json(properties: Any) -> bytes:
    """Encode the properties of a message; those that AMQP does not know are ignored.

    Raises:
        Refusal: 400, a value has another type than AMQP has for it.
    """
    if not isinstance(properties, dict):
        raise bad_request(["not_object", "properties"])
    known = {_NAMES[name]: value for name, value in properties.items() if name in _NAMES}
    for name, value in properties.items():
        if name in _NUMBERS and not isinstance(value, int):
            raise bad_request(["not_int", name])
        if name in _TEXTS and not isinstance(value, str):
            raise bad_request(["not_string", name])
    if "headers" in known:
        known["headers"] = read_table(known, "headers")
    try:
        return encode_properties(BasicHeaderProperties(**known))
    except EncodeError as error:
        raise bad_request(str(error)) from None


def to_json(properties: bytes) -> dict[str, Any] | list[Any]:
    """Decode the properties of a message; RabbitMQ writes none as an empty list."""
    decoded = decode_properties(properties)
    values = {name: getattr(decoded, field) for name, field in _NAMES.items()}
    return {name: value for name, value in values.items() if value is not None} or []
