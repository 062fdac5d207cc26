"""Every operation, cancelled after any number of turns of the loop, on brokers.

Whatever was cancelled, and whenever: the channel can be used afterwards, answers go to whom they
belong, and no message is lost but those that nobody was to acknowledge.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

import ammoo
from tests.client.brokers import Name

TURNS = 8
Operation = Callable[[ammoo.Channel, str], Awaitable[object]]


async def publish(channel: ammoo.Channel, queue: str) -> None:
    await channel.publish("", queue, b"more", message_id="with properties")


async def get(channel: ammoo.Channel, queue: str) -> None:
    await (await channel.get(queue)).reject(requeue=True)


async def consume(channel: ammoo.Channel, queue: str) -> None:
    async with channel.consume(queue) as consumer:
        async for _ in consumer:
            pass


async def open_another_channel(channel: ammoo.Channel, queue: str) -> None:
    async with channel.connection.channel(prefetch_count=5) as another:
        await another.assert_queue_exists(queue)


async def declare(channel: ammoo.Channel, queue: str) -> object:
    return await channel.declare_queue(queue)


async def select_confirm(channel: ammoo.Channel, queue: str) -> None:
    await channel.select_confirm()


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
    [publish, get, consume, open_another_channel, declare, select_confirm],
    ids=lambda operation: operation.__name__,
)
async def test_operation_cancelled_anywhere(
    broker_connection: ammoo.Connection,
    broker_channel: ammoo.Channel,
    queue: str,
    operation: Operation,
) -> None:
    await broker_channel.select_confirm()
    for turns in range(TURNS):
        task = asyncio.ensure_future(operation(broker_channel, queue))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})

        declared, _ = await asyncio.gather(
            broker_channel.declare_queue(queue), broker_channel.publish("", queue, b"again")
        )
        assert declared.queue_name == queue
    await broker_channel.close()

    assert await _read_all(broker_connection, queue) >= {"a", "b", "c", "again"}
    assert len(broker_connection._require_live().channels) == 0


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
