"""A command with names for its four parts: tests are read more often than run."""

from collections.abc import Iterable
from typing import NamedTuple

import ammoo_wire
from ammoo_wire import Parameters

__all__ = ["Command", "named"]


class Command(NamedTuple):
    """As `ammoo_wire.Command`, a plain tuple, which it is equal to."""

    channel_number: int
    parameters: Parameters
    properties: bytes | None
    body: bytearray | None


def named(commands: Iterable[ammoo_wire.Command]) -> list[Command]:
    """Name the parts of commands as the wire gives them."""
    return [Command(*command) for command in commands]
