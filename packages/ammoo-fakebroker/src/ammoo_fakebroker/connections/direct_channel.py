"""A channel inside of the broker, without a client: the management API works with it.

RabbitMQ's management plugin opens a direct connection for what it declares, publishes and gets, so
it refuses what a client's methods would be refused. A direct channel executes methods with the same
handlers, as a user and in a virtual host, and returns their answers. It needs no login, it is not in
the node's list of connections, and limits and alarms do not apply to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ammoo_wire import (
    BasicAckParameters,
    BasicGetOkParameters,
    BasicGetParameters,
    BasicPublishParameters,
    BasicRejectParameters,
    BasicReturnParameters,
    method_with_id,
)

from ..history.event_fields import Identity
from .channel import Channel
from .methods import HANDLERS, publish
from .strike_points import StrikePoints

if TYPE_CHECKING:
    from ammoo_wire import ProtocolError

    from ..auth.users import User
    from ..node.node import Node
    from ..node.virtual_host import VirtualHost
    from .ports import ConfirmingChannel

__all__ = ["DirectChannel", "GotMessage"]

_CHANNEL = 1


class GotMessage(NamedTuple):
    """The answer to a basic.get."""

    parameters: BasicGetOkParameters
    properties: bytes
    body: bytes | bytearray


class DirectChannel:
    """A channel that executes methods for the broker itself, and returns their answers.

    It is a context manager. At the end, unacknowledged messages return to their queues.

    Args:
        node: The node to work on.
        user: The user whose permissions count.
        virtualhost: The virtual host to work in.

    Attributes:
        channel: The channel.
    """

    def __init__(self, node: Node, user: User, virtualhost: VirtualHost) -> None:
        self._connection = _DirectConnection(node, user, virtualhost)
        self.channel: Channel = Channel(_CHANNEL, self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def call(self, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
        """Execute a method, and return the parameters of its answer.

        Raises:
            ProtocolError: The broker refuses it, with RabbitMQ's text.
        """
        HANDLERS[type(parameters)](self.channel, parameters)
        return self._connection.take_answers()[0].parameters

    def publish(
        self,
        exchange_name: str,
        routing_key: str,
        properties: bytes,
        body: bytes | bytearray,
        *,
        mandatory: bool = True,
    ) -> bool:
        """Publish a message.

        Returns:
            Whether it was routed to a queue; True if it is not mandatory.

        Raises:
            ProtocolError: The broker refuses it, with RabbitMQ's text.
        """
        parameters = BasicPublishParameters(exchange_name, routing_key, mandatory=mandatory)
        publish(self.channel, parameters, properties, body)
        answers = self._connection.take_answers()
        return not any(isinstance(each.parameters, BasicReturnParameters) for each in answers)

    def get(self, queue_name: str, *, no_ack: bool = False) -> GotMessage | None:
        """Get the first message of a queue; None if the queue is empty.

        Raises:
            ProtocolError: The broker refuses it, with RabbitMQ's text.
        """
        HANDLERS[BasicGetParameters](self.channel, BasicGetParameters(queue_name, no_ack))
        (answer,) = self._connection.take_answers()
        if not isinstance(answer.parameters, BasicGetOkParameters):
            return None
        return GotMessage(answer.parameters, answer.properties, answer.body)

    def acknowledge(self, delivery_tag: int) -> None:
        """Acknowledge a message that `get` returned."""
        HANDLERS[BasicAckParameters](self.channel, BasicAckParameters(delivery_tag, False))

    def reject(self, delivery_tag: int, *, requeue: bool) -> None:
        """Reject a message that `get` returned: requeue it, or dead-letter or drop it."""
        HANDLERS[BasicRejectParameters](self.channel, BasicRejectParameters(delivery_tag, requeue))


class _Answer(NamedTuple):
    """A method that a client would receive, with its content if it has one."""

    parameters: tuple[Any, ...]
    properties: bytes = b""
    body: bytes | bytearray = b""


class _DirectConnection:
    """The connection of a direct channel, in place of a client's connection."""

    channel_max = 0
    is_deliverable = True

    def __init__(self, node: Node, user: User, virtualhost: VirtualHost) -> None:
        self.node = node
        self.user = user
        self.virtualhost = virtualhost
        self.identity = Identity("", "", user.name, virtualhost.name)
        self.confirming: list[ConfirmingChannel] = []
        self.strike_points = StrikePoints()
        self._answers: list[_Answer] = []

    def take_answers(self) -> list[_Answer]:
        """Return the answers since the last call."""
        answers, self._answers = self._answers, []
        return answers

    def client_can(self, capability: str) -> bool:
        return False

    def send(self, channel_number: int, parameters: tuple[Any, ...]) -> None:
        self._answers.append(_Answer(parameters))

    def send_method(self, channel_number: int, payload: bytes) -> None:
        self._answers.append(_Answer(_decode(payload)))

    def send_content(
        self, channel_number: int, payload: bytes, properties: bytes, body: bytes | bytearray
    ) -> None:
        self._answers.append(_Answer(_decode(payload), properties, body))

    def close_channel(self, channel_number: int) -> None:
        """Do nothing: leaving the context manager closes the channel."""

    def fail_channel(self, channel_number: int, error: ProtocolError) -> None:
        """Do nothing: the channel ends before a timer can fire."""

    def close(self, error: ProtocolError) -> None:
        """Do nothing: operators do not see the connection."""


def _decode(payload: bytes) -> tuple[Any, ...]:
    method = method_with_id(int.from_bytes(payload[:4], "big"))
    assert method is not None
    parameters: tuple[Any, ...] = method.decode(payload, 4, len(payload))
    return parameters
