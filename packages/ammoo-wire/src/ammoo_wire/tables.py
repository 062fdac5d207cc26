"""Field tables and the arrays in them, to octets and back (section 4.2.5.5).

`fields` says which Python value is which type on the wire. The path to a value that
cannot be encoded is put together while the error rises, and not before.

The functions here call each other for nested values, 32 levels deep. Below that,
because the specification sets no limit, `deep_tables` takes over.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any, Final

from .exceptions import EncodeError, FrameError, UnreadableField, show
from .fields import (
    EncodedValue,
    FieldTable,
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
    from datetime import datetime
    from decimal import Decimal

    from .field_types import FieldType

__all__ = [
    "ENCODERS",
    "READERS",
    "Misfit",
    "check_readable",
    "decode_table",
    "encode_array",
    "encode_mapping",
    "encode_name",
    "encode_table",
    "encoder_by_inheritance",
    "enter",
    "field_type",
    "read_table",
    "unknown_type",
]

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
_pack_size = _UINT32.pack
_pack_letter_and_size = _LETTER_AND_SIZE.pack
_pack_letter_and_int32 = _LETTER_AND_INT32.pack
_read_size = _UINT32.unpack_from
_unpack_int32 = _INT32.unpack_from
_STRING: Final = ord("S")
_LOWEST_INT32: Final = -0x8000_0000
_HIGHEST_INT32: Final = 0x7FFF_FFFF
_NAMES: Final[dict[str, bytes]] = {}
_MOST_NAMES: Final = 1024
_SHALLOW: Final = 32
"""Levels of nesting that are handled by functions that call each other; two frames a level."""
_LONGEST_PATH: Final = 300  # characters


# --- encoding ------------------------------------------------------------------------------


class Misfit(Exception):
    """A value cannot be encoded: on its way up it learns the path to it."""

    def __init__(self, complaint: str) -> None:
        super().__init__(complaint)
        self.complaint = complaint
        self.path: list[str] = []

    def as_error(self, whole: str) -> EncodeError:
        path = "".join(reversed(self.path))
        if len(path) > _LONGEST_PATH:
            path = f"{path[: _LONGEST_PATH // 2]}…{path[-_LONGEST_PATH // 2 :]}"
        return EncodeError(f"{whole}{path} {self.complaint}")


def encode_table(table: Mapping[str, FieldValue], name: str = "table") -> bytes:
    """Encode a field table, its four octets of length included.

    ::

        encode_table({"x-max-length": 1000, "x-queue-type": "quorum"})

    Args:
        table: The fields.
        name: What the table is called where it is used; errors begin with it.

    Raises:
        EncodeError: A name or a value cannot be encoded; the text says which.
    """
    if table == {}:
        return b"\x00\x00\x00\x00"
    try:
        return _table(table, 1)
    except Misfit as misfit:
        raise misfit.as_error(name) from None


def _table(table: Mapping[str, FieldValue], depth: int) -> bytes:
    if type(table) is not dict and not isinstance(table, Mapping):  # an ABC takes 0.2 µs to ask
        raise Misfit(f"is {show(table)}; expected a mapping of str to field values")
    fields: list[bytes] = []
    for name, value in table.items():
        fields.append((_NAMES.get(name) if type(name) is str else None) or encode_name(name))
        encoder = ENCODERS.get(type(value)) or encoder_by_inheritance(value, name)
        try:
            fields.append(encoder(value, depth))
        except Misfit as misfit:
            misfit.path.append(f"[{name!r}]")
            raise
    octets = b"".join(fields)
    return _pack_size(len(octets)) + octets


def _array(array: Sequence[FieldValue], depth: int) -> bytes:
    items: list[bytes] = []
    for index, value in enumerate(array):
        encoder = ENCODERS.get(type(value)) or encoder_by_inheritance(value, index)
        try:
            items.append(encoder(value, depth))
        except Misfit as misfit:
            misfit.path.append(f"[{index}]")
            raise
    octets = b"".join(items)
    return _pack_size(len(octets)) + octets


def encode_name(name: str) -> bytes:
    """Encode a field's name. The same few come again and again, so they are kept."""
    try:
        encoded = encode_short_string(name, "has a name that")
    except EncodeError as error:
        raise Misfit(str(error)) from None
    if type(name) is str and len(_NAMES) < _MOST_NAMES:  # a subclass may equal other names
        _NAMES[name] = encoded
    return encoded


def encoder_by_inheritance(value: object, key: object = None) -> "_Encoder":
    """Find the encoder of a subclass (an IntEnum, an OrderedDict), or of a late type on first use.

    `Decimal` and `datetime` are expensive to import; a program that has one has imported it.
    """
    for base in type(value).__mro__:
        if base in ENCODERS:
            return ENCODERS[base]
    for name, module, encoder in _LATE_ENCODERS:
        late_type = getattr(sys.modules.get(module), name, None)
        if late_type is not None and isinstance(value, late_type):
            ENCODERS[late_type] = encoder
            return encoder
    for cls, encoder in _ENCODERS_BY_ABILITY.items():
        if isinstance(value, cls):
            return encoder
    misfit = Misfit(
        f"is {show(value)}, of type {type(value).__name__}; a field table holds None, bool, int,"
        " float, str, bytes, Decimal, datetime, mappings and sequences of these"
    )
    if key is not None:
        misfit.path.append(f"[{key!r}]")
    raise misfit


def _encode_string(value: str, depth: int) -> bytes:
    try:
        octets = value.encode()
    except UnicodeEncodeError:
        octets = _encode_surrogates(value)
    return _pack_letter_and_size(b"S", len(octets)) + octets


def _encode_surrogates(value: str) -> bytes:
    try:
        return value.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise Misfit(f"cannot be encoded as UTF-8: {show(value)}") from None


def _encode_bool(value: bool, depth: int) -> bytes:
    return b"t\x01" if value else b"t\x00"


def _encode_int(value: int, depth: int) -> bytes:
    if _LOWEST_INT32 <= value <= _HIGHEST_INT32:
        return _pack_letter_and_int32(b"I", value)
    try:
        return _LETTER_AND_INT64.pack(b"l", value)
    except StructError:
        raise Misfit(
            f"is {show(value)}; an integer in a field table has at most 64 bits with its sign"
        ) from None


def _encode_float(value: float, depth: int) -> bytes:
    if not isfinite(value):
        raise Misfit(_not_finite(value))
    return b"d" + _FLOAT64.pack(value)


def _encode_float32(value: float, depth: int) -> bytes:
    if not isfinite(value):
        raise Misfit(_not_finite(value))
    try:
        return b"f" + _FLOAT32.pack(value)
    except OverflowError:
        raise Misfit(f"is {show(value)}; expected a float of 32 bits") from None


def _not_finite(value: object) -> str:
    """Word the complaint about a number that RabbitMQ (3.10, 4.0, 4.3) fails to parse.

    Erlang has no such floats. A method or a message that holds one costs the connection.
    """
    return f"is {show(value)}; a number in a field table must be finite: RabbitMQ reads no other"


def _encode_encoded(value: EncodedValue, depth: int) -> bytes:
    return value


def _encode_bytes(value: bytes | bytearray | memoryview, depth: int) -> bytes:
    octets = bytes(value)
    return _pack_letter_and_size(b"x", len(octets)) + octets


def _encode_long_string(value: bytes, depth: int) -> bytes:
    return _pack_letter_and_size(b"S", len(value)) + value


def _encode_none(value: None, depth: int) -> bytes:
    return b"V"


def _encode_datetime(value: "datetime | int", depth: int) -> bytes:
    try:
        return b"T" + _UINT64.pack(encode_timestamp(value, ""))
    except EncodeError as error:
        raise Misfit(str(error).lstrip()) from None


def encode_mapping(value: Mapping[str, FieldValue], depth: int) -> bytes:
    if depth < _SHALLOW:
        return b"F" + _table(value, depth + 1)
    from .deep_tables import encode_deep  # for what hardly any program has

    return b"F" + encode_deep(value)


def encode_array(value: Sequence[FieldValue], depth: int) -> bytes:
    if depth < _SHALLOW:
        return b"A" + _array(value, depth + 1)
    from .deep_tables import encode_deep

    return b"A" + encode_deep(value)


def _encode_decimal(value: "Decimal", depth: int) -> bytes:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise Misfit(_not_finite(value))
    try:
        unscaled = _unscaled(digits, exponent)
        return b"D" + _DECIMAL.pack(max(-exponent, 0), -unscaled if sign else unscaled)
    except StructError:
        raise Misfit(
            f"is {show(value)}; a decimal has at most 255 places and, without its point, 32 bits"
            " with its sign"
        ) from None


def _unscaled(digits: tuple[int, ...], exponent: int) -> int:
    """Return an integer with a decimal's digits; if they are too many, one that is too large."""
    most = 10  # digits and zeros of 32 bits
    zeros = "0" * min(max(exponent, 0), most)
    return int("".join(map(str, digits[: most + 1])) + zeros)


_Encoder = Callable[[Any, int], bytes]


def _fixed(letter: bytes, struct: Struct, expected: str) -> _Encoder:
    """Return the encoder of a type that callers choose by name."""

    def encode(value: int, depth: int) -> bytes:
        try:
            return letter + struct.pack(value)
        except StructError:
            raise Misfit(f"is {show(value)}; expected {expected}") from None

    return encode


# What decides is the exact type: one dictionary look-up for all that is common.
ENCODERS: dict[type, _Encoder] = {
    str: _encode_string,
    bool: _encode_bool,
    int: _encode_int,
    float: _encode_float,
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    memoryview: _encode_bytes,  # which is a Sequence of its octets as well
    type(None): _encode_none,
    dict: encode_mapping,
    list: encode_array,
    tuple: encode_array,
    Int8: _fixed(b"b", _INT8, "a signed 8-bit integer"),
    UInt8: _fixed(b"B", _UINT8, "an unsigned 8-bit integer"),
    Int16: _fixed(b"s", _INT16, "a signed 16-bit integer"),
    UInt16: _fixed(b"u", _UINT16, "an unsigned 16-bit integer"),
    UInt32: _fixed(b"i", _UINT32, "an unsigned 32-bit integer"),
    Int64: _fixed(b"l", _INT64, "a signed 64-bit integer"),
    Float32: _encode_float32,
    LongString: _encode_long_string,
    Timestamp: _encode_datetime,
    EncodedValue: _encode_encoded,
}
# For what is no subclass: a proxy that says it is a str, and what was registered as a Mapping.
_ENCODERS_BY_ABILITY: dict[type, _Encoder] = {
    str: _encode_string,
    int: _encode_int,
    float: _encode_float,
    bytes: _encode_bytes,
    Mapping: encode_mapping,
    Sequence: encode_array,
}
_LATE_ENCODERS: tuple[tuple[str, str, _Encoder], ...] = (
    ("datetime", "datetime", _encode_datetime),
    ("Decimal", "decimal", _encode_decimal),
)


# --- decoding ------------------------------------------------------------------------------


def decode_table(data: Octets | memoryview) -> FieldTable:
    """Decode a field table, its four octets of length included.

    ::

        assert decode_table(encode_table({"retries": 3})) == {"retries": 3}

    Raises:
        UnreadableField: A value's type is none that RabbitMQ knows.
        FrameError: The octets are cut short, or something stands behind the table.
    """
    if not isinstance(data, bytes | bytearray):
        data = bytes(memoryview(data))
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
    position, stop = enter(data, position, end)
    table: FieldTable = {}
    while position < stop:
        name_at = position + 1
        value_at = name_at + data[position]
        if value_at >= stop:
            raise IndexError
        name = data[name_at:value_at].decode("utf-8", "surrogateescape")
        kind = data[value_at]
        if kind == _STRING:  # as most values are; `_read_string` would take 0.1 µs more
            (size,) = _read_size(data, value_at + 1)
            string_at = value_at + 5
            position = string_at + size
            if position > stop:
                raise IndexError
            try:
                table[name] = data[string_at:position].decode()
            except UnicodeDecodeError:
                table[name] = LongString(data[string_at:position])
        else:
            reader = READERS.get(kind, unknown_type)
            table[name], position = reader(data, value_at + 1, stop, depth)
    return table, position


def _read_array(data: Octets, position: int, end: int, depth: int) -> tuple[list[Any], int]:
    if depth >= _SHALLOW:
        from .deep_tables import read_deep

        return read_deep(data, position, end, [])
    position, stop = enter(data, position, end)
    array: list[Any] = []
    while position < stop:
        reader = READERS.get(data[position], unknown_type)
        value, position = reader(data, position + 1, stop, depth + 1)
        array.append(value)
    return array, position


def enter(data: Octets, position: int, end: int) -> tuple[int, int]:
    """Read the size in front of a table or an array; return where its content begins and ends."""
    (size,) = _read_size(data, position)
    position += 4
    stop = position + size
    if stop > end:
        raise IndexError
    return position, stop


def _read_inner_table(data: Octets, position: int, end: int, depth: int) -> tuple[FieldTable, int]:
    if depth < _SHALLOW:
        return read_table(data, position, end, depth + 1)
    from .deep_tables import read_deep

    return read_deep(data, position, end, {})


def _read_binary(data: Octets, position: int, end: int, depth: int) -> tuple[bytes, int]:
    position, stop = enter(data, position, end)
    return bytes(data[position:stop]), stop


def _read_string(data: Octets, position: int, end: int, depth: int) -> tuple[str | bytes, int]:
    (size,) = _read_size(data, position)
    position += 4
    stop = position + size
    if stop > end:
        raise IndexError
    octets = data[position:stop]
    try:
        return octets.decode(), stop
    except UnicodeDecodeError:
        return LongString(octets), stop


def unknown_type(data: Octets, position: int, end: int, depth: int) -> tuple[Any, int]:
    letter = chr(data[position - 1])
    raise UnreadableField(f"a field table holds a value of the unknown type {letter!r}")


_Reader = Callable[[Octets, int, int, int], tuple[Any, int]]


def _reader(struct: Struct, convert: Callable[..., Any]) -> _Reader:
    """Return the reader of a type whose values have always the same size."""
    unpack, size = struct.unpack_from, struct.size

    def read(data: Octets, position: int, end: int, depth: int) -> tuple[Any, int]:
        if position + size > end:
            raise IndexError
        return convert(*unpack(data, position)), position + size

    return read


def _read_int32(data: Octets, position: int, end: int, depth: int) -> tuple[int, int]:
    stop = position + 4
    if stop > end:
        raise IndexError
    (value,) = _unpack_int32(data, position)
    return value, stop


def _int64(value: int) -> int:
    return Int64(value) if _LOWEST_INT32 <= value <= _HIGHEST_INT32 else value


def _decimal(scale: int, unscaled: int) -> "Decimal":
    from decimal import Decimal  # 2 ms at import; hardly any program uses it

    return Decimal(f"{unscaled}E-{scale}")  # exact, whatever the context's precision


def _void() -> None:
    return None


READERS: dict[int, _Reader] = {
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


def check_readable(values: Iterable[Any]) -> None:
    """Check that RabbitMQ could parse what was decoded: Erlang has no NaN and no infinity.

    ::

        check_readable(decode_table(encode_table({"ratio": 0.5})).values())

    Args:
        values: Field values, or a method's arguments.

    Raises:
        UnreadableField: A number at any depth is not finite.
    """
    pending = list(values)
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, float) and not isfinite(value):
            raise UnreadableField(f"a field table holds {value!r}, which Erlang cannot")


# --- which type a value has on the wire ----------------------------------------------------


def field_type(value: FieldValue) -> "FieldType":
    """Return the type that a value of a field table has on the wire.

    ::

        assert field_type(3) is FieldType.SIGNEDINT

    What a table or an array holds is not looked at.

    Raises:
        EncodeError: It cannot be a value of a field table.
    """
    from .field_types import FieldType  # only a broker asks

    try:
        encoder = ENCODERS.get(type(value)) or encoder_by_inheritance(value)
        if encoder is encode_mapping:
            return FieldType.TABLE
        if encoder is encode_array:
            return FieldType.ARRAY
        octets = encoder(value, 0)
    except Misfit as misfit:
        raise misfit.as_error("the value") from None
    letter = octets[:1].decode("latin-1")
    try:
        return FieldType(letter)
    except ValueError:
        raise EncodeError(
            f"the value is {show(value)}, which begins with {letter!r}; expected the letter of a"
            " FieldType"
        ) from None
