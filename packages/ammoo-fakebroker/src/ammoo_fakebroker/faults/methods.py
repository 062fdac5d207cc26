"""Faults that strike methods as they arrive, before they are executed."""

from __future__ import annotations

from collections import deque
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from ammoo_wire import ProtocolError, ReplyCode, methods

from .deliveries import check_seconds
from .fault import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ammoo_wire import Command

    from ..connections.connection import Connection
    from .occasions import Occasion
    from .ports import FaultHost

__all__ = ["CloseChannels", "CloseConnections", "DelayMethod", "FailMethod", "MethodFault"]


class MethodFault(Fault):
    """A fault that takes a method before it is executed."""

    _noun: ClassVar[tuple[str, str]] = ("method", "methods")
    _own_options: ClassVar[frozenset[str]] = frozenset(("code", "text"))

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        check_method(options.get("method"))

    def execute(self, connection: Connection, command: Command) -> None:
        """Strike a method: do something else instead of executing it.

        Raises:
            ProtocolError: The method fails.
        """
        raise NotImplementedError


class _ErrorFault(MethodFault):
    """A fault that answers a method with an error."""

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._code = reply_code(options["code"])
        self._text = str(options["text"]).removeprefix(f"{self._code.name} - ")

    def _error(self) -> ProtocolError:
        return ProtocolError(self._code, self._text)


class CloseChannels(_ErrorFault):
    """See `Faults.close_channels`."""

    name: ClassVar[str] = "close_channels"

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        if self._code.is_hard:
            raise ValueError(
                f"code is {self._code:d} ({self._code.name}), which closes connections;"
                " expected the code of a channel's error, such as 406"
            )

    def _obstacle(self, occasion: Occasion) -> str | None:
        return "on channels that are not open" if occasion.channel is None else None

    def execute(self, connection: Connection, command: Command) -> None:
        connection.fail_channel(command[0], self._error())


class CloseConnections(_ErrorFault):
    """See `Faults.close_connections`."""

    name: ClassVar[str] = "close_connections"

    def execute(self, connection: Connection, command: Command) -> None:
        connection.close(self._error())


class FailMethod(_ErrorFault):
    """See `Faults.fail_method`."""

    name: ClassVar[str] = "fail_method"

    def _obstacle(self, occasion: Occasion) -> str | None:
        return "on channels that are not open" if occasion.channel is None else None

    def execute(self, connection: Connection, command: Command) -> None:
        raise self._error()


class DelayMethod(MethodFault):
    """See `Faults.delay_method`."""

    name: ClassVar[str] = "delay_method"
    _own_options: ClassVar[frozenset[str]] = frozenset(("seconds",))

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._seconds: float = check_seconds(options["seconds"])
        self._waiting: dict[tuple[Connection, int], deque[Command]] = {}

    def is_waiting(self, connection: Connection, command: Command) -> bool:
        """Queue a command if others of its channel wait; return whether it was queued."""
        waiting = self._waiting.get((connection, command[0]))
        if waiting is None:
            return False
        waiting.append(command)
        return True

    def delay(self, connection: Connection, command: Command, seconds: float) -> None:
        """Execute a command later, and all later commands of its channel behind it."""
        key = (connection, command[0])
        self._waiting[key] = deque((command,))
        self._host.node.clock.call_later(seconds, partial(self._execute_waiting, key))

    def _execute_waiting(self, key: tuple[Connection, int]) -> None:
        """Execute the first command without another strike, and the others as if they arrived now."""
        waiting = self._waiting.pop(key, None)
        if waiting is not None and key[0].is_open:
            self._host.execute_unstruck(key[0], waiting.popleft())
            key[0].execute_late(waiting)

    def _ended(self) -> None:
        for key in list(self._waiting):
            self._execute_waiting(key)


def check_method(name: object) -> None:
    """Check the name of a method that clients send.

    Raises:
        ValueError: There is no such method.
    """
    known = [method.name for method in methods()]
    if name is None or name in known:
        return
    close = get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"method is {name!r}; expected a method's name such as 'queue.declare'{hint}")


def reply_code(value: object) -> ReplyCode:
    """Return a reply code.

    Raises:
        ValueError: There is no such code.
    """
    known = {int(code): code for code in ReplyCode}
    if not isinstance(value, int) or value not in known:
        listed = ", ".join(map(str, known))
        raise ValueError(f"code is {value!r}; expected one of {listed}")
    return known[value]
