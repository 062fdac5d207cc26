"""What clients see when something happens to the broker: an alarm, an operator's hand.

RabbitMQ: https://www.rabbitmq.com/docs/connection-blocked and https://www.rabbitmq.com/docs/alarms
"""

from ammoo_wire import (
    BasicAckParameters,
    ConnectionBlockedParameters,
    ConnectionCloseParameters,
    ConnectionUnblockedParameters,
)
from tests.support.brokers import Connect
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
