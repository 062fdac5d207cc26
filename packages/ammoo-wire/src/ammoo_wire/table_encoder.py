"""Field tables and the arrays in them, to octets (section 4.2.5.5).

`fields` says which Python value is which type on the wire. The path to a value that
cannot be encoded is put together while the error rises, and not before.

The functions here call each other for nested values, 32 levels deep. Below that,
because the specification sets no limit, `deep_table_encoder` takes over.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any, Final

from .exceptions import EncodeError, show
from .fields import (
    EncodedValue,
    FieldValue,
    Float32,
    Int8,
    Int16,
    Int64,
    LongString,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
    encode_short_string,
    encode_timestamp,
)

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from .field_types import FieldType

__all__ = [
    "ENCODERS",
    "SHALLOW",
    "Misfit",
    "encode_array",
    "encode_mapping",
    "encode_name",
    "encode_table",
    "encoder_by_inheritance",
    "field_type",
]

_FLOAT32 = Struct(">f")
_FLOAT64 = Struct(">d")
_DECIMAL = Struct(">Bi")
_UINT64 = Struct(">Q")
_LETTER_AND_INT64 = Struct(">cq")
_pack_size = Struct(">I").pack
_pack_letter_and_size = Struct(">cI").pack
_pack_letter_and_int32 = Struct(">ci").pack
_LOWEST_INT32: Final = -0x8000_0000
_HIGHEST_INT32: Final = 0x7FFF_FFFF
_NAMES: Final[dict[str, bytes]] = {}
_MOST_NAMES: Final = 1024
SHALLOW: Final = 32
"""Levels of nesting that are handled by functions that call each other; two frames a level."""
_LONGEST_PATH: Final = 300  # characters


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
        name: The name of the argument; errors begin with it.

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
    """Return the complaint about a number that RabbitMQ (3.10, 4.0, 4.3) fails to parse.

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
    """Encode a table inside of a table or an array, the letter of its type included."""
    if depth < SHALLOW:
        return b"F" + _table(value, depth + 1)
    from .deep_table_encoder import encode_deep  # hardly any program needs it

    return b"F" + encode_deep(value)


def encode_array(value: Sequence[FieldValue], depth: int) -> bytes:
    """Encode an array, the letter of its type included."""
    if depth < SHALLOW:
        return b"A" + _array(value, depth + 1)
    from .deep_table_encoder import encode_deep

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


# By the exact type: all common values need only one look-up in a dictionary.
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
    Int8: _fixed(b"b", Struct(">b"), "a signed 8-bit integer"),
    UInt8: _fixed(b"B", Struct(">B"), "an unsigned 8-bit integer"),
    Int16: _fixed(b"s", Struct(">h"), "a signed 16-bit integer"),
    UInt16: _fixed(b"u", Struct(">H"), "an unsigned 16-bit integer"),
    UInt32: _fixed(b"i", Struct(">I"), "an unsigned 32-bit integer"),
    Int64: _fixed(b"l", Struct(">q"), "a signed 64-bit integer"),
    Float32: _encode_float32,
    LongString: _encode_long_string,
    Timestamp: _encode_datetime,
    EncodedValue: _encode_encoded,
}
# For values of other types: a proxy that says it is a str, or a class registered as a Mapping.
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


# --- which type a value has on the wire ----------------------------------------------------


def field_type(value: FieldValue) -> "FieldType":
    """Return the type that a value of a field table has on the wire.

    ::

        assert field_type(3) is FieldType.SIGNEDINT

    The function does not look at the content of a table or an array.

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
