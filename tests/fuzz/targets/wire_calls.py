"""The wire's writers: any value for any argument, as a program may pass by mistake.

Each call returns octets that can be read, or raises an `EncodeError` with a text of bounded
length. What was encoded, decoded and encoded again is the same octets.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

from ammoo_wire import (
    Accepted,
    BasicPublishParameters,
    ClientProtocol,
    CommandReader,
    CommandWriter,
    EncodeError,
    Float32,
    FrameReader,
    Int8,
    Int64,
    LongString,
    ServerProtocol,
    Timestamp,
    UInt32,
    decode_properties,
    decode_table,
    encode_command,
    encode_content_header,
    encode_frame,
    encode_method,
    encode_properties,
    encode_property_values,
    encode_protocol_header,
    encode_table,
    field_type,
    methods,
)
from tests.fuzz.target import Finding, Target

__all__ = ["WireCalls"]

LONGEST_TEXT = 2500  # characters: what still makes a sentence of an error's text
VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 255, 256, 65_535, 65_536, 1 << 31, 1 << 32, 1 << 63, 1 << 64, -(1 << 63)),
    *(10**5000, True, None, 1.5, -0.0, float("nan"), float("inf"), object(), {1}, range(3)),
    *("", "orders", "é" * 128, "x" * 256, "\ud800", "\udcff", b"", b"\xff", bytearray(b"x")),
    *(memoryview(b"abc"), array("H", [1, 2]), LongString(b"\xff"), Float32(1e300), Int8(200)),
    *(Int64(5), UInt32(-1), Timestamp(1 << 63), Decimal("NaN"), Decimal("1e400"), Decimal("-1.5")),
    *(datetime(1, 1, 1), datetime(2026, 11, 28, tzinfo=UTC), datetime.max),
)


class WireCalls(Target):
    """Calls of what writes octets."""

    name = "wire-calls"

    def seeds(self) -> list[bytes]:
        return [number.to_bytes(4) for number in range(20)]

    def run(self, octets: bytes) -> None:
        self._random = Random(octets)
        self._values()
        self._frames()
        self._peers()

    def _values(self) -> None:
        method = self._random.choice(methods())
        parameters = method.parameters(*(self._any() for _ in method.fields))
        payload = self._call(encode_method, parameters)
        if payload:
            method.decode(payload, 4, len(payload))
        properties = [self._random.choice((None, None, self._any())) for _ in range(14)]
        encoded = self._call(encode_property_values, *properties)
        if encoded and encoded != encode_properties(decode_properties(encoded)):
            raise Finding(f"other properties than {properties!r:.500}")
        table = {"k": self._any()}
        encoded = self._call(encode_table, table)
        if encoded and encoded != encode_table(decode_table(encoded)):
            raise Finding(f"another table than {table!r:.500}")
        self._call(field_type, self._any())

    def _frames(self) -> None:
        number = self._random.choice((1, self._any()))
        frame = self._call(encode_frame, self._random.choice((3, self._any())), number, self._any())
        if frame and frame != b"".join(map(bytes, FrameReader(frame_max=0).receive_data(frame))):
            raise Finding(f"{frame!r:.500} is not one frame")
        self._call(encode_protocol_header, self._any(), self._any(), self._any())
        self._call(encode_content_header, self._any(), self._any(), weight=self._any())
        body = self._random.choice((b"abc", self._any()))
        publish = BasicPublishParameters("", "orders")
        frame_max = self._random.choice((0, 4096, self._any()))
        command = self._call(encode_command, number, publish, None, body, frame_max=frame_max)
        if command and number:
            (read,) = CommandReader(frame_max=0).receive_data(command)
            if getattr(read, "body", None) != bytes(memoryview(body or b"")):
                raise Finding(f"another body than {body!r:.500}")
        self._call(lambda: CommandWriter(frame_max=self._any()).method(number, b"1234"))

    def _peers(self) -> None:
        client = self._call(
            ClientProtocol,
            mechanism=lambda start: (self._any(), self._any()),
            client_properties=self._random.choice(({}, self._any())),
            virtualhost=self._random.choice(("/", self._any())),
            frame_max=self._random.choice((0, self._any())),
            heartbeat_interval=self._random.choice((None, self._any())),
        )
        server = self._call(
            ServerProtocol,
            server_properties=self._random.choice(({}, self._any())),
            mechanisms=["PLAIN"],
            authenticate=lambda mechanism, response: Accepted(),
            open_virtualhost=lambda virtualhost: None,
            channel_max=self._random.choice((0, self._any())),
            frame_max=self._random.choice((0, self._any())),
        )
        for _ in range(4 if client and server else 0):
            server.receive_data(client.data_to_send())
            client.receive_data(server.data_to_send())

    def _any(self, depth: int = 0) -> Any:
        if depth < 3 and self._random.random() < 0.2:
            inner = self._any(depth + 1)
            return self._random.choice(({"k": inner}, [inner, 1], (inner,), {1: inner}))
        return self._random.choice(VALUES)

    def _call(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return what a call returns; None if it refuses its arguments, as it may."""
        try:
            return call(*arguments, **options)
        except EncodeError as error:
            if not 0 < len(str(error)) <= LONGEST_TEXT:
                raise Finding(f"a text of {len(str(error))} characters") from error
            return None
