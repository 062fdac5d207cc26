"""Operations that nobody awaits and the server never answers: their channel is not held for ever."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

import ammoo
from ammoo.exceptions.base import OperationTimeout
from ammoo.exceptions.channel import ChannelUnanswered
from ammoo.exceptions.connection import ClientClosedConnectionError
from ammoo.live.reply_timeouts import UNANSWERED_TIMEOUT
from ammoo_wire import (
    BasicCancelParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ConnectionBlockedParameters,
    ConnectionUnblockedParameters,
    ConnectionUpdateSecretParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueuePurgeOkParameters,
    QueuePurgeParameters,
)
from tests.client.script import ScriptedPeer
from tests.support.clock import LoopClock
from tests.support.tasks import started


@pytest.fixture
async def clock(channel: ammoo.Channel, monkeypatch: pytest.MonkeyPatch) -> LoopClock:
    """The loop's time, which stands still from when the channel is open."""
    return LoopClock(monkeypatch)


async def abandon(operation: Coroutine[Any, Any, Any]) -> None:
    """Begin an operation, and give it up behind its request."""
    task = await started(operation)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_channel_is_closed_when_an_abandoned_operation_is_never_answered(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer, clock: LoopClock
) -> None:
    closes: list[ChannelCloseParameters] = []

    def close(parameters: ChannelCloseParameters) -> ChannelCloseOkParameters:
        closes.append(parameters)
        return ChannelCloseOkParameters()

    peer.answers[ChannelCloseParameters] = close
    await abandon(channel.declare_queue("never"))
    await clock.advance(UNANSWERED_TIMEOUT - 1)
    behind = asyncio.create_task(channel.declare_queue("behind"))
    await peer.expect(QueueDeclareParameters)
    await peer.expect(QueueDeclareParameters)
    assert not behind.done()
    await clock.advance(1)

    with pytest.raises(ChannelUnanswered, match=r"queue\.declare within 60 s") as caught:
        await behind

    assert isinstance(caught.value.exc, OperationTimeout)
    assert caught.value is channel.closing_exc
    async with connection.channel() as other:
        await peer.synchronise(other)
    assert 2 == len(closes)


async def test_answer_in_time_is_in_time(
    channel: ammoo.Channel, peer: ScriptedPeer, clock: LoopClock
) -> None:
    await abandon(channel.declare_queue("first"))
    await clock.advance(UNANSWERED_TIMEOUT - 10)
    await abandon(channel.declare_queue("second"))
    peer.send(QueueDeclareOkParameters("first", 0, 0))
    await peer.expect_several(QueueDeclareParameters, 2)
    await peer.synchronise(channel)  # what it answers has taken the second one's place in time
    await clock.advance(UNANSWERED_TIMEOUT - 10)
    peer.send(QueueDeclareOkParameters("second", 0, 0))
    await peer.synchronise(channel)

    await clock.advance(2 * UNANSWERED_TIMEOUT)

    assert channel.closing_exc is None


async def test_server_that_has_blocked_us_need_not_answer(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer, clock: LoopClock
) -> None:
    await abandon(channel.declare_queue("never"))
    peer.send(ConnectionBlockedParameters("low on disk"), channel_number=0)
    await connection.wait_blocked()
    await clock.advance(UNANSWERED_TIMEOUT)
    await clock.advance(UNANSWERED_TIMEOUT)
    await clock.advance(UNANSWERED_TIMEOUT)
    assert channel.closing_exc is None
    peer.send(ConnectionUnblockedParameters(), channel_number=0)
    await connection.wait_unblocked()

    await clock.advance(UNANSWERED_TIMEOUT)

    assert isinstance(channel.closing_exc, ChannelUnanswered)


async def test_consumer_whose_cancel_is_never_answered(
    channel: ammoo.Channel, peer: ScriptedPeer, clock: LoopClock
) -> None:
    entering = asyncio.create_task(channel.consume("queue").__aenter__())
    await peer.consumer()
    leaving = asyncio.create_task((await entering).__aexit__(None, None, None))
    await peer.expect(BasicCancelParameters)

    await clock.advance(UNANSWERED_TIMEOUT)

    await leaving
    with pytest.raises(ChannelUnanswered, match=r"basic\.cancel"):
        await channel.declare_queue("queue")


async def test_connection_is_closed_when_an_abandoned_update_of_the_secret_is_never_answered(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer, clock: LoopClock
) -> None:
    await abandon(connection.update_secret("secret"))
    await peer.expect(ConnectionUpdateSecretParameters, 0)

    await clock.advance(UNANSWERED_TIMEOUT)

    with pytest.raises(ClientClosedConnectionError, match=r"connection\.update-secret") as caught:
        await channel.declare_queue("queue")
    assert caught.value is connection.closing_exc
    await peer.closed


async def test_somebody_elses_slow_operation_is_not_the_abandoned_ones(
    channel: ammoo.Channel, peer: ScriptedPeer, clock: LoopClock
) -> None:
    slow = asyncio.create_task(channel.purge_queue("large"))
    await peer.expect(QueuePurgeParameters)
    await abandon(channel.declare_queue("behind"))
    await peer.expect(QueueDeclareParameters)
    await clock.advance(UNANSWERED_TIMEOUT)
    await clock.advance(UNANSWERED_TIMEOUT)
    await clock.advance(UNANSWERED_TIMEOUT)
    assert channel.closing_exc is None

    peer.send(QueuePurgeOkParameters(5))
    assert 5 == await slow

    await clock.advance(UNANSWERED_TIMEOUT)
    await clock.advance(UNANSWERED_TIMEOUT)  # now it is the next, and has a whole minute
    assert isinstance(channel.closing_exc, ChannelUnanswered)


async def test_server_has_a_whole_minute_after_it_has_blocked_us(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer, clock: LoopClock
) -> None:
    await abandon(channel.declare_queue("never"))
    peer.send(ConnectionBlockedParameters("low on disk"), channel_number=0)
    await connection.wait_blocked()
    await clock.advance(UNANSWERED_TIMEOUT - 1)
    peer.send(ConnectionUnblockedParameters(), channel_number=0)
    await connection.wait_unblocked()

    await clock.advance(UNANSWERED_TIMEOUT - 1)
    before = channel.closing_exc
    await clock.advance(1)

    assert before is None
    assert isinstance(channel.closing_exc, ChannelUnanswered)
