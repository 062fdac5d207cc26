"""Trouble that a real broker makes when it likes, and the fake one when it is told to."""

import asyncio

import pytest

import ammoo
from ammoo.exceptions.connection import ConnectionForced, ConnectionLost, HeartbeatTimeout
from ammoo_fakebroker import FakeBroker
from tests.client.script import ScriptedServer
from tests.support.clock import LoopClock
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


async def test_silent_server_is_noticed_while_the_socket_is_full_and_a_consumer_is_far_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client then neither sends nor reads, so no heartbeat could be missed."""
    async with (
        ScriptedServer(heartbeat_interval=10) as server,
        await ammoo.connect(server.url) as connection,
        connection.channel() as channel,
    ):
        transport = channel._require_live().transport
        clock = LoopClock(monkeypatch)
        transport.pause_reading()  # as behind the unread messages of a consumer
        transport.pause_writing()
        publishing = await started(channel.publish("", "q", b""))
        await clock.advance_repeatedly(5, times=5)

        with pytest.raises(HeartbeatTimeout):
            await publishing


async def test_silence_is_none_while_only_the_client_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        ScriptedServer(heartbeat_interval=10) as server,
        await ammoo.connect(server.url) as connection,
        connection.channel() as channel,
    ):
        transport = channel._require_live().transport
        clock = LoopClock(monkeypatch)
        transport.pause_reading()
        await clock.advance_repeatedly(5, times=20)

        assert connection.closing_exc is None
        assert not transport.is_reading


async def test_network_that_goes_away(fakebroker: FakeBroker) -> None:
    async with await ammoo.connect(fakebroker.url) as connection, connection.channel() as channel:
        await channel.declare_queue("q")
        async with channel.consume("q") as consumer:
            waiting = await started(anext(consumer))
            fakebroker.cut_connections()

            with pytest.raises(ConnectionLost):
                await waiting
