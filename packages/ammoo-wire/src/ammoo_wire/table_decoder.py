"""Field tables and the arrays in them, from octets (section 4.2.5.5).

`fields` says which Python value each type on the wire becomes. The peer chooses the octets, so
this module compares each size with the end before it uses the size.

The functions here call each other for nested values, 32 levels deep. Below that,
because the specification sets no limit, `deep_table_decoder` takes over.
"""

from collections.abc import Callable, Iterable
from math import isfinite
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any, Final

from .exceptions import FrameError, UnreadableField
from .fields import (
    FieldTable,
    Float32,
    Int8,
    Int16,
    Int64,
    LongString,
    Octets,
    UInt8,
    UInt16,
    UInt32,
    timestamp_from_wire,
)
from .table_encoder import SHALLOW

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = [
    "READERS",
    "check_readable",
    "decode_table",
    "enter",
    "read_table",
    "unknown_type",
]

_INT64 = Struct(">q")
_read_size = Struct(">I").unpack_from
_unpack_int32 = Struct(">i").unpack_from
_STRING: Final = ord("S")
_LOWEST_INT32: Final = -0x8000_0000
_HIGHEST_INT32: Final = 0x7FFF_FFFF


def decode_table(data: Octets | memoryview) -> FieldTable:
    """Decode a field table, its four octets of length included.

    ::

        assert decode_table(encode_table({"retries": 3})) == {"retries": 3}

    Raises:
        UnreadableField: A value's type is none that RabbitMQ knows.
        FrameError: The octets are cut short, or more octets follow the table.
    """
    if not isinstance(data, bytes | bytearray):
        data = bytes(memoryview(data))
    try:
        table, position = read_table(data, 0, len(data))
    except (StructError, IndexError) as error:
        raise FrameError("a field table is cut short") from error
    if position != len(data):
        raise FrameError(f"{len(data) - position} octets follow a field table; expected none")
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
    if depth >= SHALLOW:
        from .deep_table_decoder import read_deep

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
    if depth < SHALLOW:
        return read_table(data, position, end, depth + 1)
    from .deep_table_decoder import read_deep

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
    """Raise the error for a letter that belongs to no type; it is called in place of a reader."""
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
    ord("t"): _reader(Struct(">B"), bool),
    ord("T"): _reader(Struct(">Q"), timestamp_from_wire),
    ord("d"): _reader(Struct(">d"), float),
    ord("V"): _reader(Struct(""), _void),
    ord("D"): _reader(Struct(">Bi"), _decimal),
    ord("b"): _reader(Struct(">b"), Int8),
    ord("B"): _reader(Struct(">B"), UInt8),
    ord("s"): _reader(Struct(">h"), Int16),
    ord("u"): _reader(Struct(">H"), UInt16),
    ord("i"): _reader(Struct(">I"), UInt32),
    ord("f"): _reader(Struct(">f"), Float32),
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
