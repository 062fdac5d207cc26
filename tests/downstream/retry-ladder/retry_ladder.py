"""A worker that tries failed jobs again after 1, 10 and 60 minutes, and parks them then.

Each step of the ladder is a queue without consumers whose messages expire back into the queue of
jobs. A header of the job's own counts the failures: RabbitMQ 4 does not go on with the x-death of a
message that a client publishes anew.
"""

from collections.abc import Callable
from itertools import islice

from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import BasicProperties

JOBS = "jobs"
PARKED = "jobs.parked"
LADDER = (60, 600, 3600)
"""Seconds until a job is tried again, after each failure."""


def step_name(seconds: int) -> str:
    """Return the name of the queue in which jobs wait for so many seconds."""
    return f"{JOBS}.retry.{seconds}s"


def declare(channel: BlockingChannel) -> None:
    """Declare the queues of jobs, of the ladder, and of parked jobs."""
    channel.queue_declare(JOBS, durable=True)
    channel.queue_declare(PARKED, durable=True)
    for seconds in LADDER:
        arguments = {
            "x-message-ttl": 1000 * seconds,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": JOBS,
        }
        channel.queue_declare(step_name(seconds), durable=True, arguments=arguments)


def work(
    channel: BlockingChannel, handle: Callable[[bytes], object], *, deliveries: int | None = None
) -> None:
    """Handle jobs: so many deliveries, or for ever."""
    channel.confirm_delivery()  # a failed job must be on the ladder before it leaves the queue
    for method, properties, body in islice(channel.consume(JOBS), deliveries):
        try:
            handle(body)
        except OSError:  # what the outside world does not answer may work later
            put_aside(channel, properties, body)
        channel.basic_ack(method.delivery_tag)
    channel.cancel()


def put_aside(channel: BlockingChannel, properties: BasicProperties, body: bytes) -> None:
    """Let a failed job wait for its next try, or park it."""
    failures = (properties.headers or {}).get("failures", 0)
    target = step_name(LADDER[failures]) if failures < len(LADDER) else PARKED
    channel.basic_publish("", target, body, BasicProperties(headers={"failures": failures + 1}))
