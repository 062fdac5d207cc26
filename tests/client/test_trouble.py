"""Trouble that a real broker makes when it likes, and the fake one when it is told to."""

import asyncio

import pytest

import ammoo
from ammoo.exceptions.connection import ConnectionForced, ConnectionLost
from ammoo_fakebroker import FakeBroker
from tests.support.tasks import started, turn_over


async def test_alarm_holds_publishes_and_nothing_else(fakebroker: FakeBroker) -> None:
    async with await ammoo.connect(fakebroker.url) as connection, connection.channel() as channel:
        await channel.declare_queue("q")
        await channel.select_confirm()
        fakebroker.block("low on disk")
        unseen = asyncio.create_task(channel.publish("", "q", "1"))  # it finds out by this one
        assert "low on disk" == await connection.wait_blocked()
        held = [asyncio.create_task(channel.publish("", "q", str(i))) for i in range(2, 5)]
        await turn_over()
        assert not any(task.done() for task in (unseen, *held))

        fakebroker.unblock()

        await asyncio.gather(unseen, *held)
        assert 4 == (await channel.declare_queue("q")).message_count


async def test_leaving_during_an_alarm(fakebroker: FakeBroker) -> None:
    async with (
        asyncio.timeout(30),
        await ammoo.connect(fakebroker.url) as connection,
        connection.channel() as channel,
    ):
        await channel.declare_queue("q")
        async with channel.consume("q"):
            fakebroker.block()
            await channel.publish("", "q", "1")
            await connection.wait_blocked()


async def test_shutdown_of_the_broker(fakebroker: FakeBroker) -> None:
    async with await ammoo.connect(fakebroker.url) as connection, connection.channel() as channel:
        waiting = await started(channel.get_next_returned_message())
        fakebroker.close_connections("shutdown")

        with pytest.raises(ConnectionForced, match="shutdown") as caught:
            await waiting

    assert caught.value.recoverable
    assert connection.closing_exc is caught.value


async def test_network_that_goes_away(fakebroker: FakeBroker) -> None:
    async with await ammoo.connect(fakebroker.url) as connection, connection.channel() as channel:
        await channel.declare_queue("q")
        async with channel.consume("q") as consumer:
            waiting = await started(anext(consumer))
            fakebroker.cut_connections()

            with pytest.raises(ConnectionLost):
                await waiting
