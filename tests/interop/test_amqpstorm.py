"""amqpstorm, unmodified: a blocking client that reads in a thread of its own."""

import threading
from collections.abc import Iterator

import amqpstorm
import pytest

from ammoo_fakebroker import FakeBroker


@pytest.fixture
def connection(url: str) -> Iterator[amqpstorm.Connection]:
    with amqpstorm.UriConnection(url) as connection:
        yield connection


@pytest.fixture
def channel(connection: amqpstorm.Connection) -> Iterator[amqpstorm.Channel]:
    with connection.channel() as channel:
        yield channel


def get(channel: amqpstorm.Channel) -> amqpstorm.Message | None:
    message = channel.basic.get("queue", no_ack=True)
    assert message is None or isinstance(message, amqpstorm.Message)
    return message


def publish(channel: amqpstorm.Channel, *bodies: str) -> None:
    for body in bodies:
        channel.basic.publish(body, "queue")


def consume_and_ack(channel: amqpstorm.Channel, count: int) -> list[object]:
    """Consume so many messages by a function that acknowledges each; return their bodies."""
    bodies: list[object] = []

    def on_message(message: amqpstorm.Message) -> None:
        bodies.append(message.body)
        message.ack()
        if len(bodies) == count:
            channel.stop_consuming()

    channel.basic.consume(on_message, "queue")
    channel.start_consuming()
    return bodies


def test_published_message_is_got_back_as_it_was(channel: amqpstorm.Channel) -> None:
    channel.queue.declare("queue")
    message = amqpstorm.Message.create(channel, "Grüße", {"headers": {"answer": 42, "of": [1]}})
    message.content_type = "text/plain"
    message.priority = 3
    message.app_id = "interop"

    message.publish("queue")
    got = get(channel)

    assert got is not None
    assert ("Grüße", "text/plain", "utf-8", 3, "interop", message.message_id) == (
        got.body,
        got.content_type,
        got.content_encoding,
        got.priority,
        got.app_id,
        got.message_id,
    )
    assert {"answer": 42, "of": [1]} == got.properties["headers"]
    assert get(channel) is None


def test_consumer_gets_and_acknowledges(channel: amqpstorm.Channel) -> None:
    channel.queue.declare("queue")
    channel.basic.qos(prefetch_count=2)
    publish(channel, "0", "1", "2", "3", "4")

    bodies = consume_and_ack(channel, 5)
    left = channel.queue.declare("queue", passive=True)
    assert left is not None

    assert ["0", "1", "2", "3", "4"] == bodies
    assert (0, 0) == (left["message_count"], left["consumer_count"])


def test_rejected_message_comes_again(channel: amqpstorm.Channel) -> None:
    channel.queue.declare("queue")
    channel.basic.publish("body", "queue")
    channel.basic.consume(queue="queue")

    first = next(channel.build_inbound_messages())
    first.nack(requeue=True)
    second = next(channel.build_inbound_messages())
    second.ack()

    assert [False, True] == [first.redelivered, second.redelivered]


def test_confirms_and_returns(channel: amqpstorm.Channel) -> None:
    channel.confirm_deliveries()
    channel.queue.declare("queue", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})

    assert channel.basic.publish("kept", "queue", mandatory=True) is True
    assert channel.basic.publish("refused", "queue", mandatory=True) is False
    with pytest.raises(amqpstorm.AMQPMessageError, match="NO_ROUTE") as returned:
        channel.basic.publish("lost", "nowhere", mandatory=True)
    assert 312 == returned.value.error_code


def test_error_closes_the_channel_and_leaves_the_connection(
    connection: amqpstorm.Connection,
) -> None:
    channel = connection.channel()

    with pytest.raises(amqpstorm.AMQPChannelError, match="NOT_FOUND - no queue 'missing'") as error:
        channel.queue.declare("missing", passive=True)

    assert (404, "NOT-FOUND") == (error.value.error_code, error.value.error_type)
    assert channel.is_closed
    with connection.channel() as other:
        declared = other.queue.declare("works")
        assert declared is not None
        assert "works" == declared["queue"]


def test_exchange_routes_over_another(channel: amqpstorm.Channel) -> None:
    channel.exchange.declare("events", "topic", durable=True)
    channel.exchange.declare("errors", "fanout", auto_delete=True)
    channel.queue.declare("queue")
    channel.exchange.bind("errors", "events", "*.error")
    channel.queue.bind("queue", "errors")

    channel.basic.publish("yes", "disk.error", "events")
    channel.basic.publish("no", "disk.full", "events")

    got = [get(channel) for _ in range(2)]
    assert ["yes", None] == [message and message.body for message in got]


def test_transaction(channel: amqpstorm.Channel) -> None:
    channel.queue.declare("queue")

    with channel.tx:
        channel.basic.publish("kept", "queue")
    with channel.tx:
        channel.basic.publish("dropped", "queue")
        channel.tx.rollback()

    got = get(channel)
    assert got is not None
    assert "kept" == got.body
    assert get(channel) is None


def test_request_and_reply_through_direct_reply_to(url: str, channel: amqpstorm.Channel) -> None:
    channel.queue.declare("requests")

    def serve() -> None:
        with amqpstorm.UriConnection(url) as own, own.channel() as server:
            server.basic.consume(queue="requests", no_ack=True)
            request = next(server.build_inbound_messages())
            reply = {"correlation_id": request.correlation_id}
            server.basic.publish(request.body.upper(), request.reply_to, properties=reply)

    thread = threading.Thread(target=serve)
    thread.start()
    channel.basic.consume(queue="amq.rabbitmq.reply-to", no_ack=True)
    channel.basic.publish(
        "shout",
        "requests",
        properties={"reply_to": "amq.rabbitmq.reply-to", "correlation_id": "1"},
    )
    reply = next(channel.build_inbound_messages())
    thread.join(10)

    assert ("SHOUT", "1") == (reply.body, reply.correlation_id)


def test_wrong_password_is_refused(url: str) -> None:
    with pytest.raises(amqpstorm.AMQPConnectionError, match="ACCESS_REFUSED"):
        amqpstorm.UriConnection(url.replace(":guest@", ":guess@"))


def consume_until_closed(connection: amqpstorm.Connection, channel: amqpstorm.Channel) -> None:
    for _ in channel.build_inbound_messages():
        pass
    # amqpstorm sets its state before it stores the error: a look in between ends its loop
    # in silence.
    connection.check_for_errors()


def test_connection_that_the_broker_closes_is_noticed(fakebroker: FakeBroker) -> None:
    with amqpstorm.UriConnection(fakebroker.url) as connection, connection.channel() as channel:
        channel.queue.declare("queue")
        channel.basic.consume(queue="queue")

        fakebroker.close_connections("shutdown")
        with pytest.raises(amqpstorm.AMQPConnectionError):
            consume_until_closed(connection, channel)
