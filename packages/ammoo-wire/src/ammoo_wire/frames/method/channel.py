"""Class channel (20): opening, pausing and closing a channel."""

from ...fields import Bit, LongStr, Short, ShortStr
from ...light_named_tuple import LightNamedTuple
from ...method_codecs import method

__all__ = [
    "ChannelCloseOkParameters",
    "ChannelCloseParameters",
    "ChannelFlowOkParameters",
    "ChannelFlowParameters",
    "ChannelOpenOkParameters",
    "ChannelOpenParameters",
]


@method(20, 10, replies=("channel.open-ok",))
class ChannelOpenParameters(LightNamedTuple):
    """The client opens the channel with the frame's channel number."""

    reserved_1: ShortStr = ""


@method(20, 11)
class ChannelOpenOkParameters(LightNamedTuple):
    """The channel is open."""

    reserved_1: LongStr = b""


@method(20, 20, replies=("channel.flow-ok",))
class ChannelFlowParameters(LightNamedTuple):
    """Ask the peer to stop, or to continue, sending content."""

    active: Bit
    """True to continue, False to stop."""


@method(20, 21)
class ChannelFlowOkParameters(LightNamedTuple):
    """The peer has stopped, or continues."""

    active: Bit
    """As in the channel.flow that it answers."""


@method(20, 40, replies=("channel.close-ok",))
class ChannelCloseParameters(LightNamedTuple):
    """Either peer closes the channel, with a reason."""

    reply_code: Short = 200
    reply_text: ShortStr = ""
    class_id: Short = 0
    """Class of the method at fault, or 0."""
    method_id: Short = 0
    """Method at fault, or 0."""


@method(20, 41)
class ChannelCloseOkParameters(LightNamedTuple):
    """The other peer has closed the channel too; its number is free again."""
