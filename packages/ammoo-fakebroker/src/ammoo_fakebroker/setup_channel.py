"""A channel inside of the broker, on which a test's own commands are executed.

`setup.py` declares and publishes with it, and the stubs of `responders.py` publish their answers. A
refusal that a client would get, with RabbitMQ's text, is a ValueError here. Faults, limits and alarms
do not apply.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ammoo_wire import ProtocolError

from .auth.users import User
from .connections.channel import Channel
from .connections.confirms import Confirms
from .connections.direct_channel import DirectChannel
from .messages.message import Message
from .node.node import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .node.virtual_host import VirtualHost
    from .queues.queue import Queue

__all__ = ["SetUpChannel", "as_value_errors", "describe_queues"]


class _Test(User):
    """The user of a test: it has all permissions, and may publish with any user_id."""

    def __init__(self) -> None:
        super().__init__("guest", None)
        self.tags = ("impersonator",)

    def may(self, verb: str, name: str, virtualhost: str) -> bool:
        return True


class SetUpChannel:
    """A channel inside of the broker, on which a test executes commands as a client does.

    Args:
        node: The broker's node.
        virtualhost: The name of the virtual host.

    Attributes:
        virtualhost: The virtual host.
        channel: The channel itself.

    Raises:
        LookupError: There is no such virtual host.
    """

    def __init__(self, node: Node, virtualhost: str) -> None:
        self.virtualhost: VirtualHost = node.virtualhost(virtualhost)
        self._direct = DirectChannel(node, _Test(), self.virtualhost)
        self.channel: Channel = self._direct.channel
        self.channel.confirms = Confirms()
        self.channel.connection.strike_points.copy = self._take_route
        self.channel.connection.strike_points.confirm = self._take_confirm
        self._queue_names: tuple[str, ...] = ()
        self._is_accepted = True

    def call(self, parameters: tuple[Any, ...]) -> Any:
        """Execute a method, and return the parameters of its answer.

        Raises:
            ValueError: The broker refuses it; the text is RabbitMQ's.
        """
        with as_value_errors():
            return self._direct.call(parameters)

    def publish(
        self, exchange_name: str, routing_key: str, properties: bytes, body: bytes
    ) -> tuple[str, ...]:
        """Publish a message, and return the names of the queues that it was routed to.

        There are none if an exchange delays the message.

        Raises:
            ValueError: The broker refuses the message, it reaches no queue, or a queue is full.
        """
        delayed_count = self._delayed_count
        is_routed = self.send(exchange_name, routing_key, properties, body)
        if exchange_name:
            is_routed = bool(self._queue_names)
        if not is_routed and self._delayed_count == delayed_count:
            raise ValueError(self._describe_unroutable(exchange_name, routing_key))
        if not self._is_accepted:
            raise ValueError(_describe_full(self._queue_names))
        return self._queue_names

    @property
    def _delayed_count(self) -> int:
        """How many messages the exchanges of the virtual host delay."""
        return sum(exchange.delayed_count for exchange in self.virtualhost.exchanges.values())

    def _take_route(self, channel: object, message: Message, queues: Collection[Queue]) -> None:
        """Keep the names of the queues that a message was routed to."""
        self._queue_names = tuple(queue.name for queue in queues)

    def _take_confirm(
        self, channel: object, message: Message, sequence_number: int, accepted: bool
    ) -> bool:
        """Keep a confirm out of the traffic and the history: no client gets it."""
        self._is_accepted = accepted
        return True

    def send(self, exchange_name: str, routing_key: str, properties: bytes, body: bytes) -> bool:
        """Publish a message, and return whether it was routed; True for a named exchange.

        Raises:
            ValueError: The broker refuses it; the text is RabbitMQ's.
        """
        with as_value_errors():
            # The default exchange delays nothing, and routes direct replies, which reach no queue.
            return self._direct.publish(
                exchange_name, routing_key, properties, body, mandatory=not exchange_name
            )

    def _describe_unroutable(self, exchange_name: str, routing_key: str) -> str:
        host = repr(self.virtualhost.name)
        if not exchange_name:
            others = describe_queues(self.virtualhost)
            return f"no queue {routing_key!r} in virtual host {host}; {others}"
        bindings = self.virtualhost.exchanges[exchange_name].bindings.values()
        keys = ", ".join(
            f"{binding.routing_key!r} to {binding.destination.name!r}" for binding in bindings
        )
        others = f"its bindings are {keys}" if keys else "it has no bindings"
        return (
            f"no queue is bound to exchange {exchange_name!r} in virtual host {host} for key"
            f" {routing_key!r}; {others}"
        )


def describe_queues(host: VirtualHost) -> str:
    """Return which queues a virtual host has, for the text of an error."""
    known = ", ".join(map(repr, host.queues))
    return f"its queues are {known}" if known else "it has no queues"


def _describe_full(queue_names: tuple[str, ...]) -> str:
    """Return the text of the error for a message that a queue refuses."""
    if len(queue_names) == 1:
        return f"queue {queue_names[0]!r} is full, and refuses the message"
    names = ", ".join(map(repr, queue_names))
    return f"one of the queues {names} is full, and refuses the message"


@contextmanager
def as_value_errors() -> Iterator[None]:
    """Raise the broker's refusals as ValueError, with RabbitMQ's text."""
    try:
        yield
    except ProtocolError as error:
        raise ValueError(error.reply_text) from None
