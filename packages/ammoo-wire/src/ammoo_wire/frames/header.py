"""The content header: the properties that a message carries in front of its body.

A content header holds flags for the fourteen properties and then the values of
those that are present, in the order of the flags (section 4.2.6.1). Properties
travel through this package encoded; a program that needs them calls
`decode_properties`, and pays for it then.

Octets of strings that are not UTF-8 become lone surrogates, and are encoded as
they came.
"""

from collections.abc import Mapping
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import EncodeError, FrameError, ProtocolError, WireSyntaxError, show
from ..fields import (
    FieldTable,
    FieldValue,
    Octets,
    encode_short_string,
    encode_timestamp,
    timestamp_from_wire,
)
from ..light_named_tuple import LightNamedTuple
from ..table_decoder import read_table
from ..table_encoder import encode_table

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "NO_PROPERTIES",
    "BasicHeaderProperties",
    "decode_properties",
    "encode_properties",
    "encode_property_values",
]


class BasicHeaderProperties(LightNamedTuple):
    """A message's properties (class basic, section 1.8); None where one is not set.

    ::

        properties = BasicHeaderProperties(content_type="text/plain", delivery_mode=2)
        assert properties.priority is None
    """

    content_type: str | None = None
    """MIME type of the body."""
    content_encoding: str | None = None
    """MIME encoding of the body, or its character set."""
    headers: FieldTable | None = None
    """Values of the application's own; headers exchanges route by them."""
    delivery_mode: int | None = None
    """1 for transient, 2 for persistent."""
    priority: int | None = None
    """0 to 255."""
    correlation_id: str | None = None
    """An identifier by which a reply is matched to its request."""
    reply_to: str | None = None
    """Queue to reply to."""
    expiration: str | None = None
    """Milliseconds to live, as decimal digits."""
    message_id: str | None = None
    """The publisher's name for the message."""
    timestamp: "datetime | int | None" = None
    """The time of its making, in whole seconds; an int if no datetime can express it."""
    type_: str | None = None
    """The publisher's name for the kind of message."""
    user_id: str | None = None
    """The user who published it; RabbitMQ checks it against the login."""
    app_id: str | None = None
    """The program that published it."""
    cluster_id: str | None = None
    """Of AMQP 0-8; reserved."""


NO_PROPERTIES: Final = b"\x00\x00"
"""The encoded properties of a message that has none."""

_OCTETS: Final = tuple(bytes((value,)) for value in range(256))
_FLAGS = Struct(">H")
_TIMESTAMP = Struct(">Q")
_new = tuple.__new__
_WORDS: Final[dict[str, bytes]] = {}
"""Strings that are often the same, encoded. The publisher's choice, so few are kept too."""
_MOST_WORDS: Final = 256


def _encode_octet(value: Any, name: str) -> bytes:
    if not isinstance(value, int) or not 0 <= value <= 255:
        raise EncodeError(f"{name} is {show(value)}; expected an integer from 0 to 255")
    return _OCTETS[value]


def _encode_word(value: Any, name: str) -> bytes:
    """Encode a string that is often the same: 0.08 µs instead of 0.19 if it is."""
    if type(value) is not str:  # a subclass may find others equal to itself
        return encode_short_string(value, name)
    octets = _WORDS.get(value)
    if octets is None:
        octets = encode_short_string(value, name)
        if len(_WORDS) >= _MOST_WORDS:
            _WORDS.clear()
        _WORDS[value] = octets
    return octets


def encode_properties(properties: BasicHeaderProperties) -> bytes:
    """Encode properties as a content header holds them: the flags, then the values.

    ::

        encode_properties(BasicHeaderProperties(delivery_mode=2, headers={"retries": 3}))

    Args:
        properties: The properties.

    Raises:
        EncodeError: A value cannot be encoded; the text names the property.
    """
    if not isinstance(properties, BasicHeaderProperties):
        raise EncodeError(f"properties is {show(properties)}; expected a BasicHeaderProperties")
    return encode_property_values(*properties)


def encode_property_values(
    content_type: str | None = None,
    content_encoding: str | None = None,
    headers: Mapping[str, FieldValue] | None = None,
    delivery_mode: int | None = None,
    priority: int | None = None,
    correlation_id: str | None = None,
    reply_to: str | None = None,
    expiration: str | None = None,
    message_id: str | None = None,
    timestamp: "datetime | int | None" = None,
    type_: str | None = None,
    user_id: str | None = None,
    app_id: str | None = None,
    cluster_id: str | None = None,
) -> bytes:
    """Encode properties, given one by one; see `encode_properties`.

    ::

        encode_property_values(delivery_mode=2, headers={"retries": 3})

    Written out, it takes half the time that a loop over the fields does when four of them are
    set, and that is most of what publishing a message takes (benchmarks/replay.py).
    """
    flags = 0
    parts: list[bytes] = []
    if content_type is not None:
        flags |= 0x8000
        parts.append(_encode_word(content_type, "content_type"))
    if content_encoding is not None:
        flags |= 0x4000
        parts.append(_encode_word(content_encoding, "content_encoding"))
    if headers is not None:
        flags |= 0x2000
        parts.append(encode_table(headers, "headers"))
    if delivery_mode is not None:
        flags |= 0x1000
        parts.append(_encode_octet(delivery_mode, "delivery_mode"))
    if priority is not None:
        flags |= 0x0800
        parts.append(_encode_octet(priority, "priority"))
    if correlation_id is not None:
        flags |= 0x0400
        parts.append(encode_short_string(correlation_id, "correlation_id"))
    if reply_to is not None:
        flags |= 0x0200
        parts.append(_encode_word(reply_to, "reply_to"))
    if expiration is not None:
        flags |= 0x0100
        parts.append(_encode_word(expiration, "expiration"))
    if message_id is not None:
        flags |= 0x0080
        parts.append(encode_short_string(message_id, "message_id"))
    if timestamp is not None:
        flags |= 0x0040
        parts.append(_TIMESTAMP.pack(encode_timestamp(timestamp, "timestamp")))
    if type_ is not None:
        flags |= 0x0020
        parts.append(_encode_word(type_, "type_"))
    if user_id is not None:
        flags |= 0x0010
        parts.append(_encode_word(user_id, "user_id"))
    if app_id is not None:
        flags |= 0x0008
        parts.append(_encode_word(app_id, "app_id"))
    if cluster_id is not None:
        flags |= 0x0004
        parts.append(encode_short_string(cluster_id, "cluster_id"))
    return _FLAGS.pack(flags) + b"".join(parts)


def decode_properties(data: Octets | memoryview) -> BasicHeaderProperties:
    """Decode a content header's flags and values.

    ::

        properties = decode_properties(encode_property_values(delivery_mode=2))
        assert properties.delivery_mode == 2

    Args:
        data: The octets behind the body size in a content header.

    Raises:
        ProtocolError: The octets are no properties. The connection stays usable.
    """
    # Written out as `encode_property_values` is: 1.3 µs for four of them and two headers, 2.8 as a
    # loop. A string that goes on behind the end is noticed by where the next value would begin.
    if type(data) is not bytes:
        data = bytes(memoryview(data))
    content_type = content_encoding = headers = delivery_mode = priority = None
    correlation_id = reply_to = expiration = message_id = timestamp = None
    type_ = user_id = app_id = cluster_id = None
    i, end = 2, len(data)
    try:
        flags, more_flags = data[0], data[1]
        if flags & 0x80:
            start, i = i + 1, i + 1 + data[i]
            content_type = data[start:i].decode("utf-8", "surrogateescape")
        if flags & 0x40:
            start, i = i + 1, i + 1 + data[i]
            content_encoding = data[start:i].decode("utf-8", "surrogateescape")
        if flags & 0x20:
            headers, i = read_table(data, i, end)
        if flags & 0x10:
            delivery_mode = data[i]
            i += 1
        if flags & 0x08:
            priority = data[i]
            i += 1
        if flags & 0x04:
            start, i = i + 1, i + 1 + data[i]
            correlation_id = data[start:i].decode("utf-8", "surrogateescape")
        if flags & 0x02:
            start, i = i + 1, i + 1 + data[i]
            reply_to = data[start:i].decode("utf-8", "surrogateescape")
        if flags & 0x01:
            start, i = i + 1, i + 1 + data[i]
            expiration = data[start:i].decode("utf-8", "surrogateescape")
        if more_flags:
            if more_flags & 0x80:
                start, i = i + 1, i + 1 + data[i]
                message_id = data[start:i].decode("utf-8", "surrogateescape")
            if more_flags & 0x40:
                timestamp = timestamp_from_wire(_TIMESTAMP.unpack_from(data, i)[0])
                i += 8
            if more_flags & 0x20:
                start, i = i + 1, i + 1 + data[i]
                type_ = data[start:i].decode("utf-8", "surrogateescape")
            if more_flags & 0x10:
                start, i = i + 1, i + 1 + data[i]
                user_id = data[start:i].decode("utf-8", "surrogateescape")
            if more_flags & 0x08:
                start, i = i + 1, i + 1 + data[i]
                app_id = data[start:i].decode("utf-8", "surrogateescape")
            if more_flags & 0x04:
                start, i = i + 1, i + 1 + data[i]
                cluster_id = data[start:i].decode("utf-8", "surrogateescape")
    except (StructError, IndexError) as error:
        raise _malformed(i, end) from error
    if i != end or more_flags & 3:
        raise _malformed(i, end)
    return _new(
        BasicHeaderProperties,
        (
            content_type,
            content_encoding,
            headers,
            delivery_mode,
            priority,
            correlation_id,
            reply_to,
            expiration,
            message_id,
            timestamp,
            type_,
            user_id,
            app_id,
            cluster_id,
        ),
    )


def _malformed(position: int, end: int) -> ProtocolError:
    """Return the error for properties of which the next, if any, would begin at `position`."""
    if position > max(end, 2):
        return WireSyntaxError(
            f"a short string ends behind its frame's payload, at octet {position}"
        )
    return FrameError(f"cannot decode the properties of a message, {end} octets")
