"""The heartbeats of a connection: sending them, and detecting that the server sends none.

`ammoo_wire.Heartbeat` has the rule; this module applies it with timers. See
https://www.rabbitmq.com/docs/heartbeats
"""

import asyncio
from typing import Protocol

from ammoo_wire import Heartbeat, HeartbeatVerdict

__all__ = ["BeatingTransport", "Heartbeats"]


class BeatingTransport(Protocol):
    """The transport, as its heartbeats see it."""

    is_paused: bool
    is_reading: bool

    def resume_reading(self) -> None:
        """Read again, at once."""

    def send_heartbeat(self) -> None:
        """Send a heartbeat, unless the socket's buffer is full."""

    def heartbeat_timed_out(self, timeout: float) -> None:
        """End the connection: the server has sent nothing for so many seconds."""


class Heartbeats:
    """Sends heartbeats, and watches for those of the server, until it is stopped.

    Args:
        loop: The event loop.
        interval: The negotiated interval in seconds, above 0.
        transport: The transport to watch; it reports its reads and writes to `rule`.

    Attributes:
        rule: Knows when octets were last received and sent.
    """

    __slots__ = ("_loop", "_timer", "_transport", "rule")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, interval: int, transport: BeatingTransport
    ) -> None:
        self.rule: Heartbeat = Heartbeat(interval, loop.time())
        self._loop = loop
        self._transport = transport
        self._timer: asyncio.TimerHandle = loop.call_at(self.rule.next_check(), self._check)

    def stop(self) -> None:
        """Stop sending and watching."""
        self._timer.cancel()

    def _check(self) -> None:
        rule, transport, now = self.rule, self._transport, self._loop.time()
        if not transport.is_reading:
            rule.data_received(now)  # the client does not read, so silence proves nothing
            if transport.is_paused:
                # Nothing can be sent either, so read. Otherwise the client would never learn that
                # the server is gone, has blocked the connection, or waits until it can write itself.
                transport.resume_reading()
        verdict = rule.check(now)
        if verdict is HeartbeatVerdict.PEER_GONE:
            transport.heartbeat_timed_out(rule.timeout)
            return
        if verdict is HeartbeatVerdict.SEND:
            transport.send_heartbeat()
            rule.data_sent(now)
        if not self._timer.cancelled():  # writing the heartbeat may have ended the connection
            self._timer = self._loop.call_at(rule.next_check(), self._check)
