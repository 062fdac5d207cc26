"""Streams; what is expected here was seen on RabbitMQ 3.10.8 and 4.0.5."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ammoo_fakebroker.clocks.clock import ManualClock
from ammoo_wire import (
    BasicAckParameters,
    BasicConsumeParameters,
    BasicGetParameters,
    BasicNackParameters,
    BasicQosParameters,
    ChannelCloseParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueueDeleteOkParameters,
    QueueDeleteParameters,
    QueuePurgeParameters,
    decode_properties,
)
from tests.support.commands import Command
from tests.support.releases import FAKE_RELEASES

from .link import Line, deliveries, make_node


@pytest.fixture(params=FAKE_RELEASES)
def line(request: pytest.FixtureRequest) -> Line:
    line = Line(make_node(request.param))
    arguments = {"x-queue-type": "stream"}
    line.ask(QueueDeclareParameters("stream", durable=True, arguments=arguments))
    line.ask(BasicQosParameters(0, 10))
    return line


def consume(line: Line, tag: str, offset: Any = None) -> list[bytes]:
    arguments = {} if offset is None else {"x-stream-offset": offset}
    line.send(BasicConsumeParameters("stream", tag, arguments=arguments))
    return [body for _, _, body in deliveries(line.run())]


def offset_of(command: Command) -> int:
    assert command.properties is not None
    offset: int = (decode_properties(command.properties).headers or {})["x-stream-offset"]
    return offset


def test_reading_takes_nothing_away(line: Line) -> None:
    line.fill("stream", b"0", b"1", b"2")

    assert [b"0", b"1", b"2"] == consume(line, "one", "first")
    assert [b"0", b"1", b"2"] == consume(line, "other", "first")


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("first", [b"0", b"1", b"2"]),
        ("last", [b"2"]),
        ("next", []),
        (None, []),
        (1, [b"1", b"2"]),
        (99, []),
        ("1h", [b"1", b"2"]),
        (datetime.fromtimestamp(1_700_000_000 + 7000, UTC), [b"1", b"2"]),
    ],
)
def test_offset_says_where_to_begin(line: Line, offset: Any, expected: list[bytes]) -> None:
    line.publish("stream", b"0")
    assert isinstance(line.node.clock, ManualClock)
    line.node.clock.advance(7200)
    line.publish("stream", b"1")
    line.publish("stream", b"2")

    assert expected == consume(line, "tag", offset)


def test_messages_tell_their_offset_and_keep_their_headers(line: Line) -> None:
    consume(line, "tag")

    (first,) = line.publish("stream", headers={"mine": 1})
    (second,) = line.publish("stream")

    assert (0, 1) == (offset_of(first), offset_of(second))
    assert first.properties is not None
    assert {"mine": 1, "x-stream-offset": 0} == decode_properties(first.properties).headers


def test_acknowledging_makes_room(line: Line) -> None:
    line.fill("stream", b"0", b"1", b"2")
    line.ask(BasicQosParameters(0, 2))
    assert [b"0", b"1"] == consume(line, "tag", "first")

    line.send(BasicAckParameters(1))

    assert [("tag", 3, b"2")] == deliveries(line.run())


def test_counts_are_of_messages_and_never_of_consumers(line: Line) -> None:
    line.publish("stream")
    consume(line, "tag", "first")

    assert [QueueDeclareOkParameters("stream", 1, 0)] == line.ask(
        QueueDeclareParameters("stream", True)
    )
    (ok, *_) = line.ask(QueueDeleteParameters("stream"))
    assert QueueDeleteOkParameters(0) == ok


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (BasicGetParameters("stream"), "basic.get not supported by stream queues"),
        (QueuePurgeParameters("stream"), "queue.purge not supported by stream queues"),
        (BasicConsumeParameters("stream", no_ack=True), "automatic acknowledgement not supported"),
    ],
)
def test_what_streams_do_not_do_closes_the_connection(
    line: Line, parameters: tuple[Any, ...], text: str
) -> None:
    line.ask(parameters)

    assert line.client.close_received is not None
    assert 540 == line.client.close_received.reply_code
    assert text in line.client.close_received.reply_text


def test_consumers_need_a_prefetch(line: Line) -> None:
    line.ask(BasicQosParameters(0, 0))

    (close,) = line.ask(BasicConsumeParameters("stream"))

    assert isinstance(close, ChannelCloseParameters)
    assert "consumer prefetch count is not set for" in close.reply_text


def test_rejecting_is_refused_up_to_3_10(line: Line) -> None:
    line.publish("stream")
    consume(line, "tag", "first")

    line.ask(BasicNackParameters(1))

    assert (line.client.close_received is not None) == (line.node.profile.name == "3.10")


def test_offset_that_makes_no_sense_kills_the_connection(line: Line) -> None:
    line.ask(BasicConsumeParameters("stream", arguments={"x-stream-offset": True}))

    assert line.client.close_received is not None
    assert 541 == line.client.close_received.reply_code


def test_dead_letter_that_a_stream_cannot_keep_is_lost(line: Line) -> None:
    """A classic queue of RabbitMQ crashes on it."""
    line.declare("dying", max_length=0, dead_letter_exchange="", dead_letter_routing_key="stream")

    refused = line.publish("dying", headers={"price": Decimal("1.5")})

    assert [] == refused
    assert [] == consume(line, "tag", "first")
