"""Field tables that are nested deeply, from octets: read in one loop.

The specification sets no limit, and RabbitMQ has none but the frame's size: 131072
octets hold tables 21,000 deep, too deep for Python's stack. `table_decoder` reads the first
levels, because it is faster, and leaves the deeper ones to this module. The time grows with
the number of octets, however they are nested.
"""

from typing import Any, Final, TypeVar

from .fields import FieldTable, Octets
from .table_decoder import READERS, enter, unknown_type

__all__ = ["read_deep"]

_TABLE: Final = ord("F")
_ARRAY: Final = ord("A")

_ContainerT = TypeVar("_ContainerT", FieldTable, list[Any])


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
