"""The content header: the properties that a message carries in front of its body.

A content header holds flags for the fourteen properties and then the values of
those that are present, in the order of the flags (section 4.2.6.1). Properties
travel through this package encoded; whoever needs them calls
`decode_properties`, and pays for it then.

The octets of strings are not questioned: what is no UTF-8 becomes lone
surrogates, and goes out again as it came.
"""

from collections.abc import Callable
from datetime import datetime
from enum import IntFlag
from struct import Struct
from struct import error as StructError
from typing import Any, Final, NamedTuple

from ..exceptions import EncodeError, FrameError, ProtocolError, show
from ..fields import (
    FieldTable,
    Octets,
    decode_short_string,
    encode_short_string,
    encode_timestamp,
    timestamp_from_wire,
)
from ..tables import encode_table, read_table

__all__ = [
    "NO_PROPERTIES",
    "BasicHeaderProperties",
    "PropertyFlag",
    "decode_properties",
    "encode_properties",
]


class BasicHeaderProperties(NamedTuple):
    """A message's properties (class basic, section 1.8); None where one is not set."""

    content_type: str | None = None
    """MIME type of the body."""
    content_encoding: str | None = None
    """MIME encoding of the body, or its character set."""
    headers: FieldTable | None = None
    """Anything, and what headers exchanges route by."""
    delivery_mode: int | None = None
    """1 for transient, 2 for persistent."""
    priority: int | None = None
    """0 to 255."""
    correlation_id: str | None = None
    """What a reply is matched to its request by."""
    reply_to: str | None = None
    """Queue to reply to."""
    expiration: str | None = None
    """Milliseconds to live, as decimal digits."""
    message_id: str | None = None
    """The publisher's name for the message."""
    timestamp: datetime | int | None = None
    """When it was made, in whole seconds; an int if no datetime can express it."""
    type_: str | None = None
    """The publisher's name for the kind of message."""
    user_id: str | None = None
    """Who published it; RabbitMQ checks it against the login."""
    app_id: str | None = None
    """Which program published it."""
    cluster_id: str | None = None
    """Of AMQP 0-8; reserved."""


class PropertyFlag(IntFlag):
    """The flags word of a content header: which properties are present."""

    CONTENT_TYPE = 0x8000
    CONTENT_ENCODING = 0x4000
    HEADERS = 0x2000
    DELIVERY_MODE = 0x1000
    PRIORITY = 0x0800
    CORRELATION_ID = 0x0400
    REPLY_TO = 0x0200
    EXPIRATION = 0x0100
    MESSAGE_ID = 0x0080
    TIMESTAMP = 0x0040
    TYPE = 0x0020
    USER_ID = 0x0010
    APP_ID = 0x0008
    CLUSTER_ID = 0x0004


NO_PROPERTIES: Final = b"\x00\x00"
"""The encoded properties of a message that has none."""

_FLAGS = Struct(">H")
_TIMESTAMP = Struct(">Q")


def _encode_octet(value: Any, name: str) -> bytes:
    if not isinstance(value, int) or not 0 <= value <= 255:
        raise EncodeError(f"{name} is {show(value)}; expected an integer from 0 to 255")
    return bytes((value,))


def _encode_headers(value: Any, name: str) -> bytes:
    return encode_table(value, name)


def _encode_timestamp(value: Any, name: str) -> bytes:
    return _TIMESTAMP.pack(encode_timestamp(value, name))


def _decode_octet(data: Octets, position: int, end: int) -> tuple[int, int]:
    return data[position], position + 1


def _decode_timestamp(data: Octets, position: int, end: int) -> tuple[datetime | int, int]:
    return timestamp_from_wire(_TIMESTAMP.unpack_from(data, position)[0]), position + 8


_Encoder = Callable[[Any, str], bytes]
_Decoder = Callable[[Octets, int, int], tuple[Any, int]]
_SHORT_STRING: tuple[_Encoder, _Decoder] = (encode_short_string, decode_short_string)
_OCTET: tuple[_Encoder, _Decoder] = (_encode_octet, _decode_octet)
_SPECIAL: dict[str, tuple[_Encoder, _Decoder]] = {
    "headers": (_encode_headers, read_table),
    "delivery_mode": _OCTET,
    "priority": _OCTET,
    "timestamp": (_encode_timestamp, _decode_timestamp),
}
# By field: its flag, its name, and how to write and to read it.
_CODECS: tuple[tuple[int, str, _Encoder, _Decoder], ...] = tuple(
    (0x8000 >> index, name, *_SPECIAL.get(name, _SHORT_STRING))
    for index, name in enumerate(BasicHeaderProperties._fields)
)


def encode_properties(properties: BasicHeaderProperties) -> bytes:
    """Encode properties as a content header holds them: the flags, then the values.

    Raises:
        EncodeError: A value cannot be encoded; the text names the property.
    """
    flags = 0
    parts = [b""]
    for value, (flag, name, encode, _) in zip(properties, _CODECS, strict=True):
        if value is not None:
            flags |= flag
            parts.append(encode(value, name))
    parts[0] = _FLAGS.pack(flags)
    return b"".join(parts)


def decode_properties(data: Octets) -> BasicHeaderProperties:
    """Decode a content header's flags and values.

    Args:
        data: What stands behind the body size in a content header.

    Raises:
        ProtocolError: The octets are no properties; the connection is none the worse for it.
    """
    try:
        flags = data[0] << 8 | data[1]
        position, end = 2, len(data)
        values: list[Any] = [None] * len(_CODECS)
        for index, decode in _DECODERS.get(flags) or _decoders(flags):
            values[index], position = decode(data, position, end)
    except (StructError, IndexError) as error:
        raise _malformed(data) from error
    if position != end or flags & 3:
        raise _malformed(data)
    return BasicHeaderProperties._make(values)


_DECODERS: dict[int, tuple[tuple[int, _Decoder], ...]] = {}
"""By flags: what to read, in order. Flags are the peer's choice, so they are not all kept."""
_MOST_FLAGS: Final = 256


def _decoders(flags: int) -> tuple[tuple[int, _Decoder], ...]:
    decoders = tuple(
        (index, decode) for index, (flag, _, _, decode) in enumerate(_CODECS) if flags & flag
    )
    if len(_DECODERS) < _MOST_FLAGS:
        _DECODERS[flags] = decoders
    return decoders


def _malformed(data: Octets) -> ProtocolError:
    return FrameError(f"cannot decode the properties of a message, {len(data)} octets")
