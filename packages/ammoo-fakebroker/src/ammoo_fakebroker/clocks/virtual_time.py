"""An event loop whose time is virtual: it jumps to the next timer instead of waiting for it.

A test of hours takes milliseconds in it, if it waits only for timers and for other tasks of the loop.
It must not wait for anything outside the loop, except for calls in threads (`asyncio.to_thread`):
while such a call runs, the loop uses real time.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["VirtualTimeLoop"]

_Result = TypeVar("_Result")


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that does not wait: it polls once, and reports how long it should have waited."""

    def __init__(self, may_jump: Callable[[], bool], jump: Callable[[float], None]) -> None:
        super().__init__()
        self._may_jump = may_jump
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the ready files; if there are none, jump over the time to wait."""
        if timeout is None or not self._may_jump():
            return self._wait(timeout)
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not ready and timeout > 0:
            self._jump(timeout)
        return ready

    def _wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        began = time.monotonic()
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
        self._jump(time.monotonic() - began)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time.

    Its time begins at 0 and stands still while tasks run. When all tasks wait, it jumps to the next
    timer. A broker that runs in it (``async with FakeBroker()``) follows it with all of its times:
    times to live, heartbeats and time-outs. Clients connect to the broker in memory
    (`FakeBroker.open_transport`). Over sockets octets need real time, and the loop would jump past
    heartbeats meanwhile.

    Example::

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(main())
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._calls_in_threads = 0
        super().__init__(_JumpingSelector(lambda: not self._calls_in_threads, self._jump))

    def time(self) -> float:
        """Return the virtual seconds since the loop was created."""
        return self._now

    def _jump(self, seconds: float) -> None:
        self._now += seconds

    def run_in_executor(  # type: ignore[override]  # the base class speaks in TypeVarTuples
        self, executor: Any, func: Callable[..., _Result], *args: Any
    ) -> asyncio.Future[_Result]:
        """Call a function in a thread; until it returns, the loop uses real time.

        Args:
            executor: The executor; None for the loop's default.
            func: The function.
            args: Its arguments.
        """
        call: asyncio.Future[_Result] = super().run_in_executor(executor, func, *args)
        self._calls_in_threads += 1
        call.add_done_callback(self._end_call)
        return call

    def _end_call(self, call: asyncio.Future[Any]) -> None:
        self._calls_in_threads -= 1
