"""Routing: which queues of a virtual host a message reaches from an exchange.

Each type of exchange (`exchanges/`) finds the bindings that a message matches. A message follows them,
also from exchange to exchange, or goes to the alternate exchange if there are none.
See https://www.rabbitmq.com/docs/exchanges
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ..exchanges.exchange import Exchange
from ..queues.queue import Queue

if TYPE_CHECKING:
    from ..exchanges.exchange import Destination
    from ..messages.message import Message

__all__ = ["Routing"]

_MOST_ROUTES = 4096


class Routing:
    """The routes through the exchanges of a virtual host.

    Args:
        exchanges: The exchanges by name, which the virtual host changes.
        queues: The queues by name, which the virtual host changes.
    """

    def __init__(self, exchanges: Mapping[str, Exchange], queues: Mapping[str, Queue]) -> None:
        self._exchanges = exchanges
        self._queues = queues
        self._routes: dict[tuple[str, str], Collection[Queue]] = {}

    def forget(self) -> None:
        """Forget the remembered routes: an exchange, a queue, a binding or a policy has changed."""
        self._routes.clear()

    def route(self, exchange: Exchange, message: Message) -> Collection[Queue]:
        """Find the queues that a message reaches from an exchange, each once.

        Routes that depend on the routing key alone are remembered. Their number is limited, because
        clients choose the keys.
        """
        parsed = message.parsed
        if parsed.carbon_copies or parsed.blind_carbon_copies:
            return self._follow(exchange, message)[0]
        key = (exchange.name, message.routing_key)
        queues = self._routes.get(key)
        if queues is None:
            queues, by_key_only = self._follow(exchange, message)
            if by_key_only:
                if len(self._routes) >= _MOST_ROUTES:
                    self._routes.clear()
                self._routes[key] = queues
        return queues

    def _follow(self, exchange: Exchange, message: Message) -> tuple[Collection[Queue], bool]:
        """Follow a message through the exchanges.

        Returns:
            The queues that it reaches, and whether that depends on its routing keys alone.
        """
        queues: dict[Queue, None] = {}
        by_key_only = True
        seen = {exchange}
        waiting = deque((exchange,))
        while waiting:
            exchange = waiting.popleft()
            by_key_only &= exchange.routes_by_key_only
            for destination in self._destinations(exchange, message):
                if isinstance(destination, Queue):
                    queues[destination] = None
                elif isinstance(destination, Exchange) and destination not in seen:
                    seen.add(destination)
                    waiting.append(destination)
        return tuple(queues), by_key_only

    def _destinations(self, exchange: Exchange, message: Message) -> list[Destination]:
        if not exchange.name:
            found = (self._queues.get(routing_key) for routing_key in message.routing_keys)
            return [queue for queue in found if queue is not None]
        destinations = [binding.destination for binding in exchange.matching(message)]
        if not destinations and exchange.alternate_exchange is not None:
            alternate = self._exchanges.get(exchange.alternate_exchange)
            return [] if alternate is None else [alternate]
        return destinations
