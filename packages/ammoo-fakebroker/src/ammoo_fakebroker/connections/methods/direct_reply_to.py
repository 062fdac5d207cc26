"""Direct reply-to: requests and replies without a queue.

A client consumes from a pseudo-queue, and publishes requests that name it in reply_to. The broker
replaces that name by a generated one; what is published to the generated name by the default
exchange goes straight to the consumer's channel.
See https://www.rabbitmq.com/docs/direct-reply-to
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ammoo_wire import (
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    decode_properties,
    encode_properties,
    method_of,
)

from ...node.virtual_host import generate_name
from ...rabbitmq import errors

if TYPE_CHECKING:
    from ...messages.message import Message
    from ...messages.properties import ParsedProperties
    from ..channel import Channel

__all__ = [
    "PSEUDO_QUEUE",
    "ReplyConsumer",
    "consume_replies",
    "declare_pseudo_queue",
    "deliver_replies",
    "with_reply_queue",
]

PSEUDO_QUEUE = "amq.rabbitmq.reply-to"
_PREFIX = f"{PSEUDO_QUEUE}."
_GENERATED_NAME = re.compile(r"amq\.rabbitmq\.reply-to\.[\w-]{22}\.[\w-]{22}")

_encode_deliver = method_of(BasicDeliverParameters).encode


class ReplyConsumer:
    """The consumer of a channel's direct replies; a channel has at most one.

    Attributes:
        tag: The consumer tag.
        queue_name: The generated name that requests carry in reply_to.
        channel: The channel that published the requests, and gets the replies.
    """

    __slots__ = ("channel", "queue_name", "tag")

    def __init__(self, channel: Channel, tag: str) -> None:
        self.channel: Channel = channel
        self.tag: str = tag
        self.queue_name: str = generate_name(generate_name(_PREFIX) + ".")

    def start(self) -> None:
        """Receive replies from now on."""
        self.channel.reply_consumer = self
        self.channel.connection.node.reply_consumers[self.queue_name] = self

    def cancel(self) -> None:
        """Receive no more replies; those that come later are dropped."""
        self.channel.reply_consumer = None
        self.channel.connection.node.reply_consumers.pop(self.queue_name, None)

    def deliver(self, message: Message) -> None:
        """Deliver a reply.

        It has the delivery tag that the next delivery will have as well: RabbitMQ does not count
        direct replies.
        """
        channel = self.channel
        channel.connection.send_content(
            channel.number,
            _encode_deliver(
                self.tag,
                channel.last_delivery_tag + 1,
                False,
                message.exchange_name,
                message.routing_key,
            ),
            message.properties,
            message.body,
        )


def consume_replies(channel: Channel, parameters: BasicConsumeParameters) -> None:
    """Start a channel's consumer of direct replies (basic.consume from the pseudo-queue)."""
    if not parameters.no_ack:
        raise errors.reply_consumer_acknowledges()
    if channel.reply_consumer is not None:
        raise errors.second_reply_consumer()
    consumer = ReplyConsumer(channel, parameters.consumer_tag or generate_name("amq.ctag-"))
    consumer.start()
    if not parameters.no_wait:
        channel.send(BasicConsumeOkParameters(consumer.tag))


def declare_pseudo_queue(channel: Channel, name: str) -> str:
    """Return the name of the pseudo-queue, or a generated one whose consumer still exists.

    A responder declares the name in reply_to to learn whether the requester is still there.

    Raises:
        ProtocolError: 404, the requester is gone; 541, the name was never generated.
    """
    if channel.reply_consumer is not None and channel.reply_consumer.queue_name == name:
        raise errors.internal_error()  # RabbitMQ's channel calls itself, and waits for the answer
    if name == PSEUDO_QUEUE or name in channel.connection.node.reply_consumers:
        return name
    if _GENERATED_NAME.fullmatch(name) is None:
        raise errors.internal_error()
    raise errors.no_queue(channel.virtualhost.name, name)


def with_reply_queue(channel: Channel, parsed: ParsedProperties) -> ParsedProperties:
    """Return a request's properties with the generated name in reply_to.

    Raises:
        ProtocolError: 406, the channel has no consumer of direct replies.
    """
    if channel.reply_consumer is None:
        raise errors.no_reply_consumer()
    reply_to = channel.reply_consumer.queue_name
    decoded = decode_properties(parsed.outgoing)
    return parsed._replace(outgoing=encode_properties(decoded._replace(reply_to=reply_to)))


def deliver_replies(channel: Channel, message: Message) -> None:
    """Deliver a message to the consumers whose generated names are among its routing keys."""
    for routing_key in message.routing_keys:
        if routing_key.startswith(_PREFIX):
            consumer = channel.connection.node.reply_consumers.get(routing_key)
            if consumer is not None:
                consumer.deliver(message)
