"""Scripted faults: whom they strike, how often, what they count, and how they end."""

import asyncio
import re
from typing import Any

import pytest

import ammoo
from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.snapshots import MessageSnapshot
from ammoo_wire import ConfirmSelectParameters, QueueDeclareParameters, TxSelectParameters
from tests.broker.link import Line
from tests.broker.scripted import Stage, confirms, names


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def line(stage: Stage) -> Line:
    line = stage.connect()
    line.ask(ConfirmSelectParameters(), QueueDeclareParameters("queue"))
    return line


def publish(line: Line, count: int, routing_key: str = "queue") -> str:
    """Publish messages one by one; return what became of each: a for ack, n for nack."""
    outcomes = [confirms(line.publish(routing_key))[0][0] for _ in range(count)]
    return "".join({"BasicAck": "a", "BasicNack": "n"}[outcome] for outcome in outcomes)


def outcomes_of_30(stage: Stage) -> str:
    """Publish thirty messages in confirm mode; return what became of each (see `publish`)."""
    line = stage.connect()
    line.ask(ConfirmSelectParameters(), QueueDeclareParameters("queue"))
    return publish(line, 30)


def publish_by(*lines: Line) -> None:
    """Publish a message by each client."""
    for line in lines:
        line.publish("queue")


@pytest.mark.parametrize(
    ("limits", "outcomes"),
    [
        ({}, "nnnnnn"),
        ({"times": 1}, "naaaaa"),
        ({"skip": 2}, "aannnn"),
        ({"every": 2}, "nanana"),
        ({"skip": 1, "every": 3, "times": 1}, "anaaaa"),
        ({"skip": 1, "every": 3}, "anaana"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_fault_strikes_as_often_as_its_limits_say(
    stage: Stage, line: Line, limits: dict[str, Any], outcomes: str
) -> None:
    fault = stage.faults.nack_publishes(**limits)

    assert outcomes == publish(line, 6)
    assert (outcomes.count("n"), 6) == (fault.count, fault.matched)


def test_limits_count_over_all_connections(stage: Stage, line: Line) -> None:
    other = stage.connect()
    other.ask(ConfirmSelectParameters())
    stage.faults.nack_publishes(times=1)

    assert ("n", "a") == (publish(line, 1), publish(other, 1))


def test_each_fault_draws_from_a_stream_of_its_own() -> None:
    alone, again, beside_another = Stage(seed=7), Stage(seed=7), Stage(seed=7)
    alone.faults.nack_publishes(probability=0.5)
    again.faults.nack_publishes(probability=0.5)
    beside_another.faults.nack_publishes(probability=0.5)
    beside_another.faults.hold_confirms(probability=0.5, exchange_name="another")

    outcomes = outcomes_of_30(alone)

    assert outcomes == outcomes_of_30(again) == outcomes_of_30(beside_another)
    assert {"a", "n"} == set(outcomes)


def test_newest_fault_strikes_first(stage: Stage, line: Line) -> None:
    older = stage.faults.nack_publishes(times=1)
    newer = stage.faults.return_publishes(times=1)

    assert "ana" == publish(line, 3)
    assert (1, 1) == (older.count, newer.count)
    assert (newer, older) == stage.faults.active


@pytest.mark.parametrize(
    ("scope", "outcomes"),
    [
        ({"routing_key": "queue"}, "n"),
        ({"routing_key": "other"}, "a"),
        ({"routing_key": re.compile("^qu")}, "n"),
        ({"routing_key": lambda key: key.endswith("x")}, "a"),
        ({"exchange_name": ""}, "n"),
        ({"user": "guest", "virtualhost": "/", "channel_number": 1}, "n"),
        ({"channel_number": 2}, "a"),
        ({"connection": re.compile(r"^127\.0\.0\.1")}, "n"),
        ({"connection": "worker"}, "a"),
        ({"connection": lambda connection: connection.channel_count == 1}, "n"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_fault_strikes_its_scope(
    stage: Stage, line: Line, scope: dict[str, Any], outcomes: str
) -> None:
    stage.faults.nack_publishes(**scope)

    assert outcomes == publish(line, 1)


def test_message_decides_by_body_and_properties(stage: Stage, line: Line) -> None:
    def is_struck(message: MessageSnapshot) -> bool:
        return message.body == b"2" and message.properties.message_id == "id"

    stage.faults.nack_publishes(message=is_struck)
    found = [line.publish("queue", body, message_id="id") for body in (b"1", b"2")]

    assert ["BasicAck", "BasicNack"] == [name for one in found for name in names(one)]


# -- ending ------------------------------------------------------------------------------------


def test_fault_is_in_force_until_it_is_removed(stage: Stage, line: Line) -> None:
    with stage.faults.nack_publishes() as first:
        inside = publish(line, 1)
    second = stage.faults.nack_publishes()
    second.remove()
    second.remove()
    stage.faults.nack_publishes()
    stage.faults.nack_publishes()
    stage.faults.clear()

    assert ("n", "a") == (inside, publish(line, 1))
    assert (False, False) == (first.is_in_force, second.is_in_force)
    assert () == stage.faults.active


@pytest.mark.parametrize(
    ("exchange_name", "reason"),
    [
        ("other", r"none of 2 publishes matched: exchange_name was '' \(2x\)"),
        ("", "2 publishes matched; its limits are skip=5"),
    ],
)
def test_block_without_a_strike_raises_and_says_why(
    stage: Stage, line: Line, exchange_name: str, reason: str
) -> None:
    fault = stage.faults.nack_publishes(exchange_name=exchange_name, skip=5)

    with pytest.raises(AssertionError, match=f"^nack_publishes.* never struck: {reason}$"), fault:
        publish(line, 2)


def test_block_without_any_traffic_raises(stage: Stage) -> None:
    with (
        pytest.raises(AssertionError, match="never struck: there was no publish"),
        stage.faults.nack_publishes(),
    ):
        pass


def test_block_says_that_nothing_could_be_struck(stage: Stage) -> None:
    line = stage.connect()
    line.ask(TxSelectParameters(), channel=1)
    other = stage.connect()
    reason = "3 publishes matched, on channels that are not in confirm mode"

    with pytest.raises(AssertionError, match=reason), stage.faults.nack_publishes():
        publish_by(other, other, line)


def test_optional_fault_and_a_failing_test_raise_nothing_more(stage: Stage) -> None:
    with stage.faults.nack_publishes(optional=True):
        pass
    with pytest.raises(KeyError), stage.faults.nack_publishes():
        raise KeyError


def test_strike_at_the_last_moment_counts(
    stage: Stage, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = stage.faults.nack_publishes()
    remove = fault._remove
    monkeypatch.setattr(fault, "_remove", lambda: (publish(line, 1), remove()))

    with fault:
        pass

    assert 1 == fault.count


def test_strikes_are_remembered(stage: Stage, line: Line) -> None:
    fault = stage.faults.nack_publishes(times=1)
    line.publish("queue", b"12345")

    (strike,) = fault.events

    assert ("nack_publishes", 1) == (strike.fault, strike.channel_number)
    assert "publish to exchange '' with key 'queue' (5 octets)" == strike.description
    fault.wait(1, timeout=0)
    with pytest.raises(AssertionError, match=r"struck 1 time after 0 s, 2 awaited: 1 publish"):
        fault.wait(2, timeout=0)


async def test_strikes_are_awaited_in_the_loop() -> None:
    async with FakeBroker() as broker, await ammoo.connect(broker.url) as connection:
        fault = broker.faults.delay_method("queue.declare", seconds=3600)
        async with connection.channel() as channel:
            declaring = asyncio.create_task(channel.declare_queue("queue"))
            await fault.wait_async(1)
            with pytest.raises(AssertionError, match="struck 1 time after 0 s, 2 awaited"):
                await fault.wait_async(2, timeout=0)
            with pytest.raises(RuntimeError, match="await wait_async"):
                fault.wait(1)
            fault.remove()
            assert "queue" == (await declaring).queue_name


def test_wait_for_a_fault_that_is_removed_fails_at_once(stage: Stage) -> None:
    fault = stage.faults.nack_publishes()
    fault.remove()

    with pytest.raises(AssertionError, match="struck 0 times until it was removed, 1 awaited"):
        fault.wait()


async def test_wait_for_a_fault_ends_with_the_broker() -> None:
    async with FakeBroker() as broker:
        fault = broker.faults.nack_publishes()
        waiting = asyncio.create_task(fault.wait_async(timeout=3600))
        await broker.settle()

    with pytest.raises(AssertionError, match="struck 0 times until it was removed, 1 awaited"):
        await waiting


# -- plain data --------------------------------------------------------------------------------


def test_fault_is_made_from_plain_data(stage: Stage, line: Line) -> None:
    fault = stage.faults.add("nack_publishes", {"exchange_name": "", "skip": 1, "times": 1})

    assert "ana" == publish(line, 3)
    assert {"exchange_name": "", "skip": 1, "times": 1} == fault.options
    assert ("nack_publishes", 1) == (fault.name, fault.ordinal)


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("nack_publish", {}, "there is no fault 'nack_publish'; did you mean 'nack_publishes'?"),
        ("active", {}, "there is no fault 'active'; "),
        ("nack_publishes", {"tmies": 2}, "nack_publishes has no option 'tmies'; did you mean"),
        ("nack_publishes", {"queue_name": "q"}, "no option 'queue_name'; its options are "),
        ("nack_publishes", {"times": "2"}, "times is '2'; expected an integer from 1 on"),
        ("nack_publishes", {"every": 0}, "every is 0; expected an integer from 1 on"),
        ("nack_publishes", {"skip": True}, "skip is True; expected an integer from 0 on"),
        ("nack_publishes", {"probability": 2}, "probability is 2; expected a number above 0"),
        ("nack_publishes", {"probability": "x"}, "probability is 'x'; expected a number"),
        ("nack_publishes", {"optional": 1}, "optional is 1; expected True or False"),
        ("nack_publishes", {"exchange_name": 1}, "exchange_name is 1; expected a string"),
        ("nack_publishes", {"message": "m"}, "message is 'm'; expected a function"),
        ("nack_publishes", {"exchange_name": ["a"]}, r"exchange_name is \['a'\]; expected"),
        ("reorder_confirms", {}, "reorder_confirms lacks its option 'window'"),
        ("reorder_confirms", {"window": 1}, "window is 1; expected an integer from 2 on"),
        ("merge_confirms", {"count": "x"}, "count is 'x'; expected an integer from 2 on"),
        ("delay_deliveries", {"seconds": 0}, "seconds is 0; expected a number above 0"),
        ("delay_deliveries", {"seconds": "x"}, "seconds is 'x'; expected a number above 0"),
        ("close_channels", {"code": 999}, "code is 999; expected one of 200, 311"),
        ("close_channels", {"code": 541}, "code is 541 .* which closes connections"),
        ("fail_method", {"method": "queue.declar"}, "did you mean 'queue.declare'?"),
    ],
)
def test_plain_data_is_checked(
    stage: Stage, name: str, options: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError, match=text.replace("?", r"\?")):
        stage.faults.add(name, options)
    assert () == stage.faults.active
