"""Quorum queues, as far as a client sees a difference: what they refuse, and how they count.

RabbitMQ: https://www.rabbitmq.com/docs/quorum-queues
"""

from collections.abc import Iterable
from typing import Any

import pytest

from ammoo_wire import (
    BasicConsumeParameters,
    BasicGetParameters,
    BasicRecoverParameters,
    ChannelCloseParameters,
    ConnectionCloseParameters,
    QueueDeclareParameters,
)
from tests.support.brokers import Broker, Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import Message


@pytest.fixture
def quorum(channel: Channel, unique: Unique) -> str:
    """The name of a quorum queue."""
    return channel.declare_queue(unique("quorum"), durable=True, x_queue_type="quorum")


def delivery_count(message: Message) -> int | None:
    headers = message.properties.headers or {}
    count: int | None = headers.get("x-delivery-count")
    return count


def get_and_requeue(channel: Channel, queue_name: str) -> Message:
    message = channel.await_message(queue_name, no_ack=False)
    channel.reject(message.parameters.delivery_tag, requeue=True)
    return message


def get_and_discard(channel: Channel, queue_name: str) -> Message:
    message = channel.await_message(queue_name, no_ack=False)
    channel.reject(message.parameters.delivery_tag, requeue=False)
    return message


# --- what they take and refuse ----------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"x-message-ttl": 60_000},
        {"x-expires": 600_000},
        {"x-max-length": 5},
        {"x-max-length-bytes": 5},
        {"x-overflow": "reject-publish"},
        {"x-single-active-consumer": True},
        {"x-delivery-limit": 5},
        {"x-dead-letter-exchange": "dlx", "x-dead-letter-strategy": "at-least-once"},
        {"x-quorum-initial-group-size": 1},
    ],
    ids=str,
)
def test_legal_argument(channel: Channel, unique: Unique, arguments: dict[str, Any]) -> None:
    name = unique("quorum")

    declared = channel.call(
        QueueDeclareParameters(name, durable=True, arguments={"x-queue-type": "quorum"} | arguments)
    )

    assert name == declared.queue_name


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        ({"x-queue-mode": "lazy"}, " of queue type rabbit_quorum_queue"),
        ({"x-queue-version": 2}, " of queue type rabbit_quorum_queue"),
        ({"x-max-priority": 5}, " of queue type rabbit_quorum_queue"),
        ({"x-dead-letter-strategy": "foo"}, ": invalid_dlx_strategy"),
    ],
    ids=str,
)
def test_illegal_argument(
    channel: Channel, unique: Unique, arguments: dict[str, Any], detail: str
) -> None:
    name = unique("quorum")
    (argument,) = arguments

    refused = channel.refusal(
        QueueDeclareParameters(name, durable=True, arguments={"x-queue-type": "quorum"} | arguments)
    )

    assert (
        ChannelCloseParameters(
            406,
            f"PRECONDITION_FAILED - invalid arg '{argument}' for queue '{name}' in vhost '/'"
            f"{detail}",
            50,
            10,
        )
        == refused
    )


@pytest.mark.parametrize(
    ("flags", "quality"),
    [
        ({"durable": False}, "non-durable"),
        ({"durable": True, "exclusive": True}, "exclusive-owner"),
        ({"durable": True, "auto_delete": True}, "auto-delete"),
    ],
    ids=str,
)
def test_illegal_flags(
    channel: Channel, unique: Unique, flags: dict[str, Any], quality: str
) -> None:
    name = unique("quorum")

    refused = channel.refusal(
        QueueDeclareParameters(name, arguments={"x-queue-type": "quorum"})._replace(**flags)
    )

    assert (
        ChannelCloseParameters(
            406,
            f"PRECONDITION_FAILED - invalid property '{quality}' for queue '{name}' in vhost '/'",
            50,
            10,
        )
        == refused
    )


def test_name_is_needed(channel: Channel) -> None:
    refused = channel.refusal(
        QueueDeclareParameters("", durable=True, arguments={"x-queue-type": "quorum"})
    )

    assert (
        ChannelCloseParameters(
            406,
            "PRECONDITION_FAILED - Cannot declare a server-named queue for type"
            " rabbit_quorum_queue",
            50,
            10,
        )
        == refused
    )


def test_delivery_limit_is_not_for_classic_queues(channel: Channel, unique: Unique) -> None:
    name = unique("classic")

    refused = channel.refusal(QueueDeclareParameters(name, arguments={"x-delivery-limit": 3}))

    assert (
        ChannelCloseParameters(
            406,
            f"PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue '{name}' in vhost"
            " '/' of queue type rabbit_classic_queue",
            50,
            10,
        )
        == refused
    )


@pytest.mark.rabbitmq_version("<4.3")
def test_global_prefetch_is_refused(channel: Channel, quorum: str) -> None:
    channel.qos(5, global_=True)

    refused = channel.fatal(BasicConsumeParameters(quorum))

    assert (
        ConnectionCloseParameters(
            540,
            f"NOT_IMPLEMENTED - queue '{quorum}' in vhost '/' does not support global qos",
            60,
            20,
        )
        == refused
    )


def test_later_global_prefetch_is_not_minded(channel: Channel, quorum: str) -> None:
    channel.consume(quorum)
    channel.qos(1, global_=True)

    channel.fill(quorum, b"1", b"2")

    assert [b"1", b"2"] == channel.deliveries(2)


def test_consumers_are_served(channel: Channel, quorum: str) -> None:
    channel.qos(2)
    channel.consume(quorum)

    channel.fill(quorum, b"1", b"2", b"3")

    assert [b"1", b"2"] == channel.deliveries(2)
    channel.ack(1)
    assert [b"3"] == channel.deliveries(1)


def test_what_is_too_much_is_dropped_where_it_should_be_dead_lettered_instead(
    channel: Channel, unique: Unique
) -> None:
    """They take the word reject-publish-dlx, and go by drop-head."""
    name = channel.declare_queue(
        unique("quorum"),
        durable=True,
        x_queue_type="quorum",
        x_max_length=1,
        x_overflow="reject-publish-dlx",
    )

    channel.fill(name, b"1")
    channel.fill(name, b"2")
    channel.fill(name, b"3")

    assert [b"3"] == channel.get_bodies(name)


# --- counting deliveries ----------------------------------------------------------------------


def test_deliveries_are_counted(broker: Broker, channel: Channel, quorum: str) -> None:
    channel.fill(quorum, b"!")

    counts = [delivery_count(get_and_requeue(channel, quorum)) for _ in range(3)]

    first = broker.value_of({"3.10": 0, "4.0": None})
    assert [first, 1, 2] == counts


def test_message_is_dropped_at_its_delivery_limit(channel: Channel, unique: Unique) -> None:
    name = channel.declare_queue(
        unique("quorum"), durable=True, x_queue_type="quorum", x_delivery_limit=1
    )
    channel.fill(name, b"dropped", b"next")

    bodies = [get_and_requeue(channel, name).body for _ in range(3)]

    assert [b"dropped", b"dropped", b"next"] == bodies


def test_message_at_its_delivery_limit_is_dead_lettered(channel: Channel, unique: Unique) -> None:
    graveyard = channel.declare_queue(unique("graveyard"))
    name = channel.declare_queue(
        unique("quorum"),
        durable=True,
        x_queue_type="quorum",
        x_delivery_limit=0,
        x_dead_letter_exchange="",
        x_dead_letter_routing_key=graveyard,
    )
    channel.fill(name, b"!")

    get_and_requeue(channel, name)

    headers = channel.await_message(graveyard).properties.headers
    assert headers is not None
    (death,) = headers["x-death"]
    assert ("delivery_limit", name) == (death["reason"], death["queue"])
    assert "delivery_limit" == headers["x-first-death-reason"]


def test_requeued_message(broker: Broker, channel: Channel, quorum: str) -> None:
    """Up to 3.10 it goes to the tail, from 4.0 on back to its place."""
    channel.fill(quorum, b"1", b"2", b"3")

    get_and_requeue(channel, quorum)
    bodies = [channel.await_message(quorum).body for _ in range(3)]

    assert broker.value_of({"3.10": [b"2", b"3", b"1"], "4.0": [b"1", b"2", b"3"]}) == bodies


def test_consumer_without_credit_has_its_turn_behind_the_others(
    channel: Channel, quorum: str
) -> None:
    """Even if no message came that it could not take."""
    other = channel.peer.channel(2)
    channel.qos(1)
    channel.consume(quorum)
    channel.fill(quorum, b"!")
    channel.deliveries(1)
    other.consume(quorum)

    channel.nack(1)

    assert b"!" == other.delivery().body


def test_get_with_a_single_active_consumer_is_refused(
    broker: Broker, channel: Channel, unique: Unique
) -> None:
    name = unique("quorum")
    channel.declare_queue(name, durable=True, x_queue_type="quorum", x_single_active_consumer=True)

    refused = channel.refusal(BasicGetParameters(name))

    queue_type = broker.value_of({"3.10": "quorum", "4.3": '<<"quorum">>'})
    text = (
        f"RESOURCE_LOCKED - cannot obtain access to locked queue '{name}' in vhost '/'. basic.get"
        f" operations are not supported by {queue_type} queues with single active consumer"
    )
    assert ChannelCloseParameters(405, text, 60, 70) == refused


@pytest.mark.rabbitmq_version(">=4.0")
def test_newcomer_of_higher_priority_becomes_the_active_one_on_4_0(
    channel: Channel, unique: Unique
) -> None:
    """When the one before it has settled what it has."""
    name = channel.declare_queue(
        unique("quorum"), durable=True, x_queue_type="quorum", x_single_active_consumer=True
    )
    channel.qos(5)
    channel.consume(name, "first")
    channel.fill(name, b"1")
    delivery_tag = channel.delivery().parameters.delivery_tag
    channel.consume(name, "important", x_priority=10)
    channel.fill(name, b"2")

    channel.ack(delivery_tag)

    message = channel.delivery()
    assert ("important", b"2") == (message.parameters.consumer_tag, message.body)


@pytest.mark.rabbitmq_version("<4.0")
def test_newcomer_of_higher_priority_waits_up_to_3_10(channel: Channel, unique: Unique) -> None:
    name = channel.declare_queue(
        unique("quorum"), durable=True, x_queue_type="quorum", x_single_active_consumer=True
    )
    channel.qos(5)
    channel.consume(name, "first")
    channel.consume(name, "important", x_priority=10)

    channel.fill(name, b"1")

    assert "first" == channel.delivery().parameters.consumer_tag


@pytest.mark.rabbitmq_version(">=4.0")
def test_urgent_message_expires_in_front_of_the_others(channel: Channel, quorum: str) -> None:
    """In a classic queue with priorities it would stay until somebody looks."""
    channel.fill(quorum, b"normal")

    channel.fill(quorum, b"urgent", priority=9, expiration="0")

    channel.await_count(quorum, 1)
    assert [b"normal"] == channel.get_bodies(quorum)


@pytest.mark.rabbitmq_version(">=4.0,<4.3")
@pytest.mark.parametrize("bodies", [(b"normal", b"urgent"), (b"urgent", b"normal")])
def test_messages_delivered_at_once_take_their_turns_too(
    channel: Channel, quorum: str, bodies: tuple[bytes, bytes]
) -> None:
    """Two turns of three are for urgent messages, and the third if the oldest message is urgent."""
    channel.qos(2)
    channel.consume(quorum)
    channel.fill(quorum, b"first", b"second")
    channel.deliveries(2)

    fill_by_urgency(channel, quorum, bodies)

    assert list(bodies) == channel.get_bodies(quorum)


def fill_by_urgency(channel: Channel, queue_name: str, bodies: Iterable[bytes]) -> None:
    """Fill a queue; a message that says "urgent" has priority 9, the others have 0."""
    for body in bodies:
        channel.fill(queue_name, body, priority=9 if body == b"urgent" else 0)


def test_what_expires_behind_a_fetched_message_is_counted_as_long_as_that_is_unsettled(
    channel: Channel, quorum: str
) -> None:
    channel.fill(quorum, b"lives")
    channel.fill(quorum, b"expires", expiration="0")

    fetched = channel.get_message(quorum, no_ack=False)

    assert (b"lives", 1) == (fetched.body, fetched.parameters.message_count)
    channel.await_count(quorum, 0)


# --- who counts as a consumer -----------------------------------------------------------------


def single_active(channel: Channel, unique: Unique) -> str:
    return channel.declare_queue(
        unique("quorum"), durable=True, x_queue_type="quorum", x_single_active_consumer=True
    )


def test_consumer_that_waits_for_its_turn_is_not_counted(channel: Channel, unique: Unique) -> None:
    """Classic queues count all."""
    name = single_active(channel, unique)

    channel.consume(name, "active")
    channel.consume(name, "waiting")

    assert 1 == channel.counts(name)[1]


def test_cancelled_consumer_counts_until_its_deliveries_are_settled(
    channel: Channel, quorum: str
) -> None:
    channel.consume(quorum, "tag")
    channel.fill(quorum, b"!")
    tag = channel.delivery().parameters.delivery_tag

    channel.cancel("tag")
    before = channel.counts(quorum)
    channel.ack(tag)

    assert (0, 1) == before
    channel.await_consumer_count(quorum, 0)


def test_get_counts_as_a_consumer_until_it_is_settled(channel: Channel, quorum: str) -> None:
    channel.fill(quorum, b"1", b"2")
    channel.get_message(quorum, no_ack=False)
    tag = channel.get_message(quorum, no_ack=False).parameters.delivery_tag

    before = channel.counts(quorum)
    channel.ack(tag, multiple=True)

    assert (0, 2) == before
    channel.await_consumer_count(quorum, 0)


def declare_with_one_to_succeed(channel: Channel, unique: Unique) -> str:
    """Declare a queue whose active consumer holds two messages; one more important waits for it."""
    name = single_active(channel, unique)
    channel.qos(5)
    channel.consume(name, "first")
    channel.fill(name, b"1", b"2")
    channel.deliveries(2)
    channel.consume(name, "important", x_priority=10)
    return name


@pytest.mark.rabbitmq_version(">=4.0")
def test_nobody_is_served_while_a_newcomer_of_higher_priority_waits(
    channel: Channel, unique: Unique
) -> None:
    name = declare_with_one_to_succeed(channel, unique)
    channel.fill(name, b"3")
    channel.ack(1)
    before = channel.arrived(), channel.counts(name)

    channel.ack(2)

    message = channel.delivery()
    assert ([], (1, 1)) == before
    assert ("important", b"3") == (message.parameters.consumer_tag, message.body)


@pytest.mark.rabbitmq_version(">=4.0,<4.3")
def test_nobody_takes_over_when_the_last_that_was_waited_for_is_requeued(
    channel: Channel, unique: Unique
) -> None:
    """Not before somebody comes or goes, or something is settled for good."""
    name = declare_with_one_to_succeed(channel, unique)
    channel.nack(2, multiple=True)
    channel.await_consumer_count(name, 0)
    before = channel.arrived(), channel.counts(name)

    channel.consume(name, "late", x_priority=1)

    message = channel.delivery()
    assert ([], (2, 0)) == before
    assert "important" == message.parameters.consumer_tag


@pytest.mark.rabbitmq_version(">=4.0,<4.3")
def test_settling_anything_lets_somebody_take_over(channel: Channel, unique: Unique) -> None:
    name = single_active(channel, unique)
    channel.qos(5)
    channel.consume(name, "gone")
    channel.fill(name, b"1")
    channel.deliveries(1)
    channel.cancel("gone")
    channel.consume(name, "first")
    channel.fill(name, b"2")
    channel.deliveries(1)
    channel.consume(name, "important", x_priority=10)
    channel.nack(2)
    channel.await_consumer_count(name, 1)  # who is gone, and has something
    before = channel.arrived()

    channel.ack(1)

    message = channel.delivery()
    assert [] == before
    assert ("important", b"2") == (message.parameters.consumer_tag, message.body)


# --- what a gone channel leaves behind --------------------------------------------------------


def test_deliveries_of_a_closed_channel_return_consumer_by_consumer(
    broker: Broker, channel: Channel, quorum: str
) -> None:
    """Up to 3.10 by tag, what basic.get fetched first; in 4.0 by age, what it fetched last."""
    other = channel.peer.channel(2)
    other.qos(1)
    other.consume(quorum, "z")
    channel.fill(quorum, b"1")
    other.delivery()
    channel.fill(quorum, b"2")
    other.get_message(quorum, no_ack=False)
    other.consume(quorum, "a")
    channel.fill(quorum, b"3")
    other.delivery()

    other.close()

    bodies = [channel.await_message(quorum).body for _ in range(3)]
    assert broker.value_of({"3.10": [b"2", b"3", b"1"], "4.0": [b"1", b"3", b"2"]}) == bodies


def test_younger_consumer_may_return_the_older_message_last(
    broker: Broker, channel: Channel, quorum: str
) -> None:
    other = channel.peer.channel(2)
    other.qos(1)
    other.consume(quorum, "z")
    other.consume(quorum, "a", x_priority=1)
    channel.fill(quorum, b"1", b"2")
    other.deliveries(2)

    other.close()

    bodies = [channel.await_message(quorum).body for _ in range(2)]
    assert broker.value_of({"3.10": [b"1", b"2"], "4.0": [b"2", b"1"]}) == bodies


def test_channels_of_a_connection_at_fault_end_side_by_side(
    channel: Channel, unique: Unique, connect: Connect
) -> None:
    """In RabbitMQ each is a process, and which one is first is a race.

    The next in line gets what the one at fault had and gives it back too, unless it ends first.
    """
    name = single_active(channel, unique)
    other = connect()
    at_fault, next_in_line = other.channel(1), other.channel(2)
    at_fault.consume(name, "active")
    next_in_line.consume(name, "waiting")
    channel.fill(name, b"!")
    at_fault.delivery()

    at_fault.fatal(BasicConsumeParameters(name, "active"))

    channel.consume(name)
    assert delivery_count(channel.delivery()) in (2, 1)


@pytest.fixture
def short(channel: Channel, unique: Unique) -> str:
    """The name of a quorum queue in which one message may wait."""
    return channel.declare_queue(
        unique("short"), durable=True, x_queue_type="quorum", x_max_length=1
    )


def test_length_limit_is_for_what_cannot_be_delivered_again(channel: Channel, short: str) -> None:
    """A classic queue would drop two of three."""
    channel.consume(short)
    channel.fill(short, b"1", b"2", b"3")
    channel.deliveries(3)

    channel.call(BasicRecoverParameters(True))

    assert [b"1", b"2", b"3"] == channel.deliveries(3)


def test_length_limit_is_for_what_a_closed_channel_leaves_to_nobody(
    channel: Channel, short: str
) -> None:
    other = channel.peer.channel(2)
    other.consume(short)
    other.fill(short, b"1", b"2", b"3", b"4")
    other.deliveries(4)
    channel.qos(2)
    channel.consume(short)

    other.close()

    assert [b"1", b"2"] == channel.deliveries(2)
    channel.await_count(short, 1)
    channel.ack(1)
    assert b"4" == channel.delivery().body


def test_what_a_closed_channel_leaves_over_the_limit_is_dead_lettered(
    broker: Broker, channel: Channel, queue: str, unique: Unique
) -> None:
    """Up to 4.0, the last message that is dropped arrives first."""
    name = channel.declare_queue(
        unique("short"),
        durable=True,
        x_queue_type="quorum",
        x_max_length=1,
        x_dead_letter_exchange="",
        x_dead_letter_routing_key=queue,
    )
    other = channel.peer.channel(2)
    other.consume(name)
    other.fill(name, b"1", b"2", b"3", b"4")
    other.deliveries(4)

    other.close()

    dead = [channel.await_message(queue).body for _ in range(3)]
    expected = broker.value_of({"3.10": [b"3", b"2", b"1"], "4.3": [b"1", b"2", b"3"]})
    assert expected == dead


@pytest.mark.rabbitmq_version("<4.3")
def test_what_a_publish_pushes_out_is_dead_lettered_last_first(
    channel: Channel, queue: str, unique: Unique
) -> None:
    name = channel.declare_queue(
        unique("short"),
        durable=True,
        x_queue_type="quorum",
        x_max_length_bytes=3,
        x_dead_letter_exchange="",
        x_dead_letter_routing_key=queue,
    )
    channel.fill(name, b"1", b"2", b"3")

    channel.fill(name, b"456")

    assert [b"3", b"2", b"1"] == [channel.await_message(queue).body for _ in range(3)]


# --- dead letters from one quorum queue in another ---------------------------------------------


@pytest.fixture
def mortal(channel: Channel, unique: Unique, quorum: str) -> str:
    """The name of a quorum queue whose messages come to `quorum` after one failed delivery."""
    return channel.declare_queue(
        unique("mortal"),
        durable=True,
        x_queue_type="quorum",
        x_delivery_limit=0,
        x_dead_letter_exchange="",
        x_dead_letter_routing_key=quorum,
    )


def test_refused_message_tells_of_that_in_the_next_quorum_queue(
    broker: Broker, channel: Channel, quorum: str, mortal: str
) -> None:
    """4.0 shows it as redelivered, until the next queue has its own count; 4.3 counts on."""
    channel.fill(mortal, b"!")
    message = channel.await_message(mortal, no_ack=False)

    channel.reject(message.parameters.delivery_tag, requeue=False)

    seen = [get_and_requeue(channel, quorum) for _ in range(3)]
    expected = broker.value_of(
        {
            "3.10": [(0, False), (1, True), (2, True)],
            "4.0": [(1, True), (1, True), (2, True)],
            "4.3": [(1, True), (2, True), (3, True)],
        }
    )
    assert expected == [
        (delivery_count(message), message.parameters.redelivered) for message in seen
    ]


def test_message_of_a_closed_channel_tells_of_that_in_the_next_quorum_queue(
    broker: Broker, channel: Channel, quorum: str, mortal: str
) -> None:
    channel.fill(mortal, b"!")
    other = channel.peer.channel(2)
    other.await_message(mortal, no_ack=False)

    other.close()

    counts = [delivery_count(get_and_requeue(channel, quorum)) for _ in range(3)]
    expected = {"3.10": [0, 1, 2], "4.0": [1, 1, 2], "4.3": [1, 2, 3]}
    assert broker.value_of(expected) == counts


def test_requeued_message_tells_the_next_quorum_queue_nothing(
    broker: Broker, channel: Channel, quorum: str, mortal: str
) -> None:
    """What a client asks to have requeued has not failed before 4.3, even at the queue's limit."""
    channel.fill(mortal, b"!")

    get_and_requeue(channel, mortal)

    counts = [delivery_count(get_and_requeue(channel, quorum)) for _ in range(2)]
    expected = {"3.10": [0, 1], "4.0": [None, 1], "4.3": [1, 2]}
    assert broker.value_of(expected) == counts


def test_failures_are_remembered_on_the_way_through_a_classic_queue(
    broker: Broker, channel: Channel, unique: Unique, quorum: str, mortal: str
) -> None:
    """They add up; a classic queue tells nothing, and counts nothing before 4.3."""
    classic = channel.declare_queue(
        unique("classic"), x_dead_letter_exchange="", x_dead_letter_routing_key=mortal
    )
    start = channel.declare_queue(
        unique("start"),
        durable=True,
        x_queue_type="quorum",
        x_dead_letter_exchange="",
        x_dead_letter_routing_key=classic,
    )
    channel.fill(start, b"!")

    rejected = [get_and_discard(channel, name) for name in (start, classic, mortal)]
    seen = [*rejected, channel.await_message(quorum)]

    expected = {"3.10": [0, None, 0, 0], "4.0": [None, None, 1, 2], "4.3": [None, None, 2, 3]}
    assert broker.value_of(expected) == [delivery_count(message) for message in seen]


def test_what_dies_with_a_channel_does_not_come_to_its_other_consumers(
    channel: Channel, quorum: str, mortal: str
) -> None:
    channel.fill(mortal, b"!")
    other = channel.peer.channel(2)
    other.consume(mortal)
    other.consume(quorum)
    other.delivery()

    other.close()
    other.reopen()

    assert b"!" == channel.await_message(quorum).body
    assert [] == other.arrived()


# --- what is dead-lettered here while something is published here ------------------------------


@pytest.fixture
def full(channel: Channel, unique: Unique, quorum: str) -> str:
    """The name of a full classic queue that pushes its oldest message into `quorum`."""
    full = channel.declare_queue(
        unique("full"),
        x_max_length=1,
        x_dead_letter_exchange="",
        x_dead_letter_routing_key=quorum,
    )
    channel.fill(full, b"pushed out")
    return full


def test_later_publish_of_a_channel_comes_before_what_it_pushes_out_of_a_classic_queue(
    channel: Channel, quorum: str, full: str
) -> None:
    channel.publish("", quorum, b"first")

    channel.publish("", quorum, b"published", headers={"CC": [full]})

    channel.await_count(quorum, 3)
    assert [b"first", b"published", b"pushed out"] == channel.get_bodies(quorum)
