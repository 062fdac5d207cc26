"""Clients that do not read what they are sent, and errors that clients do not wait for."""

from typing import Any

import pytest

from ammoo_fakebroker.clocks.clock import ManualClock
from ammoo_wire import (
    BasicAckParameters,
    BasicGetParameters,
    ChannelCloseParameters,
    ChannelOpenParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
)

from .link import Line, make_node

MIB = 1 << 20


@pytest.fixture
def line() -> Line:
    """A client whose queue holds a hundred messages of 1 MiB."""
    line = Line(make_node())
    line.declare("queue")
    line.fill("queue", *[bytes(MIB)] * 100)
    return line


def flush(line: Line) -> int:
    """Have the transport take what is queued; it writes nothing. Return how much it holds."""
    line.transport.unwritten += len(line.connection.data_to_send())
    line.connection.written()
    return line.transport.unwritten


def message_count(line: Line) -> int:
    """Return how many messages another client sees in the queue."""
    (declare_ok,) = Line(line.node).ask(QueueDeclareParameters("queue", passive=True))
    assert isinstance(declare_ok, QueueDeclareOkParameters)
    return declare_ok.message_count


# --- answers that are not read ---


def send_in_reads_of_their_own(line: Line, reads: list[tuple[Any, ...]]) -> None:
    """Let the broker read several times; the transport takes what it answers to each."""
    for methods in reads:
        line.send(*methods)
        line.connection.receive_data(line.client.data_to_send())
        flush(line)


def test_answers_to_a_client_that_does_not_read_are_bounded(line: Line) -> None:
    """In one read or in a hundred, with what the socket's own buffer holds."""
    line.connection.pause_writing()
    get = BasicGetParameters("queue", no_ack=True)

    send_in_reads_of_their_own(line, [(get, get, get, get)] * 25)

    assert line.transport.unwritten < 6 * MIB
    assert not line.transport.is_reading
    assert message_count(line) > 90


def test_commands_of_a_client_that_reads_again_are_executed_in_their_order(line: Line) -> None:
    line.connection.pause_writing()
    line.send(*[BasicGetParameters("queue", no_ack=True)] * 10, QueueDeclareParameters("last"))
    line.connection.receive_data(line.client.data_to_send())
    first = line.connection.data_to_send()

    line.connection.resume_writing()
    rest = line.run()

    assert 4 * MIB < len(first) < 6 * MIB
    assert "last" == [command.parameters for command in rest][-1][0]
    assert line.transport.is_reading
    assert 90 == message_count(line)


def test_client_that_does_not_read_is_dropped_in_time(line: Line) -> None:
    assert isinstance(line.node.clock, ManualClock)
    line.connection.pause_writing()

    line.node.clock.advance(29)
    assert not line.transport.is_aborted
    line.node.clock.advance(1)

    assert line.transport.is_aborted


def test_client_that_reads_now_and_then_stays(line: Line) -> None:
    assert isinstance(line.node.clock, ManualClock)
    line.connection.pause_writing()
    line.node.clock.advance(29)

    line.connection.resume_writing()
    line.connection.pause_writing()
    line.node.clock.advance(29)

    assert not line.transport.is_aborted


def test_client_that_does_not_read_the_close_is_dropped_in_time(line: Line) -> None:
    assert isinstance(line.node.clock, ManualClock)
    line.connection.pause_writing()
    line.client.close()
    line.connection.receive_data(line.client.data_to_send())

    line.node.clock.advance(30)

    assert line.transport.is_aborted


# --- errors that are not waited for ---


def test_error_of_a_publish_waits_for_what_is_sent_right_behind_it(line: Line) -> None:
    line.send_publish("queue", expiration="soon")
    line.transport.wakes.clear()

    line.connection.receive_data(line.client.data_to_send())

    assert ["later"] == line.transport.wakes
    assert isinstance(line.run()[0].parameters, ChannelCloseParameters)


def test_error_of_an_ack_waits_as_well(line: Line) -> None:
    line.send(BasicAckParameters(7))
    line.transport.wakes.clear()

    line.connection.receive_data(line.client.data_to_send())

    assert ["later"] == line.transport.wakes


def test_error_of_a_publish_that_costs_the_connection_waits_as_well(line: Line) -> None:
    line.client.send_method(1, bytes((0, 60, 0, 40, 0, 0, 0, 1, ord("q"), 2)))
    line.client.send_written(b"\x02\0\1\0\0\0\x0e\0\x3c\0\0\0\0\0\0\0\0\0\0\0\0\xce")
    line.transport.wakes.clear()

    line.connection.receive_data(line.client.data_to_send())

    assert "later" == line.transport.wakes[-1]
    line.run()
    assert line.client.close_received is not None
    assert 540 == line.client.close_received.reply_code


def test_error_of_a_request_does_not_wait(line: Line) -> None:
    line.send(QueueDeclareParameters("no such queue", passive=True))
    line.transport.wakes.clear()

    line.connection.receive_data(line.client.data_to_send())

    assert ["now"] == line.transport.wakes


def test_error_does_not_wait_when_something_was_asked_behind_it(line: Line) -> None:
    line.ask(ChannelOpenParameters(), channel=2)
    line.send_publish("queue", expiration="soon")
    line.send(QueueDeclareParameters("queue"), channel=2)
    line.transport.wakes.clear()

    line.connection.receive_data(line.client.data_to_send())

    assert ["now"] == line.transport.wakes
