"""How the socket of a connection that is over comes to its end.

The client is to close it. A client that was told why gets some time for that, one that was told
nothing has to wait for nothing, and one that answers our close is done with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ammoo_wire import ConnectionState

if TYPE_CHECKING:
    from ammoo_wire import ServerProtocol

    from ..node.limits import Limits
    from .timers import Timers
    from .transport import Transport

__all__ = ["Closing"]

_PURPOSES = ("closing", "pause")


class Closing:
    """Closes the socket of one connection when that is due.

    Args:
        protocol: The connection's state.
        transport: The socket.
        timers: The connection's timers.
        limits: How long a client has.
    """

    def __init__(
        self,
        protocol: ServerProtocol,
        transport: Transport,
        timers: Timers,
        limits: Limits,
    ) -> None:
        self._protocol = protocol
        self._transport = transport
        self._timers = timers
        self._limits = limits

    def follow(self) -> None:
        """Close the socket, now or later; to be called whenever something has changed.

        What the client sends meanwhile does not make the time longer.
        """
        protocol, limits = self._protocol, self._limits
        was_told = protocol.close_sent is not None or not protocol.login_pause
        if protocol.state is ConnectionState.CLOSED and was_told:
            self._transport.close()
            self._abort_in("closing", limits.closing_timeout)
            return
        self._abort_in("closing", self._time_to_answer())
        if protocol.login_pause or protocol.has_lost_framing:
            self._abort_in("pause", limits.login_pause)

    def _time_to_answer(self) -> float:
        """Return the seconds that a client has: no more than a heartbeat's interval."""
        timeout, interval = self._limits.closing_timeout, self._protocol.heartbeat_interval
        return min(timeout, interval) if interval else timeout

    def _abort_in(self, purpose: str, delay: float) -> None:
        if not self._timers.is_waiting(purpose):
            self._timers.call_later(purpose, delay, self._transport.abort)

    def stop(self) -> None:
        """Close nothing any more: the socket is gone."""
        for purpose in _PURPOSES:
            self._timers.cancel(purpose)
