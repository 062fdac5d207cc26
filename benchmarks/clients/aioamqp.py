"""aioamqp. It loses count when several messages are confirmed at once: no gathered publishes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from benchmarks.job import Job
from benchmarks.workloads import PREFETCH

aioamqp = import_module("aioamqp")


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[Any]:
    """Open a channel."""
    address = job.address
    transport, protocol = await aioamqp.connect(
        address.host, address.port, address.login, address.password, address.virtualhost
    )
    channel = await protocol.channel()
    yield channel
    await protocol.close()
    transport.close()


async def publish_fire(job: Job) -> None:
    """Publish without confirms; a round trip at the end sees them through."""
    async with opened(job) as channel:
        with job.measured():
            for _ in range(job.count):
                await channel.basic_publish(job.body, "", job.queue_name)
            await channel.basic_qos(0, 0, False)


async def publish_confirm_each(job: Job) -> None:
    """Wait for each confirm."""
    async with opened(job) as channel:
        await channel.confirm_select()
        with job.measured():
            for _ in range(job.count):
                await channel.publish(job.body, "", job.queue_name)


publish_large = publish_confirm_each


async def _consume(job: Job, channel: Any, *, no_ack: bool, reads: bool = False) -> None:
    finished = asyncio.get_running_loop().create_future()
    left = job.count

    async def callback(channel: Any, body: bytes, envelope: Any, properties: Any) -> None:
        nonlocal left
        if reads:
            _ = properties.content_type, properties.delivery_mode
            _ = properties.correlation_id, properties.message_id
            _ = properties.headers["a"], properties.headers["b"]
        if not no_ack:
            await channel.basic_client_ack(envelope.delivery_tag)
        left -= 1
        if not left:
            finished.set_result(None)

    with job.measured():
        await channel.basic_consume(callback, job.queue_name, no_ack=no_ack)
        await finished
        await channel.basic_qos(0, 0, False)


async def consume_ack(job: Job) -> None:
    """Acknowledge each message."""
    async with opened(job) as channel:
        await channel.basic_qos(0, PREFETCH, False)
        await _consume(job, channel, no_ack=False)


consume_large = consume_ack


async def consume_ack_properties(job: Job) -> None:
    """Read 4 properties and 2 headers, and acknowledge each message."""
    async with opened(job) as channel:
        await channel.basic_qos(0, PREFETCH, False)
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
    loop = asyncio.get_running_loop()
    async with opened(job) as channel:
        answer = loop.create_future()

        async def callback(channel: Any, body: bytes, envelope: Any, properties: Any) -> None:
            answer.set_result(body)

        await channel.basic_consume(callback, reply_to, no_ack=True)
        with job.measured():
            for _ in range(job.count):
                answer = loop.create_future()
                await channel.basic_publish(
                    job.body, "", job.queue_name, properties={"reply_to": reply_to}
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
