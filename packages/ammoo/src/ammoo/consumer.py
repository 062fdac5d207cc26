"""A consumer: the messages of a queue, as an asynchronous iterator.

What the user asked for (queue, flags, arguments) is kept apart from what is live
(tag, channel, messages that came and were not read). Messages wait here, and not
in a queue of asyncio's: a deque, and at most one future for each task that waits.
"""

import asyncio
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ammoo_wire import BasicConsumeParameters, FieldTable

from .exceptions.base import OperationTimeout
from .exceptions.consumer import (
    ClientCancelledConsumerError,
    ClientCancelledConsumerOK,
    ServerCancelledConsumer,
)
from .messages import DeliverMessage

if TYPE_CHECKING:
    from .channel import Channel
    from .live.channel import LiveChannel

__all__ = ["Consumer"]

CANCEL_TIMEOUT: Final = 5.0
"""For how long the server is waited for when a consumer is left, in seconds."""

BACKLOG_MESSAGES: Final = 1000
BACKLOG_OCTETS: Final = 16 * 1024 * 1024
"""With so many messages unread, or octets, a consumer asks the connection not to read on."""
LARGE_BODY: Final = 4096
"""Only from this size on are octets counted: the number bounds the memory of smaller ones."""


class Consumer:
    """Messages of a queue, sent by the server as they come.

    Made by `Channel.consume`, and used as a context manager and as an iterator::

        async with channel.consume("orders") as consumer:
            async for message in consumer:
                print(message.body)
                await message.ack()

    Several tasks may iterate over one consumer; each message goes to one of them.
    Leaving the block cancels the consumer and puts messages that were sent here, and
    not read, back into their queue (unless no_ack was given: those are lost).

    The iteration ends with an exception that says why. When the channel or connection
    is closed it is that one's; `ServerCancelledConsumer` when the queue was deleted.

    Attributes:
        no_ack: Whether messages are not to be settled.
    """

    def __init__(self, channel: "Channel", request: BasicConsumeParameters) -> None:
        self.no_ack = request.no_ack
        self._channel = channel
        self._request = request  # without a tag: that one is the live channel's
        self._live: LiveChannel | None = None
        self._consumer_tag = ""
        self._messages: deque[DeliverMessage] = deque()
        self._large_octets = 0  # of unread messages that are large
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closing_exc: Exception | None = None
        self._is_backlogged = False

    def __repr__(self) -> str:
        state = "open" if self._live is not None and self._closing_exc is None else "not open"
        return f"<Consumer {self._consumer_tag!r} on {self.queue_name!r}, {state}>"

    # --- what it is ---

    @property
    def queue_name(self) -> str:
        """The queue that is consumed from."""
        return self._request.queue_name

    @property
    def consumer_tag(self) -> str:
        """The consumer's name on its channel; empty before it was entered."""
        return self._consumer_tag

    @property
    def arguments(self) -> FieldTable:
        """The arguments it was started with."""
        return dict(self._request.arguments)

    @property
    def entered(self) -> bool:
        """Whether the server has started the consumer."""
        return self._live is not None

    @property
    def closing_exc(self) -> Exception | None:
        """What ended the consumer; None while it goes on."""
        return self._closing_exc

    @property
    def is_waiting(self) -> bool:
        """Whether some task waits for a message."""
        return bool(self._waiters)

    # --- context manager ---

    async def __aenter__(self) -> Self:
        """Start the consumer (basic.consume).

        Raises:
            ServerClosedChannel: The server refused; with `NotFound`, there is no such queue.
            RuntimeError: It was entered before, or its channel is not open.
        """
        if self._consumer_tag:
            raise RuntimeError(
                f"{self!r} was entered before; call channel.consume() for another one"
            )
        live = self._channel._require_live()
        self._consumer_tag = live.new_consumer_tag()
        try:
            await live.consume(self, self._request._replace(consumer_tag=self._consumer_tag))
        except (asyncio.CancelledError, OperationTimeout) as error:
            # The server may start it yet; what it then sends is given back until it stops.
            self._live = live
            self._leave(error)
            raise
        except Exception as error:
            self._closing_exc = error
            raise
        self._live = live
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel the consumer (basic.cancel), and give unread messages back.

        Does nothing if consumer, channel or connection have ended already, except that what
        was not read goes back if it was the server that ended the consumer. The server is
        waited for 5 s at most, or operation_timeout if that is less, and not at all while the
        last cancel or close of channel or consumer on the connection is unanswered: leaving
        consumer, channel and connection takes 5 s altogether with a server that hangs.
        """
        if self._live is None:
            return
        if isinstance(self._closing_exc, ServerCancelledConsumer):
            self._leave(exc)  # it is the server's no more, but what was not read still is
        if self._closing_exc is not None:
            return
        live = self._live
        # The cancel goes first: what is given back would else be sent here again.
        stopped = live.begin_cancel(self._consumer_tag)
        self._leave(exc)
        connection = live.connection
        if connection.blocked is None and not connection.is_unresponsive:
            seconds = min(connection.operation_timeout or CANCEL_TIMEOUT, CANCEL_TIMEOUT)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await stopped.wait()
            connection.note_unanswered_close(stopped)

    # --- iterator ---

    def __aiter__(self) -> Self:
        """Give itself."""
        return self

    async def __anext__(self) -> DeliverMessage:
        """Wait for the next message.

        Raises:
            ConsumerCancelled, ChannelClosed, ConnectionClosed: There will be none.
            RuntimeError: The consumer was not entered.
        """
        messages = self._messages
        while not messages:
            await self._wait()
        message = messages.popleft()
        if self._large_octets and len(message.body) >= LARGE_BODY:
            self._large_octets -= len(message.body)
        if self._is_backlogged:
            self._note_progress()
        return message

    async def _wait(self) -> None:
        """Wait until there may be a message."""
        if self._closing_exc is not None:
            raise self._closing_exc.with_traceback(None)
        live = self._live
        if live is None:
            raise RuntimeError(
                f"{self!r} is used without having been entered; write async with channel.consume()"
            )
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        live.connection.transport.resume_reading_soon()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif self._messages:
                self._wake_one()  # this one's turn is another one's now
            raise

    # --- what the live channel tells ---

    def put(self, message: DeliverMessage) -> None:
        """Take a message that arrived."""
        if self._closing_exc is not None:
            self._requeue(message)
            return
        messages = self._messages
        messages.append(message)
        size = len(message.body)
        if size >= LARGE_BODY:
            self._large_octets += size
        if self._waiters:
            self._wake_one()
        elif len(messages) > BACKLOG_MESSAGES or self._large_octets > BACKLOG_OCTETS:
            self._note_backlog()

    def cancelled_by_server(self) -> None:
        """Take note of the server's basic.cancel; what has come can still be read."""
        self._end(ServerCancelledConsumer(self._consumer_tag, self.queue_name))

    def fail(self, error: Exception) -> None:
        """Take note that the channel is closed.

        What has come can be settled no more, and the server gives it to others; without
        acknowledgements there is nothing to settle, and it can still be read.
        """
        if not self.no_ack:
            self._messages.clear()
        self._end(error)

    def _end(self, error: Exception) -> None:
        if self._closing_exc is None:
            self._closing_exc = error
        waiters, self._waiters = self._waiters, deque()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._note_progress(at_last=True)

    # --- leaving ---

    def _leave(self, exc: BaseException | None) -> None:
        """Stop giving messages out, and give back what was not read."""
        self._end(
            ClientCancelledConsumerOK(self._consumer_tag, self.queue_name)
            if exc is None
            else ClientCancelledConsumerError(exc, self._consumer_tag, self.queue_name)
        )
        messages, self._messages = self._messages, deque()
        for message in messages:
            self._requeue(message)

    def _requeue(self, message: DeliverMessage) -> None:
        """Put a message back that nobody has read, unless it never left its place.

        A stream keeps its messages, and RabbitMQ 3.10 closes the connection of who rejects
        one (540). What has the header may also have come to another queue from a stream;
        it then goes back when the channel is closed.
        """
        if self.no_ack or self._live is None or message.is_from_stream:
            return
        self._live.requeue(message.delivery_tag)

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    # --- backlog ---

    def _note_backlog(self) -> None:
        """Ask for no more, for what waits here is much."""
        if self._live is not None and not self._is_backlogged:
            self._is_backlogged = True
            self._live.connection.backlogged_consumers.add(self)

    def _note_progress(self, *, at_last: bool = False) -> None:
        """Ask for more, if little is left or nothing more will come."""
        is_low = (
            len(self._messages) < BACKLOG_MESSAGES // 2 and self._large_octets < BACKLOG_OCTETS // 2
        )
        if self._is_backlogged and self._live is not None and (is_low or at_last):
            self._is_backlogged = False
            self._live.connection.consumer_caught_up(self)
