"""Publisher confirms: what is acked and nacked, and in which order with returns.

RabbitMQ: https://www.rabbitmq.com/docs/confirms
"""

import pytest

from ammoo_wire import (
    BasicAckParameters,
    BasicNackParameters,
    ChannelCloseParameters,
    ConfirmSelectOkParameters,
    ConfirmSelectParameters,
    TxSelectParameters,
)
from tests.support.brokers import Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import Message


@pytest.fixture
def confirming(channel: Channel) -> Channel:
    """A channel in confirm mode."""
    channel.select_confirm()
    return channel


@pytest.fixture
def full(channel: Channel, unique: Unique) -> str:
    """The name of a queue that takes no message and says so."""
    return channel.declare_queue(unique("full"), x_max_length=0, x_overflow="reject-publish")


def test_selecting_twice_is_fine(channel: Channel) -> None:
    assert ConfirmSelectOkParameters() == channel.call(ConfirmSelectParameters())
    assert ConfirmSelectOkParameters() == channel.call(ConfirmSelectParameters())


def test_select_with_no_wait_is_not_answered(channel: Channel, queue: str) -> None:
    channel.send(ConfirmSelectParameters(no_wait=True))

    channel.publish("", queue)

    assert BasicAckParameters(1, False) == channel.receive()


def test_publishes_are_numbered_from_select_on(channel: Channel, queue: str) -> None:
    channel.publish("", queue, b"before")
    channel.select_confirm()

    channel.publish("", queue, b"after")

    assert BasicAckParameters(1, False) == channel.receive()


def test_nothing_is_confirmed_without_select(channel: Channel, queue: str) -> None:
    channel.publish("", queue)

    channel.get_message(queue)
    assert [] == channel.arrived()


def test_each_publish_is_confirmed(confirming: Channel, queue: str) -> None:
    confirming.publish_each("", queue, *[b""] * 100)

    assert [("ack", number) for number in range(1, 101)] == confirming.settlements(100)


def test_channels_number_their_publishes_by_themselves(confirming: Channel, queue: str) -> None:
    confirming.confirmed_publish("", queue)
    other = confirming.peer.channel(2)
    other.select_confirm()

    other.publish("", queue)

    assert BasicAckParameters(1, False) == other.receive()


def test_unroutable_message_is_acked(confirming: Channel, unique: Unique) -> None:
    confirming.publish("", unique("nowhere"))

    assert BasicAckParameters(1, False) == confirming.receive()


def test_return_comes_before_its_ack(confirming: Channel, unique: Unique) -> None:
    confirming.publish("", unique("nowhere"), b"!", mandatory=True)

    assert b"!" == confirming.returned().body
    assert BasicAckParameters(1, False) == confirming.receive()


def test_returns_come_in_the_order_of_their_publishes(confirming: Channel, unique: Unique) -> None:
    confirming.publish_each("", unique("nowhere"), b"1", b"2", b"3", mandatory=True)

    confirming.settlements(3)
    returned = [arrived for arrived in confirming.arrived() if isinstance(arrived, Message)]
    assert [b"1", b"2", b"3"] == [message.body for message in returned]


def test_persistent_message_to_a_durable_queue_is_acked(
    confirming: Channel, unique: Unique
) -> None:
    name = confirming.declare_queue(unique("durable"), durable=True)

    confirming.publish("", name, delivery_mode=2)

    assert BasicAckParameters(1, False) == confirming.receive()


def test_publish_to_a_missing_exchange_is_not_confirmed(
    confirming: Channel, unique: Unique
) -> None:
    confirming.publish(unique("missing"), "key")

    assert 404 == confirming.refusal().reply_code
    confirming.reopen()
    assert [] == confirming.arrived()


def test_numbers_begin_anew_on_a_reopened_channel(confirming: Channel, queue: str) -> None:
    confirming.confirmed_publish("", queue)
    confirming.close()
    confirming.reopen()
    confirming.select_confirm()

    confirming.publish("", queue)

    assert BasicAckParameters(1, False) == confirming.receive()


# --- nacks ------------------------------------------------------------------------------------


def test_publish_to_a_full_queue_is_nacked(confirming: Channel, full: str) -> None:
    confirming.publish("", full)

    nack = confirming.expect(BasicNackParameters)
    assert 1 == nack.delivery_tag


def test_mandatory_publish_to_a_full_queue_is_not_returned(confirming: Channel, full: str) -> None:
    confirming.publish("", full, mandatory=True)

    confirming.expect(BasicNackParameters)
    assert [] == confirming.arrived()


def test_publish_to_a_full_queue_is_dropped_without_a_word_outside_confirm_mode(
    channel: Channel, full: str
) -> None:
    channel.publish("", full, mandatory=True)

    assert channel.get(full) is None
    assert [] == channel.arrived()


def test_one_of_several_queues_refuses(
    confirming: Channel, full: str, queue: str, unique: Unique
) -> None:
    exchange = confirming.declare_exchange(unique("fanout"), "fanout")
    confirming.bind(full, exchange)
    confirming.bind(queue, exchange)

    confirming.publish(exchange, "", b"kept by the other")

    assert [("nack", 1)] == confirming.settlements(1)
    assert [b"kept by the other"] == confirming.get_bodies(queue)


def test_acks_and_nacks_in_turn(confirming: Channel, full: str, queue: str) -> None:
    confirming.publish("", queue)
    confirming.publish("", full)
    confirming.publish("", queue)
    confirming.publish("", full)

    assert ["ack", "nack", "ack", "nack"] == [word for word, _ in confirming.settlements(4)]


# --- modes ------------------------------------------------------------------------------------


def test_confirm_mode_is_not_for_transactional_channels(channel: Channel) -> None:
    channel.call(TxSelectParameters())

    refused = channel.refusal(ConfirmSelectParameters())

    assert (
        ChannelCloseParameters(
            406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode", 85, 10
        )
        == refused
    )


def test_transactions_are_not_for_channels_in_confirm_mode(confirming: Channel) -> None:
    refused = confirming.refusal(TxSelectParameters())

    assert (
        ChannelCloseParameters(
            406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode", 90, 10
        )
        == refused
    )


@pytest.mark.rabbitmq_version("<4.3")
def test_confirm_comes_after_the_delivery_to_the_same_channel(
    confirming: Channel, queue: str
) -> None:
    """In 4.3, a busy node now and then confirms first."""
    confirming.consume(queue, no_ack=True)

    confirming.publish("", queue, b"!")

    assert b"!" == confirming.delivery().body
    assert BasicAckParameters(1, False) == confirming.receive()


def test_queue_deleted_meanwhile_is_nowhere(
    confirming: Channel, connect: Connect, queue: str
) -> None:
    connect().channel().delete_queue(queue)

    confirming.publish("", queue)

    assert BasicAckParameters(1, False) == confirming.receive()
