"""When to send a heartbeat, and when the peer is gone (section 4.2.7); without a clock.

The shell reports the time of every read and write, and calls `check` at `next_check`.
RabbitMQ's rule: send a heartbeat when nothing was sent for half the interval; the
peer is gone when nothing came for twice the interval. Any traffic counts.
"""

from enum import Enum

__all__ = ["Heartbeat", "HeartbeatVerdict"]


class HeartbeatVerdict(Enum):
    """The verdict of a check.

    ::

        heartbeat = Heartbeat(interval=60, now=0)
        assert heartbeat.check(now=10) is HeartbeatVerdict.NOTHING
        assert heartbeat.check(now=30) is HeartbeatVerdict.SEND
        assert heartbeat.check(now=120) is HeartbeatVerdict.PEER_GONE
    """

    NOTHING = "nothing"
    SEND = "send"
    """Send a heartbeat now."""
    PEER_GONE = "peer gone"
    """Close the socket: the peer has been silent for too long."""


class Heartbeat:
    """Watches the traffic of one connection.

    ::

        heartbeat = Heartbeat(interval=60, now=time.monotonic())
        if heartbeat.check(time.monotonic()) is HeartbeatVerdict.SEND:
            protocol.send_heartbeat()

    Args:
        interval: The interval that the peers have agreed on, in seconds, above 0. If they have
            agreed on 0 there are no heartbeats, and there is nothing to watch.
        now: The time, in seconds of a clock of the caller's.

    Raises:
        ValueError: The interval is not above 0.

    Attributes:
        timeout: How long the peer may be silent, in seconds.
    """

    __slots__ = ("_received", "_send_after", "_sent", "timeout")

    def __init__(self, interval: float, now: float) -> None:
        if not interval > 0:
            raise ValueError(
                f"interval is {interval!r}; expected seconds above 0: peers that have agreed on 0"
                " send no heartbeats"
            )
        self.timeout: float = 2 * interval
        self._send_after = interval / 2
        self._received = now
        self._sent = now

    def data_received(self, now: float) -> None:
        """Record that something was read.

        Args:
            now: The time, as in `Heartbeat`.
        """
        self._received = now

    def data_sent(self, now: float) -> None:
        """Record that something was written.

        Args:
            now: The time, as in `Heartbeat`.
        """
        self._sent = now

    def next_check(self) -> float:
        """Return the time at which to call `check` next, if nothing is read or written before."""
        return min(self._sent + self._send_after, self._received + self.timeout)

    def check(self, now: float) -> HeartbeatVerdict:
        """Return whether a heartbeat is due, or the peer is gone.

        Args:
            now: The time, as in `Heartbeat`.
        """
        if now >= self._received + self.timeout:
            return HeartbeatVerdict.PEER_GONE
        if now >= self._sent + self._send_after:
            return HeartbeatVerdict.SEND
        return HeartbeatVerdict.NOTHING
