"""Calling a handler for each message of a consumer, a limited number at a time.

A run starts one task for each handler that may run at once; it starts none for a message. Each
task reads a message from the consumer, handles it, and reads the next one. With ``ordered_by``, a
task may read a message whose key another task is handling; it leaves the message to that task.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from inspect import isawaitable, iscoroutinefunction
from typing import Final, TypeAlias, TypeVar

from ..exceptions.base import AmmooError
from ..exceptions.channel import ClientClosedChannelOK
from ..exceptions.connection import ClientClosedConnectionOK
from ..messages import DeliverMessage
from ..number_checks import check_whole_number
from .keyed_backlog import KeyedBacklog
from .ports import ReadConsumer
from .processing import OnError, checked_policy

__all__ = ["MOST_FAILURES", "Handler", "Key", "Run", "checked_handler"]

Handler: TypeAlias = Callable[[DeliverMessage], Awaitable[object]]
"""An async function that takes a message."""
Key: TypeAlias = Callable[[DeliverMessage], Hashable]
"""A function that returns the key of a message; see `Consumer.run`."""

ResultT = TypeVar("ResultT")

MOST_FAILURES: Final = 100
"""How many exceptions of handlers a run keeps and logs; after these it logs each hundredth."""

log: Final = logging.getLogger("ammoo.workers")


class _NothingToAwaitError(Exception):
    """The handler has returned something else than an awaitable; its text says what."""


class Run:
    """One call of `Consumer.run`.

    Args:
        consumer: The consumer that receives the messages.
        handler: The coroutine function that the run awaits for each message.
        concurrency: How many handlers may run at once.
        ordered_by: Returns a message's key; None if handlers run in any order.
        on_error: What to do with a message whose handler has failed.
        fail_fast: Whether the first failure ends the run.

    Attributes:
        tasks: The tasks that call the handler.
    """

    def __init__(
        self,
        consumer: ReadConsumer,
        handler: Handler,
        concurrency: int,
        ordered_by: Key | None,
        on_error: OnError,
        *,
        fail_fast: bool,
    ) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._consumer = consumer
        self._handler = checked_handler(handler)
        self._concurrency = checked_concurrency(concurrency, consumer.prefetch_count)
        self._ordered_by = ordered_by
        self._on_error: OnError = checked_policy(on_error)
        self._fail_fast = fail_fast
        self._backlog: KeyedBacklog[DeliverMessage] = KeyedBacklog()
        self._last: DeliverMessage | None = None  # the message that a task has read last
        self._failures: list[Exception] = []
        self._failure_count = 0
        self._end: Exception | None = None
        self._is_over = False

    async def run(self) -> None:
        """Handle messages until the consumer ends.

        Raises:
            ExceptionGroup: Handlers have failed.
            Exception: The error that ended the consumer, unless the program cancelled it.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._concurrency):
                    if not self._is_over:  # a task factory may have run those before at once
                        self.tasks.add(group.create_task(self._work()))
        finally:
            self.give_back()
        if self._failures:
            raise self._failed()
        if self._end is not None:
            raise self._end

    def give_back(self) -> None:
        """Requeue the messages that wait behind another one with the same key."""
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
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)  # a task factory may have started it before `run` has it
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
        """Handle a message and later ones with its key; if another task has the key, leave it."""
        self._drop_lost(message)
        try:
            key = ordered_by(message)
            is_first = self._begin_key(key, message)
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

    def _begin_key(self, key: Hashable, message: DeliverMessage) -> bool:
        """Begin a key with a message, or let it wait; return whether it is to be handled now.

        Raises:
            TypeError: The key is not hashable.
        """
        try:
            return self._backlog.begin(key, message)
        except TypeError as error:
            raise TypeError(
                f"ordered_by returned a key of type {type(key).__name__} that is not hashable"
                f" ({error}); expected a key such as a str, or bytes(message.body)"
            ) from error

    def _next_of(self, key: Hashable) -> DeliverMessage | None:
        """Return the next message of a key; skip lost ones, which the server delivers again."""
        following = self._backlog.next(key)
        while following is not None and following.is_stale:
            following = self._backlog.next(key)
        return following

    def _drop_lost(self, message: DeliverMessage) -> None:
        """Drop the messages that wait if their channel was lost: the server delivers them again."""
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
        except _NothingToAwaitError as mistake:  # with all messages, so the run cannot go on
            self._end = TypeError(str(mistake))
            self.cancel()
        except Exception as failure:  # noqa: BLE001  `run` raises it in the end
            self._add_failure(message, failure)

    # --- failures ---

    def _add_failure(self, message: DeliverMessage, error: Exception) -> None:
        """Keep a handler's exception; with `fail_fast`, end the run."""
        if error is message._origin.closing_exc:  # the handler is not at fault
            is_on_purpose = isinstance(error, ClientClosedChannelOK | ClientClosedConnectionOK)
            has_ended = self._consumer.closing_exc is not None  # recovery does not bring it back
            if has_ended and not is_on_purpose:
                self._end = error
            return
        self._failure_count += 1
        if len(self._failures) < MOST_FAILURES:
            if not isinstance(error, AmmooError):  # an AmmooError may be raised in many handlers
                error.add_note(f"raised by the handler of {message!r}")
            self._failures.append(error)
        if self._fail_fast:
            self.cancel()
        else:
            self._log(message, error)

    def _log(self, message: DeliverMessage, error: Exception) -> None:
        """Log a failure: the run raises it only in the end, and not at all if it is cancelled."""
        count = self._failure_count
        if count <= MOST_FAILURES:
            log.error("the handler of %r has failed", message, exc_info=error)
        elif not count % MOST_FAILURES:
            log.error(
                "%d handlers have failed on queue %r, the last one with %r",
                count,
                self._consumer.queue_name,
                error,
            )

    def _failed(self) -> "ExceptionGroup[Exception]":
        """Return the failures as one exception group."""
        failures = [*self._failures, *([] if self._end is None else [self._end])]
        kept = len(self._failures)
        count = self._failure_count
        hint = f"; the first {kept} are here" if count > kept else ""
        handlers = "1 handler has" if count == 1 else f"{count} handlers have"
        return ExceptionGroup(
            f"{handlers} failed on queue {self._consumer.queue_name!r}{hint}", failures
        )


def checked_handler(
    handler: Callable[[DeliverMessage], Awaitable[ResultT]],
) -> Callable[[DeliverMessage], Awaitable[ResultT]]:
    """Return a handler that raises `_NothingToAwaitError` if what it returns cannot be awaited.

    A coroutine function is returned as it is: its coroutines can be awaited.

    Raises:
        TypeError: It cannot be called.
    """
    if not callable(handler):
        raise TypeError(f"handler is {handler!r}; expected an async function")
    if iscoroutinefunction(handler) or iscoroutinefunction(type(handler).__call__):
        return handler

    async def handle(message: DeliverMessage) -> ResultT:
        returned: object = handler(message)
        if not isawaitable(returned):
            message._give_back()
            raise _NothingToAwaitError(
                f"handler {handler!r} returned {returned!r}, which cannot be awaited; expected an"
                " async function"
            )
        result: ResultT = await returned
        return result

    return handle


def checked_concurrency(concurrency: int, prefetch_count: int) -> int:
    """Return how many handlers may run at once if the prefetch limit allows it.

    Raises:
        ValueError: The prefetch limit is less than twice as high.
    """
    check_whole_number("concurrency", concurrency, least=1)
    if prefetch_count < 2 * concurrency:
        limit = f"is {prefetch_count}" if prefetch_count else "is not set"
        raise ValueError(
            f"concurrency={concurrency} needs a prefetch_count of at least {2 * concurrency}, so that"
            f" a message is there when a handler ends; prefetch_count {limit}: call"
            f" channel.qos(prefetch_count={2 * concurrency}) before the consumer is started"
        )
    return concurrency
