"""py-amqp, which is kombu's and Celery's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from benchmarks.job import Job
from benchmarks.workloads import IN_FLIGHT, PREFETCH

amqp = import_module("amqp")


@contextmanager
def opened(job: Job, *, confirms: bool = False) -> Iterator[Any]:
    """Open a channel."""
    address = job.address
    with amqp.Connection(
        f"{address.host}:{address.port}",
        address.login,
        address.password,
        virtual_host=address.virtualhost,
        confirm_publish=confirms,
    ) as connection:
        yield connection.channel()


def publish_fire(job: Job) -> None:
    """Publish without confirms; a round trip at the end sees them through."""
    with opened(job) as channel, job.measured():
        for _ in range(job.count):
            channel.basic_publish(amqp.Message(job.body), "", job.queue_name)
        channel.basic_qos(0, 0, False)


def publish_confirm_each(job: Job) -> None:
    """Wait for each confirm."""
    with opened(job, confirms=True) as channel, job.measured():
        for _ in range(job.count):
            channel.basic_publish(amqp.Message(job.body), "", job.queue_name)


publish_large = publish_confirm_each


def _publish_gathered(job: Job, message: Callable[[int], Any]) -> None:
    confirmed = 0

    def on_confirm(delivery_tag: int, multiple: bool) -> None:
        nonlocal confirmed
        confirmed = delivery_tag if multiple else confirmed + 1

    with opened(job) as channel:
        channel.confirm_select()
        channel.events["basic_ack"].add(on_confirm)
        with job.measured():
            for first in range(0, job.count, IN_FLIGHT):
                for number in range(first, first + IN_FLIGHT):
                    channel.basic_publish(message(number), "", job.queue_name)
                while confirmed < first + IN_FLIGHT:
                    channel.connection.drain_events()


def publish_confirm_gathered(job: Job) -> None:
    """Have many in flight."""
    _publish_gathered(job, lambda number: amqp.Message(job.body))


def publish_properties_gathered(job: Job) -> None:
    """Have many in flight, with properties."""
    _publish_gathered(
        job,
        lambda number: amqp.Message(
            job.body,
            content_type="text/plain",
            delivery_mode=1,
            app_id="benchmark",
            timestamp=1_700_000_000,
            correlation_id=f"correlation-{number}",
            message_id=f"message-{number}",
        ),
    )


def _consume(job: Job, *, no_ack: bool, reads: bool = False) -> None:
    left = job.count

    def callback(message: Any) -> None:
        nonlocal left
        if reads:
            properties = message.properties
            _ = properties["content_type"], properties["delivery_mode"]
            _ = properties["correlation_id"], properties["message_id"]
            headers = properties["application_headers"]
            _ = headers["a"], headers["b"]
        if not no_ack:
            channel.basic_ack(message.delivery_tag)
        left -= 1

    with opened(job) as channel:
        if not no_ack:
            channel.basic_qos(0, PREFETCH, False)
        with job.measured():
            channel.basic_consume(job.queue_name, no_ack=no_ack, callback=callback)
            while left:
                channel.connection.drain_events()
            channel.basic_qos(0, 0, False)


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
            channel.basic_get(job.queue_name, no_ack=True)


def rpc(job: Job) -> None:
    """Ask, and wait for the answer."""
    reply_to = "amq.rabbitmq.reply-to"
    with opened(job) as channel:
        answers: list[Any] = []
        channel.basic_consume(reply_to, no_ack=True, callback=answers.append)
        with job.measured():
            for _ in range(job.count):
                answers.clear()
                channel.basic_publish(amqp.Message(job.body, reply_to=reply_to), "", job.queue_name)
                while not answers:
                    channel.connection.drain_events()


def connect(job: Job) -> None:
    """Connect, open a channel, close all; the first time, modules are loaded, is not counted."""
    with opened(job):
        pass
    with job.measured():
        for _ in range(job.count):
            with opened(job):
                pass
