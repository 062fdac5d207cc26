"""A guard that logs which code blocks the event loop.

A blocked loop sends no heartbeats, and the server then closes the connection. At that time the
code that blocked the loop may have returned. Therefore a thread watches the loop, and logs the
stack of the loop's thread while the loop is blocked: once for each stall.
"""

import asyncio
import logging
import sys
import threading
import time
import traceback
from typing import Final

__all__ = ["StallGuard", "StallWatch"]

CHECKS_IN_LIMIT: Final = 4
"""How often the thread checks the loop within the time limit."""

log: Final = logging.getLogger("ammoo")


class StallWatch:
    """Knows when the loop has last turned, and whether the present stall was reported.

    Args:
        limit: After how many seconds without a turn the loop counts as stalled.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._last_turn = 0.0
        self._reported_turn: float | None = None

    def turned(self, now: float) -> None:
        """Record that the loop has turned."""
        self._last_turn = now

    def stalled_for(self, now: float) -> float | None:
        """Return how long the loop has not turned, in seconds; None if there is no new stall."""
        # The loop's thread may change the turn meanwhile, so it is read once.
        last_turn = self._last_turn
        stalled = now - last_turn
        if stalled < self._limit or last_turn == self._reported_turn:
            return None
        self._reported_turn = last_turn
        return stalled


class StallGuard:
    """Watches over the running event loop, from a thread.

    Args:
        loop: The event loop, which runs in the calling thread.
        heartbeat_interval: The connection's heartbeat interval in seconds; above 0.
        share: The share of that interval after which a stall is logged.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, heartbeat_interval: float, share: float
    ) -> None:
        self._loop = loop
        self._heartbeat_interval = heartbeat_interval
        self._pause = heartbeat_interval * share / CHECKS_IN_LIMIT
        self._watch = StallWatch(heartbeat_interval * share)
        self._loop_thread = threading.get_ident()
        self._is_closed = threading.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._thread = threading.Thread(
            target=self._watch_loop, name="ammoo stall guard", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self._turn()
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._is_closed.set()
        if self._timer is not None:
            self._timer.cancel()
        self._thread.join()

    def _turn(self) -> None:
        self._watch.turned(time.monotonic())
        self._timer = self._loop.call_later(self._pause, self._turn)

    def _watch_loop(self) -> None:
        while not self._is_closed.wait(self._pause):
            stalled = self._watch.stalled_for(time.monotonic())
            if stalled is not None:
                self._report(stalled)

    def _report(self, stalled: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        stack = "" if frame is None else "".join(traceback.format_stack(frame))
        # The loop last turned `stalled` seconds ago. Heartbeats are due twice an interval; the
        # server closes the connection after two intervals of silence.
        left = max(0.0, 2 * self._heartbeat_interval - stalled)
        log.warning(
            "the event loop has been blocked for %.1f s and sends no heartbeats; the server closes"
            " the connection in about %.0f s (heartbeat_interval is %g s). The loop's thread is"
            " at:\n%s",
            stalled,
            left,
            self._heartbeat_interval,
            stack,
        )
