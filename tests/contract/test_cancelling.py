"""Every operation, cancelled at each point where it waits and at other times, on brokers.

Whatever was cancelled, and whenever: the channel can be used afterwards, answers go to whom they
belong, and no message is lost but those that nobody was to acknowledge.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any

import pytest

import ammoo
from tests.client.brokers import Name
from tests.support.cancelling import cancelled_after, cancelled_at

MORE_THAN_THERE_ARE = 12
"""Points at which any of the operations waits."""

Operation = Callable[[ammoo.Channel, str], Coroutine[Any, Any, object]]


async def publish(channel: ammoo.Channel, queue: str) -> None:
    await channel.publish("", queue, b"more", message_id="with properties")


async def get(channel: ammoo.Channel, queue: str) -> None:
    await (await channel.get(queue)).reject(requeue=True)


async def consume(channel: ammoo.Channel, queue: str) -> None:
    async with channel.consume(queue) as consumer:
        await (await anext(consumer)).reject(requeue=True)


async def open_another_channel(channel: ammoo.Channel, queue: str) -> None:
    async with channel.connection.channel(prefetch_count=5) as another:
        await another.assert_queue_exists(queue)


async def declare(channel: ammoo.Channel, queue: str) -> object:
    return await channel.declare_queue(queue)


async def select_confirm(channel: ammoo.Channel, queue: str) -> None:
    await channel.select_confirm()


async def transact(channel: ammoo.Channel, queue: str) -> None:
    async with channel.connection.channel() as another, another.transaction():
        await another.publish("", queue, b"more")


@pytest.fixture
async def queue(broker_connection: ammoo.Connection, name: Name) -> str:
    """A queue with three messages."""
    async with broker_connection.channel() as channel:
        queue = (await channel.declare_queue(name("queue"))).queue_name
        await channel.select_confirm()
        for body in "abc":
            await channel.publish("", queue, body)
    return queue


@pytest.mark.parametrize(
    "operation",
    [publish, get, consume, open_another_channel, declare, select_confirm, transact],
    ids=lambda operation: operation.__name__,
)
@pytest.mark.parametrize("cancelled", [cancelled_at, cancelled_after])
async def test_operation_cancelled_anywhere(
    broker_connection: ammoo.Connection,
    broker_channel: ammoo.Channel,
    queue: str,
    operation: Operation,
    cancelled: Callable[[int, Coroutine[Any, Any, object]], Awaitable[bool]],
) -> None:
    await broker_channel.select_confirm()

    async def cancelled_before_use(point: int) -> bool:
        was_cancelled = await cancelled(point, operation(broker_channel, queue))
        declared, _ = await asyncio.gather(
            broker_channel.declare_queue(queue), broker_channel.publish("", queue, b"again")
        )
        assert queue == declared.queue_name
        return was_cancelled

    was_cancelled = [await cancelled_before_use(point) for point in range(MORE_THAN_THERE_ARE)]

    assert was_cancelled[0]
    assert cancelled is cancelled_after or not was_cancelled[-1]
    await broker_channel.close()

    assert await _read_all(broker_connection, queue) >= {"a", "b", "c", "again"}
    assert 0 == len(broker_connection._require_live().channels)


async def test_connecting_cancelled_anywhere_leaves_nothing_behind(broker_url: str) -> None:
    """Neither a socket nor a task: every test is watched for those."""

    async def use() -> None:
        async with await ammoo.connect(broker_url) as connection, connection.channel():
            pass

    points = await cancelled_at_each_point(use)

    assert points >= 4  # the socket, the handshake, the channel, and both closes


async def cancelled_at_each_point(operation: Callable[[], Coroutine[Any, Any, object]]) -> int:
    """Cancel an operation at each point where it waits; return how many there are."""
    for point in count():
        if not await cancelled_at(point, operation()):
            return point
    raise AssertionError("count ends")


async def _read_all(connection: ammoo.Connection, queue: str) -> set[str]:
    """Read what is in a queue, once all that was cancelled has been dealt with."""
    bodies = set()
    async with connection.channel() as channel, channel.consume(queue) as consumer:
        async for message in consumer:
            bodies.add(message.decode())
            await message.ack()
            if bodies >= {"a", "b", "c", "again"}:
                return bodies
    return bodies
