"""aio-pika, its connection that does not reconnect by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from benchmarks.job import Job
from benchmarks.workloads import IN_FLIGHT, PREFETCH

aio_pika = import_module("aio_pika")


@asynccontextmanager
async def opened(job: Job, *, confirms: bool = False) -> AsyncIterator[Any]:
    """Open a channel."""
    async with (
        await aio_pika.connect(job.url) as connection,
        connection.channel(publisher_confirms=confirms) as channel,
    ):
        yield channel


async def publish_fire(job: Job) -> None:
    """Publish without confirms; a round trip at the end sees them through."""
    async with opened(job) as channel:
        exchange = channel.default_exchange
        with job.measured():
            for _ in range(job.count):
                await exchange.publish(aio_pika.Message(job.body), job.queue_name)
            await channel.set_qos()


async def publish_confirm_each(job: Job) -> None:
    """Wait for each confirm."""
    async with opened(job, confirms=True) as channel:
        exchange = channel.default_exchange
        with job.measured():
            for _ in range(job.count):
                await exchange.publish(aio_pika.Message(job.body), job.queue_name)


publish_large = publish_confirm_each


async def publish_confirm_gathered(job: Job) -> None:
    """Gather publishes."""
    async with opened(job, confirms=True) as channel:
        exchange = channel.default_exchange
        with job.measured():
            for _ in range(job.count // IN_FLIGHT):
                await asyncio.gather(
                    *[
                        exchange.publish(aio_pika.Message(job.body), job.queue_name)
                        for _ in range(IN_FLIGHT)
                    ]
                )


async def publish_properties_gathered(job: Job) -> None:
    """Gather publishes with properties."""
    async with opened(job, confirms=True) as channel:
        exchange = channel.default_exchange
        with job.measured():
            for first in range(0, job.count, IN_FLIGHT):
                await asyncio.gather(
                    *[
                        exchange.publish(
                            aio_pika.Message(
                                job.body,
                                content_type="text/plain",
                                delivery_mode=1,
                                app_id="benchmark",
                                timestamp=1_700_000_000,
                                correlation_id=f"correlation-{number}",
                                message_id=f"message-{number}",
                            ),
                            job.queue_name,
                        )
                        for number in range(first, first + IN_FLIGHT)
                    ]
                )


async def consume_ack(job: Job) -> None:
    """Acknowledge each message."""
    async with opened(job) as channel:
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await channel.get_queue(job.queue_name, ensure=False)
        left = job.count
        with job.measured():
            async with queue.iterator() as messages:
                async for message in messages:
                    await message.ack()
                    left -= 1
                    if not left:
                        break
            await channel.set_qos()


consume_large = consume_ack


async def consume_ack_properties(job: Job) -> None:
    """Read 4 properties and 2 headers, and acknowledge each message."""
    async with opened(job) as channel:
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await channel.get_queue(job.queue_name, ensure=False)
        left = job.count
        with job.measured():
            async with queue.iterator() as messages:
                async for message in messages:
                    headers = message.headers
                    _ = message.content_type, message.delivery_mode
                    _ = message.correlation_id, message.message_id
                    _ = headers["a"], headers["b"]
                    await message.ack()
                    left -= 1
                    if not left:
                        break
            await channel.set_qos()


async def consume_no_ack(job: Job) -> None:
    """Only take the messages."""
    async with opened(job) as channel:
        queue = await channel.get_queue(job.queue_name, ensure=False)
        left = job.count
        with job.measured():
            async with queue.iterator(no_ack=True) as messages:
                async for _ in messages:
                    left -= 1
                    if not left:
                        break


async def get_loop(job: Job) -> None:
    """Get one message after the other."""
    async with opened(job) as channel:
        queue = await channel.get_queue(job.queue_name, ensure=False)
        with job.measured():
            for _ in range(job.count):
                await queue.get(no_ack=True)


async def rpc(job: Job) -> None:
    """Ask, and wait for the answer."""
    reply_to = "amq.rabbitmq.reply-to"
    async with opened(job) as channel:
        queue = await channel.get_queue(reply_to, ensure=False)
        exchange = channel.default_exchange
        async with queue.iterator(no_ack=True) as replies:
            with job.measured():
                for _ in range(job.count):
                    await exchange.publish(
                        aio_pika.Message(job.body, reply_to=reply_to), job.queue_name
                    )
                    await anext(replies)


async def connect(job: Job) -> None:
    """Connect, open a channel, close all; the first time, modules are loaded, is not counted."""
    async with opened(job):
        pass
    with job.measured():
        for _ in range(job.count):
            async with opened(job):
                pass
