"""Quorum queues; what is expected here was seen on RabbitMQ 3.10.8 and 4.0.5."""

from typing import Any

import pytest

from ammoo_wire import (
    BasicAckParameters,
    BasicConsumeParameters,
    BasicNackParameters,
    BasicQosParameters,
    BasicRejectParameters,
    ChannelCloseParameters,
    ConfirmSelectParameters,
    ConnectionCloseParameters,
    QueueDeclareParameters,
    QueueDeleteParameters,
    decode_properties,
)
from tests.support.commands import Command
from tests.support.releases import FAKE_RELEASES

from .link import Line, deliveries, make_node


@pytest.fixture(params=FAKE_RELEASES)
def line(request: pytest.FixtureRequest) -> Line:
    return Line(make_node(request.param))


def declare(line: Line, **arguments: Any) -> None:
    table = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
    table["x-queue-type"] = "quorum"
    line.ask(QueueDeclareParameters("quorum", durable=True, arguments=table))


def headers(command: Command | None) -> dict[str, Any] | None:
    assert command is not None
    assert command.properties is not None
    return decode_properties(command.properties).headers


def test_consumers_learn_how_often_a_message_came_back(line: Line) -> None:
    declare(line)
    line.publish("quorum", headers={"mine": 1})
    line.ask(BasicConsumeParameters("quorum", "tag"))

    line.send(BasicRejectParameters(1, True))
    (again,) = line.run()

    counts = {"x-acquired-count": 1} if line.node.profile.quorum_queues_retry else {}
    assert {"mine": 1, "x-delivery-count": 1, **counts} == headers(again)


def test_first_get_tells_the_count_up_to_3_10(line: Line) -> None:
    declare(line)
    line.publish("quorum")

    told = headers(line.get("quorum"))

    assert told == ({"x-delivery-count": 0} if line.node.profile.name == "3.10" else None)


def test_message_dies_beyond_the_delivery_limit(line: Line) -> None:
    declare(line, delivery_limit=1, dead_letter_exchange="", dead_letter_routing_key="dead")
    line.declare("dead")
    line.publish("quorum", b"poison")
    line.get("quorum", no_ack=False)
    line.ask(BasicRejectParameters(1, True))
    line.get("quorum", no_ack=False)
    line.ask(BasicRejectParameters(2, True))

    assert line.get("quorum") is None
    dead = headers(line.get("dead")) or {}

    assert "delivery_limit" == dead["x-first-death-reason"]
    assert "x-delivery-count" not in dead


def test_what_comes_back_is_next_where_there_is_a_limit(line: Line) -> None:
    declare(line, delivery_limit=5)
    line.fill("quorum", b"1", b"2", b"3")
    line.get("quorum", no_ack=False)
    line.get("quorum", no_ack=False)

    line.ask(BasicNackParameters(2), BasicNackParameters(1))

    assert [b"2", b"1", b"3"] == line.get_all("quorum")


def test_what_comes_back_is_last_where_there_is_none() -> None:
    line = Line(make_node("3.10"))
    declare(line)
    line.fill("quorum", b"1", b"2")
    line.get("quorum", no_ack=False)

    line.ask(BasicNackParameters(1))

    assert [b"2", b"1"] == line.get_all("quorum")


def test_negative_limit_is_none_from_4_0_on(line: Line) -> None:
    declare(line, delivery_limit=-1)
    line.publish("quorum", b"message")
    line.get("quorum", no_ack=False)

    line.ask(BasicNackParameters(1))

    assert line.get_all("quorum") == ([] if line.node.profile.name == "3.10" else [b"message"])


def test_two_urgent_messages_are_served_for_each_other_one() -> None:
    line = Line(make_node("4.0"))
    declare(line)
    line.publish("quorum", b"0", priority=0)
    line.publish("quorum", b"1", priority=4)
    line.publish("quorum", b"2", priority=0)
    line.publish("quorum", b"3", priority=5)
    line.fill("quorum", b"4", b"5", priority=9)

    assert [b"3", b"4", b"0", b"5", b"1", b"2"] == line.get_all("quorum")


def test_full_queue_lets_one_more_in_before_it_refuses(line: Line) -> None:
    declare(line, max_length=1, overflow="reject-publish")
    line.ask(ConfirmSelectParameters())

    outcomes = [line.publish("quorum")[0].parameters for _ in range(3)]

    assert [
        BasicAckParameters(1, False),
        BasicAckParameters(2, False),
        BasicNackParameters(3, True, True),
    ] == outcomes


def test_newcomer_of_higher_priority_takes_over_from_4_0_on(line: Line) -> None:
    declare(line, single_active_consumer=True)
    line.ask(BasicConsumeParameters("quorum", "first", no_ack=True))
    arguments = {"x-priority": 5}
    line.ask(BasicConsumeParameters("quorum", "higher", no_ack=True, arguments=arguments))

    ((tag, _, _),) = deliveries(line.publish("quorum"))

    assert tag == ("first" if line.node.profile.name == "3.10" else "higher")


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (QueueDeleteParameters("quorum", if_unused=True), "if-unused flag set are not supported"),
        (QueueDeleteParameters("quorum", if_empty=True), "if-empty flag set are not supported"),
    ],
)
def test_deleting_on_a_condition_is_not_implemented(
    line: Line, parameters: tuple[Any, ...], text: str
) -> None:
    declare(line)

    line.ask(parameters)

    close = line.client.close_received
    assert isinstance(close, ConnectionCloseParameters)
    assert 540 == close.reply_code
    assert text in close.reply_text


@pytest.mark.parametrize("compatibility", ["3.10", "4.0"])
def test_global_prefetch_is_not_implemented(compatibility: str) -> None:
    line = Line(make_node(compatibility))
    declare(line)
    line.ask(BasicQosParameters(0, 5, True))

    line.ask(BasicConsumeParameters("quorum"))

    assert line.client.close_received is not None
    assert "does not support global qos" in line.client.close_received.reply_text


def test_get_from_a_single_active_consumers_queue_is_refused(line: Line) -> None:
    declare(line, single_active_consumer=True)

    assert line.get("quorum") is None
    assert 1 not in line.connection.channels


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({"durable": False}, "non-durable"),
        ({"durable": True, "exclusive": True}, "exclusive-owner"),
        ({"durable": True, "auto_delete": True}, "auto-delete"),
    ],
)
@pytest.mark.parametrize("queue_type", ["quorum", "stream"])
def test_replicated_queues_refuse_flags(
    line: Line, queue_type: str, flags: dict[str, bool], name: str
) -> None:
    arguments = {"x-queue-type": queue_type}

    (close,) = line.ask(QueueDeclareParameters("queue", arguments=arguments, **flags))

    assert isinstance(close, ChannelCloseParameters)
    assert (
        f"PRECONDITION_FAILED - invalid property '{name}' for queue 'queue' in vhost '/'"
        == close.reply_text
    )
