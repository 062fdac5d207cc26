"""A channel as it is on the wire: one number of one connection, from open to close.

The user's `Channel` keeps the user's settings; a `LiveChannel` belongs to one connection, and
ends with it. It sends requests, and passes each command of the server to an awaited reply, to
`Consuming` or to `Publishing`. A message is settled on the live channel that received it.

A delivery passes few calls, because this is the hot path; its budget is in benchmarks/.
"""

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicDeliverParameters,
    BasicGetEmptyParameters,
    BasicGetOkParameters,
    BasicNackParameters,
    BasicQosOkParameters,
    BasicQosParameters,
    BasicRecoverOkParameters,
    BasicRecoverParameters,
    BasicReturnParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    ConfirmSelectOkParameters,
    ConfirmSelectParameters,
    ExchangeBindOkParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeleteOkParameters,
    ExchangeUnbindOkParameters,
    OversizedContent,
    QueueBindOkParameters,
    QueueDeclareOkParameters,
    QueueDeleteOkParameters,
    QueuePurgeOkParameters,
    QueueUnbindOkParameters,
    ReplyCode,
    TxCommitOkParameters,
    TxCommitParameters,
    TxRollbackOkParameters,
    TxRollbackParameters,
    TxSelectOkParameters,
    TxSelectParameters,
    methods,
)

from ..exceptions.base import OperationTimeout
from ..exceptions.channel import (
    ChannelUnanswered,
    ClientClosedChannelError,
    ClientClosedChannelOK,
    server_closed_channel,
)
from ..exceptions.publishing import StaleDelivery
from ..messages import DeliverMessage
from ..publish_defaults import NO_DEFAULTS, PublishDefaults
from ..publish_options import Body, NotGiven, PublishOptions, outgoing
from ..uncopyable import Uncopyable
from .acknowledgements import Acknowledgements
from .commit_buffer import CommitBuffer
from .consuming import Consuming
from .ports import ChannelHost, Inbox, Sender, SuccessorPort
from .publishing import Publishing
from .replies import OnReply, Replies, Reply
from .reply_timeouts import UNANSWERED_TIMEOUT, ReplyTimeouts
from .settle_watch import SettleWatch
from .transport import Transport

__all__ = ["COALESCE_MIN_PREFETCH", "RECEIVERS", "LiveChannel"]

COALESCE_MIN_PREFETCH: Final = 128
"""With a lower prefetch limit the server would wait for acknowledgements while reads coalesce."""


class LiveChannel(Uncopyable):
    """One channel on the wire.

    Args:
        host: The connection.
        number: The channel's number.
        body_encoding: The encoding of text bodies where neither a message nor an argument names one.

    Attributes:
        ack: See `Acknowledgements.ack`; so are nack, reject and requeue (`messages.Origin`).
        acknowledgements: Settles deliveries.
        allows_read_coalescing: Whether the server may send many messages before it waits for
            acknowledgements.
        closing_exc: The error that ended the channel; None while it has not ended.
        crossed: The server's reason if both sides closed the channel at the same time, or None.
        consumers: The inbox of each consumer, by its tag.
        consuming: Starts and cancels consumers.
        is_stale: Whether the user's channel has another live channel by now. The server then
            delivers the messages of this one again, and they cannot be settled.
        on_end: Called with the error that ends the channel, before its consumers end.
        publish_defaults: Default options of replies to messages of the channel.
        publishing: Publishes messages.
        sender: Sends on the channel: the protocol, or a `CommitBuffer`.
        settle_watch: Reports settled deliveries; None until `watch_settling` is called.
        successor: Publishes when this channel has ended; None without recovery.
        tag_offset: Added to the delivery tags that callers see: it makes those of different live
            channels differ.
        transport: The connection's transport.
    """

    def __init__(self, host: ChannelHost, number: int, body_encoding: str) -> None:
        self.host = host
        self.number = number
        self.body_encoding = body_encoding
        self.publish_defaults: PublishDefaults = NO_DEFAULTS
        self.closing_exc: Exception | None = None
        self.is_stale = False
        self.crossed: Exception | None = None
        self.on_end: Callable[[LiveChannel, Exception], None] | None = None
        self.successor: SuccessorPort | None = None
        self.tag_offset = 0
        self.allows_read_coalescing: bool = True
        self.transport: Transport = host.transport
        self.sender: Sender = host.protocol
        self.acknowledgements: Acknowledgements = Acknowledgements(self)
        self.ack: Callable[[int, bool], Awaitable[None] | None] = self.acknowledgements.ack
        self.nack: Callable[[int, bool, bool], Awaitable[None] | None] = self.acknowledgements.nack
        self.reject: Callable[[int, bool], Awaitable[None] | None] = self.acknowledgements.reject
        self.requeue: Callable[[Iterable[int]], None] = self.acknowledgements.requeue
        self.settle_watch: SettleWatch | None = None
        self.consuming: Consuming = Consuming(self)
        self.consumers: dict[str, Inbox] = self.consuming.inboxes
        self.publishing: Publishing = Publishing(self, self.acknowledgements)
        self._add_unacked = self.acknowledgements.unacked.add
        self._replies = Replies(host.loop)
        self._reply_timeouts = ReplyTimeouts(
            host.loop, self._replies, host.blocking, self._close_unanswered
        )
        self._drainers: set[Future[bool]] = set()
        self._closed = asyncio.Event()
        self._close_was_awaited = False

    # --- life ---

    async def open(self) -> None:
        """Send channel.open and await channel.open-ok.

        Raises:
            ConnectionClosed: The connection is closed.
            OperationTimeout: The server did not answer in time.
        """

        def close_again(_: Reply) -> None:
            self.begin_close(ClientClosedChannelOK())

        await self.call(ChannelOpenParameters(), ChannelOpenOkParameters, on_late_reply=close_again)

    def mute(self) -> None:
        """Call no hook for deliveries from now on: the channel is the client's own.

        A channel of this class calls none anyway.
        """

    def begin_close(self, error: Exception) -> None:
        """Send channel.close, and end everything on the channel; not if it has ended.

        Args:
            error: The exception that operations on the channel raise from now on.
        """
        if self.closing_exc is not None:
            return
        self.transport.require_loop()
        self.acknowledgements.write_merged()
        self.fail(error)
        self._send_close(ReplyCode.REPLY_SUCCESS, "")
        self.transport.flush_request()

    async def close(self, error: Exception, seconds: float, *, leaving: bool = False) -> None:
        """Close the channel, in bounded time.

        The number stays in use until the server has answered, however long that takes.

        Args:
            error: The exception that operations on the channel raise from now on.
            seconds: How long to wait for channel.close-ok.
            leaving: Whether an ``async with`` block is left. If so, the client does not wait for
                an unresponsive server.
        """
        host = self.host
        if leaving and host.is_unresponsive:  # before `begin_close` ends what is unanswered
            seconds = 0
        self.begin_close(error)
        if host.blocking.is_blocked or self._closed.is_set() or self._close_was_awaited:
            return  # a server that has blocked the connection reads nothing from it
        self.transport.resume_reading()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        if leaving:
            host.note_unanswered_close(self._closed)
        self._close_was_awaited = True  # closing the channel again does not wait again

    @property
    def is_finished(self) -> bool:
        """Whether both sides have finished with the channel: its number is free."""
        return self._closed.is_set()

    async def wait_finished(self) -> None:
        """Wait until both sides have finished with the channel."""
        self.transport.resume_reading()
        await self._closed.wait()

    def fail(self, error: Exception) -> None:
        """End everything on the channel with one exception; only the first one counts."""
        if self.host.closing_exc is not None:
            self._closed.set()  # channel.close-ok will not come
        if self.closing_exc is not None:
            return
        self.closing_exc = error
        if self.on_end is not None:
            self.on_end(self, error)
        self._end_commit()
        self._replies.fail(error)
        self._reply_timeouts.clear()
        self.publishing.fail(error)
        self.consuming.fail(error)
        for drainer in self._drainers:
            if not drainer.done():
                drainer.set_result(False)
        if self.settle_watch is not None:
            self.settle_watch.wake()

    def raise_if_closed(self) -> None:
        """Raise the error that ended the channel, if it has ended."""
        if self.closing_exc is not None:
            raise self.closing_exc.with_traceback(None)

    def drain(self) -> Awaitable[None]:
        """Return an awaitable that waits while the socket's buffer is full and the channel is open."""
        return self.transport.drain(self._drainers)

    def raise_unless_settleable(self, delivery_tag: int) -> None:
        """Raise an error if a delivery can no longer be settled: the channel has ended.

        Raises:
            StaleDelivery: The channel was lost, and the server delivers the message again.
        """
        if self.is_stale:
            raise StaleDelivery(delivery_tag + self.tag_offset) from self.closing_exc
        self.raise_if_closed()

    @property
    def is_awaiting_server(self) -> bool:
        """Whether a task waits for anything that the server may send on the channel."""
        return bool(
            self._replies
            or self.publishing.is_awaiting_server
            or (self.closing_exc is not None and not self._closed.is_set())
            or self.consuming.is_awaiting_server
        )

    @property
    def is_starting_consumer(self) -> bool:
        """Whether the server has not answered a basic.consume."""
        return self._replies.expects(BasicConsumeOkParameters)

    def blocked_changed(self) -> None:
        """Adapt to a server that has blocked the connection, or has unblocked it."""
        self.publishing.update_can_publish()
        self._reply_timeouts.restart()

    # --- requests ---

    def send_request(
        self,
        request: tuple[Any, ...],
        *replies: type[Any],
        on_reply: OnReply | None = None,
        on_late_reply: OnReply | None = None,
        consumer_tag: str | None = None,
    ) -> "Future[Reply]":
        """Send a request at once, and return the future of its reply; see `Replies.expect`.

        Raises:
            ChannelClosed, ConnectionClosed: The channel is closed.
            EncodeError: A parameter cannot be encoded; nothing was sent.
        """
        transport = self.transport
        if not transport.flush_is_due:
            transport.require_loop()
        self.raise_if_closed()
        if self.acknowledgements.unacked.run:
            self.acknowledgements.write_merged()
        self.sender.send(self.number, request)
        waiter = self._replies.expect(
            *replies, on_reply=on_reply, on_late_reply=on_late_reply, consumer_tag=consumer_tag
        )
        if not transport.flush_is_due:
            transport.flush_request()
        if not transport.is_reading:
            transport.resume_reading()
        return waiter

    def call(
        self,
        request: tuple[Any, ...],
        *replies: type[Any],
        on_reply: OnReply | None = None,
        on_late_reply: OnReply | None = None,
        consumer_tag: str | None = None,
    ) -> Awaitable[Reply]:
        """Send a request at once, and return an awaitable of its reply.

        The caller may stop waiting at any time: see `ReplyTimeouts.reply`.

        Raises:
            ChannelClosed, ConnectionClosed: The channel is closed.
            EncodeError: A parameter cannot be encoded; nothing was sent.
        """
        waiter = self.send_request(
            request,
            *replies,
            on_reply=on_reply,
            on_late_reply=on_late_reply,
            consumer_tag=consumer_tag,
        )
        return self._reply_timeouts.reply(
            request, waiter, self.host.operation_timeout, on_late_reply
        )

    def watch(self, waiter: "Future[Reply]", method: str) -> None:
        """Close the channel if the server does not answer a request that no task awaits."""
        self._reply_timeouts.add(waiter, method)

    def _close_unanswered(self, method: str) -> None:
        """Close the channel: while one reply is missing, no later one can be matched."""
        self.begin_close(ChannelUnanswered(OperationTimeout(method, UNANSWERED_TIMEOUT)))

    # --- settings, which last until the channel is closed; `Channel` keeps them, too ---

    def set_prefetch(
        self, size: int, count: int, global_: bool, on_reply: OnReply | None = None
    ) -> Awaitable[Reply]:
        """Send basic.qos, and return an awaitable of its reply."""
        replied = self.call(
            BasicQosParameters(size, count, global_), BasicQosOkParameters, on_reply=on_reply
        )
        self.allows_read_coalescing = not size and (count == 0 or count >= COALESCE_MIN_PREFETCH)
        return replied

    def set_flow(self, active: bool, on_reply: OnReply | None = None) -> Awaitable[Reply]:
        """Send channel.flow, and return an awaitable of its reply."""
        return self.call(ChannelFlowParameters(active), ChannelFlowOkParameters, on_reply=on_reply)

    def select_confirm(self, on_reply: OnReply | None = None) -> Awaitable[Reply]:
        """Send confirm.select, and return an awaitable of its reply."""
        replied = self.call(
            ConfirmSelectParameters(False), ConfirmSelectOkParameters, on_reply=on_reply
        )
        # Not when the reply comes: the server counts the messages behind confirm.select.
        self.publishing.start_confirms()
        return replied

    def select_transactions(self, on_reply: OnReply | None = None) -> Awaitable[Reply]:
        """Send tx.select, and return an awaitable of its reply."""
        self.acknowledgements.begin_transaction()
        return self.call(TxSelectParameters(), TxSelectOkParameters, on_reply=on_reply)

    # --- operations that concern several parts of the channel ---

    def recover(self, requeue: bool) -> Awaitable[Reply]:
        """Send basic.recover, and return an awaitable of its reply."""

        def take_back(_: Reply) -> None:
            self.acknowledgements.unacked.clear()
            if self.settle_watch is not None:
                self.settle_watch.wake()

        return self.call(
            BasicRecoverParameters(requeue), BasicRecoverOkParameters, on_reply=take_back
        )

    async def commit(self) -> None:
        """Send tx.commit, and buffer all other commands until the server has answered.

        Raises:
            ServerClosedChannel, ServerClosedConnection: The server refused.
            OperationTimeout: The server did not answer in time.
        """
        request, timeout = TxCommitParameters(), self.host.operation_timeout
        deadline = None if timeout is None else self.host.loop.time() + timeout
        while isinstance(self.sender, CommitBuffer):
            left = None if deadline is None else deadline - self.host.loop.time()
            ended, _ = await asyncio.wait((self.sender.ended,), timeout=left)
            if timeout is not None and not ended:
                raise OperationTimeout("tx.commit", timeout)
        self.acknowledgements.begin_transaction()  # after the requeues of the last one
        waiter = self.send_request(request, TxCommitOkParameters, on_reply=self._end_commit)
        self.sender = CommitBuffer(self.host.protocol, self.host.loop.create_future())
        await self._reply_timeouts.reply(request, waiter, self.host.operation_timeout)

    def roll_back(self) -> Awaitable[Reply]:
        """Send tx.rollback, and return an awaitable of its reply."""
        replied = self.call(TxRollbackParameters(), TxRollbackOkParameters)
        self.acknowledgements.unacked.roll_back()
        return replied

    def _end_commit(self, _: Reply | None = None) -> None:
        """Send the commands in the commit buffer; drop them if the channel is closed."""
        buffer = self.sender
        if isinstance(buffer, CommitBuffer):
            self.sender = self.host.protocol
            buffer.end(send=self.closing_exc is None)
            self.transport.flush_soon()

    async def reply(self, reply_to: str, body: Body | NotGiven, options: PublishOptions) -> None:
        """Publish to a queue by its name (`messages.Origin`)."""
        options = self.publish_defaults.complete_reply(options)
        message = outgoing("reply", reply_to, body, self.body_encoding, options)
        outcome = (self.successor or self.publishing).publish("", *message)
        if outcome is not None:
            await outcome

    def watch_settling(self) -> SettleWatch:
        """Return a watch that reports settled deliveries from now on."""
        if self.settle_watch is None:
            self.settle_watch = SettleWatch(self)
        return self.settle_watch

    def report_failure(self, delivery_tag: int, error: Exception) -> None:
        """Do nothing: there are no hooks (`messages.Origin`)."""

    def report_unanswered(self, delivery_tag: int, reply_to: str) -> None:
        """Do nothing: there are no hooks (`messages.Origin`)."""

    # --- the server's commands; each method processes one that came on this channel ---

    def _receive_deliver(
        self, parameters: BasicDeliverParameters, properties: bytes, body: bytearray
    ) -> None:
        inbox = self.consumers.get(parameters.consumer_tag)
        if inbox is not None:
            # Without an __init__: 60 ns instead of 130.
            message = DeliverMessage()
            message._origin = self
            message._parameters = parameters
            message._properties = properties
            message.body = body
            if not inbox.no_ack:
                self._add_unacked(parameters.delivery_tag)
            inbox.deliver(message)
        else:
            # No task will settle it, and no merged acknowledgement may: see `extend_run`.
            self._add_unacked(parameters.delivery_tag)

    def _receive_reply(
        self, parameters: Any, properties: bytes | None, body: bytearray | None
    ) -> None:
        if self.closing_exc is not None:
            return  # it came in the same read as the end of the channel
        # Without NamedTuple's own __new__: 90 ns instead of 180.
        reply = tuple.__new__(Reply, (parameters, properties, body))
        if not self._replies.resolve(reply):
            self.host.close_for(parameters)

    def _receive_close(
        self, parameters: ChannelCloseParameters, properties: bytes | None, body: bytearray | None
    ) -> None:
        self.host.protocol.send(self.number, ChannelCloseOkParameters())
        if self.sender.is_channel_closing(self.number):
            self.host.protocol.crossed_closes[self.number] = parameters
            return  # both sides sent channel.close; the server's channel.close-ok follows
        self.fail(server_closed_channel(*parameters, self.number))
        self._finish(closed_by_server=True)

    def _receive_close_ok(
        self, parameters: ChannelCloseOkParameters, properties: bytes | None, body: bytearray | None
    ) -> None:
        if self.closing_exc is None:
            self.host.close_for(parameters)
        else:
            self._finish()

    def _receive_oversized(
        self, parameters: OversizedContent, properties: bytes | None, body: bytearray | None
    ) -> None:
        """Close the channel: the message can be neither delivered nor left unacked."""
        error = ValueError(
            f"the server sent a message of {parameters.body_size} bytes; the client accepts"
            f" at most {parameters.limit}"
        )
        self.acknowledgements.write_merged()
        self.fail(ClientClosedChannelError(error))
        self._send_close(ReplyCode.CONTENT_TOO_LARGE, str(error))

    def _send_close(self, reply_code: int, reply_text: str) -> None:
        """Send channel.close; it may overtake the commands in a commit buffer."""
        self.host.protocol.send(self.number, ChannelCloseParameters(reply_code, reply_text, 0, 0))

    def _finish(self, *, closed_by_server: bool = False) -> None:
        """Free the number: both sides have finished with the channel."""
        crossed = self.host.protocol.crossed_closes.pop(self.number, None)
        if crossed is not None and isinstance(self.closing_exc, ClientClosedChannelOK):
            self.closing_exc = self.crossed = server_closed_channel(*crossed, self.number)
        self.host.free_channel_number(self.number, closed_by_server=closed_by_server)
        self._closed.set()


def _receive_unexpected(
    channel: LiveChannel, parameters: Any, properties: bytes | None, body: bytearray | None
) -> None:
    """Close the connection: a server must not send this command."""
    channel.host.close_for(parameters)


def _receive_confirm(
    channel: LiveChannel, parameters: Any, properties: bytes | None, body: bytearray | None
) -> None:
    channel.publishing.receive_confirm(parameters)


def _receive_return(
    channel: LiveChannel, parameters: Any, properties: bytes, body: bytearray
) -> None:
    channel.publishing.receive_return(parameters, properties, body)


def _receive_flow(
    channel: LiveChannel, parameters: Any, properties: bytes | None, body: bytearray | None
) -> None:
    channel.publishing.receive_flow(parameters)


def _receive_cancel(
    channel: LiveChannel, parameters: Any, properties: bytes | None, body: bytearray | None
) -> None:
    channel.consuming.receive_cancel(parameters)


_REPLIES = (
    BasicCancelOkParameters,
    BasicConsumeOkParameters,
    BasicGetEmptyParameters,
    BasicGetOkParameters,
    BasicQosOkParameters,
    BasicRecoverOkParameters,
    ChannelFlowOkParameters,
    ChannelOpenOkParameters,
    ConfirmSelectOkParameters,
    ExchangeBindOkParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeleteOkParameters,
    ExchangeUnbindOkParameters,
    QueueBindOkParameters,
    QueueDeclareOkParameters,
    QueueDeleteOkParameters,
    QueuePurgeOkParameters,
    QueueUnbindOkParameters,
    TxCommitOkParameters,
    TxRollbackOkParameters,
    TxSelectOkParameters,
)

RECEIVERS: Final[dict[type[Any], Callable[[LiveChannel, Any, Any, Any], None]]] = {
    **{method.parameters: _receive_unexpected for method in methods()},
    BasicDeliverParameters: LiveChannel._receive_deliver,
    BasicAckParameters: _receive_confirm,
    BasicNackParameters: _receive_confirm,
    BasicReturnParameters: _receive_return,
    BasicCancelParameters: _receive_cancel,
    ChannelFlowParameters: _receive_flow,
    ChannelCloseParameters: LiveChannel._receive_close,
    ChannelCloseOkParameters: LiveChannel._receive_close_ok,
    OversizedContent: LiveChannel._receive_oversized,
    **dict.fromkeys(_REPLIES, LiveChannel._receive_reply),
}
"""The function that processes each type of command that the server may send on a channel."""
