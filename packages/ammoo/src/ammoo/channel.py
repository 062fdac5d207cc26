"""`Channel`: every operation of AMQP 0-9-1 and of RabbitMQ's extensions, with its documentation.

A `Channel` checks and translates the user's arguments, and documents each operation. It sends
through its `ChannelLifetime`, which knows the current `LiveChannel`.
"""

import asyncio
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from os import urandom
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, Unpack, overload

from ammoo_wire import (
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
)
from ammoo_wire.fields import FieldTable

from .arguments import (
    Arguments,
    Overflow,
    QueueType,
    StreamOffset,
    binding,
    consume_arguments,
    exchange_arguments,
    queue_arguments,
    refuses_lone_size,
)
from .channel_lifetime import ChannelLifetime
from .channel_settings import ChannelSettings, Prefetch
from .consumer import Consumer
from .exceptions.base import raise_unreported
from .exceptions.channel import (
    ChannelClosed,
    ClientClosedChannelError,
    ClientClosedChannelOK,
    EmptyQueue,
)
from .exceptions.connection import ConnectionClosed
from .exceptions.publishing import PublishFailed, PublishUnknown, StaleDelivery
from .live.channel import LiveChannel
from .live.replies import Reply
from .messages import GetMessage, ReturnMessage
from .publish_defaults import PublishDefaults
from .publish_options import (
    NOT_GIVEN,
    Body,
    MessageOptions,
    NotGiven,
    PublishOptions,
    takes_publish_options,
)
from .server_release import rabbitmq_release
from .workers.processing import OnError

if TYPE_CHECKING:
    from datetime import timedelta

    from .connection import Connection
    from .publisher import Publisher
    from .rpc.caller import Rpc
    from .rpc.server import RequestHandler, RpcServer
    from .workers.run import Key

__all__ = ["Channel"]

CLOSE_TIMEOUT: Final = 5.0
"""How long closing a channel waits for the server, in seconds."""

MAX_IN_FLIGHT: Final = 1000
"""How many messages of a publisher may have no outcome yet, by default."""
MAX_BYTES: Final = 16 * 1024 * 1024
"""How many octets the bodies of these messages may have, by default."""


class Channel:
    """An AMQP channel, which has every operation except connecting.

    `Connection.channel` returns it; use it as a context manager. It is opened when the block is
    entered, and closed when the block is left::

        async with connection.channel(prefetch_count=100) as channel:
            await channel.publish("", "my_queue", "text body")

    Any number of tasks may use one channel at the same time; the server answers them in order.
    All of them run in the connection's event loop. A channel must not be used from another
    thread; call `asyncio.run_coroutine_threadsafe` there.

    When the server detects an error it closes the channel (section 1.1.2 of the specification:
    soft errors). All operations that wait on the channel, and all later ones, raise the same
    `ServerClosedChannel`. Other channels of the connection stay open.

    Cancelling an operation at any time leaves the channel usable: the client recognises the
    server's late reply, and undoes the operation where it can.

    With ``recovery=``, operations wait while the connection is being opened again. They raise
    `NotSent` if too many wait, and `NotSentInTime` if the wait exceeds operation_timeout; a
    publish raises `PublishNotSent` in both cases.
    """

    def __init__(
        self,
        connection: "Connection",
        *,
        prefetch_size: int | None = None,
        prefetch_count: int | None = None,
        body_encoding: str = "utf-8",
        reopen: bool = False,
        publish_defaults: PublishOptions | None = None,
    ) -> None:
        self._connection = connection
        self._defaults = PublishDefaults(publish_defaults or {}, body_encoding)
        settings = ChannelSettings(
            None
            if prefetch_size is None and prefetch_count is None
            else Prefetch(prefetch_size or 0, prefetch_count or 0),
            self._defaults,
        )
        self._lifetime: ChannelLifetime = connection._new_channel_lifetime(
            self, settings, body_encoding, reopen=reopen
        )
        self._transaction: LiveChannel | None = None  # the live channel on which it was begun
        self._publishers: set[Publisher] = set()  # those that are open

    def __repr__(self) -> str:
        live = self._lifetime.live
        if live is None:
            return "<Channel, not entered>"
        if self.closing_exc is not None:
            return f"<Channel {live.number}, closed>"
        state = ", recovering" if live.closing_exc is not None else ""
        return f"<Channel {live.number}{state}>"

    # --- state ---

    @property
    def channel_id(self) -> int:
        """The channel's number; the first channel of a connection has number 1.

        Raises:
            RuntimeError: The channel was not entered.
        """
        return self._require_live().number

    @property
    def connection(self) -> "Connection":
        """The connection of the channel."""
        return self._connection

    @property
    def body_encoding(self) -> str:
        """The encoding of text bodies where neither a message nor an argument names one."""
        return self._lifetime.body_encoding

    @property
    def entered(self) -> bool:
        """Whether the channel has been opened."""
        return self._lifetime.live is not None

    @property
    def closing(self) -> bool:
        """Whether the channel is closed, or is being closed."""
        return self.closing_exc is not None

    @property
    def closing_exc(self) -> Exception | None:
        """The exception that closed the channel; None while it is open.

        `ClientClosedChannelOK` after a clean close, else the exception that operations raise.
        """
        return self._lifetime.final

    # --- context manager ---

    async def __aenter__(self) -> Self:
        """Open the channel: see `open`, which raises the same."""
        return await self.open()

    async def open(self) -> Self:
        """Open the channel (channel.open), and set the limits given to `Connection.channel`.

        ``async with`` calls it. A program that opens the channel without a block closes it with
        `close`. If the caller is cancelled, the client closes the channel when the server has
        opened it.

        Raises:
            TooManyChannels: As many channels are open as were negotiated (channel_max).
            ConnectionClosed: The connection is closed.
            OperationTimeout: The server did not answer in time.
            RuntimeError: The channel was entered before.
        """
        if self.entered:
            raise RuntimeError(
                f"{self!r} was entered before; call connection.channel() for another one"
            )
        await self._lifetime.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the channel (channel.close); do nothing if it is closed.

        It waits for the server for 5 s at most, and not at all if the server has left an earlier
        cancel or close on the connection unanswered for that long.

        Raises:
            ServerClosedChannel, ServerClosedConnection: The server closed the channel or the
                connection because of an operation that has no answer, such as a publish without
                confirms, and no other operation has raised this error.
        """
        await self._close(exc, CLOSE_TIMEOUT, leaving=True)
        if exc is None:
            raise_unreported(self.closing_exc)

    async def close(self, *, timeout: float = CLOSE_TIMEOUT) -> None:  # noqa: ASYNC109  bounds the close, cancels nothing
        """Close the channel before its block is left (channel.close); do nothing if it is closed.

        The server requeues messages that were not settled. If the caller is cancelled while it
        waits, the channel is closed nevertheless.

        Args:
            timeout: How long to wait for the server's answer, in seconds; 5 by default. The channel
                is closed in any case.
        """
        await self._close(None, timeout)

    async def _close(
        self, exc: BaseException | None, seconds: float, *, leaving: bool = False
    ) -> None:
        error = ClientClosedChannelOK() if exc is None else ClientClosedChannelError(exc)
        await self._lifetime.close(error, seconds, leaving=leaving)

    async def wait_closed(self) -> None:
        """Wait until the channel is closed for good; a recovery does not count."""
        await self._lifetime.wait_closed()

    def _require_live(self) -> LiveChannel:
        return self._lifetime.require_live()

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
        """Return a consumer of a queue, which starts when it is entered (basic.consume).

        ::

            await channel.qos(prefetch_count=100)
            async with channel.consume("orders") as consumer:
                async for message in consumer:
                    await message.ack()

        See https://www.rabbitmq.com/docs/consumers. `qos` limits how many unacked messages the
        server sends; call it first. `Consumer` documents what cancellation does.

        Args:
            queue_name: The queue; empty for the one that the channel declared last.
            no_ack: Whether the server settles each message as it sends it (RabbitMQ's automatic
                acknowledgement). Messages that are not read are lost. False by default.
            no_local: Whether to leave out the messages that this connection has published. RabbitMQ
                ignores it. False by default.
            exclusive: Whether to allow no other consumer on the queue. False by default.
            priority: The consumer's priority (RabbitMQ's x-priority); None, the default, for 0.
                Consumers with a lower priority get messages only while all higher-priority consumers
                are at their prefetch limit.
            stream_offset: The position in a stream to begin at (x-stream-offset): ``"first"``,
                ``"last"``, ``"next"``, an offset, a datetime, or an interval such as ``"1h"``. None,
                the default, for the server's, which is ``"next"``.
            arguments: Further arguments of basic.consume; none by default.

        Raises:
            ValueError: `arguments` contradicts a named argument.
            TypeError: `arguments` is no mapping.
        """
        table = consume_arguments(arguments, priority, stream_offset)
        return Consumer(
            self,
            self._lifetime,
            BasicConsumeParameters(queue_name, "", no_local, no_ack, exclusive, False, table),
        )

    async def get(self, queue_name: str, *, no_ack: bool = False) -> GetMessage:
        """Get one message from a queue (basic.get).

        To get more than one message, use a consumer: each `get` is a round trip.

        If the caller is cancelled, a message that still arrives is requeued; with `no_ack` it is
        lost.

        Args:
            queue_name: The queue; empty for the one that the channel declared last.
            no_ack: Whether the server settles the message as it sends it. False by default.

        Raises:
            EmptyQueue: The queue has no message that is ready.
            NotFound: The queue does not exist.
            ServerClosedChannel: The server refused for another reason.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        live = await self._lifetime.usable("basic.get")
        answer = await live.call(
            self._lifetime.as_named_now(BasicGetParameters(queue_name, no_ack)),
            BasicGetOkParameters,
            BasicGetEmptyParameters,
            on_reply=None if no_ack else live.acknowledgements.add_reply,
            on_late_reply=_drop if no_ack else live.acknowledgements.requeue_reply,
        )
        if answer.properties is None or answer.body is None:
            raise EmptyQueue(queue_name)
        return GetMessage.of(live, answer.parameters, answer.properties, answer.body)

    @refuses_lone_size
    async def qos(
        self, prefetch_size: int = 0, prefetch_count: int = 0, global_: bool = False
    ) -> None:
        """Limit how many unacked messages the server lets consumers have (basic.qos).

        ::

            await channel.qos(prefetch_count=100)

        Without a limit the server may send the whole content of a queue at once. With RabbitMQ the
        limits apply to consumers that are started afterwards, to each one by itself
        (https://www.rabbitmq.com/docs/consumer-prefetch).

        If the caller is cancelled, the server still sets the limits.

        Args:
            prefetch_size: How many octets of messages may be unacked; 0, the default, for no limit.
                RabbitMQ supports no other value.
            prefetch_count: How many messages may be unacked, up to 65535; 0, the default, for no
                limit.
            global_: Whether the limits apply to all consumers of the channel together, including
                those that are running. That is RabbitMQ's meaning; the specification's is all
                consumers of the connection. RabbitMQ from 4.3 on treats True as False, unless its
                configuration permits ``global_qos``; the client then issues a RuntimeWarning. False
                by default.

        Raises:
            ServerClosedConnection: The server does not support `prefetch_size`, or `global_`.
            ValueError: A number stands alone without its name, as in ``qos(10)``.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        prefetch = Prefetch(prefetch_size, prefetch_count)

        def record(_: Reply) -> None:
            self._lifetime.settings.set_prefetch(prefetch, global_)

        live = await self._lifetime.usable("basic.qos")
        if global_:
            _warn_of_deprecated_global_qos(self._connection.server_properties)
        await live.set_prefetch(*prefetch, global_, record)

    async def recover(self, requeue: bool) -> None:
        """Make the server deliver all unacked messages of the channel again (basic.recover).

        If the caller is cancelled, the server may still do it.

        Args:
            requeue: True: requeue the messages, which redelivers them to any consumer. False:
                redeliver to the original recipient, which RabbitMQ does not support.

        Raises:
            ServerClosedConnection: The server does not support ``requeue=False``.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        live = await self._lifetime.usable("basic.recover")
        await live.recover(requeue)

    async def flow(self, active: bool) -> None:
        """Ask the server to stop delivering to consumers, or to continue (channel.flow).

        If the caller is cancelled, the server may still do it.

        Args:
            active: Whether the server may deliver. RabbitMQ does not support False: use `qos`.

        Raises:
            ServerClosedConnection: The server does not support ``active=False``.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """

        def record(_: Reply) -> None:
            self._lifetime.settings.flow_active = active

        live = await self._lifetime.usable("channel.flow")
        await live.set_flow(active, record)

    # --- requests and replies ---

    def rpc(self, *, timeout: float | None = 30.0) -> "Rpc":
        """Return an `Rpc`, which sends requests and returns their replies (direct reply-to).

        ::

            async with channel.rpc() as rpc:
                reply = await rpc.call("", "squares", "7")

        It opens another channel on the same connection, and does not depend on this channel's
        modes. See https://www.rabbitmq.com/docs/direct-reply-to.

        Args:
            timeout: The default timeout of `Rpc.call`, in seconds; 30 by default, None for no
                limit.
        """
        from .rpc.caller import Rpc

        return Rpc(self._sibling(), timeout)

    def serve(
        self,
        queue_name: str,
        handler: "RequestHandler",
        *,
        concurrency: int = 1,
        ordered_by: "Key | None" = None,
        on_error: OnError = "dead-letter",
        fail_fast: bool = False,
    ) -> "RpcServer":
        """Return an RPC server for the requests in a queue: await it, or enter it to drain it.

        ::

            async def square(request: ammoo.DeliverMessage) -> str:
                return str(int(request.decode()) ** 2)

            await channel.serve("squares", square, concurrency=10)

        A reply goes to the queue that the request names in reply_to, with the correlation_id of the
        request, on another channel of the connection. The request is acknowledged when the server
        has confirmed the reply, so a request may be handled twice. A request without a reply
        address is also handled and acknowledged; the client then calls the hook ``unanswered``.

        If the caller is cancelled, so are the handlers, and their requests are requeued.

        Args:
            queue_name: The queue, as in `consume`.
            handler: An async function that is called with the request and returns the body of the
                reply; None for an empty body.
            concurrency: How many handlers may run at once; 1 by default. The channel needs a
                prefetch_count of at least twice as many.
            ordered_by: As in `Consumer.run`.
            on_error: What to do with a request whose handler has failed, as in
                `ExpectedMessage.process`; ``"dead-letter"`` by default. The client sends no reply.
            fail_fast: As in `Consumer.run`.

        Raises:
            ValueError: on_error is none of its three words.
            TypeError: handler cannot be called.
        """
        from .rpc.server import RpcServer

        return RpcServer(
            self.consume(queue_name),
            self._sibling,
            handler,
            concurrency,
            ordered_by,
            on_error,
            fail_fast=fail_fast,
        )

    def _sibling(self) -> "Channel":
        """Return another channel of the connection; with recovery, one that is opened again."""
        return self._connection.channel(reopen=self._connection._supervisor is not None)

    # --- settling ---

    async def ack(self, delivery_tag: int, *, multiple: bool = False) -> None:
        """Acknowledge a message (basic.ack). `ExpectedMessage.ack` does the same and needs no tag.

        The acknowledgement is queued to be sent at once; the server does not answer it. The call waits
        only while the socket's buffer is full, and cancelling it takes nothing back.

        Args:
            delivery_tag: The message's delivery tag; with `multiple`, 0 means all messages.
            multiple: Whether to acknowledge all unacked messages of the channel up to this one.
                False by default.

        Raises:
            UnknownDelivery: The message was settled before, or came with no_ack; nothing was sent.
            StaleDelivery: The channel was lost, and the server delivers the message again (with
                ``recovery=``); nothing was sent.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        live = self._require_live()
        drain = live.ack(_tag_on(live, delivery_tag), multiple)
        if drain is not None:
            await drain

    async def reject(self, delivery_tag: int, requeue: bool, *, multiple: bool = False) -> None:
        """Reject a message (basic.reject). `ExpectedMessage.reject` does the same and needs no tag.

        The rejection is queued to be sent at once; the server does not answer it. The call waits only
        while the socket's buffer is full, and cancelling it takes nothing back.

        Args:
            delivery_tag: The message's delivery tag; with `multiple`, 0 means all messages.
            requeue: Whether to requeue the message; if not, it is dropped or dead-lettered.
            multiple: Whether to reject all unacked messages of the channel up to this one
                (basic.nack, RabbitMQ's extension). False by default.

        Raises:
            UnknownDelivery, StaleDelivery: As in `ack`.
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
        """Reject a message, or all unacked messages up to it (basic.nack).

        RabbitMQ's extension (https://www.rabbitmq.com/docs/nack). It waits, and can be cancelled, as
        `reject` does.

        Args:
            delivery_tag: The message's delivery tag; with `multiple`, 0 means all messages.
            requeue: Whether to requeue the message, True by default; if not, it is dropped or
                dead-lettered.
            multiple: Whether to reject all unacked messages of the channel up to this one. False
                by default.

        Raises:
            UnknownDelivery, StaleDelivery: As in `ack`.
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

        ::

            await channel.select_confirm()
            await channel.publish("orders", "paid", b"...", persistent=True, raise_returned=True)
            await channel.publish("orders", "paid", json={"number": 42}, content_type=True)

        Without confirm mode it returns when the message is queued to be sent. After
        `select_confirm` it returns when the server has taken responsibility for the message
        (https://www.rabbitmq.com/docs/confirms). That is a round trip for each message: to publish
        many, gather them, or use `publish_nowait`.

        It waits while the server accepts no messages (connection.blocked, channel.flow), and while
        the socket's buffer is full. If the caller is cancelled during this wait, the message is not
        sent. If the caller is cancelled while it waits for the confirm, the message has been sent,
        and the client does not know whether the server accepted it.

        Args:
            exchange_name: The exchange; empty for the default one, which routes to the queue that
                `route` names.
            route: The routing key; or the headers, for a headers exchange.
            body: The body: bytes, or text, which is encoded. Give either `body` or `json`.
            json: A value to send as JSON, in place of a body; None is sent as ``null``.
            mandatory: Whether the server returns the message if it cannot route it to a queue; see
                `get_next_returned_message`. Requires confirm mode. False by default.
            immediate: Whether the server returns the message if no consumer can receive it at once.
                Requires confirm mode; RabbitMQ does not support it. False by default.
            encoding: The encoding of a text or JSON body. None, the default, for the one that
                `content_encoding` names, or else the channel's body_encoding.
            correlation_id: Property: the identifier by which a reply is matched to its request,
                a text or a UUID.
            reply_to: Property: the queue to send a reply to.
            expiration: Property: how long the message lives in a queue, as a timedelta or in
                milliseconds.
            cc: One or more further routing keys
                (https://www.rabbitmq.com/docs/sender-selected).
            bcc: As `cc`, but the server removes these keys from the message before delivery.
            priority: Property: 0 to 255, for queues with max_priority.
            delivery_mode: Property: 2 for a persistent message, which survives a restart of the
                server in a durable queue; 1 for a transient one.
            persistent: True for ``delivery_mode=2``, False for ``delivery_mode=1``.
            timestamp: Property: when the message was made: a datetime, in UTC if it has no time
                zone, or seconds since 1970. Sent in whole seconds.
            content_encoding: Property; True for the encoding that was used.
            content_type: Property; True for application/octet-stream if the body is bytes,
                text/plain if it is text, and application/json if it is JSON.
            message_id: Property: the publisher's identifier of the message, a text or a UUID.
            type_: Property: the publisher's name for the kind of message.
            type: The same as `type_`.
            user_id: Property: the user who publishes; RabbitMQ accepts only the user of the
                connection.
            app_id: Property: the program that publishes.
            cluster_id: Property: reserved by the specification, and free for use.
            headers: Property: the message's headers, when `route` is a routing key.
            raise_returned: Whether to raise `PublishReturned` here if the server returns the
                message, instead of leaving it to `get_next_returned_message`. Implies `mandatory`,
                and requires confirm mode. False by default.

        Raises:
            TypeError: Both `body` and `json` are given, or neither is, or the body, `route` or an
                option that is no property has a wrong type.
            ValueError: A value cannot be sent, or an option requires confirm mode. A name or a
                property of a wrong type raises `ammoo_wire.EncodeError`, a subclass.
            PublishNack: The server refused the message (basic.nack).
            PublishReturned: The server could not route the message, and `raise_returned` is set.
            ConnectionBlocked, ChannelInactive, SocketFull: The server or the socket accepted no
                messages for longer than operation_timeout or blocked_timeout. The message was not
                sent.
            OperationTimeout: No confirm came within operation_timeout; or within blocked_timeout,
                while the server has blocked the connection. The server may have accepted the
                message.
            ChannelClosed, ConnectionClosed: The channel is closed. If the caller was waiting for
                the confirm, the server may have accepted the message.
            PublishNotSent: The connection was not open again in time, too many operations wait for
                it, or recovery gave up; the message was not sent (with ``recovery=``).
            PublishUnknown: The connection was lost before the confirm; the server may have accepted
                the message (with ``recovery=``).
        """
        publishing, properties = self._lifetime.publishing, self._defaults.properties
        if (
            not options
            and isinstance(body, bytes)
            and isinstance(route, str)
            and properties is not None
        ):
            routing_key = route
            outcome = publishing.publish(exchange_name, route, properties, body)
        else:
            message = self._defaults.outgoing("publish", route, body, options)
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
        """Publish a message without waiting, and return the future of its confirm.

        With many messages in flight this takes about half the time of `publish`, because it needs
        no task for each message::

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
            options: The keyword arguments of `publish`.

        Returns:
            In confirm mode, a future that is done when the server has taken responsibility for the
            message, or raises what `publish` would raise then. Without confirm mode, a future that
            is done. It need not be awaited. Cancelling it does not unsend the message. A
            `PublishFailed` that it raises names the message: `exchange_name`, `routing_key` and
            `publish_sequence_number`.

        Raises:
            PublishNotReady: `publish` would wait now. The message was not sent: await
                `wait_publishable` first.
            TypeError, ValueError: As in `publish`.
            ChannelClosed, ConnectionClosed: The channel is closed; the message was not sent.
        """
        publishing, properties = self._lifetime.publishing, self._defaults.properties
        if (
            not options
            and isinstance(body, bytes)
            and isinstance(route, str)
            and properties is not None
        ):
            return publishing.publish_nowait(exchange_name, route, properties, body)
        message = self._defaults.outgoing("publish_nowait", route, body, options)
        return publishing.publish_nowait(exchange_name, *message)

    @property
    def is_publishable(self) -> bool:
        """Whether `publish_nowait` accepts a message now.

        False while the server accepts no messages (connection.blocked, channel.flow), while the
        socket's buffer is full, while the connection is being recovered, and when the channel is
        closed.
        """
        return self._lifetime.publishing.is_publishable

    async def wait_publishable(self) -> None:
        """Wait until `publish_nowait` accepts a message; return at once if it does.

        Raises:
            ConnectionBlocked, ChannelInactive, SocketFull: The server or the socket accepted no
                messages for longer than operation_timeout or blocked_timeout.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        await self._lifetime.publishing.wait_publishable()

    def publisher(
        self,
        *,
        max_in_flight: float = MAX_IN_FLIGHT,
        max_bytes: float = MAX_BYTES,
        timeout: float | None = None,
        republish: bool = False,
    ) -> "Publisher":
        """Return a publisher, which keeps many messages in flight and reports each outcome.

        ::

            async with channel.publisher(timeout=30) as publisher:
                for body in bodies:
                    await publisher.publish("orders", "paid", body)

        Args:
            max_in_flight: How many messages may have no outcome yet; 1000 by default, `math.inf` for
                no limit.
            max_bytes: How many octets the bodies of these messages may have; 16 MiB by default,
                `math.inf` for no limit. A larger message is sent when no other is in flight.
            timeout: How long each message may take from the call of `Publisher.publish` to its
                outcome, in seconds. None, the default, for the connection's operation_timeout.
            republish: Whether to send messages again whose outcome is unknown because the
                connection was lost, or the channel with ``reopen=True``. The publisher sends them
                in their order, before all newer ones, with the same message_id; it makes one for
                a message that has none. Messages may then arrive more than once. Requires recovery.
                False by default.

        Raises:
            ValueError: A number is out of range, or republish is given and the connection has no
                recovery.
            TypeError: A number has a wrong type.
            RuntimeError: The channel was not entered.
        """
        from .publisher import Publisher

        if republish and self._connection._supervisor is None:
            raise ValueError(
                "republish=True needs a connection with recovery: connect(…, recovery=…)"
            )
        return Publisher(
            self,
            self._lifetime,
            self._defaults,
            max_in_flight=max_in_flight,
            max_bytes=max_bytes,
            timeout=self._require_live().host.operation_timeout if timeout is None else timeout,
            republish=republish,
        )

    async def select_confirm(self) -> None:
        """Make the server confirm every message from now on (confirm.select).

        RabbitMQ's extension (https://www.rabbitmq.com/docs/confirms). The channel stays in confirm
        mode until it is closed; selecting it again changes nothing. If the caller is cancelled, the
        channel may be in confirm mode nevertheless.

        Raises:
            ServerClosedChannel: The channel has transactions.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """

        def record(_: Reply) -> None:
            self._lifetime.settings.confirms = True

        live = await self._lifetime.usable("confirm.select")
        await live.select_confirm(record)

    async def get_next_returned_message(self) -> ReturnMessage:
        """Wait for the next message that the server returns, and return it (basic.return).

        The server returns messages that were published with `mandatory` or `immediate`; with
        `raise_returned`, `publish` raises `PublishReturned` instead. If the caller is cancelled, the
        next caller gets the message. The channel keeps the newest 1000 messages that were not
        fetched (16 MiB at most); see `dropped_returned_messages`.

        Raises:
            ChannelClosed, ConnectionClosed: The channel is closed: no message will come.
        """
        return await self._lifetime.publishing.next_returned()

    @property
    def dropped_returned_messages(self) -> int:
        """How many returned messages were dropped because they were not fetched.

        With ``recovery=``, the count begins anew when the channel is opened again.
        """
        live = self._lifetime.live
        return 0 if live is None else live.publishing.returned.dropped

    # --- transactions ---

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Publish and acknowledge in a transaction, all or nothing (class tx, section 1.10).

        Publishes and acknowledgements take effect when the block is left. None of them does if an
        exception leaves the block, or the block is cancelled; a caller that is cancelled during the
        commit does not know whether they do::

            async with channel.transaction():
                await channel.publish("orders", "paid", b"...")
                await message.ack()

        From then on the channel has transactions, and cannot have confirms. Messages that are sent
        between two blocks belong to the second. With RabbitMQ transactions are slow, and atomic only
        within one queue (https://www.rabbitmq.com/docs/semantics).

        Raises:
            ServerClosedChannel: The channel is in confirm mode, or the server refused.
            OperationTimeout: The server did not answer in time.
            PublishUnknown: The connection was lost before the answer to tx.commit (with
                ``recovery=``).
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        await self.select_transaction()
        self._transaction = await self._lifetime.usable("tx.select")
        try:
            yield
        except BaseException:
            if self._transaction.closing_exc is None:
                await self.rollback()
            raise
        await self.commit()

    async def select_transaction(self) -> None:
        """Turn transactions on for the channel (tx.select); doing it again changes nothing.

        They stay on until the channel is closed. If the caller is cancelled, the server may still
        turn them on.

        Raises:
            ServerClosedChannel: The channel is in confirm mode.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """

        def record(_: Reply) -> None:
            self._lifetime.settings.transactions = True

        if not self._lifetime.settings.transactions:
            live = await self._lifetime.usable("tx.select")
            await live.select_transactions(record)
            self._transaction = live

    async def commit(self) -> None:
        """Commit everything since the last commit or rollback (tx.commit).

        Commands of other tasks on the channel wait until the server has answered. If the caller is
        cancelled, the server may still commit.

        Raises:
            ServerClosedChannel: The channel has no transactions, or the server refused.
            OperationTimeout: The server did not answer in time.
            PublishUnknown: The connection was lost before the answer, with ``recovery=``.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        live = await self._lifetime.usable("tx.commit")
        self._raise_if_transaction_was_lost(live)
        try:
            await live.commit()
        except (ConnectionClosed, ChannelClosed) as error:
            if live.is_stale:
                raise PublishUnknown(error) from error
            raise

    async def rollback(self) -> None:
        """Undo everything since the last commit or rollback (tx.rollback).

        If the caller is cancelled, the server may still roll back.

        Raises:
            ServerClosedChannel: The channel has no transactions.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        live = await self._lifetime.usable("tx.rollback")
        self._transaction = live
        await live.roll_back()

    def _raise_if_transaction_was_lost(self, live: LiveChannel) -> None:
        """Raise the error that ended the channel on which the transaction was begun, if any."""
        begun, self._transaction = self._transaction, live
        if begun is not None and begun is not live:
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
        """Declare an exchange (exchange.declare): create it, or check that it exists as described.

        ::

            await channel.declare_exchange("orders", "topic", durable=True)

        See https://www.rabbitmq.com/docs/exchanges. If the caller is cancelled, the server may still
        create the exchange.

        Args:
            exchange_name: The exchange.
            exchange_type: ``direct``, ``fanout``, ``topic``, ``headers``, or a type of a plugin.
            durable: Whether the exchange survives a restart of the server. False by default.
            auto_delete: Whether the exchange is deleted with the last binding from it. False by
                default.
            alternate_exchange_name: The exchange for messages that this one cannot route
                (https://www.rabbitmq.com/docs/ae); None, the default, for none.
            internal: Whether only other exchanges may publish to it. False by default.
            arguments: Further arguments of exchange.declare; none by default.

        Raises:
            PreconditionFailed: The exchange exists with different properties.
            ServerClosedChannel, ServerClosedConnection: The server refused for another reason.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
            ValueError: `arguments` contradicts a named argument.
            TypeError: `arguments` is no mapping.
        """
        table = exchange_arguments(arguments, alternate_exchange_name)
        await self._lifetime.declare(
            ExchangeDeclareParameters(
                exchange_name, exchange_type, False, durable, auto_delete, internal, False, table
            ),
            ExchangeDeclareOkParameters,
        )

    async def delete_exchange(self, exchange_name: str, *, if_unused: bool = False) -> None:
        """Delete an exchange (exchange.delete). With RabbitMQ it need not exist.

        If the caller is cancelled, the server may still delete it.

        Args:
            exchange_name: The exchange.
            if_unused: Whether to delete it only if there are no bindings from it. False by default.

        Raises:
            PreconditionFailed: There are bindings from the exchange, and `if_unused` is set.
            ServerClosedChannel: The server refused for another reason.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        await self._lifetime.delete(
            ExchangeDeleteParameters(exchange_name, if_unused, False), ExchangeDeleteOkParameters
        )

    async def assert_exchange_exists(self, exchange_name: str) -> None:
        """Check that an exchange exists (passive exchange.declare).

        Args:
            exchange_name: The exchange.

        Raises:
            NotFound: The exchange does not exist; the channel is closed.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        await self._lifetime.call(
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
        """Bind an exchange to another one (exchange.bind).

        The exchange `source` then routes messages to `destination`. RabbitMQ's extension
        (https://www.rabbitmq.com/docs/e2e). If the caller is cancelled, the server may still bind
        it.

        Args:
            destination: The exchange that receives the messages.
            source: The exchange that routes them.
            routing_key: The routing key, or a pattern for a topic exchange; or the headers to
                match, for a headers exchange, with ``x-match``: ``all`` (the default) or ``any``.
            arguments: Further arguments of exchange.bind; none by default.

        Raises:
            NotFound: One of the exchanges does not exist.
            ServerClosedChannel: The server refused for another reason.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        key, table = binding(routing_key, arguments)
        await self._lifetime.declare(
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
        """Remove a binding between exchanges, the opposite of `bind_exchange` (exchange.unbind).

        With RabbitMQ the binding need not exist. If the caller is cancelled, the server may still
        remove it.

        Args:
            destination: The exchange that receives the messages.
            source: The exchange that routes them.
            routing_key: The routing key, or the headers, with which it was bound.
            arguments: The arguments with which it was bound: they are part of what identifies a
                binding.

        Raises:
            ServerClosedChannel: The server refused.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        key, table = binding(routing_key, arguments)
        await self._lifetime.delete(
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
        ttl: "int | timedelta | None" = None,
        expires: "int | timedelta | None" = None,
        max_length: int | None = None,
        max_length_bytes: int | None = None,
        dead_letter_exchange: str | None = None,
        dead_letter_routing_key: str | None = None,
        max_priority: int | None = None,
        queue_type: QueueType | str | None = None,
        delivery_limit: int | None = None,
        overflow: Overflow | str | None = None,
        single_active_consumer: bool | None = None,
        unique_name: bool = False,
        arguments: Arguments | None = None,
    ) -> QueueDeclareOkParameters:
        """Declare a queue (queue.declare): create it, or check that it exists as described.

        ::

            await channel.declare_queue("orders", durable=True, queue_type="quorum")
            replies = (await channel.declare_queue("", exclusive=True)).queue_name
            mine = (await channel.declare_queue("inbox.", exclusive=True, unique_name=True)).queue_name

        See https://www.rabbitmq.com/docs/queues. An argument that is None is not sent, and the
        server's default or a policy applies.

        If the caller is cancelled, the server may still create the queue.

        Args:
            queue_name: The queue; empty for one that the server names.
            exclusive: Whether only this connection may use the queue, which is deleted with the
                connection. False by default.
            durable: Whether the queue survives a restart of the server. False by default; quorum
                queues and streams must be durable.
            auto_delete: Whether the queue is deleted with its last consumer. False by default.
            ttl: How long messages live in the queue, as a timedelta or in milliseconds (x-message-ttl,
                https://www.rabbitmq.com/docs/ttl). None, as for the next ones, by default.
            expires: How long the queue lives without use, as a timedelta or in milliseconds
                (x-expires).
            max_length: The largest number of ready messages (x-max-length,
                https://www.rabbitmq.com/docs/maxlength).
            max_length_bytes: The largest size of their bodies together, in octets
                (x-max-length-bytes).
            dead_letter_exchange: The exchange for messages that are rejected, expire or exceed a
                limit (x-dead-letter-exchange, https://www.rabbitmq.com/docs/dlx).
            dead_letter_routing_key: The routing key of dead-lettered messages; None for their own
                (x-dead-letter-routing-key).
            max_priority: The highest priority that the queue supports (x-max-priority,
                https://www.rabbitmq.com/docs/priority).
            queue_type: ``classic``, ``quorum`` or ``stream`` (x-queue-type).
            delivery_limit: How many times a quorum queue redelivers a message before it drops or
                dead-letters it (x-delivery-limit).
            overflow: What happens to messages when the queue is full: ``drop-head``,
                ``reject-publish`` or ``reject-publish-dlx`` (x-overflow).
            single_active_consumer: Whether only one consumer at a time gets messages
                (x-single-active-consumer).
            unique_name: Whether to append 32 random hexadecimal digits to `queue_name` (if that is
                empty, to ``ammoo.gen-``), so that no other queue has the name. With ``recovery=``
                the queue keeps this name, while the server names its queues anew at each recovery.
                False by default.
            arguments: Further arguments of queue.declare; none by default.

        Returns:
            The queue's name, the number of its ready messages, and the number of its consumers.

        Raises:
            PreconditionFailed: The queue exists with different properties, or arguments contradict
                each other.
            ResourceLocked: The queue is exclusive to another connection.
            ServerClosedChannel, ServerClosedConnection: The server refused for another reason.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
            ValueError: `arguments` contradicts a named argument,
                or queue_type or overflow is unknown.
            TypeError: A named argument has a wrong type, or `arguments` is no mapping.
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
        if unique_name:
            queue_name = f"{queue_name or 'ammoo.gen-'}{urandom(16).hex()}"
        return await self._declare_queue(
            QueueDeclareParameters(queue_name, False, durable, exclusive, auto_delete, False, table)
        )

    async def delete_queue(
        self, queue_name: str, *, if_unused: bool = False, if_empty: bool = False
    ) -> int:
        """Delete a queue (queue.delete). With RabbitMQ it need not exist.

        If the caller is cancelled, the server may still delete it.

        Args:
            queue_name: The queue; empty for the one that the channel declared last.
            if_unused: Whether to delete it only if it has no consumers. False by default.
            if_empty: Whether to delete it only if it has no messages. False by default.

        Returns:
            How many messages were in the queue.

        Raises:
            PreconditionFailed: The queue has consumers or messages, and `if_unused` or `if_empty`
                is set.
            ResourceLocked: The queue is exclusive to another connection.
            ServerClosedChannel: The server refused for another reason.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        answer = await self._lifetime.delete(
            QueueDeleteParameters(queue_name, if_unused, if_empty, False), QueueDeleteOkParameters
        )
        return _message_count(answer.parameters)

    async def purge_queue(self, queue_name: str) -> int:
        """Remove all messages of a queue that are ready (queue.purge); unacked ones stay.

        If the caller is cancelled, the server may still remove them.

        Args:
            queue_name: The queue; empty for the one that the channel declared last.

        Returns:
            How many messages were removed.

        Raises:
            NotFound: The queue does not exist.
            ServerClosedChannel: The server refused for another reason.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        answer = await self._lifetime.call(
            QueuePurgeParameters(queue_name, False), QueuePurgeOkParameters
        )
        return _message_count(answer.parameters)

    async def bind_queue(
        self,
        queue_name: str,
        exchange_name: str,
        routing_key: str | Arguments,
        *,
        arguments: Arguments | None = None,
    ) -> None:
        """Bind a queue to an exchange (queue.bind): route messages from the exchange to the queue.

        ::

            await channel.bind_queue("invoices", "orders", "order.paid.*")
            await channel.bind_queue("red", "by_headers", {"x-match": "any", "colour": "red"})

        If the caller is cancelled, the server may still bind it.

        Args:
            queue_name: The queue; empty for the one that the channel declared last.
            exchange_name: The exchange.
            routing_key: The routing key, or a pattern for a topic exchange; or the headers to
                match, for a headers exchange, with ``x-match``: ``all`` (the default) or ``any``.
            arguments: Further arguments of queue.bind; none by default.

        Raises:
            NotFound: The queue or the exchange does not exist.
            ServerClosedChannel: The server refused for another reason.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        key, table = binding(routing_key, arguments)
        await self._lifetime.declare(
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
        """Remove a binding of a queue, the opposite of `bind_queue` (queue.unbind).

        With RabbitMQ the binding need not exist. If the caller is cancelled, the server may still
        remove it.

        Args:
            queue_name: The queue; empty for the one that the channel declared last.
            exchange_name: The exchange.
            routing_key: The routing key, or the headers, with which it was bound.
            arguments: The arguments with which it was bound: they are part of what identifies a
                binding.

        Raises:
            ServerClosedChannel: The server refused.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        key, table = binding(routing_key, arguments)
        await self._lifetime.delete(
            QueueUnbindParameters(queue_name, exchange_name, key, table), QueueUnbindOkParameters
        )

    async def assert_queue_exists(self, queue_name: str) -> QueueDeclareOkParameters:
        """Check that a queue exists (passive queue.declare).

        Args:
            queue_name: The queue.

        Returns:
            The queue's name, the number of its ready messages, and the number of its consumers.

        Raises:
            NotFound: The queue does not exist; the channel is closed.
            ResourceLocked: The queue is exclusive to another connection.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        return await self._declare_queue(QueueDeclareParameters(queue_name, passive=True))

    async def _declare_queue(self, request: QueueDeclareParameters) -> QueueDeclareOkParameters:
        answer = await self._lifetime.declare(request, QueueDeclareOkParameters)
        declared: QueueDeclareOkParameters = answer.parameters
        return declared


def _tag_on(live: LiveChannel, delivery_tag: int) -> int:
    """Return the tag on a live channel of a delivery tag that the caller uses.

    Raises:
        StaleDelivery: The tag belongs to a channel that was lost.
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
    """Ignore a late message of a get with no_ack: the server has settled it."""


def _warn_of_deprecated_global_qos(server_properties: FieldTable) -> None:
    """Warn the caller of `Channel.qos` if RabbitMQ ignores ``global_`` silently."""
    release = rabbitmq_release(server_properties)
    if release is not None and release >= (4, 3):
        warnings.warn(
            f"RabbitMQ {server_properties['version']} treats qos(global_=True) as global_=False:"
            " each consumer that is started from now on has these limits for itself. Pass"
            " global_=False, and divide the limit among the consumers; or set"
            " deprecated_features.permit.global_qos = true in the server's configuration",
            RuntimeWarning,
            stacklevel=3,
        )
