"""Queues with priorities: x-max-priority and the property priority.

RabbitMQ: https://www.rabbitmq.com/docs/priority
"""

import pytest

from tests.support.brokers import Unique
from tests.support.channel import Channel


@pytest.fixture
def prioritised(channel: Channel, unique: Unique) -> str:
    """The name of a queue with priorities up to 5."""
    return channel.declare_queue(unique("prioritised"), x_max_priority=5)


def test_higher_priorities_come_first(channel: Channel, prioritised: str) -> None:
    channel.fill(prioritised, b"1", priority=1)
    channel.fill(prioritised, b"5", priority=5)
    channel.fill(prioritised, b"3", priority=3)

    assert [b"5", b"3", b"1"] == channel.get_bodies(prioritised)


def test_messages_of_one_priority_keep_their_order(channel: Channel, prioritised: str) -> None:
    channel.fill(prioritised, b"1", b"2", priority=1)
    channel.fill(prioritised, b"first")
    channel.fill(prioritised, b"3", priority=1)

    assert [b"1", b"2", b"3", b"first"] == channel.get_bodies(prioritised)


def test_no_priority_is_priority_0(channel: Channel, prioritised: str) -> None:
    channel.fill(prioritised, b"none")
    channel.fill(prioritised, b"zero", priority=0)
    channel.fill(prioritised, b"none again")

    assert [b"none", b"zero", b"none again"] == channel.get_bodies(prioritised)


def test_priorities_above_the_highest_count_as_the_highest(
    channel: Channel, prioritised: str
) -> None:
    channel.fill(prioritised, b"5", priority=5)
    channel.fill(prioritised, b"255", priority=255)
    channel.fill(prioritised, b"5 again", priority=5)

    assert [b"5", b"255", b"5 again"] == channel.get_bodies(prioritised)


def test_priority_is_delivered_unchanged(channel: Channel, prioritised: str) -> None:
    channel.fill(prioritised, b"!", priority=255)

    assert 255 == channel.get_message(prioritised).properties.priority


def test_queue_without_priorities_ignores_them(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"low", priority=1)
    channel.fill(queue, b"high", priority=9)

    assert [b"low", b"high"] == channel.get_bodies(queue)


def test_requeued_message_goes_back_to_its_place_in_its_level(
    channel: Channel, prioritised: str
) -> None:
    channel.fill(prioritised, b"high 1", b"high 2", priority=5)
    channel.fill(prioritised, b"low 1", b"low 2", priority=1)
    channel.get_unacked(prioritised, 3)

    channel.reject(3, requeue=True)
    channel.reject(1, requeue=True)

    assert [b"high 1", b"low 1", b"low 2"] == channel.get_bodies(prioritised)


def test_consumer_gets_higher_priorities_first(channel: Channel, prioritised: str) -> None:
    channel.fill(prioritised, b"low", priority=1)
    channel.fill(prioritised, b"high", priority=5)

    channel.consume(prioritised, no_ack=True)

    assert [b"high", b"low"] == channel.deliveries(2)


def test_message_counts_include_all_levels(channel: Channel, prioritised: str) -> None:
    channel.fill(prioritised, b"1", priority=1)
    channel.fill(prioritised, b"5", priority=5)

    assert 1 == channel.get_message(prioritised).parameters.message_count


def test_expired_message_that_overtakes_others_is_delivered(
    channel: Channel, unique: Unique
) -> None:
    """RabbitMQ looks at the front only when it changes by something else than a publish."""
    name = channel.declare_queue(unique("queue"), x_max_priority=3)
    channel.fill(name, b"low")

    channel.fill(name, b"expired", priority=1, expiration="0")
    count = channel.message_count(name)

    assert 2 == count
    assert [b"expired", b"low"] == channel.get_bodies(name)


def test_expired_message_that_overtakes_others_goes_when_the_queue_is_cut(
    channel: Channel, unique: Unique
) -> None:
    name = channel.declare_queue(unique("queue"), x_max_priority=3, x_max_length=2)
    channel.fill(name, b"first", b"second")
    channel.fill(name, b"expired", priority=1, expiration="0")

    channel.fill(name, b"third")

    assert [b"second", b"third"] == channel.get_bodies(name)


def test_messages_rejected_together_are_dead_lettered_by_priority(
    channel: Channel, unique: Unique
) -> None:
    graveyard = channel.declare_queue(unique("graveyard"))
    name = channel.declare_queue(
        unique("queue"),
        x_max_priority=3,
        x_dead_letter_exchange="",
        x_dead_letter_routing_key=graveyard,
    )
    channel.consume(name)
    channel.fill(name, b"low", priority=0)
    channel.fill(name, b"high", priority=3)
    channel.fill(name, b"low too", priority=0)
    channel.fill(name, b"higher", priority=9)
    channel.deliveries(4)

    channel.nack(4, multiple=True, requeue=False)

    channel.await_count(graveyard, 4)
    assert [b"high", b"higher", b"low", b"low too"] == channel.get_bodies(graveyard)
