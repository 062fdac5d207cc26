"""The fake broker's core: whatever a client sends, it goes on, and serves another client."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar

from ammoo_fakebroker.clock import ManualClock
from ammoo_fakebroker.connections.connection import Connection
from ammoo_fakebroker.node.limits import Limits
from ammoo_fakebroker.node.node import Node
from ammoo_fakebroker.rabbitmq.profiles import PROFILES
from ammoo_wire import (
    PROTOCOL_HEADER,
    ClientProtocol,
    ConnectionOpenParameters,
    ConnectionStartOkParameters,
    ConnectionTuneOkParameters,
    QueueDeclareParameters,
    plain_response,
)
from tests.fuzz.generation import method_frame, program
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


class _Broker(Target):
    """What both fuzzers of the broker do with a client's octets."""

    def attack(self, release: str, reads: list[bytes]) -> None:
        """Let a client send octets, and see that another one is served as if it had not."""
        clock = ManualClock()
        node = Node(PROFILES[release], clock, limits=Limits(max_message_size=1_000_000))
        attacker = Connection(node, _Transport())
        for octets in reads:
            attacker.receive_data(octets)
            attacker.data_to_send()
            attacker.written()
        bystander = _open(node)
        _declare(bystander, "alive")
        clock.advance(3600)
        attacker.data_to_send()
        attacker.disconnected()
        _declare(bystander, "alive")
        bystander.connection.disconnected()
        clock.advance(3600)
        if node.connections:
            raise Finding(f"connections are left: {node.connections}")


class _Bystander:
    """A client that means no harm."""

    def __init__(self, node: Node) -> None:
        self.connection = Connection(node, _Transport())
        self.client = ClientProtocol(
            mechanism=lambda start: ("PLAIN", plain_response("guest", "guest")),
            client_properties={},
            heartbeat_interval=0,
        )

    def turn(self) -> list[Any]:
        received: list[Any] = []
        for _ in range(_MOST_TURNS):
            if not (self.client.has_data_to_send or self.connection.has_data_to_send):
                return received
            self.connection.receive_data(bytes(self.client.data_to_send()))
            received += self.client.receive_data(self.connection.data_to_send())
            self.connection.written()
        raise Finding("the two do not come to an end")


def _open(node: Node) -> _Bystander:
    bystander = _Bystander(node)
    bystander.turn()
    return bystander


def _declare(bystander: _Bystander, name: str) -> None:
    number = 1 if name not in bystander.connection.virtualhost.queues else 2
    bystander.client.send_method(number, bytes((0, 20, 0, 10, 0)))
    bystander.client.send(number, QueueDeclareParameters(name, exclusive=True))
    answers = [type(command[1]).__name__ for command in bystander.turn()]
    if answers != ["ChannelOpenOkParameters", "QueueDeclareOkParameters"]:
        raise Finding(f"another client is answered {answers}")


class BrokerOctets(_Broker):
    """Octets behind the opening of a connection, or in its place: read all at once, or in two."""

    name = "broker-octets"

    def seeds(self) -> list[bytes]:
        random = Random(0)
        programs = [program(random, 12) for _ in range(60)]
        return [b"\x00" + OPENING, *(b"\x01" + octets for octets in programs)]

    def mutate(self, random: Random, parents: list[bytes]) -> bytes:
        parent = random.choice(parents)
        change = random.choice((mutate, mutate_frames, mutate_frames))
        return parent[:1] + change(random, [parent[1:], random.choice(parents)[1:]])

    def run(self, octets: bytes) -> None:
        kind = octets[0] if octets else 0
        release = sorted(PROFILES)[kind // 2 % len(PROFILES)]
        rest = octets[1:]
        reads = [rest[: len(rest) // 2], rest[len(rest) // 2 :]] if kind & 64 else [rest]
        self.attack(release, [OPENING, *reads] if kind & 1 else reads)


class BrokerPrograms(_Broker):
    """Methods that are sound as frames, with any value at any place: an input is a random seed."""

    name = "broker-programs"
    lengths: ClassVar[tuple[int, ...]] = (3, 10, 40)

    def seeds(self) -> list[bytes]:
        return [bytes(7)]

    def mutate(self, random: Random, parents: list[bytes]) -> bytes:
        return random.randbytes(7)

    def run(self, octets: bytes) -> None:
        random = Random(octets)
        release = random.choice(sorted(PROFILES))
        reads = [program(random, random.choice(self.lengths)) for _ in range(3)]
        self.attack(release, [OPENING, *reads])
