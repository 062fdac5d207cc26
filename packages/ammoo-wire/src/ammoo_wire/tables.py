"""Field tables and the arrays in them, to octets and back (section 4.2.5.5).

Which Python value is which type on the wire is told in `fields`. Encoding knows
where in a table it is only once something has gone wrong: the path to a bad
value is put together while the error rises.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any, Final

from .constants import MAX_TABLE_DEPTH
from .exceptions import EncodeError, FrameError, InternalError, WireSyntaxError, show
from .fields import (
    FieldTable,
    FieldType,
    FieldValue,
    Float32,
    Int8,
    Int16,
    Int64,
    LongString,
    Octets,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
    encode_short_string,
    encode_timestamp,
    timestamp_from_wire,
)

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["decode_table", "encode_table", "field_type", "read_table"]

_INT8 = Struct(">b")
_UINT8 = Struct(">B")
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
_LOWEST_INT32: Final = -0x8000_0000
_HIGHEST_INT32: Final = 0x7FFF_FFFF
_NAMES: Final[dict[str, bytes]] = {}
_MOST_NAMES: Final = 1024


# --- encoding ------------------------------------------------------------------------------


class _Misfit(Exception):
    """A value cannot be encoded: on its way up it learns the path to it."""

    def __init__(self, complaint: str) -> None:
        super().__init__(complaint)
        self.complaint = complaint
        self.path: list[str] = []

    def as_error(self, whole: str) -> EncodeError:
        return EncodeError(f"{whole}{''.join(reversed(self.path))} {self.complaint}")


def encode_table(table: Mapping[str, FieldValue], name: str = "table") -> bytes:
    """Encode a field table, its four octets of length included.

    Args:
        table: The fields.
        name: What it is called where it is used, for the error's text.

    Raises:
        EncodeError: A name or a value cannot be encoded; the text says which.
    """
    if table == {}:
        return b"\x00\x00\x00\x00"
    out: list[bytes] = []
    try:
        _append_table(out, table, 1)
    except _Misfit as misfit:
        raise misfit.as_error(name) from None
    return b"".join(out)


def _append_table(out: list[bytes], table: Mapping[str, FieldValue], depth: int) -> None:
    if not isinstance(table, Mapping):
        raise _Misfit(f"is {show(table)}; expected a mapping of str to field values")
    _check_depth(depth)
    fields: list[bytes] = []
    for name, value in table.items():
        fields.append(_NAMES.get(name) or _encode_name(name))
        encoder = _ENCODERS.get(type(value)) or _encoder_by_inheritance(value, name)
        try:
            encoder(fields, value, depth)
        except _Misfit as misfit:
            misfit.path.append(f"[{name!r}]")
            raise
    _append_sized(out, fields)


def _append_array(out: list[bytes], array: Sequence[FieldValue], depth: int) -> None:
    _check_depth(depth)
    items: list[bytes] = []
    for index, value in enumerate(array):
        encoder = _ENCODERS.get(type(value)) or _encoder_by_inheritance(value, index)
        try:
            encoder(items, value, depth)
        except _Misfit as misfit:
            misfit.path.append(f"[{index}]")
            raise
    _append_sized(out, items)


def _encode_name(name: str) -> bytes:
    """Encode a field's name; the same few come again and again, so they are kept."""
    try:
        encoded = encode_short_string(name, "has a name that")
    except EncodeError as error:
        raise _Misfit(str(error)) from None
    if len(_NAMES) < _MOST_NAMES:
        _NAMES[name] = encoded
    return encoded


def _check_depth(depth: int) -> None:
    if depth > MAX_TABLE_DEPTH:
        raise _Misfit(f"is nested deeper than {MAX_TABLE_DEPTH} tables")


def _append_sized(out: list[bytes], parts: list[bytes]) -> None:
    octets = b"".join(parts)
    out.append(_UINT32.pack(len(octets)))
    out.append(octets)


def _encoder_by_inheritance(value: object, key: object = None) -> "_Encoder":
    """Find the encoder of a subclass (an IntEnum, an OrderedDict), or of Decimal on first use."""
    decimal = sys.modules.get("decimal")  # whoever has a Decimal has imported it
    if decimal is not None and isinstance(value, decimal.Decimal):
        _ENCODERS[decimal.Decimal] = _encode_decimal
        return _encode_decimal
    for cls, encoder in _ENCODERS_OF_BASES.items():
        if isinstance(value, cls):
            return encoder
    misfit = _Misfit(
        f"is {show(value)}, a {type(value).__name__}; a field table holds None, bool, int, float,"
        " str, bytes, Decimal, datetime, mappings and sequences of these"
    )
    if key is not None:
        misfit.path.append(f"[{key!r}]")
    raise misfit


def _encode_string(out: list[bytes], value: str, depth: int) -> None:
    try:
        octets = value.encode()
    except UnicodeEncodeError:
        octets = _encode_surrogates(value)
    out.append(_LETTER_AND_SIZE.pack(b"S", len(octets)))
    out.append(octets)


def _encode_surrogates(value: str) -> bytes:
    try:
        return value.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise _Misfit(f"cannot be encoded as UTF-8: {show(value)}") from None


def _encode_bool(out: list[bytes], value: bool, depth: int) -> None:
    out.append(b"t\x01" if value else b"t\x00")


def _encode_int(out: list[bytes], value: int, depth: int) -> None:
    if _LOWEST_INT32 <= value <= _HIGHEST_INT32:
        out.append(_LETTER_AND_INT32.pack(b"I", value))
        return
    try:
        out.append(_LETTER_AND_INT64.pack(b"l", value))
    except StructError:
        raise _Misfit(
            f"is {show(value)}; an integer in a field table has at most 64 bits with its sign"
        ) from None


def _encode_float(out: list[bytes], value: float, depth: int) -> None:
    out.append(b"d" + _FLOAT64.pack(value))


def _encode_bytes(out: list[bytes], value: bytes | bytearray | memoryview, depth: int) -> None:
    octets = bytes(value)
    out.append(_LETTER_AND_SIZE.pack(b"x", len(octets)))
    out.append(octets)


def _encode_long_string(out: list[bytes], value: bytes, depth: int) -> None:
    out.append(_LETTER_AND_SIZE.pack(b"S", len(value)))
    out.append(value)


def _encode_none(out: list[bytes], value: None, depth: int) -> None:
    out.append(b"V")


def _encode_datetime(out: list[bytes], value: datetime | int, depth: int) -> None:
    try:
        out.append(b"T" + _UINT64.pack(encode_timestamp(value, "")))
    except EncodeError as error:
        raise _Misfit(str(error).lstrip()) from None


def _encode_table(out: list[bytes], value: Mapping[str, FieldValue], depth: int) -> None:
    out.append(b"F")
    _append_table(out, value, depth + 1)


def _encode_array(out: list[bytes], value: Sequence[FieldValue], depth: int) -> None:
    out.append(b"A")
    _append_array(out, value, depth + 1)


def _encode_decimal(out: list[bytes], value: "Decimal", depth: int) -> None:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise _Misfit(f"is {show(value)}; a decimal must be finite")
    try:
        unscaled = _unscaled(digits, exponent)
        out.append(b"D" + _DECIMAL.pack(max(-exponent, 0), -unscaled if sign else unscaled))
    except StructError:
        raise _Misfit(
            f"is {show(value)}; a decimal has at most 255 places and, without its point, 32 bits"
            " with its sign"
        ) from None


def _unscaled(digits: tuple[int, ...], exponent: int) -> int:
    """Make an integer of a decimal's digits; of too many of them, one that is too large."""
    most = 10  # digits and zeros of 32 bits
    zeros = "0" * min(max(exponent, 0), most)
    return int("".join(map(str, digits[: most + 1])) + zeros)


_Encoder = Callable[[list[bytes], Any, int], None]


def _fixed(letter: bytes, struct: Struct, expected: str) -> _Encoder:
    """Make the encoder of a type that callers choose by name."""

    def encode(out: list[bytes], value: float, depth: int) -> None:
        try:
            out.append(letter + struct.pack(value))
        except (StructError, OverflowError):
            raise _Misfit(f"is {show(value)}; expected {expected}") from None

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
    UInt8: _fixed(b"B", _UINT8, "an unsigned 8-bit integer"),
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
    memoryview: _encode_bytes,  # which is a Sequence of its octets as well
    datetime: _encode_datetime,
    Mapping: _encode_table,
    Sequence: _encode_array,
}


# --- decoding ------------------------------------------------------------------------------


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
        value_at = position + 1 + data[position]
        if value_at >= stop:
            raise IndexError
        name = data[position + 1 : value_at].decode(errors="surrogateescape")
        reader = _READERS.get(data[value_at]) or _unknown_type
        table[name], position = reader(data, value_at + 1, stop, depth)
    return table, position


def _read_array(data: Octets, position: int, end: int, depth: int) -> tuple[list[Any], int]:
    position, stop = _enter(data, position, end, depth + 1)
    array: list[Any] = []
    while position < stop:
        reader = _READERS.get(data[position]) or _unknown_type
        value, position = reader(data, position + 1, stop, depth + 1)
        array.append(value)
    return array, position


def _enter(data: Octets, position: int, end: int, depth: int) -> tuple[int, int]:
    """Read the size in front of a table or an array: where its content begins and ends."""
    if depth > MAX_TABLE_DEPTH:
        raise WireSyntaxError(f"field tables are nested deeper than {MAX_TABLE_DEPTH}")
    stop = position + 4 + int(_UINT32.unpack_from(data, position)[0])
    if stop > end:
        raise IndexError
    return position + 4, stop


def _read_inner_table(data: Octets, position: int, end: int, depth: int) -> tuple[FieldTable, int]:
    return read_table(data, position, end, depth + 1)


def _read_binary(data: Octets, position: int, end: int, depth: int) -> tuple[bytes, int]:
    stop = position + 4 + int(_UINT32.unpack_from(data, position)[0])
    if stop > end:
        raise IndexError
    return bytes(data[position + 4 : stop]), stop


def _read_string(data: Octets, position: int, end: int, depth: int) -> tuple[str | bytes, int]:
    stop = position + 4 + int(_UINT32.unpack_from(data, position)[0])
    if stop > end:
        raise IndexError
    octets = data[position + 4 : stop]
    try:
        return octets.decode(), stop
    except UnicodeDecodeError:
        return LongString(octets), stop


def _unknown_type(data: Octets, position: int, end: int, depth: int) -> tuple[Any, int]:
    letter = chr(data[position - 1])
    raise InternalError(f"a field table holds a value of the unknown type {letter!r}")


_Reader = Callable[[Octets, int, int, int], tuple[Any, int]]


def _reader(struct: Struct, convert: Callable[..., Any]) -> _Reader:
    """Make the reader of a type that has always the same size."""
    unpack, size = struct.unpack_from, struct.size

    def read(data: Octets, position: int, end: int, depth: int) -> tuple[Any, int]:
        if position + size > end:
            raise IndexError
        return convert(*unpack(data, position)), position + size

    return read


def _read_int32(data: Octets, position: int, end: int, depth: int) -> tuple[int, int]:
    if position + 4 > end:
        raise IndexError
    return _INT32.unpack_from(data, position)[0], position + 4


def _int64(value: int) -> int:
    return Int64(value) if _LOWEST_INT32 <= value <= _HIGHEST_INT32 else value


def _decimal(scale: int, unscaled: int) -> "Decimal":
    from decimal import Decimal  # 2 ms at import, for what hardly any program uses

    return Decimal(f"{unscaled}E-{scale}")  # exact, whatever the context's precision


def _void() -> None:
    return None


_READERS: dict[int, _Reader] = {
    ord("S"): _read_string,
    ord("I"): _read_int32,
    ord("F"): _read_inner_table,
    ord("A"): _read_array,
    ord("x"): _read_binary,
    ord("l"): _reader(_INT64, _int64),
    ord("L"): _reader(_INT64, _int64),  # RabbitMQ takes both letters and writes the small one
    ord("t"): _reader(_UINT8, bool),
    ord("T"): _reader(_UINT64, timestamp_from_wire),
    ord("d"): _reader(_FLOAT64, float),
    ord("V"): _reader(Struct(""), _void),
    ord("D"): _reader(_DECIMAL, _decimal),
    ord("b"): _reader(_INT8, Int8),
    ord("B"): _reader(_UINT8, UInt8),
    ord("s"): _reader(_INT16, Int16),
    ord("u"): _reader(_UINT16, UInt16),
    ord("i"): _reader(_UINT32, UInt32),
    ord("f"): _reader(_FLOAT32, Float32),
}


# --- which type a value has on the wire ----------------------------------------------------


def field_type(value: FieldValue) -> FieldType:
    """Tell which type a value of a field table has on the wire.

    Raises:
        EncodeError: It cannot be a value of a field table.
    """
    out: list[bytes] = []
    try:
        encoder = _ENCODERS.get(type(value)) or _encoder_by_inheritance(value)
        encoder(out, value, 0)
    except _Misfit as misfit:
        raise misfit.as_error("the value") from None
    return FieldType(chr(out[0][0]))
