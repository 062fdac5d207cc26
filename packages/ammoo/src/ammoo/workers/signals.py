"""Draining consumers when a signal asks the process to end (SIGTERM, SIGINT).

The first signal begins the drain. The second one cancels the handlers at once, and gives publishers
one more second; or, if publishers are being flushed, it ends the flush. The third one has its
default action. Python's signal handler counts the signals, and not the event loop: the third one
ends a process even if its loop is stuck.
"""

import asyncio
import signal
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any, Final, Protocol, Self

from ..number_checks import check_time_limit
from .drain import Drain, Flushable

__all__ = ["DrainOnSignals", "Drainable", "drain_on_signals"]

DEFAULT_ACTIONS: Final = {signal.SIGINT: signal.default_int_handler}
"""The action of the third signal, where it is not the system's default."""


def drain_on_signals(
    *drainables: "Drainable",
    timeout: float | None = 20.0,
    signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
    publishers: Sequence[Flushable] = (),
) -> "DrainOnSignals":
    """Return a block in which a signal drains consumers, so that a process can end in order.

    ::

        async with channel.consume("orders") as consumer:
            async with ammoo.drain_on_signals(consumer, timeout=20):
                await consumer.run(handle, concurrency=10)

    The first signal drains the consumers; see `Consumer.drain`. A second signal ends a wait of the
    drain, as if its time were over: while handlers run, it cancels them; while publishers are
    flushed, it gives up the messages that have no outcome. A third signal has its default action,
    which ends the process.

    The drain ends iterations over the consumers, `Consumer.run` and `Consumer.batches`. Leaving the
    block waits for the end of the drain, and restores the previous handlers of the signals. If the
    caller is cancelled meanwhile, so is the drain.

    A callback of `loop.add_signal_handler` is called within the block, too. A program whose
    callback cancels its main task has to remove the callback first.

    Python handles signals in the main thread only; entering the block in another thread raises
    ValueError.

    Args:
        drainables: Consumers and the servers that `Channel.serve` returns; all of them entered.
        timeout: How long to wait for handlers and publishers, in seconds; 20 by default, None for
            no limit. The sender of the signal kills the process after some time: ``docker stop``
            after 10 s, Kubernetes after 30 s.
        signals: The signals; SIGTERM and SIGINT by default.
        publishers: Publishers that handlers use; the drain flushes them before it closes channels.
            Empty by default.
    """
    return DrainOnSignals(drainables, timeout, signals, publishers)


class Drainable(Protocol):
    """A consumer or an RPC server, which can be drained."""

    def _new_drain(self, seconds: float | None, publishers: Sequence[Flushable]) -> Drain: ...


class DrainOnSignals:
    """A block in which signals drain consumers; `drain_on_signals` returns it.

    Args:
        drainables: The consumers.
        seconds: How long to wait for their handlers; None for no limit.
        signals: The signals.
        publishers: The publishers to flush when the handlers have ended.
    """

    def __init__(
        self,
        drainables: Sequence[Drainable],
        seconds: float | None,
        signals: Sequence[signal.Signals],
        publishers: Sequence[Flushable],
    ) -> None:
        self._drainables = drainables
        self._seconds = check_time_limit("timeout", seconds)
        self._signals = signals
        self._publishers = publishers
        self._former: dict[signal.Signals, Any] = {}
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drains: list[Drain] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Handle the signals from now on.

        Raises:
            ValueError: This is not the main thread; Python handles signals only there.
        """
        self._loop = asyncio.get_running_loop()
        try:
            for each in self._signals:
                self._former[each] = signal.signal(each, self._received)
        except BaseException:
            self._restore()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for the drain, if it has begun, and restore the former handlers.

        Raises:
            Exception: The error of a publisher's flush, unless another exception leaves the block.
        """
        try:
            if self._task is not None:
                if exc is not None and not isinstance(exc, Exception):
                    self._task.cancel()
                await self._end_of(self._task)
        finally:
            self._restore()
        if self._task is not None and not self._task.cancelled():
            error = self._task.exception()
            if error is not None and exc is None:
                raise error
            if error is not None and exc is not None:
                exc.add_note(f"the drain has failed, too: {error!r}")

    async def _end_of(self, task: "asyncio.Task[None]") -> None:
        """Wait for the end of the drain; if the caller is cancelled, cancel the drain, too."""
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise

    def _restore(self) -> None:
        self._loop = None
        for each, former in self._former.items():
            # None: it was not installed by Python, and cannot be restored.
            signal.signal(each, signal.SIG_DFL if former is None else former)

    def _received(self, number: int, frame: FrameType | None) -> None:
        """Count a signal: begin the drain, cancel the handlers, or end the process."""
        self._count += 1
        if self._count > 2:
            signal.signal(number, DEFAULT_ACTIONS.get(signal.Signals(number), signal.SIG_DFL))
            signal.raise_signal(number)
        elif self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin if self._count == 1 else self._hurry)

    def _begin(self) -> None:
        if self._loop is not None:
            self._drains = [
                each._new_drain(self._seconds, self._publishers) for each in self._drainables
            ]
            self._task = self._loop.create_task(self._drain())

    def _hurry(self) -> None:
        for drain in self._drains:
            drain.hurry()

    async def _drain(self) -> None:
        # No TaskGroup: it would cancel all drains when one fails.
        results = await asyncio.gather(
            *(drain.run() for drain in self._drains), return_exceptions=True
        )
        errors = [each for each in results if isinstance(each, Exception)]
        if errors:
            raise ExceptionGroup(f"{len(errors)} of {len(results)} drains have failed", errors)
