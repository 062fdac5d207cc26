"""ammoo."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import ammoo
from benchmarks.job import Job
from benchmarks.workloads import IN_FLIGHT, PREFETCH


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[ammoo.Channel]:
    """Open a channel."""
    async with await ammoo.connect(job.url) as connection, connection.channel() as channel:
        yield channel


async def publish_fire(job: Job) -> None:
    """Publish without confirms; a round trip at the end sees them through."""
    async with opened(job) as channel:
        with job.measured():
            for _ in range(job.count):
                await channel.publish("", job.queue_name, job.body)
            await channel.qos()


async def publish_confirm_each(job: Job) -> None:
    """Wait for each confirm."""
    async with opened(job) as channel:
        await channel.select_confirm()
        with job.measured():
            for _ in range(job.count):
                await channel.publish("", job.queue_name, job.body)


publish_large = publish_confirm_each


async def publish_confirm_gathered(job: Job) -> None:
    """Gather publishes."""
    async with opened(job) as channel:
        await channel.select_confirm()
        with job.measured():
            for _ in range(job.count // IN_FLIGHT):
                await asyncio.gather(
                    *[channel.publish("", job.queue_name, job.body) for _ in range(IN_FLIGHT)]
                )


async def publish_nowait(job: Job) -> None:
    """Publish without coroutines, then await the confirms."""
    async with opened(job) as channel:
        await channel.select_confirm()
        with job.measured():
            for _ in range(job.count // IN_FLIGHT):
                confirmations = []
                for _ in range(IN_FLIGHT):
                    if not channel.is_publishable:
                        await channel.wait_publishable()
                    confirmations.append(channel.publish_nowait("", job.queue_name, job.body))
                # They are futures, sent already: nothing is gained by gathering them, for 1.5 µs.
                for confirmation in confirmations:
                    await confirmation


async def publish_properties_gathered(job: Job) -> None:
    """Gather publishes with properties."""
    async with opened(job) as channel:
        await channel.select_confirm()
        with job.measured():
            for first in range(0, job.count, IN_FLIGHT):
                await asyncio.gather(
                    *[
                        channel.publish(
                            "",
                            job.queue_name,
                            job.body,
                            content_type="text/plain",
                            delivery_mode=1,
                            app_id="benchmark",
                            timestamp=1_700_000_000,
                            correlation_id=f"correlation-{number}",
                            message_id=f"message-{number}",
                        )
                        for number in range(first, first + IN_FLIGHT)
                    ]
                )


async def consume_ack(job: Job) -> None:
    """Acknowledge each message."""
    async with opened(job) as channel:
        await channel.qos(prefetch_count=PREFETCH)
        left = job.count
        with job.measured():
            async with channel.consume(job.queue_name) as consumer:
                async for message in consumer:
                    await message.ack()
                    left -= 1
                    if not left:
                        break
            await channel.qos()


consume_large = consume_ack


async def consume_ack_properties(job: Job) -> None:
    """Read 4 properties and 2 headers, and acknowledge each message."""
    async with opened(job) as channel:
        await channel.qos(prefetch_count=PREFETCH)
        left = job.count
        with job.measured():
            async with channel.consume(job.queue_name) as consumer:
                async for message in consumer:
                    properties = message.properties
                    headers = properties.headers
                    assert headers is not None
                    _ = properties.content_type, properties.delivery_mode
                    _ = properties.correlation_id, properties.message_id
                    _ = headers["a"], headers["b"]
                    await message.ack()
                    left -= 1
                    if not left:
                        break
            await channel.qos()


async def consume_no_ack(job: Job) -> None:
    """Only take the messages."""
    async with opened(job) as channel:
        left = job.count
        with job.measured():
            async with channel.consume(job.queue_name, no_ack=True) as consumer:
                async for _ in consumer:
                    left -= 1
                    if not left:
                        break


async def get_loop(job: Job) -> None:
    """Get one message after the other."""
    async with opened(job) as channel:
        with job.measured():
            for _ in range(job.count):
                await channel.get(job.queue_name, no_ack=True)


async def rpc(job: Job) -> None:
    """Ask, and wait for the answer."""
    reply_to = "amq.rabbitmq.reply-to"
    async with opened(job) as channel, channel.consume(reply_to, no_ack=True) as replies:
        with job.measured():
            for _ in range(job.count):
                await channel.publish("", job.queue_name, job.body, reply_to=reply_to)
                await anext(replies)


async def connect(job: Job) -> None:
    """Connect, open a channel, close all; the first time, modules are loaded, is not counted."""
    async with opened(job):
        pass
    with job.measured():
        for _ in range(job.count):
            async with opened(job):
                pass
