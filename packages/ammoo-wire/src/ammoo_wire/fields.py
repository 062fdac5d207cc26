"""The data types of AMQP: what a method's parameters and a field table's values are made of.

A field table's values map to Python's own types. Where the wire knows several
types for one Python type (six widths of integers, two of floats), one of them
is *natural*: the one that we choose for a plain Python value. A value that came
as another type is decoded to a subclass (`Int8`, `Float32`, …) that remembers
it, so decoding what was encoded gives the same values, and encoding what was
decoded gives the same octets. A proxy or a broker alters nothing that it only
passes on, and a caller can force a type by naming it.

The letters are RabbitMQ's, which differ from those printed in section 4.2.1 of
the specification: https://www.rabbitmq.com/amqp-0-9-1-errata.html

This module knows octets and Python values; it knows neither methods nor frames.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Annotated, Any, Final, Union

from .constants import MAX_TABLE_DEPTH
from .exceptions import EncodeError, FrameError, InternalError, WireSyntaxError

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = [
    "EMPTY_TABLE",
    "Bit",
    "FieldTable",
    "FieldType",
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
    "decode_short_string",
    "decode_table",
    "encode_short_string",
    "encode_table",
    "encode_timestamp",
    "field_type",
    "timestamp_from_wire",
]


class FieldType(StrEnum):
    """The types of a field table's values: RabbitMQ's names for them, and their letters."""

    LONGSTR = "S"
    SIGNEDINT = "I"
    LONG = "l"
    BOOL = "t"
    TABLE = "F"
    ARRAY = "A"
    TIMESTAMP = "T"
    DOUBLE = "d"
    VOID = "V"
    BINARY = "x"
    DECIMAL = "D"
    BYTE = "b"
    UNSIGNEDBYTE = "B"
    SHORT = "s"
    UNSIGNEDSHORT = "u"
    UNSIGNEDINT = "i"
    FLOAT = "f"


class Int8(int):
    """A signed 8-bit integer, ``b``."""


class UInt8(int):
    """An unsigned 8-bit integer, ``B``."""


class Int16(int):
    """A signed 16-bit integer, ``s``."""


class UInt16(int):
    """An unsigned 16-bit integer, ``u``."""


class UInt32(int):
    """An unsigned 32-bit integer, ``i``."""


class Int64(int):
    """A signed 64-bit integer, ``l``, although a signed 32-bit one would hold it."""


class Float32(float):
    """A float of 32 bits, ``f``. A plain Python float goes out with all its 64."""


class LongString(bytes):
    """A long string, ``S``, that is not UTF-8 text. Plain bytes are a byte array, ``x``."""


class Timestamp(int):
    """Seconds since 1970, ``T``, that no `datetime` can express: beyond the year 9999."""


# The field table is the one place where the API cannot know more of a value than that it is one.
FieldValue = Union[
    None,
    bool,
    int,
    float,
    str,
    bytes,
    bytearray,
    "Decimal",
    datetime,
    Mapping[str, Any],
    Sequence[Any],
]
FieldTable = dict[str, Any]

Octets = bytes | bytearray
"""What is decoded from: bytes, or the buffer that was read into."""

EMPTY_TABLE: Final[FieldTable] = {}
"""The default of the parameters that are tables. Nobody may write into it."""


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

_INT8 = Struct(">b")
_INT16 = Struct(">h")
_UINT16 = Struct(">H")
_INT32 = Struct(">i")
_UINT32 = Struct(">I")
_INT64 = Struct(">q")
_UINT64 = Struct(">Q")
_FLOAT32 = Struct(">f")
_FLOAT64 = Struct(">d")
_DECIMAL = Struct(">Bi")
_LETTER_AND_INT32 = Struct(">ci")
_LETTER_AND_INT64 = Struct(">cq")
_LETTER_AND_SIZE = Struct(">cI")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_LAST_SECOND: Final = 253402300799  # 9999-12-31T23:59:59Z


# --- strings -------------------------------------------------------------------------------


def encode_short_string(value: object, name: str) -> bytes:
    """Encode a shortstr: one octet of length, then up to 255 octets of UTF-8.

    Octets that came as something else than UTF-8 were decoded to lone
    surrogates, and go out again as they came.

    Args:
        value: The string.
        name: What it is called where it is used, for the error's text.

    Raises:
        EncodeError: It is no str, or longer than 255 octets.
    """
    if not isinstance(value, str):
        raise EncodeError(f"{name} is {value!r}; expected a str")
    try:
        data = value.encode()
    except UnicodeEncodeError:
        data = _encode_surrogates(value, name)
    if len(data) > 255:
        raise EncodeError(
            f"{name} is {len(data)} bytes long in UTF-8; a shortstr holds at most 255: {value!r}"
        )
    return bytes((len(data),)) + data


def _encode_surrogates(value: str, name: str) -> bytes:
    try:
        return value.encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise EncodeError(f"{name} cannot be encoded as UTF-8: {value!r}") from error


def decode_short_string(data: Octets, position: int, end: int) -> tuple[str, int]:
    """Decode the shortstr at `position`; never fails for octets that are not UTF-8.

    Returns:
        The string, and the position behind it.

    Raises:
        WireSyntaxError: It would end behind `end`.
    """
    stop = position + 1 + data[position] if position < end else end + 1
    if stop > end:
        raise WireSyntaxError(f"a short string ends behind its frame's payload, at octet {stop}")
    return data[position + 1 : stop].decode(errors="surrogateescape"), stop


# --- timestamps ----------------------------------------------------------------------------


def encode_timestamp(value: object, name: str) -> int:
    """Make the seconds since 1970 that a timestamp is on the wire.

    Args:
        value: A `datetime` (naive means UTC; microseconds are cut) or the seconds.
        name: What it is called where it is used, for the error's text.

    Raises:
        EncodeError: It lies before 1970 or beyond 64 bits, or is something else.
    """
    if isinstance(value, datetime):
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        seconds = (aware - _EPOCH) // _SECOND
    elif isinstance(value, int) and not isinstance(value, bool):
        seconds = int(value)
    else:
        raise EncodeError(f"{name} is {value!r}; expected a datetime")
    if not 0 <= seconds < 1 << 64:
        raise EncodeError(
            f"{name} is {value!r}; a timestamp counts the seconds since 1970-01-01 in 64 bits,"
            " without a sign"
        )
    return seconds


def timestamp_from_wire(seconds: int) -> datetime | Timestamp:
    """Give a timestamp as a `datetime` in UTC, or as a `Timestamp` if that cannot express it."""
    if seconds > _LAST_SECOND:
        return Timestamp(seconds)
    return _EPOCH + timedelta(seconds=seconds)


# --- field values: encoding ----------------------------------------------------------------


def encode_table(table: Mapping[str, FieldValue]) -> bytes:
    """Encode a field table (section 4.2.5.5), its four octets of length included.

    Raises:
        EncodeError: A name or a value cannot be encoded; the text says which.
    """
    if not table:
        return b"\x00\x00\x00\x00"
    out: list[bytes] = []
    _append_table(out, table, "table", 1)
    return b"".join(out)


def _append_table(out: list[bytes], table: Mapping[str, FieldValue], path: str, depth: int) -> None:
    if not isinstance(table, Mapping):
        raise EncodeError(f"{path} is {table!r}; expected a mapping of str to field values")
    fields: list[bytes] = []
    for name, value in table.items():
        fields.append(encode_short_string(name, f"a name in {path}"))
        _append_value(fields, value, f"{path}[{name!r}]", depth)
    _append_sized(out, fields)


def _append_array(out: list[bytes], array: Sequence[FieldValue], path: str, depth: int) -> None:
    items: list[bytes] = []
    for index, value in enumerate(array):
        _append_value(items, value, f"{path}[{index}]", depth)
    _append_sized(out, items)


def _append_sized(out: list[bytes], parts: list[bytes]) -> None:
    data = b"".join(parts)
    out.append(_UINT32.pack(len(data)))
    out.append(data)


def _append_value(out: list[bytes], value: FieldValue, path: str, depth: int) -> None:
    encoder = _ENCODERS.get(type(value))
    if encoder is None:
        encoder = _encoder_by_inheritance(value, path)
    if depth > MAX_TABLE_DEPTH:
        raise EncodeError(f"{path} is nested deeper than {MAX_TABLE_DEPTH} tables")
    encoder(out, value, path, depth)


def _encoder_by_inheritance(value: object, path: str) -> "_Encoder":
    """Find the encoder of a subclass (an IntEnum, an OrderedDict, Decimal on first use)."""
    for cls, encoder in _ENCODERS_OF_BASES.items():
        if isinstance(value, cls):
            return encoder
    decimal = sys.modules.get("decimal")  # whoever has a Decimal has imported it
    if decimal is not None and isinstance(value, decimal.Decimal):
        _ENCODERS[decimal.Decimal] = _encode_decimal
        return _encode_decimal
    raise EncodeError(
        f"{path} is {value!r}, a {type(value).__name__}; a field table holds None, bool, int,"
        " float, str, bytes, Decimal, datetime, mappings and sequences of these"
    )


def _encode_string(out: list[bytes], value: str, path: str, depth: int) -> None:
    try:
        data = value.encode()
    except UnicodeEncodeError:
        data = _encode_surrogates(value, path)
    out.append(_LETTER_AND_SIZE.pack(b"S", len(data)))
    out.append(data)


def _encode_bool(out: list[bytes], value: bool, path: str, depth: int) -> None:
    out.append(b"t\x01" if value else b"t\x00")


def _encode_int(out: list[bytes], value: int, path: str, depth: int) -> None:
    if -0x8000_0000 <= value <= 0x7FFF_FFFF:
        out.append(_LETTER_AND_INT32.pack(b"I", value))
        return
    try:
        out.append(_LETTER_AND_INT64.pack(b"l", value))
    except StructError:
        raise EncodeError(
            f"{path} is {value!r}; an integer in a field table has at most 64 bits with its sign"
        ) from None


def _encode_float(out: list[bytes], value: float, path: str, depth: int) -> None:
    out.append(b"d" + _FLOAT64.pack(value))


def _encode_bytes(out: list[bytes], value: bytes, path: str, depth: int) -> None:
    out.append(_LETTER_AND_SIZE.pack(b"x", len(value)))
    out.append(value)


def _encode_long_string(out: list[bytes], value: bytes, path: str, depth: int) -> None:
    out.append(_LETTER_AND_SIZE.pack(b"S", len(value)))
    out.append(value)


def _encode_none(out: list[bytes], value: None, path: str, depth: int) -> None:
    out.append(b"V")


def _encode_datetime(out: list[bytes], value: datetime | int, path: str, depth: int) -> None:
    out.append(b"T" + _UINT64.pack(encode_timestamp(value, path)))


def _encode_table(out: list[bytes], value: Mapping[str, FieldValue], path: str, depth: int) -> None:
    out.append(b"F")
    _append_table(out, value, path, depth + 1)


def _encode_array(out: list[bytes], value: Sequence[FieldValue], path: str, depth: int) -> None:
    out.append(b"A")
    _append_array(out, value, path, depth + 1)


def _encode_decimal(out: list[bytes], value: "Decimal", path: str, depth: int) -> None:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise EncodeError(f"{path} is {value!r}; a decimal must be finite")
    unscaled = int("".join(map(str, digits)))
    unscaled *= 10 ** min(max(exponent, 0), 10)  # more than 10 zeros do not fit in any case
    try:
        out.append(b"D" + _DECIMAL.pack(max(-exponent, 0), -unscaled if sign else unscaled))
    except StructError:
        raise EncodeError(
            f"{path} is {value!r}; a decimal has at most 255 places and, without its point,"
            " 32 bits with its sign"
        ) from None


_Encoder = Callable[[list[bytes], Any, str, int], None]


def _fixed(letter: bytes, struct: Struct, expected: str) -> _Encoder:
    """Make the encoder of a type that callers choose by name."""

    def encode(out: list[bytes], value: float, path: str, depth: int) -> None:
        try:
            out.append(letter + struct.pack(value))
        except (StructError, OverflowError):
            raise EncodeError(f"{path} is {value!r}; expected {expected}") from None

    return encode


# What decides is the exact type: one dictionary look-up for all that is common.
_ENCODERS: dict[type, _Encoder] = {
    str: _encode_string,
    bool: _encode_bool,
    int: _encode_int,
    float: _encode_float,
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    type(None): _encode_none,
    datetime: _encode_datetime,
    dict: _encode_table,
    list: _encode_array,
    tuple: _encode_array,
    Int8: _fixed(b"b", _INT8, "a signed 8-bit integer"),
    UInt8: _fixed(b"B", Struct(">B"), "an unsigned 8-bit integer"),
    Int16: _fixed(b"s", _INT16, "a signed 16-bit integer"),
    UInt16: _fixed(b"u", _UINT16, "an unsigned 16-bit integer"),
    UInt32: _fixed(b"i", _UINT32, "an unsigned 32-bit integer"),
    Int64: _fixed(b"l", _INT64, "a signed 64-bit integer"),
    Float32: _fixed(b"f", _FLOAT32, "a float of 32 bits"),
    LongString: _encode_long_string,
    Timestamp: _encode_datetime,
}
# For subclasses, in an order that asks for the special before the general.
_ENCODERS_OF_BASES: dict[type, _Encoder] = {
    str: _encode_string,
    int: _encode_int,
    float: _encode_float,
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    datetime: _encode_datetime,
    Mapping: _encode_table,
    Sequence: _encode_array,
}


# --- field values: decoding ----------------------------------------------------------------


def decode_table(data: Octets) -> FieldTable:
    """Decode a field table, its four octets of length included.

    Raises:
        InternalError: A value's type is none that RabbitMQ knows.
        FrameError: The octets are cut short, or something stands behind the table.
        WireSyntaxError: Tables are nested deeper than `MAX_TABLE_DEPTH`.
    """
    try:
        table, position = read_table(data, 0, len(data))
    except (StructError, IndexError) as error:
        raise FrameError("a field table is cut short") from error
    if position != len(data):
        raise FrameError(f"{len(data) - position} octets stand behind a field table")
    return table


def read_table(data: Octets, position: int, end: int, depth: int = 1) -> tuple[FieldTable, int]:
    """Decode the table at `position` of a larger whole that goes up to `end`.

    Returns:
        The table, and the position behind it.

    Raises:
        StructError, IndexError: The octets are cut short. The caller, who knows what
            they are part of, makes the protocol's error of it.
        ProtocolError: As `decode_table` says.
    """
    position, stop = _enter(data, position, end, depth)
    table: FieldTable = {}
    while position < stop:
        name, position = decode_short_string(data, position, stop)
        table[name], position = _read_value(data, position, stop, depth)
    return table, position


def _read_array(data: Octets, position: int, end: int, depth: int) -> tuple[list[Any], int]:
    position, stop = _enter(data, position, end, depth)
    array: list[Any] = []
    while position < stop:
        value, position = _read_value(data, position, stop, depth)
        array.append(value)
    return array, position


def _enter(data: Octets, position: int, end: int, depth: int) -> tuple[int, int]:
    """Read the size in front of a table or an array: where its content begins and ends."""
    if depth > MAX_TABLE_DEPTH:
        raise WireSyntaxError(f"field tables are nested deeper than {MAX_TABLE_DEPTH}")
    (size,) = _UINT32.unpack_from(data, position)
    position += 4
    if position + size > end:
        raise IndexError
    return position, position + size


def _read_value(data: Octets, position: int, end: int, depth: int) -> tuple[Any, int]:
    letter = data[position]
    position += 1
    fixed = _FIXED_DECODERS.get(letter)
    if fixed is not None:
        size, decode = fixed
        stop = position + size
        if stop > end:
            raise IndexError
        return decode(data, position), stop
    if letter == _LONGSTR:
        raw, position = _read_octets(data, position, end)
        try:
            return raw.decode(), position
        except UnicodeDecodeError:
            return LongString(raw), position
    if letter == _BINARY:
        return _read_octets(data, position, end)
    if letter == _TABLE:
        return read_table(data, position, end, depth + 1)
    if letter == _ARRAY:
        return _read_array(data, position, end, depth + 1)
    raise InternalError(f"a field table holds a value of the unknown type {chr(letter)!r}")


def _read_octets(data: Octets, position: int, end: int) -> tuple[bytes, int]:
    (size,) = _UINT32.unpack_from(data, position)
    position += 4
    if position + size > end:
        raise IndexError
    return bytes(data[position : position + size]), position + size


def _decode_int32(data: Octets, position: int) -> int:
    value: int = _INT32.unpack_from(data, position)[0]
    return value


def _decode_int64(data: Octets, position: int) -> int:
    value: int = _INT64.unpack_from(data, position)[0]
    return Int64(value) if -0x8000_0000 <= value <= 0x7FFF_FFFF else value


def _decode_float64(data: Octets, position: int) -> float:
    value: float = _FLOAT64.unpack_from(data, position)[0]
    return value


def _decode_bool(data: Octets, position: int) -> bool:
    return data[position] != 0


def _decode_void(data: Octets, position: int) -> None:
    return None


def _decode_timestamp(data: Octets, position: int) -> datetime | Timestamp:
    return timestamp_from_wire(_UINT64.unpack_from(data, position)[0])


def _decode_decimal(data: Octets, position: int) -> "Decimal":
    from decimal import Decimal  # 2 ms at import, for what hardly any program uses

    scale, unscaled = _DECIMAL.unpack_from(data, position)
    return Decimal(unscaled).scaleb(-scale)


_FixedDecoder = Callable[[Octets, int], Any]


def _remembering(cls: type[float], struct: Struct) -> tuple[int, _FixedDecoder]:
    """Make the decoder of a type that is not the natural one of its values."""

    def decode(data: Octets, position: int) -> float:
        return cls(struct.unpack_from(data, position)[0])

    return struct.size, decode


_LONGSTR, _BINARY, _TABLE, _ARRAY = b"SxFA"
_FIXED_DECODERS: dict[int, tuple[int, _FixedDecoder]] = {
    ord("I"): (4, _decode_int32),
    ord("l"): (8, _decode_int64),
    ord("L"): (8, _decode_int64),  # RabbitMQ takes both letters and writes the small one
    ord("t"): (1, _decode_bool),
    ord("T"): (8, _decode_timestamp),
    ord("d"): (8, _decode_float64),
    ord("V"): (0, _decode_void),
    ord("D"): (5, _decode_decimal),
    ord("b"): _remembering(Int8, _INT8),
    ord("B"): _remembering(UInt8, Struct(">B")),
    ord("s"): _remembering(Int16, _INT16),
    ord("u"): _remembering(UInt16, _UINT16),
    ord("i"): _remembering(UInt32, _UINT32),
    ord("f"): _remembering(Float32, _FLOAT32),
}


# --- which type a value has on the wire ----------------------------------------------------

_FIELD_TYPES: dict[type, FieldType] = {
    str: FieldType.LONGSTR,
    LongString: FieldType.LONGSTR,
    bool: FieldType.BOOL,
    float: FieldType.DOUBLE,
    Float32: FieldType.FLOAT,
    bytes: FieldType.BINARY,
    bytearray: FieldType.BINARY,
    type(None): FieldType.VOID,
    datetime: FieldType.TIMESTAMP,
    Timestamp: FieldType.TIMESTAMP,
    dict: FieldType.TABLE,
    list: FieldType.ARRAY,
    tuple: FieldType.ARRAY,
    Int8: FieldType.BYTE,
    UInt8: FieldType.UNSIGNEDBYTE,
    Int16: FieldType.SHORT,
    UInt16: FieldType.UNSIGNEDSHORT,
    UInt32: FieldType.UNSIGNEDINT,
    Int64: FieldType.LONG,
}


def field_type(value: FieldValue) -> FieldType:
    """Tell which type a value of a field table has on the wire.

    Raises:
        EncodeError: It cannot be a value of a field table.
    """
    known = _FIELD_TYPES.get(type(value))
    if known is not None:
        return known
    out: list[bytes] = []
    _append_value(out, value, "value", 0)
    return FieldType(chr(out[0][0]))
