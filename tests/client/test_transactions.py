"""Nothing goes out on a channel behind tx.commit, but its close, before the server has answered."""

import asyncio

import pytest

import ammoo
from ammoo.exceptions.channel import ClientClosedChannelOK, PreconditionFailed
from ammoo_wire import (
    BasicAckParameters,
    BasicPublishParameters,
    ChannelCloseParameters,
    EncodeError,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    TxCommitOkParameters,
    TxCommitParameters,
)
from tests.client.script import ScriptedPeer
from tests.support.tasks import started


async def _commit(channel: ammoo.Channel, peer: ScriptedPeer) -> asyncio.Task[None]:
    """Begin to commit."""
    committing = asyncio.create_task(channel.commit())
    await peer.expect(TxCommitParameters)
    return committing


async def test_everything_waits_for_a_commit_and_stays_in_order(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    committing = await _commit(channel, peer)
    await channel.publish("", "q", b"behind")
    await channel.ack(0, multiple=True)
    asking = asyncio.create_task(channel.assert_exchange_exists("e"))
    again = asyncio.create_task(channel.commit())
    async with connection.channel() as other:
        await peer.synchronise(other)  # nothing was sent

        peer.send(TxCommitOkParameters())

        await committing
        assert (await peer.expect_command(BasicPublishParameters)).body == bytearray(b"behind")
        await peer.expect(BasicAckParameters)
        await peer.expect(ExchangeDeclareParameters)
        await peer.expect(TxCommitParameters)
        peer.send(ExchangeDeclareOkParameters(), TxCommitOkParameters())
        await asyncio.gather(asking, again)


async def test_commit_that_is_cancelled_still_holds_the_others(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    committing = await _commit(channel, peer)
    committing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await committing
    await channel.publish("", "q", b"behind")
    async with connection.channel() as other:
        await peer.synchronise(other)

        peer.send(TxCommitOkParameters())

        await peer.expect(BasicPublishParameters)


async def test_misuse_raises_while_committing(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    committing = await _commit(channel, peer)

    with pytest.raises(EncodeError):
        await channel.declare_queue("q" * 256)

    peer.send(TxCommitOkParameters())
    await committing


async def test_message_that_no_frame_can_hold_raises_while_committing(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    committing = await _commit(channel, peer)

    with pytest.raises(EncodeError, match="frame_max"):
        await channel.publish("", "q", b"", headers={"large": "x" * 200_000})
    await channel.publish("", "q", b"behind")

    peer.send(TxCommitOkParameters())
    await committing
    assert (await peer.expect_command(BasicPublishParameters)).body == bytearray(b"behind")


async def test_commit_that_fails_drops_what_was_held(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    async with connection.channel() as channel:
        committing = await _commit(channel, peer)
        await channel.publish("", "q", b"behind")
        again = await started(channel.commit())

        peer.send(ChannelCloseParameters(406, "PRECONDITION_FAILED - x", 90, 20))

        outcomes = await asyncio.gather(committing, again, return_exceptions=True)
        assert [PreconditionFailed, PreconditionFailed] == [type(outcome) for outcome in outcomes]
    async with connection.channel() as other:
        peer.received.popleft()  # channel.close-ok
        await peer.synchronise(other)


async def test_channel_can_be_closed_while_committing(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    async with connection.channel() as channel:
        committing = await _commit(channel, peer)
        await channel.publish("", "q", b"behind")

    with pytest.raises(ClientClosedChannelOK):
        await committing
