"""aio-pika, unmodified."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import aio_pika.exceptions
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.patterns import RPC

from ammoo_fakebroker import FakeBroker


@pytest.fixture
async def channel(url: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(url) as connection:
        yield await connection.channel()


async def test_published_message_is_got_back_as_it_was(channel: AbstractChannel) -> None:
    queue = await channel.declare_queue("queue")
    message = aio_pika.Message(b"body", headers={"answer": 42}, content_type="text/plain")

    await channel.default_exchange.publish(message, "queue")
    got = await queue.get(no_ack=True)

    assert (b"body", {"answer": 42}, "text/plain") == (got.body, got.headers, got.content_type)


async def test_many_confirms_in_flight(channel: AbstractChannel) -> None:
    await channel.declare_queue("queue")

    await asyncio.gather(
        *(channel.default_exchange.publish(aio_pika.Message(b""), "queue") for _ in range(500))
    )

    queue = await channel.declare_queue("queue", passive=True)
    assert 500 == queue.declaration_result.message_count


async def test_unroutable_message_comes_back(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=True)

        with pytest.raises(aio_pika.exceptions.DeliveryError):
            await channel.default_exchange.publish(aio_pika.Message(b"lost"), "nowhere")


async def publish_numbers(channel: AbstractChannel, count: int) -> None:
    for number in range(count):
        await channel.default_exchange.publish(aio_pika.Message(str(number).encode()), "queue")


async def iterate_over(queue: AbstractQueue, count: int) -> list[int]:
    """Process so many messages as they come, and return the numbers that they hold."""
    bodies: list[int] = []
    async with queue.iterator() as messages:
        async for message in messages:
            async with message.process():
                bodies.append(int(message.body))
            if len(bodies) == count:
                break
    return bodies


async def test_iterating_over_a_queue(channel: AbstractChannel) -> None:
    await channel.set_qos(prefetch_count=10)
    queue = await channel.declare_queue("queue")
    await publish_numbers(channel, 50)

    bodies = await iterate_over(queue, 50)

    assert list(range(50)) == bodies
    left = (await channel.declare_queue("queue", passive=True)).declaration_result
    assert (0, 0) == (left.message_count, left.consumer_count)


async def test_rejected_message_dies_where_it_should(channel: AbstractChannel) -> None:
    dead = await channel.declare_queue("dead")
    queue = await channel.declare_queue(
        "queue", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    )
    await channel.default_exchange.publish(aio_pika.Message(b"unwanted"), "queue")
    message: AbstractIncomingMessage = await queue.get()

    await message.reject(requeue=False)
    headers: Any = (await dead.get(no_ack=True)).headers

    (death,) = headers["x-death"]
    assert ("queue", "rejected", 1) == (death["queue"], death["reason"], death["count"])


async def test_rpc_pattern(channel: AbstractChannel) -> None:
    async def multiply(*, x: int, y: int) -> int:
        return x * y

    rpc = await RPC.create(channel)
    await rpc.register("multiply", multiply, auto_delete=True)

    assert 42 == await rpc.call("multiply", kwargs={"x": 6, "y": 7})
    await rpc.close()


async def test_robust_connection_comes_back_after_a_cut() -> None:
    """The broker runs in the test's own event loop, for a change."""
    async with (
        FakeBroker() as broker,
        await aio_pika.connect_robust(broker.url, reconnect_interval=0.05) as connection,
    ):
        channel = await connection.channel()
        queue = await channel.declare_queue("queue", auto_delete=False)
        back = asyncio.Event()
        connection.reconnect_callbacks.add(lambda *_: back.set())

        broker.cut_connections()
        await asyncio.wait_for(back.wait(), 10)
        await channel.default_exchange.publish(aio_pika.Message(b"after"), "queue")

        assert b"after" == (await queue.get(no_ack=True)).body
