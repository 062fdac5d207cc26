"""Messages that arrive: body, properties, where they were published to, how to settle them.

A message keeps its properties as they came off the wire, and decodes them when they
are first read: most programs read few properties, and a header that cannot be
decoded costs an exception where it is read and nothing else.

A message belongs to the live channel that it came on. This module asks of that
channel no more than `Origin` says.
"""

from collections.abc import Awaitable
from typing import Any, Protocol, Self, Unpack, overload

from ammoo_wire import (
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicHeaderProperties,
    BasicReturnParameters,
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

__all__ = ["DeliverMessage", "ExpectedMessage", "GetMessage", "Message", "Origin", "ReturnMessage"]


class Origin(Protocol):
    """What a message needs of the channel that it came on."""

    body_encoding: str
    tag_offset: int

    def ack(self, delivery_tag: int, multiple: bool, /) -> Awaitable[None] | None:
        """Acknowledge a delivery at once; gives what to wait for before more is sent."""

    def nack(self, delivery_tag: int, multiple: bool, requeue: bool, /) -> Awaitable[None] | None:
        """Refuse a delivery, and others before it; as `ack`."""

    def reject(self, delivery_tag: int, requeue: bool, /) -> Awaitable[None] | None:
        """Refuse a delivery; as `ack`."""

    async def reply(self, reply_to: str, body: Body | NotGiven, options: PublishOptions) -> None:
        """Publish to a queue by its name."""


class Message:
    """What all messages have. See the subclasses for where they come from.

    Attributes:
        body: The body's octets; the message's own, free to be changed.
    """

    __slots__ = ("_origin", "_parameters", "_properties", "body")

    # No __init__: see `LiveChannel._receive_deliver`, where most messages are made.
    _origin: Origin
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
        """Make a message of what came off the wire.

        Args:
            origin: The channel it came on.
            parameters: The method's.
            properties: Encoded.
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
        """The exchange that the message was published to."""
        return self._parameters.exchange_name

    @property
    def routing_key(self) -> str:
        """The routing key that the message was published with."""
        return self._parameters.routing_key

    @property
    def properties(self) -> BasicHeaderProperties:
        """The properties; decoded when first asked for.

        Raises:
            ammoo_wire.ProtocolError: They cannot be decoded. The connection is none the worse.
        """
        properties = self._properties
        if isinstance(properties, bytes):
            properties = self._properties = decode_properties(properties)
        return properties

    def decode(self, encoding: str | None = None) -> str:
        """Decode the body to text.

        The property content-encoding is the sender's choice, so it is followed only where that
        is harmless: the common character sets, identity and binary (which say nothing), and
        gzip and deflate, which are undone up to 16 MiB.

        Args:
            encoding: Any codec of Python's, for the body as it is. By default as the property
                content-encoding says, or else as is usual on the channel.

        Raises:
            ContentEncodingError: The property says what is not done without `encoding`, or the
                compressed body is damaged. It is a LookupError and a ValueError.
            UnicodeError: The body is no such text.
            LookupError: There is no such encoding.
        """
        if encoding is None:
            content_encoding = self.properties.content_encoding
            return decode_body(self.body, content_encoding, self._origin.body_encoding)
        return self.body.decode(encoding)

    def json(self, encoding: str | None = None) -> Any:
        """Decode the body as JSON.

        Args:
            encoding: As in `decode`.

        Raises:
            ValueError: The body is no JSON, is nested too deeply to be read, or is no such text.
            ContentEncodingError: As in `decode`.
            LookupError: There is no such encoding.
        """
        from json import loads  # 1.4 ms at import

        text = self.decode(encoding)
        try:
            return loads(text)
        except RecursionError:
            raise ValueError("the body is JSON that is nested too deeply to be read") from None


class ReturnMessage(Message):
    """A message that came back, for it was published as mandatory and could not be routed."""

    __slots__ = ()

    _parameters: BasicReturnParameters  # pyright: ignore[reportIncompatibleVariableOverride]  set once

    @property
    def reply_code(self) -> int:
        """Why it came back, as a number: 312 for no route."""
        return self._parameters.reply_code

    @property
    def reply_text(self) -> str:
        """Why it came back, in the server's words."""
        return self._parameters.reply_text


class ExpectedMessage(Message):
    """A message that was asked for, and is to be settled unless no_ack was given."""

    __slots__ = ()

    _parameters: BasicDeliverParameters | BasicGetOkParameters  # pyright: ignore[reportIncompatibleVariableOverride]  set once

    @property
    def delivery_tag(self) -> int:
        """What the message is called when it is settled; counted by the channel.

        After a recovery the numbers go on far above those before it.
        """
        return self._parameters.delivery_tag + self._origin.tag_offset

    @property
    def redelivered(self) -> bool:
        """Whether the message had been delivered before, to anybody."""
        return self._parameters.redelivered

    async def ack(self, *, multiple: bool = False) -> None:
        """Acknowledge the message: it has been dealt with, and the server may forget it.

        Args:
            multiple: Acknowledge all unsettled messages of the channel up to this one.

        Raises:
            UnknownDelivery: It was settled before, or came with no_ack; nothing was sent.
            ChannelClosed, ConnectionClosed: The channel on which it came is gone.
        """
        drain = self._origin.ack(self._parameters.delivery_tag, multiple)
        if drain is not None:
            await drain

    async def reject(self, requeue: bool, *, multiple: bool = False) -> None:
        """Refuse the message.

        Args:
            requeue: Put it back into its queue; otherwise it is dropped or dead-lettered.
            multiple: Refuse all unsettled messages of the channel up to this one
                (RabbitMQ's basic.nack).

        Raises:
            UnknownDelivery: It was settled before, or came with no_ack; nothing was sent.
            ChannelClosed, ConnectionClosed: The channel on which it came is gone.
        """
        if multiple:
            drain = self._origin.nack(self._parameters.delivery_tag, True, requeue)
        else:
            drain = self._origin.reject(self._parameters.delivery_tag, requeue)
        if drain is not None:
            await drain

    async def nack(self, requeue: bool = True, *, multiple: bool = False) -> None:
        """Refuse the message, and with `multiple` all unsettled ones up to it.

        RabbitMQ's extension (basic.nack); see https://www.rabbitmq.com/docs/nack.

        Args:
            requeue: As in `reject`.
            multiple: As in `reject`.

        Raises:
            UnknownDelivery: It was settled before, or came with no_ack; nothing was sent.
            ChannelClosed, ConnectionClosed: The channel on which it came is gone.
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
        """Publish an answer to where the property reply-to says, through the default exchange.

        The answer bears the message's correlation-id, unless another one is given.

        Args:
            body: The answer.
            options: As the keyword arguments of `Channel.publish`.

        Raises:
            ValueError: The message has no reply-to, or an empty one.
            TypeError, ValueError, ChannelClosed, ConnectionClosed: As in `Channel.publish`.
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
    """A message that a consumer was sent."""

    __slots__ = ()

    _parameters: BasicDeliverParameters  # pyright: ignore[reportIncompatibleVariableOverride]  set once

    @property
    def consumer_tag(self) -> str:
        """The tag of the consumer."""
        return self._parameters.consumer_tag

    @property
    def is_from_stream(self) -> bool:
        """Whether the message seems to come from a stream: RabbitMQ tells its offset there."""
        properties = self._properties
        if isinstance(properties, bytes):
            return b"\x0fx-stream-offset" in properties
        return "x-stream-offset" in (properties.headers or {})


class GetMessage(ExpectedMessage):
    """A message that `Channel.get` took from a queue."""

    __slots__ = ()

    _parameters: BasicGetOkParameters  # pyright: ignore[reportIncompatibleVariableOverride]  set once

    @property
    def message_count(self) -> int:
        """How many messages were left in the queue."""
        return self._parameters.message_count
