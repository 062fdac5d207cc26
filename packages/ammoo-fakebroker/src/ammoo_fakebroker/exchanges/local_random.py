"""The local random exchange: it routes to a random one of the bound classic queues.

See https://www.rabbitmq.com/docs/local-random-exchange
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from ..messages.message import Message
from ..rabbitmq import errors
from ..rabbitmq.arguments import CLASSIC
from .exchange import Binding, Destination, Exchange

__all__ = ["LocalRandomExchange"]


class LocalRandomExchange(Exchange):
    """Routes to one of its queues at random."""

    type = "x-local-random"
    description = "Picks one random local binding (queue) to route via (to)."
    routes_by_key_only = False

    def validate_binding(
        self, destination: Destination, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        if routing_key:
            raise errors.binding_with_key(routing_key)
        if not destination.queue_type:
            raise errors.binding_without_queue()
        if destination.queue_type != CLASSIC:
            raise errors.binding_to_queue_of_type(destination.queue_type)

    def matching(self, message: Message) -> Iterable[Binding]:
        return (random.choice(list(self.bindings.values())),) if self.bindings else ()
