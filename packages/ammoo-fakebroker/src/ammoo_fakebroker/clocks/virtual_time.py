"""An event loop whose time is virtual: it jumps to the next timer instead of waiting for it.

A test of hours takes milliseconds in it, if it waits only for timers and for other tasks of the loop.
It must not wait for anything outside the loop, except for calls in threads (`asyncio.to_thread`):
while such a call runs, the loop uses real time. If no timer is planned, the loop can only wait for
the outside; after some real time without anything from there it raises an error, and does not hang.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar

__all__ = ["VirtualTimeLoop"]

_Result = TypeVar("_Result")

LONGEST_WAIT: Final = 30.0
"""How long the loop waits for the outside if it has no timer, in seconds of real time."""
_SHOWN: Final = 5


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that does not wait: it polls once, and reports how long it should have waited.

    Args:
        may_jump: Returns whether the loop may jump; not while a call runs in a thread.
        jump: Called with the seconds that have passed, or are to be jumped over.
        describe_tasks: Returns which tasks wait, for the text of an error.
    """

    def __init__(
        self,
        may_jump: Callable[[], bool],
        jump: Callable[[float], None],
        describe_tasks: Callable[[], str],
    ) -> None:
        super().__init__()
        self._may_jump = may_jump
        self._jump = jump
        self._describe_tasks = describe_tasks

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the ready files; if there are none, jump over the time to wait.

        Raises:
            RuntimeError: There is no time to jump over, and no file was ready for a long time.
        """
        if not self._may_jump():
            return self._wait(timeout)
        if timeout is None:
            return self._wait(LONGEST_WAIT) or self._fail()
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not ready and timeout > 0:
            self._jump(timeout)
        return ready

    def _wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        began = time.monotonic()
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
        self._jump(time.monotonic() - began)
        return ready

    def _fail(self) -> NoReturn:
        raise RuntimeError(
            "nothing ends this wait: the VirtualTimeLoop has no timer to jump to, and nothing came"
            f" from outside of it for {LONGEST_WAIT:g} s; waiting: {self._describe_tasks()}"
        )


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time.

    Its time begins at 0 and stands still while tasks run. When all tasks wait, it jumps to the next
    timer. A broker that runs in it (``async with FakeBroker()``) follows it with all of its times:
    times to live, heartbeats and time-outs. Clients connect to the broker in memory
    (`FakeBroker.open_transport`). Over sockets octets need real time, and the loop would jump past
    heartbeats meanwhile. If all tasks wait and there is no timer, the loop raises RuntimeError after
    30 s of real time; the text names the tasks.

    Example::

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(main())
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._calls_in_threads = 0
        super().__init__(
            _JumpingSelector(
                lambda: not self._calls_in_threads, self._jump, lambda: _describe_tasks(self)
            )
        )

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


def _describe_tasks(loop: VirtualTimeLoop) -> str:
    """Return the names of the tasks that wait, the oldest first, and where each waits."""
    tasks = sorted(
        asyncio.all_tasks(loop), key=lambda task: (len(task.get_name()), task.get_name())
    )
    lines = []
    for task in tasks[:_SHOWN]:
        frames = task.get_stack(limit=1)
        code = frames[0].f_code if frames else None
        where = f" in {code.co_qualname}(), line {frames[0].f_lineno}" if code else ""
        lines.append(task.get_name() + where)
    more = f" and {len(tasks) - _SHOWN} more" if len(tasks) > _SHOWN else ""
    return ", ".join(lines) + more
