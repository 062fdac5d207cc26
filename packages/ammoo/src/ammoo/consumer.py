"""`Consumer`: the messages of a queue, as an asynchronous iterator.

A `Consumer` keeps what the user asked for: queue, flags, arguments, and the
prefetch limit that was in force when it was started. Its messages are in its
`Inbox`; what delivers them is a `LiveChannel`.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

from ammoo_wire import BasicConsumeParameters, FieldTable

from .channel_lifetime import ChannelLifetime
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
    cancels the consumer, and requeues messages that have arrived and were not read (with
    no_ack they are lost).

    The iteration ends with an exception that says why: `ServerCancelledConsumer` when the
    queue was deleted, `ConsumerOverflow` when more than 100,000 messages (or 256 MiB of large
    ones) were unread, or the exception that closed the channel or the connection.
    """

    def __init__(
        self,
        lifetime: ChannelLifetime,
        request: BasicConsumeParameters,
    ) -> None:
        self._lifetime = lifetime
        self._request = request  # without a tag, which belongs to the live channel
        self._inbox = lifetime.new_inbox(request, self)

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
    def entered(self) -> bool:
        """Whether the server has started the consumer."""
        return self._inbox.live is not None

    @property
    def closing_exc(self) -> Exception | None:
        """What ended the consumer; None while it goes on."""
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
        prefetch = self._lifetime.settings.prefetch  # as it is now
        request = self._request = self._lifetime.as_named_now(self._request)
        try:
            await live.consuming.start(inbox, request._replace(consumer_tag=inbox.consumer_tag))
        except (asyncio.CancelledError, OperationTimeout) as error:
            # The server may still start it; what it then delivers is requeued until it stops.
            inbox.live = live
            self._end(error)
            raise
        except Exception as error:
            inbox.closing_exc = error
            raise
        inbox.live = live
        if inbox.closing_exc is None:
            inbox.started()
            self._lifetime.consumer_started(self, request, prefetch)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel the consumer (basic.cancel), and requeue unread messages.

        Does nothing if the channel or the connection has ended. If the server cancelled the
        consumer, or the consumer had too many unread messages, it only requeues unread messages.

        It waits for the server for 5 s at most, or for operation_timeout if that is less, and
        not at all if the server has left an earlier cancel or close on the connection unanswered:
        with a server that hangs, leaving consumer, channel and connection takes 5 s altogether.
        """
        inbox, live = self._inbox, self._inbox.live
        if live is None:
            return
        if isinstance(inbox.closing_exc, ServerCancelledConsumer | ConsumerOverflow):
            self._end(exc)
        if inbox.closing_exc is not None:
            return
        # The cancel is sent first: the server would deliver what is requeued here again.
        stopped = live.consuming.begin_cancel(inbox.consumer_tag)
        self._end(exc)
        await live.consuming.wait_stopped(stopped, CANCEL_TIMEOUT)

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

    # --- recovery ---

    def resume(self, arguments: FieldTable) -> FieldTable:
        """Return the arguments with which the consumer continues where it was, in a stream."""
        assert isinstance(self._inbox, LastingInbox)
        return self._inbox.resume(arguments)

    def attach(self, inbox: Inbox) -> None:
        """Go on with what a live channel has delivered to another inbox, after a recovery."""
        assert isinstance(self._inbox, LastingInbox)
        self._inbox.adopt(inbox)

    def close_for_good(self, error: Exception) -> None:
        """End the consumer with an error."""
        self._inbox.end(error)

    # --- iterator ---

    def __aiter__(self) -> Self:
        """Return the consumer itself."""
        return self

    async def __anext__(self) -> DeliverMessage:
        """Return the next message; wait for it if there is none.

        Raises:
            ConsumerCancelled, ChannelClosed, ConnectionClosed: No further message will come; the
                exception says why.
            RuntimeError: The consumer was not entered.
        """
        inbox = self._inbox
        messages = inbox.messages
        while not messages:
            if inbox.live is None and inbox.closing_exc is None:
                raise RuntimeError(
                    f"{self!r} is used without having been entered; write async with"
                    " channel.consume()"
                )
            await inbox.wait()
        message = messages.popleft()
        if inbox.needs_accounting:
            inbox.account_for(message)
        return message
