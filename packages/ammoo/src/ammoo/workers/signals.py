"""Draining consumers when the process is asked to end (SIGTERM, SIGINT).

The first signal begins the drain. The second one cancels the handlers at once. The third one
has its default action, so that a process whose event loop is stuck can still be ended: signals
are counted where Python handles them, and not in the loop.
"""

import asyncio
import signal
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any, Final, Protocol, Self

from .drain import Drain, Flushable

__all__ = ["DrainOnSignals", "Drainable", "drain_on_signals"]

DEFAULT_ACTIONS: Final = {signal.SIGINT: signal.default_int_handler}
"""What the third signal does, where it is not the system's default action."""


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

    The first signal drains the consumers; see `Consumer.drain`. A second one, while handlers run,
    cancels them at once. A third one has its default action, which ends the process. What
    iterates over the consumers ends, and so do `Consumer.run` and `Consumer.batches`. Leaving the
    block waits for the end of the drain, and restores the handlers that the signals had before.
    What `loop.add_signal_handler` was given for a signal is called in the block as well, because the
    loop is woken by each signal: a program that cancels its main task there removes it first.
    Entering it raises ValueError in any other thread than the main one, which alone handles
    signals.

    Args:
        drainables: Consumers, and what `Channel.serve` returns, which are entered already.
        timeout: How long to wait for handlers, in seconds; 20 by default, None for no limit. What
            has sent the signal ends the process after some time: ``docker stop`` after 10 s,
            Kubernetes after 30 s.
        signals: The signals; SIGTERM and SIGINT by default.
        publishers: Publishers that handlers use, to be flushed before channels are closed; none
            by default.
    """
    return DrainOnSignals(drainables, timeout, signals, publishers)


class Drainable(Protocol):
    """What can be drained: a consumer, or a server of requests."""

    def _new_drain(self, seconds: float | None, publishers: Sequence[Flushable]) -> Drain: ...


class DrainOnSignals:
    """A block in which signals drain consumers; `drain_on_signals` returns it.

    Args:
        drainables: The consumers.
        seconds: How long to wait for their handlers; None for no limit.
        signals: The signals.
        publishers: What to flush when the handlers have ended.
    """

    def __init__(
        self,
        drainables: Sequence[Drainable],
        seconds: float | None,
        signals: Sequence[signal.Signals],
        publishers: Sequence[Flushable],
    ) -> None:
        self._drainables = drainables
        self._seconds = seconds
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
            ValueError: This is not the main thread, which alone handles signals.
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
            Exception: What flushing a publisher has raised, unless another exception leaves the
                block.
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
        """Wait for the end of the drain; cancel it with the caller, so that it is not left alone."""
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
        """Count a signal, and do what it asks for."""
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
        # No TaskGroup: one that fails must not cut short the others, whose handlers run.
        results = await asyncio.gather(
            *(drain.run() for drain in self._drains), return_exceptions=True
        )
        errors = [each for each in results if isinstance(each, Exception)]
        if errors:
            raise ExceptionGroup(f"{len(errors)} of {len(results)} drains have failed", errors)
