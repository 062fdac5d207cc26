"""Clients that mean harm, or do it: bounded memory, and only their own connection's trouble."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_fakebroker.connections.connection import Connection
from ammoo_wire import (
    BasicConsumeParameters,
    BasicPublishParameters,
    ChannelCloseParameters,
    ChannelOpenParameters,
    QueueBindParameters,
    QueueDeclareParameters,
    method_of,
)

from .link import Line, Transport, make_node

HEADER = b"AMQP\x00\x00\x09\x01"


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line(make_node())
    yield line
    bystander = Line(line.node)
    assert bystander.ask(QueueDeclareParameters("alive"))


@given(st.binary(max_size=200))
def test_any_octets_at_all_are_survived(octets: bytes) -> None:
    node = make_node()
    for beginning in (b"", HEADER):
        connection = Connection(node, Transport())
        connection.receive_data(beginning + octets)
        connection.data_to_send()
        connection.disconnected()

    assert not node.connections


@given(st.binary(max_size=200))
def test_any_octets_in_an_open_connection_are_survived(octets: bytes) -> None:
    line = Line(make_node())
    line.declare("queue")

    line.connection.receive_data(octets)
    line.connection.data_to_send()
    line.connection.disconnected()

    assert not line.node.connections


def test_announced_gigabytes_cost_nothing(line: Line) -> None:
    tracemalloc.start()

    line.connection.receive_data(b"\x01\x00\x01\x7f\xff\xff\xff" + bytes(1000))

    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    line.run()
    assert line.client.close_received is not None
    assert "frame_too_large" in line.client.close_received.reply_text


def test_body_that_is_too_large_is_refused_before_it_comes(line: Line) -> None:
    line.client.send_content(
        1, method_of(BasicPublishParameters).encode("", "q", False, False), b"\x00\x00", b""
    )
    octets = bytes(line.client.data_to_send())
    size = (1 << 29).to_bytes(8, "big")
    line.connection.receive_data(octets.replace(bytes(8) + b"\x00\x00\xce", size + b"\x00\x00\xce"))
    (close,) = [command.parameters for command in line.run()]

    assert isinstance(close, ChannelCloseParameters)
    assert (
        "PRECONDITION_FAILED - message size 536870912 is larger than configured max size"
        in close.reply_text
    )


def test_table_nested_deeply_is_quoted_in_a_refusal_and_cut(line: Line) -> None:
    """RabbitMQ would print all of it, each level further to the right, and not come to an end."""
    line.declare("queue")
    value: Any = "!"
    for _ in range(15_000):
        value = [value, {"k": value}] if value == "!" else {"": value}

    (close,) = line.ask(
        QueueBindParameters("queue", "amq.headers", "", arguments={"x-match": value})
    )

    assert isinstance(close, ChannelCloseParameters)
    assert close.reply_text.startswith(
        "PRECONDITION_FAILED - Invalid x-match field type table (value [{<<>>,table,[{<<>>,table,"
    )
    assert 255 == len(close.reply_text)


def test_unreadable_client_is_hung_up_on_after_a_while(line: Line) -> None:
    line.connection.receive_data(b"\x08\x00\x00\x00\x00\x00\x00\x00")
    line.connection.data_to_send()
    assert not line.transport.is_aborted

    line.node.clock.advance(4)  # type: ignore[attr-defined]  # the node of a Line has a ManualClock

    assert line.transport.is_aborted


def test_ten_thousand_channels_are_too_many(line: Line) -> None:
    for number in range(2, 10_001):
        line.client.send(number, ChannelOpenParameters())
    received = line.run()

    assert 2046 == len(received)
    assert line.client.close_received is not None
    assert 530 == line.client.close_received.reply_code


def test_many_connections_leave_nothing_behind() -> None:
    node = make_node()
    for _ in range(200):
        line = Line(node)
        line.ask(QueueDeclareParameters("mine", exclusive=True))
        line.connection.disconnected()

    assert not node.connections
    assert not node.virtualhosts["/"].queues


def test_headers_too_large_for_a_consumers_frames_cost_the_consumer_only(line: Line) -> None:
    line.declare("queue")
    narrow = Line(line.node, frame_max=8192)
    narrow.ask(BasicConsumeParameters("queue", "tag", no_ack=True))

    assert [] == line.publish("queue", headers={"large": "x" * 10_000})
    line.node.clock.advance(1)  # type: ignore[attr-defined]  # the node of a Line has a ManualClock
    narrow.run()

    assert narrow.client.close_received is not None
    assert 541 == narrow.client.close_received.reply_code
    assert line.ask(QueueDeclareParameters("queue"))
