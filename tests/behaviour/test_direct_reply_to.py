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
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueuePurgeParameters,
    QueueUnbindParameters,
    TxCommitOkParameters,
    TxCommitParameters,
    TxRollbackParameters,
    TxSelectParameters,
)
from tests.support.brokers import Broker, Connect
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
    channel.publish_each("", reply_name, b"1", b"2", b"3")

    assert [b"1", b"2", b"3"] == requester.deliveries(3)


@pytest.mark.rabbitmq_version("<4.3")
def test_mandatory_reply_is_delivered_and_returned(
    requester: Channel, channel: Channel, reply_name: str
) -> None:
    """No queue took it."""
    channel.publish("", reply_name, b"reply", mandatory=True)

    assert b"reply" == requester.delivery().body
    assert b"reply" == channel.returned().body


@pytest.mark.rabbitmq_version("<4.3")
def test_mandatory_reply_to_oneself_is_returned_before_it_is_delivered(
    requester: Channel, reply_name: str
) -> None:
    requester.publish("", reply_name, b"reply", mandatory=True)

    assert b"reply" == requester.returned().body
    assert b"reply" == requester.delivery().body


@pytest.mark.rabbitmq_version(">=4.3")
def test_mandatory_reply_is_not_returned_from_4_3_on(
    requester: Channel, channel: Channel, reply_name: str
) -> None:
    """Not even when the requester is gone."""
    channel.publish("", reply_name, b"reply", mandatory=True)
    body = requester.delivery().body
    requester.close()

    channel.publish("", reply_name, b"too late", mandatory=True)

    assert b"reply" == body
    assert [] == channel.arrived()


def test_replies_are_counted_from_4_3_on(
    broker: Broker, requester: Channel, channel: Channel, reply_name: str
) -> None:
    """Before, all have the delivery tag that comes next."""
    channel.publish_each("", reply_name, *[b"reply"] * 3)

    tags = [requester.delivery().parameters.delivery_tag for _ in range(3)]
    assert broker.value_of({"3.10": [1, 1, 1], "4.3": [1, 2, 3]}) == tags


@pytest.mark.rabbitmq_version("<4.3")
def test_reply_does_not_wait_for_the_commit_before_4_3(
    requester: Channel, channel: Channel, reply_name: str
) -> None:
    channel.call(TxSelectParameters())

    channel.publish("", reply_name, b"reply")

    assert b"reply" == requester.delivery().body


@pytest.mark.rabbitmq_version(">=4.3")
def test_reply_waits_for_the_commit_from_4_3_on(
    requester: Channel, channel: Channel, reply_name: str
) -> None:
    channel.call(TxSelectParameters())
    channel.publish("", reply_name, b"dropped")
    channel.call(TxRollbackParameters())
    channel.publish("", reply_name, b"reply", mandatory=True)

    committed = channel.call(TxCommitParameters())

    assert TxCommitOkParameters() == committed
    assert b"reply" == requester.delivery().body
    assert [] == channel.arrived()


def test_late_reply_vanishes(requester: Channel, channel: Channel, reply_name: str) -> None:
    requester.close()

    channel.publish("", reply_name, b"too late")

    assert [] == channel.arrived()


@pytest.mark.rabbitmq_version("<4.3")
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

    channel.publish("", reply_name, b"too late")

    assert [] == channel.arrived()
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


@pytest.mark.rabbitmq_version("<4.3")
@pytest.mark.parametrize("passive", [False, True])
def test_requester_that_declares_its_own_reply_name_costs_the_connection(
    requester: Channel, reply_name: str, passive: bool
) -> None:
    refused = requester.fatal(QueueDeclareParameters(reply_name, passive=passive))

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == refused


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize("passive", [False, True])
def test_requester_does_not_find_its_own_reply_name_from_4_3_on(
    requester: Channel, reply_name: str, passive: bool
) -> None:
    refused = requester.refusal(QueueDeclareParameters(reply_name, passive=passive))

    assert (
        ChannelCloseParameters(404, f"NOT_FOUND - no queue '{reply_name}' in vhost '/'", 50, 10)
        == refused
    )


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.rabbitmq_version("<4.3")
@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        (BasicGetParameters(), (60, 70)),
        (BasicConsumeParameters(no_ack=True), (60, 20)),
        (QueuePurgeParameters(), (50, 30)),
        (QueueBindParameters(exchange_name="amq.direct"), (50, 20)),
    ],
)
def test_reply_name_is_no_queue_before_4_3(
    requester: Channel,
    channel: Channel,
    reply_name: str,
    is_live: bool,
    parameters: Any,
    ids: tuple[int, int],
) -> None:
    end(requester, is_live)

    refused = channel.refusal(parameters._replace(queue_name=reply_name))

    assert (
        ChannelCloseParameters(404, f"NOT_FOUND - no queue '{reply_name}' in vhost '/'", *ids)
        == refused
    )


def end(requester: Channel, is_live: bool) -> None:
    if not is_live:
        requester.close()


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize("is_live", [True, False])
def test_getting_from_a_reply_name_costs_the_connection_from_4_3_on(
    requester: Channel, channel: Channel, reply_name: str, is_live: bool
) -> None:
    end(requester, is_live)

    refused = channel.fatal(BasicGetParameters(reply_name))

    text = (
        f"NOT_IMPLEMENTED - basic.get not supported by volatile queue '{reply_name}' in vhost '/'"
    )
    assert ConnectionCloseParameters(540, text, 60, 70) == refused


@pytest.mark.rabbitmq_version(">=4.3")
def test_consuming_from_a_reply_name_is_refused_from_4_3_on(
    requester: Channel, channel: Channel, reply_name: str
) -> None:
    consume = BasicConsumeParameters(reply_name, "other", no_ack=True)

    refused = channel.refusal(consume), requester.refusal(consume)

    reasons = ("only creator channel may consume from", "multiple consumers are unsupported for")
    queue = f"queue '{reply_name}' in vhost '/'"
    assert refused == tuple(
        ChannelCloseParameters(406, f"PRECONDITION_FAILED - {reason} {queue}", 60, 20)
        for reason in reasons
    )


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        (QueueBindParameters(exchange_name="amq.direct"), (50, 20)),
        (QueueUnbindParameters(exchange_name="amq.direct"), (50, 50)),
    ],
)
@pytest.mark.parametrize("is_made_up", [True, False])
def test_reply_name_cannot_be_bound_from_4_3_on(
    channel: Channel,
    reply_name: str,
    parameters: Any,
    ids: tuple[int, int],
    is_made_up: bool,
) -> None:
    name = f"{PSEUDO_QUEUE}.made up" if is_made_up else reply_name

    refused = channel.refusal(parameters._replace(queue_name=name))

    text = "ACCESS_REFUSED - cannot bind or unbind to a volatile (direct reply-to) queue"
    assert ChannelCloseParameters(403, text, *ids) == refused


@pytest.mark.rabbitmq_version(">=4.3")
def test_purging_a_reply_name_does_nothing_from_4_3_on(channel: Channel, reply_name: str) -> None:
    assert 0 == channel.purge(reply_name)


def test_deleting_a_reply_name_does_nothing(
    requester: Channel, channel: Channel, reply_name: str
) -> None:
    channel.delete_queue(reply_name)

    channel.publish("", reply_name, b"reply")

    assert b"reply" == requester.delivery().body


@pytest.mark.rabbitmq_version("<4.3")
@pytest.mark.parametrize("made_up", ["", "abc"])
def test_declaring_one_word_as_a_reply_name_is_refused_before_4_3(
    channel: Channel, made_up: str
) -> None:
    name = f"{PSEUDO_QUEUE}.{made_up}"

    refused = channel.refusal(QueueDeclareParameters(name))

    assert (
        ChannelCloseParameters(404, f"NOT_FOUND - no queue '{name}' in vhost '/'", 50, 10)
        == refused
    )


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize("made_up", ["", "abc"])
def test_declaring_one_word_as_a_reply_name_costs_the_connection_from_4_3_on(
    channel: Channel, made_up: str
) -> None:
    refused = channel.fatal(QueueDeclareParameters(f"{PSEUDO_QUEUE}.{made_up}"))

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == refused


@pytest.mark.parametrize("made_up", ["abc.def", "abcd.efgh", "#.#"])
def test_declaring_a_made_up_reply_name_costs_the_connection(
    channel: Channel, made_up: str
) -> None:
    refused = channel.fatal(QueueDeclareParameters(f"{PSEUDO_QUEUE}.{made_up}"))

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == refused


@pytest.mark.parametrize("made_up", ["abc.def", "abcd.efgh", "#.#"])
@pytest.mark.rabbitmq_version("<4.3")
def test_publishing_to_a_made_up_reply_name_costs_the_connection_before_4_3(
    channel: Channel, made_up: str
) -> None:
    channel.publish("", f"{PSEUDO_QUEUE}.{made_up}", b"reply")

    assert 541 == channel.fatal().reply_code


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize("made_up", ["abc.def", "abcd.efgh", "#.#", "abc", ""])
def test_publishing_to_a_made_up_reply_name_is_unroutable_from_4_3_on(
    channel: Channel, made_up: str
) -> None:
    channel.publish("", f"{PSEUDO_QUEUE}.{made_up}", b"reply", mandatory=True)

    assert b"reply" == channel.returned().body


def test_publishing_to_one_word_as_a_reply_name_is_unroutable(channel: Channel) -> None:
    channel.publish("", f"{PSEUDO_QUEUE}.abc", b"reply", mandatory=True)

    assert b"reply" == channel.returned().body


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
