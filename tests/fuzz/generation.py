"""Frames, and methods with any value at any place, made up from a random number generator."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random
from typing import Any

from ammoo_wire import (
    BasicHeaderProperties,
    Float32,
    Int8,
    Int16,
    Int64,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
    encode_method,
    encode_properties,
    methods,
)

__all__ = ["content", "frame", "method_frame", "program", "some_value"]


def frame(frame_type: int, channel_number: int, payload: bytes) -> bytes:
    """Return the octets of a frame."""
    return struct.pack(">BHI", frame_type, channel_number, len(payload)) + payload + b"\xce"


def method_frame(channel_number: int, parameters: Any) -> bytes:
    """Return the frame of a method."""
    return frame(1, channel_number, encode_method(parameters))


def content(
    channel_number: int, method: Any, properties: BasicHeaderProperties, body: bytes
) -> bytes:
    """Return the frames of a method with its content."""
    head = struct.pack(">HHQ", 60, 0, len(body)) + encode_properties(properties)
    frames = method_frame(channel_number, method) + frame(2, channel_number, head)
    return frames + frame(3, channel_number, body) if body else frames


# --- programs ---------------------------------------------------------------------------------

_NAMES = ("", "q", "r", "amq.direct", "amq.topic", "amq.headers", "amq.fanout", "e", "tag", "a.#.b")
_NAMES_RARE = (
    "amq.rabbitmq.reply-to",
    "amq.rabbitmq.reply-to.x",
    "x" * 255,
    "\r\n",
    "\u00fc",
    "amq.x",
)
_TYPES = ("direct", "fanout", "topic", "headers", "x-local-random", "x-modulus-hash", "none", "")
_QUEUE_TYPES = ("classic", "quorum", "stream")
_ARGUMENTS = (
    "alternate-exchange",
    "x-cancel-on-ha-failover",
    "x-consumer-timeout",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-delayed-retry-type",
    "x-delivery-limit",
    "x-expires",
    "x-initial-cluster-size",
    "x-match",
    "x-max-age",
    "x-max-in-memory-bytes",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-message-ttl",
    "x-overflow",
    "x-priority",
    "x-queue-leader-locator",
    "x-queue-master-locator",
    "x-queue-mode",
    "x-queue-type",
    "x-queue-version",
    "x-single-active-consumer",
    "x-stream-filter",
    "x-stream-filter-size-bytes",
    "x-stream-match-unfiltered",
    "x-stream-max-segment-size-bytes",
    "x-stream-offset",
    "CC",
    "BCC",
    "x-death",
    "x-delivery-count",
    "x-stream-filter-value",
    "k",
)
_SCALARS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    5,
    255,
    1 << 31,
    -(1 << 63),
    (1 << 63) - 1,
    0.0,
    -0.0,
    1.5,
    1e300,
    float("nan"),
    float("inf"),
    Float32(1.5),
    Int8(-1),
    UInt8(200),
    Int16(-1),
    UInt16(5),
    UInt32(7),
    Int64(3),
    Timestamp(1 << 60),
    Timestamp(0),
    b"octets",
    "",
    "q",
    "drop-head",
    "reject-publish",
    "reject-publish-dlx",
    "at-least-once",
    "classic",
    "quorum",
    "stream",
    "any",
    "all-with-x",
    "first",
    "last",
    "next",
    "7D",
    "100",
    "\u00fc",
)


def some_value(random: Random, depth: int = 0) -> Any:
    if depth < 3 and random.random() < 0.2:
        count = random.randrange(4)
        if random.random() < 0.5:
            return [some_value(random, depth + 1) for _ in range(count)]
        return {random.choice(_ARGUMENTS): some_value(random, depth + 1) for _ in range(count)}
    return random.choice(_SCALARS)


def _table(random: Random) -> dict[str, Any]:
    table = {
        random.choice(_ARGUMENTS): some_value(random) for _ in range(random.choice((0, 0, 1, 2, 4)))
    }
    if random.random() < 0.3:
        table["x-queue-type"] = random.choice(_QUEUE_TYPES)
    if "x-death" in table and random.random() < 0.7:
        table["x-death"] = [
            {"queue": "q", "reason": "expired", "count": some_value(random)} for _ in range(2)
        ]
    return table


def _name(random: Random) -> str:
    return random.choice(_NAMES_RARE if random.random() < 0.1 else _NAMES)


_FIELDS: dict[str, Callable[[Random], Any]] = {
    "bit": lambda random: random.random() < 0.3,
    "octet": lambda random: random.choice((0, 1, 255)),
    "short": lambda random: random.choice((0, 1, 2, 65535)),
    "long": lambda random: random.choice((0, 1, 10, 0xFFFFFFFF)),
    "longlong": lambda random: random.choice((0, 1, 1, 2, 3, (1 << 64) - 1)),
    "shortstr": _name,
    "longstr": lambda random: random.randbytes(3),
    "table": _table,
}
_METHODS = [method for method in methods() if method.class_id != 10]
_LIKELY = [
    method
    for method in _METHODS
    if not method.name.endswith("-ok") and method.name not in ("channel.close", "channel.flow")
]


def _properties(random: Random) -> BasicHeaderProperties:
    return BasicHeaderProperties(
        headers=_table(random) if random.random() < 0.7 else None,
        expiration=random.choice((None, None, "0", "10", "x", "-1", "", "99999999999999")),
        priority=random.choice((None, 0, 5, 255)),
        delivery_mode=random.choice((None, 1, 2, 3)),
        user_id=random.choice((None, None, None, "guest", "other")),
        reply_to=random.choice((None, None, "q", "amq.rabbitmq.reply-to")),
        timestamp=None,
        type_=random.choice((None, "t")),
    )


def _encodable(encode: Callable[[], bytes]) -> bytes:
    """Encode something; what no encoder takes, such as NaN, is put in behind its back."""
    try:
        return encode()
    except ValueError:
        return b""


def _command(random: Random) -> bytes:
    number = random.choice((1, 1, 1, 2))
    method = random.choice(_METHODS if random.random() < 0.1 else _LIKELY)
    values = [_FIELDS[kind.value](random) for _, kind in method.fields]
    if method.name == "exchange.declare":
        values[1] = random.choice(_TYPES)
    parameters = method.parameters(*values)
    if method.name == "basic.publish":
        return _encodable(
            lambda: content(
                number, parameters, _properties(random), b"x" * random.choice((0, 1, 5000))
            )
        )
    octets = _encodable(lambda: method_frame(number, parameters))
    if random.random() < 0.02:
        octets = octets.replace(struct.pack(">d", 1.5), struct.pack(">d", float("nan")))
    return octets


def program(random: Random, length: int) -> bytes:
    """Return a client's methods on channels 1 and 2, which it opens first."""
    opens = [method_frame(number, _CHANNEL_OPEN) for number in (1, 2)]
    return b"".join([*opens, *(_command(random) for _ in range(length))])


_CHANNEL_OPEN = next(method for method in methods() if method.name == "channel.open").parameters()
