"""Direct reply-to: replies that go to a requester's channel without a queue.

RabbitMQ: https://www.rabbitmq.com/docs/direct-reply-to
"""

import re
from typing import Any

import pytest

from ammoo_wire import (
    BasicConsumeParameters,
    BasicGetParameters,
    ChannelCloseParameters,
    ConnectionCloseParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
)
from tests.support.brokers import Connect
from tests.support.channel import Channel

PSEUDO_QUEUE = "amq.rabbitmq.reply-to"


@pytest.fixture
def requester(connect: Connect) -> Channel:
    """A channel of another connection that consumes its replies with the tag "replies"."""
    opened = connect().channel()
    opened.consume(PSEUDO_QUEUE, "replies", no_ack=True)
    return opened


@pytest.fixture
def reply_name(requester: Channel, channel: Channel, queue: str) -> str:
    """The name that the requester's replies go to, as the receiver of a request sees it."""
    requester.publish("", queue, b"request", reply_to=PSEUDO_QUEUE)
    name = channel.await_message(queue).properties.reply_to
    assert name is not None
    return name


def test_reply_to_is_rewritten(reply_name: str) -> None:
    assert re.fullmatch(r"amq\.rabbitmq\.reply-to\.[^.]+\.[^.]+", reply_name)


def test_reply_is_delivered_to_the_requester(
    requester: Channel, channel: Channel, reply_name: str
) -> None:
    channel.publish("", reply_name, b"reply", correlation_id="1")

    message = requester.delivery()
    assert ("replies", 1, False, "", reply_name) == message.parameters
    assert ("1", b"reply") == (message.properties.correlation_id, message.body)


def test_requester_may_reply_to_itself(requester: Channel, channel: Channel, queue: str) -> None:
    requester.publish("", queue, b"request", reply_to=PSEUDO_QUEUE)
    request = channel.await_message(queue)
    name = request.properties.reply_to
    assert name is not None

    requester.publish("", name, b"from myself")

    assert b"from myself" == requester.delivery().body


def test_several_replies_are_delivered(
    requester: Channel, channel: Channel, reply_name: str
) -> None:
    for body in (b"1", b"2", b"3"):
        channel.publish("", reply_name, body)

    assert [b"1", b"2", b"3"] == requester.deliveries(3)


def test_mandatory_reply_is_delivered_and_returned(
    requester: Channel, channel: Channel, reply_name: str
) -> None:
    """No queue took it."""
    channel.publish("", reply_name, b"reply", mandatory=True)

    assert b"reply" == requester.delivery().body
    assert b"reply" == channel.returned().body


def test_mandatory_reply_to_oneself_is_returned_before_it_is_delivered(
    requester: Channel, reply_name: str
) -> None:
    requester.publish("", reply_name, b"reply", mandatory=True)

    assert b"reply" == requester.returned().body
    assert b"reply" == requester.delivery().body


def test_late_reply_vanishes(requester: Channel, channel: Channel, reply_name: str) -> None:
    requester.close()

    channel.publish("", reply_name, b"too late")

    assert [] == channel.arrived()


def test_late_mandatory_reply_is_returned(
    requester: Channel, channel: Channel, reply_name: str
) -> None:
    requester.close()

    channel.publish("", reply_name, b"too late", mandatory=True)

    assert b"too late" == channel.returned().body


def test_cancelled_requester_gets_nothing(
    requester: Channel, channel: Channel, reply_name: str
) -> None:
    requester.cancel("replies")

    channel.publish("", reply_name, b"too late", mandatory=True)

    channel.returned()
    assert [] == requester.arrived()


def test_requester_may_consume_again(requester: Channel) -> None:
    requester.cancel("replies")

    assert "again" == requester.consume(PSEUDO_QUEUE, "again", no_ack=True)


# --- what is refused --------------------------------------------------------------------------


def test_replies_cannot_be_acked(channel: Channel) -> None:
    refused = channel.refusal(BasicConsumeParameters(PSEUDO_QUEUE))

    assert (
        ChannelCloseParameters(
            406, "PRECONDITION_FAILED - reply consumer cannot acknowledge", 60, 20
        )
        == refused
    )


def test_second_reply_consumer_on_a_channel(requester: Channel) -> None:
    refused = requester.refusal(BasicConsumeParameters(PSEUDO_QUEUE, "second", no_ack=True))

    assert (
        ChannelCloseParameters(406, "PRECONDITION_FAILED - reply consumer already set", 60, 20)
        == refused
    )


def test_request_without_a_reply_consumer(channel: Channel, queue: str) -> None:
    channel.publish("", queue, b"request", reply_to=PSEUDO_QUEUE)

    assert (
        ChannelCloseParameters(
            406, "PRECONDITION_FAILED - fast reply consumer does not exist", 60, 40
        )
        == channel.refusal()
    )


# --- looking at the names ---------------------------------------------------------------------


@pytest.mark.parametrize("passive", [False, True])
def test_declaring_the_pseudo_queue(channel: Channel, passive: bool) -> None:
    declared = channel.call(QueueDeclareParameters(PSEUDO_QUEUE, passive=passive))

    assert QueueDeclareOkParameters(PSEUDO_QUEUE, 0, 1) == declared


@pytest.mark.parametrize("passive", [False, True])
def test_declaring_a_live_reply_name(channel: Channel, reply_name: str, passive: bool) -> None:
    declared = channel.call(QueueDeclareParameters(reply_name, passive=passive))

    assert QueueDeclareOkParameters(reply_name, 0, 1) == declared


@pytest.mark.parametrize("passive", [False, True])
def test_declaring_a_dead_reply_name(
    requester: Channel, channel: Channel, reply_name: str, passive: bool
) -> None:
    requester.close()

    refused = channel.refusal(QueueDeclareParameters(reply_name, passive=passive))

    assert (
        ChannelCloseParameters(404, f"NOT_FOUND - no queue '{reply_name}' in vhost '/'", 50, 10)
        == refused
    )


@pytest.mark.parametrize("passive", [False, True])
def test_requester_that_declares_its_own_reply_name_costs_the_connection(
    requester: Channel, reply_name: str, passive: bool
) -> None:
    refused = requester.fatal(QueueDeclareParameters(reply_name, passive=passive))

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == refused


def test_getting_from_the_pseudo_queue(channel: Channel) -> None:
    refused = channel.refusal(BasicGetParameters(PSEUDO_QUEUE))

    assert (
        ChannelCloseParameters(404, f"NOT_FOUND - no queue '{PSEUDO_QUEUE}' in vhost '/'", 60, 70)
        == refused
    )


def test_reply_keeps_its_properties(requester: Channel, channel: Channel, reply_name: str) -> None:
    properties: dict[str, Any] = {"headers": {"k": [1]}, "type_": "t", "priority": 3}

    channel.publish("", reply_name, **properties)

    arrived = requester.delivery().properties
    assert properties == {name: getattr(arrived, name) for name in properties}
