"""Class access: access.request of AMQP 0-8 and 0-9, which AMQP 0-9-1 does not use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ammoo_wire import AccessRequestOkParameters, AccessRequestParameters

if TYPE_CHECKING:
    from ..channel import Channel

__all__ = ["HANDLERS"]


def request(channel: Channel, parameters: AccessRequestParameters) -> None:
    """Grant ticket 1 to every client; RabbitMQ checks no tickets."""
    channel.send(AccessRequestOkParameters())


HANDLERS: dict[type, Callable[..., Any]] = {AccessRequestParameters: request}
