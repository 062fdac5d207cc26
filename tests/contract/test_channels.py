"""Channels on brokers: how many there may be, their numbers, and what tasks do on one at once."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import ammoo
from ammoo.exceptions.base import OperationTimeout
from ammoo.exceptions.connection import TooManyChannels
from tests.client.brokers import Name
from tests.client.script import impatient
from tests.contract.queues import publish
from tests.support.operator import Operator

CYCLES = 2_000


async def test_no_more_channels_than_the_broker_allows(broker_url: str, operator: Operator) -> None:
    with operator.channel_max(3):
        connection = await ammoo.connect(broker_url)
        await connection.__aenter__()
    async with connection.channel(), connection.channel(), connection.channel() as third:
        with pytest.raises(TooManyChannels, match="all 3 channels") as caught:
            await connection.channel().__aenter__()

        assert 3 == caught.value.channel_max == connection.channel_max == third.channel_id
        assert connection.closing_exc is None
    async with connection.channel() as again:
        await again.assert_exchange_exists("amq.direct")
    await connection.close()


@pytest.mark.timeout(300)  # it is much, and on a machine that others use too
@pytest.mark.fake_limits(history=0)  # which keeps the events of the newest channels
async def test_opening_and_closing_channels_leaves_nothing(
    broker_url: str,
) -> None:
    connection = await ammoo.connect(broker_url)
    await connection.__aenter__()

    await open_and_close_channels(connection, 100)  # what grows once has grown then
    gc.collect()
    before = len(gc.get_objects())

    await open_and_close_channels(connection, CYCLES)

    gc.collect()
    assert len(gc.get_objects()) - before < CYCLES / 100
    assert {} == connection._require_live().channels
    await connection.close()


async def open_and_close_channels(connection: ammoo.Connection, times: int) -> None:
    """Open a channel and close it, so often; each time it has the same number."""
    for _ in range(times):
        async with connection.channel() as channel:
            assert 1 == channel.channel_id


async def test_channel_is_closed_while_messages_stream_in(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, queue: str
) -> None:
    """What the broker sent on it before it knew concerns nobody, and no later channel either."""
    await publish(broker_channel, queue, *map(str, range(500)))

    async def use_channel_behind_closed_one() -> str:
        async with broker_connection.channel() as channel, channel.consume(queue) as consumer:
            await anext(consumer)
            await channel.close()
        async with broker_connection.channel() as next_channel:
            declared, _ = await asyncio.gather(
                next_channel.assert_queue_exists(queue), next_channel.qos(prefetch_count=7)
            )
        queue_name: str = declared.queue_name
        return queue_name

    declared = [await use_channel_behind_closed_one() for _ in range(20)]

    assert [queue] * 20 == declared
    assert broker_connection.closing_exc is None
    assert {1} == set(broker_connection._require_live().channels)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda channel, queue: channel.declare_queue(queue), ["1"]),
        (lambda channel, queue: channel.get(queue), ["1"]),
        (lambda channel, queue: channel.consume(queue).__aenter__(), ["1"]),
        (lambda channel, queue: channel.publish("", queue, "2"), ["1", "2"]),
    ],
    ids=["declare", "get", "consume", "publish"],
)
async def test_operation_that_timed_out_leaves_the_channel_usable(
    broker_channel: ammoo.Channel,
    queue: str,
    operation: Callable[[ammoo.Channel, str], Awaitable[Any]],
    expected: list[str],
) -> None:
    await publish(broker_channel, queue, "1")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await operation(broker_channel, queue)

    assert queue == (await broker_channel.declare_queue(queue)).queue_name
    async with broker_channel.consume(queue) as consumer:
        bodies = [(await anext(consumer)).decode() for _ in expected]
    assert expected == bodies


async def test_operation_timeout_leaves_the_channel_usable(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, queue: str
) -> None:
    with impatient(broker_connection, 0), pytest.raises(OperationTimeout, match=r"queue\.purge"):
        await broker_channel.purge_queue(queue)

    assert queue == (await broker_channel.declare_queue(queue)).queue_name


async def test_a_hundred_operations_at_once(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    exchange = name("exchange")
    names = [name(f"queue-{i}") for i in range(20)]
    await broker_channel.declare_exchange(exchange, "direct")
    await broker_channel.select_confirm()

    async def operate(number: int, queue: str) -> tuple[str, int, str]:
        declared, _ = await asyncio.gather(
            broker_channel.declare_queue(queue),
            broker_channel.bind_queue(queue, exchange, queue),
        )
        await asyncio.gather(
            broker_channel.publish(exchange, queue, str(number)),
            broker_channel.qos(prefetch_count=number + 1),
        )
        async with broker_channel.consume(queue) as consumer:
            message = await anext(consumer)
            await message.ack()
        return declared.queue_name, await broker_channel.purge_queue(queue), message.decode()

    results = await asyncio.gather(*(operate(i, each) for i, each in enumerate(names)))

    assert results == [(each, 0, str(i)) for i, each in enumerate(names)]
