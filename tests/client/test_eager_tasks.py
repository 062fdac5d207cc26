"""Programs whose event loop starts each task at once (`asyncio.eager_task_factory`).

What the client does without an await must not be interrupted by a task of its own.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import ammoo
from ammoo_fakebroker import FakeBroker
from ammoo_wire import (
    BasicAckParameters,
    BasicPublishParameters,
    ConfirmSelectOkParameters,
    ConfirmSelectParameters,
    ConnectionBlockedParameters,
    ConnectionUnblockedParameters,
)
from tests.client.script import ScriptedServer
from tests.recovery.network import Network
from tests.recovery.until import AT_ONCE, lose, until_consumers


@pytest.fixture(autouse=True)
async def eager_tasks() -> None:
    """The event loop of the test starts each task at once."""
    factory: Any = vars(asyncio)["eager_task_factory"]
    asyncio.get_running_loop().set_task_factory(factory)


@pytest.fixture
def fake() -> Iterator[FakeBroker]:
    with FakeBroker() as fake:
        yield fake


async def test_publisher_sends_what_it_has_queued(server: ScriptedServer) -> None:
    server.answers[ConfirmSelectParameters] = lambda _: ConfirmSelectOkParameters()
    async with await ammoo.connect(server.url) as connection, connection.channel() as channel:
        peer = server.peer
        async with channel.publisher() as publisher:
            peer.send(ConnectionBlockedParameters("low on memory"), channel_number=0)
            await connection.wait_blocked()
            confirmation = await publisher.publish("", "q", b"body")
            peer.send(ConnectionUnblockedParameters(), channel_number=0)
            await peer.expect_any(BasicPublishParameters)
            peer.send(BasicAckParameters(1, False))
            await confirmation

    assert 1 == publisher.confirmed


async def test_connection_is_recovered_with_its_consumer(fake: FakeBroker) -> None:
    async with (
        Network(fake.url) as network,
        await ammoo.connect(network.url, recovery=AT_ONCE) as connection,
        connection.channel(reopen=True) as channel,
    ):
        events = connection.events()
        await channel.declare_queue("orders")
        async with (
            channel.consume("orders") as consumer,
            channel.publisher(republish=True) as publisher,
        ):
            await lose(network, events)
            await publisher.publish("", "orders", b"body")
            message = await anext(consumer)

    assert b"body" == message.body


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_handler_cannot_drain_its_own_consumer(fake: FakeBroker, concurrency: int) -> None:
    """The first failure ends the run, also before its other tasks are made."""
    async with (
        await ammoo.connect(fake.url) as connection,
        connection.channel(prefetch_count=4) as channel,
    ):
        await channel.declare_queue("orders")
        await channel.publish("", "orders", b"body")
        async with channel.consume("orders") as consumer:
            await until_consumers(channel, "orders", 1)  # the message has come, too
            with pytest.raises(ExceptionGroup) as caught:
                await consumer.run(
                    lambda _: consumer.drain(1.0), concurrency=concurrency, fail_fast=True
                )

    assert [RuntimeError] == [type(each) for each in caught.value.exceptions]
