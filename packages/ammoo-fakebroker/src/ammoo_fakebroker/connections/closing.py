"""When the socket of an ended connection is closed.

The client should close the socket, and has some time for it after a connection.close. When it has
answered with connection.close-ok, the broker closes the socket at once. If a login is refused without
connection.close, the broker waits before it closes the socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ammoo_wire import ConnectionState

if TYPE_CHECKING:
    from ammoo_wire import ServerProtocol

    from ..node.limits import Limits
    from .timers import Timers
    from .transport import Transport

__all__ = ["Closing", "describe_end"]

_PURPOSES = ("closing", "pause")


class Closing:
    """Closes the socket of one connection when it is time.

    Args:
        protocol: The connection's protocol.
        transport: The connection's transport.
        timers: The connection's timers.
        limits: The node's time-outs.
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
        """Close the socket, now or later; call it on each change of the protocol's state.

        Octets from the client do not prolong the time.
        """
        protocol, limits = self._protocol, self._limits
        is_announced = protocol.close_sent is not None or not protocol.login_pause
        if protocol.state is ConnectionState.CLOSED and is_announced:
            self._transport.close()
            self._abort_in("closing", limits.closing_timeout)
            return
        self._abort_in("closing", self._time_to_answer())
        if protocol.login_pause or protocol.has_lost_framing:
            self._abort_in("pause", limits.login_pause)

    def _time_to_answer(self) -> float:
        """Return the seconds within which a client must close: at most a heartbeat interval."""
        timeout, interval = self._limits.closing_timeout, self._protocol.heartbeat_interval
        return min(timeout, interval) if interval else timeout

    def _abort_in(self, purpose: str, delay: float) -> None:
        if not self._timers.was_started(purpose):
            self._timers.call_later(purpose, delay, self._transport.abort)

    def stop(self) -> None:
        """Cancel the timers, because the socket is closed."""
        for purpose in _PURPOSES:
            self._timers.cancel(purpose)


def describe_end(protocol: ServerProtocol) -> dict[str, Any]:
    """Return the details of the event connection_closed: which side closed, the code and the text."""
    sent, received = protocol.close_sent, protocol.close_received
    if sent is None and received is None:
        return {"by": "network"}
    close = received if sent is None else sent
    assert close is not None
    return {
        "by": "client" if sent is None else "broker",
        "code": int(close.reply_code),
        "text": close.reply_text,
    }
