"""What an operator decides for a virtual host or a user: the usual type of queues, and limits.

RabbitMQ: https://www.rabbitmq.com/docs/vhosts and https://www.rabbitmq.com/docs/user-limits
"""

import re
from typing import Any

import pytest

from ammoo_wire import (
    ChannelCloseParameters,
    ChannelOpenParameters,
    ConnectionCloseParameters,
    ConnectionOpenParameters,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    QueueDeclareParameters,
)
from tests.support.brokers import STRANGER, Broker, Connect
from tests.support.channel import Channel
from tests.support.operator import Operator

# --- the default queue type -------------------------------------------------------------------


@pytest.mark.parametrize(("default", "other"), [("quorum", "classic"), ("stream", "quorum")])
def test_queue_without_a_type_is_of_the_default_type(
    broker: Broker, connect: Connect, operator: Operator, default: str, other: str
) -> None:
    with operator.virtualhost(default_queue_type=default) as virtualhost:
        channel = connect(broker.url_in(virtualhost)).channel()
        channel.declare_queue("q", durable=True)
        channel.declare_queue("q", durable=True, x_queue_type=default)

        refused = channel.refusal(
            QueueDeclareParameters("q", durable=True, arguments={"x-queue-type": other})
        )
        channel.peer.close()

    assert (
        ChannelCloseParameters(
            406,
            f"PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost"
            f" '{virtualhost}': received '{other}' but current is '{default}'",
            50,
            10,
        )
        == refused
    )


CLASSIC_FLAGS: dict[str, dict[str, Any]] = {
    "transient": {},
    "exclusive": {"durable": True, "exclusive": True},
    "auto-delete": {"durable": True, "auto_delete": True},
}


def declared_as_quorum(channel: Channel, name: str, flags: dict[str, Any]) -> str:
    """Declare a queue as classic, and give why it is no quorum queue."""
    channel.declare_queue(name, **flags)
    channel.declare_queue(name, x_queue_type="classic", **flags)
    refused = channel.refusal(
        QueueDeclareParameters(name, arguments={"x-queue-type": "quorum"})._replace(**flags)
    )
    channel.reopen()
    return refused.reply_text


def test_queue_that_cannot_be_of_the_default_type_is_classic(
    broker: Broker, connect: Connect, operator: Operator
) -> None:
    with operator.virtualhost(default_queue_type="quorum") as virtualhost:
        channel = connect(broker.url_in(virtualhost)).channel()

        refusals = [declared_as_quorum(channel, *each) for each in CLASSIC_FLAGS.items()]
        channel.peer.close()

    difference = broker.value_of(
        {
            "3.10": "received the value 'quorum' of type 'longstr' but current is none",
            "4.0": "received 'quorum' but current is 'classic'",
        }
    )
    assert [
        f"PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue '{name}' in vhost"
        f" '{virtualhost}': {difference}"
        for name in CLASSIC_FLAGS
    ] == refusals


def test_default_type_decides_on_names_and_arguments(
    broker: Broker, connect: Connect, operator: Operator
) -> None:
    with operator.virtualhost(default_queue_type="quorum") as virtualhost:
        channel = connect(broker.url_in(virtualhost)).channel()
        nameless = channel.refusal(QueueDeclareParameters("", durable=True))
        channel.reopen()
        argument = channel.refusal(
            QueueDeclareParameters("q", durable=True, arguments={"x-max-priority": 5})
        )
        channel.peer.close()

    assert (
        "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue"
        == (nameless.reply_text)
    )
    assert (
        "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost"
        f" '{virtualhost}' of queue type rabbit_quorum_queue"
    ) == (argument.reply_text)


# --- limits -----------------------------------------------------------------------------------


def refused_opening(dial: Connect, url: str, virtualhost: str) -> ConnectionCloseParameters:
    """Log in, and give the refusal of connection.open."""
    peer = dial(url)
    peer.begin()
    peer.expect(0, ConnectionTuneParameters)
    peer.send(0, ConnectionTuneOkParameters(2047, 131072, 0))
    peer.send(0, ConnectionOpenParameters(virtualhost))
    return peer.expect_connection_close()


def test_connections_to_a_virtual_host_are_limited(
    broker: Broker, connect: Connect, dial: Connect, operator: Operator
) -> None:
    with operator.virtualhost() as virtualhost:
        first = connect(broker.url_in(virtualhost))
        operator.limit_virtualhost(virtualhost, max_connections=1)

        refused = refused_opening(dial, broker.url, virtualhost)
        first.close()

    assert (
        ConnectionCloseParameters(
            530,
            f"NOT_ALLOWED - access to vhost '{virtualhost}' refused for user 'guest':"
            " connection limit (1) is reached",
            10,
            40,
        )
        == refused
    )


def test_limit_of_connections_to_a_virtual_host_comes_before_permissions(
    broker: Broker, dial: Connect, operator: Operator
) -> None:
    with operator.virtualhost() as virtualhost:
        operator.limit_virtualhost(virtualhost, max_connections=0)

        refused = refused_opening(dial, broker.url_of(STRANGER), virtualhost)

    assert (
        f"NOT_ALLOWED - access to vhost '{virtualhost}' refused for user '{STRANGER}':"
        " connection limit (0) is reached"
    ) == refused.reply_text


def test_connections_of_a_user_are_limited(
    broker: Broker, connect: Connect, dial: Connect, operator: Operator
) -> None:
    with operator.user() as user:
        connect(broker.url_of(user))
        operator.limit_user(user, max_connections=1)

        refused = refused_opening(dial, broker.url_of(user), "/")

    assert (
        ConnectionCloseParameters(
            530,
            f"NOT_ALLOWED - connection refused for user '{user}':"
            " user connection limit (1) is reached",
            10,
            40,
        )
        == refused
    )


def test_channels_of_a_user_are_limited(
    broker: Broker, connect: Connect, operator: Operator
) -> None:
    """On all connections together; what is open stays so. 4.0 tells who by the node's name."""
    with operator.user() as user:
        first, second = connect(broker.url_of(user)), connect(broker.url_of(user))
        first.channel(1)
        channel = first.channel(2)
        operator.limit_user(user, max_channels=1)
        second.send(1, ChannelOpenParameters())

        refused = second.expect_connection_close()
        channel.declare_queue(exclusive=True)

    by_name = re.escape(user)
    name = broker.value_of({"3.10": by_name, "4.0": "[^']+@[^']+", "4.3": by_name})
    limit = broker.value_of({"3.10": r"\(1\)", "4.3": "1"})
    assert (530, 0, 0) == (refused.reply_code, refused.class_id, refused.method_id)
    assert re.fullmatch(
        f"NOT_ALLOWED - number of channels opened for user '{name}' has reached the"
        f" maximum allowed user limit of {limit}",
        refused.reply_text,
    )


def test_queues_of_a_virtual_host_are_limited(
    broker: Broker, connect: Connect, operator: Operator
) -> None:
    """3.10 looks at the limit before it looks at the arguments, 4.0 after that."""
    with operator.virtualhost() as virtualhost:
        operator.limit_virtualhost(virtualhost, max_queues=1)
        channel = connect(broker.url_in(virtualhost)).channel()
        channel.declare_queue("first")
        channel.declare_queue("first")

        refused = channel.refusal(QueueDeclareParameters("second"))
        channel.reopen()
        wrong = channel.refusal(QueueDeclareParameters("wrong", arguments={"x-message-ttl": -1}))
        channel.peer.close()

    assert (
        ChannelCloseParameters(
            406,
            "PRECONDITION_FAILED - cannot declare queue 'second': queue limit in vhost"
            f" '{virtualhost}' (1) is reached",
            50,
            10,
        )
        == refused
    )
    assert broker.is_among("<4.0") == ("queue limit" in wrong.reply_text)


def test_negative_limits_are_none(connect: Connect, broker: Broker, operator: Operator) -> None:
    with operator.virtualhost() as virtualhost:
        operator.limit_virtualhost(virtualhost, max_connections=-1, max_queues=-1)

        peer = connect(broker.url_in(virtualhost))
        peer.channel().declare_queue("q")
        peer.close()
