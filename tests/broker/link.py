"""A client and the broker's core, joined without a socket.

`Line` plays the event loop's part: it carries octets between a `ClientProtocol` and a `Connection`
until neither has anything to say. Nothing here knows asyncio, and time stands still.
"""

import itertools
from collections.abc import Sequence
from typing import Any

from ammoo_fakebroker.clocks.clock import ManualClock
from ammoo_fakebroker.connections.connection import Connection
from ammoo_fakebroker.connections.strike_points import StrikePoints
from ammoo_fakebroker.node.limits import Limits
from ammoo_fakebroker.node.node import Node
from ammoo_fakebroker.rabbitmq.profiles import profile_named
from ammoo_wire import (
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicGetParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    ChannelOpenParameters,
    ClientProtocol,
    QueueDeclareParameters,
    encode_properties,
    method_of,
    plain_response,
)
from tests.support.commands import Command, named

_encode_publish = method_of(BasicPublishParameters).encode


def make_node(compatibility: str = "4.3", **limits: Any) -> Node:
    """Make a node whose clock a test can move."""
    return Node(profile_named(compatibility), ManualClock(), limits=Limits(**limits))


class Transport:
    """Records what a connection asks of its transport.

    Attributes:
        is_closed: Whether it was to be closed once all is written.
        is_aborted: Whether it was to be closed at once.
        is_reading: Whether it reads.
        unwritten: Octets that were taken and not written yet, as a test has it.
        wakes: How what was queued is to be written: "now" or "later", for each time.
    """

    def __init__(self) -> None:
        self.unwritten = 0
        self.wakes: list[str] = []
        self.is_closed = False
        self.is_aborted = False
        self.is_reading = True

    def wake(self) -> None:
        self.wakes.append("now")

    def wake_later(self) -> None:
        self.wakes.append("later")

    def unwritten_size(self) -> int:
        return self.unwritten

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True


class Line:
    """One client of a node, with channel 1 open."""

    def __init__(
        self,
        node: Node,
        *,
        capabilities: Sequence[str] = ("consumer_cancel_notify", "connection.blocked"),
        heartbeat: int = 0,
        frame_max: int = 0,
        login: str = "guest",
        strike_points: StrikePoints | None = None,
    ) -> None:
        self.node = node
        self.transport = Transport()
        self.connection = Connection(node, self.transport, strike_points=strike_points)
        self.client = ClientProtocol(
            mechanism=lambda start: ("PLAIN", plain_response(login, login)),
            client_properties={"capabilities": dict.fromkeys(capabilities, True)},
            heartbeat_interval=heartbeat,
            frame_max=frame_max,
        )
        self.run()
        self.ask(ChannelOpenParameters())

    def run(self) -> list[Command]:
        """Carry octets to and fro until there are none; give what the client received."""
        received: list[Command] = []
        while self.client.has_data_to_send or self.connection.has_data_to_send:
            self.connection.receive_data(bytes(self.client.data_to_send()))
            received += named(self.client.receive_data(self.connection.data_to_send()))
            self.connection.written()
        return received

    def send(self, *methods: tuple[Any, ...], channel: int = 1) -> None:
        """Let the client queue methods; nothing moves before `run`."""
        for parameters in methods:
            self.client.send(channel, parameters)

    def ask(self, *methods: tuple[Any, ...], channel: int = 1) -> list[tuple[Any, ...]]:
        """Send methods in one go; give the parameters of all that came back."""
        self.send(*methods, channel=channel)
        return [command.parameters for command in self.run()]

    def send_publish(
        self,
        routing_key: str,
        body: bytes = b"",
        *,
        exchange: str = "",
        mandatory: bool = False,
        channel: int = 1,
        **properties: Any,
    ) -> None:
        """Let the client queue a publish."""
        self.client.send_content(
            channel,
            _encode_publish(exchange, routing_key, mandatory, False),
            encode_properties(BasicHeaderProperties(**properties)),
            body,
        )

    def publish(self, routing_key: str, body: bytes = b"", **options: Any) -> list[Command]:
        """Publish; give what came back."""
        self.send_publish(routing_key, body, **options)
        return self.run()

    def publish_together(self, *routing_keys: str) -> list[Command]:
        """Publish an empty message to each routing key in one go; give what came back."""
        for routing_key in routing_keys:
            self.send_publish(routing_key)
        return self.run()

    def fill(self, queue_name: str, *bodies: bytes, **options: Any) -> None:
        """Publish messages to a queue, one after the other."""
        for body in bodies:
            self.publish(queue_name, body, **options)

    def fetch(self, queue_name: str, count: int) -> None:
        """Get messages from a queue, and acknowledge none."""
        for _ in range(count):
            self.get(queue_name, no_ack=False)

    def declare_chain(self, *names: str) -> None:
        """Declare queues: all but the last keep nothing, and dead-letter to the next."""
        for name, following in itertools.pairwise(names):
            self.declare(
                name, max_length=0, dead_letter_exchange="", dead_letter_routing_key=following
            )
        self.declare(names[-1])

    def declare(self, name: str, **arguments: Any) -> None:
        """Declare a queue; an argument's name is given without x-, and with underscores."""
        table = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
        self.ask(QueueDeclareParameters(name, arguments=table))

    def get(self, name: str, *, no_ack: bool = True) -> Command | None:
        """Get a message, or None."""
        self.send(BasicGetParameters(name, no_ack))
        (command,) = self.run()
        return command if isinstance(command.parameters, BasicGetOkParameters) else None

    def get_all(self, name: str) -> list[bytes]:
        """Get the bodies of all messages."""
        bodies = []
        while (command := self.get(name)) is not None:
            bodies.append(bytes(command.body or b""))
        return bodies


def deliveries(commands: Sequence[Command]) -> list[tuple[str, int, bytes]]:
    """Pick the deliveries: consumer tag, delivery tag and body of each."""
    return [
        (command.parameters.consumer_tag, command.parameters.delivery_tag, bytes(command.body))
        for command in commands
        if isinstance(command.parameters, BasicDeliverParameters) and command.body is not None
    ]
