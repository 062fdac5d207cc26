"""Class basic (60): publishing, consuming, and acknowledging what was delivered."""

from ...fields import EMPTY_TABLE, Bit, Long, LongLong, Short, ShortStr, Table
from ...light_named_tuple import LightNamedTuple
from ...method_codecs import method

__all__ = [
    "BasicAckParameters",
    "BasicCancelOkParameters",
    "BasicCancelParameters",
    "BasicConsumeOkParameters",
    "BasicConsumeParameters",
    "BasicDeliverParameters",
    "BasicGetEmptyParameters",
    "BasicGetOkParameters",
    "BasicGetParameters",
    "BasicNackParameters",
    "BasicPublishParameters",
    "BasicQosOkParameters",
    "BasicQosParameters",
    "BasicRecoverAsyncParameters",
    "BasicRecoverOkParameters",
    "BasicRecoverParameters",
    "BasicRejectParameters",
    "BasicReturnParameters",
]


@method(60, 10, replies=("basic.qos-ok",))
class BasicQosParameters(LightNamedTuple):
    """Limit how many deliveries may be unacked (basic.qos)."""

    prefetch_size: Long = 0
    """Octets; RabbitMQ accepts only 0, no limit."""
    prefetch_count: Short = 0
    """Messages; 0 is no limit."""
    global_: Bit = False
    """True: one limit for all of the channel's consumers. False: one for each new consumer (RabbitMQ)."""


@method(60, 11)
class BasicQosOkParameters(LightNamedTuple):
    """The limit is in force."""


@method(60, 20, reserved_short=True, replies=("basic.consume-ok",))
class BasicConsumeParameters(LightNamedTuple):
    """Start a consumer."""

    queue_name: ShortStr = ""
    consumer_tag: ShortStr = ""
    """The consumer's name; the server makes one up if it is empty."""
    no_local: Bit = False
    """RabbitMQ ignores it."""
    no_ack: Bit = False
    """Whether deliveries count as acknowledged once they are sent."""
    exclusive: Bit = False
    """Whether the queue may have no other consumer."""
    no_wait: Bit = False
    """Whether the server sends no answer."""
    arguments: Table = EMPTY_TABLE


@method(60, 21)
class BasicConsumeOkParameters(LightNamedTuple):
    """The consumer has started."""

    consumer_tag: ShortStr


@method(60, 30, replies=("basic.cancel-ok",))
class BasicCancelParameters(LightNamedTuple):
    """End a consumer. RabbitMQ's server sends it too, when the queue is gone."""

    consumer_tag: ShortStr = ""
    no_wait: Bit = False
    """Whether the peer sends no answer."""


@method(60, 31)
class BasicCancelOkParameters(LightNamedTuple):
    """The consumer has ended."""

    consumer_tag: ShortStr


@method(60, 40, reserved_short=True, content=True)
class BasicPublishParameters(LightNamedTuple):
    """Publish a message to an exchange."""

    exchange_name: ShortStr = ""
    routing_key: ShortStr = ""
    mandatory: Bit = False
    """Whether to return the message (basic.return) if it reaches no queue."""
    immediate: Bit = False
    """RabbitMQ refuses it (540)."""


@method(60, 50, content=True)
class BasicReturnParameters(LightNamedTuple):
    """Return a message that could not be routed (basic.return)."""

    reply_code: Short
    reply_text: ShortStr
    exchange_name: ShortStr
    routing_key: ShortStr


@method(60, 60, content=True)
class BasicDeliverParameters(LightNamedTuple):
    """Deliver a message to a consumer."""

    consumer_tag: ShortStr
    delivery_tag: LongLong
    """The number by which the delivery is acknowledged, on this channel."""
    redelivered: Bit
    """Whether it may have been delivered before."""
    exchange_name: ShortStr
    routing_key: ShortStr


@method(60, 70, reserved_short=True, replies=("basic.get-ok", "basic.get-empty"))
class BasicGetParameters(LightNamedTuple):
    """Fetch one message from a queue."""

    queue_name: ShortStr = ""
    no_ack: Bit = False
    """Whether the message counts as acknowledged once it is sent."""


@method(60, 71, content=True)
class BasicGetOkParameters(LightNamedTuple):
    """The message that was fetched."""

    delivery_tag: LongLong
    """The number by which the delivery is acknowledged, on this channel."""
    redelivered: Bit
    """Whether it may have been delivered before."""
    exchange_name: ShortStr
    routing_key: ShortStr
    message_count: Long
    """Messages that are ready in the queue behind this one."""


@method(60, 72)
class BasicGetEmptyParameters(LightNamedTuple):
    """No message was ready."""

    reserved_1: ShortStr = ""


@method(60, 80)
class BasicAckParameters(LightNamedTuple):
    """Acknowledge deliveries; from the server, confirm publishes (RabbitMQ)."""

    delivery_tag: LongLong = 0
    multiple: Bit = False
    """Whether all lower tags are included; tag 0 then means all there are."""


@method(60, 90)
class BasicRejectParameters(LightNamedTuple):
    """Reject a delivery."""

    delivery_tag: LongLong = 0
    requeue: Bit = True
    """Whether the message goes back to its queue; if not, it is dropped or dead-lettered."""


@method(60, 100)
class BasicRecoverAsyncParameters(LightNamedTuple):
    """Deliver all unacked messages again, without an answer (basic.recover-async); deprecated."""

    requeue: Bit = False
    """True to requeue them. RabbitMQ refuses False, which means the original recipients (540)."""


@method(60, 110, replies=("basic.recover-ok",))
class BasicRecoverParameters(LightNamedTuple):
    """Deliver all unacked messages again (basic.recover)."""

    requeue: Bit = False
    """True to requeue them. RabbitMQ refuses False, which means the original recipients (540)."""


@method(60, 111)
class BasicRecoverOkParameters(LightNamedTuple):
    """The messages are about to be delivered again."""


@method(60, 120)
class BasicNackParameters(LightNamedTuple):
    """Reject deliveries; from the server, refuse publishes (RabbitMQ)."""

    delivery_tag: LongLong = 0
    multiple: Bit = False
    """Whether all lower tags are included; tag 0 then means all there are."""
    requeue: Bit = True
    """Whether the messages go back to their queue; if not, they are dropped or dead-lettered."""
