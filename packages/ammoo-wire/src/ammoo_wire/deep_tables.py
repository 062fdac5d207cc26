"""Field tables that are nested deeply: read and written in one loop each.

The specification sets no limit, and RabbitMQ has none but the frame's size: 131072
octets hold tables 21,000 deep, which no stack of Python's frames does. `tables` hands
over what lies below its first levels, which are faster there. The cost is one of
octets, however they are nested.
"""

from collections.abc import Iterator, Mapping, Sequence
from struct import Struct
from typing import Any, Final, TypeVar

from .fields import FieldTable, FieldValue, Octets
from .tables import (
    ENCODERS,
    READERS,
    Misfit,
    encode_array,
    encode_mapping,
    encode_name,
    encoder_by_inheritance,
    enter,
    unknown_type,
)

__all__ = ["encode_deep", "read_deep"]

_pack_size = Struct(">I").pack
_TABLE: Final = ord("F")
_ARRAY: Final = ord("A")

_ContainerT = TypeVar("_ContainerT", FieldTable, list[Any])


# --- decoding ------------------------------------------------------------------------------


def read_deep(
    data: Octets, position: int, end: int, outermost: _ContainerT
) -> tuple[_ContainerT, int]:
    """Decode the table or the array at `position`, whichever `outermost` is, into it.

    Returns:
        It, and the position behind it.

    Raises:
        StructError, IndexError, ProtocolError: As `read_table`.
    """
    container: FieldTable | list[Any] = outermost
    name = ""
    outer: list[tuple[FieldTable | list[Any], int]] = []
    position, stop = enter(data, position, end)
    while True:
        if position == stop:
            if not outer:
                return outermost, position
            container, stop = outer.pop()
            continue
        if isinstance(container, dict):
            name, position = _read_name(data, position, stop)
        letter = data[position]
        position += 1
        value: Any
        if letter in (_TABLE, _ARRAY):
            value = {} if letter == _TABLE else []
            outer.append((container, stop))
            position, inner_stop = enter(data, position, stop)
        else:
            reader = READERS.get(letter, unknown_type)
            value, position = reader(data, position, stop, 0)
            inner_stop = 0
        if isinstance(container, dict):
            container[name] = value
        else:
            container.append(value)
        if inner_stop:
            container, stop = value, inner_stop


def _read_name(data: Octets, position: int, stop: int) -> tuple[str, int]:
    start = position + 1
    behind = start + data[position]
    if behind >= stop:
        raise IndexError
    return data[start:behind].decode("utf-8", "surrogateescape"), behind


# --- encoding ------------------------------------------------------------------------------


class _Level:
    """A table or an array that is being written.

    Attributes:
        container: It.
        items: What is left of it, with names or numbers.
        is_table: Whether it is a table.
        size_at: Where among the pieces its size is to stand.
        begins_at: How many octets stand before its content.
        key: Name or number of what is being written; None before the first.
    """

    __slots__ = ("begins_at", "container", "is_table", "items", "key", "size_at")

    def __init__(self, container: Any, size_at: int, begins_at: int) -> None:
        self.container = container
        self.is_table = isinstance(container, Mapping)
        self.items: Iterator[tuple[Any, FieldValue]] = iter(
            container.items() if self.is_table else enumerate(container)
        )
        self.size_at = size_at
        self.begins_at = begins_at
        self.key: Any = None


def encode_deep(outermost: Mapping[str, FieldValue] | Sequence[FieldValue]) -> bytes:
    """Encode a table or an array, its four octets of length included.

    Raises:
        Misfit: A name or a value cannot be encoded.
    """
    pieces: list[bytes] = []
    levels: list[_Level] = []
    try:
        _write(outermost, pieces, levels)
    except Misfit as misfit:
        misfit.path += [f"[{level.key!r}]" for level in reversed(levels) if level.key is not None]
        raise
    return b"".join(pieces)


def _write(outermost: Any, pieces: list[bytes], levels: list[_Level]) -> None:
    """Fill `pieces`; `levels` are those that are open, the outermost first."""
    written = 4
    pieces.append(b"")
    levels.append(_Level(outermost, 0, written))
    open_containers = {id(outermost)}
    while levels:
        level = levels[-1]
        level.key = None  # an error of the name is one of the table
        key, value = next(level.items, _END)
        if key is _END_KEY:
            pieces[level.size_at] = _pack_size(written - level.begins_at)
            open_containers.discard(id(level.container))
            levels.pop()
            continue
        if level.is_table:
            name = encode_name(key)
            pieces.append(name)
            written += len(name)
        level.key = key
        encoder = ENCODERS.get(type(value)) or encoder_by_inheritance(value)
        if encoder is not encode_mapping and encoder is not encode_array:
            octets = encoder(value, 0)
            pieces.append(octets)
            written += len(octets)
            continue
        if id(value) in open_containers:
            raise Misfit("holds itself")
        open_containers.add(id(value))
        pieces += (b"F" if encoder is encode_mapping else b"A", b"")
        written += 5
        levels.append(_Level(value, len(pieces) - 1, written))


_END_KEY: Final = object()
_END: Final[tuple[Any, Any]] = (_END_KEY, None)
