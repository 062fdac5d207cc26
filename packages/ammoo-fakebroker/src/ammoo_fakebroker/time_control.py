"""Moving a broker's time: by a number of seconds, or from deadline to deadline while it is idle.

These are the methods of `FakeBroker` for its `ManualClock`; `clocks/auto_advance.py` moves it automatically.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from .call_checks import checks_arguments
from .clocks.auto_advance import AutoAdvance
from .clocks.clock import BackgroundClock, Clock, ManualClock, Observation, Timeline
from .network.idleness import busy_with

if TYPE_CHECKING:
    from .network.server import Server

__all__ = ["TimeControl", "network_clock"]


def network_clock(connection_time: object, timeline: Timeline | None, real_clock: Clock) -> Clock:
    """Return the clock of heartbeats and connection time-outs.

    Args:
        connection_time: The option of `FakeBroker`.
        timeline: The broker's time on a `ManualClock`, if it has one.
        real_clock: The time of the broker's event loop.

    Raises:
        ValueError: There is no such time.
    """
    if connection_time == "real":
        return real_clock
    if connection_time != "clock":
        raise ValueError(f"connection_time is {connection_time!r}; expected 'real' or 'clock'")
    if timeline is None:
        raise ValueError("connection_time='clock' needs a clock; give clock=ManualClock() as well")
    return BackgroundClock(timeline)


@checks_arguments
class TimeControl(ABC):
    """The methods that move a broker's time.

    Attributes:
        _server: The broker's server.
        _manual_clock: The clock that the broker was created with; None for real time.
    """

    _server: Server
    _manual_clock: ManualClock | None

    def advance(self, seconds: float) -> None:
        """Move the clock that the broker was created with, as `ManualClock.advance` does.

        When this returns, all brokers that share the clock have made the calls that fell due.

        Example::

            broker.advance(3600)  # FakeBroker(clock=ManualClock())

        Args:
            seconds: How far to move the clock, in seconds.

        Raises:
            RuntimeError: The broker runs in real time, or was stopped.
            ValueError: `seconds` is negative.
        """
        clock = self._clock_to_move()
        self._check_not_stopped()
        clock.advance(seconds)

    def auto_advance(
        self,
        limit: float = 3600.0,
        *,
        quiet_for: float = 0.005,
        while_unacknowledged: bool = False,
        give_up_after: float = 5.0,
    ) -> AutoAdvance:
        """Move the clock to the next deadline whenever the broker is idle, while a block runs.

        ::

            with broker.auto_advance(limit=7200):
                ...             # retries after 1, 10 and 60 minutes take 20 ms

        Deadlines are the ends of times to live, of queues that are not used (``x-expires``), of
        delayed messages and delayed retries. The clock moves to one deadline at a time. It never
        moves for a timer that only looks for something overdue (consumer timeout, retention).

        A broker is idle when it has answered all that it has read, all its output is written, no
        connection is opening or closing, no confirm is outstanding, and no consumer holds an
        unsettled message. Several brokers that share the clock have to be idle together. The
        delays of clients (``time.sleep``, a countdown in the client) stay real.

        Args:
            limit: How far to move the clock in the block, in seconds.
            quiet_for: How long the broker has to be idle, in real seconds. In the event loop in
                which the broker runs, 20 turns of the loop are enough instead.
            while_unacknowledged: Whether time passes while a consumer holds a message.
            give_up_after: How long the broker may be idle at the limit until the block fails, in
                real seconds: in the broker's event loop its task is interrupted; the block of
                another thread fails when it ends.

        Returns:
            A context manager. It raises RuntimeError, with a report, if time had to stop at the
            limit for `give_up_after` seconds, and what a function raised that fell due, such as one
            of `ManualClock.call_later`. To any other exception of the block it adds the report as a
            note.

        Raises:
            RuntimeError: The broker runs in real time, or does not run.
            ValueError: A number is negative.
        """
        clock = self._clock_to_move()
        self._check_running()
        return AutoAdvance(
            clock,
            limit=limit,
            quiet_for=quiet_for,
            while_unacknowledged=while_unacknowledged,
            give_up_after=give_up_after,
            is_in_loop=clock._runs_here(),
        )

    def _observe(self, while_unacknowledged: bool) -> Observation:
        """Return what the broker is doing; call it in the broker's thread."""
        return Observation(
            self._server.activity,
            busy_with(self._server, while_unacknowledged=while_unacknowledged),
        )

    @abstractmethod
    def _check_not_stopped(self) -> None:
        """Raise a RuntimeError if the broker was stopped."""

    @abstractmethod
    def _check_running(self) -> None:
        """Raise a RuntimeError if the broker does not run."""

    def _clock_to_move(self) -> ManualClock:
        if self._manual_clock is None:
            raise RuntimeError(
                "the broker runs in real time; create it with clock=ManualClock() to move its time"
            )
        return self._manual_clock
