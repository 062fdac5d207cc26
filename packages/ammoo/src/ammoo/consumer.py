"""`Consumer`: the messages of a queue, as an asynchronous iterator.

A `Consumer` keeps the user's queue, flags and arguments, and the prefetch limit with which it was
started. A `LiveChannel` delivers its messages into its `Inbox`.
"""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ammoo_wire import BasicConsumeParameters, FieldTable

from .channel_lifetime import ChannelLifetime
from .channel_settings import Prefetch
from .exceptions.base import OperationTimeout
from .exceptions.consumer import (
    ClientCancelledConsumerError,
    ClientCancelledConsumerOK,
    ConsumerOverflow,
    ServerCancelledConsumer,
)
from .inbox import Inbox, LastingInbox
from .live.channel import LiveChannel
from .messages import DeliverMessage
from .workers.processing import OnError

if TYPE_CHECKING:
    from .workers.batches import Batches
    from .workers.drain import Drain, Flushable
    from .workers.run import Handler, Key, Run

__all__ = ["Consumer"]

CANCEL_TIMEOUT: Final = 5.0
"""How long leaving a consumer waits for the server, in seconds."""


class Consumer:
    """The messages of a queue, which the server sends as they arrive.

    `Channel.consume` returns it. Use it as a context manager and as an iterator::

        async with channel.consume("orders") as consumer:
            async for message in consumer:
                print(message.body)
                await message.ack()

    Several tasks may iterate over one consumer; each message goes to one of them.
    A task that is cancelled while it waits for a message takes none. Leaving the block
    cancels the consumer, and requeues unread messages (with no_ack they are lost).

    The iteration ends with an exception that says why: `ServerCancelledConsumer` when the
    queue was deleted, `ConsumerOverflow` when more than 100,000 messages (or 256 MiB of large
    ones) were unread, or the exception that closed the channel or the connection. It ends without
    an exception after `cancel` and `drain`.

    `run` and `batches` read the messages, and iterate for the program.
    """

    def __init__(
        self,
        channel: object,
        lifetime: ChannelLifetime,
        request: BasicConsumeParameters,
    ) -> None:
        self._channel = channel  # kept alive, and with it the connection
        self._lifetime = lifetime
        self._request = request  # without a tag, which belongs to the live channel
        self._inbox = lifetime.new_inbox(request, self)
        self._prefetch: Prefetch | None = None
        self._is_stopped = False  # by `cancel` or `drain`: then iterating ends without an exception
        self._run: Run | None = None
        self._batches: Batches | None = None

    def __repr__(self) -> str:
        state = "open" if self.entered and self.closing_exc is None else "not open"
        return f"<Consumer {self.consumer_tag!r} on {self.queue_name!r}, {state}>"

    # --- state ---

    @property
    def queue_name(self) -> str:
        """The queue's name; a queue that the server named has another name after a recovery."""
        return self._lifetime.current_name(self._request.queue_name)

    @property
    def consumer_tag(self) -> str:
        """The name of the consumer on its channel; empty before it is entered."""
        return self._inbox.consumer_tag

    @property
    def arguments(self) -> FieldTable:
        """The arguments of basic.consume."""
        return dict(self._request.arguments)

    @property
    def no_ack(self) -> bool:
        """Whether messages need not be acknowledged."""
        return self._request.no_ack

    @property
    def prefetch_count(self) -> int:
        """How many unacked messages the server lets the consumer have; 0 for no limit.

        It is the channel's limit at the time when the consumer was entered; see `Channel.qos`.
        """
        if self._request.no_ack:
            return 0
        limits = (self._prefetch, self._lifetime.settings.shared_prefetch)
        counts = [each.prefetch_count for each in limits if each is not None]
        return min(filter(None, counts), default=0)

    @property
    def _is_on_stream(self) -> bool:
        """Whether the consumer has an offset in a stream (x-stream-offset)."""
        return "x-stream-offset" in self._request.arguments

    @property
    def entered(self) -> bool:
        """Whether the server has started the consumer."""
        return self._inbox.live is not None

    @property
    def closing_exc(self) -> Exception | None:
        """The exception that ended the consumer; None while it has not ended."""
        return self._inbox.closing_exc

    # --- context manager ---

    async def __aenter__(self) -> Self:
        """Start the consumer (basic.consume).

        If the caller is cancelled, the consumer is cancelled as soon as the server has started
        it; messages that arrive until then are requeued.

        Raises:
            ServerClosedChannel: The server refused; with `NotFound`, the queue does not exist.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
            RuntimeError: The consumer was entered before, or its channel is not open.
        """
        if self.consumer_tag:
            raise RuntimeError(
                f"{self!r} was entered before; call channel.consume() for another one"
            )
        await self._start(await self._lifetime.usable("basic.consume"))
        return self

    async def _start(self, live: LiveChannel) -> None:
        """Start the consumer on a live channel."""
        inbox = self._inbox
        inbox.begin(live, live.consuming.new_tag())
        prefetch = self._prefetch = self._lifetime.settings.prefetch  # as it is now
        request = self._request = self._lifetime.as_named_now(self._request)

        def started() -> None:
            inbox.live = live
            if inbox.closing_exc is None:  # the caller was not cancelled
                inbox.started()
                self._lifetime.consumer_started(self, request, prefetch)

        try:
            await live.consuming.start(
                inbox, request._replace(consumer_tag=inbox.consumer_tag), started
            )
        except (asyncio.CancelledError, OperationTimeout) as error:
            # The server may still start it; messages that it then delivers are requeued.
            inbox.live = live
            self._end(error)
            raise
        except Exception as error:
            inbox.closing_exc = error
            raise

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel the consumer (basic.cancel), and requeue unread messages.

        Does nothing if the channel or the connection has ended. If the server cancelled the
        consumer, or the consumer had too many unread messages, it only requeues unread messages.

        It waits for the server for 5 s at most, or for operation_timeout if that is less. It does
        not wait if the server has not answered an earlier cancel or close on the connection: with a
        server that hangs, leaving consumer, channel and connection takes 5 s altogether.
        """
        await self._leave(exc)

    async def _leave(self, exc: BaseException | None) -> None:
        live, stopped = self._inbox.live, self._begin_leaving(exc)
        if live is not None and stopped is not None:
            await live.consuming.wait_stopped(stopped, CANCEL_TIMEOUT)

    def _begin_leaving(self, exc: BaseException | None) -> asyncio.Event | None:
        """Cancel the consumer, and requeue unread messages.

        Returns:
            An event that is set when the server has stopped the consumer; None if the consumer has
            already ended.
        """
        inbox, live = self._inbox, self._inbox.live
        if live is None:
            return None
        if isinstance(inbox.closing_exc, ServerCancelledConsumer | ConsumerOverflow):
            self._end(exc)
        if inbox.closing_exc is not None:
            return None
        # The cancel is sent first: otherwise the server would deliver the requeued messages again.
        stopped = live.consuming.begin_cancel(inbox.consumer_tag)
        self._end(exc)
        return stopped

    def _end(self, exc: BaseException | None) -> None:
        """Deliver no more messages to the user, and requeue those that are unread."""
        inbox = self._inbox
        self._lifetime.forget_consumer(self)
        inbox.close(
            ClientCancelledConsumerOK(inbox.consumer_tag, inbox.queue_name)
            if exc is None
            else ClientCancelledConsumerError(exc, inbox.consumer_tag, inbox.queue_name)
        )
        inbox.requeue_unread()
        for holder in (self._run, self._batches):
            if holder is not None:
                holder.give_back()

    # --- ending the consumer from other tasks ---

    async def cancel(self) -> None:
        """Cancel the consumer from any task (basic.cancel), and requeue unread messages.

        Iterations over the consumer end without an exception, and so do `run` and `batches`.
        Messages in progress can still be settled. If the consumer has ended, this does nothing. It
        waits for the server as leaving the block does. While the connection is being recovered, it
        sends nothing.

        Raises:
            RuntimeError: The consumer was not entered.
        """
        self._require_entered()
        self._is_stopped = True
        await self._leave(None)

    async def drain(
        self,
        timeout: float | None,  # noqa: ASYNC109  it bounds two waits, and not all
        *,
        publishers: "Sequence[Flushable]" = (),
    ) -> bool:
        """Let running handlers end, requeue all other messages, and close the channel.

        1. The consumer returns no more messages, and the server cancels it.
        2. Unread messages are requeued.
        3. Handlers of `run` end, and the program settles the messages that it has read.
        4. When the time is over, handlers of `run` are cancelled, and 1 s later unsettled messages
           are requeued.
        5. `publishers` are flushed in the time that is left, at least 1 s. Then the drain gives up
           the messages that have no outcome: flushing or leaving their publisher raises them.
        6. The channel is closed. The server's answer proves that it has processed the
           acknowledgements.

        If other consumers use the channel, it stays open, and the client awaits another answer for
        this proof. It then does not wait for messages that the program has read, because it cannot
        see which consumer they belong to.

        Iterations over the consumer end without an exception, and so do `run` and `batches`. Call it
        from another task than the one that handles messages. If the caller is cancelled, it no
        longer waits for handlers and publishers, but still does the last step, for 5 s at most.

        Args:
            timeout: How long to wait for handlers and publishers, in seconds; None for no limit.
            publishers: Publishers that handlers use; they are flushed before the channel is closed.
                Empty by default.

        Returns:
            Whether all handlers have ended in time; messages of publishers do not count.

        Raises:
            RuntimeError: The consumer was not entered; or one of its handlers drains it.
            Exception: The error of a publisher's flush; the channel is closed nevertheless.
        """
        self._require_entered()
        return await self._new_drain(timeout, publishers).run()

    def _new_drain(self, seconds: float | None, publishers: "Sequence[Flushable]") -> "Drain":
        """Stop returning messages, and return an object that drains the consumer."""
        from .workers.drain import Drain

        drain = Drain(self, self._lifetime, self._run, seconds, publishers)
        self._is_stopped = True
        return drain

    # --- handlers ---

    async def run(
        self,
        handler: "Handler",
        *,
        concurrency: int = 1,
        ordered_by: "Key | None" = None,
        on_error: OnError = "requeue",
        fail_fast: bool = False,
    ) -> None:
        """Await a handler for each message, and settle the message, until the consumer ends.

        ::

            async with channel.consume("orders") as consumer:
                await consumer.run(handle, concurrency=10, ordered_by=lambda m: m.routing_key)

        The message is settled as by `ExpectedMessage.process`: acknowledged when the handler
        returns. If a handler raises an exception, the message is settled as `on_error` says, and the
        other handlers continue. The first 100 exceptions are logged when they are raised (logger
        ``ammoo.workers``), and later each hundredth. `run` ends when the consumer ends, by `cancel` or
        `drain` for example; it then raises the first 100 exceptions as a group. If `run` is cancelled,
        so are the handlers, and their messages are requeued; the consumer does not end.

        With recovery, a handler continues if its message was lost with the connection, and the server
        delivers the message again. With `ordered_by`, the message is not handled again before the
        first handler has ended.

        Args:
            handler: An async function that is called with each message.
            concurrency: How many handlers may run at once; 1 by default. The channel needs a
                prefetch_count of at least twice as many.
            ordered_by: A function that returns the key of a message, a str for example; a body is not
                hashable, but bytes(message.body) is. Messages with the same key are handled one at
                a time, in the order in which they came. If all prefetched messages have the same
                key, only one handler runs. None, the default, for no order.
            on_error: What to do with a message whose handler has failed: ``"requeue"``, the
                default, ``"reject"`` or ``"dead-letter"``; see `ExpectedMessage.process`.
            fail_fast: Whether the first failure cancels all other handlers, and is raised at once.
                False by default.

        Raises:
            ExceptionGroup: Handlers have failed. The error that ended the consumer is in the group,
                too.
            ConsumerCancelled, ChannelClosed, ConnectionClosed: The consumer has ended, and no handler
                has failed.
            TypeError: handler is not an async function: it cannot be called, or its result cannot be
                awaited; the message is requeued. Or concurrency is no whole number.
            ValueError: concurrency is less than 1, or more than half of prefetch_count, or the
                consumer has no_ack, or on_error is none of its three words.
            RuntimeError: The consumer was not entered, or `run` was called before.
        """
        from .workers.run import Run

        self._require_acknowledging("run")
        if self._run is not None:
            raise RuntimeError(f"run() of {self!r} was called before, and has not returned")
        self._run = Run(self, handler, concurrency, ordered_by, on_error, fail_fast=fail_fast)
        try:
            await self._run.run()
        finally:
            self._run = None

    def batches(self, size: int, seconds: float) -> "Batches":
        """Return the messages in batches, as an asynchronous iterator.

        ::

            async for batch in consumer.batches(100, seconds=1):
                async with batch.process(on_error="requeue"):
                    await store([message.body for message in batch])

        The iteration ends when the iteration over the consumer would end. If the connection is lost
        before a batch is returned, the batch is dropped: the server delivers its messages again. A
        task that is cancelled while it waits for a batch loses no message.

        Args:
            size: The largest number of messages in a batch; not more than prefetch_count.
            seconds: How long a batch waits for more messages after its first, in seconds.

        Raises:
            ValueError: size is less than 1 or more than prefetch_count, seconds is not above 0, or
                the consumer has no_ack.
            TypeError: size is no whole number, or seconds is no number.
            RuntimeError: The consumer was not entered.
        """
        from .workers.batches import Batches

        self._require_acknowledging("batches")
        batches = Batches(self, size, seconds)
        if self._batches is not None:
            self._batches.give_back()
        self._batches = batches
        return batches

    def _require_entered(self) -> None:
        if not self.entered:
            raise self._not_entered()

    def _not_entered(self) -> RuntimeError:
        return RuntimeError(f"{self!r} was not entered; write async with channel.consume()")

    def _require_acknowledging(self, method: str) -> None:
        """Make sure that messages can be settled.

        Raises:
            ValueError: The consumer has no_ack.
            RuntimeError: The consumer was not entered.
        """
        self._require_entered()
        if self.no_ack:
            raise ValueError(
                f"{method}() settles messages, which needs acknowledgements: leave no_ack out"
            )

    # --- recovery ---

    def _resume(self, arguments: FieldTable) -> FieldTable:
        """Return the arguments with which the consumer continues where it was in a stream.

        Args:
            arguments: The arguments of its first basic.consume.
        """
        assert isinstance(self._inbox, LastingInbox)
        return self._inbox.resume(arguments)

    def _attach(self, inbox: Inbox) -> None:
        """Read from another inbox, after a recovery.

        Args:
            inbox: The inbox that the new live channel delivers to.
        """
        assert isinstance(self._inbox, LastingInbox)
        self._inbox.adopt(inbox)

    def _close_for_good(self, error: Exception) -> None:
        """End the consumer with an error.

        Args:
            error: The error.
        """
        self._inbox.end(error)

    def _take_arrived(self) -> list[DeliverMessage]:
        """Remove and return all messages that have arrived."""
        inbox, taken = self._inbox, list[DeliverMessage]()
        while inbox.messages:
            taken.append(inbox.messages.popleft())
            if inbox.needs_accounting:
                inbox.account_for(taken[-1])
        return taken

    # --- iterator ---

    def __aiter__(self) -> Self:
        """Return the consumer itself."""
        return self

    async def __anext__(self) -> DeliverMessage:
        """Return the next message; wait for it if there is none.

        Raises:
            ConsumerCancelled, ChannelClosed, ConnectionClosed: No further message will come; the
                exception says why.
            StopAsyncIteration: The consumer was cancelled or drained by this program.
            RuntimeError: The consumer was not entered.
        """
        inbox = self._inbox
        messages = inbox.messages
        while not messages:
            if inbox.live is None and inbox.closing_exc is None:
                raise self._not_entered()
            if self._is_stopped and isinstance(inbox.closing_exc, ClientCancelledConsumerOK):
                raise StopAsyncIteration
            await inbox.wait()
        message = messages.popleft()
        if inbox.needs_accounting:
            inbox.account_for(message)
        return message
