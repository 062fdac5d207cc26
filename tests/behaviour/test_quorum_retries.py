"""Quorum queues from RabbitMQ 4.3 on: counts of deliveries, priorities, delayed retries, timeouts.

RabbitMQ: https://www.rabbitmq.com/docs/quorum-queues
"""

from collections.abc import Callable
from typing import Any

import pytest

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeParameters,
    BasicNackParameters,
    BasicRecoverParameters,
    BasicRejectParameters,
    ChannelCloseParameters,
)
from tests.support.brokers import Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import Message

pytestmark = pytest.mark.rabbitmq_version(">=4.3")

Declare = Callable[..., str]


@pytest.fixture
def declare(channel: Channel, unique: Unique) -> Declare:
    """Make quorum queues with arguments."""

    def make(label: str = "quorum", **arguments: Any) -> str:
        return channel.declare_queue(
            unique(label), durable=True, x_queue_type="quorum", **arguments
        )

    return make


@pytest.fixture
def quorum(declare: Declare) -> str:
    """The name of a quorum queue."""
    return declare()


def counts_of(message: Message) -> tuple[int | None, int | None]:
    """Return how often a message has come back, and how often of these its delivery failed."""
    headers = message.properties.headers or {}
    return headers.get("x-acquired-count"), headers.get("x-delivery-count")


def fetch(channel: Channel, queue_name: str) -> int:
    """Fetch the first message, and return its delivery tag."""
    delivery_tag: int = channel.await_message(queue_name, no_ack=False).parameters.delivery_tag
    return delivery_tag


# --- counts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settlement", "counts"),
    [
        (BasicNackParameters(1), [(1, None), (2, None)]),
        (BasicNackParameters(1, multiple=True), [(1, None), (2, None)]),
        (BasicRecoverParameters(True), [(1, None), (2, None)]),
        (BasicRejectParameters(1), [(1, 1), (2, 2)]),
    ],
    ids=["nack", "nack multiple", "recover", "reject"],
)
def test_deliveries_are_counted_and_failures_apart(
    channel: Channel, quorum: str, settlement: Any, counts: list[tuple[int, int | None]]
) -> None:
    """Only basic.reject calls it a failure."""
    channel.fill(quorum, b"!")
    seen = [channel.await_message(quorum, no_ack=False)]
    channel.send(settlement)
    channel.arrived()

    seen.append(channel.await_message(quorum, no_ack=False))
    channel.send(with_tag(settlement, 2))
    channel.arrived()
    seen.append(channel.await_message(quorum))

    assert [(None, None), *counts] == [counts_of(message) for message in seen]
    assert [False, True, True] == [message.parameters.redelivered for message in seen]


def with_tag(settlement: Any, delivery_tag: int) -> Any:
    has_tag = hasattr(settlement, "delivery_tag")
    return settlement._replace(delivery_tag=delivery_tag) if has_tag else settlement


def test_channel_that_is_closed_has_failed(channel: Channel, quorum: str) -> None:
    channel.fill(quorum, b"!")
    other = channel.peer.channel(2)
    other.get_message(quorum, no_ack=False)

    other.close()

    assert (1, 1) == counts_of(channel.await_message(quorum))


def test_first_delivery_shows_a_clients_own_headers(channel: Channel, quorum: str) -> None:
    """Later the server's take their place."""
    channel.fill(quorum, b"!", headers={"x-delivery-count": 7, "x-acquired-count": 8})
    first = channel.await_message(quorum, no_ack=False)

    channel.reject(first.parameters.delivery_tag, requeue=True)

    assert (8, 7) == counts_of(first)
    assert (1, 1) == counts_of(channel.await_message(quorum))


def test_nack_does_not_count_for_the_delivery_limit(channel: Channel, declare: Declare) -> None:
    name = declare(x_delivery_limit=1)
    channel.fill(name, b"!")

    channel.nack(fetch(channel, name))
    channel.nack(fetch(channel, name))
    channel.nack(fetch(channel, name))
    channel.nack(fetch(channel, name))

    assert (4, None) == counts_of(channel.await_message(name))


def test_message_without_a_limit_is_served_next_when_it_comes_back(
    channel: Channel, declare: Declare
) -> None:
    """Up to 4.2 it went to the tail then."""
    name = declare(x_delivery_limit=-1)
    channel.fill(name, b"1", b"2", b"3")

    channel.nack(fetch(channel, name))

    bodies = [channel.await_message(name).body for _ in range(3)]
    assert [b"1", b"2", b"3"] == bodies


# --- dead letters -----------------------------------------------------------------------------


@pytest.fixture
def mortal(declare: Declare, quorum: str) -> str:
    """The name of a quorum queue whose dead letters come to `quorum`."""
    return declare("mortal", x_dead_letter_exchange="", x_dead_letter_routing_key=quorum)


def test_dead_letter_without_a_failure_has_no_counts(
    channel: Channel, quorum: str, mortal: str
) -> None:
    channel.fill(mortal, b"!")

    channel.nack(fetch(channel, mortal), requeue=False)

    message = channel.await_message(quorum)
    assert ((None, None), False) == (counts_of(message), message.parameters.redelivered)


def test_failures_are_counted_on_in_the_next_queue(
    channel: Channel, quorum: str, mortal: str
) -> None:
    """How often a message has come back is counted anew."""
    channel.fill(mortal, b"!")
    channel.reject(fetch(channel, mortal), requeue=False)

    first = channel.await_message(quorum, no_ack=False)
    channel.nack(first.parameters.delivery_tag)
    second = channel.await_message(quorum, no_ack=False)
    channel.nack(second.parameters.delivery_tag)
    third = channel.await_message(quorum)

    assert [(1, 1), (1, 1), (2, 1)] == [counts_of(each) for each in (first, second, third)]
    assert first.parameters.redelivered


def test_dead_letter_in_a_classic_queue_is_redelivered_without_counts(
    channel: Channel, declare: Declare, unique: Unique
) -> None:
    classic = channel.declare_queue(unique("classic"))
    mortal = declare("mortal", x_dead_letter_exchange="", x_dead_letter_routing_key=classic)
    channel.fill(mortal, b"!")

    channel.reject(fetch(channel, mortal), requeue=False)

    message = channel.await_message(classic)
    assert ((None, None), True) == (counts_of(message), message.parameters.redelivered)


def test_purge_counts_dead_letters_that_have_not_arrived(
    channel: Channel, declare: Declare
) -> None:
    name = declare(
        x_dead_letter_exchange="no such exchange",
        x_dead_letter_strategy="at-least-once",
        x_overflow="reject-publish",
    )
    channel.fill(name, b"dead", b"alive")

    channel.nack(fetch(channel, name), requeue=False)
    channel.arrived()

    assert 1 == channel.message_count(name)
    assert 2 == channel.purge(name)


# --- priorities -------------------------------------------------------------------------------


def test_higher_priority_is_served_first(channel: Channel, quorum: str) -> None:
    """Without one a message has priority 4; what is above 31 is 31."""
    fill_by_priority(channel, quorum, [0, 3, None, 4, 5, 31, 255, 30])

    assert [b"31", b"255", b"30", b"5", b"None", b"4", b"3", b"0"] == channel.get_bodies(quorum)


def fill_by_priority(channel: Channel, queue_name: str, priorities: list[int | None]) -> None:
    """Fill a queue with a message of each priority, which is its body as well."""
    for priority in priorities:
        channel.fill(queue_name, str(priority).encode(), priority=priority)


def test_returned_message_is_served_before_higher_priorities(channel: Channel, quorum: str) -> None:
    channel.fill(quorum, b"low", priority=0)
    delivery_tag = fetch(channel, quorum)
    channel.fill(quorum, b"high", priority=9)

    channel.nack(delivery_tag)

    assert b"low" == channel.await_message(quorum).body


def test_length_limit_drops_the_highest_priority(channel: Channel, declare: Declare) -> None:
    """That is what would be served next."""
    name = declare(x_max_length=1)

    channel.fill(name, b"low", priority=0)
    channel.fill(name, b"high", priority=9)

    assert [b"low"] == channel.get_bodies(name)


def test_first_message_of_each_priority_expires_in_time(channel: Channel, quorum: str) -> None:
    """Behind another one of the same priority a message stays."""
    channel.fill(quorum, b"high", priority=9)
    channel.fill(quorum, b"behind", priority=9, expiration="1")
    channel.fill(quorum, b"low", priority=0, expiration="1")

    channel.await_count(quorum, 2)

    assert b"high" == channel.await_message(quorum).body


# --- delayed retries --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry_type", "delays_failed", "delays_returned"),
    [("failed", True, False), ("returned", False, True), ("all", True, True)],
)
def test_retry_is_delayed_by_what_the_type_says(
    channel: Channel,
    declare: Declare,
    retry_type: str,
    delays_failed: bool,
    delays_returned: bool,
) -> None:
    name = declare(x_delayed_retry_type=retry_type, x_delayed_retry_min=60_000)
    channel.fill(name, b"failed", b"returned")
    failed, returned = fetch(channel, name), fetch(channel, name)

    channel.reject(failed, requeue=True)
    channel.nack(returned)
    channel.arrived()

    delayed = {b"failed": delays_failed, b"returned": delays_returned}
    ready = [body for body, is_delayed in delayed.items() if not is_delayed]
    channel.await_count(name, len(ready))
    assert ready == channel.get_bodies(name)


@pytest.mark.parametrize(
    "arguments",
    [
        {"x_delayed_retry_type": "all"},
        {"x_delayed_retry_type": "all", "x_delayed_retry_min": 0},
        {"x_delayed_retry_type": "all", "x_delayed_retry_min": "60000"},
        {"x_delayed_retry_type": "some", "x_delayed_retry_min": 60_000},
        {"x_delayed_retry_type": "disabled", "x_delayed_retry_min": 60_000},
        {"x_delayed_retry_min": 60_000},
    ],
    ids=str,
)
def test_retry_is_not_delayed_by_what_makes_no_sense(
    channel: Channel, declare: Declare, arguments: dict[str, Any]
) -> None:
    name = declare(**arguments)
    channel.fill(name, b"!")

    channel.reject(fetch(channel, name), requeue=True)

    assert b"!" == channel.await_message(name).body


def test_delayed_message_comes_back_to_its_place(channel: Channel, declare: Declare) -> None:
    """Without a death, and with the usual counts."""
    name = declare(x_delayed_retry_type="failed", x_delayed_retry_min=200)
    channel.fill(name, b"1", b"2")

    channel.reject(fetch(channel, name), requeue=True)
    channel.await_count(name, 2)

    message = channel.await_message(name)
    assert (b"1", (1, 1), True) == (
        message.body,
        counts_of(message),
        message.parameters.redelivered,
    )
    assert "x-death" not in (message.properties.headers or {})


def test_purge_removes_delayed_messages(channel: Channel, declare: Declare) -> None:
    name = declare(x_delayed_retry_type="failed", x_delayed_retry_min=60_000)
    channel.fill(name, b"1", b"2")

    channel.reject(fetch(channel, name), requeue=True)
    channel.await_count(name, 1)

    assert 2 == channel.purge(name)


def test_delayed_message_counts_for_the_length_limit(channel: Channel, declare: Declare) -> None:
    name = declare(x_delayed_retry_type="failed", x_delayed_retry_min=60_000, x_max_length=1)
    channel.fill(name, b"1")
    channel.reject(fetch(channel, name), requeue=True)
    channel.await_count(name, 0)

    channel.fill(name, b"2")

    channel.await_count(name, 0)


def test_delay_grows_with_the_failures(channel: Channel, declare: Declare) -> None:
    """Up to the longest delay: 1, 2, 2 times 150 ms here."""
    name = declare(x_delayed_retry_type="failed", x_delayed_retry_min=150, x_delayed_retry_max=300)
    channel.fill(name, b"!")

    delays = [delay_of_failed(channel, name) for _ in range(3)]

    shortest = [delay >= least for delay, least in zip(delays, (0.1, 0.25, 0.25), strict=True)]
    assert [True, True, True] == shortest


def delay_of_failed(channel: Channel, queue_name: str) -> float:
    """Reject the first message, and return the seconds until it is ready again."""
    delivery_tag = fetch(channel, queue_name)
    began = channel.peer.time.now()
    channel.reject(delivery_tag, requeue=True)
    channel.await_count(queue_name, 1)
    return channel.peer.time.now() - began


# --- consumer timeouts ------------------------------------------------------------------------


def timed_out(channel_number: int = 1) -> ChannelCloseParameters:
    return ChannelCloseParameters(
        406,
        f"PRECONDITION_FAILED - delivery acknowledgement on channel {channel_number} timed out."
        " Timeout value used: -1 ms. This timeout value can be configured, see consumers doc guide"
        " to learn more",
        0,
        0,
    )


@pytest.fixture
def slow(channel: Channel, declare: Declare) -> str:
    """The name of a queue whose consumer "slow" has not settled two messages in time.

    Both were there before it, so that it has both from the same moment on.
    """
    name = declare(x_consumer_timeout=200)
    channel.fill(name, b"1", b"2")
    channel.consume(name, "slow")
    channel.deliveries(2)
    assert BasicCancelParameters("slow", True) == channel.receive()
    return name


def test_consumer_that_does_not_settle_in_time_is_cancelled(channel: Channel, slow: str) -> None:
    """Its messages are back in the queue, and were returned."""
    channel.await_count(slow, 2)

    message = channel.await_message(slow)
    assert (b"1", (1, None), True) == (
        message.body,
        counts_of(message),
        message.parameters.redelivered,
    )


def test_cancelled_consumer_keeps_its_tag(channel: Channel, slow: str) -> None:
    channel.await_count(slow, 2)

    assert (2, 1) == channel.counts(slow)
    refused = channel.fatal(BasicConsumeParameters(slow, "slow"))
    assert 530 == refused.reply_code


def test_late_settlements_do_nothing_to_the_messages(channel: Channel, slow: str) -> None:
    channel.await_count(slow, 2)
    channel.cancel("slow")

    channel.send(BasicAckParameters(1))
    channel.send(BasicRejectParameters(2, requeue=False))

    assert [] == channel.arrived()
    assert [b"1", b"2"] == channel.get_bodies(slow)


@pytest.mark.parametrize(
    "settlement",
    [BasicAckParameters(2), BasicRejectParameters(2, False), BasicNackParameters(2, requeue=False)],
    ids=["ack", "reject", "nack"],
)
def test_consumer_that_has_settled_all_that_is_late_gets_messages_again(
    channel: Channel, slow: str, settlement: Any
) -> None:
    channel.await_count(slow, 2)
    channel.send(BasicAckParameters(1))
    before = channel.arrived()

    channel.send(settlement)

    assert [] == before
    assert [b"1", b"2"] == channel.deliveries(2)


def test_consumer_that_has_requeued_what_is_late_gets_nothing(channel: Channel, slow: str) -> None:
    """But for being cancelled and started again."""
    channel.await_count(slow, 2)
    channel.send(BasicNackParameters(2, multiple=True))
    before = channel.arrived(), channel.counts(slow)

    channel.cancel("slow")
    channel.consume(slow, "slow")

    assert ([], (2, 1)) == before
    assert [b"1", b"2"] == channel.deliveries(2)


def test_client_may_confirm_that_it_is_cancelled(channel: Channel, slow: str) -> None:
    """Then its tag is free."""
    channel.await_count(slow, 2)

    channel.send(BasicCancelOkParameters("slow"))
    channel.consume(slow, "slow")

    assert [b"1", b"2"] == channel.deliveries(2)


def test_others_get_what_was_late(channel: Channel, declare: Declare) -> None:
    name = declare()
    channel.consume(name, "slow", x_consumer_timeout=200)
    channel.fill(name, b"!")
    channel.deliveries(1)
    other = channel.peer.channel(2)

    other.consume(name, "other", x_consumer_timeout=60_000)

    message = other.delivery()
    assert (b"!", (1, None)) == (message.body, counts_of(message))


def test_consumers_timeout_counts_before_the_queues(channel: Channel, declare: Declare) -> None:
    name = declare(x_consumer_timeout=200)
    channel.qos(1)
    channel.consume(name, "patient", x_consumer_timeout=60_000)
    channel.fill(name, b"1")
    channel.deliveries(1)
    channel.consume(name, "hasty")
    channel.fill(name, b"2")

    cancelled = channel.peer.await_type(channel.number, BasicCancelParameters)

    assert BasicCancelParameters("hasty", True) == cancelled


def test_fetched_message_that_is_not_settled_in_time_costs_the_channel(
    channel: Channel, declare: Declare
) -> None:
    name = declare(x_consumer_timeout=200)
    channel.fill(name, b"!")
    channel.get_message(name, no_ack=False)

    assert timed_out() == channel.refusal()
    channel.reopen()
    channel.await_count(name, 1)


def test_client_that_cannot_be_told_of_a_cancellation_loses_its_channel(
    connect: Connect, declare: Declare, channel: Channel
) -> None:
    name = declare(x_consumer_timeout=200)
    channel.fill(name, b"!")
    bare = connect(capabilities={}).channel()
    bare.consume(name)
    bare.deliveries(1)

    assert timed_out() == bare.refusal()
    assert b"!" == channel.await_message(name).body


def test_consumer_without_acknowledgements_has_no_timeout(
    channel: Channel, declare: Declare
) -> None:
    quick = declare("quick", x_consumer_timeout=300)
    slow = declare("slow", x_consumer_timeout=300)
    channel.consume(quick, "quick", no_ack=True)
    channel.consume(slow, "slow")
    channel.fill(quick, b"1")
    channel.fill(slow, b"2")
    channel.deliveries(2)

    assert BasicCancelParameters("slow", True) == channel.receive()
    channel.fill(quick, b"3")
    assert [b"3"] == channel.deliveries(1)


def test_single_active_consumer_that_is_late_is_succeeded(
    channel: Channel, declare: Declare
) -> None:
    name = declare(x_single_active_consumer=True)
    channel.consume(name, "slow", x_consumer_timeout=200)
    channel.consume(name, "next")
    channel.fill(name, b"!")
    channel.deliveries(1)

    cancelled = channel.receive()

    assert BasicCancelParameters("slow", True) == cancelled
    assert "next" == channel.delivery().parameters.consumer_tag


@pytest.mark.parametrize(
    ("value", "detail"),
    [(-1, "{value_negative,-1}"), ("1", '"expected integer, got longstr"')],
)
def test_illegal_timeout_of_a_consumer(
    channel: Channel, quorum: str, value: Any, detail: str
) -> None:
    consume = BasicConsumeParameters(quorum, arguments={"x-consumer-timeout": value})

    assert ChannelCloseParameters(
        406,
        f"PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue '{quorum}' in"
        f" vhost '/': {detail}",
        60,
        20,
    ) == channel.refusal(consume)


def test_consumer_of_a_classic_queue_may_have_no_timeout(channel: Channel, queue: str) -> None:
    consume = BasicConsumeParameters(queue, arguments={"x-consumer-timeout": 1000})

    assert ChannelCloseParameters(
        406,
        f"PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue '{queue}' in"
        " vhost '/' of queue type rabbit_classic_queue",
        60,
        20,
    ) == channel.refusal(consume)


# --- who is active ----------------------------------------------------------------------------


def test_newcomer_takes_over_when_the_last_delivery_is_requeued(
    channel: Channel, declare: Declare
) -> None:
    name = declare(x_single_active_consumer=True)
    channel.qos(5)
    channel.consume(name, "first")
    channel.fill(name, b"1", b"2")
    channel.deliveries(2)
    channel.consume(name, "important", x_priority=10)

    channel.nack(2, multiple=True)

    first, second = channel.delivery(), channel.delivery()
    assert [("important", b"1"), ("important", b"2")] == [
        (each.parameters.consumer_tag, each.body) for each in (first, second)
    ]


def test_newcomer_takes_over_though_a_cancelled_consumer_holds_something(
    channel: Channel, declare: Declare
) -> None:
    name = declare(x_single_active_consumer=True)
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

    message = channel.delivery()
    assert ("important", b"2") == (message.parameters.consumer_tag, message.body)
