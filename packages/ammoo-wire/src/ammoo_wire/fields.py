"""The data types of AMQP: what a method's parameters and a field table's values are made of.

A field table's values map to Python's own types. Where the wire knows several
types for one Python type (six widths of integers, two of floats), one of them
is *natural*: the one that we choose for a plain Python value. A value that came
as another type is decoded to a subclass (`Int8`, `Float32`, …) that remembers
it, so decoding what was encoded gives the same values, and encoding what was
decoded gives the same octets. A proxy or a broker alters nothing that it only
passes on, and a caller can choose a type by naming it. `table_encoder` and `table_decoder` do
the work.

The octets may differ only where two spellings mean the same: a boolean other than 0
and 1 becomes 1, the letter ``L`` becomes ``l``, and if a name comes twice in a table,
only its last value stays. NaN and infinities are decoded, but not encoded, because
RabbitMQ parses neither.

The letters are RabbitMQ's, which differ from those printed in section 4.2.1 of
the specification: https://www.rabbitmq.com/amqp-0-9-1-errata

This module has the types, and the codecs of those that stand outside of tables as well.

`datetime` takes 1.7 ms to import, and most programs never see a timestamp: it is
imported with the first timestamp.
"""

import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from operator import index
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, Union

from .exceptions import EncodeError, show

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from decimal import Decimal

__all__ = [
    "EMPTY_TABLE",
    "Bit",
    "EncodedValue",
    "FieldTable",
    "FieldValue",
    "Float32",
    "Int8",
    "Int16",
    "Int64",
    "Long",
    "LongLong",
    "LongStr",
    "LongString",
    "Octet",
    "Octets",
    "Short",
    "ShortStr",
    "Table",
    "Timestamp",
    "UInt8",
    "UInt16",
    "UInt32",
    "WireType",
    "as_octets",
    "check_size",
    "encode_short_string",
    "encode_timestamp",
    "is_unsigned",
    "timestamp_from_wire",
]


class Int8(int):
    """A signed 8-bit integer, ``b``.

    ::

        encode_table({"priority": Int8(5)})
        assert field_type(Int8(5)) == "b"
    """


class UInt8(int):
    """An unsigned 8-bit integer, ``B``.

    ::

        encode_table({"priority": UInt8(5)})
        assert field_type(UInt8(5)) == "B"
    """


class Int16(int):
    """A signed 16-bit integer, ``s``.

    ::

        encode_table({"priority": Int16(5)})
        assert field_type(Int16(5)) == "s"
    """


class UInt16(int):
    """An unsigned 16-bit integer, ``u``.

    ::

        encode_table({"priority": UInt16(5)})
        assert field_type(UInt16(5)) == "u"
    """


class UInt32(int):
    """An unsigned 32-bit integer, ``i``.

    ::

        encode_table({"priority": UInt32(5)})
        assert field_type(UInt32(5)) == "i"
    """


class Int64(int):
    """A signed 64-bit integer, ``l``, although a signed 32-bit one would hold it.

    ::

        encode_table({"priority": Int64(5)})
        assert field_type(Int64(5)) == "l"
    """


class Float32(float):
    """A float of 32 bits, ``f``. A plain Python float goes out with all its 64.

    ::

        encode_table({"ratio": Float32(0.5)})
        assert field_type(Float32(0.5)) == "f"
    """


class LongString(bytes):
    """A long string, ``S``, that is not UTF-8 text. Plain bytes are a byte array, ``x``.

    ::

        encode_table({"token": LongString(bytes((255, 254)))})
        assert field_type(LongString(bytes((255, 254)))) == "S"
    """


class EncodedValue(bytes):
    """A value that is encoded already, the letter of its type in front: it is written as it is.

    ::

        retries = EncodedValue(b"I" + (3).to_bytes(4))
        assert encode_table({"retries": retries}) == encode_table({"retries": 3})

    Nothing checks the octets. RabbitMQ ends the connection (541) if it cannot read them.
    """


class Timestamp(int):
    """Seconds since 1970, ``T``, that no `datetime` can express: beyond the year 9999.

    ::

        encode_table({"until": Timestamp(253402300800)})  # the first second of the year 10000
        assert field_type(Timestamp(253402300800)) == "T"
    """


# Not with a bar: `Decimal` and `datetime` are expensive to import, so they are named in strings.
FieldValue: TypeAlias = Union[
    bool,
    int,
    float,
    str,
    bytes,
    bytearray,
    "Decimal",
    "datetime",
    Mapping[str, "FieldValue"],
    Sequence["FieldValue"],
    None,
]
"""The values that a field table may hold. The named types above are subclasses of these."""

FieldTable = dict[str, Any]
"""A decoded field table. The peer chooses its values."""

Octets = bytes | bytearray
"""The octets to decode: bytes, or the buffer that was read into."""

EMPTY_TABLE: Final[FieldTable] = {}
"""The default of the parameters that are tables. It must not be changed."""


class WireType(Enum):
    """The types that a method's parameters are declared with (section 4.2.1)."""

    SHORTSTR = "shortstr"
    LONGSTR = "longstr"
    OCTET = "octet"
    SHORT = "short"
    LONG = "long"
    LONGLONG = "longlong"
    BIT = "bit"
    TABLE = "table"


ShortStr = Annotated[str, WireType.SHORTSTR]
LongStr = Annotated[bytes, WireType.LONGSTR]
Octet = Annotated[int, WireType.OCTET]
Short = Annotated[int, WireType.SHORT]
Long = Annotated[int, WireType.LONG]
LongLong = Annotated[int, WireType.LONGLONG]
Bit = Annotated[bool, WireType.BIT]
Table = Annotated[FieldTable, WireType.TABLE]

_LENGTHS: Final = tuple(bytes((length,)) for length in range(256))
_LAST_SECOND: Final = 253402300799  # 9999-12-31T23:59:59Z


# --- what callers pass ---------------------------------------------------------------------


def as_octets(value: bytes | bytearray | memoryview) -> memoryview:
    """Return the octets of an object that has a buffer, whatever its items and their order.

    They are copied only if they are not a row of octets already.

    Raises:
        TypeError: The object has no buffer.
    """
    view = memoryview(value)
    is_row = view.format == "B" and view.ndim == 1 and view.contiguous
    return view if is_row else memoryview(view.tobytes())


def is_unsigned(value: object, bits: int) -> bool:
    """Return whether a value is an integer that fits into so many bits without a sign."""
    try:
        return 0 <= index(value) < 1 << bits  # type: ignore[arg-type]  # else it is no integer
    except TypeError:
        return False


def check_size(value: object, name: str) -> None:
    """Check a limit of a caller's: a number of octets.

    Raises:
        EncodeError: It is not an integer, or below 0.
    """
    if not isinstance(value, int) or value < 0:
        raise EncodeError(f"{name} is {show(value)}; expected a number of octets, 0 or more")


# --- strings -------------------------------------------------------------------------------


def encode_short_string(value: object, name: str) -> bytes:
    """Encode a shortstr: one octet of length, then up to 255 octets of UTF-8.

    Octets that came as something else than UTF-8 were decoded to lone
    surrogates, and go out again as they came.

    Args:
        value: The string.
        name: The name of the argument, for the error's text.

    Raises:
        EncodeError: It is no str, or longer than 255 octets.
    """
    if type(value) is not str and not isinstance(value, str):
        raise EncodeError(f"{name} is {show(value)}; expected a str")
    try:
        data = value.encode()
    except UnicodeEncodeError:
        data = _encode_surrogates(value, name)
    size = len(data)
    if size > 255:
        raise EncodeError(
            f"{name} is {size} bytes long in UTF-8; a shortstr holds at most 255: {show(value)}"
        )
    return _LENGTHS[size] + data


def _encode_surrogates(value: str, name: str) -> bytes:
    try:
        return value.encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise EncodeError(f"{name} cannot be encoded as UTF-8: {show(value)}") from error


# --- timestamps ----------------------------------------------------------------------------


def encode_timestamp(value: object, name: str) -> int:
    """Return the seconds since 1970 that a timestamp is on the wire.

    Args:
        value: A `datetime` (naive means UTC; microseconds are cut) or the seconds.
        name: The name of the argument, for the error's text.

    Raises:
        EncodeError: It lies before 1970 or beyond 64 bits, or is something else.
    """
    if type(value) is int and 0 <= value < 1 << 64:
        return value
    late_type = getattr(sys.modules.get("datetime"), "datetime", None)
    if late_type is not None and isinstance(value, late_type):  # imported, if the value is one
        epoch, timedelta = _calendar or _import_calendar()
        aware = value.replace(tzinfo=epoch.tzinfo) if value.utcoffset() is None else value
        seconds = int((aware - epoch) // timedelta(0, 1))
    elif isinstance(value, int) and not isinstance(value, bool):
        seconds = int(value)
    else:
        raise EncodeError(
            f"{name} is {show(value)}; expected a datetime, or the seconds since 1970 as an int"
        )
    if not 0 <= seconds < 1 << 64:
        raise EncodeError(
            f"{name} is {show(value)}; a timestamp counts the seconds since 1970-01-01 in 64 bits,"
            " without a sign"
        )
    return seconds


def timestamp_from_wire(seconds: int) -> "datetime | Timestamp":
    """Return a timestamp as a `datetime` in UTC, or as a `Timestamp` if that cannot express it."""
    if seconds > _LAST_SECOND:
        return Timestamp(seconds)
    epoch, timedelta = _calendar or _import_calendar()
    return epoch + timedelta(0, seconds)  # 0.30 µs; 0.46 with the argument's name


_calendar: "tuple[datetime, type[timedelta]] | None" = None


def _import_calendar() -> "tuple[datetime, type[timedelta]]":
    global _calendar
    from datetime import UTC, datetime, timedelta

    _calendar = datetime(1970, 1, 1, tzinfo=UTC), timedelta
    return _calendar
