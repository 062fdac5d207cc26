"""Publishing: what reaches a queue unchanged, what is returned, what is refused.

Specification: class basic. RabbitMQ: https://www.rabbitmq.com/docs/publishers
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ammoo_wire import (
    BasicGetOkParameters,
    BasicGetParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    BasicReturnParameters,
    ChannelCloseParameters,
    Float32,
    Int8,
    Int16,
    Int64,
    LongString,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
    encode_table,
)
from tests.support.brokers import Broker, Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import BODY, HEADER, encode_header
from tests.support.peer import Peer

# --- what arrives -----------------------------------------------------------------------------


def test_message_arrives_with_its_properties(channel: Channel, queue: str) -> None:
    properties = BasicHeaderProperties(
        content_type="text/plain",
        content_encoding="utf-8",
        headers={"k": "v"},
        delivery_mode=1,
        priority=255,
        correlation_id="correlation",
        reply_to="reply",
        expiration="60000",
        message_id="message",
        timestamp=datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC),
        type_="type",
        user_id="guest",
        app_id="app",
        cluster_id="cluster",
    )

    channel.publish("", queue, b"body", **properties._asdict())

    message = channel.get_message(queue)
    assert BasicGetOkParameters(1, False, "", queue, 0) == message.parameters
    assert properties == message.properties
    assert b"body" == message.body


def test_message_arrives_without_properties(channel: Channel, queue: str) -> None:
    channel.publish("", queue)

    message = channel.get_message(queue)
    assert (BasicHeaderProperties(), b"") == (message.properties, message.body)


HEADERS: dict[str, Any] = {
    "array": ["a", 1, [2.5, None], {"k": "v"}],
    "binary": b"\x00\xff",
    "bool": True,
    "byte": Int8(-1),
    "decimal": Decimal("3.14"),
    "double": 0.1,
    "empty": "",
    "empty array": [],
    "empty table": {},
    "float": Float32(0.5),
    "int": -(2**31),
    "long": 2**40,
    "longstr": "größe",
    "not utf-8": LongString(b"\xff\xfe"),
    "short": Int16(-300),
    "small long": Int64(7),
    "table": {"a": {"b": {"c": 1}}},
    "timestamp": datetime(2001, 2, 3, tzinfo=UTC),
    "unsigned byte": UInt8(200),
    "unsigned int": UInt32(2**32 - 1),
    "unsigned short": UInt16(65535),
    "void": None,
    "lowest byte": Int8(-128),
    "highest byte": Int8(127),
    "highest unsigned byte": UInt8(255),
    "lowest short": Int16(-32768),
    "highest short": Int16(32767),
    "lowest int": -(2**31),
    "highest int": 2**31 - 1,
    "lowest long": -(2**63),
    "highest long": 2**63 - 1,
    "lowest decimal": Decimal(f"{-(2**31)}E-255"),
    "highest decimal": Decimal(2**31 - 1),
    "lowest float": Float32(-3.4028234663852886e38),
    "smallest float": Float32(1.401298464324817e-45),
    "smallest double": 5e-324,
    "highest double": 1.7976931348623157e308,
    "lowest timestamp": datetime(1970, 1, 1, tzinfo=UTC),
    "highest timestamp": Timestamp(2**64 - 1),
    "all octets": bytes(range(256)),
    "long string": "x" * 70_000,
    "n" * 255: None,
}


@pytest.mark.parametrize("name", HEADERS)
def test_header_value_arrives_with_its_type(channel: Channel, queue: str, name: str) -> None:
    headers = {name: HEADERS[name]}

    channel.publish("", queue, headers=headers)

    arrived = channel.get_message(queue).properties.headers
    assert encode_table(headers) == encode_table(arrived or {})


def test_timestamp_of_64_bits_arrives(channel: Channel, queue: str) -> None:
    channel.publish("", queue, timestamp=2**64 - 1)

    assert 2**64 - 1 == channel.get_message(queue).properties.timestamp


@pytest.mark.parametrize("size", [0, 1, 8184, 8185, 3 * 8184])
def test_body_is_delivered_in_frames_that_are_as_large_as_allowed(
    connect: Connect, channel: Channel, queue: str, size: int
) -> None:
    """However the publisher had cut it; an empty body has no frame at all."""
    channel.send(BasicPublishParameters("", queue))
    channel.peer.send_frame(HEADER, 1, encode_header(size, BasicHeaderProperties()))
    send_in_frames_of(1000, channel.peer, b"x" * size)
    channel.arrived()
    small = connect(frame_max=8192)
    small_channel = small.channel()

    small_channel.await_count(queue, 1)
    small_channel.send(BasicGetParameters(queue, no_ack=True))
    frames = [small.read_frame() for _ in range(2 + -(-size // 8184))]

    sizes = [len(frame.payload) for frame in frames[2:]]
    assert [8184] * (size // 8184) + [size % 8184] * (size % 8184 > 0) == sizes


def send_in_frames_of(octets: int, peer: Peer, body: bytes) -> None:
    """Send a body on channel 1 in frames of so many octets; the last may be shorter."""
    for position in range(0, len(body), octets):
        peer.send_frame(BODY, 1, body[position : position + octets])


def test_large_body_arrives_whole(channel: Channel, queue: str) -> None:
    body = bytes(range(256)) * 4096

    channel.publish("", queue, body)

    assert body == channel.get_message(queue).body


def test_headers_arrive_in_order(broker: Broker, channel: Channel, queue: str) -> None:
    """In that of the publisher up to 3.10, in that of their names from 4.0 on."""
    channel.publish("", queue, headers={"b": 1, "a": 2, "c": 3})

    arrived = list(channel.get_message(queue).properties.headers or {})
    assert broker.value_of({"3.10": ["b", "a", "c"], "4.0": ["a", "b", "c"]}) == arrived


# --- what is returned -------------------------------------------------------------------------


def test_mandatory_message_that_is_not_routed_is_returned(channel: Channel, unique: Unique) -> None:
    exchange = channel.declare_exchange(unique("e"))

    channel.publish(
        exchange, "key", b"body", mandatory=True, message_id="1", headers={"BCC": ["x"], "k": 1}
    )

    message = channel.returned()
    assert BasicReturnParameters(312, "NO_ROUTE", exchange, "key") == message.parameters
    assert BasicHeaderProperties(message_id="1", headers={"k": 1}) == message.properties
    assert b"body" == message.body


def test_mandatory_message_that_is_routed_is_not_returned(channel: Channel, queue: str) -> None:
    channel.publish("", queue, mandatory=True)

    assert [] == channel.arrived()


def test_other_message_that_is_not_routed_is_dropped(channel: Channel, unique: Unique) -> None:
    channel.publish("", unique("nowhere"))

    assert [] == channel.arrived()


# --- what is refused --------------------------------------------------------------------------


def test_user_id_must_be_the_login(channel: Channel) -> None:
    channel.publish("", "nowhere", user_id="other")

    assert (
        ChannelCloseParameters(
            406,
            "PRECONDITION_FAILED - user_id property set to 'other' but authenticated user was"
            " 'guest'",
            60,
            40,
        )
        == channel.refusal()
    )


def test_user_id_may_be_the_login(channel: Channel) -> None:
    channel.publish("", "nowhere", user_id="guest")

    assert [] == channel.arrived()


@pytest.mark.rabbitmq_version("<4.0")
def test_unknown_delivery_mode_is_refused_by_3_10(channel: Channel) -> None:
    channel.publish("", "nowhere", delivery_mode=3)

    assert (
        ChannelCloseParameters(
            406, "PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}", 60, 40
        )
        == channel.refusal()
    )


@pytest.mark.rabbitmq_version(">=4.0")
def test_unknown_delivery_mode_is_taken_by_4_0(channel: Channel, queue: str) -> None:
    channel.publish("", queue, b"!", delivery_mode=3)

    assert b"!" == channel.get_message(queue).body


@pytest.mark.parametrize(
    ("expiration", "reason"),
    [
        ("foo", "no_integer"),
        ("", "no_integer"),
        ("-1", "{value_negative,-1}"),
        ("10.5", '{leftover_string,".5"}'),
        ("10 s", '{leftover_string," s"}'),
        (" 10", "no_integer"),
    ],
)
def test_expiration_must_be_digits(channel: Channel, expiration: str, reason: str) -> None:
    channel.publish("", "nowhere", expiration=expiration)

    assert (
        ChannelCloseParameters(
            406, f"PRECONDITION_FAILED - invalid expiration '{expiration}': {reason}", 60, 40
        )
        == channel.refusal()
    )


def test_message_above_the_limit(broker: Broker, channel: Channel) -> None:
    """Refused when all of it has come."""
    limit = broker.value_of({"3.10": 128 * 1024 * 1024, "4.0": 16 * 1024 * 1024})

    channel.publish("", "nowhere", bytes(limit))
    channel.publish("", "nowhere", bytes(limit + 1))

    assert (
        ChannelCloseParameters(
            406,
            f"PRECONDITION_FAILED - message size {limit + 1} is larger than configured max size"
            f" {limit}",
            60,
            40,
        )
        == channel.refusal()
    )


def test_headers_that_mean_something_elsewhere_are_not_touched(
    channel: Channel, queue: str
) -> None:
    headers: dict[str, Any] = {"x-death": "not an array", "x-anything": 1}

    channel.publish("", queue, headers=headers)

    assert headers == channel.get_message(queue).properties.headers
