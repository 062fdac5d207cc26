"""Streams, as far as AMQP 0-9-1 shows them: consuming from an offset, and what they refuse.

RabbitMQ: https://www.rabbitmq.com/docs/streams
"""

from typing import Any

import pytest

from ammoo_wire import (
    BasicConsumeParameters,
    BasicGetParameters,
    BasicNackParameters,
    BasicRejectParameters,
    ChannelCloseParameters,
    ConnectionCloseParameters,
    QueueDeclareParameters,
    QueuePurgeParameters,
)
from tests.support.brokers import Broker, Unique
from tests.support.channel import Channel


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

    annotations = {"CC": [name], "x-a": [1], "x-t": {"k": [2]}} if broker.version == "4.0" else {}

    assert {
        "simple": 1,
        "x-stream-offset": 0,
        **annotations,
    } == reader.delivery().properties.headers


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


# --- what they refuse -------------------------------------------------------------------------


@pytest.mark.parametrize("no_ack", [False, True])
def test_consumer_needs_a_prefetch_limit(
    broker: Broker, channel: Channel, stream: str, no_ack: bool
) -> None:
    refused = channel.refusal(BasicConsumeParameters(stream, no_ack=no_ack))

    name = {
        "3.10": f"'queue '{stream}' in vhost '/''",
        "4.0": f"stream queue '{stream}' in vhost '/'",
    }[broker.version]
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


@pytest.mark.rabbitmq_version("3.10")
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


@pytest.mark.parametrize("offset", ["foo", True], ids=str)
def test_illegal_offset_costs_the_connection(reader: Channel, stream: str, offset: Any) -> None:
    refused = reader.fatal(BasicConsumeParameters(stream, arguments={"x-stream-offset": offset}))

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == refused


@pytest.mark.parametrize(
    "arguments",
    [
        {"x-max-length-bytes": 100_000},
        {"x-max-age": "1h"},
        {"x-stream-max-segment-size-bytes": 100_000},
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
