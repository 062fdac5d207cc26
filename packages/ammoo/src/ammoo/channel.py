"""`Channel`: every operation of AMQP 0-9-1 and of RabbitMQ's extensions, with its documentation.

A `Channel` is what the user holds: it checks and translates arguments, and keeps
what was asked for (prefetch limits, confirm mode). What is on the wire is the
`LiveChannel` behind it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, Unpack, overload

from ammoo_wire import (
    NO_PROPERTIES,
    BasicConsumeParameters,
    BasicGetEmptyParameters,
    BasicGetOkParameters,
    BasicGetParameters,
    ExchangeBindOkParameters,
    ExchangeBindParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteOkParameters,
    ExchangeDeleteParameters,
    ExchangeUnbindOkParameters,
    ExchangeUnbindParameters,
    FieldValue,
    QueueBindOkParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueueDeleteOkParameters,
    QueueDeleteParameters,
    QueuePurgeOkParameters,
    QueuePurgeParameters,
    QueueUnbindOkParameters,
    QueueUnbindParameters,
    method_of,
)

from .arguments import (
    Arguments,
    Overflow,
    QueueType,
    StreamOffset,
    binding,
    consume_arguments,
    exchange_arguments,
    queue_arguments,
)
from .channel_settings import ChannelSettings, Prefetch
from .consumer import Consumer
from .exceptions.channel import (
    ChannelClosed,
    ClientClosedChannelError,
    ClientClosedChannelOK,
    EmptyQueue,
    ServerClosedChannel,
)
from .exceptions.connection import ConnectionClosed
from .exceptions.publishing import PublishFailed, PublishUnknown, StaleDelivery
from .live.channel import LiveChannel
from .live.ports import PublishingPort
from .live.replies import OnReply, Reply
from .messages import GetMessage, ReturnMessage
from .not_entered import NOT_ENTERED, not_entered
from .publish_options import (
    NOT_GIVEN,
    Body,
    MessageOptions,
    NotGiven,
    PublishOptions,
    outgoing,
    takes_publish_options,
)

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["Channel"]

Request = tuple[Any, ...]
"""Parameters of a method that is answered."""

CLOSE_TIMEOUT: Final = 5.0
"""For how long the server is waited for when a channel is closed, in seconds."""

TAG_BITS: Final = 48
"""Delivery tags of the n-th recovery begin at n << 48: no channel delivers so many messages."""


class Channel:
    """An AMQP channel: what everything but connecting is done on.

    Made by `Connection.channel` and used as a context manager: it is opened when the
    block is entered and closed when it is left. Any number of tasks may use one
    channel at the same time; the server answers them in order. All of them run in the
    connection's event loop: nothing here is safe to call from another thread, which
    reaches it with `asyncio.run_coroutine_threadsafe`.

    A mistake that the server finds closes the channel. Everybody who waits on it, and
    everybody who uses it afterwards, gets the same `ServerClosedChannel`; other
    channels of the connection go on.
    """

    def __init__(
        self,
        connection: "Connection",
        *,
        prefetch_size: int | None = None,
        prefetch_count: int | None = None,
        body_encoding: str = "utf-8",
    ) -> None:
        self._connection = connection
        self._body_encoding = body_encoding
        self._live: LiveChannel | None = None
        self._publishing: PublishingPort = NOT_ENTERED
        self._supervisor = connection._supervisor
        self._gated: PublishingPort | None = None
        self._final: Exception | None = None
        self._ended = asyncio.Event()
        self._epochs = 0
        self._transaction: LiveChannel | None = None  # the one on which it was begun
        self._last_queue = ""  # the one that was declared last; only with recovery
        self._settings = ChannelSettings(
            None
            if prefetch_size is None and prefetch_count is None
            else Prefetch(prefetch_size or 0, prefetch_count or 0)
        )

    def __repr__(self) -> str:
        if self._live is None:
            return "<Channel, not entered>"
        if self.closing_exc is not None:
            return f"<Channel {self._live.number}, closed>"
        state = ", recovering" if self._live.closing_exc is not None else ""
        return f"<Channel {self._live.number}{state}>"

    # --- what it is ---

    @property
    def channel_id(self) -> int:
        """The channel's number; the first channel of a connection has 1.

        Raises:
            RuntimeError: The channel was not entered.
        """
        return self._require_live().number

    @property
    def connection(self) -> "Connection":
        """The connection that the channel is on."""
        return self._connection

    @property
    def body_encoding(self) -> str:
        """How text becomes a body, and a body text, where nothing else says so."""
        return self._body_encoding

    @property
    def entered(self) -> bool:
        """Whether the channel has been opened."""
        return self._live is not None

    @property
    def closing(self) -> bool:
        """Whether the channel is closed, or about to be."""
        return self.closing_exc is not None

    @property
    def closing_exc(self) -> Exception | None:
        """What closed the channel; None while it is open.

        `ClientClosedChannelOK` after a clean close, else the very exception that was raised.
        """
        return self._final

    @property
    def settings(self) -> ChannelSettings:
        """What was asked of the channel, beyond single operations."""
        return self._settings

    # --- context manager ---

    async def __aenter__(self) -> Self:
        """Open the channel (channel.open), and set the prefetch limits that were asked for.

        Raises:
            TooManyChannels: As many channels are open as the server allows.
            ConnectionClosed: The connection is closed.
            RuntimeError: The channel was entered before.
        """
        if self._live is not None:
            raise RuntimeError(
                f"{self!r} was entered before; call connection.channel() for another one"
            )
        await self._connection._pass_gate("channel.open")
        live = self._live = self._connection._require_live().new_channel(self._body_encoding)
        live.on_end = self._live_ended
        self._publishing = live.publishing
        await live.open()
        try:
            await self._settings.apply(live)
        except BaseException:
            live.begin_close(ClientClosedChannelOK())
            raise
        if self._supervisor is not None and self._final is None:
            self._supervisor.channels[self] = None
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the channel (channel.close); nothing to do if it is closed already.

        The server is waited for 5 s at most, and not at all while it has left another cancel or
        close on the connection unanswered for that long.
        """
        await self._close(exc, CLOSE_TIMEOUT, leaving=True)

    async def close(self, *, timeout: float = CLOSE_TIMEOUT) -> None:  # noqa: ASYNC109  bounds the close, cancels nothing
        """Close the channel before its block is left; closing it twice is fine.

        Messages that were not settled go back to their queues.

        Args:
            timeout: For how many seconds the server is waited for.
        """
        await self._close(None, timeout)

    async def _close(
        self, exc: BaseException | None, seconds: float, *, leaving: bool = False
    ) -> None:
        if self._live is not None:
            error = ClientClosedChannelOK() if exc is None else ClientClosedChannelError(exc)
            if self._final is None and self._live.closing_exc is not None:
                self.close_for_good(error)  # it is being recovered: there is nothing to send
            await self._live.close(error, seconds, leaving=leaving)

    async def wait_closed(self) -> None:
        """Wait until the channel is closed for good; a recovery does not count."""
        if self._final is None:
            await self._ended.wait()

    def _require_live(self) -> LiveChannel:
        if self._live is None:
            raise not_entered()
        return self._live

    # --- recovery ---

    async def _usable(self, operation: str, octets: int = 0) -> LiveChannel:
        """Wait until an operation can be sent; the caller sends it in the same stretch.

        Raises:
            NotSent: Too many operations wait already, or it has waited for too long.
            ChannelClosed, ConnectionClosed: The channel is closed for good.
        """
        live, supervisor = self._require_live(), self._supervisor
        if supervisor is None:
            return live
        timeout = self._connection._operation_timeout
        while self._final is None:
            if not supervisor.gate.is_clear:
                await supervisor.gate.wait(operation, octets, timeout)
            live = self._require_live()
            if live.closing_exc is None or supervisor.gate.is_clear:
                return live
        raise self._final.with_traceback(None)

    async def _call(
        self, request: Request, *replies: type[Any], on_reply: OnReply | None = None
    ) -> Reply:
        """Send a request, when the channel is open, and await its reply."""
        if self._supervisor is None:
            return await self._require_live().call(request, *replies, on_reply=on_reply)
        live = await self._usable(method_of(request).name)
        return await live.call(self._as_named_now(request), *replies, on_reply=on_reply)

    async def _declare(self, request: Request, reply: type[Any]) -> Reply:
        """Declare or bind something, and record it when the server has done it."""
        supervisor = self._supervisor
        if supervisor is None:
            return await self._require_live().call(request, reply)
        live = await self._usable(method_of(request).name)
        named = self._as_named_now(request)

        def record(answer: Reply) -> None:
            if isinstance(named, QueueDeclareParameters):
                self._last_queue = answer.parameters.queue_name
                supervisor.topology.queue_declared(named, self._last_queue)
            elif isinstance(named, ExchangeDeclareParameters):
                supervisor.topology.exchange_declared(named)
            else:
                supervisor.topology.bound(named)

        return await live.call(named, reply, on_reply=record)

    async def _delete(self, request: Request, reply: type[Any]) -> Reply:
        """Delete or unbind something; it is forgotten as it is sent, unless the server refuses."""
        supervisor = self._supervisor
        if supervisor is None:
            return await self._require_live().call(request, reply)
        live = await self._usable(method_of(request).name)
        named, topology = self._as_named_now(request), supervisor.topology
        replied = live.call(named, reply)
        if isinstance(named, QueueDeleteParameters):
            forgotten = topology.forget_queue(named.queue_name)
        elif isinstance(named, ExchangeDeleteParameters):
            forgotten = topology.forget_exchange(named.exchange_name)
        else:
            forgotten = topology.forget_binding(named)
        try:
            return await replied
        except ServerClosedChannel:
            topology.put_back(forgotten)  # it was refused, or it was behind what was
            raise

    def _as_named_now(self, request: Any) -> Any:
        """Return a request with the names that queues have now which the server has named."""
        supervisor = self._supervisor
        if supervisor is None:
            return request
        current_name, changes = supervisor.topology.current_name, {}
        if isinstance(request, QueueDeclareParameters) and not request.queue_name:
            return request  # the server names it
        if hasattr(request, "queue_name"):
            changes["queue_name"] = current_name(request.queue_name or self._last_queue)
        if hasattr(request, "routing_key"):
            is_implied = changes and not (request.queue_name or request.routing_key)
            key = changes["queue_name"] if is_implied else request.routing_key
            changes["routing_key"] = current_name(key)
        return request._replace(**changes)

    def _live_ended(self, live: LiveChannel, error: Exception) -> None:
        """Take the end of the live channel, before anything on it ends."""
        if live is not self._live:
            return
        supervisor = self._supervisor
        if supervisor is None or self not in supervisor.channels:
            self.close_for_good(error)
        elif supervisor.is_recovering:
            self._begin_waiting(live)
        elif supervisor.final is not None:
            self.close_for_good(supervisor.final)
        else:
            self.close_for_good(error)

    def _begin_waiting(self, live: LiveChannel) -> None:
        live.is_stale = True
        live.successor = self._publishing = self._gated_publishing()

    def _gated_publishing(self) -> PublishingPort:
        if self._gated is None:
            from .recovery.gated_publishing import GatedPublishing

            self._gated = GatedPublishing(self._usable, lambda: self._final)
        return self._gated

    def attach(self, live: LiveChannel) -> None:
        """Go on with a live channel that has been opened and set up, after a recovery."""
        self._epochs += 1
        live.tag_offset = self._epochs << TAG_BITS
        live.on_end = self._live_ended
        self._live = live
        self._publishing = self._gated_publishing()  # until what waits at the gate has gone on

    def gate_cleared(self) -> None:
        """Publish without asking the gate: nothing waits there any more."""
        if self._live is not None and self._live.closing_exc is None:
            self._publishing = self._live.publishing

    def close_for_good(self, error: Exception) -> None:
        """End the channel with an error; its consumers end with it."""
        if self._final is not None:
            return
        self._final = error
        self._ended.set()
        supervisor = self._supervisor
        if supervisor is not None:
            supervisor.channels.pop(self, None)
            for record in supervisor.topology.consumers_on(self):
                record.consumer.close_for_good(error)
            supervisor.topology.forget_channel(self)

    # --- consuming ---

    def consume(
        self,
        queue_name: str,
        *,
        no_ack: bool = False,
        no_local: bool = False,
        exclusive: bool = False,
        priority: int | None = None,
        stream_offset: StreamOffset | None = None,
        arguments: Arguments | None = None,
    ) -> Consumer:
        """Make a consumer of a queue; it starts when it is entered (basic.consume).

        See https://www.rabbitmq.com/docs/consumers. How many messages the server sends
        ahead is limited by `qos`, which must come first.

        Args:
            queue_name: The queue; empty for the one that the channel declared last.
            no_ack: Messages are settled as they are sent, and lost if they are not read.
            no_local: Not to be sent what this connection published. RabbitMQ takes no
                notice of it.
            exclusive: Nobody else may consume from the queue.
            priority: Those with a lower one get messages only while all with a higher one
                have their hands full (RabbitMQ's x-priority).
            stream_offset: Where in a stream to begin (RabbitMQ's x-stream-offset).
            arguments: Further arguments.

        Raises:
            ValueError: Something is given in arguments too, with another value.
        """
        table = consume_arguments(arguments, priority, stream_offset)
        return Consumer(
            self,
            BasicConsumeParameters(queue_name, "", no_local, no_ack, exclusive, False, table),
        )

    async def get(self, queue_name: str, *, no_ack: bool = False) -> GetMessage:
        """Take one message from a queue (basic.get).

        A consumer is the better way to get more than one.

        Args:
            queue_name: The queue; empty for the one that the channel declared last.
            no_ack: The message is settled as it is sent.

        Raises:
            EmptyQueue: There is none.
            ServerClosedChannel: The server refused; with `NotFound`, there is no such queue.
        """
        live = await self._usable("basic.get")
        answer = await live.call(
            self._as_named_now(BasicGetParameters(queue_name, no_ack)),
            BasicGetOkParameters,
            BasicGetEmptyParameters,
            on_reply=None if no_ack else live.acknowledgements.add_reply,
            on_late_reply=_drop if no_ack else live.acknowledgements.requeue_reply,
        )
        if answer.properties is None or answer.body is None:
            raise EmptyQueue(queue_name)
        return GetMessage.of(live, answer.parameters, answer.properties, answer.body)

    async def qos(
        self, prefetch_size: int = 0, prefetch_count: int = 0, global_: bool = False
    ) -> None:
        """Limit what the server sends ahead to consumers (basic.qos).

        Without a limit a queue's whole content may be sent at once. RabbitMQ: the
        limits hold for consumers that are started afterwards, each by itself
        (https://www.rabbitmq.com/docs/consumer-prefetch).

        Args:
            prefetch_size: How many octets may be unsettled; 0 for no limit. RabbitMQ
                knows no other.
            prefetch_count: How many messages may be unsettled; 0 for no limit.
            global_: In the standard, for the whole connection; with RabbitMQ, for all
                consumers of the channel together, running ones included.

        Raises:
            ServerClosedConnection: The server does not know prefetch_size.
        """
        prefetch = Prefetch(prefetch_size, prefetch_count)

        def record(_: Reply) -> None:
            self._settings.set_prefetch(prefetch, global_)

        live = await self._usable("basic.qos")
        await live.set_prefetch(*prefetch, global_, record)

    async def recover(self, requeue: bool) -> None:
        """Have all unsettled messages of the channel sent again (basic.recover).

        Args:
            requeue: To whoever is next; False for to those who had them, which RabbitMQ
                does not know.

        Raises:
            ServerClosedConnection: The server does not know requeue=False.
        """
        live = await self._usable("basic.recover")
        await live.recover(requeue)

    async def flow(self, active: bool) -> None:
        """Ask the server to stop sending to consumers, or to go on (channel.flow).

        Args:
            active: Whether it shall send. RabbitMQ does not know False: use `qos`.

        Raises:
            ServerClosedConnection: The server does not know it.
        """

        def record(_: Reply) -> None:
            self._settings.flow_active = active

        live = await self._usable("channel.flow")
        await live.set_flow(active, record)

    # --- settling ---

    async def ack(self, delivery_tag: int, *, multiple: bool = False) -> None:
        """Acknowledge a message (basic.ack). `ExpectedMessage.ack` needs no tag.

        Args:
            delivery_tag: The message's tag; with `multiple`, 0 means all.
            multiple: Acknowledge all unsettled messages of the channel up to this one.

        Raises:
            UnknownDelivery: The message was settled before, or with no_ack; nothing was sent.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        live = self._require_live()
        drain = live.ack(_tag_on(live, delivery_tag), multiple)
        if drain is not None:
            await drain

    async def reject(self, delivery_tag: int, requeue: bool, *, multiple: bool = False) -> None:
        """Refuse a message (basic.reject). `ExpectedMessage.reject` needs no tag.

        Args:
            delivery_tag: The message's tag; with `multiple`, 0 means all.
            requeue: Put it back into its queue; otherwise it is dropped or dead-lettered.
            multiple: Refuse all unsettled messages of the channel up to this one
                (RabbitMQ's basic.nack).

        Raises:
            UnknownDelivery: The message was settled before, or with no_ack; nothing was sent.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        live = self._require_live()
        if multiple:
            drain = live.nack(_tag_on(live, delivery_tag), True, requeue)
        else:
            drain = live.reject(_tag_on(live, delivery_tag), requeue)
        if drain is not None:
            await drain

    async def nack(
        self, delivery_tag: int, requeue: bool = True, *, multiple: bool = False
    ) -> None:
        """Refuse a message, or all up to it (basic.nack, RabbitMQ's extension).

        Args:
            delivery_tag: As in `reject`.
            requeue: As in `reject`.
            multiple: As in `reject`.

        Raises:
            UnknownDelivery: The message was settled before, or with no_ack; nothing was sent.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        live = self._require_live()
        drain = live.nack(_tag_on(live, delivery_tag), multiple, requeue)
        if drain is not None:
            await drain

    # --- publishing ---

    @overload
    async def publish(
        self,
        exchange_name: str,
        route: str | Mapping[str, FieldValue],
        body: Body,
        **options: Unpack[MessageOptions],
    ) -> None: ...

    @overload
    async def publish(
        self,
        exchange_name: str,
        route: str | Mapping[str, FieldValue],
        *,
        json: object,
        **options: Unpack[MessageOptions],
    ) -> None: ...

    @takes_publish_options
    async def publish(
        self,
        exchange_name: str,
        route: str | Mapping[str, FieldValue],
        body: Body | NotGiven = NOT_GIVEN,
        **options: Unpack[PublishOptions],
    ) -> None:
        """Publish a message (basic.publish).

        Without confirm mode it returns when the message is on its way. After
        `select_confirm` it returns when the server has taken responsibility for the
        message, which goes faster with many in flight: gather them.

        While the server takes no messages (connection.blocked, channel.flow) the message
        is held back.

        Args:
            exchange_name: The exchange; empty for the default one, which routes to the
                queue named by the route.
            route: The routing key; or, for a headers exchange, the headers.
            body: What to send. A str is encoded.
            json: What to send as JSON, in place of a body. None is a value.
            mandatory: The message comes back if it cannot be routed to a queue; see
                `get_next_returned_message`. Needs confirm mode.
            immediate: The message comes back if no consumer takes it at once. Needs
                confirm mode, and another server than RabbitMQ.
            encoding: How a str becomes octets; else `content_encoding` says, or the channel.
            correlation_id: Property: what a reply is matched to its request by.
            reply_to: Property: the queue to reply to.
            expiration: Property: how long the message lives in a queue, in milliseconds.
            cc: Further routing keys (RabbitMQ's sender-selected distribution).
            bcc: Like cc, and taken out of the message before it is delivered.
            priority: Property: 0 to 255, for queues with priorities.
            delivery_mode: Property: 2 for a message that survives a restart in a durable
                queue, 1 for one that does not.
            timestamp: Property: when it was made. Without a time zone it is in UTC.
            content_encoding: Property; True for the encoding that is used.
            content_type: Property; True for application/octet-stream, text/plain or
                application/json, as the body is.
            message_id: Property: the publisher's name for the message.
            type_: Property: the publisher's name for the kind of message.
            type: The same.
            user_id: Property: who publishes; RabbitMQ takes only the user that logged in.
            app_id: Property: which program publishes.
            headers: Property: headers beside a routing key.
            raise_returned: Mandatory, and the exception is this publish's own instead of
                a message in `get_next_returned_message`. Needs confirm mode.

        Raises:
            TypeError: There is not exactly one of body and json, or an argument that is no
                property has a wrong type.
            ValueError: A value cannot be sent, or something needs confirm mode. A property
                of a wrong type is such (`ammoo_wire.EncodeError`, a ValueError).
            PublishNack: The server refused the message.
            PublishReturned: The message could not be routed, and raise_returned is set.
            ConnectionBlocked, ChannelInactive: It was held back for too long.
            OperationTimeout: No confirm came in time, if `connect` was given a limit.
                Whether the message has arrived is not known.
            ChannelClosed, ConnectionClosed: The channel is closed. Whether a message
                whose confirm was awaited has arrived is not known.
        """
        publishing = self._publishing
        if not options and isinstance(body, bytes) and isinstance(route, str):
            routing_key = route
            outcome = publishing.publish(exchange_name, route, NO_PROPERTIES, body)
        else:
            message = outgoing("publish", route, body, self._body_encoding, options)
            routing_key = message.routing_key
            outcome = publishing.publish(exchange_name, *message)
        if outcome is None:
            return
        try:
            await outcome
        except PublishFailed as error:
            error.exchange_name = exchange_name
            error.routing_key = routing_key
            raise

    @overload
    def publish_nowait(
        self,
        exchange_name: str,
        route: str | Mapping[str, FieldValue],
        body: Body,
        **options: Unpack[MessageOptions],
    ) -> "asyncio.Future[None]": ...

    @overload
    def publish_nowait(
        self,
        exchange_name: str,
        route: str | Mapping[str, FieldValue],
        *,
        json: object,
        **options: Unpack[MessageOptions],
    ) -> "asyncio.Future[None]": ...

    @takes_publish_options
    def publish_nowait(
        self,
        exchange_name: str,
        route: str | Mapping[str, FieldValue],
        body: Body | NotGiven = NOT_GIVEN,
        **options: Unpack[PublishOptions],
    ) -> "asyncio.Future[None]":
        """Publish a message at once, and give what its confirm can be awaited with.

        With many messages in flight this takes about half the time of `publish`, as no
        task has to be made for each::

            confirmations = []
            for body in bodies:
                if not channel.is_publishable:
                    await channel.wait_publishable()
                confirmations.append(channel.publish_nowait("exchange", "key", body))
            for confirmation in confirmations:
                await confirmation

        Args:
            exchange_name: As in `publish`.
            route: As in `publish`.
            body: As in `publish`.
            options: As the keyword arguments of `publish`.

        Returns:
            In confirm mode a future: it ends when the server has taken responsibility for
            the message, or with what `publish` would raise then (PublishNack,
            PublishReturned, ChannelClosed, ConnectionClosed, OperationTimeout). Without,
            one that has ended. It may be left alone, if the outcome does not matter.

        Raises:
            PublishNotReady: `publish` would have held the message back. It was not sent:
                await `wait_publishable`.
            TypeError, ValueError: As `publish`.
            ChannelClosed, ConnectionClosed: The channel is closed; nothing was sent.
        """
        publishing = self._publishing
        if not options and isinstance(body, bytes) and isinstance(route, str):
            return publishing.publish_nowait(exchange_name, route, NO_PROPERTIES, body)
        message = outgoing("publish_nowait", route, body, self._body_encoding, options)
        return publishing.publish_nowait(exchange_name, *message)

    @property
    def is_publishable(self) -> bool:
        """Whether `publish_nowait` takes a message now.

        It does not while the server takes none (connection.blocked, channel.flow), while
        the socket takes no more, or once the channel is closed.
        """
        return self._publishing.is_publishable

    async def wait_publishable(self) -> None:
        """Wait until `publish_nowait` takes a message; at once, if it does.

        Raises:
            ConnectionBlocked, ChannelInactive: The server has taken none for too long.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        await self._publishing.wait_publishable()

    async def select_confirm(self) -> None:
        """Have the server confirm every message from now on (confirm.select).

        RabbitMQ's extension (https://www.rabbitmq.com/docs/confirms). Doing it twice is fine.

        Raises:
            ServerClosedChannel: The channel has transactions.
        """

        def record(_: Reply) -> None:
            self._settings.confirms = True

        live = await self._usable("confirm.select")
        await live.select_confirm(record)

    async def get_next_returned_message(self) -> ReturnMessage:
        """Wait for the next message that came back, for it was mandatory or immediate.

        Raises:
            ChannelClosed, ConnectionClosed: None will come any more.
        """
        return await self._publishing.next_returned()

    # --- transactions ---

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Publish and acknowledge all or nothing (class tx).

        What is done within the block takes effect when it is left, or not at all when
        an exception leaves it::

            async with channel.transaction():
                await channel.publish("orders", "paid", b"...")
                await message.ack()

        The channel has transactions from then on, and cannot have confirms; what is
        done between two blocks is part of the next one. RabbitMQ's are slow, and atomic
        for one queue only (https://www.rabbitmq.com/docs/semantics).

        Raises:
            ServerClosedChannel: The channel has confirms, or something went wrong.
        """
        await self.select_transaction()
        self._transaction = await self._usable("tx.select")
        try:
            yield
        except BaseException:
            if self._transaction.closing_exc is None:
                await self.rollback()
            raise
        await self.commit()

    async def select_transaction(self) -> None:
        """Turn transactions on for the channel (tx.select). Doing it twice is fine.

        Raises:
            ServerClosedChannel: The channel has confirms.
        """

        def record(_: Reply) -> None:
            self._settings.transactions = True

        if not self._settings.transactions:
            live = await self._usable("tx.select")
            await live.select_transactions(record)
            self._transaction = live

    async def commit(self) -> None:
        """Have everything since the last commit or rollback take effect (tx.commit).

        What other tasks do on the channel meanwhile is sent when the server has done.

        Raises:
            ServerClosedChannel: The channel has no transactions, or something went wrong.
        """
        live = await self._usable("tx.commit")
        self._raise_if_transaction_was_lost(live)
        try:
            await live.commit()
        except (ConnectionClosed, ChannelClosed) as error:
            if live.is_stale:
                raise PublishUnknown(error) from error
            raise

    async def rollback(self) -> None:
        """Have nothing since the last commit or rollback take effect (tx.rollback).

        Raises:
            ServerClosedChannel: The channel has no transactions.
        """
        live = await self._usable("tx.rollback")
        self._transaction = live
        await live.roll_back()

    def _raise_if_transaction_was_lost(self, live: LiveChannel) -> None:
        """Raise what ended the channel on which the transaction was begun, if it has ended."""
        begun, self._transaction = self._transaction, live
        if self._supervisor is not None and begun is not None and begun is not live:
            begun.raise_if_closed()

    # --- exchanges ---

    async def declare_exchange(
        self,
        exchange_name: str,
        exchange_type: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        alternate_exchange_name: str | None = None,
        internal: bool = False,
        arguments: Arguments | None = None,
    ) -> None:
        """Declare an exchange: make it, or make sure that it is as described (exchange.declare).

        Args:
            exchange_name: The exchange.
            exchange_type: direct, fanout, topic, headers, or a type of a plugin.
            durable: It survives a restart of the server.
            auto_delete: It goes when the last binding from it goes.
            alternate_exchange_name: Where messages go that it can route nowhere
                (RabbitMQ's alternate-exchange).
            internal: Only other exchanges may publish to it.
            arguments: Further arguments.

        Raises:
            PreconditionFailed: There is one that is otherwise.
            ServerClosedChannel, ServerClosedConnection: The server refused.
        """
        table = exchange_arguments(arguments, alternate_exchange_name)
        await self._declare(
            ExchangeDeclareParameters(
                exchange_name, exchange_type, False, durable, auto_delete, internal, False, table
            ),
            ExchangeDeclareOkParameters,
        )

    async def delete_exchange(self, exchange_name: str, *, if_unused: bool = False) -> None:
        """Delete an exchange (exchange.delete); with RabbitMQ it need not exist.

        Args:
            exchange_name: The exchange.
            if_unused: Only if there are no bindings from it.

        Raises:
            PreconditionFailed: There are bindings from it.
            ServerClosedChannel: The server refused.
        """
        await self._delete(
            ExchangeDeleteParameters(exchange_name, if_unused, False), ExchangeDeleteOkParameters
        )

    async def assert_exchange_exists(self, exchange_name: str) -> None:
        """Make sure that an exchange exists; if it does not, the channel is closed.

        Args:
            exchange_name: The exchange.

        Raises:
            NotFound: It does not.
        """
        await self._call(
            ExchangeDeclareParameters(exchange_name, "direct", passive=True),
            ExchangeDeclareOkParameters,
        )

    async def bind_exchange(
        self,
        destination: str,
        source: str,
        routing_key: str | Arguments,
        *,
        arguments: Arguments | None = None,
    ) -> None:
        """Have an exchange take what another routes by a key (exchange.bind).

        RabbitMQ's extension (https://www.rabbitmq.com/docs/e2e).

        Args:
            destination: The exchange that takes.
            source: The exchange that routes.
            routing_key: The key; or, for a headers exchange, the headers to match.
            arguments: Further arguments.

        Raises:
            NotFound: One of them does not exist.
            ServerClosedChannel: The server refused.
        """
        key, table = binding(routing_key, arguments)
        await self._declare(
            ExchangeBindParameters(destination, source, key, False, table),
            ExchangeBindOkParameters,
        )

    async def unbind_exchange(
        self,
        destination: str,
        source: str,
        routing_key: str | Arguments,
        *,
        arguments: Arguments | None = None,
    ) -> None:
        """Undo `bind_exchange`; takes the same arguments (exchange.unbind).

        Raises:
            ServerClosedChannel: The server refused.
        """
        key, table = binding(routing_key, arguments)
        await self._delete(
            ExchangeUnbindParameters(destination, source, key, False, table),
            ExchangeUnbindOkParameters,
        )

    # --- queues ---

    async def declare_queue(
        self,
        queue_name: str,
        *,
        exclusive: bool = False,
        durable: bool = False,
        auto_delete: bool = False,
        ttl: int | None = None,
        expires: int | None = None,
        max_length: int | None = None,
        max_length_bytes: int | None = None,
        dead_letter_exchange: str | None = None,
        dead_letter_routing_key: str | None = None,
        max_priority: int | None = None,
        queue_type: QueueType | str | None = None,
        delivery_limit: int | None = None,
        overflow: Overflow | str | None = None,
        single_active_consumer: bool | None = None,
        arguments: Arguments | None = None,
    ) -> QueueDeclareOkParameters:
        """Declare a queue: make it, or make sure that it is as described (queue.declare).

        See https://www.rabbitmq.com/docs/queues, and the documentation of each of
        RabbitMQ's x-arguments.

        Args:
            queue_name: The queue; empty for one that the server names.
            exclusive: For this connection only; the queue goes with it.
            durable: It survives a restart of the server.
            auto_delete: It goes when its last consumer goes.
            ttl: How long messages live in it, in milliseconds (x-message-ttl).
            expires: How long it lives without being used, in milliseconds (x-expires).
            max_length: How many messages it holds (x-max-length).
            max_length_bytes: How many octets of bodies it holds (x-max-length-bytes).
            dead_letter_exchange: Where messages go that die in it (x-dead-letter-exchange).
            dead_letter_routing_key: With which key; else with their own
                (x-dead-letter-routing-key).
            max_priority: The highest priority that it tells apart (x-max-priority).
            queue_type: classic, quorum or stream (x-queue-type).
            delivery_limit: How often a quorum queue delivers a message (x-delivery-limit).
            overflow: What happens when it is full: drop-head, reject-publish or
                reject-publish-dlx (x-overflow).
            single_active_consumer: One consumer at a time gets messages
                (x-single-active-consumer).
            arguments: Further arguments.

        Returns:
            The queue's name, and how many messages are ready in it and consumers on it.

        Raises:
            PreconditionFailed: There is one that is otherwise, or arguments contradict.
            ResourceLocked: It is another connection's alone.
            ServerClosedChannel, ServerClosedConnection: The server refused.
            ValueError: Something is given in arguments too, with another value.
        """
        table = queue_arguments(
            arguments,
            ttl=ttl,
            expires=expires,
            max_length=max_length,
            max_length_bytes=max_length_bytes,
            dead_letter_exchange=dead_letter_exchange,
            dead_letter_routing_key=dead_letter_routing_key,
            max_priority=max_priority,
            queue_type=queue_type,
            delivery_limit=delivery_limit,
            overflow=overflow,
            single_active_consumer=single_active_consumer,
        )
        return await self._declare_queue(
            QueueDeclareParameters(queue_name, False, durable, exclusive, auto_delete, False, table)
        )

    async def delete_queue(
        self, queue_name: str, *, if_unused: bool = False, if_empty: bool = False
    ) -> int:
        """Delete a queue (queue.delete); with RabbitMQ it need not exist.

        Args:
            queue_name: The queue; empty for the one that the channel declared last.
            if_unused: Only if it has no consumers.
            if_empty: Only if it has no messages.

        Returns:
            How many messages were in it.

        Raises:
            PreconditionFailed: It has consumers or messages.
            ServerClosedChannel: The server refused.
        """
        answer = await self._delete(
            QueueDeleteParameters(queue_name, if_unused, if_empty, False), QueueDeleteOkParameters
        )
        return _message_count(answer.parameters)

    async def purge_queue(self, queue_name: str) -> int:
        """Drop all messages of a queue that are not out for settling (queue.purge).

        Args:
            queue_name: The queue; empty for the one that the channel declared last.

        Returns:
            How many they were.

        Raises:
            ServerClosedChannel: The server refused; with `NotFound`, there is no such queue.
        """
        answer = await self._call(QueuePurgeParameters(queue_name, False), QueuePurgeOkParameters)
        return _message_count(answer.parameters)

    async def bind_queue(
        self,
        queue_name: str,
        exchange_name: str,
        routing_key: str | Arguments,
        *,
        arguments: Arguments | None = None,
    ) -> None:
        """Have a queue take what an exchange routes by a key (queue.bind).

        Args:
            queue_name: The queue; empty for the one that the channel declared last.
            exchange_name: The exchange.
            routing_key: The key, or a pattern for a topic exchange; or, for a headers
                exchange, the headers to match, with ``x-match`` for how.
            arguments: Further arguments.

        Raises:
            NotFound: One of them does not exist.
            ServerClosedChannel: The server refused.
        """
        key, table = binding(routing_key, arguments)
        await self._declare(
            QueueBindParameters(queue_name, exchange_name, key, False, table),
            QueueBindOkParameters,
        )

    async def unbind_queue(
        self,
        queue_name: str,
        exchange_name: str,
        routing_key: str | Arguments,
        *,
        arguments: Arguments | None = None,
    ) -> None:
        """Undo `bind_queue`; takes the same arguments (queue.unbind).

        Raises:
            ServerClosedChannel: The server refused.
        """
        key, table = binding(routing_key, arguments)
        await self._delete(
            QueueUnbindParameters(queue_name, exchange_name, key, table), QueueUnbindOkParameters
        )

    async def assert_queue_exists(self, queue_name: str) -> QueueDeclareOkParameters:
        """Make sure that a queue exists; if it does not, the channel is closed.

        Args:
            queue_name: The queue.

        Returns:
            As `declare_queue`.

        Raises:
            NotFound: It does not.
            ResourceLocked: It is another connection's alone.
        """
        return await self._declare_queue(QueueDeclareParameters(queue_name, passive=True))

    async def _declare_queue(self, request: QueueDeclareParameters) -> QueueDeclareOkParameters:
        answer = await self._declare(request, QueueDeclareOkParameters)
        declared: QueueDeclareOkParameters = answer.parameters
        return declared


def _tag_on(live: LiveChannel, delivery_tag: int) -> int:
    """Return what a delivery tag that the caller knows is called on a live channel.

    Raises:
        StaleDelivery: It is of a channel that was lost.
    """
    if not live.tag_offset or not delivery_tag:
        return delivery_tag
    if delivery_tag <= live.tag_offset:
        raise StaleDelivery(delivery_tag)
    return delivery_tag - live.tag_offset


def _message_count(parameters: Any) -> int:
    count: int = parameters.message_count
    return count


def _drop(answer: object) -> None:
    """Do nothing about a message that was settled as it was sent, and that nobody awaits."""
