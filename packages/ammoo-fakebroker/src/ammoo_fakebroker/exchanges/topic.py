"""The topic exchange: it matches the routing key with binding keys that are patterns of words.

See https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-topic
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..messages.message import Message
from ..rabbitmq import errors
from .exchange import Binding, Destination, Exchange
from .topic_trie import TopicTrie

__all__ = ["TopicExchange"]


class TopicExchange(Exchange):
    """Routes to the bindings whose pattern matches the message's routing key."""

    type = "topic"
    description = "AMQP topic exchange, as per the AMQP specification"

    def __init__(self, name: str, *, most_wildcards: int | None = None, **options: Any) -> None:
        super().__init__(name, **options)
        self._most_wildcards = most_wildcards
        self._patterns: TopicTrie[Binding] = TopicTrie()

    def validate_binding(
        self, destination: Destination, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        count = routing_key.split(".").count("#")
        if self._most_wildcards is not None and count > self._most_wildcards:
            raise errors.too_many_topic_wildcards(routing_key, count, self._most_wildcards)

    def add_binding(self, binding: Binding) -> None:
        super().add_binding(binding)
        self._patterns.add(binding.routing_key, binding)

    def remove_binding(self, binding: Binding) -> None:
        super().remove_binding(binding)
        self._patterns.remove(binding.routing_key, binding)

    def matching(self, message: Message) -> Iterable[Binding]:
        for routing_key in message.routing_keys:
            yield from self._patterns.matches(routing_key)
