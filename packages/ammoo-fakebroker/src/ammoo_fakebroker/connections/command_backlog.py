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

__all__ = ["CommandBacklog", "PauseReason"]


class PauseReason(Enum):
    """Why a client's commands have to wait."""

    ALARM = auto()
    """It published during an alarm."""
    UNREAD_OUTPUT = auto()
    """It does not read what it is sent."""


class CommandBacklog:
    """The commands of one connection that have to wait, and why.

    Args:
        transport: What reads the client's octets, or does not.
        execute: Executes commands; may find a reason to halt again, and adds what is left then.

    Attributes:
        paused_by: The reasons; while there is one, all that comes is to be added.
    """

    def __init__(
        self, transport: Transport, execute: Callable[[Iterable[Command]], object]
    ) -> None:
        self.paused_by: set[PauseReason] = set()
        self._commands: deque[Command] = deque()
        self._transport = transport
        self._execute = execute
        self._is_dropped = False

    def pause(self, reason: PauseReason) -> None:
        """Execute and read nothing more until the reason is gone."""
        self.paused_by.add(reason)
        self._transport.pause_reading()

    def add(self, commands: Iterable[Command]) -> None:
        """Let commands wait behind those that do."""
        self._commands.extend(commands)

    def resume(self, reason: PauseReason) -> None:
        """Execute what had to wait, and read again, if no other reason is left."""
        if reason not in self.paused_by:
            return
        self.paused_by.discard(reason)
        if self.paused_by or self._is_dropped:
            return
        commands, self._commands = self._commands, deque()
        self._execute(commands)
        if not self.paused_by:
            self._transport.resume_reading()

    def drop(self) -> None:
        """Forget what waits, and never go on: the connection is over."""
        self._commands.clear()
        self._is_dropped = True
