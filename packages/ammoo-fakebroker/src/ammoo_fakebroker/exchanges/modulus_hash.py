"""The modulus hash exchange: it routes to one binding, which a hash of the routing key chooses.

RabbitMQ 4.3 has this type without a plugin. See https://www.rabbitmq.com/docs/modulus-hash-exchange
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from ..messages.message import Message
from .exchange import Binding, Exchange

__all__ = ["ModulusHashExchange"]


class ModulusHashExchange(Exchange):
    """Routes to the binding that a hash of the routing key chooses; binding keys do not matter."""

    type = "x-modulus-hash"
    description = "Modulus Hashing Exchange"

    def matching(self, message: Message) -> Iterable[Binding]:
        bindings = list(self.bindings.values())
        if not bindings:
            return ()
        chosen = crc32(" ".join(message.routing_keys).encode()) % len(bindings)
        return (bindings[chosen],)
