"""kombu, unmodified, over py-amqp: what stands beneath Celery, used by itself."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import amqp.exceptions  # type: ignore[import-untyped]  # it ships no types
import kombu
import pytest
from kombu.mixins import ConsumerMixin
from kombu.pools import producers, reset

from ammoo_fakebroker import FakeBroker

SECONDS = 30


@pytest.fixture
def connection(url: str) -> Iterator[kombu.Connection]:
    with kombu.Connection(url) as connection:
        yield connection


def test_simple_queue(connection: kombu.Connection) -> None:
    with connection.SimpleQueue("queue") as queue:
        queue.put({"answer": 42, "of": ["all", None]}, headers={"kind": "test"})
        message = queue.get(timeout=SECONDS)
        message.ack()

        assert ({"answer": 42, "of": ["all", None]}, "test") == (
            message.payload,
            message.headers["kind"],
        )
        with pytest.raises(queue.Empty):
            queue.get_nowait()


def drain_until_filled(events: list[Any], count: int, connection: kombu.Connection) -> None:
    """Handle what comes until a list holds so many things."""
    while len(events) < count:
        connection.drain_events(timeout=SECONDS)


def test_consumer_of_a_topic(connection: kombu.Connection) -> None:
    events = kombu.Exchange("events", "topic")
    errors = kombu.Queue("errors", events, routing_key="*.error", durable=False, auto_delete=True)
    got: list[Any] = []

    with connection.Consumer(errors, callbacks=[lambda body, message: got.append((body, message))]):
        producer = connection.Producer(serializer="json")
        publish_event = partial(producer.publish, exchange=events, declare=[errors])
        publish_event({"key": "disk.info"}, routing_key="disk.info")
        publish_event({"key": "disk.error"}, routing_key="disk.error")
        publish_event({"key": "net.error"}, routing_key="net.error")
        drain_until_filled(got, 2, connection)
        got[0][1].ack()
        got[1][1].ack()

    assert [{"key": "disk.error"}, {"key": "net.error"}] == [body for body, _ in got]


def test_confirmed_publishing(url: str) -> None:
    with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection:
        channel = connection.default_channel
        full = kombu.Queue("full", max_length=1, queue_arguments={"x-overflow": "reject-publish"})
        full(channel).declare()
        producer = connection.Producer()

        producer.publish("kept", routing_key="full")
        with pytest.raises(amqp.exceptions.MessageNacked):
            producer.publish("refused", routing_key="full")


def test_mandatory_message_comes_back(connection: kombu.Connection) -> None:
    returned: list[tuple[Any, ...]] = []
    producer = connection.Producer(on_return=lambda *reason: returned.append(reason))

    producer.publish("lost", routing_key="nowhere", mandatory=True)
    drain_until_filled(returned, 1, connection)

    error, exchange, routing_key, message = returned[0]
    assert (312, "NO_ROUTE") == (error.reply_code, error.reply_text)
    assert ("", "nowhere", "lost") == (exchange, routing_key, message.body)


def test_queue_options_become_arguments(connection: kombu.Connection) -> None:
    """A queue with any other value would be refused: the arguments are compared."""
    queue = kombu.Queue(
        "queue", expires=60.0, message_ttl=0.5, max_length=10, max_length_bytes=99, max_priority=5
    )
    queue(connection.default_channel).declare()

    with pytest.raises(amqp.exceptions.PreconditionFailed, match="inequivalent arg 'x-max-length'"):
        kombu.Queue(
            "queue",
            expires=60.0,
            message_ttl=0.5,
            max_length=11,
            max_length_bytes=99,
            max_priority=5,
        )(connection.default_channel).declare()


def test_pool_of_producers(url: str) -> None:
    with kombu.Connection(url) as connection:
        with producers[connection].acquire(block=True) as producer:
            producer.publish("pooled", routing_key="queue", declare=[kombu.Queue("queue")])
        with connection.SimpleQueue("queue") as queue:
            message = queue.get(timeout=SECONDS)
            message.ack()
        reset()

    assert "pooled" == message.payload


class Worker(ConsumerMixin):
    """A worker that reconnects; the last message ends it."""

    def __init__(self, connection: kombu.Connection, broker: FakeBroker) -> None:
        self.connection = connection
        self._broker = broker
        self.seen: list[str] = []
        self.connections = 0

    def get_consumers(self, Consumer: Any, channel: Any) -> list[Any]:
        self.connections += 1
        return [Consumer([kombu.Queue("queue")], callbacks=[self.handle])]

    def handle(self, body: str, message: Any) -> None:
        self.seen.append(body)
        if message.delivery_info["redelivered"] or body == "last":
            message.ack()
        else:
            self._broker.cut_connections()
            put(self._broker, "last")
        self.should_stop = body == "last"


def put(broker: FakeBroker, body: str) -> None:
    with kombu.Connection(broker.url) as connection, connection.SimpleQueue("queue") as queue:
        queue.put(body)


def test_worker_comes_back_after_a_cut(fakebroker: FakeBroker) -> None:
    put(fakebroker, "first")

    with kombu.Connection(fakebroker.url) as connection:
        worker = Worker(connection, fakebroker)
        worker.run()  # type: ignore[no-untyped-call]  # kombu has not typed it

    assert ["first", "first", "last"] == worker.seen
    assert 2 == worker.connections


def test_wrong_password_is_refused(url: str) -> None:
    with (
        kombu.Connection(url.replace(":guest@", ":guess@")) as connection,
        pytest.raises(amqp.exceptions.AccessRefused, match="ACCESS_REFUSED - Login was refused"),
    ):
        connection.connect()
