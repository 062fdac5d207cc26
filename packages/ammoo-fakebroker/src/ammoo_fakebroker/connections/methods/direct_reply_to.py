"""Direct reply-to: requests and replies without a queue.

A client consumes from a pseudo-queue, and publishes requests that name it in reply_to. The broker
replaces that name by a generated one. A message that is published to the default exchange with the
generated name as its routing key goes directly to the consumer's channel.
See https://www.rabbitmq.com/docs/direct-reply-to
"""

from __future__ import annotations

import binascii
import secrets
from base64 import b64decode, b64encode
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
    from ammoo_wire import ProtocolError

    from ...messages.message import Message
    from ...messages.properties import ParsedProperties
    from ...node.ports import ReplyReceiver
    from ..channel import Channel

__all__ = [
    "PSEUDO_QUEUE",
    "ReplyConsumer",
    "check_not_volatile",
    "consume_replies",
    "declare_pseudo_queue",
    "find_replies",
    "is_volatile_queue",
    "refusal_of_consumer",
    "with_reply_queue",
]

PSEUDO_QUEUE = "amq.rabbitmq.reply-to"
_PREFIX = f"{PSEUDO_QUEUE}."
_PROCESS = b"\x83Xv\x00\x0freply@"
"""The beginning of an Erlang process identifier in the external term format."""
_PROCESS_SIZE = 32

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
        self.queue_name: str = _generate_name()

    def start(self) -> None:
        """Receive replies from now on."""
        self.channel.reply_consumer = self
        self.channel.connection.node.reply_consumers[self.queue_name] = self

    def cancel(self) -> None:
        """Stop receiving replies; later ones are dropped."""
        self.channel.reply_consumer = None
        self.channel.connection.node.reply_consumers.pop(self.queue_name, None)

    def deliver(self, message: Message) -> None:
        """Deliver a reply.

        Until 4.2 RabbitMQ does not count direct replies, so the next delivery has the same tag.
        """
        channel = self.channel
        if channel.virtualhost.profile.reply_names_are_queues:
            delivery_tag = channel.next_delivery_tag()
        else:
            delivery_tag = channel.last_delivery_tag + 1
        recorder = channel.virtualhost.recorder
        if recorder is not None:
            recorder.delivered(
                channel, message, self.queue_name, self.tag, delivery_tag, False, True
            )
        channel.connection.send_content(
            channel.number,
            _encode_deliver(
                self.tag,
                delivery_tag,
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


def _generate_name() -> str:
    """Return a name as RabbitMQ generates it: an Erlang process and a random key, both in base64."""
    node = f"{secrets.randbelow(10**9):09}".encode()
    process = _PROCESS + node + secrets.token_bytes(_PROCESS_SIZE - len(_PROCESS) - len(node))
    key = secrets.token_bytes(16)
    return f"{_PREFIX}{b64encode(process).decode()}.{b64encode(key).decode()}"


def _names_process(queue_name: str) -> bool:
    """Return whether a name has the form of a channel of this node; the channel need not exist."""
    process, _, _ = queue_name.removeprefix(_PREFIX).partition(".")
    try:
        octets = b64decode(process, validate=True)
    except binascii.Error:
        return False
    return len(octets) == _PROCESS_SIZE and octets.startswith(_PROCESS)


def is_reply_name(queue_name: str) -> bool:
    """Return whether a name has the form of a generated one."""
    return queue_name.startswith(_PREFIX) and "." in queue_name[len(_PREFIX) :]


def is_volatile_queue(channel: Channel, queue_name: str) -> bool:
    """Return whether the release treats a name as a queue, which exists as long as its consumer."""
    return (
        channel.virtualhost.profile.reply_names_are_queues
        and is_reply_name(queue_name)
        and _names_process(queue_name)
    )


def check_not_volatile(channel: Channel, queue_name: str) -> None:
    """Check that bindings of a queue may be changed.

    Raises:
        ProtocolError: 403, the name is for direct replies, and the release treats it as a queue.
    """
    if channel.virtualhost.profile.reply_names_are_queues and queue_name.startswith(_PREFIX):
        raise errors.volatile_queue_not_bindable()


def refusal_of_consumer(channel: Channel, queue_name: str) -> ProtocolError:
    """Return the refusal of basic.consume from a generated name."""
    own = channel.reply_consumer
    virtualhost = channel.virtualhost.name
    if own is not None and own.queue_name == queue_name:
        return errors.volatile_queue_has_consumer(virtualhost, queue_name)
    return errors.volatile_queue_of_other_channel(virtualhost, queue_name)


def declare_pseudo_queue(channel: Channel, name: str) -> str:
    """Return the name of the pseudo-queue, or a generated one whose consumer still exists.

    A responder declares the name in reply_to to learn whether the requester still waits.

    Raises:
        ProtocolError: 404, the requester has gone; 541, the name was never generated.
    """
    if name == PSEUDO_QUEUE:
        return name
    own = channel.reply_consumer
    are_queues = channel.virtualhost.profile.reply_names_are_queues
    if own is not None and own.queue_name == name and not are_queues:
        raise errors.internal_error()  # RabbitMQ's channel calls itself, and waits for the answer
    if name in channel.connection.node.reply_consumers and (own is None or own.queue_name != name):
        return name
    if (are_queues or is_reply_name(name)) and not _names_process(name):
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


def find_replies(channel: Channel, message: Message) -> list[ReplyReceiver | None]:
    """Find the consumers whose generated names are among a message's routing keys.

    Returns:
        The consumers; None for a name whose consumer has gone, if the release treats the name as a
        queue that the message was routed to.

    Raises:
        ProtocolError: 541, a name was never generated; since 4.3 that is no error.
    """
    are_queues = channel.virtualhost.profile.reply_names_are_queues
    consumers = channel.connection.node.reply_consumers
    found: list[ReplyReceiver | None] = []
    for routing_key in filter(is_reply_name, message.routing_keys):
        names_process = _names_process(routing_key)
        if not names_process and not are_queues:
            raise errors.internal_error()
        consumer = consumers.get(routing_key)
        if consumer is not None or (names_process and are_queues):
            found.append(consumer)
    return found
