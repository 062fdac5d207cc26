"""pika's BlockingConnection. It waits for each confirm by itself: no gathered publishes."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from benchmarks.job import Job
from benchmarks.workloads import PREFETCH

pika = import_module("pika")


@contextmanager
def opened(job: Job) -> Iterator[Any]:
    """Open a channel."""
    connection = pika.BlockingConnection(pika.URLParameters(job.url))
    yield connection.channel()
    connection.close()


def publish_fire(job: Job) -> None:
    """Publish without confirms; a round trip at the end sees them through."""
    with opened(job) as channel, job.measured():
        for _ in range(job.count):
            channel.basic_publish("", job.queue_name, job.body)
        channel.basic_qos()


def publish_confirm_each(job: Job) -> None:
    """Wait for each confirm."""
    with opened(job) as channel:
        channel.confirm_delivery()
        with job.measured():
            for _ in range(job.count):
                channel.basic_publish("", job.queue_name, job.body)


publish_large = publish_confirm_each


def _consume(job: Job, channel: Any, *, no_ack: bool, reads: bool = False) -> None:
    left = job.count

    def callback(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        nonlocal left
        if reads:
            _ = properties.content_type, properties.delivery_mode
            _ = properties.correlation_id, properties.message_id
            _ = properties.headers["a"], properties.headers["b"]
        if not no_ack:
            channel.basic_ack(method.delivery_tag)
        left -= 1
        if not left:
            channel.stop_consuming()

    with job.measured():
        channel.basic_consume(job.queue_name, callback, auto_ack=no_ack)
        channel.start_consuming()


def consume_ack(job: Job) -> None:
    """Acknowledge each message."""
    with opened(job) as channel:
        channel.basic_qos(prefetch_count=PREFETCH)
        _consume(job, channel, no_ack=False)


consume_large = consume_ack


def consume_ack_properties(job: Job) -> None:
    """Read 4 properties and 2 headers, and acknowledge each message."""
    with opened(job) as channel:
        channel.basic_qos(prefetch_count=PREFETCH)
        _consume(job, channel, no_ack=False, reads=True)


def consume_no_ack(job: Job) -> None:
    """Only take the messages."""
    with opened(job) as channel:
        _consume(job, channel, no_ack=True)


def get_loop(job: Job) -> None:
    """Get one message after the other."""
    with opened(job) as channel, job.measured():
        for _ in range(job.count):
            channel.basic_get(job.queue_name, auto_ack=True)


def rpc(job: Job) -> None:
    """Ask, and wait for the answer."""
    reply_to = "amq.rabbitmq.reply-to"
    properties = pika.BasicProperties(reply_to=reply_to)
    with opened(job) as channel:
        answers: list[bytes] = []

        def callback(channel: Any, method: Any, properties: Any, body: bytes) -> None:
            answers.append(body)

        channel.basic_consume(reply_to, callback, auto_ack=True)
        with job.measured():
            for _ in range(job.count):
                answers.clear()
                channel.basic_publish("", job.queue_name, job.body, properties)
                while not answers:
                    channel.connection.process_data_events(time_limit=None)


def connect(job: Job) -> None:
    """Connect, open a channel, close all; the first time, modules are loaded, is not counted."""
    with opened(job):
        pass
    with job.measured():
        for _ in range(job.count):
            with opened(job):
                pass
