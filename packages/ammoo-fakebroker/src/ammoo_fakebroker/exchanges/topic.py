"""The topic exchange: the routing key decides by a pattern of words.

See https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-topic
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..messages.message import Message
from .exchange import Binding, Exchange
from .topic_trie import TopicTrie

__all__ = ["TopicExchange"]


class TopicExchange(Exchange):
    """Routes to the bindings whose pattern matches the message's routing key."""

    type = "topic"

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._patterns: TopicTrie[Binding] = TopicTrie()

    def add_binding(self, binding: Binding) -> None:
        super().add_binding(binding)
        self._patterns.add(binding.routing_key, binding)

    def remove_binding(self, binding: Binding) -> None:
        super().remove_binding(binding)
        self._patterns.remove(binding.routing_key, binding)

    def matching(self, message: Message) -> Iterable[Binding]:
        for routing_key in message.routing_keys:
            yield from self._patterns.matches(routing_key)
