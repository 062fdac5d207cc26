"""Frames, and methods with any value at any place, made up from a random number generator."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
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

__all__ = ["command", "content", "frame", "method_frame", "program", "some_value"]


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

_NAMES_RARE = (
    "amq.rabbitmq.reply-to",
    "amq.rabbitmq.reply-to.x",
    "x" * 255,
    "\r\n",
    "\u00fc",
    "amq.x",
)
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


_PLAUSIBLE: dict[str, tuple[Any, ...]] = {
    "x-dead-letter-exchange": ("", "amq.fanout", "e"),
    "x-dead-letter-routing-key": ("q", "r", "s"),
    "x-delivery-limit": (0, 1, 3),
    "x-expires": (1, 1000),
    "x-max-length": (0, 1, 3),
    "x-max-length-bytes": (0, 5000),
    "x-max-priority": (1, 5, 255),
    "x-message-ttl": (0, 1, 1000),
    "x-overflow": ("drop-head", "reject-publish", "reject-publish-dlx"),
    "x-single-active-consumer": (True,),
    "x-priority": (-1, 5),
    "x-stream-offset": ("first", "last", "next", 0, 2),
    "x-max-age": ("1s", "1D"),
    "x-match": ("all", "any", "any-with-x"),
    "x-dead-letter-strategy": ("at-least-once", "at-most-once"),
    "alternate-exchange": ("amq.fanout", "e"),
    "CC": (["q", "r"], ["s", 5]),
    "BCC": (["q"],),
    "x-delayed-retry-type": ("all", "failed"),
    "x-delayed-retry-min": (1, 100),
    "x-consumer-timeout": (0, 1000),
}


def _table(random: Random) -> dict[str, Any]:
    """Return a table: most values are ones that mean something, the others are of any type."""
    if random.random() < 0.3:
        return {}
    table = {
        name: random.choice(_PLAUSIBLE[name]) if random.random() < 0.8 else some_value(random)
        for name in random.sample(sorted(_PLAUSIBLE), random.choice((0, 1, 1, 2, 3)))
    }
    if random.random() < 0.2:
        table[random.choice(_ARGUMENTS)] = some_value(random)
    if random.random() < 0.4:
        table["x-queue-type"] = random.choice(_QUEUE_TYPES)
    if random.random() < 0.1:
        table["x-death"] = [
            {"queue": "q", "reason": "expired", "count": some_value(random)} for _ in range(2)
        ]
    return table


def _one_of(*likely: Any) -> Callable[[Random], Any]:
    """Return what chooses one of these, and now and then a name of another kind."""
    return lambda random: random.choice(likely if random.random() < 0.95 else _NAMES_RARE)


def _bit(probability: float) -> Callable[[Random], bool]:
    return lambda random: random.random() < probability


_EXCHANGES = ("amq.direct", "amq.topic", "amq.headers", "amq.fanout", "e", "f")
_BY_NAME: dict[str, Callable[[Random], Any]] = {
    "queue_name": _one_of("q", "r", "s", "t", ""),
    "exchange_name": _one_of("", "", *_EXCHANGES),
    "exchange_type": _one_of("direct", "fanout", "topic", "headers", "x-local-random", "none"),
    "source": _one_of(*_EXCHANGES),
    "destination": _one_of(*_EXCHANGES),
    "routing_key": _one_of("q", "r", "s", "t", "a.b", "a.#", "*.b", ""),
    "consumer_tag": _one_of("", "a", "b"),
    "delivery_tag": lambda random: random.choice((0, 1, 1, 2, 3, 4, 5, 6, (1 << 64) - 1)),
    "prefetch_size": lambda random: 0 if random.random() < 0.95 else 10,
    "prefetch_count": lambda random: random.choice((0, 1, 2, 65535)),
    "passive": _bit(0.1),
    "durable": _bit(0.8),
    "exclusive": _bit(0.1),
    "auto_delete": _bit(0.1),
    "internal": _bit(0.1),
    "no_wait": _bit(0.1),
    "immediate": _bit(0.01),
    "if_unused": _bit(0.1),
    "if_empty": _bit(0.1),
    "requeue": _bit(0.7),
    "active": _bit(0.95),
}
"""Values for fields of these names; for others see `_BY_TYPE`."""
_BY_TYPE: dict[str, Callable[[Random], Any]] = {
    "bit": _bit(0.3),
    "octet": lambda random: random.choice((0, 1, 255)),
    "short": lambda random: random.choice((0, 1, 2, 65535)),
    "long": lambda random: random.choice((0, 1, 10, 0xFFFFFFFF)),
    "longlong": lambda random: random.choice((0, 1, 2, (1 << 64) - 1)),
    "shortstr": _one_of("q", "e", ""),
    "longstr": lambda random: random.randbytes(3),
    "table": _table,
}
_METHODS = [method for method in methods() if method.class_id != 10]
_WEIGHTS = {
    "queue.declare": 10,
    "basic.publish": 16,
    "basic.consume": 6,
    "basic.get": 4,
    "basic.ack": 3,
    "basic.nack": 3,
    "basic.reject": 3,
    "queue.bind": 3,
    "exchange.declare": 2,
}
_LIKELY = [
    method
    for method in _METHODS
    if not method.name.endswith("-ok") and method.name not in ("channel.close", "channel.flow")
    for _ in range(_WEIGHTS.get(method.name, 1))
]


def _properties(random: Random) -> BasicHeaderProperties:
    return BasicHeaderProperties(
        headers=_table(random) if random.random() < 0.7 else None,
        expiration=random.choice((None,) * 12 + ("0", "1", "10", "1000", "x", "-1")),
        priority=random.choice((None, 0, 5, 255)),
        delivery_mode=random.choice((None, 1, 2, 2, 2, 3)),
        user_id=random.choice((None,) * 8 + ("guest", "other")),
        reply_to=random.choice((None,) * 8 + ("q", "amq.rabbitmq.reply-to")),
        timestamp=None,
        type_=random.choice((None, "t")),
    )


def _encodable(encode: Callable[[], bytes]) -> bytes:
    """Encode something; what no encoder takes, such as NaN, is put in behind its back."""
    try:
        return encode()
    except ValueError:
        return b""


def command(random: Random, unacked: Mapping[int, Sequence[int]] | None = None) -> bytes:
    """Return a client's method on channel 1 or 2, with its content if it has any.

    Args:
        random: Makes it up.
        unacked: The delivery tags that may be settled, by channel; None to make them up too.
    """
    number = random.choice((1, 1, 1, 2))
    method = random.choice(_METHODS if random.random() < 0.1 else _LIKELY)
    values = {
        name: (_BY_NAME.get(name) or _BY_TYPE[kind.value])(random) for name, kind in method.fields
    }
    if unacked is not None and "delivery_tag" in values and random.random() < 0.95:
        if not unacked.get(number):
            return b""
        values["delivery_tag"] = random.choice(unacked[number])
    parameters = method.parameters(**values)
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
    return b"".join([*opens, *(command(random) for _ in range(length))])


_CHANNEL_OPEN = next(method for method in methods() if method.name == "channel.open").parameters()
