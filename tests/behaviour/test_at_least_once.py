"""At-least-once dead-lettering: a quorum queue keeps its dead letters until they have arrived.

RabbitMQ: https://www.rabbitmq.com/docs/quorum-queues#dead-lettering
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.brokers import Unique
from tests.support.channel import Channel
from tests.support.operator import Operator

Declare = Callable[..., str]


@pytest.fixture
def exchange(unique: Unique) -> str:
    """The name of the dead-letter exchange, which is not there yet."""
    return unique("dlx")


@pytest.fixture
def declare(channel: Channel, exchange: str, unique: Unique) -> Declare:
    """Declare a quorum queue whose dead letters must arrive; keywords are further arguments."""

    def make(label: str = "mortal", **arguments: Any) -> str:
        return channel.declare_queue(
            unique(label),
            durable=True,
            **{
                "x_queue_type": "quorum",
                "x_dead_letter_exchange": exchange,
                "x_dead_letter_strategy": "at-least-once",
                "x_overflow": "reject-publish",
                **arguments,
            },
        )

    return make


def open_graveyard(channel: Channel, exchange: str, name: str, **arguments: Any) -> str:
    """Declare the dead-letter exchange, and a queue for what comes through it."""
    channel.declare_exchange(exchange, "fanout")
    channel.declare_queue(name, **arguments)
    channel.bind(name, exchange)
    return name


def bury(channel: Channel, queue_name: str, *bodies: bytes, **properties: Any) -> None:
    """Publish messages, and reject them for good."""
    channel.fill(queue_name, *bodies, **properties)
    for _ in bodies:
        message = channel.await_message(queue_name, no_ack=False)
        channel.reject(message.parameters.delivery_tag, requeue=False)


def test_dead_letter_without_an_exchange_is_not_counted_as_ready(
    channel: Channel, declare: Declare
) -> None:
    name = declare()

    bury(channel, name, b"1", b"2")

    channel.await_count(name, 0)
    assert channel.get(name) is None


def test_dead_letters_count_for_the_length_limit(channel: Channel, declare: Declare) -> None:
    name = declare(x_max_length=2)

    bury(channel, name, b"1", b"2", b"3")

    channel.await_refusal(name)
    assert 0 == channel.message_count(name)


def test_dead_letters_count_for_the_limit_of_octets(channel: Channel, declare: Declare) -> None:
    name = declare(x_max_length_bytes=5)

    bury(channel, name, b"123", b"456")

    channel.await_refusal(name)
    assert 0 == channel.message_count(name)


def test_dead_letter_arrives_once_there_is_a_route(
    channel: Channel, declare: Declare, exchange: str, unique: Unique, operator: Operator
) -> None:
    """RabbitMQ tries every three minutes by itself."""
    with operator.frequent_dead_letters():
        name = declare(x_max_length=2)
        bury(channel, name, b"1", b"2", b"3")
        channel.await_refusal(name)
        graveyard = open_graveyard(channel, exchange, unique("graveyard"))

        arrived = [channel.await_message(graveyard) for _ in range(3)]

    assert [b"1", b"2", b"3"] == [message.body for message in arrived]
    (death,) = (arrived[0].properties.headers or {})["x-death"]
    assert (1, "rejected", name) == (death["count"], death["reason"], death["queue"])


def test_dead_letter_is_kept_while_its_queue_is_full(
    channel: Channel, declare: Declare, exchange: str, unique: Unique, operator: Operator
) -> None:
    graveyard = open_graveyard(
        channel, exchange, unique("graveyard"), x_max_length=1, x_overflow="reject-publish"
    )
    with operator.frequent_dead_letters():
        name = declare()
        bury(channel, name, b"1", b"2")

        arrived = [channel.await_message(graveyard).body for _ in range(2)]

    assert [b"1", b"2"] == arrived


def test_dead_letter_that_one_of_its_queues_took_is_sent_to_the_other_only(
    channel: Channel, declare: Declare, exchange: str, unique: Unique, operator: Operator
) -> None:
    graveyard = open_graveyard(channel, exchange, unique("graveyard"))
    full = open_graveyard(
        channel, exchange, unique("full"), x_max_length=1, x_overflow="reject-publish"
    )
    with operator.frequent_dead_letters():
        name = declare()
        bury(channel, name, b"1", b"2")
        channel.await_count(graveyard, 2)

        arrived = [channel.await_message(full).body for _ in range(2)]

    assert [b"1", b"2"] == arrived
    assert 2 == channel.message_count(graveyard)


def test_33rd_dead_letter_waits_for_the_32_before_it(
    channel: Channel, declare: Declare, exchange: str, unique: Unique
) -> None:
    channel.declare_exchange(exchange, "direct")
    graveyard = channel.declare_queue(unique("graveyard"))
    channel.bind(graveyard, exchange, "routed")
    name, other = declare(), declare("other")
    routed = {"CC": ["routed"]}

    bury(channel, name, *[b"stuck"] * 31)
    bury(channel, name, b"32", headers=routed)
    bury(channel, name, b"stuck")
    bury(channel, name, b"33", headers=routed)
    first = channel.await_message(graveyard)
    bury(channel, other, b"other", headers=routed)
    second = channel.await_message(graveyard)

    assert (b"32", b"other", None) == (first.body, second.body, channel.get(graveyard))


def test_dead_letter_is_lost_where_messages_are_dropped(
    channel: Channel, declare: Declare, exchange: str, unique: Unique, operator: Operator
) -> None:
    """RabbitMQ cannot keep them then, and logs a warning when the queue is declared."""
    with operator.frequent_dead_letters():
        name = declare(x_overflow="drop-head")
        bury(channel, name, b"lost")
        channel.await_consumer_count(name, 0)
        graveyard = open_graveyard(channel, exchange, unique("graveyard"))

        bury(channel, name, b"kept")

        assert b"kept" == channel.await_message(graveyard).body
        assert channel.get(graveyard) is None
