"""What recovery does if the caller's channels, or its own, have all channel numbers.

The number of a channel is free when the server has answered channel.close, which a queue.declare
without an answer delays.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

import ammoo
from ammoo import Recovery
from ammoo.exceptions import ConnectionClosed, TooManyChannels
from ammoo.live.channel import LiveChannel
from ammoo.live.connection import LiveConnection
from ammoo.recovery.events import ChannelReopened, Open
from ammoo.recovery.restoring.private_channels import PrivateChannels
from ammoo.topology_records import QueueRecord
from ammoo_wire import (
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
)
from tests.client.script import ScriptedServer
from tests.recovery.until import AT_ONCE, settle, until

WRONG = ChannelCloseParameters(406, "PRECONDITION_FAILED - unknown delivery tag 7", 60, 80)


@pytest.fixture
def scripted(server: ScriptedServer) -> ScriptedServer:
    """A server that declares queues, and lets a connection have one channel."""
    server.options["channel_max"] = 1
    server.answers[QueueDeclareParameters] = lambda p: QueueDeclareOkParameters(p.queue_name, 0, 0)
    return server


# --- the caller's channels -----------------------------------------------------------------------


def stick(scripted: ScriptedServer, stuck: pytest.MonkeyPatch) -> None:
    """Answer no queue.declare on the connections to come, and have the client wait for no answer."""
    stuck.setattr("ammoo.recovery.restoring.topology_replay.STUCK_AFTER", 0.0)
    stuck.setattr("ammoo.recovery.restoring.topology_replay.ANSWER_TIMEOUT", 0.0)
    stuck.setattr("ammoo.recovery.restoring.private_channels.ANSWER_TIMEOUT", 0.0)
    stuck.delitem(scripted.answers, QueueDeclareParameters)
    stuck.delitem(scripted.answers, ChannelCloseParameters)


async def test_channel_whose_number_a_stuck_queue_keeps_comes_back_in_the_next_round(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ammoo.recovery.supervisor.GATE_PATIENCE", 0.0)
    answers = dict(scripted.answers)
    async with (
        await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection,
        connection.channel() as channel,
    ):
        events = connection.events()
        await channel.declare_queue("orders")
        stick(scripted, monkeypatch)
        scripted.peer.abort()
        opened = await until(events, Open)
        scripted.peer.answers |= answers
        await channel.declare_queue("others")

    assert (2, 1) == (opened.attempts, opened.restored)
    assert [(QueueRecord, True)] == [
        (type(each.entity), each.is_retried) for each in opened.not_restored
    ]


def doing(action: Callable[[], object]) -> Recovery:
    """Return options with which recovery does something in place of each delay."""

    def random() -> float:
        action()
        return 0.0

    return Recovery(random=random)


async def test_channel_is_opened_again_when_a_number_is_free_after_a_delay_for_each_attempt(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another channel may take the number of the channel that the server has closed."""
    delays: list[str] = []
    recovery = doing(lambda: delays.append("delay"))
    async with (
        await ammoo.connect(scripted.url, recovery=recovery) as connection,
        connection.channel(reopen=True) as channel,
    ):
        events = connection.events()
        refuse_channels(monkeypatch, 2)
        scripted.peer.send(WRONG)
        reopened = await until(events, ChannelReopened)
        await channel.declare_queue("orders")

    assert (channel, ["delay", "delay"]) == (reopened.channel, delays)


def refuse_channels(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Have no channel number free, so many times."""
    new_channel, refusals = LiveConnection.new_channel, [TooManyChannels(1)] * times

    def refuse(live: LiveConnection, body_encoding: str) -> LiveChannel:
        if refusals:
            raise refusals.pop()
        return new_channel(live, body_encoding)

    monkeypatch.setattr(LiveConnection, "new_channel", refuse)


# --- private channels ----------------------------------------------------------------------------


@pytest.fixture
async def live(scripted: ScriptedServer) -> AsyncIterator[LiveConnection]:
    """A connection that may have one channel, and has none; the server answers nothing itself."""
    scripted.answers.clear()
    async with await ammoo.connect(scripted.url) as connection:
        yield connection._require_live()


@pytest.fixture
def private_channels(live: LiveConnection) -> PrivateChannels:
    return PrivateChannels(live)


async def open_next(scripted: ScriptedServer, number: int = 1) -> None:
    await scripted.peer.expect(ChannelOpenParameters, number)
    scripted.peer.send(ChannelOpenOkParameters(), channel_number=number)


async def close_next(scripted: ScriptedServer, number: int = 1) -> None:
    await scripted.peer.expect(ChannelCloseParameters, number)
    scripted.peer.send(ChannelCloseOkParameters(), channel_number=number)


async def test_private_channels_wait_for_one_that_is_being_opened(
    scripted: ScriptedServer, private_channels: PrivateChannels
) -> None:
    first = asyncio.create_task(private_channels.open())
    others = [asyncio.create_task(private_channels.open()) for _ in range(2)]
    await settle()

    await open_next(scripted)
    private_channels.close(await first)
    await close_next(scripted)
    await open_next(scripted)
    done, waiting = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
    private_channels.close(done.pop().result())
    await close_next(scripted)
    await open_next(scripted)
    last = await waiting.pop()

    assert 1 == last.number


async def test_private_channel_does_not_wait_for_those_of_the_caller(
    live: LiveConnection, private_channels: PrivateChannels
) -> None:
    live.new_channel("utf-8")

    with pytest.raises(TooManyChannels):
        await private_channels.open()


async def test_private_channel_waits_no_longer_than_it_is_said(
    scripted: ScriptedServer, private_channels: PrivateChannels
) -> None:
    first = asyncio.create_task(private_channels.open())
    await open_next(scripted)
    await first

    with pytest.raises(TooManyChannels):
        await private_channels.open(seconds=0)
    with pytest.raises(TooManyChannels):
        await private_channels.open(seconds=0.01)


async def test_private_channel_does_not_wait_when_the_connection_is_lost(
    scripted: ScriptedServer, private_channels: PrivateChannels
) -> None:
    first = asyncio.create_task(private_channels.open())
    await open_next(scripted)
    await first
    second = asyncio.create_task(private_channels.open())
    await settle()

    scripted.peer.abort()

    with pytest.raises(ConnectionClosed):
        await second


async def test_private_channels_that_have_ended_are_not_kept_behind_one_that_has_not(
    live: LiveConnection, scripted: ScriptedServer, private_channels: PrivateChannels
) -> None:
    live.protocol.channel_max = 3
    opening = [asyncio.create_task(private_channels.open()) for _ in range(2)]
    await open_next(scripted, 1)
    await open_next(scripted, 2)
    unanswered, closed = await asyncio.gather(*opening)

    private_channels.close(unanswered)
    private_channels.close(closed)
    await scripted.peer.expect(ChannelCloseParameters, 1)
    await close_next(scripted, 2)
    await closed.wait_finished()
    third = asyncio.create_task(private_channels.open())
    await open_next(scripted, 2)

    assert [unanswered, await third] == private_channels._channels
