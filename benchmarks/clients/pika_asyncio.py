"""pika's AsyncioConnection, in its own style: each step is the callback of the one before."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from benchmarks.job import Job
from benchmarks.workloads import IN_FLIGHT, PREFETCH

pika = import_module("pika")
AsyncioConnection = import_module("pika.adapters.asyncio_connection").AsyncioConnection


async def answered(call: Callable[[Callable[[Any], None]], object]) -> Any:
    """Wait for what a call gives to its callback."""
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    call(answer.set_result)
    return await answer


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[Any]:
    """Open a channel."""
    closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    parameters = pika.URLParameters(job.url)
    connection = await answered(
        lambda done: AsyncioConnection(
            parameters,
            on_open_callback=done,
            on_close_callback=lambda connection, reason: closed.set_result(None),
        )
    )
    channel = await answered(lambda done: connection.channel(on_open_callback=done))
    yield channel
    connection.close()
    await closed


async def publish_fire(job: Job) -> None:
    """Publish without confirms; a round trip at the end sees them through.

    pika has no way to wait for its write buffer: without the turns of the loop it would hold
    everything in memory and write it at the end.
    """
    async with opened(job) as channel:
        with job.measured():
            for number in range(job.count):
                channel.basic_publish("", job.queue_name, job.body)
                if number % 100 == 0:
                    await asyncio.sleep(0)
            await answered(lambda done: channel.basic_qos(callback=done))


async def _publish_confirmed(
    job: Job, in_flight: int, properties: Callable[[int], Any] | None = None
) -> None:
    async with opened(job) as channel:
        finished = asyncio.get_running_loop().create_future()
        published = confirmed = 0

        def publish_some() -> None:
            nonlocal published
            for number in range(published, min(published + in_flight, job.count)):
                described = None if properties is None else properties(number)
                channel.basic_publish("", job.queue_name, job.body, described)
                published = number + 1

        def on_confirm(frame: Any) -> None:
            nonlocal confirmed
            method = frame.method
            confirmed = method.delivery_tag if method.multiple else confirmed + 1
            if confirmed >= job.count:
                finished.set_result(None)
            elif confirmed == published:
                publish_some()

        await answered(lambda done: channel.confirm_delivery(on_confirm, callback=done))
        with job.measured():
            publish_some()
            await finished


async def publish_confirm_each(job: Job) -> None:
    """Wait for each confirm."""
    await _publish_confirmed(job, 1)


publish_large = publish_confirm_each


async def publish_confirm_gathered(job: Job) -> None:
    """Have many in flight."""
    await _publish_confirmed(job, IN_FLIGHT)


async def publish_properties_gathered(job: Job) -> None:
    """Have many in flight, with properties."""
    await _publish_confirmed(
        job,
        IN_FLIGHT,
        lambda number: pika.BasicProperties(
            content_type="text/plain",
            delivery_mode=1,
            app_id="benchmark",
            timestamp=1_700_000_000,
            correlation_id=f"correlation-{number}",
            message_id=f"message-{number}",
        ),
    )


async def _consume(job: Job, *, no_ack: bool, reads: bool = False) -> None:
    finished = asyncio.get_running_loop().create_future()
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
            finished.set_result(None)

    async with opened(job) as channel:
        if not no_ack:
            await answered(lambda done: channel.basic_qos(prefetch_count=PREFETCH, callback=done))
        with job.measured():
            channel.basic_consume(job.queue_name, callback, auto_ack=no_ack)
            await finished
            await answered(lambda done: channel.basic_qos(callback=done))


async def consume_ack(job: Job) -> None:
    """Acknowledge each message."""
    await _consume(job, no_ack=False)


consume_large = consume_ack


async def consume_ack_properties(job: Job) -> None:
    """Read 4 properties and 2 headers, and acknowledge each message."""
    await _consume(job, no_ack=False, reads=True)


async def consume_no_ack(job: Job) -> None:
    """Only take the messages."""
    await _consume(job, no_ack=True)


async def get_loop(job: Job) -> None:
    """Get one message after the other."""
    finished = asyncio.get_running_loop().create_future()
    left = job.count

    def callback(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        nonlocal left
        left -= 1
        if left:
            channel.basic_get(job.queue_name, callback, auto_ack=True)
        else:
            finished.set_result(None)

    async with opened(job) as channel:
        with job.measured():
            channel.basic_get(job.queue_name, callback, auto_ack=True)
            await finished


async def rpc(job: Job) -> None:
    """Ask, and wait for the answer."""
    reply_to = "amq.rabbitmq.reply-to"
    properties = pika.BasicProperties(reply_to=reply_to)
    finished = asyncio.get_running_loop().create_future()
    left = job.count

    def callback(channel: Any, method: Any, answered_with: Any, body: bytes) -> None:
        nonlocal left
        left -= 1
        if left:
            channel.basic_publish("", job.queue_name, job.body, properties)
        else:
            finished.set_result(None)

    async with opened(job) as channel:
        await answered(
            lambda done: channel.basic_consume(reply_to, callback, auto_ack=True, callback=done)
        )
        with job.measured():
            channel.basic_publish("", job.queue_name, job.body, properties)
            await finished


async def connect(job: Job) -> None:
    """Connect, open a channel, close all; the first time, modules are loaded, is not counted."""
    async with opened(job):
        pass
    with job.measured():
        for _ in range(job.count):
            async with opened(job):
                pass
