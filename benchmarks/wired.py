"""A client of the fake broker in memory: no socket, no event loop, no other process.

What it sends is encoded before anything is measured, and what it gets is thrown away, so that all
the CPU time there is belongs to the broker and its wire.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ammoo_wire as wire
from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.auth.login import Peer
from ammoo_fakebroker.connections.connection import Connection
from ammoo_wire.outgoing_frames import CommandWriter
from benchmarks.replay import BODY, PER_READ

__all__ = ["Wire", "frames", "reads", "wired"]


def reads(encoded: list[bytes]) -> list[bytes]:
    """Put frames together as they would be read."""
    return [
        b"".join(encoded[first : first + PER_READ]) for first in range(0, len(encoded), PER_READ)
    ]


class Wire:
    """A client of the fake broker without sockets: octets go in and come out by calls."""

    def __init__(self, broker: FakeBroker) -> None:
        self._protocol = wire.ClientProtocol(
            mechanism=lambda start: ("PLAIN", wire.plain_response("guest", "guest")),
            client_properties={"capabilities": {"publisher_confirms": True}},
            channel_max=0,
        )
        peer = Peer("127.0.0.1", 1, is_loopback=True, certificate_name=None)
        self._connection = Connection(broker._node, self, peer)
        while self._protocol.state is not wire.ConnectionState.RUNNING:
            self.turn()
        self.call(wire.ChannelOpenParameters())

    # -- what the connection asks of its transport --

    def wake(self) -> None:
        """Do nothing: whoever wants an answer takes it."""

    wake_later = close = abort = pause_reading = resume_reading = wake

    def unwritten_size(self) -> int:
        """Return 0: each answer is taken at once."""
        return 0

    # -- what the measurements do --

    def feed(self, octets: bytes | bytearray) -> None:
        """Let the broker read, and throw its answers away."""
        self._give(octets)
        while self._connection.has_data_to_send:
            self._connection.data_to_send()
            self._connection.written()

    def turn(self) -> list[wire.Command]:
        """Carry octets both ways once."""
        self._give(self._protocol.data_to_send())
        commands = self._protocol.receive_data(self._connection.data_to_send())
        self._connection.written()
        return commands

    def call(self, parameters: Any, channel_number: int = 1) -> None:
        """Send a method, and take the answer."""
        self._protocol.send(channel_number, parameters)
        if not self.turn():
            raise RuntimeError(f"the broker did not answer {parameters!r}")

    def _give(self, octets: bytes | bytearray) -> None:
        while octets:
            buffer = memoryview(self._connection.get_buffer(len(octets)))
            count = min(len(buffer), len(octets))
            buffer[:count] = octets[:count]
            self._connection.buffer_updated(count)
            octets = octets[count:]


@asynccontextmanager
async def wired() -> AsyncIterator[Wire]:
    """Start a broker, and connect to it in memory."""
    async with FakeBroker(history=0) as broker:
        yield Wire(broker)


def frames(parameters: list[Any], *, with_content: bool = False, channels: int = 1) -> list[bytes]:
    """Encode commands of a client, on channels in turn."""
    writer = CommandWriter(frame_max=131072)
    encoded = []
    for number, each in enumerate(parameters):
        payload = wire.method_of(each).encode(*each)
        if with_content:
            writer.content(1 + number % channels, payload, b"\0\0", BODY)
        else:
            writer.method(1 + number % channels, payload)
        encoded.append(bytes(writer.take()))
    return encoded
