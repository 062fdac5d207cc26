"""When to send a heartbeat, and when the peer is gone (section 4.2.7); without a clock.

The shell tells the time of every read and write, and asks at `next_check`.
RabbitMQ's rule: send one when nothing was sent for half the interval; give the
peer up when nothing came for twice the interval. Any traffic counts.
"""

from enum import Enum

__all__ = ["Heartbeat", "HeartbeatVerdict"]


class HeartbeatVerdict(Enum):
    """What a check found to be due."""

    NOTHING = "nothing"
    SEND = "send"
    PEER_GONE = "peer gone"


class Heartbeat:
    """Watches the traffic of one connection.

    Args:
        interval: The negotiated interval in seconds, above 0.
        now: The time, in seconds of whatever clock.

    Attributes:
        timeout: For how many seconds the peer may be silent.
    """

    __slots__ = ("_received", "_send_after", "_sent", "timeout")

    def __init__(self, interval: float, now: float) -> None:
        self.timeout: float = 2 * interval
        self._send_after = interval / 2
        self._received = now
        self._sent = now

    def data_received(self, now: float) -> None:
        """Take note that something was read."""
        self._received = now

    def data_sent(self, now: float) -> None:
        """Take note that something was written."""
        self._sent = now

    def next_check(self) -> float:
        """Tell when to call `check` next, if nothing is read or written before."""
        return min(self._sent + self._send_after, self._received + self.timeout)

    def check(self, now: float) -> HeartbeatVerdict:
        """Tell what is due."""
        if now >= self._received + self.timeout:
            return HeartbeatVerdict.PEER_GONE
        if now >= self._sent + self._send_after:
            return HeartbeatVerdict.SEND
        return HeartbeatVerdict.NOTHING
