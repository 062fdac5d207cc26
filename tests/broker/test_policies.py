"""Policies where no RabbitMQ is needed, or none can be waited for: refusals, and what takes long."""

import re
from collections.abc import Iterator
from typing import Any

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest
from pika.adapters.blocking_connection import (  # type: ignore[import-untyped]  # it ships no types
    BlockingChannel,
)

from ammoo_fakebroker import FakeBroker, ManualClock
from tests.support.releases import FAKE_RELEASES

QUORUM = {"x-queue-type": "quorum"}


@pytest.fixture(params=FAKE_RELEASES)
def broker(request: pytest.FixtureRequest) -> Iterator[FakeBroker]:
    with FakeBroker(clock=ManualClock(), compatibility=request.param) as broker:
        yield broker


@pytest.fixture
def newer() -> Iterator[FakeBroker]:
    with FakeBroker(clock=ManualClock()) as broker:
        yield broker


def open_channel(broker: FakeBroker) -> BlockingChannel:
    channel = pika.BlockingConnection(pika.URLParameters(broker.url)).channel()
    channel.confirm_delivery()
    return channel


@pytest.fixture
def channel(broker: FakeBroker) -> Iterator[BlockingChannel]:
    channel = open_channel(broker)
    yield channel
    if channel.is_open:
        channel.connection.close()


def declare_quorum(channel: BlockingChannel, name: str, **arguments: Any) -> None:
    own = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
    channel.queue_declare(name, durable=True, arguments={**QUORUM, **own})


def reject(channel: BlockingChannel, name: str, *, requeue: bool = False) -> None:
    """Give a queue's message back, and wait until the broker has it."""
    method, _, _ = channel.basic_get(name)
    channel.basic_reject(method.delivery_tag, requeue=requeue)
    channel.queue_declare(name, passive=True)


# --- setting and clearing ---------------------------------------------------------------------


def fill(channel: BlockingChannel, *bodies: bytes) -> None:
    """Publish messages to the queue."""
    for body in bodies:
        channel.basic_publish("", "queue", body)


def count_with(broker: FakeBroker, length: int) -> int:
    """Limit the queue's length; give how many messages are left."""
    broker.set_policy("short", "queue", {"max-length": length})
    return broker.queue("queue").message_count


def test_policy_applies_in_its_virtual_host(broker: FakeBroker, channel: BlockingChannel) -> None:
    broker.add_virtualhost("shop")
    broker.set_policy("short", "", {"max-length": 1}, virtualhost="shop")
    broker.set_operator_policy("short", "", {"max-length": 1}, virtualhost="shop")
    channel.queue_declare("queue")
    fill(channel, b"1", b"2")

    assert 2 == broker.queue("queue").message_count


def test_policy_is_replaced(broker: FakeBroker, channel: BlockingChannel) -> None:
    channel.queue_declare("queue")
    fill(channel, b"1", b"2", b"3")

    assert [3, 2, 1] == [count_with(broker, length) for length in (5, 2, 1)]


def test_definition_is_the_callers(broker: FakeBroker, channel: BlockingChannel) -> None:
    definition = {"max-length": 1}
    broker.set_policy("short", "queue", definition)
    definition["max-length"] = 0
    channel.queue_declare("queue")
    channel.basic_publish("", "queue", b"1")

    assert 1 == broker.queue("queue").message_count


def test_many_policies(broker: FakeBroker, channel: BlockingChannel) -> None:
    """The one of the highest priority applies; whether one that fits, whatever comes or goes."""
    channel.queue_declare("queue")
    fill(channel, b"1", b"2", b"3", b"4", b"5")
    broker.set_policy("other", "^other$", {"max-length": 0}, priority=100)
    broker.set_policy("exchanges", "queue", {"max-length": 0}, priority=100, apply_to="exchanges")
    broker.set_policy("streams'", "queue", {"max-length": 0, "max-age": "1s"}, priority=100)
    counts = []

    broker.set_policy("low", "q", {"max-length": 4}, priority=-1)
    counts.append(broker.queue("queue").message_count)
    broker.set_policy("high", "q", {"max-length": 5}, priority=7)
    channel.basic_publish("", "queue", b"6")
    counts.append(broker.queue("queue").message_count)
    broker.set_policy("middle", "q", {"max-length": 3})
    counts.append(broker.queue("queue").message_count)
    broker.clear_policy("high")
    counts.append(broker.queue("queue").message_count)
    broker.clear_policy("middle")
    channel.basic_publish("", "queue", b"7")
    channel.basic_publish("", "queue", b"8")
    counts.append(broker.queue("queue").message_count)

    assert [4, 5, 5, 3, 4] == counts


def test_operator_policy_is_cleared(broker: FakeBroker, channel: BlockingChannel) -> None:
    channel.queue_declare("queue")
    broker.set_operator_policy("short", "q", {"max-length": 0}, apply_to="queues")
    channel.basic_publish("", "queue", b"1")

    broker.clear_operator_policy("short")
    channel.basic_publish("", "queue", b"2")

    assert [b"2"] == [message.body for message in broker.messages("queue")]


def test_what_is_not_there(broker: FakeBroker) -> None:
    broker.set_policy("policy", "", {"max-length": 0})

    with pytest.raises(LookupError, match="no virtual host 'nowhere'"):
        broker.set_policy("policy", "", {"max-length": 0}, virtualhost="nowhere")
    with pytest.raises(LookupError, match="the virtual host has no policy 'other'; it has "):
        broker.clear_policy("other")
    with pytest.raises(LookupError, match="the virtual host has no operator policy 'policy'"):
        broker.clear_operator_policy("policy")


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({}, "definition is {}; expected a mapping with at least one key such as 'max-length'"),
        (
            ["max-length"],
            (
                "definition is ['max-length']; expected a mapping with at least one key such as"
                " 'max-length'"
            ),
        ),
        ({"max-length": -1}, "max-length is -1; expected an integer from 0 on"),
        ({"expires": 0}, "expires is 0; expected an integer from 1 on"),
        (
            {"stream-filter-size-bytes": 1},
            "stream-filter-size-bytes is 1; expected an integer from 16 to 255",
        ),
        (
            {"overflow": "drop-tail"},
            (
                "overflow is 'drop-tail'; expected 'drop-head' or 'reject-publish'"
                " or 'reject-publish-dlx'"
            ),
        ),
        ({"queue-version": True}, "queue-version is True; expected 1 or 2"),
        ({"alternate-exchange": 1}, "alternate-exchange is 1; expected the name of an exchange"),
        (
            {"max-age": "7"},
            (
                "max-age is '7'; expected a positive number with a unit (Y, M, D, h, m or s)"
                " such as '7D'"
            ),
        ),
    ],
)
def test_refused_definition_says_what_is_wrong(
    newer: FakeBroker, definition: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        newer.set_policy("policy", "", definition)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (
            {"ha-sync-mode": "manual"},
            "definition has the key 'ha-sync-mode'; expected 'ha-mode' with it",
        ),
        ({"ha-mode": "exactly"}, "ha-mode is 'exactly'; expected 'ha-params' with it"),
        (
            {"ha-mode": "all", "ha-params": 1},
            "ha-params is 1; expected no 'ha-params' with this 'ha-mode'",
        ),
        (
            {"ha-mode": "nodes", "ha-params": "a"},
            "ha-params is 'a'; expected a list of names of nodes",
        ),
    ],
)
def test_refused_mirroring_says_what_is_wrong(definition: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        FakeBroker(compatibility="3.10").set_policy("policy", "", definition)


def test_refused_key_says_which_there_are(newer: FakeBroker) -> None:
    with pytest.raises(ValueError, match=r"the key 'max-lenght'; did you mean 'max-length'\?"):
        newer.set_policy("policy", "", {"max-lenght": 1})
    with pytest.raises(
        ValueError, match="has the key 'max-age'; expected some of delayed-retry-max,"
    ):
        newer.set_operator_policy("policy", "", {"max-age": "1s"})


def test_other_refusals_say_what_is_wrong(newer: FakeBroker) -> None:
    with pytest.raises(ValueError, match=r"pattern is '\('; expected a regular expression: "):
        newer.set_policy("policy", "(", {"max-length": 1})
    with pytest.raises(ValueError, match="priority is '1'; expected an integer"):
        newer.set_policy("policy", "", {"max-length": 1}, priority="1")  # type: ignore[arg-type]  # the point
    with pytest.raises(ValueError, match="apply_to is 'all queues'; expected 'all' or 'queues'"):
        newer.set_policy("policy", "", {"max-length": 1}, apply_to="all queues")


# --- what takes long on a RabbitMQ ------------------------------------------------------------


def test_time_without_use_begins_anew(broker: FakeBroker, channel: BlockingChannel) -> None:
    channel.queue_declare("queue", arguments={"x-expires": 10_000})
    broker.advance(9)
    broker.set_policy("idle", "queue", {"expires": 5000})
    broker.advance(4)
    is_there = "queue" in broker.queues()
    broker.clear_policy("idle")
    broker.advance(9)
    is_there_still = "queue" in broker.queues()
    broker.advance(1)

    assert (True, True) == (is_there, is_there_still)
    assert {} == broker.queues()


def test_no_queue_goes_any_more_when_the_policy_is_gone(
    broker: FakeBroker, channel: BlockingChannel
) -> None:
    channel.queue_declare("queue")
    broker.set_policy("idle", "queue", {"expires": 5000})
    broker.clear_policy("idle")
    broker.advance(5)

    assert ["queue"] == list(broker.queues())


@pytest.mark.parametrize(("compatibility", "seconds"), [("3.10", 10), ("4.0", 5)])
def test_policy_overrules_when_a_quorum_queue_of_the_older_release_goes(
    compatibility: str, seconds: int
) -> None:
    with FakeBroker(clock=ManualClock(), compatibility=compatibility) as broker:
        channel = open_channel(broker)
        declare_quorum(channel, "queue", expires=5000)
        broker.set_policy("idle", "queue", {"expires": 10_000})
        broker.advance(seconds - 1)
        is_there = "queue" in broker.queues()
        broker.advance(1)

        assert is_there
        assert {} == broker.queues()
        channel.connection.close()


def test_new_time_to_live_is_looked_at_in_time(
    broker: FakeBroker, channel: BlockingChannel
) -> None:
    channel.queue_declare("queue")
    channel.basic_publish("", "queue", b"1")
    broker.set_policy("brief", "queue", {"message-ttl": 5000})
    channel.basic_publish("", "queue", b"2")
    broker.clear_policy("brief")
    broker.advance(5)
    before = broker.queue("queue").message_count
    broker.set_policy("short", "queue", {"max-length": 1})

    assert 2 == before
    assert 0 == broker.queue("queue").message_count


def test_at_least_once_begins_and_ends_with_a_policy(
    broker: FakeBroker, channel: BlockingChannel
) -> None:
    """What is still on its way when it ends is lost."""
    declare_quorum(channel, "queue")
    definition = {
        "dead-letter-exchange": "",
        "dead-letter-routing-key": "dead",
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
    }
    broker.set_policy("safe", "queue", definition)
    channel.basic_publish("", "queue", b"1")
    reject(channel, "queue")
    channel.queue_declare("dead")
    broker.advance(180)
    arrived = broker.queue("dead").message_count
    channel.queue_delete("dead")
    channel.basic_publish("", "queue", b"2")
    reject(channel, "queue")
    channel.queue_declare("dead")
    broker.clear_policy("safe")
    broker.set_policy("safe", "queue", definition)
    broker.advance(360)

    assert 1 == arrived
    assert 0 == broker.queue("dead").message_count


@pytest.mark.parametrize(
    ("limits", "deliveries"),
    [
        ({"policy": -1}, 30),
        ({"policy": -1, "argument": 2}, 3),
        ({"policy": 2, "argument": -1}, 3),
        ({"policy": -1, "operator": 2}, 3),
        ({"policy": 2, "operator": -1}, 3),
        ({"policy": -1, "operator": -1}, 30),
        ({"policy": 2, "argument": "many"}, 3),
    ],
)
def test_any_delivery_limit_is_lower_than_none(
    newer: FakeBroker, limits: dict[str, Any], deliveries: int
) -> None:
    channel = open_channel(newer)
    declare_with_limits(newer, channel, **limits)
    channel.basic_publish("", "queue", b"")

    assert deliveries == deliveries_of_first(newer, channel, most=30)
    channel.connection.close()


def declare_with_limits(
    broker: FakeBroker,
    channel: BlockingChannel,
    *,
    policy: Any,
    argument: Any = None,
    operator: Any = None,
) -> None:
    """Declare a quorum queue with the delivery limits that are not None."""
    declare_quorum(channel, "queue", **({} if argument is None else {"delivery_limit": argument}))
    broker.set_policy("policy", "", {"delivery-limit": policy})
    if operator is not None:
        broker.set_operator_policy("operator", "", {"delivery-limit": operator})


def deliveries_of_first(broker: FakeBroker, channel: BlockingChannel, *, most: int) -> int:
    """Reject a message until it is gone, or so often; return how often it was delivered."""
    count = 0
    while count < most and broker.queue("queue").message_count:
        reject(channel, "queue", requeue=True)
        count += 1
    return count


def test_consumer_timeout_is_the_lower_one(newer: FakeBroker) -> None:
    channel = open_channel(newer)
    arguments = {"x-consumer-timeout": 1_000_000, "x-queue-type": "quorum"}
    channel.queue_declare("queue", durable=True, arguments=arguments)
    newer.set_policy("patience", "queue", {"consumer-timeout": 100_000})
    channel.basic_publish("", "queue", b"")
    channel.basic_get("queue")
    newer.advance(300)

    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="timeout"):
        channel.queue_declare("queue", passive=True)

    channel.connection.close()


def test_streams_forget_what_a_policy_calls_old(
    broker: FakeBroker, channel: BlockingChannel
) -> None:
    arguments = {"x-queue-type": "stream", "x-stream-max-segment-size-bytes": 1000}
    channel.queue_declare("log", durable=True, arguments=arguments)
    channel.basic_publish("", "log", bytes(1000))
    channel.basic_publish("", "log", bytes(1000))
    channel.basic_publish("", "log", bytes(1000))
    broker.advance(10)
    counts = []

    broker.set_policy("log", "log", {"max-age": "1h"})
    counts.append(broker.queue("log").message_count)
    broker.set_policy("log", "log", {"max-age": "5s"})
    counts.append(broker.queue("log").message_count)

    assert [5, 2] == counts  # the last segment begins with something unseen
