"""Calling a handler for each message of a consumer, a limited number at a time.

A run has as many tasks as handlers may run at once, and none for each message. Each task takes
a message from the consumer, handles it, and takes the next one. With ``ordered_by`` a task
that has taken a message whose key is being handled leaves it to the task that handles the key.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Final, TypeAlias

from ..exceptions.base import AmmooError
from ..exceptions.channel import ClientClosedChannelOK
from ..exceptions.connection import ClientClosedConnectionOK
from ..messages import DeliverMessage
from .keyed_backlog import KeyedBacklog
from .processing import OnError, checked_policy

if TYPE_CHECKING:
    from ..consumer import Consumer

__all__ = ["MOST_FAILURES", "Handler", "Key", "Run"]

Handler: TypeAlias = Callable[[DeliverMessage], Awaitable[object]]
Key: TypeAlias = Callable[[DeliverMessage], Hashable]

MOST_FAILURES: Final = 100
"""How many exceptions of handlers a run keeps; it counts the others."""


class Run:
    """One call of `Consumer.run`.

    Args:
        consumer: Where the messages come from.
        handler: What is awaited for each message.
        concurrency: How many handlers may run at once.
        ordered_by: Returns a message's key; None if handlers run in any order.
        on_error: What becomes of a message whose handler has failed.
        fail_fast: Whether the first failure ends the run.

    Attributes:
        tasks: The tasks that call the handler.
    """

    def __init__(
        self,
        consumer: "Consumer",
        handler: Handler,
        concurrency: int,
        ordered_by: Key | None,
        on_error: OnError,
        *,
        fail_fast: bool,
    ) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._consumer = consumer
        self._handler = handler
        self._concurrency = checked_concurrency(concurrency, consumer.prefetch_count)
        self._ordered_by = ordered_by
        self._on_error = checked_policy(on_error)
        self._fail_fast = fail_fast
        self._backlog: KeyedBacklog[DeliverMessage] = KeyedBacklog()
        self._last: DeliverMessage | None = None  # the message that was taken last
        self._failures: list[Exception] = []
        self._failure_count = 0
        self._end: Exception | None = None
        self._is_over = False

    async def run(self) -> None:
        """Handle messages until the consumer ends.

        Raises:
            ExceptionGroup: Handlers have failed.
            Exception: What has ended the consumer, unless it was cancelled on purpose.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self.tasks.update(group.create_task(self._work()) for _ in range(self._concurrency))
        finally:
            self.give_back()
        if self._failures:
            raise self._failed()
        if self._end is not None:
            raise self._end

    def give_back(self) -> None:
        """Requeue the messages that wait behind another one with their key."""
        for message in self._backlog.take_all():
            message._give_back()

    def cancel(self) -> None:
        """Cancel the handlers that run, and handle no more messages."""
        self._is_over = True
        self.give_back()
        for task in self.tasks:
            task.cancel()

    # --- one task ---

    async def _work(self) -> None:
        """Handle messages, one after the other."""
        try:
            async for message in self._consumer:
                if self._ordered_by is None:
                    await self._handle(message)
                else:
                    await self._handle_in_order(message, self._ordered_by)
                if self._is_over:
                    return
        except Exception as error:  # noqa: BLE001  `run` raises it when the other tasks have ended
            self._end = error

    async def _handle_in_order(self, message: DeliverMessage, ordered_by: Key) -> None:
        """Handle a message and those of its key that come meanwhile, or leave it to their task."""
        self._drop_lost(message)
        try:
            key = ordered_by(message)
            is_first = self._backlog.begin(key, message)
        except Exception as error:  # noqa: BLE001  it is raised in the block, and collected
            await self._handle(message, error)
            return
        following: DeliverMessage | None = message if is_first else None
        try:
            while following is not None:
                await self._handle(following)
                following = self._next_of(key)
        except BaseException:
            self.give_back()
            raise

    def _next_of(self, key: Hashable) -> DeliverMessage | None:
        """Return the next message of a key that was not lost: the server delivers lost ones again."""
        following = self._backlog.next(key)
        while following is not None and following.is_stale:
            following = self._backlog.next(key)
        return following

    def _drop_lost(self, message: DeliverMessage) -> None:
        """Drop what waits if its channel was lost: the server delivers it again."""
        if self._last is not None and self._last.is_stale and not message.is_stale:
            self._backlog.take_all()
        self._last = message

    async def _handle(self, message: DeliverMessage, error: Exception | None = None) -> None:
        """Await the handler for a message, or raise an error in its place, and settle the message."""
        task = asyncio.current_task()
        assert task is not None
        try:
            async with message.process(on_error=self._on_error):
                if error is not None:
                    raise error
                await self._handler(message)
        except asyncio.CancelledError as cancelled:
            if task.cancelling():
                raise
            own = RuntimeError("the handler was cancelled by what it awaited; see its cause")
            own.__cause__ = cancelled
            self._add_failure(message, own)
        except Exception as failure:  # noqa: BLE001  `run` raises it in the end
            self._add_failure(message, failure)

    # --- failures ---

    def _add_failure(self, message: DeliverMessage, error: Exception) -> None:
        """Keep an exception of a handler; end the run if the first one is to do that."""
        if error is message._origin.closing_exc:  # the handler had no part in that
            is_on_purpose = isinstance(error, ClientClosedChannelOK | ClientClosedConnectionOK)
            if not is_on_purpose and self._consumer.closing_exc is not None:  # it is not recovered
                self._end = error
            return
        self._failure_count += 1
        if len(self._failures) < MOST_FAILURES:
            if not isinstance(error, AmmooError):  # one of these may be raised in many handlers
                error.add_note(f"raised by the handler of {message!r}")
            self._failures.append(error)
        if self._fail_fast:
            self.cancel()

    def _failed(self) -> "ExceptionGroup[Exception]":
        """Return all that is to be raised."""
        failures = [*self._failures, *([] if self._end is None else [self._end])]
        kept = len(self._failures)
        count = self._failure_count
        hint = f"; the first {kept} are here" if count > kept else ""
        handlers = "1 handler has" if count == 1 else f"{count} handlers have"
        return ExceptionGroup(
            f"{handlers} failed on queue {self._consumer.queue_name!r}{hint}", failures
        )


def checked_concurrency(concurrency: int, prefetch_count: int) -> int:
    """Return how many handlers may run at once.

    Raises:
        ValueError: The prefetch limit is not at least twice as many.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency!r}; expected at least 1")
    if prefetch_count < 2 * concurrency:
        limit = f"is {prefetch_count}" if prefetch_count else "is not set"
        raise ValueError(
            f"concurrency={concurrency} needs a prefetch_count of at least {2 * concurrency}, so that"
            f" a message is there when a handler ends; prefetch_count {limit}: call"
            f" channel.qos(prefetch_count={2 * concurrency}) before the consumer is started"
        )
    return concurrency
