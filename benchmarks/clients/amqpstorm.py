"""AMQPStorm. It waits for each confirm by itself: no gathered publishes."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from benchmarks.job import Job
from benchmarks.workloads import PREFETCH

amqpstorm = import_module("amqpstorm")


@contextmanager
def opened(job: Job) -> Iterator[Any]:
    """Open a channel."""
    address = job.address
    with (
        amqpstorm.Connection(
            address.host,
            address.login,
            address.password,
            port=address.port,
            virtual_host=address.virtualhost,
        ) as connection,
        connection.channel() as channel,
    ):
        yield channel


def publish_fire(job: Job) -> None:
    """Publish without confirms; a round trip at the end sees them through."""
    with opened(job) as channel, job.measured():
        for _ in range(job.count):
            channel.basic.publish(job.body, job.queue_name)
        channel.basic.qos()


def publish_confirm_each(job: Job) -> None:
    """Wait for each confirm."""
    with opened(job) as channel:
        channel.confirm_deliveries()
        with job.measured():
            for _ in range(job.count):
                channel.basic.publish(job.body, job.queue_name)


publish_large = publish_confirm_each


def _consume(job: Job, *, no_ack: bool, reads: bool = False) -> None:
    left = job.count
    with opened(job) as channel:
        if not no_ack:
            channel.basic.qos(PREFETCH)
        with job.measured():
            channel.basic.consume(queue=job.queue_name, no_ack=no_ack)
            for message in channel.build_inbound_messages():
                if reads:
                    properties = message.properties
                    _ = properties["content_type"], properties["delivery_mode"]
                    _ = properties["correlation_id"], properties["message_id"]
                    _ = properties["headers"]["a"], properties["headers"]["b"]
                if not no_ack:
                    message.ack()
                left -= 1
                if not left:
                    break
            channel.basic.qos()


def consume_ack(job: Job) -> None:
    """Acknowledge each message."""
    _consume(job, no_ack=False)


consume_large = consume_ack


def consume_ack_properties(job: Job) -> None:
    """Read 4 properties and 2 headers, and acknowledge each message."""
    _consume(job, no_ack=False, reads=True)


def consume_no_ack(job: Job) -> None:
    """Only take the messages."""
    _consume(job, no_ack=True)


def get_loop(job: Job) -> None:
    """Get one message after the other."""
    with opened(job) as channel, job.measured():
        for _ in range(job.count):
            channel.basic.get(job.queue_name, no_ack=True)


def rpc(job: Job) -> None:
    """Ask, and wait for the answer."""
    reply_to = "amq.rabbitmq.reply-to"
    with opened(job) as channel:
        channel.basic.consume(queue=reply_to, no_ack=True)
        with job.measured():
            for _ in range(job.count):
                channel.basic.publish(job.body, job.queue_name, properties={"reply_to": reply_to})
                next(channel.build_inbound_messages())


def connect(job: Job) -> None:
    """Connect, open a channel, close all; the first time, modules are loaded, is not counted."""
    with opened(job):
        pass
    with job.measured():
        for _ in range(job.count):
            with opened(job):
                pass
