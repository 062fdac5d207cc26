"""Class channel: flow and close; `unhandled_commands.py` opens channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ammoo_wire import (
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ChannelOpenParameters,
)

from ...rabbitmq import errors

if TYPE_CHECKING:
    from ..channel import Channel

__all__ = ["HANDLERS"]


def open_again(channel: Channel, parameters: ChannelOpenParameters) -> None:
    """Refuse to open an open channel."""
    raise errors.channel_already_open()


def flow(channel: Channel, parameters: ChannelFlowParameters) -> None:
    """Answer channel.flow; RabbitMQ does not support stopping the flow."""
    if not parameters.active:
        raise errors.flow_not_implemented()
    channel.send(ChannelFlowOkParameters(True))


def close(channel: Channel, parameters: ChannelCloseParameters) -> None:
    """Close the channel; its messages return to their queues before the client is answered."""
    channel.connection.close_channel(channel.number)


HANDLERS: dict[type, Callable[..., Any]] = {
    ChannelOpenParameters: open_again,
    ChannelFlowParameters: flow,
    ChannelCloseParameters: close,
}
