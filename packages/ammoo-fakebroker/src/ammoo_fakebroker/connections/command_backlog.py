"""What a client has to wait for: commands that came while there was a reason not to listen.

They are executed in their order when the last reason is gone. While there is one nothing more is
read, so the backlog is what one read held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import TYPE_CHECKING

from ammoo_wire import Command

if TYPE_CHECKING:
    from .transport import Transport

__all__ = ["Backlog", "Halt"]


class Halt(Enum):
    """Why a client's commands have to wait."""

    ALARM = auto()
    """It published during an alarm."""
    CONGESTION = auto()
    """It does not read what it is sent."""


class Backlog:
    """The commands of one connection that have to wait, and why.

    Args:
        transport: What reads the client's octets, or does not.
        work_off: Executes commands; may find a reason to halt again, and adds what is left then.

    Attributes:
        halted_by: The reasons; while there is one, all that comes is to be added.
    """

    def __init__(
        self, transport: Transport, work_off: Callable[[Iterable[Command]], object]
    ) -> None:
        self.halted_by: set[Halt] = set()
        self._commands: deque[Command] = deque()
        self._transport = transport
        self._work_off = work_off
        self._is_dropped = False

    def halt(self, reason: Halt) -> None:
        """Execute and read nothing more until the reason is gone."""
        self.halted_by.add(reason)
        self._transport.pause_reading()

    def add(self, commands: Iterable[Command]) -> None:
        """Let commands wait behind those that do."""
        self._commands.extend(commands)

    def go_on_after(self, reason: Halt) -> None:
        """Execute what had to wait, and read again, if no other reason is left."""
        if reason not in self.halted_by:
            return
        self.halted_by.discard(reason)
        if self.halted_by or self._is_dropped:
            return
        commands, self._commands = self._commands, deque()
        self._work_off(commands)
        if not self.halted_by:
            self._transport.resume_reading()

    def drop(self) -> None:
        """Forget what waits, and never go on: the connection is over."""
        self._commands.clear()
        self._is_dropped = True
