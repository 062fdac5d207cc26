"""What clients see when something happens to the broker: an alarm, an operator's hand.

RabbitMQ: https://www.rabbitmq.com/docs/connection-blocked and https://www.rabbitmq.com/docs/alarms
"""

import pytest

from ammoo_wire import (
    BasicAckParameters,
    ChannelCloseParameters,
    ConnectionBlockedParameters,
    ConnectionCloseParameters,
    ConnectionUnblockedParameters,
)
from tests.support.brokers import Connect, Unique
from tests.support.operator import Operator
from tests.support.peer import CAPABILITIES


def test_publisher_is_blocked_while_there_is_an_alarm(
    connect: Connect, operator: Operator, queue: str
) -> None:
    """From its first publish on, whatever else it sends."""
    publisher = connect(seconds=30)
    channel = publisher.channel()
    channel.select_confirm()
    operator.raise_alarm()

    channel.publish("", queue, b"waits")

    assert ConnectionBlockedParameters("low on memory") == publisher.receive(0)
    bystander = connect(seconds=30).channel()
    assert bystander.get(queue) is None
    operator.clear_alarm()
    assert ConnectionUnblockedParameters() == publisher.receive(0)
    assert BasicAckParameters(1, False) == channel.receive()


def test_client_without_the_capability_is_blocked_in_silence(
    connect: Connect, operator: Operator, queue: str
) -> None:
    deaf = connect(capabilities=CAPABILITIES | {"connection.blocked": False}, seconds=30)
    channel = deaf.channel()
    channel.select_confirm()
    operator.raise_alarm()

    channel.publish("", queue, b"waits")

    hearing = connect(seconds=30)
    hearing.channel().publish("", queue, b"waits too")
    hearing.expect(0, ConnectionBlockedParameters)
    operator.clear_alarm()
    assert BasicAckParameters(1, False) == channel.receive()
    assert not deaf.has_received(0)


def test_operator_closes_a_connection(connect: Connect, operator: Operator) -> None:
    peer = connect(seconds=30)

    operator.close_connection(peer, "for a test")

    assert (
        ConnectionCloseParameters(320, "CONNECTION_FORCED - for a test", 0, 0)
        == peer.expect_connection_close()
    )


def test_both_alarms_are_named(connect: Connect, operator: Operator, queue: str) -> None:
    publisher = connect(seconds=30)
    operator.raise_alarm(disk=True)

    publisher.channel().publish("", queue, b"waits")

    assert ConnectionBlockedParameters("low on disk & memory") == publisher.receive(0)
    operator.clear_alarm()
    assert ConnectionUnblockedParameters() == publisher.receive(0)


# --- deliveries that nobody settles -----------------------------------------------------------


def timed_out(milliseconds: int) -> ChannelCloseParameters:
    return ChannelCloseParameters(
        406,
        f"PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value"
        f" used: {milliseconds} ms. This timeout value can be configured, see consumers doc guide"
        " to learn more",
        0,
        0,
    )


def test_delivery_must_be_settled_in_time(connect: Connect, operator: Operator, queue: str) -> None:
    with operator.consumer_timeout(1_500):
        channel = connect(seconds=30).channel()
        channel.fill(queue, b"!")
        channel.get_message(queue, no_ack=False)

        refused = channel.refusal()

    channel.reopen()
    message = channel.await_message(queue)
    assert timed_out(1_500) == refused
    assert (b"!", True) == (message.body, message.parameters.redelivered)


@pytest.mark.rabbitmq_version("4.0")
def test_queue_may_have_a_consumer_timeout_of_its_own(
    connect: Connect, operator: Operator, unique: Unique
) -> None:
    with operator.frequent_checks():
        channel = connect(seconds=30).channel()
        name = channel.declare_queue(unique("queue"), x_consumer_timeout=300)
        channel.fill(name, b"!")
        channel.consume(name)
        channel.delivery()

        assert timed_out(300) == channel.refusal()
