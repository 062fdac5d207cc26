"""Prefetch: how many deliveries may be unsettled, for a consumer or for a channel.

RabbitMQ gives the flag ``global`` a meaning of its own:
https://www.rabbitmq.com/docs/consumer-prefetch
"""

import pytest

from ammoo_wire import BasicQosOkParameters, BasicQosParameters
from tests.support.brokers import Unique
from tests.support.channel import Channel
from tests.support.frames import Message

FIVE = (b"1", b"2", b"3", b"4", b"5")


def bodies(channel: Channel) -> list[bytes]:
    """Give the bodies of all deliveries that have arrived."""
    return [message.body for message in channel.arrived() if isinstance(message, Message)]


@pytest.mark.parametrize("prefetch_count", [0, 1, 65535])
@pytest.mark.parametrize("global_", [False, True])
def test_qos_is_answered(channel: Channel, prefetch_count: int, global_: bool) -> None:
    answer = channel.call(BasicQosParameters(0, prefetch_count, global_))

    assert BasicQosOkParameters() == answer


def test_no_more_is_delivered_than_may_be_unsettled(channel: Channel, queue: str) -> None:
    channel.qos(2)
    channel.consume(queue)

    channel.fill(queue, *FIVE)

    assert [b"1", b"2"] == bodies(channel)


def test_settling_makes_room(channel: Channel, queue: str) -> None:
    channel.qos(2)
    channel.consume(queue)
    channel.fill(queue, *FIVE)
    channel.deliveries(2)

    channel.ack(2)
    third = channel.delivery()
    channel.nack(1, requeue=False)
    fourth = channel.delivery()

    assert (b"3", b"4") == (third.body, fourth.body)
    assert [] == channel.arrived()


def test_settling_several_makes_room_for_several(channel: Channel, queue: str) -> None:
    channel.qos(3)
    channel.consume(queue)
    channel.fill(queue, *FIVE)
    channel.deliveries(3)

    channel.ack(2, multiple=True)

    assert [b"4", b"5"] == channel.deliveries(2)


def test_zero_is_no_limit(channel: Channel, queue: str) -> None:
    channel.qos(1)
    channel.qos(0)
    channel.consume(queue)

    channel.fill(queue, *FIVE)

    assert list(FIVE) == channel.deliveries(5)


def test_no_ack_knows_no_limit(channel: Channel, queue: str) -> None:
    channel.qos(1)
    channel.consume(queue, no_ack=True)

    channel.fill(queue, *FIVE)

    assert list(FIVE) == channel.deliveries(5)


def test_limit_is_for_each_consumer(channel: Channel, queue: str) -> None:
    channel.qos(1)
    channel.consume(queue, "a")
    channel.consume(queue, "b")

    channel.fill(queue, *FIVE)

    assert [b"1", b"2"] == bodies(channel)


def test_limit_is_frozen_when_a_consumer_starts(channel: Channel, queue: str) -> None:
    channel.qos(1)
    channel.consume(queue)
    channel.qos(3)

    channel.fill(queue, *FIVE)

    assert [b"1"] == bodies(channel)


def test_limit_holds_for_consumers_started_after_it(channel: Channel, queue: str) -> None:
    channel.consume(queue)
    channel.qos(1)

    channel.fill(queue, *FIVE)

    assert list(FIVE) == channel.deliveries(5)


def test_messages_got_do_not_count(channel: Channel, queue: str) -> None:
    channel.qos(1)
    channel.fill(queue, b"1", b"2", b"3")
    channel.get_message(queue, no_ack=False)

    channel.consume(queue)

    assert [b"2"] == bodies(channel)


def test_limit_of_another_channel_does_not_matter(channel: Channel, queue: str) -> None:
    other = channel.peer.channel(2)
    other.qos(1)
    channel.consume(queue)

    channel.fill(queue, *FIVE)

    assert list(FIVE) == channel.deliveries(5)


def test_qos_gives_nobody_a_turn_who_cannot_take_it(channel: Channel, queue: str) -> None:
    """Who has had no room comes behind all others when there is some, and not when it is set."""
    other = channel.peer.channel(2)
    channel.fill(queue, b"1", b"2", b"3")
    channel.qos(2)
    channel.consume(queue)
    channel.deliveries(2)
    other.consume(queue)
    other.deliveries(1)
    channel.qos(0)
    channel.fill(queue, b"4")
    other.deliveries(1)
    channel.ack(1)

    channel.fill(queue, b"5", b"6")

    assert [b"5"] == other.deliveries(1)
    assert [b"6"] == channel.deliveries(1)


@pytest.mark.rabbitmq_version("<4.3")
def test_global_limit_is_shared_by_the_channels_consumers(channel: Channel, queue: str) -> None:
    channel.qos(3, global_=True)
    channel.consume(queue, "a")
    channel.consume(queue, "b")

    channel.fill(queue, *FIVE)

    assert [b"1", b"2", b"3"] == bodies(channel)


@pytest.mark.rabbitmq_version("<4.3")
def test_raising_the_global_limit_delivers_at_once(channel: Channel, queue: str) -> None:
    channel.qos(1, global_=True)
    channel.consume(queue)
    channel.fill(queue, *FIVE)
    channel.deliveries(1)

    channel.qos(3, global_=True)

    assert [b"2", b"3"] == channel.deliveries(2)
    assert [] == channel.arrived()


@pytest.mark.rabbitmq_version("<4.3")
def test_both_limits_hold(channel: Channel, queue: str) -> None:
    channel.qos(2)
    channel.qos(3, global_=True)
    channel.consume(queue, "a")
    channel.consume(queue, "b")

    channel.fill(queue, *FIVE)

    assert [b"1", b"2", b"3"] == bodies(channel)


@pytest.mark.rabbitmq_version("<4.3")
def test_consumers_limit_holds_below_the_global_one(channel: Channel, queue: str) -> None:
    channel.qos(2)
    channel.qos(5, global_=True)
    channel.consume(queue)

    channel.fill(queue, *FIVE)

    assert [b"1", b"2"] == bodies(channel)


@pytest.mark.rabbitmq_version("<4.3")
def test_global_limit_counts_what_was_fetched_before(channel: Channel, queue: str) -> None:
    """What basic.get fetched counts from then on, and for ever: settling it makes no room."""
    channel.fill(queue, *FIVE)
    tag = channel.get_message(queue, no_ack=False).parameters.delivery_tag
    channel.qos(2, global_=True)
    channel.consume(queue)
    before = bodies(channel)

    channel.ack(tag)

    assert [b"2"] == before
    assert [] == bodies(channel)


def test_what_is_fetched_later_does_not_count(channel: Channel, queue: str) -> None:
    channel.qos(2, global_=True)
    channel.fill(queue, *FIVE)
    channel.get_message(queue, no_ack=False)

    channel.consume(queue)

    assert [b"2", b"3"] == bodies(channel)


@pytest.mark.rabbitmq_version("<4.3")
def test_global_limit_that_is_reached_stops_consumers_without_acks_too(
    channel: Channel, queue: str, unique: Unique
) -> None:
    other = channel.declare_queue(unique("other"))
    channel.qos(1, global_=True)
    channel.consume(queue)
    channel.consume(other, no_ack=True)
    channel.fill(queue, b"1")
    tag = channel.delivery().parameters.delivery_tag
    channel.fill(other, b"2")
    before = bodies(channel)

    channel.ack(tag)

    assert [] == before
    assert [b"2"] == channel.deliveries(1)


@pytest.mark.rabbitmq_version("<4.3")
def test_queues_that_share_a_global_limit_take_turns(channel: Channel, unique: Unique) -> None:
    """Which queue is next, chance decides in RabbitMQ; in 90 turns each has one."""
    queues = [with_90_messages(channel, unique(label)) for label in ("first", "second", "third")]
    channel.qos(1, global_=True)
    tags = {channel.consume(name) for name in queues}

    served = {next_tag_after_ack(channel) for _ in range(90)}

    assert tags == served


def with_90_messages(channel: Channel, queue_name: str) -> str:
    """Declare a queue, fill it, and return its name."""
    channel.declare_queue(queue_name)
    channel.fill(queue_name, *[b""] * 90)
    return queue_name


def next_tag_after_ack(channel: Channel) -> str:
    """Acknowledge the next delivery, and return the tag of its consumer."""
    delivery = channel.delivery().parameters
    channel.ack(delivery.delivery_tag)
    tag: str = delivery.consumer_tag
    return tag


# --- the global limit is every later consumer's own, from 4.3 on ----------------------------------


@pytest.mark.rabbitmq_version(">=4.3")
def test_global_limit_is_each_later_consumers_own(channel: Channel, queue: str) -> None:
    channel.consume(queue, "before")
    channel.qos(1, global_=True)
    channel.consume(queue, "a")
    channel.consume(queue, "b")
    channel.cancel("before")

    channel.fill(queue, *FIVE)

    assert [b"1", b"2"] == bodies(channel)


@pytest.mark.rabbitmq_version(">=4.3")
def test_later_global_limit_leaves_live_consumers_theirs(channel: Channel, queue: str) -> None:
    channel.qos(1, global_=True)
    channel.consume(queue)
    channel.fill(queue, *FIVE)
    channel.deliveries(1)

    channel.qos(3, global_=True)

    assert [] == bodies(channel)


@pytest.mark.rabbitmq_version(">=4.3")
def test_global_zero_lifts_the_limit_of_later_consumers(channel: Channel, queue: str) -> None:
    channel.qos(1)
    channel.qos(0, global_=True)
    channel.consume(queue)

    channel.fill(queue, *FIVE)

    assert list(FIVE) == channel.deliveries(5)
