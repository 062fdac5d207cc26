"""pika's blocking connection, unmodified."""

import threading
from collections.abc import Iterator
from typing import Any

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest
from pika.adapters.blocking_connection import (  # type: ignore[import-untyped]  # no types
    BlockingChannel,
)

from ammoo_fakebroker import FakeBroker


@pytest.fixture
def connection(url: str) -> Iterator[pika.BlockingConnection]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    yield connection
    if connection.is_open:
        connection.close()


@pytest.fixture
def channel(connection: pika.BlockingConnection) -> BlockingChannel:
    return connection.channel()


def test_published_message_is_got_back_as_it_was(channel: BlockingChannel) -> None:
    channel.queue_declare("queue")
    properties = pika.BasicProperties(
        content_type="text/plain", headers={"answer": 42, "nested": {"list": [1, "two"]}}
    )

    channel.basic_publish("", "queue", b"body", properties)
    method, got, body = channel.basic_get("queue", auto_ack=True)

    assert (b"body", "queue", 0) == (body, method.routing_key, method.message_count)
    assert properties.headers == got.headers
    assert properties.content_type == got.content_type


def publish(channel: BlockingChannel, *bodies: bytes) -> None:
    for body in bodies:
        channel.basic_publish("", "queue", body)


def consume_and_ack(channel: BlockingChannel) -> bytes:
    """Wait for the next message, acknowledge it, and return its body."""
    method, _, body = next(channel.consume("queue"))
    channel.basic_ack(method.delivery_tag)
    return bytes(body)


def process_until_filled(
    events: list[Any], count: int, connection: pika.BlockingConnection
) -> None:
    """Handle what comes until a list holds so many things."""
    while len(events) < count:
        connection.process_data_events(time_limit=10)


def test_consumer_gets_and_acknowledges(channel: BlockingChannel) -> None:
    channel.queue_declare("queue")
    channel.basic_qos(prefetch_count=2)
    publish(channel, b"0", b"1", b"2", b"3", b"4")

    bodies = [consume_and_ack(channel) for _ in range(5)]
    requeued = channel.cancel()
    left = channel.queue_declare("queue", passive=True).method

    assert [b"0", b"1", b"2", b"3", b"4"] == bodies
    assert (0, 0, 0) == (requeued, left.message_count, left.consumer_count)


def test_confirms_and_returns(channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    channel.queue_declare("queue")

    channel.basic_publish("", "queue", b"kept", mandatory=True)
    with pytest.raises(pika.exceptions.UnroutableError) as returned:
        channel.basic_publish("", "nowhere", b"lost", mandatory=True)

    assert b"lost" == returned.value.messages[0].body


def test_full_queue_refuses(channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    channel.queue_declare("queue", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    channel.basic_publish("", "queue", b"kept")

    with pytest.raises(pika.exceptions.NackError):
        channel.basic_publish("", "queue", b"refused")


def test_error_closes_the_channel_and_leaves_the_connection(
    connection: pika.BlockingConnection, channel: BlockingChannel
) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
        channel.queue_declare("missing", passive=True)

    assert 404 == closed.value.reply_code
    assert closed.value.reply_text.startswith("NOT_FOUND - no queue 'missing' in vhost '")
    connection.channel().queue_declare("works")


def test_exchanges_of_all_types_route(channel: BlockingChannel) -> None:
    queue = channel.queue_declare("", exclusive=True).method.queue
    arguments = {"x-match": "any", "kind": "order"}
    channel.exchange_declare("my-direct", "direct")
    channel.queue_bind(queue, "my-direct", "key")
    channel.exchange_declare("my-fanout", "fanout")
    channel.queue_bind(queue, "my-fanout", "")
    channel.exchange_declare("my-topic", "topic")
    channel.queue_bind(queue, "my-topic", "a.#")
    channel.exchange_declare("my-headers", "headers")
    channel.queue_bind(queue, "my-headers", "", arguments)

    channel.basic_publish("my-direct", "key", b"direct")
    channel.basic_publish("my-fanout", "whatever", b"fanout")
    channel.basic_publish("my-topic", "a.b.c", b"topic")
    properties = pika.BasicProperties(headers={"kind": "order"})
    channel.basic_publish("my-headers", "", b"headers", properties)
    channel.basic_publish("my-topic", "b", b"nowhere")

    bodies = [channel.basic_get(queue, auto_ack=True)[2] for _ in range(5)]
    assert [b"direct", b"fanout", b"topic", b"headers", None] == bodies


def test_request_and_reply_through_direct_reply_to(url: str, channel: BlockingChannel) -> None:
    channel.queue_declare("requests")

    def serve() -> None:
        with pika.BlockingConnection(pika.URLParameters(url)) as own:
            server = own.channel()
            _, properties, body = next(server.consume("requests", auto_ack=True))
            server.basic_publish("", properties.reply_to, body.upper())

    thread = threading.Thread(target=serve)
    thread.start()
    got: list[bytes] = []
    channel.basic_consume("amq.rabbitmq.reply-to", lambda *message: got.append(message[3]), True)
    channel.basic_publish(
        "", "requests", b"shout", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to")
    )
    process_until_filled(got, 1, channel.connection)
    thread.join(10)

    assert [b"SHOUT"] == got


def test_blocked_publisher_is_told(fakebroker: FakeBroker) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(fakebroker.url))
    channel = connection.channel()
    reasons: list[str] = []
    connection.add_on_connection_blocked_callback(
        lambda _, frame: reasons.append(frame.method.reason)
    )
    connection.add_on_connection_unblocked_callback(lambda _, frame: reasons.append("over"))
    channel.queue_declare("queue")

    fakebroker.block("low on disk")
    channel.basic_publish("", "queue", b"later")
    process_until_filled(reasons, 1, connection)
    fakebroker.unblock()
    process_until_filled(reasons, 2, connection)

    assert ["low on disk", "over"] == reasons
    assert b"later" == channel.basic_get("queue", auto_ack=True)[2]
    connection.close()


def test_wrong_password_is_refused(url: str) -> None:
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        pika.BlockingConnection(pika.URLParameters(url.replace(":guest@", ":guess@")))


def test_transactions(channel: BlockingChannel) -> None:
    channel.queue_declare("queue")
    channel.tx_select()

    channel.basic_publish("", "queue", b"dropped")
    channel.tx_rollback()
    channel.basic_publish("", "queue", b"kept")
    assert (None, None, None) == channel.basic_get("queue")
    channel.tx_commit()

    assert b"kept" == channel.basic_get("queue", auto_ack=True)[2]
