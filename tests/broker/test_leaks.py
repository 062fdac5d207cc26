"""What the leak check finds at the end of a test, and how it names it."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest

from ammoo_fakebroker import FakeBroker, ManualClock
from ammoo_fakebroker.testing.leaks import find_leaks


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker(history=100, clock=ManualClock()) as broker:
        broker.declare_queue("orders")
        broker.put("orders", b"one")
        yield broker


@pytest.fixture
def connection(broker: FakeBroker) -> Iterator[Any]:
    parameters = pika.URLParameters(broker.url)
    parameters.client_properties = {"connection_name": "worker"}
    connection = pika.BlockingConnection(parameters)
    yield connection
    with suppress(pika.exceptions.AMQPError):
        connection.close()


def test_nothing_is_left_by_a_client_that_has_closed(broker: FakeBroker, connection: Any) -> None:
    connection.channel().basic_get("orders", auto_ack=True)
    connection.close()

    assert [] == find_leaks(broker, ("connections", "channels", "unacknowledged", "unroutable"))


def test_socket_on_which_no_connection_was_opened_is_left(broker: FakeBroker) -> None:
    with socket.create_connection((broker.host, broker.port)) as client:
        client.sendall(b"AMQP\0\0\x09\x01")
        (leak,) = find_leaks(broker, ("connections",))

    assert leak.startswith("1 connection is still open: '127.0.0.1:")
    assert ", which the client has not opened)" in leak


def test_what_the_broker_has_closed_is_not_left(broker: FakeBroker, connection: Any) -> None:
    channel = connection.channel()
    channel.basic_get("orders")
    channel.basic_publish("missing", "", b"two")
    of_channel = find_leaks(broker, ("channels", "unacknowledged"))
    broker.close_connections()

    leaks = find_leaks(broker, ("connections", "channels", "unacknowledged"))

    assert ([], []) == (of_channel, leaks)


def test_transaction_that_was_not_committed_is_named(broker: FakeBroker, connection: Any) -> None:
    channel = connection.channel()
    channel.tx_select()
    method, _, _ = channel.basic_get("orders")
    channel.basic_ack(method.delivery_tag)
    channel.basic_publish("", "orders", b"two")

    channels, held = find_leaks(broker, ("channels", "unacknowledged"))

    assert (
        "1 channel is still open: channel 1 of 'worker' (1 publish and 1 settlement wait for"
        " tx.commit)."
    ) == channels
    assert held.endswith("is with 'worker', channel 1 (settled, but not committed).")


def test_faults_that_need_not_strike_are_not_named(broker: FakeBroker) -> None:
    broker.faults.nack_publishes(optional=True)
    broker.faults.refuse_connections()
    broker.faults.fail_logins(user="joe")

    assert ["1 fault never struck: fail_logins(user='joe')."] == find_leaks(
        broker, ("unused_faults",)
    )


def fill(broker: FakeBroker) -> None:
    """Let the history lose its first events."""
    for _ in range(60):
        broker.put("orders", b"three")


def test_history_that_has_lost_events_is_named(broker: FakeBroker, connection: Any) -> None:
    broker.publish("", "orders", b"two")
    connection.channel().basic_publish("", "nowhere", b"lost")
    (before,) = find_leaks(broker, ("unroutable",))
    fill(broker)

    (leak,) = find_leaks(broker, ("unroutable",))

    assert before.startswith("1 message reached no queue: ")
    assert leak.startswith("whether a message reached no queue is not known: the history holds")


def test_requeue_takes_what_closing_channels_hold(broker: FakeBroker, connection: Any) -> None:
    channel = connection.channel()
    channel.basic_get("orders")
    channel.basic_publish("missing", "", b"two")
    before = broker.queue("orders").message_count

    requeued = broker.requeue("orders")

    assert (0, 1, 1) == (before, requeued, broker.queue("orders").message_count)
    connection.process_data_events()
    assert 1 == broker.queue("orders").message_count


def test_time_stands_still_while_a_closing_channel_holds_deliveries(
    broker: FakeBroker, connection: Any
) -> None:
    broker.declare_queue("safe", durable=True, arguments={"x-queue-type": "quorum"})
    broker.put("safe", b"one")
    channel = connection.channel()
    channel.basic_consume("safe", lambda *_: None, consumer_tag="reader")
    channel.basic_publish("missing", "", b"two")
    broker.delivered(queue_name="safe").wait()
    broker.history(kind="channel_closed").wait()

    with pytest.raises(AssertionError, match="consumer 'reader' holds 1 message"):
        broker.wait_for_idle(timeout=0.001)
