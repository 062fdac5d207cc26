"""Octets of frames and commands for others: legal ones, and illegal ones on purpose.

A peer writes with `Protocol`, which keeps to the rules. To test another project's
peer, a program also needs octets that the rules forbid. By default each function here
writes legal octets; with other arguments it writes what they say, legal or not.
"""

from struct import Struct
from struct import error as StructError
from typing import Final

from .command import encode_method
from .constants import DEFAULT_FRAME_MAX, FRAME_END, FRAME_OVERHEAD, PROTOCOL_HEADER, FrameType
from .exceptions import EncodeError, show
from .fields import as_octets, check_size, is_unsigned
from .frames.header import NO_PROPERTIES, BasicHeaderProperties, encode_properties
from .method_codecs import Parameters, method_of

__all__ = [
    "encode_command",
    "encode_content_header",
    "encode_frame",
    "encode_heartbeat",
    "encode_protocol_header",
]

_FRAME_HEAD = Struct(">BHI")
_CONTENT_HEADER = Struct(">HHQ")
_OCTET = Struct(">B")
_VERSION = Struct(">BBB")
_BITS: Final = {"channel_number": 16, "size": 32, "class_id": 16, "weight": 16, "body_size": 64}


def encode_frame(
    frame_type: int,
    channel_number: int,
    payload: bytes | bytearray | memoryview,
    *,
    size: int | None = None,
    end: int = FRAME_END,
) -> bytes:
    """Write a frame (section 4.2.3).

    ::

        parameters = QueueDeclareParameters("orders")
        encode_frame(FrameType.METHOD, 1, encode_method(parameters))
        encode_frame(FrameType.BODY, 1, b"an order", size=1_000_000)  # illegal

    Args:
        frame_type: 1 method, 2 content header, 3 content body, 8 heartbeat (`FrameType`); or
            any other from 0 to 255, which is illegal.
        channel_number: From 0 to 65535.
        payload: Any octets.
        size: The size to announce in the frame's head; the payload's by default. Any other is
            illegal.
        end: The octet to end with; any other than 206 (0xCE) is illegal.

    Raises:
        EncodeError: A number does not fit into its field, or the payload has no octets; the text
            names it.
    """
    octets = payload if type(payload) is bytes else _octets(payload, "payload")
    announced = len(octets) if size is None else size
    try:
        head = _FRAME_HEAD.pack(frame_type, channel_number, announced)
        return b"".join((head, octets, _OCTET.pack(end)))
    except StructError:
        raise _misfit(
            frame_type=frame_type, channel_number=channel_number, size=announced, end=end
        ) from None


def encode_heartbeat(channel_number: int = 0) -> bytes:
    """Write a heartbeat frame; on any other channel than 0 it is illegal.

    ::

        connection.sendall(encode_heartbeat())
    """
    return encode_frame(FrameType.HEARTBEAT, channel_number, b"")


def encode_protocol_header(major: int = 0, minor: int = 9, revision: int = 1) -> bytes:
    """Write a protocol header (section 4.2.2), by default that of AMQP 0-9-1.

    ::

        assert encode_protocol_header() == PROTOCOL_HEADER
        connection.sendall(encode_protocol_header(1, 0, 0))  # of AMQP 1.0

    Args:
        major: From 0 to 255.
        minor: From 0 to 255.
        revision: From 0 to 255.

    Raises:
        EncodeError: A number does not fit into its octet; the text names it.
    """
    try:
        return PROTOCOL_HEADER[:5] + _VERSION.pack(major, minor, revision)
    except StructError:
        raise _misfit(major=major, minor=minor, revision=revision) from None


def encode_content_header(
    body_size: int,
    properties: BasicHeaderProperties | bytes | bytearray | memoryview = NO_PROPERTIES,
    *,
    class_id: int = 60,
    weight: int = 0,
) -> bytes:
    """Write the payload of a content header frame (section 4.2.6.1).

    ::

        payload = encode_content_header(8, BasicHeaderProperties(delivery_mode=2))
        connection.sendall(encode_frame(FrameType.HEADER, 1, payload))

    Args:
        body_size: The size of the body to announce, in octets.
        properties: The message's properties; octets are taken as they are.
        class_id: The class of the method in front; any other than 60 (basic) is illegal.
        weight: Any other than 0 is illegal.

    Raises:
        EncodeError: A property cannot be encoded, or a number does not fit into its field; the
            text names it.
    """
    encoded: bytes | memoryview
    if isinstance(properties, bytes | bytearray | memoryview):
        encoded = as_octets(properties)
    else:
        encoded = encode_properties(properties)
    try:
        return _CONTENT_HEADER.pack(class_id, weight, body_size) + encoded
    except StructError:
        raise _misfit(class_id=class_id, weight=weight, body_size=body_size) from None


def encode_command(
    channel_number: int,
    parameters: Parameters,
    properties: BasicHeaderProperties | bytes | bytearray | memoryview | None = None,
    body: bytes | bytearray | memoryview | None = None,
    *,
    frame_max: int = DEFAULT_FRAME_MAX,
    body_size: int | None = None,
) -> bytes:
    """Write a command: a method, and its content if it has any, cut into frames.

    ::

        encode_command(1, BasicPublishParameters("", "orders"), None, b"a message")

    A method that has content needs it (properties, body or both), and any other method must
    have none; this function also writes illegal combinations.

    Args:
        channel_number: From 0 to 65535.
        parameters: The method, for example a `BasicPublishParameters`.
        properties: The message's properties; octets are written as they are. None, the default,
            for no properties.
        body: The message's body. If properties and body are both None, a method that has content
            gets an empty body, and any other method gets no content.
        frame_max: The largest body frame to write, in octets: 9 or more; 131072 by default, 0 for
            no limit. Method and content header are written whatever their size.
        body_size: The size of the body to announce, in octets; the body's by default. Any other
            is illegal.

    Raises:
        EncodeError: A value cannot be encoded; the text names it.
    """
    check_size(frame_max, "frame_max")
    if 0 < frame_max <= FRAME_OVERHEAD:
        raise EncodeError(
            f"frame_max is {frame_max}; expected at least {FRAME_OVERHEAD + 1}, because"
            f" {FRAME_OVERHEAD} octets of a frame are not payload, or 0 for no limit"
        )
    frames = [encode_frame(FrameType.METHOD, channel_number, encode_method(parameters))]
    method = method_of(parameters)
    if properties is None and body is None and not method.has_content:
        return frames[0]
    octets = _octets(b"" if body is None else body, "body")
    announced = len(octets) if body_size is None else body_size
    header = encode_content_header(
        announced, NO_PROPERTIES if properties is None else properties, class_id=method.class_id
    )
    frames.append(encode_frame(FrameType.HEADER, channel_number, header))
    largest = frame_max - FRAME_OVERHEAD if frame_max else max(len(octets), 1)
    frames += [
        encode_frame(FrameType.BODY, channel_number, octets[start : start + largest])
        for start in range(0, len(octets), largest)
    ]
    return b"".join(frames)


def _octets(value: bytes | bytearray | memoryview, name: str) -> memoryview:
    try:
        return as_octets(value)
    except TypeError:
        raise EncodeError(
            f"{name} is of type {type(value).__name__}; expected bytes, bytearray or memoryview"
        ) from None


def _misfit(**numbers: object) -> EncodeError:
    """Return the error for the first number that does not fit into its field."""
    bits = {name: _BITS.get(name, 8) for name in numbers}
    name = next(each for each in numbers if not is_unsigned(numbers[each], bits[each]))
    highest = (1 << bits[name]) - 1
    return EncodeError(f"{name} is {show(numbers[name])}; expected an integer from 0 to {highest}")
