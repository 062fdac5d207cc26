"""Clients that mean harm, or do it: bounded memory, and only their own connection's trouble."""

import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_fakebroker.connections.connection import Connection
from ammoo_fakebroker.node.node import Node
from ammoo_wire import (
    BasicConsumeParameters,
    BasicPublishParameters,
    ChannelCloseParameters,
    ChannelOpenParameters,
    QueueBindParameters,
    QueueDeclareParameters,
    method_of,
)
from tests.support.commands import Command

from .link import Line, Transport, make_node

HEADER = b"AMQP\x00\x00\x09\x01"


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line(make_node())
    yield line
    bystander = Line(line.node)
    assert bystander.ask(QueueDeclareParameters("alive"))


@pytest.mark.parametrize("beginning", [b"", HEADER], ids=["nothing", "header"])
@given(octets=st.binary(max_size=200))
def test_any_octets_at_all_are_survived(beginning: bytes, octets: bytes) -> None:
    node = make_node()
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


def nested_tables(value: Any, depth: int) -> Any:
    """Wrap a value into tables."""
    for _ in range(depth):
        value = {"": value}
    return value


def test_table_nested_deeply_is_quoted_in_a_refusal_and_cut(line: Line) -> None:
    """RabbitMQ would print all of it, each level further to the right, and not come to an end."""
    line.declare("queue")
    value = nested_tables(["!", {"k": "!"}], 15_000 - 1)

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


def open_channels(line: Line, numbers: Iterable[int]) -> list[Command]:
    """Open channels in one go; give what came back."""
    for number in numbers:
        line.client.send(number, ChannelOpenParameters())
    return line.run()


def test_ten_thousand_channels_are_too_many(line: Line) -> None:
    received = open_channels(line, range(2, 10_001))

    assert 2046 == len(received)
    assert line.client.close_received is not None
    assert 530 == line.client.close_received.reply_code


def come_and_go(node: Node, count: int) -> None:
    """Connect clients with an exclusive queue, and lose them."""
    for _ in range(count):
        line = Line(node)
        line.ask(QueueDeclareParameters("mine", exclusive=True))
        line.connection.disconnected()


def test_many_connections_leave_nothing_behind() -> None:
    node = make_node()
    come_and_go(node, 200)

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
