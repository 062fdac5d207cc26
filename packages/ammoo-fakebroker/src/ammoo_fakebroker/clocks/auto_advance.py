"""Time that moves by itself: a manual clock jumps to its next deadline while its brokers are idle.

The clock's brokers report whether they are idle, and which deadline is next. This module decides when
to jump, counts the jumps, and stops at a limit. It runs in a thread if the ``with`` block is in another
thread than the broker, and as a task if the block is in the broker's event loop.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, NoReturn, Self

from .clock import ManualClock

__all__ = ["AutoAdvance"]

_LOGGER = logging.getLogger("ammoo_fakebroker")
_IDLE_TURNS = 20
"""Turns of the event loop in which a broker has to be idle: clients need several for one step."""
_LOOKS = 4
"""Looks at which a broker in another thread has to be idle; they share the time that it needs."""
_LINES = 10
"""How many deadlines a report names, those that were met most often."""


class AutoAdvance:
    """Moves a clock while a block runs; see `FakeBroker.auto_advance`, which returns it.

    Args:
        clock: The clock.
        limit: How far to move it, in seconds.
        quiet_for: How long its brokers have to be idle, in real seconds.
        while_unacknowledged: Whether time passes while a consumer holds a message.
        give_up_after: How long the brokers may be idle at the limit, in real seconds.
        is_in_loop: Whether the block runs in the event loop of a broker on the clock.

    Attributes:
        moved: How far the clock was moved, in seconds.
        failure: What a function that fell due has raised, which has ended the moving.
    """

    def __init__(
        self,
        clock: ManualClock,
        *,
        limit: float,
        quiet_for: float,
        while_unacknowledged: bool,
        give_up_after: float,
        is_in_loop: bool,
    ) -> None:
        for name, value in {
            "limit": limit,
            "quiet_for": quiet_for,
            "give_up_after": give_up_after,
        }.items():
            if not value >= 0:
                raise ValueError(f"{name} is {value!r}; expected a number from 0 on, in seconds")
        self.moved: float = 0.0
        self.failure: BaseException | None = None
        self._clock = clock
        self._limit = limit
        self._quiet_for = quiet_for
        self._while_unacknowledged = while_unacknowledged
        self._give_up_after = give_up_after
        self._is_in_loop = is_in_loop
        self._mover: _ThreadMover | _TaskMover | None = None
        self._calls: Counter[str] = Counter()
        self._activity = -1
        self._deadline: float | None = None
        self._stopped_at: float | None = None
        self._gave_up = threading.Event()

    @property
    def has_given_up(self) -> bool:
        """Whether the clock has stood at the limit for too long."""
        return self._gave_up.is_set()

    @property
    def has_ended(self) -> bool:
        """Whether the clock is not moved any more."""
        return self.has_given_up or self.failure is not None

    def __enter__(self) -> Self:
        if self._mover is not None:
            raise RuntimeError("auto_advance is in force already; call it again for another block")
        self._clock._watch_calls(self._record)
        self._mover = (_TaskMover if self._is_in_loop else _ThreadMover)(self, self._quiet_for)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._mover is not None
        was_interrupted = self._mover.stop()
        self._clock._watch_calls(None)
        is_own = was_interrupted and isinstance(error, asyncio.CancelledError)
        if self.failure is not None and (error is None or is_own):
            self.failure.add_note(
                f"auto_advance ended after {self.moved:g} s: a function that fell due raised this"
            )
            _raise_as_it_was(self.failure)
        if self.has_given_up and (error is None or is_own):
            raise RuntimeError(self.report()) from None
        if error is not None:
            error.add_note(self._report_or_error())

    def _report_or_error(self) -> str:
        """Return the report; an error in it must not hide the exception of the block."""
        try:
            return self.report()
        except Exception as error:  # noqa: BLE001  it is in the note
            return f"auto_advance moved the clock by {self.moved:g} s; no report: {error!r}"

    def report(self) -> str:
        """Return how far the clock was moved, for which deadlines, and what it waits for."""
        observation, deadline = self._clock._observe(self._while_unacknowledged)
        text = f"auto_advance moved the clock by {self.moved:g} s"
        if self._stopped_at is not None:
            text += (
                f", and stopped there: the next deadline is beyond its limit of {self._limit:g} s"
            )
        if self.failure is not None:
            text += f", and ended: a function that fell due raised {self.failure!r}"
        lines = [text]
        for name, times in self._calls.most_common(_LINES):
            lines.append(f"  moved for: {name}" + (f" (x{times})" if times > 1 else ""))
        if deadline is not None:
            lines.append(f"  next deadline: in {deadline - self._clock.time():g} s")
        lines.append(f"  not idle: {observation.busy_with}" if observation.busy_with else "  idle")
        return "\n".join(lines)

    # -- for the movers ------------------------------------------------------------------------

    def look(self) -> bool:
        """Return whether the brokers are idle, and have read nothing since the last look."""
        before = self._activity
        try:
            observation, self._deadline = self._clock._observe(self._while_unacknowledged)
        except BaseException as error:  # noqa: BLE001  raised at the end of the block
            self.failure = error
            return False
        self._activity = observation.activity
        return observation.busy_with is None and before == observation.activity

    def jump(self) -> bool:
        """Move the clock to the next deadline.

        Returns:
            Whether it was moved: there is a deadline, the limit allows it, and no function that fell
            due has raised an error.
        """
        if self._deadline is None:
            return False
        way = max(self._deadline - self._clock.time(), 0.0)
        if self.moved + way > self._limit:
            self._stop()
            return False
        self._stopped_at = None
        try:
            self._clock.advance_to(self._deadline)
        except BaseException as error:  # noqa: BLE001  raised at the end of the block
            self.failure = error
            return False
        self.moved += way
        return True

    def _stop(self) -> None:
        """Record since when the clock stands at the limit."""
        now = time.monotonic()
        if self._stopped_at is None:
            self._stopped_at = now
            _LOGGER.warning("%s", self.report())
        if now - self._stopped_at >= self._give_up_after:
            self._gave_up.set()

    def _record(self, callback: Callable[[], object]) -> None:
        self._calls[_describe(callback)] += 1


def _raise_as_it_was(error: BaseException) -> NoReturn:
    """Raise an error with its own context, not with the exception that is handled here."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context


def _describe(callback: Any) -> str:
    """Return the owner of a function that fell due, and the first sentence about the function."""
    if isinstance(callback, partial):
        callback = callback.func
    owner = getattr(callback, "__self__", None)
    if owner is None:  # a plain function: its qualified name says what it is for
        name: str = getattr(callback, "__qualname__", repr(callback))
        return name.partition(".<locals>")[0]
    words = (inspect.getdoc(callback) or callback.__name__).partition("\n")[0].rstrip(".")
    return f"{_describe_owner(owner)}: {words[:1].lower()}{words[1:]}"


def _describe_owner(owner: object) -> str:
    """Return a fault as the call that made it, as its repr changes with each strike; else the repr."""
    describe: Callable[[object], str] = getattr(type(owner), "_describe_when_due", repr)
    try:
        return describe(owner)
    except Exception:  # noqa: BLE001  an object of the test, whose function must be called anyway
        return object.__repr__(owner)


class _ThreadMover:
    """Moves the clock from a separate thread, until it is stopped."""

    def __init__(self, auto_advance: AutoAdvance, quiet_for: float) -> None:
        self._auto_advance = auto_advance
        self._pause = quiet_for / _LOOKS
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._move, name="ammoo-fakebroker auto_advance", daemon=True
        )
        self._thread.start()

    def _move(self) -> None:
        auto_advance = self._auto_advance
        idle_looks = 0
        while not (self._ended.wait(self._pause) or auto_advance.has_ended):
            idle_looks = idle_looks + 1 if auto_advance.look() else 0
            if idle_looks >= _LOOKS:
                auto_advance.jump()
                idle_looks = 0

    def stop(self) -> bool:
        """Stop, and return False: a block of another thread cannot be interrupted."""
        self._ended.set()
        self._thread.join()
        return False


class _TaskMover:
    """Moves the clock from a task of the running loop, until it is stopped."""

    def __init__(self, auto_advance: AutoAdvance, quiet_for: float) -> None:
        self._auto_advance = auto_advance
        self._pause = quiet_for
        self._block = asyncio.current_task()
        self._cancelling = 0 if self._block is None else self._block.cancelling()
        self._has_interrupted = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        await self._move()
        if self._block is not None:
            self._has_interrupted = True
            self._block.cancel()

    async def _move(self) -> None:
        auto_advance = self._auto_advance
        while not auto_advance.has_ended:
            auto_advance.look()
            for _ in range(_IDLE_TURNS):
                await asyncio.sleep(0)
            if not (auto_advance.look() and auto_advance.jump()):
                await asyncio.sleep(self._pause)

    def stop(self) -> bool:
        """Stop; return whether this mover, and nothing else, has interrupted the block."""
        self._task.cancel()
        if not self._has_interrupted or self._block is None:
            return False
        return self._block.uncancel() <= self._cancelling
