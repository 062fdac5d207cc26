"""The command backlog: commands that wait because their connection is paused.

They are executed in order when the last reason to pause is gone. The broker does not read from a paused
connection, so the backlog holds at most the commands of one read.
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
    """A reason to execute no further commands of a client."""

    ALARM = auto()
    """The client published during an alarm."""
    UNREAD_OUTPUT = auto()
    """The client does not read what the broker sends."""


class CommandBacklog:
    """The waiting commands of one connection, and the reasons why they wait.

    Args:
        transport: The transport that reads the client's octets.
        execute: Executes commands. It may pause the connection again, and then adds the rest.

    Attributes:
        paused_by: The reasons; while there is one, new commands are added to the backlog.
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
        """Execute and read nothing until the reason is gone."""
        self.paused_by.add(reason)
        self._transport.pause_reading()

    def add(self, commands: Iterable[Command]) -> None:
        """Add commands behind those that wait."""
        self._commands.extend(commands)

    def resume(self, reason: PauseReason) -> None:
        """Execute the waiting commands and read again, unless there is another reason to pause."""
        if reason not in self.paused_by:
            return
        self.paused_by.discard(reason)
        if self.paused_by or self._is_dropped:
            return
        commands, self._commands = self._commands, deque()
        self._execute(commands)
        if not self.paused_by:
            self._transport.resume_reading()

    def memory_size(self) -> int:
        """Return how much memory the bodies of the commands take, in octets."""
        return sum(len(command[3]) for command in self._commands if command[3])

    def drop(self) -> None:
        """Remove all commands, and execute none from now on: the connection is closed."""
        self._commands.clear()
        self._is_dropped = True
