"""Draining: letting an event loop read what clients have sent, before a test looks.

Octets that a client has written are in the kernel. A call into the broker's loop would run before
the loop reads them, and a test would look too early. A drain lets the loop turn until several
consecutive turns have read nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__ = ["Reading", "drain"]

LONGEST: Final = 0.01
"""Seconds after which a drain ends: a client may never stop sending."""

_MOST_TURNS: Final = 64
"""Turns that a drain may take even if it takes longer: the machine may be busy.

With 16 turns, half of 2 MB that a client had written before the end of a broker was not read.
"""

_QUIET_TURNS: Final = 3
"""How many consecutive turns must read nothing.

The first poll after the call reads the octets in the kernel; the rest of a large message, which is
still in the client's socket buffer, comes with later polls. With 1 turn, 10 of 400 looks at 300 kB
came too early (benchmarks/looks.py).
"""


class Reading(Protocol):
    """What a drain asks of a server."""

    @property
    def activity(self) -> int:
        """A number that grows whenever a client arrives, sends or leaves."""
        ...

    def awaits_octets(self) -> bool:
        """Return whether a client has sent only a part of a message so far."""
        ...


class _Drain:
    """One drain, from turn to turn of the loop."""

    __slots__ = ("_deadline", "_loop", "_quiet_turns", "_seen", "_server", "_then", "_turns")

    def __init__(
        self, loop: AbstractEventLoop, server: Reading, then: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._server = server
        self._then = then
        self._deadline = time.monotonic() + LONGEST
        self._seen = server.activity
        self._turns = 0
        self._quiet_turns = -1  # this turn's own poll came before the call

    def turn(self) -> None:
        """End the drain, or wait for the next turn."""
        activity = self._server.activity
        self._quiet_turns = 0 if activity != self._seen else self._quiet_turns + 1
        self._seen = activity
        self._turns += 1
        is_quiet = self._quiet_turns >= _QUIET_TURNS and not self._server.awaits_octets()
        if is_quiet or (self._turns > _MOST_TURNS and time.monotonic() >= self._deadline):
            self._then()
        else:
            self._loop.call_soon(self.turn)


def drain(loop: AbstractEventLoop, server: Reading, then: Callable[[], object]) -> None:
    """Let a loop read the octets that clients have sent, and then call a function.

    Call it in the loop's thread. After at most 64 turns and 10 ms the function is called in any case.

    Args:
        loop: The running loop.
        server: The server, whose sockets are read.
        then: The function.
    """
    _Drain(loop, server, then).turn()
