"""The direct exchange: it compares the routing key with binding keys for equality.

See https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-direct
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..messages.message import Message
from .exchange import Binding, Exchange

__all__ = ["DirectExchange"]


class DirectExchange(Exchange):
    """Routes to the bindings whose routing key equals the message's."""

    type = "direct"
    description = "AMQP direct exchange, as per the AMQP specification"

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._by_key: dict[str, dict[Binding, None]] = {}

    def add_binding(self, binding: Binding) -> None:
        super().add_binding(binding)
        self._by_key.setdefault(binding.routing_key, {})[binding] = None

    def remove_binding(self, binding: Binding) -> None:
        super().remove_binding(binding)
        with_same_key = self._by_key[binding.routing_key]
        del with_same_key[binding]
        if not with_same_key:
            del self._by_key[binding.routing_key]

    def matching(self, message: Message) -> Iterable[Binding]:
        for routing_key in message.routing_keys:
            yield from self._by_key.get(routing_key, ())
