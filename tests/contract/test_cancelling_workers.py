"""Publishers, workers and RPC, cancelled at each point where they wait and at other times.

Whatever was cancelled, and whenever: no message is lost, no channel and no task is left, and the
connection can be used afterwards. (Every test is watched for tasks.)
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

import ammoo
from tests.client.brokers import Name
from tests.support.cancelling import cancelled_after, cancelled_at

MOST_POINTS = 30
"""More than there are points at which any of the operations waits."""
BODIES = {"a", "b", "c"}

Operation = Callable[[ammoo.Connection, str], Coroutine[Any, Any, object]]


async def use_publisher(connection: ammoo.Connection, queue: str) -> None:
    async with connection.channel() as channel, channel.publisher(max_in_flight=2) as publisher:
        confirmations = [await publisher.publish("", queue, "more") for _ in range(4)]
        await publisher.flush()
        await confirmations[-1]
        await publisher.publish("", queue, "more")


async def publish_many(connection: ammoo.Connection, queue: str) -> None:
    async with connection.channel() as channel, channel.publisher(max_in_flight=2) as publisher:
        await publisher.publish_many(("", queue, b"more") for _ in range(4))


async def process(connection: ammoo.Connection, queue: str) -> None:
    async with (
        connection.channel() as sending,
        connection.channel(prefetch_count=2) as channel,
        channel.consume(queue) as consumer,
    ):
        await sending.select_confirm()
        async with (await anext(consumer)).process() as message:
            await sending.publish("", queue, message.body)


async def run_and_drain(connection: ammoo.Connection, queue: str) -> None:
    has_handled = asyncio.Event()
    async with (
        connection.channel() as sending,
        sending.publisher() as publisher,
        connection.channel(prefetch_count=4) as channel,
        channel.consume(queue) as consumer,
        asyncio.TaskGroup() as group,
    ):

        async def handle(message: ammoo.DeliverMessage) -> None:
            await (await publisher.publish("", queue, message.body))
            has_handled.set()

        group.create_task(
            consumer.run(handle, concurrency=2, ordered_by=ammoo.DeliverMessage.decode)
        )
        await has_handled.wait()
        await consumer.drain(None, publishers=[publisher])


async def run(connection: ammoo.Connection, queue: str) -> None:
    async with (
        connection.channel() as sending,
        connection.channel(prefetch_count=4) as channel,
        channel.consume(queue) as consumer,
    ):
        await sending.select_confirm()

        async def handle(message: ammoo.DeliverMessage) -> None:
            await sending.publish("", queue, message.body)
            await consumer.cancel()

        await consumer.run(handle, concurrency=2)


async def call(connection: ammoo.Connection, queue: str) -> None:
    async def double(request: ammoo.DeliverMessage) -> str:
        return 2 * request.decode()

    async with connection.channel(prefetch_count=4) as channel:
        requests = (await channel.declare_queue("", exclusive=True)).queue_name
        async with (
            channel.serve(requests, double) as server,
            asyncio.TaskGroup() as group,
            channel.rpc() as rpc,
        ):
            group.create_task(server.run())
            assert b"77" == (await rpc.call("", requests, "7")).body
            await server.cancel()


@pytest.fixture
async def queue(broker_channel: ammoo.Channel, name: Name) -> str:
    """A queue with three messages."""
    queue = (await broker_channel.declare_queue(name("queue"))).queue_name
    await broker_channel.select_confirm()
    for body in sorted(BODIES):
        await broker_channel.publish("", queue, body)
    return queue


@pytest.mark.parametrize(
    "operation",
    [use_publisher, publish_many, process, run, run_and_drain, call],
    ids=lambda operation: operation.__name__,
)
@pytest.mark.parametrize("cancelled", [cancelled_at, cancelled_after])
async def test_work_cancelled_anywhere(
    broker_connection: ammoo.Connection,
    broker_channel: ammoo.Channel,
    queue: str,
    operation: Operation,
    cancelled: Callable[[int, Coroutine[Any, Any, object]], Awaitable[bool]],
) -> None:
    was_cancelled = await cancelled_at_each_point(
        lambda point: cancelled(point, operation(broker_connection, queue))
    )
    channels = await _channels_left(broker_channel, queue)

    assert 3 < was_cancelled
    assert cancelled is cancelled_after or was_cancelled < MOST_POINTS
    assert [broker_channel.channel_id] == channels
    assert BODIES == {*await _read_all(broker_channel, queue)} - {"more"}


async def cancelled_at_each_point(cancel: Callable[[int], Awaitable[bool]]) -> int:
    """Cancel an operation later and later, until it ends before; return how often it was cancelled."""
    for point in range(MOST_POINTS):
        if not await cancel(point):
            return point
    return MOST_POINTS


async def _channels_left(channel: ammoo.Channel, queue: str) -> list[int]:
    """Make round trips until no other channel is left, or for far longer than closing takes."""
    channels = channel.connection._require_live().channels
    for _ in range(200):
        await channel.declare_queue(queue)
        if len(channels) == 1:
            break
    return list(channels)


async def _read_all(channel: ammoo.Channel, queue: str) -> list[str]:
    """Read what is in a queue until all bodies have come."""
    bodies: list[str] = []
    async with channel.consume(queue) as consumer:
        async for message in consumer:
            bodies.append(message.decode())
            await message.ack()
            if BODIES <= {*bodies}:
                break
    return bodies
