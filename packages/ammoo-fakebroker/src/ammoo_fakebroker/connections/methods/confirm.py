"""Class confirm: publisher confirms, an extension of RabbitMQ.

See https://www.rabbitmq.com/docs/confirms
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ammoo_wire import ConfirmSelectOkParameters, ConfirmSelectParameters

from ...rabbitmq import errors
from ..confirms import Confirms

if TYPE_CHECKING:
    from ..channel import Channel

__all__ = ["HANDLERS"]


def select(channel: Channel, parameters: ConfirmSelectParameters) -> None:
    """Confirm publishes from now on, counting from 1."""
    if channel.transaction is not None:
        raise errors.confirms_on_transactional_channel()
    if channel.confirms is None:
        channel.confirms = Confirms()
    if not parameters.no_wait:
        channel.send(ConfirmSelectOkParameters())


HANDLERS: dict[type, Callable[..., Any]] = {ConfirmSelectParameters: select}
