"""Policies: what an operator decides for queues and exchanges by their names.

A policy of the tests is for names that hold a word behind the test's own stem.
RabbitMQ: https://www.rabbitmq.com/docs/policies
"""

from typing import Any

import pytest

from ammoo_wire import BasicAckParameters, BasicNackParameters
from tests.support.brokers import Broker, Connect, Unique
from tests.support.channel import Channel
from tests.support.operator import Operator, Policy
from tests.support.streams import read_from_first

KILOBYTE = 1000
FLAGS: dict[str, dict[str, Any]] = {
    "classic": {},
    "quorum": {"durable": True, "x_queue_type": "quorum"},
    "stream": {"durable": True, "x_queue_type": "stream"},
}


@pytest.fixture
def confirming(channel: Channel) -> Channel:
    channel.select_confirm()
    return channel


def pattern(name: str, word: str) -> str:
    """Give a pattern for those names of a test that go on with a word."""
    return f"{name.split('.')[0]}[.]{word}"


def settled(confirming: Channel, queue_name: str, *bodies: bytes) -> list[str]:
    """Publish one by one on a channel that is new to the queue, and give how each was settled."""
    confirming.close()
    confirming.reopen()
    confirming.select_confirm()
    return [settle_one(confirming, queue_name, body) for body in bodies]


def settle_one(confirming: Channel, queue_name: str, body: bytes) -> str:
    confirming.publish("", queue_name, body)
    verdict = confirming.peer.await_type(confirming.number, BasicAckParameters, BasicNackParameters)
    return "ack" if isinstance(verdict, BasicAckParameters) else "nack"


def fill_each(channel: Channel, queue_names: list[str], *bodies: bytes) -> None:
    for name in queue_names:
        channel.fill(name, *bodies)


def dead_letter(channel: Channel, queue_name: str, *dead_letter_queues: str) -> str:
    """Reject a message of a queue, and give the queue that it comes to."""
    channel.fill(queue_name, b"dead")
    channel.reject(
        channel.await_message(queue_name, no_ack=False).parameters.delivery_tag, requeue=False
    )
    while True:
        for name in dead_letter_queues:
            if channel.get(name, no_ack=True) is not None:
                return name
        channel.peer.pause(f"for a dead letter of queue {queue_name!r}")


# --- what they apply to -----------------------------------------------------------------------


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_policy_is_for_queues_that_are_there_and_that_come(
    channel: Channel, unique: Unique, operator: Operator, queue_type: str
) -> None:
    """It is no argument: who declares a queue again need not know of it."""
    flags = FLAGS[queue_type]
    old = channel.declare_queue(unique("short.old"), **flags)
    other = channel.declare_queue(unique("other"), **flags)
    channel.fill(old, b"1", b"2", b"3")
    channel.fill(other, b"1", b"2", b"3")

    with operator.policies(Policy(pattern(old, "sho"), {"max-length": 2})):
        new = channel.declare_queue(unique("a.short"), **flags)
        channel.await_count(old, 2)
        channel.fill(old, b"4")
        channel.declare_queue(old, **flags)
        limited = channel.get_bodies(old)
        unlimited = channel.message_count(other)
        channel.fill(new, b"1", b"2", b"3")
        elsewhere = channel.message_count(new)
    channel.fill(old, b"1", b"2", b"3")

    assert [b"3", b"4"] == limited
    assert 3 == unlimited
    assert 3 == elsewhere  # the pattern says what comes before the word
    assert [b"1", b"2", b"3"] == channel.get_bodies(old)


def test_policy_is_for_exclusive_queues_and_for_new_ones(
    channel: Channel, unique: Unique, operator: Operator
) -> None:
    old = channel.declare_queue(unique("short.old"), exclusive=True)
    channel.fill(old, b"1", b"2")

    with operator.policies(Policy("t.old$|[.]short.new$", {"max-length": 1}, 0, "queues")):
        new = channel.declare_queue(unique("short.new"))
        channel.fill(new, b"1", b"2")
        channel.await_count(old, 1)
        kept = channel.get_bodies(new)

    assert [b"2"] == kept
    assert [b"2"] == channel.get_bodies(old)


def test_one_policy_applies_the_one_of_the_highest_priority(
    channel: Channel, unique: Unique, operator: Operator
) -> None:
    name = channel.declare_queue(unique("short"))

    with operator.policies(
        Policy(pattern(name, "short"), {"max-length": 1}, 0),
        Policy(pattern(name, "s"), {"max-length-bytes": 5}, 2),
        Policy(pattern(name, ""), {"max-length-bytes": 3}, 1),
    ):
        channel.fill(name, b"1", b"2", b"3", b"4", b"5", b"6")
        kept = channel.get_bodies(name)

    assert [b"2", b"3", b"4", b"5", b"6"] == kept


def test_policy_with_a_key_that_is_nothing_for_a_type_is_not_for_that_type(
    channel: Channel, unique: Unique, operator: Operator
) -> None:
    classic = channel.declare_queue(unique("short.classic"))
    quorum = channel.declare_queue(unique("short.quorum"), **FLAGS["quorum"])
    definition = {"max-length": 1, "delivery-limit": 5, "alternate-exchange": "amq.topic"}

    with operator.policies(Policy(pattern(classic, "short"), definition)):
        channel.fill(classic, b"1", b"2")
        channel.fill(quorum, b"1", b"2")
        kept = channel.get_bodies(classic), channel.get_bodies(quorum)

    assert ([b"1", b"2"], [b"2"]) == kept


@pytest.mark.rabbitmq_version(">=4.0")
def test_policy_for_queues_of_one_type(
    channel: Channel, unique: Unique, operator: Operator
) -> None:
    classic = channel.declare_queue(unique("short.classic"))
    quorum = channel.declare_queue(unique("short.quorum"), **FLAGS["quorum"])
    every = pattern(classic, "short")

    with operator.policies(
        Policy(every, {"max-length": 1}, 0, "classic_queues"),
        Policy(every, {"max-length": 2}, 0, "quorum_queues"),
        Policy(every, {"max-length-bytes": 0}, 9, "streams"),
        Policy(every, {"max-length": 0}, 9, "exchanges"),
    ):
        channel.fill(classic, b"1", b"2", b"3")
        channel.fill(quorum, b"1", b"2", b"3")
        kept = channel.get_bodies(classic), channel.get_bodies(quorum)

    assert ([b"3"], [b"2", b"3"]) == kept


# --- policies, operator policies and arguments ------------------------------------------------


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_lowest_number_counts(
    channel: Channel, unique: Unique, operator: Operator, queue_type: str
) -> None:
    flags = FLAGS[queue_type]
    without = channel.declare_queue(unique("short.0"), **flags)
    lower = channel.declare_queue(unique("short.1"), x_max_length=1, **flags)
    higher = channel.declare_queue(unique("short.5"), x_max_length=5, **flags)
    every = pattern(without, "short")

    with operator.policies(
        Policy(every, {"max-length": 2, "max-length-bytes": 100}),
        Policy(every, {"max-length": 4, "max-length-bytes": 9}, by_operator=True),
    ):
        fill_each(channel, [without, lower, higher], b"1", b"2", b"3")
        channel.fill(higher, b"0123456789")
        kept = [channel.get_bodies(name) for name in (without, lower, higher)]

    assert [[b"2", b"3"], [b"3"], []] == kept


@pytest.mark.parametrize(
    ("queue_type", "refuses"), [("classic", [True, False]), ("quorum", [True, True])]
)
def test_arguments_that_are_no_numbers_win(
    confirming: Channel, unique: Unique, operator: Operator, queue_type: str, refuses: list[bool]
) -> None:
    """But a quorum queue's x-overflow does not."""
    flags = FLAGS[queue_type]
    own, decided = confirming.declare_queue(unique("own")), confirming.declare_queue(unique("dlq"))
    without = confirming.declare_queue(unique("short.without"), **flags)
    with_own = confirming.declare_queue(
        unique("short.with"),
        x_dead_letter_exchange="",
        x_dead_letter_routing_key=own,
        x_overflow="drop-head",
        **flags,
    )
    definition = {
        "dead-letter-exchange": "",
        "dead-letter-routing-key": decided,
        "max-length": 1,
        "overflow": "reject-publish",
    }

    with operator.policies(Policy(pattern(own, "short"), definition)):
        ways = [dead_letter(confirming, name, own, decided) for name in (without, with_own)]
        verdicts = [settled(confirming, name, b"1", b"2", b"3") for name in (without, with_own)]

    assert [decided, own] == ways
    assert refuses == ["nack" in each for each in verdicts]


# --- what they change at once -----------------------------------------------------------------


def test_classic_queue_keeps_a_new_limit_before_it_refuses_more(
    confirming: Channel, unique: Unique, operator: Operator
) -> None:
    """A quorum queue minds both at once, and so drops nothing."""
    classic = confirming.declare_queue(unique("short.classic"))
    quorum = confirming.declare_queue(unique("short.quorum"), **FLAGS["quorum"])
    fill_each(confirming, [classic, quorum], b"1", b"2", b"3")
    definition = {"max-length": 1, "overflow": "reject-publish"}

    with operator.policies(Policy(pattern(classic, "short"), definition)):
        confirming.await_count(classic, 1)
        verdicts = [settled(confirming, name, b"4") for name in (classic, quorum)]
        kept = confirming.get_bodies(classic), confirming.get_bodies(quorum)

    assert [["nack"], ["nack"]] == verdicts
    assert ([b"3"], [b"1", b"2", b"3"]) == kept


def test_dead_letters_that_lead_nowhere_are_kept_if_a_policy_says_so(
    confirming: Channel, unique: Unique, operator: Operator
) -> None:
    """They count for the limit, as long as the policy lasts."""
    name = confirming.declare_queue(unique("safe"), **FLAGS["quorum"])
    definition = {
        "dead-letter-exchange": unique("nowhere"),
        "dead-letter-strategy": "at-least-once",
        "max-length": 1,
        "overflow": "reject-publish",
    }

    with operator.policies(Policy(pattern(name, "safe"), definition)):
        confirming.fill(name, b"1", b"2")
        confirming.get_message(name, no_ack=False)
        last = confirming.get_message(name, no_ack=False)
        confirming.nack(last.parameters.delivery_tag, multiple=True, requeue=False)
        confirming.await_refusal(name)
    confirming.fill(name, b"3")

    assert [b"3"] == confirming.get_bodies(name)


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_new_time_to_live_is_for_new_messages(
    channel: Channel, unique: Unique, operator: Operator, queue_type: str
) -> None:
    flags = FLAGS[queue_type]
    old = channel.declare_queue(unique("brief.old"), **flags)
    new = channel.declare_queue(unique("brief.new"), x_message_ttl=3_600_000, **flags)
    dead = channel.declare_queue(unique("dlq"))
    channel.fill(old, b"old")
    definition = {
        "message-ttl": 1,
        "dead-letter-exchange": "",
        "dead-letter-routing-key": dead,
    }

    with operator.policies(Policy(pattern(old, "brief"), definition)):
        channel.fill(new, b"new")
        expired = channel.await_message(dead)
        kept = channel.get_bodies(old)

    assert b"new" == expired.body
    assert [b"old"] == kept


def test_unused_queue_goes_when_a_policy_says_so(
    channel: Channel, unique: Unique, operator: Operator
) -> None:
    unlimited = channel.declare_queue(unique("idle.unlimited"))
    longer = channel.declare_queue(unique("idle.longer"), x_expires=3_600_000)
    used = channel.declare_queue(unique("idle.used"))
    channel.consume(used)

    with operator.policies(Policy(pattern(unlimited, "idle"), {"expires": 1})):
        await_end(channel, unlimited)
        await_end(channel, longer)
        is_used = channel.has_queue(used)

    assert is_used


def await_end(channel: Channel, queue_name: str) -> None:
    while channel.has_queue(queue_name):
        channel.peer.pause(f"for queue {queue_name!r} to expire")


def test_delivery_limit_is_the_lower_one(
    channel: Channel, unique: Unique, operator: Operator
) -> None:
    without = channel.declare_queue(unique("twice.without"), **FLAGS["quorum"])
    higher = channel.declare_queue(unique("twice.5"), x_delivery_limit=5, **FLAGS["quorum"])
    lower = channel.declare_queue(unique("twice.0"), x_delivery_limit=0, **FLAGS["quorum"])
    fill_each(channel, [without, higher, lower], b"")

    with operator.policies(
        Policy(pattern(without, "twice"), {"delivery-limit": 2}),
        Policy(pattern(without, "twice.w"), {"delivery-limit": 1}, by_operator=True),
    ):
        counts = [deliveries_until_dropped(channel, name) for name in (without, higher, lower)]

    assert [2, 3, 1] == counts


def deliveries_until_dropped(channel: Channel, queue_name: str) -> int:
    """Have a queue's message requeued until it is gone, and count how often it was delivered."""
    count = 0
    while (message := channel.get(queue_name)) is not None:
        count += 1
        channel.reject(message.parameters.delivery_tag, requeue=True)
        channel.arrived()
    return count


@pytest.mark.rabbitmq_version(">=4.3")
def test_octets_of_properties_count_from_4_3_on(channel: Channel, unique: Unique) -> None:
    """A message without properties has two octets of them."""
    name = channel.declare_queue(unique("short"), x_max_length_bytes=20, **FLAGS["quorum"])

    channel.fill(name, b"123456789")
    channel.fill(name, b"123456789")
    channel.fill(name, b"123", content_type="text/plain")

    assert [b"123"] == channel.get_bodies(name)


def test_streams_go_by_policies_rather_than_by_arguments(
    connect: Connect, channel: Channel, unique: Unique, operator: Operator
) -> None:
    """Nine messages make a segment, or four: its size is what it was on declaration."""
    channel.select_confirm()
    flags = {**FLAGS["stream"], "x_max_length_bytes": 1_000_000_000}
    old = channel.declare_queue(
        unique("log.old"), x_stream_max_segment_size_bytes=10 * KILOBYTE, **flags
    )
    publish_numbers(channel, old, 30)
    definition = {"max-length-bytes": 1, "stream-max-segment-size-bytes": 4 * KILOBYTE}

    with operator.policies(Policy(pattern(old, "log"), definition)):
        await_first(connect, channel, old, 27)
        new = channel.declare_queue(unique("log.new"), **flags)
        publish_numbers(channel, new, 30)
        await_first(connect, channel, new, 28)


def publish_numbers(channel: Channel, queue_name: str, count: int) -> None:
    """Publish numbers, a kilobyte each, each as soon as RabbitMQ has the last."""
    for number in range(count):
        channel.confirmed_publish("", queue_name, str(number).rjust(KILOBYTE).encode())


def await_first(connect: Connect, publisher: Channel, stream: str, expected: int) -> None:
    """Wait until a stream of 30 numbers begins with one."""
    while (first := min(read_from_first(connect, stream, 29))) != expected:
        publisher.peer.pause(f"for stream {stream!r} to begin with {expected} rather than {first}")


# --- exchanges --------------------------------------------------------------------------------


def test_alternate_exchange_of_a_policy(
    channel: Channel, unique: Unique, operator: Operator
) -> None:
    """It is for exchanges that have none of their own, and none who declares again must know."""
    strays, own_strays = channel.declare_queue(unique("strays")), channel.declare_queue(unique("q"))
    fanout = channel.declare_exchange(unique("fanout"), "fanout")
    channel.bind(own_strays, fanout)
    alternate = channel.declare_exchange(unique("alternate"), "fanout")
    channel.bind(strays, alternate)
    old = channel.declare_exchange(unique("x.old"))
    with_own = channel.declare_exchange(unique("x.own"), alternate_exchange=fanout)
    channel.publish(old, "nowhere", b"before", mandatory=True)
    before = channel.returned()

    with operator.policies(
        Policy(pattern(old, "x"), {"alternate-exchange": alternate}, 0, "exchanges"),
        Policy(pattern(old, "x"), {"max-length": 0}, 1, "queues"),
    ):
        new = channel.declare_exchange(unique("x.new"))
        channel.declare_exchange(old)
        channel.publish(old, "nowhere", b"old", mandatory=True)
        channel.publish(new, "nowhere", b"new", mandatory=True)
        channel.publish(with_own, "nowhere", b"own", mandatory=True)
        found = [channel.await_message(name).body for name in (strays, strays, own_strays)]
    channel.publish(old, "nowhere", b"after", mandatory=True)

    assert b"before" == before.body
    assert [b"old", b"new", b"own"] == found
    assert b"after" == channel.returned().body


# --- what is none -----------------------------------------------------------------------------

ALL, NONE = ">=3.10", "<3.10"

DEFINITIONS: list[tuple[dict[str, Any], str]] = [
    ({}, NONE),
    ({"max-lenght": 1}, NONE),
    ({"x-max-length": 1}, NONE),
    ({"max-priority": 5}, NONE),
    ({"single-active-consumer": True}, NONE),
    ({"max-length": 0, "max-length-bytes": 0}, ALL),
    ({"max-length": -1}, NONE),
    ({"max-length": 1.0}, NONE),
    ({"max-length": True}, NONE),
    ({"max-length": "1"}, NONE),
    ({"max-length": None}, NONE),
    ({"max-length-bytes": -1}, NONE),
    ({"max-in-memory-length": 0, "max-in-memory-bytes": 0}, ALL),
    ({"max-in-memory-bytes": -1}, NONE),
    ({"message-ttl": 0}, ALL),
    ({"message-ttl": -1}, NONE),
    ({"expires": 1}, ALL),
    ({"expires": 0}, NONE),
    ({"dead-letter-exchange": "", "dead-letter-strategy": "at-least-once"}, ALL),
    ({"dead-letter-routing-key": "k"}, ALL),
    ({"dead-letter-routing-key": 1}, NONE),
    ({"dead-letter-exchange": 1}, NONE),
    ({"dead-letter-strategy": "never"}, NONE),
    ({"alternate-exchange": "x"}, ALL),
    ({"alternate-exchange": None}, NONE),
    ({"overflow": "drop-head"}, ALL),
    ({"overflow": "reject-publish-dlx"}, ALL),
    ({"overflow": "drop-tail"}, NONE),
    ({"delivery-limit": 0}, ALL),
    ({"delivery-limit": -1}, ">=4.0"),
    ({"delivery-limit": "1"}, NONE),
    ({"consumer-timeout": 0}, ">=4.0"),
    ({"max-age": "7D"}, ALL),
    ({"max-age": "7"}, NONE),
    ({"max-age": "0s"}, NONE),
    ({"max-age": ""}, NONE),
    ({"max-age": 7}, NONE),
    ({"stream-max-segment-size-bytes": 3_000_000_000, "initial-cluster-size": 0}, ALL),
    ({"stream-max-segment-size-bytes": 3_000_000_001}, NONE),
    ({"stream-filter-size-bytes": 16}, ">=4.0"),
    ({"stream-filter-size-bytes": 15}, NONE),
    ({"stream-filter-size-bytes": 256}, NONE),
    ({"queue-leader-locator": "least-leaders"}, ALL),
    ({"queue-leader-locator": "leader"}, NONE),
    ({"queue-mode": "lazy", "queue-version": 2}, ALL),
    ({"queue-mode": "busy"}, NONE),
    ({"queue-version": 3}, NONE),
    ({"queue-master-locator": "client-local"}, "<4.3"),
    ({"queue-master-locator": "min-masters"}, "<4.3"),
    ({"queue-master-locator": "master"}, NONE),
    ({"queue-master-locator": "balanced"}, ">=4.0,<4.3"),
    ({"consumer-disconnected-timeout": 0}, ">=4.3"),
    ({"consumer-disconnected-timeout": -1}, NONE),
    ({"delayed-retry-type": "all", "delayed-retry-min": 1}, ">=4.3"),
    ({"delayed-retry-type": "failed", "delayed-retry-min": 1}, ">=4.3"),
    ({"delayed-retry-type": "returned", "delayed-retry-min": 1}, ">=4.3"),
    ({"delayed-retry-type": "disabled"}, ">=4.3"),
    ({"delayed-retry-type": "all"}, NONE),
    ({"delayed-retry-type": "some", "delayed-retry-min": 1}, NONE),
    ({"delayed-retry-min": 3, "delayed-retry-max": 3}, ">=4.3"),
    ({"delayed-retry-min": 3, "delayed-retry-max": 2}, NONE),
    ({"delayed-retry-min": 0}, NONE),
    ({"target-group-size": 1}, ">=4.0"),
    ({"target-group-size": 0}, NONE),
    ({"ha-mode": "all", "ha-sync-mode": "manual", "ha-sync-batch-size": 1}, "<4.0"),
    ({"ha-mode": "all", "ha-promote-on-shutdown": "always"}, "<4.0"),
    ({"ha-mode": "all", "ha-promote-on-failure": "never"}, NONE),
    ({"ha-mode": "all", "ha-params": 1}, NONE),
    ({"ha-mode": "exactly", "ha-params": 2}, "<4.0"),
    ({"ha-mode": "exactly", "ha-params": 0}, NONE),
    ({"ha-mode": "exactly"}, NONE),
    ({"ha-mode": "nodes", "ha-params": ["a"]}, "<4.0"),
    ({"ha-mode": "nodes", "ha-params": []}, NONE),
    ({"ha-mode": "some"}, NONE),
    ({"ha-sync-mode": "manual"}, NONE),
    ({"federation-upstream": "u"}, NONE),
]
OPERATORS: list[tuple[dict[str, Any], str]] = [
    ({"max-length": 0, "max-length-bytes": 0, "message-ttl": 0, "expires": 1}, ALL),
    ({"max-in-memory-length": 0, "max-in-memory-bytes": 0, "delivery-limit": 0}, ALL),
    ({"max-length": -1}, NONE),
    ({"overflow": "drop-head", "queue-version": 2}, ">=4.0"),
    ({"target-group-size": 1}, ">=4.0"),
    ({"queue-master-locator": "client-local"}, ">=4.0,<4.3"),
    ({"delayed-retry-type": "all", "delayed-retry-min": 1}, ">=4.3"),
    ({"consumer-disconnected-timeout": 0}, NONE),
    ({"dead-letter-exchange": ""}, NONE),
    ({"alternate-exchange": ""}, NONE),
    ({"consumer-timeout": 0}, NONE),
    ({"max-age": "7D"}, NONE),
    ({"queue-mode": "lazy"}, NONE),
]
ONE = {"max-length": 1}
OTHERS = [
    (Policy("(", ONE), NONE),
    (Policy("^none$", ONE, -1), ALL),
    (Policy("^none$", ONE, 0, "exchanges", by_operator=True), ALL),
    (Policy("^none$", ONE, 0, "streams"), ">=4.0"),
    (Policy("^none$", ONE, 0, "everything"), NONE),
]


def test_policy_has_known_keys_and_values_that_suit_them(
    broker: Broker, operator: Operator
) -> None:
    policies = [
        *((Policy("^none$", definition), taken_by) for definition, taken_by in DEFINITIONS),
        *((Policy("^none$", each, by_operator=True), taken_by) for each, taken_by in OPERATORS),
        *OTHERS,
    ]

    taken = operator.takes(*(policy for policy, _ in policies))

    expected = [policy for policy, taken_by in policies if broker.is_among(taken_by)]
    assert expected == [
        policy for (policy, _), is_one in zip(policies, taken, strict=True) if is_one
    ]
