"""Messages and queues that expire: x-message-ttl, the property expiration, x-expires.

RabbitMQ: https://www.rabbitmq.com/docs/ttl
"""

from typing import Any

import pytest

from ammoo_wire import (
    BasicConsumeParameters,
    BasicGetParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
)
from tests.support.brokers import Broker, Unique
from tests.support.channel import Channel
from tests.support.frames import (
    METHOD,
    Message,
    encode_frame,
    encode_method,
)

SHORT = 50
"""Milliseconds; what it takes for something to expire while a test waits."""

LONG = 600_000


@pytest.fixture
def expiring(channel: Channel, unique: Unique) -> str:
    """The name of a queue whose messages live for a moment."""
    return channel.declare_queue(unique("ttl"), x_message_ttl=SHORT)


# --- messages ---------------------------------------------------------------------------------


def test_message_expires_by_its_queue(channel: Channel, expiring: str) -> None:
    channel.fill(expiring, b"1", b"2")

    channel.await_count(expiring, 0)

    assert channel.get(expiring) is None


def test_message_expires_by_its_property(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"!", expiration=str(SHORT))

    channel.await_count(queue, 0)

    assert channel.get(queue) is None


@pytest.mark.parametrize(("given", "shown"), [("0100000", "100000"), ("+100000", "100000")])
def test_expiration_is_shown_as_a_number_from_4_0_on(
    broker: Broker, channel: Channel, queue: str, given: str, shown: str
) -> None:
    channel.fill(queue, b"!", expiration=given, headers={"b": 1, "a": 2})

    properties = channel.get_message(queue).properties
    assert broker.value_of({"3.10": given, "4.0": shown}) == properties.expiration
    assert {"a": 2, "b": 1} == properties.headers


def test_message_lives_up_to_its_expiration(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"!", expiration=str(LONG))

    message = channel.get_message(queue)

    assert (b"!", str(LONG)) == (message.body, message.properties.expiration)


def test_smaller_of_both_wins_if_it_is_the_messages(channel: Channel, unique: Unique) -> None:
    name = channel.declare_queue(unique("ttl"), x_message_ttl=LONG)

    channel.fill(name, b"!", expiration=str(SHORT))

    channel.await_count(name, 0)


def test_smaller_of_both_wins_if_it_is_the_queues(channel: Channel, expiring: str) -> None:
    channel.fill(expiring, b"!", expiration=str(LONG))

    channel.await_count(expiring, 0)


def test_expired_message_behind_one_that_lives_stays(
    channel: Channel, queue: str, expiring: str
) -> None:
    channel.fill(queue, b"lives")
    channel.fill(queue, b"expired", expiration="1")
    channel.fill(expiring, b"clock")
    channel.await_count(expiring, 0)

    assert 2 == channel.message_count(queue)
    assert [b"lives"] == channel.get_bodies(queue)


def test_message_without_time_to_live_is_dropped_at_once(channel: Channel, unique: Unique) -> None:
    name = channel.declare_queue(unique("ttl"), x_message_ttl=0)

    channel.fill(name, b"!")

    assert channel.get(name) is None


def test_message_without_time_to_live_reaches_a_waiting_consumer(
    channel: Channel, unique: Unique
) -> None:
    name = channel.declare_queue(unique("ttl"), x_message_ttl=0)
    channel.consume(name, no_ack=True)

    channel.fill(name, b"!")

    assert b"!" == channel.delivery().body


def test_message_with_expiration_0_reaches_a_waiting_consumer(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"too early", expiration="0")
    channel.consume(queue, no_ack=True)

    channel.fill(queue, b"just in time", expiration="0")

    assert b"just in time" == channel.delivery().body


def hold(channel: Channel, queue_name: str) -> None:
    """Have the channel hold a message of a queue: a consumer gets it before it can expire."""
    channel.consume(queue_name, "tag")
    channel.fill(queue_name, b"held")
    channel.delivery()
    channel.cancel("tag")


def test_unacked_message_does_not_expire(channel: Channel, expiring: str) -> None:
    hold(channel, expiring)
    other = channel.peer.channel(2)
    other.fill(expiring, b"clock")
    other.await_count(expiring, 0)

    channel.ack(1)

    assert [] == channel.arrived()


def test_requeued_message_keeps_its_deadline(channel: Channel, expiring: str) -> None:
    hold(channel, expiring)
    channel.fill(expiring, b"clock")
    channel.await_count(expiring, 0)

    channel.reject(1, requeue=True)

    assert channel.get(expiring) is None


# --- queues -----------------------------------------------------------------------------------


def lifetime(channel: Channel, queue_name: str, began: float) -> float:
    """Give the seconds until a queue is gone; looked for in a way that does not prolong them."""
    channel.select_confirm()
    while True:
        channel.publish("", queue_name, mandatory=True)
        arrived = channel.receive()
        if not hasattr(arrived, "delivery_tag"):
            return channel.peer.time.now() - began
        channel.peer.pause(f"for queue {queue_name!r} to expire")


def test_queue_expires_however_much_is_published_to_it(channel: Channel, unique: Unique) -> None:
    began = channel.peer.time.now()
    name = channel.declare_queue(unique("x"), x_expires=4 * SHORT)

    assert 0.19 < lifetime(channel, name, began)


@pytest.mark.parametrize("use", ["declare", "passive", "get"])
def test_using_a_queue_keeps_it_alive(channel: Channel, unique: Unique, use: str) -> None:
    """It has all of its time again from then on."""
    name = unique("x")
    declare = QueueDeclareParameters(name, arguments={"x-expires": 300})
    parameters = {
        "declare": declare,
        "passive": QueueDeclareParameters(name, passive=True),
        "get": BasicGetParameters(name),
    }[use]

    used = use_late(channel, declare, parameters)

    assert lifetime(channel, name, used) > 0.28


def use_late(channel: Channel, declare: QueueDeclareParameters, use: Any) -> float:
    """Declare a queue, use it when a third of its time is over, and return when.

    On a busy machine the queue may be gone by then, and is declared again.
    """
    clock = channel.peer.time
    while True:
        channel.call(declare)
        began = clock.now()
        while clock.now() - began < 0.1:
            channel.peer.pause("for a third of the queue's time to be over")
        used = clock.now()
        if channel.attempt(use):
            return used


def test_consumer_keeps_a_queue_alive(channel: Channel, unique: Unique) -> None:
    watched = unique("watched")
    other = channel.peer.channel(2)
    # In one piece, so that the queue is there when its consumer comes.
    declare = QueueDeclareParameters(watched, arguments={"x-expires": 500})
    consume = BasicConsumeParameters(watched, "tag", no_wait=True)
    other.peer.send_octets(
        encode_frame(METHOD, other.number, encode_method(declare))
        + encode_frame(METHOD, other.number, encode_method(consume))
    )
    other.expect(QueueDeclareOkParameters)
    unwatched = channel.declare_queue(unique("unwatched"), x_expires=500)
    lifetime(channel, unwatched, 0)

    assert [] == other.arrived()
    other.cancel("tag")
    lifetime(channel, watched, 0)


def test_get_is_answered_before_what_expires_by_it_is_dead_lettered(
    channel: Channel, unique: Unique
) -> None:
    graveyard = channel.declare_queue(unique("graveyard"))
    name = channel.declare_queue(
        unique("queue"), x_dead_letter_exchange="", x_dead_letter_routing_key=graveyard
    )
    channel.consume(graveyard, no_ack=True)
    channel.fill(name, b"first")
    channel.fill(name, b"expired", expiration="0")

    channel.send(BasicGetParameters(name, no_ack=True))

    assert b"first" == channel.expect(Message).body
    assert b"expired" == channel.delivery().body
