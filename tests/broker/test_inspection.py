"""Arranging a broker for a test, and looking at what the test did to it."""

from collections.abc import Iterator

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest

from ammoo_fakebroker import FakeBroker, ManualClock


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker(clock=ManualClock()) as broker:
        yield broker


@pytest.fixture
def connection(broker: FakeBroker) -> Iterator[pika.BlockingConnection]:
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    yield connection
    if connection.is_open:
        connection.close()


def test_queue_is_seen_with_its_messages_and_bindings(
    broker: FakeBroker, connection: pika.BlockingConnection
) -> None:
    channel = connection.channel()
    channel.queue_declare("queue", durable=True, arguments={"x-max-length": 5})
    channel.queue_bind("queue", "amq.topic", "a.*", {"note": 1})
    channel.confirm_delivery()
    properties = pika.BasicProperties(message_id="id")
    channel.basic_publish("amq.topic", "a.b", b"one", properties)
    channel.basic_publish("amq.topic", "a.b", b"two", properties)
    channel.basic_get("queue")

    queue = broker.queue("queue")
    (message,) = broker.messages("queue")
    (binding,) = queue.bindings

    assert ("queue", "classic", True, False, False) == queue[:5]
    assert (1, 1, 0) == (queue.message_count, queue.unacknowledged_count, queue.consumer_count)
    assert ("amq.topic", "queue", "a.*", {"note": 1}) == binding
    assert ("amq.topic", "a.b", b"two", False) == (
        message.exchange_name,
        message.routing_key,
        message.body,
        message.redelivered,
    )
    assert "id" == message.properties.message_id
    assert ["queue"] == list(broker.queues())
    assert 1 == len(broker.exchanges()["amq.topic"].bindings)


def test_connections_are_seen(broker: FakeBroker, connection: pika.BlockingConnection) -> None:
    connection.channel()

    (seen,) = broker.connections

    assert ("guest", "/", "127.0.0.1", 1, False) == (
        seen.user,
        seen.virtualhost,
        seen.host,
        seen.channel_count,
        seen.is_blocked,
    )
    assert "Pika Python Client Library" == seen.client_properties["product"]


def test_operator_closes_connections(
    broker: FakeBroker, connection: pika.BlockingConnection
) -> None:
    broker.close_connections("maintenance")

    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as closed:
        connection.channel()

    assert (320, "CONNECTION_FORCED - maintenance") == (
        closed.value.reply_code,
        closed.value.reply_text,
    )


def test_time_can_be_moved(broker: FakeBroker, connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.queue_declare("short", arguments={"x-message-ttl": 3_600_000})
    channel.confirm_delivery()
    channel.basic_publish("", "short", b"")

    broker.advance(3_601)

    assert 0 == broker.queue("short").message_count


def test_users_and_virtual_hosts(broker: FakeBroker) -> None:
    broker.add_virtualhost("tests")
    broker.add_user("bob", "secret", virtualhosts=["tests"])
    broker.set_permissions("bob", configure="^bob-", write="", read="", virtualhost="tests")
    url = broker.url_for("bob", virtualhost="tests")

    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.queue_declare("bob-queue")
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="refused for user 'bob'"):
            channel.queue_declare("queue")
    broker.clear_permissions("bob", virtualhost="tests")
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError, match="refused for user 'bob'"):
        pika.BlockingConnection(pika.URLParameters(url))
    broker.delete_user("bob")
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        pika.BlockingConnection(pika.URLParameters(url))


def test_deleted_user_loses_the_connection(broker: FakeBroker) -> None:
    broker.add_user("bob", "secret")
    bob = pika.BlockingConnection(pika.URLParameters(broker.url_for("bob")))

    with pika.BlockingConnection(pika.URLParameters(broker.url)) as guest:
        broker.delete_user("bob")

        with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="user 'bob' is deleted"):
            bob.channel()
        assert guest.channel()


def test_deleted_virtual_host_takes_its_connections_along(broker: FakeBroker) -> None:
    broker.add_virtualhost("doomed")
    url = broker.url_for(virtualhost="doomed")
    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().queue_declare("queue")

    broker.delete_virtualhost("doomed")

    with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="vhost 'doomed' is down"):
        connection.channel()
    assert ("/",) == broker.virtualhosts


def test_virtual_host_of_the_same_name_is_closed_to_those_of_the_old_one(
    broker: FakeBroker,
) -> None:
    broker.add_virtualhost("again")
    broker.add_user("bob", "secret", virtualhosts=["again"])
    url = broker.url_for("bob", virtualhost="again")

    broker.delete_virtualhost("again")
    broker.add_virtualhost("again")

    with pytest.raises(pika.exceptions.ProbableAccessDeniedError, match="refused for user 'bob'"):
        pika.BlockingConnection(pika.URLParameters(url))
