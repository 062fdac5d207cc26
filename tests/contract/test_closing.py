"""Closing on brokers: from wherever, as often as one likes, and never for longer than it was said.

Where nothing moves the loop's clock, no time-out comes to an end: what is done nevertheless has
waited for none.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

import ammoo
from ammoo.exceptions.channel import ClientClosedChannelOK, NotFound
from ammoo.exceptions.connection import ClientClosedConnectionOK, MethodNotImplemented
from tests.client.brokers import Name
from tests.contract.queues import drain, publish
from tests.support.clock import LoopClock
from tests.support.operator import Operator
from tests.support.relay import Relay
from tests.support.tasks import turn_over


async def handle_each(
    consumer: ammoo.Consumer, handle: Callable[[ammoo.DeliverMessage], Awaitable[None]]
) -> None:
    """Handle messages until the iteration raises."""
    async for message in consumer:
        await handle(message)


async def test_close_from_a_handler(
    broker_url: str, broker_channel: ammoo.Channel, queue: str
) -> None:
    await publish(broker_channel, queue, "1", "2")
    async with (
        await ammoo.connect(broker_url) as connection,
        connection.channel() as channel,
        channel.consume(queue) as consumer,
    ):

        async def ack_and_close(message: ammoo.DeliverMessage) -> None:
            await message.ack()
            await connection.close()

        with pytest.raises(ClientClosedConnectionOK) as caught:
            await handle_each(consumer, ack_and_close)

    assert caught.value is connection.closing_exc is channel.closing_exc is consumer.closing_exc
    async with broker_channel.consume(queue) as again:
        assert "2" == (await anext(again)).decode()


async def test_close_of_its_channel_from_a_handler(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, queue: str
) -> None:
    await publish(broker_channel, queue, "1", "2")
    async with broker_connection.channel() as channel, channel.consume(queue) as consumer:
        with pytest.raises(ClientClosedChannelOK):
            await handle_each(consumer, lambda _: channel.close())

    assert ["1", "2"] == await drain(broker_channel, queue)


async def test_close_while_blocked(
    broker_url: str,
    queue: str,
    operator: Operator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A broker that has blocked us does not read, so nothing is to be waited for."""
    async with await ammoo.connect(broker_url) as connection, connection.channel() as channel:
        consumer = await channel.consume(queue).__aenter__()
        operator.raise_alarm()
        await channel.publish("", queue, "1")
        await connection.wait_blocked()
        held = asyncio.create_task(channel.publish("", queue, "held back"))
        LoopClock(monkeypatch)

        await consumer.__aexit__(None, None, None)
        await channel.close()
        await connection.close()

        with pytest.raises(ClientClosedChannelOK):
            await held
        operator.clear_alarm()


async def test_close_with_a_dead_peer(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Relay(broker_url) as relay:
        connection = await ammoo.connect(relay.url)
        await connection.__aenter__()
        channel = await connection.channel().__aenter__()
        clock = LoopClock(monkeypatch)
        relay.silence()

        closing_channel = asyncio.create_task(channel.close(timeout=2))
        await clock.advance(1.9)
        assert not closing_channel.done()
        await clock.advance(0.1)
        await closing_channel
        closing = asyncio.create_task(connection.close(timeout=3))
        await clock.advance(2.9)
        assert not closing.done()
        await clock.advance(0.1)
        await closing

    assert isinstance(channel.closing_exc, ClientClosedChannelOK)
    assert isinstance(connection.closing_exc, ClientClosedConnectionOK)


async def test_close_twice_and_at_once(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await ammoo.connect(broker_url) as connection, connection.channel() as channel:
        LoopClock(monkeypatch)
        await asyncio.gather(channel.close(), channel.close())
        await channel.close()
        await asyncio.gather(connection.close(), connection.close(), channel.close())
        await connection.close()

    assert isinstance(connection.closing_exc, ClientClosedConnectionOK)


async def test_close_ends_what_waits(broker_url: str, queue: str) -> None:
    async with (
        await ammoo.connect(broker_url) as connection,
        connection.channel() as channel,
        channel.consume(queue) as consumer,
    ):
        waiting = [
            asyncio.create_task(consumer.__anext__()),
            asyncio.create_task(channel.get_next_returned_message()),
            asyncio.create_task(connection.wait_blocked()),
        ]
        await turn_over()
        await connection.close()
        errors = await asyncio.gather(*waiting, return_exceptions=True)

    assert {id(connection.closing_exc)} == {id(error) for error in errors}


async def test_publish_to_a_missing_exchange_as_the_last_act_raises(
    broker_connection: ammoo.Connection, name: Name
) -> None:
    """Without confirms nothing is awaited but the end of the channel."""
    exchange = name("missing")

    with pytest.raises(NotFound, match="no exchange") as caught:
        async with broker_connection.channel() as channel:
            await channel.publish(exchange, "key", b"body")

    assert channel.closing_exc is caught.value
    async with broker_connection.channel() as channel:
        await channel.publish("", name("nowhere"), b"body")


async def test_fault_of_the_connection_as_the_last_act_raises(broker_url: str) -> None:
    """RabbitMQ does not know immediate, and closes the connection for it."""
    with pytest.raises(MethodNotImplemented, match="immediate=true"):  # noqa: PT012  the block's end raises
        async with await ammoo.connect(broker_url) as connection, connection.channel() as channel:
            await channel.select_confirm()
            channel.publish_nowait("", "nowhere", b"body", immediate=True)
