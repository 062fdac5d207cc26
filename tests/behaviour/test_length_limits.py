"""Queues of limited length: x-max-length, x-max-length-bytes, x-overflow.

RabbitMQ: https://www.rabbitmq.com/docs/maxlength
"""

import pytest

from tests.support.brokers import Unique
from tests.support.channel import Channel


@pytest.fixture
def confirming(channel: Channel) -> Channel:
    channel.select_confirm()
    return channel


def publish_all(confirming: Channel, queue_name: str, *bodies: bytes) -> list[str]:
    """Publish, and give how each was settled."""
    for body in bodies:
        confirming.publish("", queue_name, body)
    return [word for word, _ in confirming.settlements(len(bodies))]


def test_oldest_messages_make_room(confirming: Channel, unique: Unique) -> None:
    name = confirming.declare_queue(unique("short"), x_max_length=2)

    settled = publish_all(confirming, name, b"1", b"2", b"3", b"4")

    assert ["ack", "ack", "ack", "ack"] == settled
    assert [b"3", b"4"] == confirming.get_bodies(name)


def test_drop_head_is_the_default(confirming: Channel, unique: Unique) -> None:
    name = confirming.declare_queue(unique("short"), x_max_length=1, x_overflow="drop-head")

    settled = publish_all(confirming, name, b"1", b"2")

    assert ["ack", "ack"] == settled
    assert [b"2"] == confirming.get_bodies(name)


@pytest.mark.parametrize("overflow", ["reject-publish", "reject-publish-dlx"])
def test_full_queue_refuses(confirming: Channel, unique: Unique, overflow: str) -> None:
    name = confirming.declare_queue(unique("short"), x_max_length=2, x_overflow=overflow)

    settled = publish_all(confirming, name, b"1", b"2", b"3")

    assert ["ack", "ack", "nack"] == settled
    assert [b"1", b"2"] == confirming.get_bodies(name)


def test_room_is_made_by_getting(confirming: Channel, unique: Unique) -> None:
    name = confirming.declare_queue(unique("short"), x_max_length=1, x_overflow="reject-publish")
    confirming.fill(name, b"1")
    confirming.get_message(name)

    assert ["ack"] == publish_all(confirming, name, b"2")


def test_length_in_bytes_counts_bodies(confirming: Channel, unique: Unique) -> None:
    name = confirming.declare_queue(unique("short"), x_max_length_bytes=10)

    publish_all(confirming, name, b"12345", b"67890", b"x")

    assert [b"67890", b"x"] == confirming.get_bodies(name)


def test_message_larger_than_the_queue_pushes_itself_out(
    confirming: Channel, unique: Unique
) -> None:
    name = confirming.declare_queue(unique("short"), x_max_length_bytes=10)

    settled = publish_all(confirming, name, b"12345", b"much too large")

    assert ["ack", "ack"] == settled
    assert [] == confirming.get_bodies(name)


def test_smaller_of_both_limits_holds(confirming: Channel, unique: Unique) -> None:
    name = confirming.declare_queue(unique("short"), x_max_length=2, x_max_length_bytes=100)

    publish_all(confirming, name, b"1", b"2", b"3")

    assert [b"2", b"3"] == confirming.get_bodies(name)


def test_unacked_messages_do_not_count(confirming: Channel, unique: Unique) -> None:
    name = confirming.declare_queue(unique("short"), x_max_length=1)
    confirming.fill(name, b"held")
    confirming.get_message(name, no_ack=False)

    publish_all(confirming, name, b"1")

    assert [b"1"] == confirming.get_bodies(name)
    confirming.reject(1, requeue=True)
    assert [b"held"] == confirming.get_bodies(name)


def test_requeued_message_above_the_limit_pushes_out_the_head(
    confirming: Channel, unique: Unique
) -> None:
    """Which is itself: it goes back to its place."""
    name = confirming.declare_queue(unique("short"), x_max_length=1)
    confirming.fill(name, b"held")
    confirming.get_message(name, no_ack=False)
    publish_all(confirming, name, b"younger")

    confirming.reject(1, requeue=True)

    assert [b"younger"] == confirming.get_bodies(name)


def test_requeued_message_stays_in_a_full_queue_that_refuses(
    confirming: Channel, unique: Unique
) -> None:
    """Only publishes are refused."""
    name = confirming.declare_queue(unique("short"), x_max_length=1, x_overflow="reject-publish")
    confirming.fill(name, b"held")
    confirming.get_message(name, no_ack=False)
    publish_all(confirming, name, b"younger")

    confirming.reject(1, requeue=True)

    assert [b"held", b"younger"] == confirming.get_bodies(name)


def test_limit_0_lets_a_waiting_consumer_have_the_message(channel: Channel, unique: Unique) -> None:
    name = channel.declare_queue(unique("short"), x_max_length=0)
    channel.consume(name, no_ack=True)

    channel.fill(name, b"!")

    assert b"!" == channel.delivery().body


def test_limit_0_keeps_nothing(confirming: Channel, unique: Unique) -> None:
    name = confirming.declare_queue(unique("short"), x_max_length=0)

    assert ["ack"] == publish_all(confirming, name, b"!")
    assert [] == confirming.get_bodies(name)


def test_full_queue_refuses_silently_without_confirms(channel: Channel, unique: Unique) -> None:
    name = channel.declare_queue(unique("short"), x_max_length=1, x_overflow="reject-publish")

    channel.publish("", name, b"1")
    channel.publish("", name, b"2")

    assert [b"1"] == channel.get_bodies(name)
    assert [] == channel.arrived()


def test_highest_priority_makes_room(confirming: Channel, unique: Unique) -> None:
    """What is dropped is what would be delivered next."""
    name = confirming.declare_queue(unique("short"), x_max_length=2, x_max_priority=9)
    confirming.fill(name, b"low", priority=1)
    confirming.fill(name, b"high", priority=9)

    confirming.fill(name, b"middle", priority=5)

    assert [b"middle", b"low"] == confirming.get_bodies(name)
