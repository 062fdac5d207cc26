"""Consumers: starting and cancelling them, and which of them gets a message.

Specification: class basic, section 3.1.6 for round-robin. RabbitMQ:
https://www.rabbitmq.com/docs/consumers, https://www.rabbitmq.com/docs/consumer-priority and
https://www.rabbitmq.com/docs/consumer-cancel
"""

import re
from typing import Any

import pytest

from ammoo_wire import (
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicGetEmptyParameters,
    BasicGetOkParameters,
    BasicGetParameters,
    ChannelCloseParameters,
    ConnectionCloseParameters,
    QueueDeleteOkParameters,
    QueueDeleteParameters,
)
from tests.support.brokers import Broker, Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import Message
from tests.support.peer import CAPABILITIES


def in_exclusive_use(name: str) -> ChannelCloseParameters:
    return ChannelCloseParameters(
        403, f"ACCESS_REFUSED - queue '{name}' in vhost '/' in exclusive use", 60, 20
    )


@pytest.fixture
def other(channel: Channel) -> Channel:
    """Another channel of the connection."""
    return channel.peer.channel(2)


# --- getting ----------------------------------------------------------------------------------


def test_get_from_an_empty_queue(channel: Channel, queue: str) -> None:
    assert BasicGetEmptyParameters() == channel.call(BasicGetParameters(queue))


def test_get_ok_counts_what_is_left(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"1", b"2", b"3")

    first, second = channel.get_message(queue), channel.get_message(queue, no_ack=False)

    assert BasicGetOkParameters(1, False, "", queue, 2) == first.parameters
    assert BasicGetOkParameters(2, False, "", queue, 1) == second.parameters


def test_get_ignores_prefetch(channel: Channel, queue: str) -> None:
    channel.qos(1)
    channel.fill(queue, b"1", b"2")

    channel.get_message(queue, no_ack=False)

    assert b"2" == channel.get_message(queue, no_ack=False).body


def test_get_and_deliver_share_one_counter_of_tags(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"1", b"2")
    got = channel.get_message(queue)
    channel.consume(queue, "tag", no_ack=True)
    delivered = channel.delivery()
    channel.cancel("tag")
    channel.fill(queue, b"3")

    again = channel.get_message(queue)

    tags = [message.parameters.delivery_tag for message in (got, delivered, again)]
    assert [1, 2, 3] == tags


# --- starting and cancelling ------------------------------------------------------------------


def test_server_makes_up_a_tag(channel: Channel, queue: str) -> None:
    first, second = channel.consume(queue), channel.consume(queue)

    assert re.fullmatch(r"amq\.ctag-[A-Za-z0-9_-]{22}", first)
    assert first != second


def test_consume_ok_precedes_the_first_delivery(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"waiting")

    channel.send(BasicConsumeParameters(queue, "tag"))

    assert BasicConsumeOkParameters("tag") == channel.receive()
    message = channel.delivery()
    assert BasicDeliverParameters("tag", 1, False, "", queue) == message.parameters
    assert b"waiting" == message.body


def test_consume_with_no_wait_is_not_answered(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"waiting")

    channel.send(BasicConsumeParameters(queue, "tag", no_wait=True))

    assert b"waiting" == channel.delivery().body


def test_same_tag_on_another_channel_is_fine(channel: Channel, other: Channel, queue: str) -> None:
    assert "tag" == channel.consume(queue, "tag")
    assert "tag" == other.consume(queue, "tag")


def test_tag_is_free_again_after_cancel(channel: Channel, queue: str) -> None:
    channel.consume(queue, "tag")
    channel.cancel("tag")

    assert "tag" == channel.consume(queue, "tag")


def test_cancelling_an_unknown_tag_is_fine(channel: Channel) -> None:
    cancelled = channel.call(BasicCancelParameters("nobody"))

    assert BasicCancelOkParameters("nobody") == cancelled


def test_cancel_with_no_wait_is_not_answered(channel: Channel, queue: str) -> None:
    channel.consume(queue, "tag", no_ack=True)

    channel.send(BasicCancelParameters("tag", no_wait=True))

    assert [] == channel.arrived()
    channel.fill(queue, b"!")
    assert b"!" == channel.get_message(queue).body


def test_cancel_stops_deliveries(channel: Channel, queue: str) -> None:
    channel.consume(queue, "tag")
    channel.cancel("tag")

    channel.fill(queue, b"stays")

    assert [] == channel.arrived()
    assert b"stays" == channel.get_message(queue).body


def test_cancel_leaves_unacked_messages_with_the_channel(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"!")
    channel.consume(queue, "tag")
    delivery_tag = channel.delivery().parameters.delivery_tag

    channel.cancel("tag")

    assert channel.get(queue) is None
    channel.ack(delivery_tag)
    assert [] == channel.arrived()


def test_no_local_does_nothing(channel: Channel, queue: str) -> None:
    channel.consume(queue, no_local=True, no_ack=True)

    channel.publish("", queue, b"my own")

    assert b"my own" == channel.delivery().body


def test_unknown_arguments_are_ignored(channel: Channel, queue: str) -> None:
    assert "tag" == channel.consume(queue, "tag", x_anything=1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            {"x-priority": "high"},
            (
                "invalid arg 'x-priority' for queue 'NAME' in vhost '/':"
                ' "expected integer, got longstr"'
            ),
        ),
        (
            {"x-stream-offset": "first"},
            (
                "invalid arg 'x-stream-offset' for queue 'NAME' in vhost '/'"
                " of queue type rabbit_classic_queue"
            ),
        ),
    ],
    ids=["x-priority", "x-stream-offset"],
)
def test_illegal_arguments(
    channel: Channel, queue: str, arguments: dict[str, Any], complaint: str
) -> None:
    refused = channel.refusal(BasicConsumeParameters(queue, arguments=arguments))

    text = f"PRECONDITION_FAILED - {complaint.replace('NAME', queue)}"
    assert ChannelCloseParameters(406, text, 60, 20) == refused


@pytest.mark.rabbitmq_version("<4.0")
@pytest.mark.parametrize(
    ("queue_type", "detail"),
    [
        ("classic", ": {unacceptable_type,signedint}"),
        ("quorum", " of queue type rabbit_quorum_queue"),
        ("stream", " of queue type rabbit_stream_queue"),
    ],
)
def test_argument_for_mirrored_queues_is_known_to_3_10(
    channel: Channel, unique: Unique, queue_type: str, detail: str
) -> None:
    name = channel.declare_queue(unique("queue"), durable=True, x_queue_type=queue_type)
    channel.qos(1)

    refused = channel.refusal(
        BasicConsumeParameters(name, arguments={"x-cancel-on-ha-failover": 1})
    )

    assert (
        f"PRECONDITION_FAILED - invalid arg 'x-cancel-on-ha-failover' for queue '{name}'"
        f" in vhost '/'{detail}"
    ) == refused.reply_text


def test_arguments_of_stream_filters_are_unknown_to_3_10(
    broker: Broker, channel: Channel, queue: str
) -> None:
    channel.send(BasicConsumeParameters(queue, arguments={"x-stream-filter": "a"}))

    expected = broker.value_of({"3.10": BasicConsumeOkParameters, "4.0": ChannelCloseParameters})
    assert isinstance(channel.receive(), expected)


# --- exclusive consumers ----------------------------------------------------------------------


def test_exclusive_consumer_wants_a_queue_without_consumers(
    channel: Channel, other: Channel, queue: str
) -> None:
    channel.consume(queue)

    refused = other.refusal(BasicConsumeParameters(queue, exclusive=True))

    assert refused == in_exclusive_use(queue)


def test_exclusive_consumer_suffers_no_other(channel: Channel, other: Channel, queue: str) -> None:
    channel.consume(queue, exclusive=True)

    refused = other.refusal(BasicConsumeParameters(queue))

    assert refused == in_exclusive_use(queue)


def test_exclusive_consumer_does_not_hinder_get(
    channel: Channel, other: Channel, queue: str
) -> None:
    channel.consume(queue, exclusive=True)

    assert other.get(queue) is None


def test_exclusive_consumer_frees_the_queue_when_it_ends(
    channel: Channel, other: Channel, queue: str
) -> None:
    channel.consume(queue, "tag", exclusive=True)

    channel.cancel("tag")

    assert "another" == other.consume(queue, "another")


def test_exclusive_consumer_on_a_queue_with_a_single_active_one(
    channel: Channel, unique: Unique
) -> None:
    name = channel.declare_queue(unique("single"), x_single_active_consumer=True)

    refused = channel.refusal(BasicConsumeParameters(name, exclusive=True))

    assert refused == in_exclusive_use(name)


# --- the server cancels -----------------------------------------------------------------------


def test_consumers_hear_of_their_queues_end(channel: Channel, other: Channel, queue: str) -> None:
    other.consume(queue, "tag")

    channel.delete_queue(queue)

    assert BasicCancelParameters("tag", no_wait=True) == other.receive()
    assert [] == other.arrived()


def test_deleter_hears_first_that_the_queue_is_deleted(channel: Channel, queue: str) -> None:
    channel.consume(queue, "tag")

    channel.send(QueueDeleteParameters(queue))

    assert QueueDeleteOkParameters(0) == channel.receive()
    assert BasicCancelParameters("tag", no_wait=True) == channel.receive()


def test_clients_without_the_capability_hear_nothing(
    channel: Channel, connect: Connect, queue: str
) -> None:
    deaf = connect(capabilities=CAPABILITIES | {"consumer_cancel_notify": False}).channel()
    deaf.consume(queue, "tag")
    hearing = connect().channel()
    hearing.consume(queue, "tag")

    channel.delete_queue(queue)

    hearing.expect(BasicCancelParameters)
    assert [] == deaf.arrived()


def test_tag_is_free_again_after_the_server_cancelled(channel: Channel, unique: Unique) -> None:
    name = channel.declare_queue(unique("q"))
    channel.consume(name, "tag")
    channel.delete_queue(name)
    channel.expect(BasicCancelParameters)
    channel.declare_queue(name)

    assert "tag" == channel.consume(name, "tag")


# --- who gets a message -----------------------------------------------------------------------


def received_by(channel: Channel) -> list[tuple[str, bytes]]:
    """Give consumer tag and body of all deliveries that have arrived."""
    return [
        (message.parameters.consumer_tag, message.body)
        for message in channel.arrived()
        if isinstance(message, Message)
    ]


def test_consumers_take_turns(channel: Channel, queue: str) -> None:
    channel.consume(queue, "a", no_ack=True)
    channel.consume(queue, "b", no_ack=True)
    channel.consume(queue, "c", no_ack=True)

    channel.fill(queue, b"1", b"2", b"3", b"4", b"5")

    assert [("a", b"1"), ("b", b"2"), ("c", b"3"), ("a", b"4"), ("b", b"5")] == received_by(channel)


def test_consumer_at_its_limit_is_passed_over(channel: Channel, queue: str) -> None:
    channel.qos(1)
    channel.consume(queue, "limited")
    channel.qos(0)
    channel.consume(queue, "unlimited")

    channel.fill(queue, b"1", b"2", b"3", b"4")

    assert [
        ("limited", b"1"),
        ("unlimited", b"2"),
        ("unlimited", b"3"),
        ("unlimited", b"4"),
    ] == received_by(channel)


def test_consumer_of_higher_priority_gets_all(channel: Channel, queue: str) -> None:
    channel.consume(queue, "low", no_ack=True, x_priority=-1)
    channel.consume(queue, "normal", no_ack=True)
    channel.consume(queue, "high", no_ack=True, x_priority=10)

    channel.fill(queue, b"1", b"2")

    assert [("high", b"1"), ("high", b"2")] == received_by(channel)


def test_consumers_of_lower_priority_get_what_the_higher_cannot_take(
    channel: Channel, queue: str
) -> None:
    channel.qos(1)
    channel.consume(queue, "low", x_priority=1)
    channel.consume(queue, "high", x_priority=2)

    channel.fill(queue, b"1", b"2", b"3")

    assert [("high", b"1"), ("low", b"2")] == received_by(channel)


def test_consumers_of_one_priority_take_turns(channel: Channel, queue: str) -> None:
    channel.consume(queue, "low", no_ack=True)
    channel.consume(queue, "a", no_ack=True, x_priority=5)
    channel.consume(queue, "b", no_ack=True, x_priority=5)

    channel.fill(queue, b"1", b"2", b"3")

    assert [("a", b"1"), ("b", b"2"), ("a", b"3")] == received_by(channel)


# --- single active consumer -------------------------------------------------------------------


@pytest.fixture
def single(channel: Channel, unique: Unique) -> str:
    """The name of a queue of which one consumer at a time is served."""
    return channel.declare_queue(unique("single"), x_single_active_consumer=True)


def test_first_consumer_is_the_active_one(channel: Channel, single: str) -> None:
    channel.consume(single, "first", no_ack=True)
    channel.consume(single, "second", no_ack=True)

    channel.fill(single, b"1", b"2")

    assert [("first", b"1"), ("first", b"2")] == received_by(channel)


def test_next_consumer_takes_over_when_the_active_one_is_cancelled(
    channel: Channel, single: str
) -> None:
    channel.consume(single, "first", no_ack=True)
    channel.consume(single, "second", no_ack=True)
    channel.consume(single, "third", no_ack=True)

    channel.cancel("first")
    channel.fill(single, b"1", b"2")

    assert [("second", b"1"), ("second", b"2")] == received_by(channel)


def test_next_consumer_takes_over_what_the_active_ones_channel_held(
    channel: Channel, other: Channel, single: str
) -> None:
    channel.fill(single, b"1", b"2")
    other.consume(single, "first")
    other.deliveries(2)
    channel.consume(single, "second")

    other.close()

    messages = [channel.delivery(), channel.delivery()]
    assert [b"1", b"2"] == [message.body for message in messages]
    assert all(message.parameters.redelivered for message in messages)


def test_newcomer_of_higher_priority_waits(channel: Channel, single: str) -> None:
    channel.consume(single, "first", no_ack=True)
    channel.consume(single, "important", no_ack=True, x_priority=10)

    channel.fill(single, b"1")

    assert [("first", b"1")] == received_by(channel)


def test_queue_that_is_not_named_is_looked_for_before_the_tag_is(
    channel: Channel, unique: Unique
) -> None:
    name = channel.declare_queue(unique("queue"))
    other = channel.peer.channel(2)
    other.consume(name, "tag")

    refused = other.refusal(BasicConsumeParameters("", "tag"))

    assert "NOT_FOUND - no previously declared queue" == refused.reply_text


# --- a client that confirms a cancellation ------------------------------------------------------


@pytest.mark.rabbitmq_version("<4.3")
def test_cancel_ok_of_a_client_costs_the_connection_before_4_3(
    channel: Channel, queue: str
) -> None:
    channel.consume(queue, "tag")

    refused = channel.fatal(BasicCancelOkParameters("tag"))

    text = "COMMAND_INVALID - unimplemented method"
    assert ConnectionCloseParameters(503, text, 60, 31) == refused


@pytest.mark.rabbitmq_version(">=4.3")
def test_cancel_ok_of_a_client_ends_a_consumer_from_4_3_on(channel: Channel, queue: str) -> None:
    """Without an answer."""
    channel.consume(queue, "tag")

    channel.send(BasicCancelOkParameters("tag"))

    assert [] == channel.arrived()
    assert (0, 0) == channel.counts(queue)


@pytest.mark.rabbitmq_version(">=4.3")
def test_cancel_ok_of_an_unknown_consumer_costs_the_connection_from_4_3_on(
    channel: Channel,
) -> None:
    refused = channel.fatal(BasicCancelOkParameters("tag"))

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == refused
