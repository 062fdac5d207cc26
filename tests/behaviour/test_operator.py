"""What clients see when something happens to the broker: an alarm, an operator's hand.

RabbitMQ: https://www.rabbitmq.com/docs/connection-blocked and https://www.rabbitmq.com/docs/alarms
"""

import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelParameters,
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ConnectionBlockedParameters,
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    ConnectionUnblockedParameters,
    ConnectionUpdateSecretOkParameters,
    ConnectionUpdateSecretParameters,
    ExchangeBindParameters,
    ExchangeUnbindParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueueUnbindParameters,
)
from tests.support.brokers import PASSWORD, Broker, Connect, Unique
from tests.support.channel import Channel
from tests.support.operator import Operator
from tests.support.peer import CAPABILITIES


def test_publisher_is_blocked_while_there_is_an_alarm(
    connect: Connect, operator: Operator, queue: str
) -> None:
    """From its first publish on, whatever else it sends."""
    publisher = connect()
    channel = publisher.channel()
    channel.select_confirm()
    operator.raise_alarm()

    channel.publish("", queue, b"waits")

    assert ConnectionBlockedParameters("low on memory") == publisher.receive(0)
    bystander = connect().channel()
    assert bystander.get(queue) is None
    operator.clear_alarm()
    assert ConnectionUnblockedParameters() == publisher.receive(0)
    assert BasicAckParameters(1, False) == channel.receive()


def test_client_without_the_capability_is_blocked_in_silence(
    connect: Connect, operator: Operator, queue: str
) -> None:
    deaf = connect(capabilities=CAPABILITIES | {"connection.blocked": False})
    channel = deaf.channel()
    channel.select_confirm()
    operator.raise_alarm()

    channel.publish("", queue, b"waits")

    hearing = connect()
    hearing.channel().publish("", queue, b"waits too")
    hearing.expect(0, ConnectionBlockedParameters)
    operator.clear_alarm()
    assert BasicAckParameters(1, False) == channel.receive()
    assert not deaf.has_received(0)


def test_operator_closes_one_connection(connect: Connect, operator: Operator) -> None:
    peer, other = connect(), connect()

    operator.close_connection(peer, "for a test")

    assert forced("for a test") == peer.expect_connection_close()
    assert [] == other.channel().arrived()


def test_both_alarms_are_named(connect: Connect, operator: Operator, queue: str) -> None:
    publisher = connect()
    operator.raise_alarm(disk=True)

    publisher.channel().publish("", queue, b"waits")

    assert ConnectionBlockedParameters("low on disk & memory") == publisher.receive(0)
    operator.clear_alarm()
    assert ConnectionUnblockedParameters() == publisher.receive(0)


def test_second_alarm_is_not_announced_while_the_client_is_blocked(
    connect: Connect, operator: Operator, queue: str
) -> None:
    publisher = connect()
    operator.raise_alarm()
    publisher.channel().publish("", queue, b"waits")
    assert ConnectionBlockedParameters("low on memory") == publisher.receive(0)

    operator.raise_alarm(memory=False, disk=True)
    operator.clear_alarm()

    assert ConnectionUnblockedParameters() == publisher.receive(0)


def test_client_that_comes_during_an_alarm_is_blocked_when_it_publishes(
    connect: Connect, operator: Operator, queue: str
) -> None:
    operator.raise_alarm(memory=False, disk=True)
    publisher = connect()
    channel = publisher.channel()
    channel.select_confirm()

    channel.publish("", queue, b"waits")

    assert ConnectionBlockedParameters("low on disk") == publisher.receive(0)
    operator.clear_alarm()
    assert ConnectionUnblockedParameters() == publisher.receive(0)
    assert BasicAckParameters(1, False) == channel.receive()


def test_whatever_a_blocked_publisher_asks_for_is_done_after_the_alarm(
    connect: Connect, operator: Operator, queue: str
) -> None:
    """Even to be let go."""
    publisher = connect()
    channel = publisher.channel()
    operator.raise_alarm()
    channel.publish("", queue, b"waits")
    assert ConnectionBlockedParameters("low on memory") == publisher.receive(0)

    channel.send(QueueDeclareParameters(queue, passive=True))
    publisher.send(0, ConnectionCloseParameters(200, "goodbye"))

    bystander = connect().channel()
    assert (0, 0) == bystander.counts(queue)
    operator.clear_alarm()
    assert ConnectionUnblockedParameters() == publisher.receive(0)
    assert ConnectionCloseOkParameters() == publisher.receive(0)
    assert queue == channel.expect(QueueDeclareOkParameters).queue_name
    publisher.drop()
    assert b"waits" == bystander.await_message(queue).body


# --- what happens to users and virtual hosts meanwhile ----------------------------------------


class Tenant(NamedTuple):
    """A user with a virtual host of the same name."""

    name: str
    url: str


@pytest.fixture
def tenant(broker: Broker, operator: Operator) -> Iterator[Tenant]:
    """Somebody whose user and virtual host are there for one test alone.

    A test asks for it in front of `connect`: its connections end before it does.
    """
    name = f"tenant-{uuid.uuid4().hex[:8]}"
    parts = urlsplit(broker.url)
    operator.add_tenant(name)
    yield Tenant(name, f"amqp://{name}:{PASSWORD}@{parts.hostname}:{parts.port}/{name}")
    operator.forget_tenant(name)


def forced(reply_text: str) -> ConnectionCloseParameters:
    return ConnectionCloseParameters(320, f"CONNECTION_FORCED - {reply_text}", 0, 0)


def test_operator_closes_all_connections_to_a_virtual_host(
    operator: Operator, tenant: Tenant, connect: Connect
) -> None:
    one, other = connect(tenant.url), connect(tenant.url)

    operator.close_connections(tenant.name, "for a test")

    assert forced("for a test") == one.expect_connection_close()
    assert forced("for a test") == other.expect_connection_close()


def test_deleted_user_loses_the_connection(
    operator: Operator, tenant: Tenant, connect: Connect
) -> None:
    peer = connect(tenant.url)

    operator.delete_user(tenant.name)

    assert forced(f"user '{tenant.name}' is deleted") == peer.expect_connection_close()


def test_deleted_virtual_host_takes_its_queues_and_then_its_connections_along(
    operator: Operator, tenant: Tenant, connect: Connect
) -> None:
    """In RabbitMQ two processes see it happen: the quicker one says so, which is rarely the second
    one in 3.10, and what the other one does closes the socket, whatever the client answers.
    """
    peer = connect(tenant.url)
    channel = peer.channel()
    channel.consume(channel.declare_queue("queue"), "tag")

    operator.delete_virtualhost(tenant.name)

    assert BasicCancelParameters("tag", True) == channel.receive()
    assert peer.expect(0, ConnectionCloseParameters) in [
        forced(f"vhost '{tenant.name}' is {fate}") for fate in ("deleted", "down")
    ]
    peer.drop()


def test_channel_that_is_new_knows_of_no_permission_that_was_taken_away(
    operator: Operator, tenant: Tenant, connect: Connect
) -> None:
    """One that has used it may remember it, in RabbitMQ, until it has nothing to do for a while."""
    peer = connect(tenant.url)
    declare = QueueDeclareParameters("queue")
    peer.channel().call(declare)
    operator.clear_permissions(tenant.name)
    channel = peer.channel(2)

    refused = channel.refusal(declare)

    assert (403, 50, 10) == (refused.reply_code, refused.class_id, refused.method_id)
    operator.grant(tenant.name)
    channel.reopen()
    assert QueueDeclareOkParameters("queue", 0, 0) == channel.call(declare)


@pytest.mark.parametrize("may_read", [True, False])
def test_new_secret_cancels_consumers_that_may_not_read_any_more_from_4_3_on(
    broker: Broker, operator: Operator, tenant: Tenant, connect: Connect, may_read: bool
) -> None:
    peer = connect(tenant.url)
    channel = peer.channel()
    channel.consume(channel.declare_queue("queue"), "tag")
    operator.grant(tenant.name, read=".*" if may_read else "^nothing$")

    peer.send(0, ConnectionUpdateSecretParameters(b"new secret", "renewed"))

    peer.expect(0, ConnectionUpdateSecretOkParameters)
    cancelled = [] if may_read else [BasicCancelParameters("tag", True)]
    assert broker.value_of({"3.10": [], "4.3": cancelled}) == channel.arrived()


@pytest.fixture
def topic(operator: Operator, tenant: Tenant, connect: Connect) -> Channel:
    """A channel of a tenant who may write ``w.…`` to the exchange "topic", and read ``r.…``."""
    channel = connect(tenant.url).channel()
    for name, exchange_type in (("topic", "topic"), ("other", "topic"), ("direct", "direct")):
        channel.declare_exchange(name, exchange_type)
    channel.declare_queue("queue")
    operator.limit_topics(tenant.name, "topic", write="^w[.]", read="^r[.]")
    return channel


def topic_refused(
    broker: Broker, tenant: Tenant, verb: str, key: str, *ids: int
) -> ChannelCloseParameters:
    access = broker.value_of({"3.10": "access", "4.0": f"{verb} access"})
    return ChannelCloseParameters(
        403,
        f"ACCESS_REFUSED - {access} to topic '{key}' in exchange 'topic' in vhost '{tenant.name}'"
        f" refused for user '{tenant.name}'",
        *ids,
    )


def test_topic_permission_limits_the_keys_that_are_published_with(
    broker: Broker, tenant: Tenant, topic: Channel
) -> None:
    """To that exchange alone."""
    topic.publish("topic", "w.a")
    topic.publish("other", "r.a")
    before = topic.arrived()

    topic.publish("topic", "r.a")

    assert [] == before
    assert topic_refused(broker, tenant, "write", "r.a", 60, 40) == topic.refusal()


@pytest.mark.rabbitmq_version(">=4.0")
def test_topic_permission_limits_the_keys_in_cc_from_4_0_on(
    broker: Broker, tenant: Tenant, topic: Channel
) -> None:
    topic.publish("topic", "w.a", headers={"CC": ["r.b"]})

    assert topic_refused(broker, tenant, "write", "r.b", 60, 40) == topic.refusal()


@pytest.mark.rabbitmq_version("<4.0")
def test_topic_permission_leaves_the_keys_in_cc_alone_up_to_3_10(topic: Channel) -> None:
    topic.publish("topic", "w.a", headers={"CC": ["r.b"]})

    assert [] == topic.arrived()


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        (QueueBindParameters("queue", "topic"), (50, 20)),
        (QueueUnbindParameters("queue", "topic"), (50, 50)),
        (ExchangeBindParameters("direct", "topic"), (40, 30)),
        (ExchangeUnbindParameters("direct", "topic"), (40, 40)),
    ],
)
def test_topic_permission_limits_the_keys_that_are_bound(
    broker: Broker, tenant: Tenant, topic: Channel, parameters: Any, ids: tuple[int, int]
) -> None:
    topic.call(parameters._replace(routing_key="r.#"))

    refused = topic.refusal(parameters._replace(routing_key="w.#"))

    assert topic_refused(broker, tenant, "read", "w.#", *ids) == refused


def test_topic_permission_may_name_the_user_and_the_virtual_host(
    operator: Operator, tenant: Tenant, topic: Channel
) -> None:
    operator.limit_topics(tenant.name, "topic", write="^{username}[.]{vhost}$", read="")
    other = topic.peer.channel(2)

    other.publish("topic", f"{tenant.name}.{tenant.name}")
    allowed = other.arrived()
    other.publish("topic", f"{tenant.name}.other")

    assert [] == allowed
    assert 403 == other.refusal().reply_code


@pytest.mark.parametrize(("tags", "is_accepted"), [(["impersonator"], True), (["other"], False)])
def test_impersonator_may_publish_for_anybody(
    operator: Operator, tenant: Tenant, connect: Connect, tags: list[str], is_accepted: bool
) -> None:
    """Who has the tag when the connection is opened."""
    operator.tag(tenant.name, *tags)
    channel = connect(tenant.url).channel()

    channel.publish("", "nowhere", user_id="somebody else")
    channel.send(ChannelFlowParameters(True))

    assert is_accepted == isinstance(channel.receive(), ChannelFlowOkParameters)


def test_who_is_logged_in_needs_no_new_password(
    operator: Operator, tenant: Tenant, connect: Connect, dial: Connect
) -> None:
    channel = connect(tenant.url).channel()

    operator.change_password(tenant.name, "another")

    assert QueueDeclareOkParameters("queue", 0, 0) == channel.call(QueueDeclareParameters("queue"))
    newcomer = dial(tenant.url)
    newcomer.begin()
    assert 403 == newcomer.expect(0, ConnectionCloseParameters).reply_code


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


@pytest.mark.rabbitmq_version("<4.3")
def test_delivery_must_be_settled_in_time(connect: Connect, operator: Operator, queue: str) -> None:
    with operator.consumer_timeout(1_500):
        channel = connect().channel()
        channel.fill(queue, b"!")
        channel.get_message(queue, no_ack=False)

        refused = channel.refusal()

    channel.reopen()
    message = channel.await_message(queue)
    assert refused == timed_out(1_500)
    assert (b"!", True) == (message.body, message.parameters.redelivered)


@pytest.mark.rabbitmq_version(">=4.3")
def test_queue_that_is_no_quorum_queue_waits_for_ever_from_4_3_on(
    connect: Connect, operator: Operator, queue: str
) -> None:
    with operator.consumer_timeout(1):
        channel = connect().channel()
        channel.fill(queue, b"!")
        channel.get_message(queue, no_ack=False)
        quorum = channel.declare_queue(f"{queue}.quorum", durable=True, x_queue_type="quorum")
        channel.consume(quorum, "slow")
        channel.fill(quorum, b"!")
        channel.deliveries(1)

        cancelled = channel.receive()
        channel.delete_queue(quorum)

    assert BasicCancelParameters("slow", True) == cancelled
    assert 0 == channel.message_count(queue)


@pytest.mark.rabbitmq_version(">=4.0,<4.3")
def test_queue_may_have_a_consumer_timeout_of_its_own(
    connect: Connect, operator: Operator, unique: Unique
) -> None:
    with operator.frequent_checks():
        channel = connect().channel()
        name = channel.declare_queue(unique("queue"), x_consumer_timeout=300)
        channel.fill(name, b"!")
        channel.consume(name)
        channel.delivery()

        assert timed_out(300) == channel.refusal()
