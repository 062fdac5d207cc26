"""Streams, as far as AMQP 0-9-1 shows them: consuming from an offset, and what they refuse.

RabbitMQ: https://www.rabbitmq.com/docs/streams
"""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from ammoo_wire import (
    BasicCancelParameters,
    BasicConsumeParameters,
    BasicGetParameters,
    BasicHeaderProperties,
    BasicNackParameters,
    BasicRecoverAsyncParameters,
    BasicRecoverOkParameters,
    BasicRecoverParameters,
    BasicRejectParameters,
    ChannelCloseParameters,
    ConnectionCloseParameters,
    EncodedValue,
    FieldValue,
    Float32,
    Int8,
    Int16,
    Int64,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueuePurgeParameters,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
    encode_table,
)
from tests.support.brokers import Broker, Connect, Unique
from tests.support.channel import Channel
from tests.support.operator import Operator
from tests.support.streams import read_from_first, read_up_to


@pytest.fixture
def stream(channel: Channel, unique: Unique) -> str:
    """The name of a stream that holds b"0", b"1" and b"2", written one by one."""
    name = channel.declare_queue(unique("stream"), durable=True, x_queue_type="stream")
    channel.fill(name, b"0")
    channel.fill(name, b"1")
    channel.fill(name, b"2")
    return name


@pytest.fixture
def reader(channel: Channel) -> Channel:
    """A channel whose consumers have the prefetch limit that streams ask for."""
    channel.qos(10)
    return channel


# --- consuming --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("first", [b"0", b"1", b"2"]),
        ("last", [b"2"]),
        (0, [b"0", b"1", b"2"]),
        (1, [b"1", b"2"]),
        ("1h", [b"0", b"1", b"2"]),
    ],
)
def test_reading_from_an_offset(
    reader: Channel, stream: str, offset: Any, expected: list[bytes]
) -> None:
    reader.consume(stream, x_stream_offset=offset)

    assert expected == reader.deliveries(len(expected))


@pytest.mark.parametrize("arguments", [{}, {"x_stream_offset": "next"}], ids=["none", "next"])
def test_reading_what_is_to_come(reader: Channel, stream: str, arguments: dict[str, Any]) -> None:
    reader.consume(stream, **arguments)

    reader.fill(stream, b"new")

    assert [b"new"] == reader.deliveries(1)


def test_messages_tell_their_offsets(reader: Channel, stream: str) -> None:
    reader.consume(stream, x_stream_offset=1)

    headers = [reader.delivery().properties.headers for _ in range(2)]

    assert [{"x-stream-offset": 1}, {"x-stream-offset": 2}] == headers


def test_arrays_and_tables_in_headers_are_lost(
    broker: Broker, reader: Channel, unique: Unique
) -> None:
    """Streams store AMQP 1.0, whose application properties hold only simple values."""
    name = reader.declare_queue(unique("stream"), durable=True, x_queue_type="stream")
    headers = {"CC": [name], "a": [1], "simple": 1, "t": {}, "x-a": [1], "x-t": {"k": [2]}}
    reader.fill(name, b"", headers=headers)
    reader.consume(name, x_stream_offset="first")

    annotations = {"CC": [name], "x-a": [1], "x-t": {"k": [2]}} if broker.is_among(">=4.0") else {}

    assert {
        "simple": 1,
        "x-stream-offset": 0,
        **annotations,
    } == reader.delivery().properties.headers


# --- what AMQP 1.0, which streams store, leaves of a message ------------------------------------

UNCHANGED: list[FieldValue] = [
    "text",
    "",
    "a\0b",
    True,
    False,
    None,
    1.5,
    Float32(1.5),
    Int8(-1),
    Int16(-2),
    -3,
    Int64(1 << 40),
    UInt8(200),
    UInt16(40_000),
    UInt32(1 << 31),
    datetime(2023, 11, 14, tzinfo=UTC),
    Timestamp((1 << 63) // 1000),
]
LONG_AGO = Timestamp((1 << 64) - (1 << 63) // 1000)


class Stored(NamedTuple):
    """A stream and its one reader, to be asked what comes of a message."""

    reader: Channel
    stream: str

    def of(self, **properties: Any) -> BasicHeaderProperties:
        """Publish a message, and return the properties that it is delivered with."""
        self.reader.publish("", self.stream, **properties)
        return self.reader.delivery().properties

    def header(self, name: str, value: Any) -> bytes:
        """Publish a message with a header; return the encoded header that it is delivered with."""
        headers = dict(self.of(headers={name: value}).headers or {})
        del headers["x-stream-offset"]
        return encode_table(headers)


@pytest.fixture
def stored(reader: Channel, unique: Unique) -> Stored:
    name = reader.declare_queue(unique("stream"), durable=True, x_queue_type="stream")
    reader.consume(name, x_stream_offset="first")
    return Stored(reader, name)


@pytest.mark.parametrize("name", ["h", "x-h"])
@pytest.mark.parametrize("value", UNCHANGED, ids=repr)
def test_simple_headers_keep_their_types(stored: Stored, name: str, value: Any) -> None:
    assert encode_table({name: value}) == stored.header(name, value)


@pytest.mark.parametrize("name", ["h", "x-h"])
@pytest.mark.parametrize("octets", [b"b", b"\xff"])
def test_byte_arrays_become_strings(
    broker: Broker, stored: Stored, name: str, octets: bytes
) -> None:
    as_string = EncodedValue(b"S\0\0\0\x01" + octets)

    expected: bytes = broker.value_of({"3.10": octets, "4.0": as_string})

    assert encode_table({name: expected}) == stored.header(name, octets)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1 << 62, datetime(1970, 1, 1, tzinfo=UTC)), (9223372036854776, LONG_AGO)],
)
def test_timestamps_that_are_too_many_milliseconds_wrap(
    stored: Stored, seconds: int, expected: Any
) -> None:
    header = stored.header("h", Timestamp(seconds))
    properties = stored.of(timestamp=Timestamp(seconds))

    assert encode_table({"h": expected}) == header
    assert expected == properties.timestamp


@pytest.mark.rabbitmq_version(">=4.0")
def test_values_in_annotations_are_converted_at_any_depth(stored: Stored) -> None:
    value = [b"b", {"k": b"b", "t": Timestamp(1 << 62)}, *UNCHANGED]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)

    header = stored.header("x-h", value)

    assert encode_table({"x-h": ["b", {"k": "b", "t": epoch}, *UNCHANGED]}) == header


@pytest.mark.parametrize("name", ["h", "x-h"])
def test_decimal_header_costs_the_connection(channel: Channel, stream: str, name: str) -> None:
    channel.publish("", stream, headers={name: Decimal("1.5")})

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == channel.fatal()


@pytest.mark.rabbitmq_version(">=4.0")
@pytest.mark.parametrize("value", [[Decimal(1)], {"k": Decimal(1)}], ids=str)
def test_decimal_in_an_annotation_costs_the_connection(
    channel: Channel, stream: str, value: Any
) -> None:
    channel.publish("", stream, headers={"x-h": value})

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == channel.fatal()


def test_decimal_in_an_array_that_is_lost_is_no_error(stored: Stored) -> None:
    assert encode_table({}) == stored.header("h", [Decimal(1)])


@pytest.mark.parametrize(
    "name", ["x-death", "x-exchange", "x-routing-key", "x-opt-deaths", "x-basic-other"]
)
def test_headers_of_the_conversion_are_lost(broker: Broker, stored: Stored, name: str) -> None:
    expected = broker.value_of({"3.10": {name: "x"}, "4.0": {}})

    assert encode_table(expected) == stored.header(name, "x")


def test_header_x_basic_type_becomes_the_type(broker: Broker, stored: Stored) -> None:
    alone = stored.of(headers={"x-basic-type": "t"})
    beside_another = stored.of(headers={"x-basic-type": "t"}, type_="own")

    left = broker.value_of({"3.10": {"x-basic-type": "t"}, "4.0": {}})
    assert ("t", {"x-stream-offset": 0}) == (alone.type_, alone.headers)
    assert ("own", {**left, "x-stream-offset": 1}) == (beside_another.type_, beside_another.headers)


PROPERTIES: list[dict[str, Any]] = [
    {"content_type": "text/plain"},
    {"content_type": ""},
    {"content_encoding": "gzip"},
    {"delivery_mode": 1},
    {"delivery_mode": 2},
    {"priority": 200},
    {"correlation_id": "c"},
    {"correlation_id": "urn:uuid:f47ac10b-58cc-4372-a567-0e02b2c3d479"},
    {"reply_to": "reply to/ü"},
    {"expiration": "60000"},
    {"message_id": "URN:UUID:F47AC10B-58CC-4372-A567-0E02B2C3D479"},
    {"timestamp": datetime(2023, 11, 14, tzinfo=UTC)},
    {"type_": "t"},
    {"type_": ""},
    {"user_id": "guest"},
    {"app_id": "ä"},
]


@pytest.mark.parametrize("properties", PROPERTIES, ids=str)
def test_properties_are_kept(broker: Broker, stored: Stored, properties: dict[str, Any]) -> None:
    delivery_mode = broker.value_of({"3.10": None, "4.0": 1})
    published = {"headers": {"x-stream-offset": 0}, "delivery_mode": delivery_mode} | properties

    assert BasicHeaderProperties(**published) == stored.of(**properties)


def test_cluster_id_is_lost(stored: Stored) -> None:
    assert None is stored.of(cluster_id="c").cluster_id


def test_expiration_has_32_bits(broker: Broker, stored: Stored) -> None:
    expected = broker.value_of({"3.10": "5000000000", "4.0": "705032704"})

    assert expected == stored.of(expiration="5000000000").expiration


def test_dead_letters_of_3_10_do_not_arrive(broker: Broker, reader: Channel, stream: str) -> None:
    dying = reader.declare_queue(
        stream + "-dying", x_dead_letter_exchange="", x_dead_letter_routing_key=stream
    )
    reader.fill(dying, b"dead")
    reader.reject(reader.get_message(dying, no_ack=False).parameters.delivery_tag, requeue=False)
    reader.consume(stream, x_stream_offset=3)
    reader.delete_queue(dying)
    arrived = broker.value_of({"3.10": [], "4.0": [b"dead"]})
    deliveries = reader.deliveries(len(arrived))

    reader.fill(stream, b"end")

    assert [*arrived, b"end"] == [*deliveries, *reader.deliveries(1)]


@pytest.mark.rabbitmq_version(">=4.0")
def test_deaths_are_kept_in_a_stream(reader: Channel, stream: str) -> None:
    dying = reader.declare_queue(
        stream + "-dying", x_dead_letter_exchange="", x_dead_letter_routing_key=stream
    )
    reader.fill(dying, b"dead", headers={"x-death": "made up"})
    reader.reject(reader.get_message(dying, no_ack=False).parameters.delivery_tag, requeue=False)
    reader.consume(stream, x_stream_offset=3)

    headers = reader.delivery().properties.headers or {}

    reader.delete_queue(dying)
    assert [(dying, "rejected")] == [(d["queue"], d["reason"]) for d in headers["x-death"]]


def test_reading_takes_nothing_away(reader: Channel, stream: str) -> None:
    reader.consume(stream, "first", x_stream_offset="first")
    reader.deliveries(3)
    reader.ack(3, multiple=True)
    reader.cancel("first")

    reader.consume(stream, "second", x_stream_offset="first")

    assert [b"0", b"1", b"2"] == reader.deliveries(3)


def test_prefetch_is_kept(channel: Channel, stream: str) -> None:
    channel.qos(1)
    channel.consume(stream, x_stream_offset="first")

    first = channel.delivery()
    channel.ack(first.parameters.delivery_tag)

    assert (b"0", b"1") == (first.body, channel.delivery().body)


# --- filters ----------------------------------------------------------------------------------

TAGGED = [("a", b"a"), ("b", b"b"), ("", b"empty"), (None, b"none"), ("a", b"again")]
"""Filter values and bodies; RabbitMQ delivers whole chunks, which these are if sent one by one."""


@pytest.fixture
def tagged(channel: Channel, unique: Unique) -> str:
    """The name of a stream that holds `TAGGED`."""
    name = channel.declare_queue(unique("stream"), durable=True, x_queue_type="stream")
    for value, body in TAGGED:
        channel.fill(name, body, headers={} if value is None else {"x-stream-filter-value": value})
    return name


UNFILTERED = {"x-stream-match-unfiltered": True}
EVERYTHING = [body for _, body in TAGGED]


@pytest.mark.rabbitmq_version(">=4.0")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"x-stream-filter": "a"}, [b"a", b"again"]),
        ({"x-stream-filter": ["a"]}, [b"a", b"again"]),
        ({"x-stream-filter": ["b", 1, "a"]}, [b"a", b"b", b"again"]),
        ({"x-stream-filter": "b"} | UNFILTERED, [b"b", b"empty", b"none"]),
        ({"x-stream-filter": "b", "x-stream-match-unfiltered": 1}, [b"b"]),
        ({"x-stream-filter": ""}, [b"empty", b"none"]),
        ({"x-stream-filter": ["b", ""]}, [b"b", b"empty", b"none"]),
        ({"x-stream-filter": ["", "b"]}, [b"b"]),
        (UNFILTERED, EVERYTHING),
        ({"x-stream-filter": 1}, EVERYTHING),
        ({"x-stream-filter": True}, EVERYTHING),
        ({"x-stream-filter": {"a": "b"}}, EVERYTHING),
    ],
    ids=str,
)
def test_reading_through_a_filter(
    reader: Channel, tagged: str, arguments: dict[str, Any], expected: list[bytes]
) -> None:
    reader.call(BasicConsumeParameters(tagged, arguments={"x-stream-offset": "first"} | arguments))

    reader.fill(tagged, b"end", headers={"x-stream-filter-value": "a"})
    reader.fill(tagged, b"end", headers={"x-stream-filter-value": "b"})
    reader.fill(tagged, b"end")

    assert [*expected, b"end"] == reader.deliveries(len(expected) + 1)


@pytest.mark.rabbitmq_version("<4.0")
@pytest.mark.parametrize("wanted", ["a", [], [1]], ids=str)
def test_filters_are_ignored_by_3_10(reader: Channel, tagged: str, wanted: Any) -> None:
    reader.consume(tagged, x_stream_offset="first", x_stream_filter=wanted)

    assert EVERYTHING == reader.deliveries(len(EVERYTHING))


@pytest.mark.rabbitmq_version(">=4.0")
@pytest.mark.parametrize("wanted", [[], [1]], ids=str)
def test_filter_without_a_string_costs_the_connection(
    reader: Channel, stream: str, wanted: Any
) -> None:
    refused = reader.fatal(BasicConsumeParameters(stream, arguments={"x-stream-filter": wanted}))

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == refused


@pytest.mark.rabbitmq_version(">=4.0")
@pytest.mark.parametrize("value", [1, True, None, b"a", ["a"], {"a": "b"}], ids=str)
def test_filter_value_that_is_no_string_costs_the_connection(
    channel: Channel, stream: str, value: Any
) -> None:
    channel.publish("", stream, headers={"x-stream-filter-value": value})

    refused = channel.fatal()

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == refused


def test_filter_value_may_be_anything_on_the_way_to_other_queues(
    channel: Channel, queue: str
) -> None:
    channel.fill(queue, b"!", headers={"x-stream-filter-value": 1})

    assert {"x-stream-filter-value": 1} == channel.get_message(queue).properties.headers


# --- retention --------------------------------------------------------------------------------

KILOBYTE = 1000


def publish_one_by_one(channel: Channel, queue_name: str, numbers: range) -> None:
    """Publish numbers, a kilobyte each, by one publisher, each as soon as RabbitMQ has the last."""
    for number in numbers:
        channel.confirmed_publish("", queue_name, str(number).rjust(KILOBYTE).encode())


def read_when_dropped(
    connect: Connect, publisher: Channel, queue_name: str, last: int, dropped: int
) -> dict[int, int]:
    """Read all up to a last number, once another one, which RabbitMQ drops by itself, is gone."""
    while dropped in (offsets := read_from_first(connect, queue_name, last)):
        publisher.peer.pause(f"until {dropped} is gone from stream {queue_name!r}")
    return offsets


def publish_until_dropped(
    connect: Connect, publisher: Channel, queue_name: str, dropped: int
) -> int:
    """Publish numbers until one that RabbitMQ will drop is gone; give the first that is left."""
    for number in itertools.count():
        publish_one_by_one(publisher, queue_name, range(number, number + 1))
        left = read_from_first(connect, queue_name, number)
        if dropped not in left:
            return min(left)
        publisher.peer.pause(f"until {dropped} is gone from stream {queue_name!r}")
    raise AssertionError


def test_segments_that_are_too_many_are_dropped(
    connect: Connect, reader: Channel, unique: Unique
) -> None:
    """Nine messages make a segment; each but the first begins with something unseen.

    What is published in the end has room: a busy RabbitMQ looks at the length a little later.
    """
    name = reader.declare_queue(
        unique("stream"),
        durable=True,
        x_queue_type="stream",
        x_stream_max_segment_size_bytes=10 * KILOBYTE,
        x_max_length_bytes=25 * KILOBYTE,
    )
    reader.select_confirm()
    publish_one_by_one(reader, name, range(56))

    offsets = read_when_dropped(connect, reader, name, 55, 35)

    assert {number: number + number // 9 for number in range(36, 56)} == offsets


def declare_forgetful_stream(channel: Channel, unique: Unique) -> str:
    """Declare a stream that keeps little more than its last message."""
    return channel.declare_queue(
        unique("stream"),
        durable=True,
        x_queue_type="stream",
        x_stream_max_segment_size_bytes=KILOBYTE,
        x_max_length_bytes=2 * KILOBYTE,
    )


def test_reading_from_what_was_dropped(connect: Connect, reader: Channel, unique: Unique) -> None:
    name = declare_forgetful_stream(reader, unique)
    reader.select_confirm()
    publish_one_by_one(reader, name, range(10))
    read_when_dropped(connect, reader, name, 9, 8)

    assert {9: 18} == read_up_to(reader, name, 9, x_stream_offset=3)
    assert {9: 18} == read_up_to(reader, name, 9, x_stream_offset="1h")
    assert {9: 18} == read_up_to(reader, name, 9, x_stream_offset="last")


def test_consumer_goes_on_behind_what_was_dropped(
    connect: Connect, channel: Channel, unique: Unique
) -> None:
    name = declare_forgetful_stream(channel, unique)
    channel.select_confirm()
    publish_one_by_one(channel, name, range(1))
    channel.qos(1)
    channel.consume(name, x_stream_offset="first")
    first = channel.delivery()
    publish_one_by_one(channel, name, range(1, 10))
    read_when_dropped(connect, channel, name, 9, 8)

    channel.ack(first.parameters.delivery_tag)

    assert (0, 9) == (int(first.body), int(channel.delivery().body))


def test_last_segment_is_kept_however_large(reader: Channel, unique: Unique) -> None:
    name = reader.declare_queue(
        unique("stream"), durable=True, x_queue_type="stream", x_max_length_bytes=0
    )
    reader.select_confirm()
    publish_one_by_one(reader, name, range(3))

    assert {0: 0, 1: 1, 2: 2} == read_up_to(reader, name, 2, x_stream_offset="first")


def test_segments_that_are_too_old_are_dropped_when_one_begins(
    connect: Connect, reader: Channel, unique: Unique
) -> None:
    name = reader.declare_queue(
        unique("stream"),
        durable=True,
        x_queue_type="stream",
        x_stream_max_segment_size_bytes=KILOBYTE,
        x_max_age="1s",
    )
    reader.select_confirm()

    first = publish_until_dropped(connect, reader, name, 0)

    assert 0 < first


@pytest.mark.rabbitmq_version(">=4.0")
def test_segments_that_are_too_old_are_looked_for_now_and_then(
    connect: Connect, reader: Channel, unique: Unique, operator: Operator
) -> None:
    """Once an hour by itself; 3.10 looks only when a segment begins."""
    name = reader.declare_queue(
        unique("stream"),
        durable=True,
        x_queue_type="stream",
        x_stream_max_segment_size_bytes=KILOBYTE,
        x_max_age="1s",
    )
    reader.select_confirm()

    with operator.frequent_retention():
        publish_one_by_one(reader, name, range(1))
        reader.confirmed_publish("", name, b"1")
        offsets = read_when_dropped(connect, reader, name, 1, 0)

    assert {1: 2} == offsets


# --- what they refuse -------------------------------------------------------------------------


@pytest.mark.parametrize("no_ack", [False, True])
def test_consumer_needs_a_prefetch_limit(
    broker: Broker, channel: Channel, stream: str, no_ack: bool
) -> None:
    refused = channel.refusal(BasicConsumeParameters(stream, no_ack=no_ack))

    name = broker.value_of(
        {
            "3.10": f"'queue '{stream}' in vhost '/''",
            "4.0": f"stream queue '{stream}' in vhost '/'",
        }
    )
    assert (
        ChannelCloseParameters(
            406, f"PRECONDITION_FAILED - consumer prefetch count is not set for {name}", 60, 20
        )
        == refused
    )


@pytest.mark.parametrize(
    ("parameters", "method", "ids"),
    [
        (BasicGetParameters(), "basic.get", (60, 70)),
        (QueuePurgeParameters(), "queue.purge", (50, 30)),
    ],
    ids=["get", "purge"],
)
def test_methods_that_are_not_for_streams(
    channel: Channel, stream: str, parameters: Any, method: str, ids: tuple[int, int]
) -> None:
    refused = channel.fatal(parameters._replace(queue_name=stream))

    assert (
        ConnectionCloseParameters(
            540,
            f"NOT_IMPLEMENTED - {method} not supported by stream queues"
            f" queue '{stream}' in vhost '/'",
            *ids,
        )
        == refused
    )


@pytest.mark.rabbitmq_version("<4.0")
@pytest.mark.parametrize(
    ("parameters", "method_id"),
    [(BasicNackParameters(1, requeue=False), 120), (BasicRejectParameters(1, requeue=True), 90)],
    ids=["nack", "reject"],
)
def test_rejecting_costs_the_connection_on_3_10(
    reader: Channel, stream: str, parameters: Any, method_id: int
) -> None:
    reader.consume(stream, x_stream_offset="first")
    reader.delivery()

    refused = reader.fatal(parameters)

    assert (
        ConnectionCloseParameters(
            540,
            "NOT_IMPLEMENTED - basic.nack and basic.reject not supported by stream queues"
            f" queue '{stream}' in vhost '/'",
            60,
            method_id,
        )
        == refused
    )


@pytest.mark.rabbitmq_version("<4.0")
@pytest.mark.parametrize("recover", [BasicRecoverParameters, BasicRecoverAsyncParameters])
def test_recovering_costs_the_connection_on_3_10(
    reader: Channel, stream: str, recover: Callable[[bool], Any]
) -> None:
    reader.consume(stream, x_stream_offset="first")
    reader.delivery()

    refused = reader.fatal(recover(True))

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == refused


@pytest.mark.parametrize(
    "parameters",
    [BasicNackParameters(1), BasicRejectParameters(1, requeue=False), BasicRecoverParameters(True)],
    ids=["nack", "reject", "recover"],
)
def test_nothing_is_given_back_to_a_deleted_stream(
    channel: Channel, reader: Channel, stream: str, parameters: Any
) -> None:
    reader.consume(stream, x_stream_offset="first")
    reader.deliveries(3)
    channel.delete_queue(stream)
    reader.expect(BasicCancelParameters)

    reader.send(parameters)

    assert [type(arrived) for arrived in reader.arrived()] in ([], [BasicRecoverOkParameters])


@pytest.mark.rabbitmq_version(">=4.0")
def test_recovering_is_an_acknowledgement_on_4_0(reader: Channel, stream: str) -> None:
    reader.qos(1)
    reader.consume(stream, x_stream_offset="first")
    assert b"0" == reader.delivery().body

    reader.call(BasicRecoverParameters(True))

    assert b"1" == reader.delivery().body


@pytest.mark.parametrize("offset", [1.5, True, None], ids=str)
def test_offset_of_no_known_type_matters_last(channel: Channel, stream: str, offset: Any) -> None:
    """It costs the connection as well, but only a consumer that might be otherwise."""
    consume = BasicConsumeParameters(stream, arguments={"x-stream-offset": offset})

    assert "consumer prefetch count is not set" in channel.refusal(consume).reply_text


@pytest.mark.parametrize("offset", ["1x", "12", "0D"])
def test_offset_that_begins_like_an_age_is_refused(
    reader: Channel, stream: str, offset: str
) -> None:
    refused = reader.refusal(BasicConsumeParameters(stream, arguments={"x-stream-offset": offset}))

    assert illegal_offset(stream, f'<<"{offset}">>') == refused


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize(("offset", "shown"), [("foo", '<<"foo">>'), ("", "<<>>")])
def test_offset_that_is_no_offset_is_refused_from_4_3_on(
    reader: Channel, stream: str, offset: str, shown: str
) -> None:
    refused = reader.refusal(BasicConsumeParameters(stream, arguments={"x-stream-offset": offset}))

    assert illegal_offset(stream, shown) == refused


def illegal_offset(stream: str, shown: str) -> ChannelCloseParameters:
    return ChannelCloseParameters(
        406,
        f"PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue '{stream}' in vhost '/':"
        f" {{invalid_stream_offset_arg,{{longstr,{shown}}}}}",
        60,
        20,
    )


@pytest.mark.rabbitmq_version("<4.3")
@pytest.mark.parametrize("offset", ["foo", ""])
def test_offset_that_is_no_offset_costs_the_connection_before_4_3(
    reader: Channel, stream: str, offset: str
) -> None:
    refused = reader.fatal(BasicConsumeParameters(stream, arguments={"x-stream-offset": offset}))

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == refused


@pytest.mark.parametrize("offset", [True, 1.5, None, {}], ids=str)
def test_offset_of_a_type_that_no_offset_has_costs_the_connection(
    reader: Channel, stream: str, offset: Any
) -> None:
    refused = reader.fatal(BasicConsumeParameters(stream, arguments={"x-stream-offset": offset}))

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == refused


@pytest.mark.parametrize(
    "arguments",
    [
        {"x-max-length-bytes": 100_000},
        {"x-max-age": "1h"},
        {"x-stream-max-segment-size-bytes": 100_000},
        {"x-stream-max-segment-size-bytes": 3_000_000_000},
        {"x-stream-max-segment-size-bytes": 0},
        {"x-max-length-bytes": 0},
        {"x-initial-cluster-size": 1},
    ],
    ids=str,
)
def test_legal_argument(channel: Channel, unique: Unique, arguments: dict[str, Any]) -> None:
    name = unique("stream")

    declared = channel.call(
        QueueDeclareParameters(name, durable=True, arguments={"x-queue-type": "stream"} | arguments)
    )

    assert name == declared.queue_name


OF_TYPE = " of queue type rabbit_stream_queue"


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        ({"x-max-length": 5}, OF_TYPE),
        ({"x-message-ttl": 5}, OF_TYPE),
        ({"x-expires": 1000}, OF_TYPE),
        ({"x-dead-letter-exchange": "dlx"}, OF_TYPE),
        ({"x-single-active-consumer": True}, OF_TYPE),
        ({"x-overflow": "drop-head"}, OF_TYPE),
        ({"x-max-priority": 3}, OF_TYPE),
        ({"x-max-age": "1x"}, ": invalid_max_age"),
        ({"x-max-age": "0s"}, ": invalid_max_age"),
        ({"x-max-age": 5}, ": {unacceptable_type,signedint}"),
        ({"x-max-length-bytes": -1}, ": {value_negative,-1}"),
        ({"x-stream-max-segment-size-bytes": -1}, ": {value_negative,-1}"),
        ({"x-queue-leader-locator": "foo"}, ": invalid_queue_locator_arg"),
    ],
    ids=str,
)
def test_illegal_argument(
    channel: Channel, unique: Unique, arguments: dict[str, Any], detail: str
) -> None:
    name = unique("stream")
    (argument,) = arguments

    refused = channel.refusal(
        QueueDeclareParameters(name, durable=True, arguments={"x-queue-type": "stream"} | arguments)
    )

    assert (
        ChannelCloseParameters(
            406,
            f"PRECONDITION_FAILED - invalid arg '{argument}' for queue '{name}' in vhost '/'"
            f"{detail}",
            50,
            10,
        )
        == refused
    )


def test_segments_may_not_be_too_large(channel: Channel, unique: Unique) -> None:
    refused = channel.refusal(
        QueueDeclareParameters(
            unique("stream"),
            durable=True,
            arguments={
                "x-queue-type": "stream",
                "x-stream-max-segment-size-bytes": 3_000_000_001,
                "x-stream-filter-size-bytes": 15,
            },
        )
    )

    assert (
        ChannelCloseParameters(
            406,
            "PRECONDITION_FAILED - Exceeded max value for x-stream-max-segment-size-bytes",
            50,
            10,
        )
        == refused
    )


@pytest.mark.parametrize("size", [15, 256, "16"])
def test_filters_may_not_be_of_any_size(
    broker: Broker, channel: Channel, unique: Unique, size: Any
) -> None:
    channel.send(
        QueueDeclareParameters(
            unique("stream"),
            durable=True,
            arguments={"x-queue-type": "stream", "x-stream-filter-size-bytes": size},
        )
    )

    answer = type(channel.receive())

    expected = {"3.10": QueueDeclareOkParameters, "4.0": ChannelCloseParameters}
    assert broker.value_of(expected) == answer


@pytest.mark.parametrize(
    ("flags", "quality"),
    [
        ({"durable": False}, "non-durable"),
        ({"durable": True, "exclusive": True}, "exclusive-owner"),
        ({"durable": True, "auto_delete": True}, "auto-delete"),
    ],
    ids=str,
)
def test_illegal_flags(
    channel: Channel, unique: Unique, flags: dict[str, Any], quality: str
) -> None:
    name = unique("stream")

    refused = channel.refusal(
        QueueDeclareParameters(name, arguments={"x-queue-type": "stream"})._replace(**flags)
    )

    assert (
        ChannelCloseParameters(
            406,
            f"PRECONDITION_FAILED - invalid property '{quality}' for queue '{name}' in vhost '/'",
            50,
            10,
        )
        == refused
    )


def test_name_is_needed(channel: Channel) -> None:
    refused = channel.refusal(
        QueueDeclareParameters("", durable=True, arguments={"x-queue-type": "stream"})
    )

    assert (
        ChannelCloseParameters(
            406,
            "PRECONDITION_FAILED - Cannot declare a server-named queue for type"
            " rabbit_stream_queue",
            50,
            10,
        )
        == refused
    )
