"""aiormq."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from benchmarks.job import Job
from benchmarks.workloads import IN_FLIGHT, PREFETCH

aiormq = import_module("aiormq")


@asynccontextmanager
async def opened(job: Job, *, confirms: bool = False) -> AsyncIterator[Any]:
    """Open a channel."""
    connection = await aiormq.connect(job.url)
    channel = await connection.channel(publisher_confirms=confirms)
    yield channel
    await channel.close()
    await connection.close()


async def publish_fire(job: Job) -> None:
    """Publish without confirms; a round trip at the end sees them through."""
    async with opened(job) as channel:
        with job.measured():
            for _ in range(job.count):
                await channel.basic_publish(job.body, routing_key=job.queue_name)
            await channel.basic_qos()


async def publish_confirm_each(job: Job) -> None:
    """Wait for each confirm."""
    async with opened(job, confirms=True) as channel:
        with job.measured():
            for _ in range(job.count):
                await channel.basic_publish(job.body, routing_key=job.queue_name)


publish_large = publish_confirm_each


async def publish_confirm_gathered(job: Job) -> None:
    """Gather publishes."""
    async with opened(job, confirms=True) as channel:
        with job.measured():
            for _ in range(job.count // IN_FLIGHT):
                await asyncio.gather(
                    *[
                        channel.basic_publish(job.body, routing_key=job.queue_name)
                        for _ in range(IN_FLIGHT)
                    ]
                )


async def publish_properties_gathered(job: Job) -> None:
    """Gather publishes with properties."""
    from datetime import UTC, datetime

    made_at = datetime.fromtimestamp(1_700_000_000, UTC)
    properties = aiormq.spec.Basic.Properties
    async with opened(job, confirms=True) as channel:
        with job.measured():
            for first in range(0, job.count, IN_FLIGHT):
                await asyncio.gather(
                    *[
                        channel.basic_publish(
                            job.body,
                            routing_key=job.queue_name,
                            properties=properties(
                                content_type="text/plain",
                                delivery_mode=1,
                                app_id="benchmark",
                                timestamp=made_at,
                                correlation_id=f"correlation-{number}",
                                message_id=f"message-{number}",
                            ),
                        )
                        for number in range(first, first + IN_FLIGHT)
                    ]
                )


async def _consume(job: Job, channel: Any, *, no_ack: bool, reads: bool = False) -> None:
    finished = asyncio.get_running_loop().create_future()
    left = job.count

    async def callback(message: Any) -> None:
        nonlocal left
        if reads:
            properties = message.header.properties
            _ = properties.content_type, properties.delivery_mode
            _ = properties.correlation_id, properties.message_id
            _ = properties.headers["a"], properties.headers["b"]
        if not no_ack:
            await channel.basic_ack(message.delivery.delivery_tag)
        left -= 1
        if not left:
            finished.set_result(None)

    with job.measured():
        await channel.basic_consume(job.queue_name, callback, no_ack=no_ack)
        await finished
        await channel.basic_qos()


async def consume_ack(job: Job) -> None:
    """Acknowledge each message."""
    async with opened(job) as channel:
        await channel.basic_qos(prefetch_count=PREFETCH)
        await _consume(job, channel, no_ack=False)


consume_large = consume_ack


async def consume_ack_properties(job: Job) -> None:
    """Read 4 properties and 2 headers, and acknowledge each message."""
    async with opened(job) as channel:
        await channel.basic_qos(prefetch_count=PREFETCH)
        await _consume(job, channel, no_ack=False, reads=True)


async def consume_no_ack(job: Job) -> None:
    """Only take the messages."""
    async with opened(job) as channel:
        await _consume(job, channel, no_ack=True)


async def get_loop(job: Job) -> None:
    """Get one message after the other."""
    async with opened(job) as channel:
        with job.measured():
            for _ in range(job.count):
                await channel.basic_get(job.queue_name, no_ack=True)


async def rpc(job: Job) -> None:
    """Ask, and wait for the answer."""
    reply_to = "amq.rabbitmq.reply-to"
    properties = aiormq.spec.Basic.Properties
    loop = asyncio.get_running_loop()
    async with opened(job) as channel:
        answer = loop.create_future()

        async def callback(message: Any) -> None:
            answer.set_result(message)

        await channel.basic_consume(reply_to, callback, no_ack=True)
        with job.measured():
            for _ in range(job.count):
                answer = loop.create_future()
                await channel.basic_publish(
                    job.body, routing_key=job.queue_name, properties=properties(reply_to=reply_to)
                )
                await answer


async def connect(job: Job) -> None:
    """Connect, open a channel, close all; the first time, modules are loaded, is not counted."""
    async with opened(job):
        pass
    with job.measured():
        for _ in range(job.count):
            async with opened(job):
                pass
