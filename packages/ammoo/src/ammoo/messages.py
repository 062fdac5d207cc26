"""Messages that arrive: body, properties, exchange and routing key, and methods that settle them.

A message keeps its encoded properties, and decodes them when they are first read: most programs
read few properties. If a header cannot be decoded, only reading the properties raises an exception.

A message belongs to the live channel that it came on. This module uses that channel only as an
`Origin`.
"""

from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol, Self, Unpack, overload

from ammoo_wire import (
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicHeaderProperties,
    BasicReturnParameters,
    FieldValue,
    decode_properties,
)

from .content_encodings import decode_body
from .publish_options import (
    NOT_GIVEN,
    Body,
    MessageOptions,
    NotGiven,
    PublishOptions,
    takes_publish_options,
)
from .workers.processing import OnError, Processing

__all__ = ["DeliverMessage", "ExpectedMessage", "GetMessage", "Message", "Origin", "ReturnMessage"]


class TextOrigin(Protocol):
    """What a message needs to decode its body."""

    @property
    def body_encoding(self) -> str:
        """The encoding of a text body without the property content-encoding."""
        ...


class Origin(TextOrigin, Protocol):
    """What a message needs of the channel that it came on."""

    tag_offset: int
    closing_exc: Exception | None

    def ack(self, delivery_tag: int, multiple: bool, /) -> Awaitable[None] | None:
        """Acknowledge a delivery at once.

        Returns:
            An awaitable that waits while the socket's buffer is full, or None if it is not full.
        """

    def nack(self, delivery_tag: int, multiple: bool, requeue: bool, /) -> Awaitable[None] | None:
        """Reject a delivery, or all up to it; return as `ack`."""

    def reject(self, delivery_tag: int, requeue: bool, /) -> Awaitable[None] | None:
        """Reject a delivery; return as `ack`."""

    def requeue(self, delivery_tags: Iterable[int], /) -> None:
        """Requeue deliveries with those of the same turn of the loop, unless they are settled."""

    def report_failure(self, delivery_tag: int, error: Exception) -> None:
        """Report that a delivery could not be processed."""

    def report_unanswered(self, delivery_tag: int, reply_to: str) -> None:
        """Report that a request gets no reply."""

    async def reply(self, reply_to: str, body: Body | NotGiven, options: PublishOptions) -> None:
        """Publish to a queue by its name."""


class Message:
    """The base of all messages; the subclasses say where they come from.

    Attributes:
        body: The body's octets. They belong to the message, and may be changed.
    """

    __slots__ = ("_origin", "_parameters", "_properties", "body")

    # No __init__: see `LiveChannel._receive_deliver`, where most messages are made.
    _origin: TextOrigin
    _parameters: BasicDeliverParameters | BasicGetOkParameters | BasicReturnParameters
    _properties: bytes | BasicHeaderProperties
    body: bytearray

    @classmethod
    def of(
        cls,
        origin: Origin,
        parameters: BasicDeliverParameters | BasicGetOkParameters | BasicReturnParameters,
        properties: bytes,
        body: bytearray,
    ) -> Self:
        """Return a message made of the parts of a command.

        Args:
            origin: The channel that it came on.
            parameters: The parameters of basic.deliver, basic.get-ok or basic.return.
            properties: The properties, encoded.
            body: The octets; the message keeps them.
        """
        message = cls()
        message._origin = origin
        message._parameters = parameters
        message._properties = properties
        message.body = body
        return message

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} exchange_name={self.exchange_name!r}"
            f" routing_key={self.routing_key!r}, {len(self.body)} bytes>"
        )

    @property
    def exchange_name(self) -> str:
        """The exchange that the message was published to; empty for the default one."""
        return self._parameters.exchange_name

    @property
    def routing_key(self) -> str:
        """The routing key that the message was published with."""
        return self._parameters.routing_key

    @property
    def properties(self) -> BasicHeaderProperties:
        """The message's properties; they are decoded when they are first read.

        Raises:
            ammoo_wire.ProtocolError: They cannot be decoded. The channel and the connection stay
                open.
        """
        properties = self._properties
        if isinstance(properties, bytes):
            properties = self._properties = decode_properties(properties)
        return properties

    @property
    def headers(self) -> Mapping[str, FieldValue]:
        """The property headers; empty if the message has none.

        Raises:
            ammoo_wire.ProtocolError: As in `properties`.
        """
        return self.properties.headers or {}

    @property
    def publish_options(self) -> MessageOptions:
        """The properties as keyword arguments of `Channel.publish`, to publish the message again.

        ::

            await channel.publish("archive", "all", message.body, **message.publish_options)

        Those that are not set are None, so that the channel's defaults do not add them. RabbitMQ
        accepts a user_id only from that user.

        Raises:
            ammoo_wire.ProtocolError: As in `properties`.
        """
        properties = self.properties
        return {
            "content_type": properties.content_type,
            "content_encoding": properties.content_encoding,
            "headers": properties.headers,
            "delivery_mode": properties.delivery_mode,
            "priority": properties.priority,
            "correlation_id": properties.correlation_id,
            "reply_to": properties.reply_to,
            "expiration": properties.expiration,
            "message_id": properties.message_id,
            "timestamp": properties.timestamp,
            "type_": properties.type_,
            "user_id": properties.user_id,
            "app_id": properties.app_id,
            "cluster_id": properties.cluster_id,
        }

    def decode(self, encoding: str | None = None) -> str:
        """Return the body as text.

        The sender chooses the property content-encoding, so this method supports only harmless
        values: common character sets; identity and binary, which name no encoding; and gzip and
        deflate, which are decompressed up to 16 MiB.

        Args:
            encoding: The codec of Python to decode the body with; content-encoding is then ignored.
                None, the default, for the encoding of the property content-encoding, or, without
                that property, the channel's body_encoding.

        Raises:
            ContentEncodingError: The property names an encoding that is not supported, or the
                compressed body is damaged or too large. It is a LookupError and a ValueError.
            UnicodeError: The body is not text in that encoding.
            LookupError: Python has no such codec.
        """
        if encoding is None:
            content_encoding = self.properties.content_encoding
            return decode_body(self.body, content_encoding, self._origin.body_encoding)
        return self.body.decode(encoding)

    def json(self, encoding: str | None = None) -> Any:
        """Return the body, decoded as JSON.

        Args:
            encoding: As in `decode`.

        Raises:
            ValueError: The body is not JSON, is nested too deeply, or is not text in that encoding.
            ContentEncodingError: As in `decode`.
            LookupError: Python has no such codec.
        """
        from json import loads  # 1.4 ms at import

        text = self.decode(encoding)
        try:
            return loads(text)
        except RecursionError:
            raise ValueError("the body is JSON that is nested too deeply to be read") from None


class ReturnMessage(Message):
    """A message that the server returned, because it could not route it (basic.return)."""

    __slots__ = ()

    _parameters: BasicReturnParameters  # pyright: ignore[reportIncompatibleVariableOverride]  set once

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the channel behind, so that a `PublishReturned` can be pickled."""
        encoding = self._origin.body_encoding
        return _returned, (encoding, self._parameters, self._properties, self.body)

    @property
    def reply_code(self) -> int:
        """Why the server returned the message: 312 for no route, 313 for no consumers."""
        return self._parameters.reply_code

    @property
    def reply_text(self) -> str:
        """Why the server returned the message, in its words."""
        return self._parameters.reply_text


class _NoChannel(NamedTuple):
    """The origin of a message that left its channel behind."""

    body_encoding: str


def _returned(
    body_encoding: str,
    parameters: BasicReturnParameters,
    properties: bytes | BasicHeaderProperties,
    body: bytearray,
) -> ReturnMessage:
    """Return a returned message that was pickled."""
    message = ReturnMessage()
    message._origin = _NoChannel(body_encoding)
    message._parameters = parameters
    message._properties = properties
    message.body = body
    return message


class ExpectedMessage(Message):
    """A message that the program asked for, and has to settle unless it passed no_ack.

    Each message is settled once: acknowledged or rejected, on the channel that it came on.
    """

    __slots__ = ()

    _origin: Origin  # pyright: ignore[reportIncompatibleVariableOverride]  set once
    _parameters: BasicDeliverParameters | BasicGetOkParameters  # pyright: ignore[reportIncompatibleVariableOverride]  set once

    @property
    def delivery_tag(self) -> int:
        """The number that identifies the message on its channel when it is settled.

        After a recovery the numbers continue far above those before it.
        """
        return self._parameters.delivery_tag + self._origin.tag_offset

    @property
    def redelivered(self) -> bool:
        """Whether the server has delivered the message before, to any consumer."""
        return self._parameters.redelivered

    @property
    def is_from_stream(self) -> bool:
        """Whether the message seems to come from a stream: RabbitMQ adds its offset as a header."""
        properties = self._properties
        if isinstance(properties, bytes):
            return b"\x0fx-stream-offset" in properties
        return "x-stream-offset" in (properties.headers or {})

    @property
    def is_stale(self) -> bool:
        """Whether the channel that the message came on has ended.

        The message can no longer be settled, and the server delivers it again.
        """
        return self._origin.closing_exc is not None

    def process(self, *, on_error: OnError = "requeue") -> Processing[Self]:
        """Return a block that settles the message when it is left.

        ::

            async for message in consumer:
                async with message.process(on_error="dead-letter"):
                    await handle(message)

        The message is acknowledged when the block ends. If an exception leaves the block, the
        message is settled as `on_error` says, and the exception propagates. If the block is
        cancelled, the message is requeued. If the channel was lost in the meantime, nothing is
        sent, and the server delivers the message again: with recovery, leaving the block then raises
        no exception of its own. The block may settle the message itself.

        Args:
            on_error: ``"requeue"``, the default, makes the server deliver the message again. A
                classic queue repeats that for as long as the processing fails; a quorum queue has a
                delivery limit. ``"reject"`` and ``"dead-letter"`` mean the same: the queue sends
                the message to its dead letter exchange, or drops it if it has none. RabbitMQ 3.10
                accepts none of these for a stream, and closes the connection (540).

        Raises:
            ValueError: `on_error` is none of these words.
            ChannelClosed, ConnectionClosed: By the block, which was left without an exception: the
                channel is closed for good.
        """
        return Processing(self, (self,), on_error)

    def _give_back(self) -> None:
        """Requeue the message, in one command with others of this turn of the loop.

        Not if it seems to come from a stream, which keeps its messages.
        """
        if not self.is_from_stream:
            self._origin.requeue((self._parameters.delivery_tag,))

    def _report_failure(self, error: Exception) -> None:
        """Report to the hooks of the connection that the message could not be processed."""
        self._origin.report_failure(self._parameters.delivery_tag, error)

    def _report_unanswered(self, reply_to: str) -> None:
        """Report to the hooks of the connection that the message, a request, gets no reply."""
        self._origin.report_unanswered(self._parameters.delivery_tag, reply_to)

    async def ack(self, *, multiple: bool = False) -> None:
        """Acknowledge the message (basic.ack): the server removes it from its queue.

        The acknowledgement is queued to be sent at once; the server does not answer it. The call waits
        only while the socket's buffer is full, and cancelling it takes nothing back.

        Args:
            multiple: Whether to acknowledge all unacked messages of the channel up to this one.
                False by default.

        Raises:
            UnknownDelivery: The message was settled before, or came with no_ack; nothing was sent.
            StaleDelivery: The channel was lost, and the server delivers the message again (with
                ``recovery=``); nothing was sent.
            ChannelClosed, ConnectionClosed: The channel that it came on is closed.
        """
        drain = self._origin.ack(self._parameters.delivery_tag, multiple)
        if drain is not None:
            await drain

    async def reject(self, requeue: bool, *, multiple: bool = False) -> None:
        """Reject the message (basic.reject).

        The rejection is queued to be sent at once; the server does not answer it. The call waits only
        while the socket's buffer is full, and cancelling it takes nothing back.

        Args:
            requeue: Whether to requeue the message; if not, it is dropped or dead-lettered.
            multiple: Whether to reject all unacked messages of the channel up to this one
                (basic.nack, RabbitMQ's extension). False by default.

        Raises:
            UnknownDelivery, StaleDelivery: As in `ack`.
            ChannelClosed, ConnectionClosed: The channel that it came on is closed.
        """
        if multiple:
            drain = self._origin.nack(self._parameters.delivery_tag, True, requeue)
        else:
            drain = self._origin.reject(self._parameters.delivery_tag, requeue)
        if drain is not None:
            await drain

    async def nack(self, requeue: bool = True, *, multiple: bool = False) -> None:
        """Reject the message, or all unacked messages up to it (basic.nack).

        RabbitMQ's extension (https://www.rabbitmq.com/docs/nack). It waits, and can be cancelled, as
        `reject` does.

        Args:
            requeue: Whether to requeue the message, True by default; if not, it is dropped or
                dead-lettered.
            multiple: Whether to reject all unacked messages of the channel up to this one. False
                by default.

        Raises:
            UnknownDelivery, StaleDelivery: As in `ack`.
            ChannelClosed, ConnectionClosed: The channel that it came on is closed.
        """
        drain = self._origin.nack(self._parameters.delivery_tag, multiple, requeue)
        if drain is not None:
            await drain

    @overload
    async def reply(self, body: Body, **options: Unpack[MessageOptions]) -> None: ...

    @overload
    async def reply(self, *, json: object, **options: Unpack[MessageOptions]) -> None: ...

    @takes_publish_options
    async def reply(
        self, body: Body | NotGiven = NOT_GIVEN, **options: Unpack[PublishOptions]
    ) -> None:
        """Publish a reply to the queue that the property reply-to names, through the default exchange.

        The reply has the message's correlation-id, unless `correlation_id` is given. It waits, and
        can be cancelled, as `Channel.publish` does.

        Args:
            body: As in `Channel.publish`.
            options: The keyword arguments of `Channel.publish`.

        Raises:
            ValueError: The message has no reply-to property, or an empty one.
            Exception: All that `Channel.publish` raises.
        """
        properties = self.properties
        if not properties.reply_to:
            raise ValueError(
                "the message has no reply-to property, or an empty one, so there is no queue to"
                " reply to"
            )
        if options.get("correlation_id") is None:
            options["correlation_id"] = properties.correlation_id
        await self._origin.reply(properties.reply_to, body, options)


class DeliverMessage(ExpectedMessage):
    """A message that the server delivered to a consumer (basic.deliver)."""

    __slots__ = ()

    _parameters: BasicDeliverParameters  # pyright: ignore[reportIncompatibleVariableOverride]  set once

    @property
    def consumer_tag(self) -> str:
        """The tag of the consumer."""
        return self._parameters.consumer_tag


class GetMessage(ExpectedMessage):
    """A message that `Channel.get` took from a queue (basic.get-ok)."""

    __slots__ = ()

    _parameters: BasicGetOkParameters  # pyright: ignore[reportIncompatibleVariableOverride]  set once

    @property
    def message_count(self) -> int:
        """How many messages were still ready in the queue."""
        return self._parameters.message_count
