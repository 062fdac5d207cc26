"""The fake broker's core: whatever a client sends, it goes on, and serves another client."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from ammoo_fakebroker.clocks.clock import ManualClock
from ammoo_fakebroker.connections.connection import Connection
from ammoo_fakebroker.node.limits import Limits
from ammoo_fakebroker.node.node import Node
from ammoo_fakebroker.rabbitmq.profiles import PROFILES
from ammoo_wire import (
    PROTOCOL_HEADER,
    BasicDeliverParameters,
    BasicGetOkParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenParameters,
    ClientProtocol,
    ConnectionOpenParameters,
    ConnectionStartOkParameters,
    ConnectionState,
    ConnectionTuneOkParameters,
    Parameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    plain_response,
)
from tests.fuzz.generation import command, method_frame, program
from tests.fuzz.mutation import mutate, mutate_frames
from tests.fuzz.target import Finding, Target

__all__ = ["BrokerOctets", "BrokerPrograms"]

_MOST_TURNS = 50


class _Transport:
    """A socket that takes everything."""

    def __init__(self) -> None:
        self.is_closed = False

    def wake(self) -> None: ...

    def wake_later(self) -> None: ...

    def unwritten_size(self) -> int:
        return 0

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


OPENING = (
    PROTOCOL_HEADER
    + method_frame(
        0,
        ConnectionStartOkParameters(
            {"capabilities": {"basic.nack": True, "consumer_cancel_notify": True}},
            "PLAIN",
            plain_response("guest", "guest"),
            "en_US",
        ),
    )
    + method_frame(0, ConnectionTuneOkParameters(2047, 131072, 60))
    + method_frame(0, ConnectionOpenParameters("/"))
)


class _Client:
    """A client that is heard out: what a channel is closed for is answered, and it is opened again.

    Args:
        node: The broker.

    Attributes:
        unacked: The delivery tags that came, by channel; some may be settled.
    """

    def __init__(self, node: Node) -> None:
        self.unacked: dict[int, list[int]] = {}
        self._connection = Connection(node, _Transport())
        self._protocol = ClientProtocol(
            mechanism=lambda start: ("PLAIN", plain_response("guest", "guest")),
            client_properties={"capabilities": {"consumer_cancel_notify": True}},
            heartbeat_interval=0,
        )
        self.say(b"")
        self.say(
            method_frame(1, ChannelOpenParameters()) + method_frame(2, ChannelOpenParameters())
        )

    @property
    def is_open(self) -> bool:
        """Whether the connection goes on."""
        return self._protocol.state is ConnectionState.RUNNING and self._connection.is_open

    def say(self, octets: bytes) -> list[Parameters]:
        """Send octets; return what comes back until neither has anything to say."""
        self._connection.receive_data(octets)
        received: list[Parameters] = []
        for _ in range(_MOST_TURNS):
            for number, parameters, _, _ in self._protocol.receive_data(
                self._connection.data_to_send()
            ):
                received.append(parameters)
                if isinstance(parameters, BasicDeliverParameters | BasicGetOkParameters):
                    self.unacked.setdefault(number, []).append(parameters.delivery_tag)
                if isinstance(parameters, ChannelCloseParameters):
                    self.unacked.pop(number, None)
                    self._protocol.send(number, ChannelCloseOkParameters())
                    self._protocol.send(number, ChannelOpenParameters())
            self._connection.written()
            if self._protocol.failure is not None:
                raise Finding(f"no client can read the answer: {self._protocol.failure!r}")
            self._connection.receive_data(self._protocol.data_to_send())
            if not self._connection.has_data_to_send:
                return received
        raise Finding("the broker does not come to an end")

    def leave(self) -> None:
        """Close the socket without a word."""
        self._connection.disconnected()


def _new_node(release: str) -> tuple[Node, ManualClock]:
    clock = ManualClock()
    return Node(PROFILES[release], clock, limits=Limits(max_message_size=1_000_000)), clock


def _check(node: Node, clock: ManualClock) -> None:
    """Check that another client is served as if nothing had happened, now and later."""
    for number in range(2):
        bystander = _Client(node)
        declare = QueueDeclareParameters(f"alive {number}", exclusive=True)
        answers = bystander.say(method_frame(1, declare))
        if [type(answer) for answer in answers] != [QueueDeclareOkParameters]:
            raise Finding(f"another client is answered {answers}")
        bystander.leave()
        clock.advance(3600)
    if node.connections:
        raise Finding(f"connections are left: {node.connections}")


class BrokerOctets(Target):
    """Octets behind the opening of a connection, or in its place: read all at once, or in two."""

    name = "broker-octets"

    def seeds(self) -> list[bytes]:
        random = Random(0)
        programs = [program(random, 12) for _ in range(60)]
        return [b"\x00" + OPENING, *(b"\x01" + octets for octets in programs)]

    def mutate(self, random: Random, parents: list[bytes]) -> bytes:
        parent = random.choice(parents)
        change = random.choice((mutate, mutate_frames, mutate_frames))
        kind = bytes((random.randrange(64) * 2 + parent[0] % 2 if parent else 1,))
        return kind + change(random, [parent[1:], random.choice(parents)[1:]])

    def run(self, octets: bytes) -> None:
        kind, rest = octets[0] if octets else 0, octets[1:]
        node, clock = _new_node(sorted(PROFILES)[kind // 2 % len(PROFILES)])
        half = len(rest) // 2
        reads = [rest[:half], rest[half:]] if kind & 64 else [rest]
        attacker = Connection(node, _Transport())
        for read in [OPENING, *reads] if kind & 1 else reads:
            attacker.receive_data(read)
            attacker.data_to_send()
            attacker.written()
        _check_beside(node, clock, attacker)


def _check_beside(node: Node, clock: ManualClock, attacker: Connection) -> None:
    clock.advance(3600)
    attacker.data_to_send()
    attacker.disconnected()
    _check(node, clock)


class BrokerPrograms(Target):
    """Two clients, and methods with any value at any place: an input is a random seed."""

    name = "broker-programs"
    lengths: ClassVar[tuple[int, ...]] = (5, 30, 100)

    def seeds(self) -> list[bytes]:
        return [bytes(7)]

    def mutate(self, random: Random, parents: list[bytes]) -> bytes:
        return random.randbytes(7)

    def run(self, octets: bytes) -> None:
        random = Random(octets)
        node, clock = _new_node(random.choice(sorted(PROFILES)))
        clients = [_Client(node), _Client(node)]
        for _ in range(random.choice(self.lengths)):
            if random.random() < 0.05:
                clock.advance(random.choice((0.001, 1, 100)))
            place = random.randrange(2)
            clients[place].say(command(random, clients[place].unacked))
            if not clients[place].is_open:
                clients[place].leave()
                clients[place] = _Client(node)
        for client in clients:
            client.leave()
        _check(node, clock)
