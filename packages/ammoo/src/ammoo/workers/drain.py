"""The orderly end of a consumer, in the order that loses and repeats the least.

1. Return no more messages to the program.
2. Send basic.cancel.
3. Requeue the messages that are unread, and those that still arrive.
4. Wait for the handlers.
5. When the time is over, cancel them, wait a moment, and requeue their messages.
6. Flush publishers in the time that is left, and give up the messages that have no outcome then.
7. Await an answer on the channel: the server has then processed the acknowledgements before it,
   which have no answers.

The drain requeues messages before it closes the channel, because a quorum queue counts a message
that is unacked at the close as a failed delivery.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from ..channel_lifetime import ChannelLifetime
from ..exceptions.base import OperationTimeout
from ..exceptions.channel import ChannelClosed, ClientClosedChannelOK
from ..exceptions.connection import ConnectionClosed
from ..live.channel import LiveChannel
from .ports import DrainedConsumer

if TYPE_CHECKING:
    from .run import Run

__all__ = ["Drain", "Flushable"]

CANCEL_TIMEOUT: Final = 5.0
"""How long the server may take to stop the consumer, in seconds."""
GRACE: Final = 1.0
"""How long cancelled handlers may take to end, in seconds; and publishers have at least as long."""
PROOF_TIMEOUT: Final = 5.0
"""How long the server may take for the last answer, in seconds."""


class Flushable(Protocol):
    """A publisher, which the drain flushes before it closes the channel."""

    async def flush(self) -> None:
        """Wait until all messages that were published before have their outcomes."""


@runtime_checkable
class Abandonable(Protocol):
    """A publisher whose messages the drain can give up, such as `Publisher`."""

    @property
    def sent(self) -> int:
        """The number of the newest message."""
        ...

    def _abandon(self, last: int) -> None:
        """Settle at once the messages up to a number that have no outcome."""


class Drain:
    """One call of `Consumer.drain`.

    Args:
        consumer: The consumer.
        lifetime: The lifetime of its channel.
        run: The run that calls the handler; None if the program reads the messages itself.
        seconds: How long to wait for handlers and publishers; None for no limit.
        publishers: The publishers to flush when the handlers have ended.

    Raises:
        RuntimeError: The caller is a handler of the consumer: the drain would wait for it.
    """

    def __init__(
        self,
        consumer: DrainedConsumer,
        lifetime: ChannelLifetime,
        run: "Run | None",
        seconds: float | None,
        publishers: Sequence[Flushable],
    ) -> None:
        if run is not None and asyncio.current_task() in run.tasks:
            raise RuntimeError(
                "a handler cannot drain its own consumer: the drain would wait for the handler;"
                " await consumer.cancel() instead, or drain the consumer in another task"
            )
        self._consumer = consumer
        self._lifetime = lifetime
        self._run = run
        self._seconds = seconds
        self._publishers = publishers
        self._is_alone = True
        self._is_hurried = False
        self._scope: asyncio.Timeout | None = None

    async def run(self) -> bool:
        """Drain the consumer.

        Returns:
            Whether all handlers have ended in time; messages of publishers do not count.

        Raises:
            Exception: The error of a publisher's flush; the channel is closed nevertheless.
        """
        live = self._consumer._inbox.live
        if live is None:
            return True
        began = asyncio.get_running_loop().time()
        self._lifetime.drains += 1
        self._is_alone = not self._is_channel_shared(live)
        try:
            stopped = self._consumer._begin_leaving(None)
            handlers = self._wait_for_handlers(live, stopped)
            is_in_time = await self._in_time(self._unless_hurried(self._seconds), handlers)
            if not is_in_time:
                await self._cancel_handlers(live)
            await self._flush_publishers(began)
        finally:
            self._lifetime.drains -= 1
            await self._await_proof()
        return is_in_time

    def hurry(self) -> None:
        """Stop the present wait: for handlers, for the end of cancelled ones, or for publishers.

        Publishers that are not being flushed yet still get a moment: outcomes of messages that
        handlers have published are usually there.
        """
        self._is_hurried = True
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(0)

    async def _wait_for_handlers(self, live: LiveChannel, stopped: asyncio.Event | None) -> None:
        """Wait until the server has stopped the consumer, and until all handlers have ended.

        If the program reads the messages itself, a message counts as handled when it is settled.
        On a channel with several consumers the drain cannot see whose message that is.
        """
        if stopped is not None:
            await live.consuming.wait_stopped(stopped, CANCEL_TIMEOUT)
        if self._run is not None and self._run.tasks:
            await asyncio.wait(self._run.tasks)
        if not self._is_alone:
            return
        await live.watch_settling().wait_settled(live.acknowledgements.unacked.held())

    async def _cancel_handlers(self, live: LiveChannel) -> None:
        """Cancel the handlers, and requeue the messages that are still being handled."""
        if self._run is not None:
            self._run.cancel()
        await self._in_time(self._unless_hurried(GRACE), self._wait_for_handlers(live, None))
        if self._is_alone and not self._consumer._is_on_stream:
            live.requeue(live.acknowledgements.unacked.held())

    async def _flush_publishers(self, began: float) -> None:
        """Flush all publishers, even if some of them fail; then raise their errors.

        The server may be down. Messages that were published before and have no outcome when the time
        is over are given up, and raised when the publisher is left or flushed. Those that were
        published since may belong to a consumer that another drain waits for.
        """
        errors: list[Exception] = []
        sent = [(each, each.sent) for each in self._publishers if isinstance(each, Abandonable)]
        if not await self._in_time(self._seconds_left(began), self._flush_each(errors)):
            for publisher, last in sent:
                publisher._abandon(last)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup(f"{len(errors)} publishers have failed", errors)

    def _seconds_left(self, began: float) -> float | None:
        if self._is_hurried:
            return GRACE
        if self._seconds is None:
            return None
        return max(GRACE, began + self._seconds - asyncio.get_running_loop().time())

    async def _flush_each(self, errors: list[Exception]) -> None:
        """Flush one publisher after the other, and collect their errors."""
        for publisher in self._publishers:
            try:
                await publisher.flush()
            except Exception as error:  # noqa: BLE001  it is raised when all are flushed
                errors.append(error)

    def _is_channel_shared(self, live: LiveChannel) -> bool:
        """Return whether another consumer uses the channel."""
        others = live.consumers.keys() - {self._consumer.consumer_tag}
        return bool(others) or self._lifetime.drains > 1

    def _unless_hurried(self, seconds: float | None) -> float | None:
        return 0 if self._is_hurried else seconds

    async def _in_time(self, seconds: float | None, waiting: Coroutine[Any, Any, None]) -> bool:
        """Await a coroutine for a limited time, or until `hurry`; return whether it has ended."""
        scope = asyncio.timeout(seconds)
        try:
            async with scope:
                self._scope = scope
                await waiting
        except TimeoutError:
            if not scope.expired():
                raise
            return False
        finally:
            self._scope = None
        return True

    async def _await_proof(self) -> None:
        """Close the channel, or await another answer on it if it is in use."""
        lifetime, live = self._lifetime, self._lifetime.live
        if lifetime.final is not None or live is None:
            return
        if not (lifetime.drains or self._is_channel_shared(live)):
            await lifetime.close(ClientClosedChannelOK(), PROOF_TIMEOUT)
        elif live.closing_exc is None:
            with suppress(OperationTimeout, TimeoutError, ChannelClosed, ConnectionClosed):
                async with asyncio.timeout(PROOF_TIMEOUT):
                    await live.set_flow(True)
