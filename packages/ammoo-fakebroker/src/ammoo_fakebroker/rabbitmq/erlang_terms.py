"""The values of a field table as Erlang compares and prints them.

RabbitMQ's reply texts show argument values in Erlang's notation, and its comparisons follow Erlang's
rules: a string and a byte array of the same octets are equal, ``1`` and ``true`` are not.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, auto
from math import copysign
from typing import Any

from ammoo_wire import Timestamp, field_type

__all__ = ["comparable", "print_atom", "print_term", "type_class", "type_name"]

_INTEGERS = frozenset(
    ("byte", "short", "signedint", "long", "unsignedbyte", "unsignedshort", "unsignedint")
)
_EXACT_FLOAT_LIMIT = float(1 << 53)
_WORD = re.compile(r"[a-z][A-Za-z0-9_@]*", re.ASCII)


def type_name(value: Any) -> str:
    """Return RabbitMQ's name of a value's field type, such as ``longstr``."""
    return field_type(value).name.lower()


def type_class(value: Any) -> str:
    """Return the class of a value's type; values of one class can be equal. All integers are one class."""
    name = type_name(value)
    if name in _INTEGERS:
        return "int"
    return "float" if name == "double" else name


def is_integer(value: Any) -> bool:
    """Return whether a value is of an integer type; a bool and a timestamp are not."""
    return type_name(value) in _INTEGERS


def comparable(
    value: Any,
    *,
    numbers_by_value: bool = False,
    seconds: int = 1,
    signed_zeros: bool = False,
) -> Hashable:
    """Return a key. The keys of two values are equal exactly if the values are equal in Erlang.

    Args:
        value: A value of a field table.
        numbers_by_value: Whether ``1`` equals ``1.0`` (Erlang's ``==`` instead of ``=:=``).
        seconds: The factor for the seconds of a timestamp.
        signed_zeros: Whether ``0.0`` and ``-0.0`` differ, as they do since Erlang 27.
    """
    if value is None or isinstance(value, bool):
        return ("atom", value)
    if isinstance(value, str):
        return value.encode(errors="surrogateescape")
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, float):
        if numbers_by_value:
            return float(value)
        return ("float", float(value), signed_zeros and copysign(1.0, value))
    if isinstance(value, datetime):
        return int(_aware(value).timestamp()) * seconds
    if isinstance(value, Timestamp):
        return int(value) * seconds
    if isinstance(value, Decimal):
        return ("decimal", *_decimal_parts(value))
    if isinstance(value, int):
        return int(value)
    # In Erlang an empty table and an empty array are the same: an empty list.
    return ("nested", *_flattened(value, signed_zeros=signed_zeros)) if value else ("nested",)


class _Mark(Enum):
    """The beginning or the end of a nested value."""

    TABLE = auto()
    ARRAY = auto()
    END = auto()


def _flattened(value: dict[str, Any] | list[Any], *, signed_zeros: bool) -> Iterator[Hashable]:
    """Yield all values of a table or an array, nested ones included, one after the other.

    Python compares nested tuples recursively, and fails at depths that Erlang can compare.
    """
    for mark, name, item in _walk(value):
        if mark is None:
            yield from (name, type_name(item), comparable(item, signed_zeros=signed_zeros))
        else:
            yield from (mark, name)


def _walk(value: dict[str, Any] | list[Any]) -> Iterator[tuple[_Mark | None, str | None, Any]]:
    """Iterate over nested values without recursion.

    Yields:
        The mark for the beginning or the end of a table or an array, None for a single value; the
        name of the value if it is in a table; and the value.
    """
    levels = [_enumerated(value)]
    yield _mark(value), None, value
    while levels:
        name, item = next(levels[-1], (None, levels))
        if item is levels:
            levels.pop()
            yield _Mark.END, None, None
        elif isinstance(item, (dict, list)):
            yield _mark(item), name, item
            levels.append(_enumerated(item))
        else:
            yield None, name, item


def _mark(value: dict[str, Any] | list[Any]) -> _Mark:
    return _Mark.TABLE if isinstance(value, dict) else _Mark.ARRAY


def _enumerated(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str | None, Any]]:
    return iter(value.items()) if isinstance(value, dict) else ((None, item) for item in value)


def print_term(value: Any) -> str:
    """Print a value as Erlang's ``~p`` does."""
    if value is None:
        return "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, bytes, bytearray)):
        return print_binary(value)
    if isinstance(value, float):
        return print_float(float(value))
    if isinstance(value, datetime):
        return str(int(_aware(value).timestamp()))
    if isinstance(value, Decimal):
        scale, unscaled = _decimal_parts(value)
        return f"{{{scale},{unscaled}}}"
    if isinstance(value, int):
        return str(int(value))
    return _print_nested(value)


def _print_nested(value: dict[str, Any] | list[Any]) -> str:
    """Print a table or an array as Erlang's list of tuples."""
    pieces: list[str] = []
    is_first = True
    for mark, name, item in _walk(value):
        if mark is _Mark.END:
            pieces.append("]}")
            is_first = False
            continue
        pieces.append("{" if is_first else ",{")
        if name is not None:
            pieces.append(f"{print_binary(name)},")
        pieces.append(f"{type_name(item)},")
        pieces.append(f"{print_term(item)}}}" if mark is None else "[")
        is_first = mark is not None
    outermost = f"{{{type_name(value)},"
    return "".join(pieces)[len(outermost) : -len("}")]


def print_bare(value: Any) -> str:
    """Print a value as Erlang's ``~ts`` does if it is a string, else as ``~p``."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode(errors="replace")
    return print_term(value)


def print_atom(name: str) -> str:
    """Print an atom: in quotes unless it is a word that begins with a small letter."""
    return name if _WORD.fullmatch(name) else f"'{name}'"


def print_binary(value: str | bytes | bytearray) -> str:
    """Print a binary: in quotes if all octets are printable, else as a list of octets."""
    octets = value.encode(errors="surrogateescape") if isinstance(value, str) else bytes(value)
    if not octets:
        return "<<>>"
    if all(32 <= octet < 127 or octet >= 160 for octet in octets):
        text = octets.decode("latin-1").replace("\\", "\\\\").replace('"', '\\"')
        return f'<<"{text}">>'
    return f"<<{','.join(map(str, octets))}>>"


def print_float(value: float) -> str:
    """Print a float in Erlang's shortest notation: ``1.0e3``, but ``100.0``."""
    if value == 0:
        return "0.0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    point = len(text) + exponent
    return ("-" if sign else "") + _place_point(text, point, abs(value))


def _place_point(digits: str, point: int, value: float) -> str:
    """Write `digits` with the decimal point at `point`, or with an exponent if that is shorter."""
    if 0 < point < len(digits):
        return f"{digits[:point]}.{digits[point:]}"
    if point == 0:
        return f"0.{digits}"
    exponent = str(point - 1)
    cost = len(exponent) + 1 + (2 if len(digits) == 1 else 1)
    if point < 0 and 2 - point <= cost:
        return f"0.{'0' * -point}{digits}"
    if point > 0 and point - len(digits) + 2 <= cost and value < _EXACT_FLOAT_LIMIT:
        return f"{digits}{'0' * (point - len(digits))}.0"
    return f"{digits[0]}.{digits[1:] or '0'}e{exponent}"


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def _decimal_parts(value: Decimal) -> tuple[int, int]:
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    unscaled = int("".join(map(str, digits))) * 10 ** max(exponent, 0)
    return max(-exponent, 0), -unscaled if sign else unscaled
