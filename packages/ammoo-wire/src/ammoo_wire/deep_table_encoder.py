"""Field tables that are nested deeply, to octets: written in one loop.

The specification sets no limit, and RabbitMQ has none but the frame's size. `table_encoder`
writes the first levels, because it is faster, and leaves the deeper ones to this module. This
module also detects a table that holds itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from struct import Struct
from typing import Any, Final

from .fields import FieldValue
from .table_encoder import (
    ENCODERS,
    Misfit,
    encode_array,
    encode_mapping,
    encode_name,
    encoder_by_inheritance,
)

__all__ = ["encode_deep"]

_pack_size = Struct(">I").pack
_END_KEY: Final = object()
_END: Final[tuple[Any, Any]] = (_END_KEY, None)


class _Level:
    """A table or an array that is being written.

    Attributes:
        container: The table or the array.
        items: Its values that are not written yet, with names or numbers.
        is_table: Whether it is a table.
        size_at: The index among the pieces at which its size belongs.
        begins_at: How many octets stand before its content.
        key: Name or number of the value that is being written; None before the first.
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
