"""The properties that a message keeps in a stream.

Streams store AMQP 1.0. The published properties are converted to AMQP 1.0 and back, type by type, and
those that AMQP 1.0 has no place for are lost.
See https://www.rabbitmq.com/docs/conversions
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ammoo_wire import BasicHeaderProperties, EncodedValue, Timestamp

__all__ = ["NotConvertible", "stored_properties"]

_TYPE_HEADER = "x-basic-type"

# The conversion uses these names itself, and drops headers of these names.
_INTERNAL_HEADERS = frozenset({"x-death", "x-exchange", "x-opt-deaths", "x-routing-key"})
_INTERNAL_PREFIX = "x-basic-"


class NotConvertible(ValueError):
    """A header is of a type that AMQP 1.0 does not have; RabbitMQ's conversion crashes."""


def stored_properties(
    properties: BasicHeaderProperties, *, has_annotations: bool, keeps_deaths: bool
) -> BasicHeaderProperties:
    """Return the properties that consumers of a stream get.

    Args:
        properties: The published properties.
        has_annotations: Whether the release also keeps headers in message annotations: those that
            begin with ``x-``, and CC.
        keeps_deaths: Whether the header x-death is kept: the broker wrote it.

    Raises:
        NotConvertible: A header is a decimal number.
    """
    headers = properties.headers or {}
    type_ = properties.type_
    if type_ is None and isinstance(headers.get(_TYPE_HEADER), str):
        type_ = headers[_TYPE_HEADER]
        headers = {name: value for name, value in headers.items() if name != _TYPE_HEADER}
    if has_annotations:
        headers = _with_annotations(headers, keeps_deaths=keeps_deaths)
    else:
        headers = {name: _simple(value) for name, value in headers.items() if _is_simple(value)}
    expiration, delivery_mode = properties.expiration, properties.delivery_mode
    if has_annotations:
        delivery_mode = delivery_mode or 1
        if expiration:
            expiration = str(int(expiration) % (1 << 32))
    return properties._replace(
        headers=headers,
        type_=type_,
        expiration=expiration,
        delivery_mode=delivery_mode,
        timestamp=_in_milliseconds(properties.timestamp),
        cluster_id=None,
    )


def _is_simple(value: Any) -> bool:
    """Return whether application properties can hold a value: no arrays and no tables."""
    return not isinstance(value, list | dict)


def _simple(value: Any) -> Any:
    if isinstance(value, Decimal):
        raise NotConvertible("AMQP 1.0 has no decimal numbers of AMQP 0-9-1")
    return _in_milliseconds(value)


def _with_annotations(headers: dict[str, Any], *, keeps_deaths: bool) -> dict[str, Any]:
    """Return the headers that application properties and message annotations hold."""
    kept: dict[str, Any] = {}
    for name, value in headers.items():
        if name.startswith("x-"):
            if name == "x-death" and keeps_deaths:
                kept[name] = value
            elif not (name in _INTERNAL_HEADERS or name.startswith(_INTERNAL_PREFIX)):
                kept[name] = _nested(value)
        elif _is_simple(value) or name == "CC":
            kept[name] = _nested(value)
    return kept


def _nested(value: Any) -> Any:
    """Convert a value; a byte array becomes a string, even if it is not UTF-8."""
    if isinstance(value, bytes | bytearray):
        return EncodedValue(b"S" + len(value).to_bytes(4, "big") + value)
    if isinstance(value, list):
        return [_nested(item) for item in value]
    if isinstance(value, dict):
        return {name: _nested(item) for name, item in value.items()}
    return _simple(value)


def _in_milliseconds(value: Any) -> Any:
    """Return a timestamp after conversion to milliseconds, in a signed number of 64 bits, and back.

    Only a timestamp that `datetime` cannot express may change.
    """
    if not isinstance(value, Timestamp):
        return value
    milliseconds = value * 1000 % (1 << 64)
    if milliseconds < 1 << 63:
        return Timestamp(milliseconds // 1000)
    return Timestamp((1 << 64) - ((1 << 64) - milliseconds) // 1000)
