"""AMQP's frames as the behaviour suite's peer writes and reads them, and what it finds wrong.

It uses `ammoo_wire` only to encode and decode methods, properties and tables.
"""

import struct
from typing import Any, NamedTuple

from ammoo_wire import BasicHeaderProperties, encode_properties, method_of, method_with_id

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8


class Frame(NamedTuple):
    """A frame as it was on the wire."""

    frame_type: int
    channel_number: int
    payload: bytes


class Message(NamedTuple):
    """A method that has content, with its content."""

    parameters: Any
    properties: BasicHeaderProperties
    body: bytes


class ServerClosedChannel(AssertionError):
    """The server closed a channel that a test expected to go on."""


class ServerClosedConnection(AssertionError):
    """The server closed a connection that a test expected to go on."""


class WaitedTooLong(AssertionError):
    """What a test awaited has not come in all the time that its peer may wait."""


class EndOfStream(AssertionError):
    """The server closed the socket while a test expected something to arrive."""


def encode_frame(frame_type: int, channel_number: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", frame_type, channel_number, len(payload)) + payload + b"\xce"


def encode_method(parameters: Any) -> bytes:
    """Encode a method frame's payload: the ids and the arguments."""
    payload: bytes = method_of(parameters).encode(*parameters)
    return payload


def encode_header(body_size: int, properties: BasicHeaderProperties, class_id: int = 60) -> bytes:
    return struct.pack(">HHQ", class_id, 0, body_size) + encode_properties(properties)


def decode_method(payload: bytes) -> Any:
    method = method_with_id(int.from_bytes(payload[:4], "big"))
    assert method is not None, f"the server sent an unknown method: {payload[:4]!r}"
    return method.decode(payload, 4, len(payload))
