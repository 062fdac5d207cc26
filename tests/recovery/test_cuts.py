"""A recovery that is cut at each of its frames, of either side, in turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Self

import pytest

import ammoo
from ammoo.publisher import Confirmation
from ammoo.recovery.events import Open
from ammoo.recovery.listener import EventListener
from tests.client.brokers import Name
from tests.recovery.network import Network
from tests.recovery.until import until, until_consumers

MOST_FRAMES = 200
"""More than a recovery of the shop has."""


class Shop:
    """A publisher and two consumers, with all kinds of entities between them.

    Attributes:
        confirmations: Those of the messages that were published, in order.
        orders: The bodies that came, in order, repeats included.
        temporary: The same, by the queue that the server names.
    """

    def __init__(self, connection: ammoo.Connection, name: Name) -> None:
        self.confirmations: list[Confirmation] = []
        self.orders: list[int] = []
        self.temporary: list[int] = []
        self.queue = name("orders")
        self._exchange, self._source = name("shop"), name("source")
        self._connection = connection
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._came = asyncio.Event()

    async def __aenter__(self) -> Self:
        enter = self._stack.enter_async_context
        channel = await enter(self._connection.channel(prefetch_count=10))
        await channel.declare_exchange(self._source, "fanout", durable=True)
        await channel.declare_exchange(self._exchange, "topic", durable=True)
        await channel.bind_exchange(self._exchange, self._source, "")
        await channel.declare_queue(self.queue, durable=True)
        self.channel = channel
        named = await channel.declare_queue("", exclusive=True)
        for queue in (self.queue, named.queue_name):
            await channel.bind_queue(queue, self._exchange, "#")
        orders = await enter(channel.consume(self.queue))
        await channel.qos(prefetch_count=5)
        temporary = await enter(channel.consume(named.queue_name))
        sending = await enter(self._connection.channel(persistent=True))
        self._publisher = await enter(sending.publisher(republish=True))
        self._tasks = [
            asyncio.create_task(self._read(orders, self.orders)),
            asyncio.create_task(self._read(temporary, self.temporary)),
        ]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def publish(self) -> None:
        body = str(len(self.confirmations))
        self.confirmations.append(await self._publisher.publish(self._source, "key", body))

    async def arrived(self) -> None:
        """Publish one more message, and wait until all have come, and it by both queues.

        One that a lost connection held comes later, on a RabbitMQ that has not noticed the loss.
        """
        await self.publish()
        last = len(self.confirmations) - 1
        async with asyncio.timeout(40):
            await self.confirmations[-1]
            while not (set(range(last + 1)) == set(self.orders) and last in self.temporary):
                self._came.clear()
                await self._came.wait()

    async def _read(self, consumer: ammoo.Consumer, bodies: list[int]) -> None:
        async for message in consumer:
            async with message.process():
                bodies.append(int(message.decode()))
                self._came.set()


@pytest.fixture
async def shop(connection: ammoo.Connection, name: Name) -> AsyncIterator[Shop]:
    async with Shop(connection, name) as shop:
        yield shop


async def cut_at_each_frame(
    network: Network, events: EventListener, shop: Shop, *, of_broker: bool
) -> list[int]:
    """Lose the connection again and again, and cut each recovery one frame later.

    Returns:
        How many attempts each of them took.
    """
    attempts = [0]
    while attempts[-1] != 1 and len(attempts) < MOST_FRAMES:
        await shop.publish()
        network.cut_at_frame(len(attempts), of_broker=of_broker)
        network.cut()
        attempts.append((await until(events, Open)).attempts)
        await shop.arrived()
    return attempts[1:]


@pytest.mark.timeout(300)  # it recovers some sixty times
@pytest.mark.parametrize("of_broker", [False, True])
async def test_recovery_that_is_cut_at_any_frame_is_whole_at_last(
    network: Network,
    events: EventListener,
    shop: Shop,
    broker_channel: ammoo.Channel,
    of_broker: bool,
) -> None:
    attempts = await cut_at_each_frame(network, events, shop, of_broker=of_broker)

    published = list(range(len(shop.confirmations)))
    assert [*[2] * (len(attempts) - 1), 1] == attempts
    assert 20 < len(attempts)
    assert [None] * len(published) == [each.exception() for each in shop.confirmations]
    assert set(published) == set(shop.orders)
    await until_consumers(broker_channel, shop.queue, 1)
