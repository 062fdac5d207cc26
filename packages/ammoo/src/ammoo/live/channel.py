"""A channel as it is on the wire: one number of one connection, from open to close.

`Channel` is what the user holds, and what the user asked for; this is what came
of it. It sends requests and finds out whom each of the server's commands is for:
who awaits an answer, a consumer, or the `Publishing`, which publishes. Messages that
came on it are settled here, and nowhere else.

The paths of deliver and ack are kept short on purpose; the budget is in benchmarks/.
"""

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicGetEmptyParameters,
    BasicGetOkParameters,
    BasicNackParameters,
    BasicQosOkParameters,
    BasicRecoverOkParameters,
    BasicRejectParameters,
    BasicReturnParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    ClientProtocol,
    ConfirmSelectOkParameters,
    EncodeError,
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
    TxSelectOkParameters,
    method_of,
    methods,
)

from ..exceptions.base import OperationTimeout
from ..exceptions.channel import (
    ChannelUnanswered,
    ClientClosedChannelError,
    ClientClosedChannelOK,
    server_closed_channel,
)
from ..messages import DeliverMessage
from ..publish_options import Body, NotGiven, PublishOptions, outgoing
from .acknowledgements import UnackedDeliveries
from .commit_buffer import CommitBuffer
from .publishing import Publishing
from .replies import OnReply, Replies, Reply
from .reply_timeouts import UNANSWERED_TIMEOUT, ReplyTimeouts

if TYPE_CHECKING:
    from ..consumer import Consumer
    from .connection import LiveConnection

__all__ = ["COALESCE_MIN_PREFETCH", "RECEIVERS", "LiveChannel"]

COALESCE_MIN_PREFETCH: Final = 128
"""With a lower prefetch limit the server would have to wait for us when reading is paced."""

# Compiled when first needed, not on import (0.2 ms each).
_ACK: Final = method_of(BasicAckParameters)
_NACK: Final = method_of(BasicNackParameters)
_REJECT: Final = method_of(BasicRejectParameters)


class LiveChannel:
    """One channel on the wire.

    Args:
        connection: The connection that it is on.
        body_encoding: How text becomes bodies, where nobody says otherwise.

    Attributes:
        closing_exc: What ended the channel, or None.
        allows_read_coalescing: Whether the server may send a lot before it has to wait for us.
        consumers: The consumers by their tags.
        number: The channel's number.
        publishing: What is published.
        transport: The socket's side.
        unacked: What was delivered and is to be settled.

    Raises:
        TooManyChannels: The connection has no number left.
    """

    def __init__(self, connection: "LiveConnection", body_encoding: str) -> None:
        self.connection = connection
        self.body_encoding = body_encoding
        self.number = connection.reserve_number()
        self.closing_exc: Exception | None = None
        self.consumers: dict[str, Consumer] = {}
        self.transport = connection.transport
        self.unacked = UnackedDeliveries()
        self.publishing = Publishing(self)
        self._loop = connection.loop
        self._protocol: ClientProtocol | CommitBuffer = connection.protocol
        self._replies = Replies(connection.loop)
        self._reply_timeouts = ReplyTimeouts(
            connection.loop, self._replies, connection.is_blocked, self._give_up
        )
        self._merges_acks = True
        self.allows_read_coalescing = True
        self._closed = asyncio.Event()
        self._close_was_awaited = False
        self._last_consumer = 0
        connection.channels[self.number] = self

    # --- life ---

    async def open(self) -> None:
        """Open the channel.

        Raises:
            ConnectionClosed: The connection is closed.
            OperationTimeout: The server did not answer in time.
        """

        def close_again(_: Reply) -> None:
            self.begin_close(ClientClosedChannelOK())

        await self.call(ChannelOpenParameters(), ChannelOpenOkParameters, on_late_reply=close_again)

    def begin_close(self, error: Exception) -> None:
        """Send channel.close, and end everything that still waits for something.

        Args:
            error: What users of the channel shall see from now on.
        """
        if self.closing_exc is not None:
            return
        self.write_acks()
        self.fail(error)
        self.connection.protocol.send(
            self.number, ChannelCloseParameters(ReplyCode.REPLY_SUCCESS, "", 0, 0)
        )
        self.transport.flush_request()

    async def close(self, error: Exception, seconds: float, *, leaving: bool = False) -> None:
        """Close the channel, in bounded time.

        The number stays in use until the server has answered, however long that takes.

        Args:
            error: What users of the channel shall see from now on.
            seconds: For how long the server is waited for.
            leaving: Whether a block is left; then a server that is silent is not waited for.
        """
        if leaving and self.connection.is_unresponsive:  # to be asked before what waits here ends
            seconds = 0
        self.begin_close(error)
        if self.connection.blocked is not None or self._closed.is_set() or self._close_was_awaited:
            return  # a server that has blocked us does not read, and would not answer
        self.transport.resume_reading()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        if leaving:
            self.connection.note_unanswered_close(self._closed)
        self._close_was_awaited = True  # who closes it again does not wait for it again

    def fail(self, error: Exception) -> None:
        """End everything on the channel with one exception. Only the first counts."""
        if self.connection.closing_exc is not None:
            self._closed.set()  # no answer to a close will come any more
        if self.closing_exc is not None:
            return
        self.closing_exc = error
        self._let_go()
        self._replies.fail(error)
        self._reply_timeouts.clear()
        self.publishing.fail(error)
        for consumer in list(self.consumers.values()):
            consumer.fail(error)
        self.consumers.clear()

    def raise_if_closed(self) -> None:
        """Raise what ended the channel, if anything did."""
        if self.closing_exc is not None:
            raise self.closing_exc.with_traceback(None)

    @property
    def is_awaiting_server(self) -> bool:
        """Whether anybody waits for something that the server may say on this channel."""
        return bool(
            self._replies
            or self.publishing.is_awaiting_server
            or (self.closing_exc is not None and not self._closed.is_set())
            or any(consumer.is_waiting for consumer in self.consumers.values())
        )

    # --- requests ---

    def ask(
        self,
        request: tuple[Any, ...],
        *answers: type[Any],
        on_reply: OnReply | None = None,
        on_late_reply: OnReply | None = None,
        consumer_tag: str | None = None,
    ) -> Future[Reply]:
        """Send a request, and take a place in the row of those who await an answer.

        Raises:
            ChannelClosed, ConnectionClosed: The channel is closed.
            EncodeError: The request cannot be sent as it is.
        """
        self.raise_if_closed()
        if self.unacked.run:
            self.write_acks()
        self._protocol.send(self.number, request)
        waiter = self._replies.expect(
            *answers, on_reply=on_reply, on_late_reply=on_late_reply, consumer_tag=consumer_tag
        )
        transport = self.transport
        if not transport.flush_is_due:
            transport.flush_request()
        if not transport.is_reading:
            transport.resume_reading()
        return waiter

    def call(
        self,
        request: tuple[Any, ...],
        *answers: type[Any],
        on_reply: OnReply | None = None,
        on_late_reply: OnReply | None = None,
        consumer_tag: str | None = None,
    ) -> Awaitable[Reply]:
        """Send a request at once, and give what its answer is awaited with; see `ask`.

        Raises:
            ChannelClosed, ConnectionClosed: The channel is closed.
            EncodeError: The request cannot be sent as it is.
        """
        waiter = self.ask(
            request,
            *answers,
            on_reply=on_reply,
            on_late_reply=on_late_reply,
            consumer_tag=consumer_tag,
        )
        return self._reply_timeouts.answered(
            request, waiter, self.connection.operation_timeout, on_late_reply
        )

    def blocked_changed(self) -> None:
        """Take note that the server reads no more, or again."""
        self.publishing.update_can_publish()
        self._reply_timeouts.restart()

    def _give_up(self, method: str) -> None:
        """Close the channel: whatever waits behind an answer that never comes would for ever."""
        self.begin_close(ChannelUnanswered(OperationTimeout(method, UNANSWERED_TIMEOUT)))

    async def commit(self) -> None:
        """Commit the transaction; until the server has, nothing else is sent.

        Raises:
            ServerClosedChannel, ServerClosedConnection: The server refused.
            OperationTimeout: The server did not answer in time.
        """
        while isinstance(self._protocol, CommitBuffer):
            await asyncio.wait((self._protocol.over,))
        request = TxCommitParameters()
        waiter = self.ask(request, TxCommitOkParameters, on_reply=self._let_go)
        commit_buffer = CommitBuffer(self.connection.protocol, self._loop.create_future())
        self._protocol = self.publishing.protocol = commit_buffer
        await self._reply_timeouts.answered(request, waiter, self.connection.operation_timeout)

    def _let_go(self, _: Reply | None = None) -> None:
        """Send what was held back; or forget it, if the channel is closed."""
        commit_buffer = self._protocol
        if isinstance(commit_buffer, CommitBuffer):
            self._protocol = self.publishing.protocol = self.connection.protocol
            commit_buffer.let_go(send=self.closing_exc is None)
            self.transport.flush_soon()

    # --- settling; see `messages.Origin` ---

    def ack(self, delivery_tag: int, multiple: bool) -> Awaitable[None] | None:
        """Send basic.ack, perhaps as one with others of this turn; see `UnackedDeliveries`."""
        unacked, transport = self.unacked, self.transport
        if (
            multiple
            or self.closing_exc is not None
            or not self._merges_acks
            or not unacked.extend_run(delivery_tag)
        ):
            self._settle(delivery_tag, multiple, _ACK.encode(delivery_tag, multiple))
        elif unacked.run == 1:
            transport.before_flush.append(self.write_acks)
            if not transport.flush_is_due:
                transport.flush_soon()
        return transport.drain() if transport.is_paused else None

    def nack(self, delivery_tag: int, multiple: bool, requeue: bool) -> Awaitable[None] | None:
        """Send basic.nack."""
        self._settle(delivery_tag, multiple, _NACK.encode(delivery_tag, multiple, requeue))
        return self.transport.drain() if self.transport.is_paused else None

    def reject(self, delivery_tag: int, requeue: bool) -> Awaitable[None] | None:
        """Send basic.reject."""
        self._settle(delivery_tag, False, _REJECT.encode(delivery_tag, requeue))
        return self.transport.drain() if self.transport.is_paused else None

    def requeue(self, delivery_tag: int) -> None:
        """Put a delivered message back into its queue that nobody will ever read."""
        if self.closing_exc is None:
            self._settle(delivery_tag, False, _REJECT.encode(delivery_tag, True))

    def requeue_reply(self, answer: Reply) -> None:
        """Put back the message of a basic.get-ok that nobody awaits any more."""
        if type(answer.parameters) is BasicGetOkParameters:
            self.requeue(answer.parameters.delivery_tag)

    def got(self, answer: Reply) -> None:
        """Take note of a basic.get-ok whose message is to be settled."""
        if type(answer.parameters) is BasicGetOkParameters:
            self.unacked.delivered(answer.parameters.delivery_tag)

    def recovered(self, answer: Reply) -> None:
        """Take note of a basic.recover-ok: the server has taken all deliveries back."""
        self.unacked.clear()

    def keep_acks_apart(self) -> None:
        """Put no acknowledgements together: a transaction may take some of them back."""
        self._merges_acks = False

    async def reply(self, reply_to: str, body: Body | NotGiven, options: PublishOptions) -> None:
        """Publish to a queue by its name; see `Channel.publish`."""
        message = outgoing("reply", reply_to, body, self.body_encoding, options)
        await self.publishing.publish_message("", message)

    def _settle(self, delivery_tag: int, multiple: bool, payload: bytes) -> None:
        """Send what settles deliveries."""
        if self.closing_exc is not None:
            self.raise_if_closed()
        if self.unacked.run:
            self.write_acks()
        self.unacked.settle(delivery_tag, multiple)
        self._protocol.send_method(self.number, payload)
        if not self.transport.flush_is_due:
            self.transport.flush_soon()

    def write_acks(self) -> None:
        """Send the acknowledgements that were put together."""
        unacked = self.unacked
        if unacked.run and self.closing_exc is None:
            payload = _ACK.encode(unacked.last_of_run, unacked.run > 1)
            self._protocol.send_method(self.number, payload)
        unacked.run = 0

    # --- consumers ---

    def new_consumer_tag(self) -> str:
        """Make a tag that no other consumer of the channel has."""
        self._last_consumer += 1
        return f"ammoo-{self.number}.{self._last_consumer}"

    async def consume(self, consumer: "Consumer", request: BasicConsumeParameters) -> None:
        """Start a consumer.

        It is known by its tag before the server is asked: deliveries may come in the
        same read as the answer. When the caller gives up, it is cancelled as soon as
        the server has started it; RabbitMQ does not take the two right behind each other.
        """
        tag = request.consumer_tag

        def cancel_again(_: Reply) -> None:
            self.begin_cancel(tag)

        self.consumers[tag] = consumer
        try:
            await self.call(
                request, BasicConsumeOkParameters, on_late_reply=cancel_again, consumer_tag=tag
            )
        except EncodeError:
            del self.consumers[tag]  # it was not sent
            raise

    def begin_cancel(self, tag: str) -> asyncio.Event:
        """Send basic.cancel. The consumer stays known until the server has stopped.

        Returns:
            What is set then, or when the channel is closed.
        """
        done = asyncio.Event()

        def stopped(answer: "Future[Reply]") -> None:
            answer.exception()  # whatever it is, the consumer has stopped
            self.consumers.pop(tag, None)
            done.set()

        if self.closing_exc is not None:
            done.set()
            return done
        answer = self.ask(
            BasicCancelParameters(tag, False), BasicCancelOkParameters, consumer_tag=tag
        )
        answer.add_done_callback(stopped)
        self._reply_timeouts.add(answer, "basic.cancel")
        return done

    # --- what the server sends; each takes a command that came on this channel ---

    def _receive_deliver(
        self, parameters: BasicDeliverParameters, properties: bytes, body: bytearray
    ) -> None:
        consumer = self.consumers.get(parameters.consumer_tag)
        if consumer is not None:
            # Without an __init__: 60 ns instead of 130.
            message = DeliverMessage()
            message._origin = self
            message._parameters = parameters
            message._properties = properties
            message.body = body
            if not consumer.no_ack:
                self.unacked.delivered(parameters.delivery_tag)
            consumer.put(message)
        else:
            # Nobody will settle it, and no acknowledgement of others may: see `extend_run`.
            self.unacked.delivered(parameters.delivery_tag)

    def _receive_answer(
        self, parameters: Any, properties: bytes | None, body: bytearray | None
    ) -> None:
        if self.closing_exc is not None:
            return  # it came in the same read as what ended the channel
        # Without NamedTuple's own __new__: 90 ns instead of 180.
        answer = tuple.__new__(Reply, (parameters, properties, body))
        if not self._replies.resolve(answer):
            self.connection.fault(parameters)

    def _receive_cancel(
        self, parameters: BasicCancelParameters, properties: bytes | None, body: bytearray | None
    ) -> None:
        consumer = self.consumers.pop(parameters.consumer_tag, None)
        if consumer is not None:
            consumer.cancelled_by_server()
        capabilities = self.connection.server_capabilities
        if not parameters.no_wait or capabilities.get("accept_consumer_cancel_ok"):
            # Older RabbitMQs close the channel on an answer that they did not ask for.
            self._protocol.send(self.number, BasicCancelOkParameters(parameters.consumer_tag))

    def _receive_close(
        self, parameters: ChannelCloseParameters, properties: bytes | None, body: bytearray | None
    ) -> None:
        self.connection.protocol.send(self.number, ChannelCloseOkParameters())
        if self._protocol.is_channel_closing(self.number):
            return  # the closes have crossed within one read; ours is still to be answered
        self.fail(server_closed_channel(*parameters, self.number))
        self._finish()

    def _receive_close_ok(
        self, parameters: ChannelCloseOkParameters, properties: bytes | None, body: bytearray | None
    ) -> None:
        if self.closing_exc is None:
            self.connection.fault(parameters)
        else:
            self._finish()

    def _receive_oversized(
        self, parameters: OversizedContent, properties: bytes | None, body: bytearray | None
    ) -> None:
        """Close the channel: the message can be neither given out nor left unacked."""
        error = ValueError(
            f"a message of {parameters.body_size} octets arrived; at most {parameters.limit}"
            " are taken"
        )
        self.write_acks()
        self.fail(ClientClosedChannelError(error))
        self.connection.protocol.send(
            self.number, ChannelCloseParameters(ReplyCode.CONTENT_TOO_LARGE, str(error), 0, 0)
        )

    def _finish(self) -> None:
        """Both sides have done with the channel: its number is free."""
        self.connection.release_number(self.number)
        self._closed.set()


def _unexpected(
    channel: LiveChannel, parameters: Any, properties: bytes | None, body: bytearray | None
) -> None:
    """Close the connection: a server does not send that."""
    channel.connection.fault(parameters)


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


_ANSWERS = (
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
    **{method.parameters: _unexpected for method in methods()},
    BasicDeliverParameters: LiveChannel._receive_deliver,
    BasicAckParameters: _receive_confirm,
    BasicNackParameters: _receive_confirm,
    BasicReturnParameters: _receive_return,
    BasicCancelParameters: LiveChannel._receive_cancel,
    ChannelFlowParameters: _receive_flow,
    ChannelCloseParameters: LiveChannel._receive_close,
    ChannelCloseOkParameters: LiveChannel._receive_close_ok,
    OversizedContent: LiveChannel._receive_oversized,
    **dict.fromkeys(_ANSWERS, LiveChannel._receive_answer),
}
"""What takes which command of the server: all of them, so that nobody needs to ask twice."""
