"""The wire: octets for whatever reads frames, and octets for whatever decodes values.

What must hold is what design.md of ammoo-wire promises. Octets, in pieces of any size, are
commands or a fault that is kept, never another exception; the pieces do not matter; the fast path
and the general path agree; what one writes the other reads; and decoding what was encoded gives
the same values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import ammoo_wire
from ammoo_wire import (
    Accepted,
    BrokenFrame,
    ClientProtocol,
    CommandReader,
    Conversation,
    EncodeError,
    Frame,
    FrameReader,
    Protocol,
    ProtocolError,
    ReadCommand,
    ServerProtocol,
    decode_properties,
    decode_table,
    encode_command,
    encode_heartbeat,
    encode_method,
    encode_properties,
    encode_protocol_header,
    encode_table,
    methods,
)
from ammoo_wire.incoming_frames import CommandAssembler
from tests.fuzz.generation import program
from tests.fuzz.mutation import mutate, mutate_frames
from tests.fuzz.target import Finding, Target

__all__ = ["WireOctets", "WireValues"]

FRAME_MAX = 8192
BODY_MAX = 20_000


def expect(expected: Any, actual: Any, what: str) -> None:
    """Compare, and tell what differs.

    Raises:
        Finding: They are not equal.
    """
    if repr(expected) != repr(actual):  # for NaN equals no NaN
        raise Finding(f"{what}: expected {expected!r:.500}, got {actual!r:.500}")


def pieces(octets: bytes, sizes: Random) -> Iterator[bytes]:
    """Cut octets into pieces, most of them small."""
    position = 0
    while position < len(octets):
        size = sizes.choice((1, 2, 7, 8, 11, 100, 5000))
        yield octets[position : position + size]
        position += size


class WireOctets(Target):
    """Octets for the readers of onlookers, for both peers and for both paths of the assembler."""

    name = "wire-octets"

    def seeds(self) -> list[bytes]:
        client, server = _client(), _server()
        written = [bytearray(), bytearray()]
        for _ in range(4):
            written[0] += (octets := client.data_to_send())
            server.receive_data(octets)
            written[1] += (octets := server.data_to_send())
            client.receive_data(octets)
        programs = [program(Random(number), 10) for number in range(20)]
        opening = [bytes(each) for each in written]
        contents = [
            encode_command(1, method.parameters(*_values(method.fields)), b"\x08\x00\x05", b"abc")
            for method in methods()
            if method.has_content
        ]
        return [
            *opening,
            *programs,
            *(opening[0] + each for each in programs[:5]),
            b"".join(contents) * 3,
            encode_heartbeat() + b"".join(contents) + encode_protocol_header(),
        ]

    def mutate(self, random: Random, parents: list[bytes]) -> bytes:
        change = random.choice((mutate, mutate_frames))
        return change(random, parents)

    def run(self, octets: bytes) -> None:
        sizes = Random(len(octets))
        self._frames(octets, sizes)
        self._commands(octets, sizes)
        self._paths(octets)
        self._peer(_client(), octets, sizes)
        self._peer(_server(), octets, sizes)
        self._peer(_server(), _client().data_to_send() + octets, sizes)

    def _frames(self, octets: bytes, sizes: Random) -> None:
        whole = FrameReader(frame_max=FRAME_MAX).receive_data(octets)
        reader = FrameReader(frame_max=FRAME_MAX)
        cut = [item for piece in pieces(octets, sizes) for item in reader.receive_data(piece)]
        expect(_places(whole), _places(cut), "frames of octets in pieces")
        sound = b"".join(bytes(item) for item in whole if not isinstance(item, BrokenFrame))
        expect(octets[: len(sound)], sound, "octets of frames")
        FrameReader(frame_max=FRAME_MAX, skip_broken=True).receive_data(octets)

    def _commands(self, octets: bytes, sizes: Random) -> None:
        options: dict[str, Any] = {"frame_max": FRAME_MAX, "max_body_size": BODY_MAX}
        whole = CommandReader(**options).receive_data(octets)
        reader = CommandReader(**options)
        cut = [item for piece in pieces(octets, sizes) for item in reader.receive_data(piece)]
        expect(_places(whole), _places(cut), "commands of octets in pieces")
        conversation = Conversation(**options, skip_broken=True)
        for said in conversation.receive_data("client", octets):
            conversation.receive_data("server", bytes(octets[:100]))
            if "\n" in said.describe() or not said.describe():
                raise Finding(f"not a line: {said.describe()!r:.500}")
            json.dumps(said.to_json(), allow_nan=False)
        for item in whole:
            if isinstance(item, ReadCommand) and item.body is not None:
                again = encode_command(*item[:4])
                (same,) = CommandReader(frame_max=0).receive_data(again)
                expect(item[:4], tuple(same)[:4], "a command that was encoded again")

    def _paths(self, octets: bytes) -> None:
        """A frame at a time never takes the fast path."""
        frames = FrameReader(frame_max=FRAME_MAX).receive_data(octets)
        sound = [bytes(item) for item in frames if isinstance(item, Frame)]
        expect(_assembled([b"".join(sound)]), _assembled(sound), "commands of both paths")

    def _peer(self, peer: Protocol, octets: bytes | bytearray, sizes: Random) -> None:
        reader = CommandReader(frame_max=0)
        for piece in pieces(bytes(octets), sizes):
            peer.receive_data(piece)
            reader.receive_data(peer.data_to_send())
        peer.receive_eof()
        reader.receive_data(peer.data_to_send())
        if reader.failure is not None:
            raise Finding(f"a peer has written what cannot be read: {reader.failure}")


class WireValues(Target):
    """Octets as a field table, as properties and as the parameters of each method."""

    name = "wire-values"

    def seeds(self) -> list[bytes]:
        table: dict[str, Any] = {
            "a": 1,
            "b": ["x", None, True, 2.5, {"c": b"\xff"}],
            "c": -(1 << 40),
        }
        return [
            encode_table(table),
            encode_properties(ammoo_wire.BasicHeaderProperties("a", "b", table, 1, 2, "c", "d")),
            *(
                encode_method(method.parameters(*_values(method.fields)))[4:]
                for method in methods()
            ),
        ]

    def run(self, octets: bytes) -> None:
        self._again(decode_table, encode_table, octets)
        self._again(decode_properties, encode_properties, octets)
        for method in methods():

            def decode(data: bytes, method: ammoo_wire.Method = method) -> Any:
                return method.decode(data, 0, len(data))

            self._again(decode, lambda parameters: encode_method(parameters)[4:], octets)

    def _again(
        self, decode: Callable[[bytes], Any], encode: Callable[[Any], bytes], octets: bytes
    ) -> None:
        """Decode and encode: from the second time on nothing changes any more."""
        try:
            written = encode(decode(octets))
        except (ProtocolError, EncodeError):  # NaN is read and not written
            return
        # By octets, which know each type; values may be nested too deeply to be compared.
        expect(written, encode(decode(written)), "octets that were encoded again")


def _values(fields: tuple[tuple[str, Any], ...]) -> list[Any]:
    made = {"shortstr": "q", "longstr": b"x", "table": {"k": 1}, "bit": True}
    return [made.get(kind.value, 1) for _, kind in fields]


def _places(items: list[Any]) -> list[tuple[int, str]]:
    return [(item.offset, item.name) for item in items]


def _assembled(octets: list[bytes]) -> tuple[list[Any], str]:
    """Return the commands that octets make, and the fault that ends them."""
    assembler = CommandAssembler(frame_max=FRAME_MAX, max_body_size=BODY_MAX)
    assembler.takes_channels = True
    commands: list[ammoo_wire.Command] = []
    try:
        for each in octets:
            view = memoryview(each)
            while view:
                room = assembler.get_buffer()
                count = min(len(room), len(view))
                room[:count] = view[:count]
                assembler.buffer_updated(count)
                view = view[count:]
                while assembler.assemble(commands):
                    pass
    except ProtocolError as error:
        return commands, str(error)
    return commands, ""


def _client() -> ClientProtocol:
    return ClientProtocol(
        mechanism=lambda start: ("PLAIN", b"\x00guest\x00guest"),
        client_properties={},
        frame_max=FRAME_MAX,
        max_body_size=BODY_MAX,
    )


def _server() -> ServerProtocol:
    return ServerProtocol(
        server_properties={},
        mechanisms=["PLAIN"],
        authenticate=lambda mechanism, response: Accepted(),
        open_virtualhost=lambda virtualhost: None,
        frame_max=FRAME_MAX,
        max_body_size=BODY_MAX,
    )
