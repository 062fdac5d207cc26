"""Connections that are blocked, closed and cut at once: all, or those that a test chooses."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest

from ammoo_fakebroker import FakeBroker

_Connect = Callable[[str], pika.BlockingConnection]


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker


@pytest.fixture
def connect(broker: FakeBroker) -> Iterator[_Connect]:
    """Return a function that opens a connection of a name."""
    connections = []

    def connect(name: str) -> pika.BlockingConnection:
        parameters = pika.URLParameters(broker.url)
        parameters.client_properties = {"connection_name": name}
        connection = pika.BlockingConnection(parameters)
        connections.append(connection)
        return connection

    yield connect
    for connection in connections:
        with suppress(pika.exceptions.AMQPError):
            connection.close()


def publish(connection: pika.BlockingConnection) -> list[str]:
    """Publish a message; return the reasons for which the connection is blocked."""
    reasons: list[str] = []
    connection.add_on_connection_blocked_callback(
        lambda _, frame: reasons.append(frame.method.reason)
    )
    connection.channel().basic_publish("", "queue", b"1")
    connection.process_data_events()
    return reasons


def is_blocked(broker: FakeBroker) -> list[bool]:
    return [connection.is_blocked for connection in broker.connections]


def test_alarms_with_one_reason_are_cleared_one_by_one(broker: FakeBroker) -> None:
    with broker.block():
        with broker.block():
            pass
        blocked = broker._call(lambda: broker._node.alarms.reason)
        broker.block(connection="one")
        broker.block()
        broker.unblock("low on memory")

    assert ("low on memory", None) == (blocked, broker._node.alarms.reason)


def test_alarm_is_over_at_the_end_of_its_block(broker: FakeBroker, connect: _Connect) -> None:
    connection = connect("one")

    with broker.block():
        publish(connection)
        inside = is_blocked(broker)

    assert ([True], [False]) == (inside, is_blocked(broker))
    alarm = broker.block("low on disk")
    publish(connection)
    alarm.clear()
    assert [False] == is_blocked(broker)


@pytest.mark.parametrize("choice", ["one", re.compile("^o"), lambda seen: seen.user == "guest"])
def test_alarm_can_concern_one_connection(
    broker: FakeBroker, connect: _Connect, choice: object
) -> None:
    one, two = connect("one"), connect("two")
    broker.declare_queue("queue")
    is_function = callable(choice)

    with broker.block(connection=choice):  # type: ignore[arg-type]  # of several types
        publish(one)
        publish(two)
        assert [True, is_function] == is_blocked(broker)

    assert [False, False] == is_blocked(broker)
    assert 2 == broker.queue("queue").message_count


def test_alarms_for_one_and_for_all_are_cleared_by_their_reason(
    broker: FakeBroker, connect: _Connect
) -> None:
    one, two = connect("one"), connect("two")
    broker.block("low on disk", connection="one")
    broker.block()
    publish(one)
    publish(two)

    broker.unblock("low on memory")
    assert [True, False] == is_blocked(broker)
    broker.unblock("low on disk")
    assert [False, False] == is_blocked(broker)


def test_one_connection_is_cut_or_closed(broker: FakeBroker, connect: _Connect) -> None:
    cut, closed, kept = connect("cut"), connect("closed"), connect("kept")

    broker.cut_connections(connection="cut")
    broker.close_connections("enough", connection="closed")

    with pytest.raises(pika.exceptions.StreamLostError):
        cut.channel()
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="enough"):
        closed.channel()
    assert ["kept"] == [each.client_properties["connection_name"] for each in broker.connections]
    assert kept.channel().is_open
    seen = broker.connections[0]
    broker.cut_connections(connection=seen)
    with pytest.raises(pika.exceptions.StreamLostError):
        kept.channel()


@pytest.mark.parametrize("method", ["cut_connections", "close_connections"])
@pytest.mark.parametrize(
    ("choice", "described"),
    [
        ("woker", "'woker'"),
        (re.compile("woker"), "with a name that matches 'woker'"),
        (lambda _: False, "that the function accepts"),
    ],
)
def test_connection_that_does_not_exist_is_no_choice(
    broker: FakeBroker, connect: _Connect, method: str, choice: Any, described: str
) -> None:
    connect("worker")

    with pytest.raises(
        LookupError, match=rf"^the broker has no connection {described}; it has .*'worker'"
    ):
        getattr(broker, method)(connection=choice)

    assert 1 == len(broker.connections)


def test_connection_of_a_snapshot_is_gone(broker: FakeBroker, connect: _Connect) -> None:
    connect("worker").close()
    connect("worker")
    seen = broker.connections[0]
    broker.cut_connections()

    with pytest.raises(LookupError, match=f"'{seen.name}' any more; no connection is open"):
        broker.cut_connections(connection=seen)
    broker.cut_connections()
