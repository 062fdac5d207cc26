"""The fanout exchange: each message matches all bindings.

See https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-fanout
"""

from __future__ import annotations

from collections.abc import Iterable

from ..messages.message import Message
from .exchange import Binding, Exchange

__all__ = ["FanoutExchange"]


class FanoutExchange(Exchange):
    """Routes to all its bindings."""

    type = "fanout"
    description = "AMQP fanout exchange, as per the AMQP specification"

    def matching(self, message: Message) -> Iterable[Binding]:
        return self.bindings.values()
