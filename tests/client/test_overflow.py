"""What piles up in a client that does not look at it: bounded, and dropped with what it came on."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator

import pytest

import ammoo
from ammoo import inbox
from ammoo.exceptions import ConnectionLost, ConsumerOverflow
from ammoo.live import returns
from ammoo_wire import (
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicNackParameters,
    encode_method,
)
from tests.client.script import ScriptedPeer, ScriptedServer


@pytest.fixture(autouse=True)
def _answers(server: ScriptedServer) -> None:
    server.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)
    server.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)


# --- unread messages ---


@pytest.fixture
async def idle(
    connection: ammoo.Connection, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ammoo.Consumer]:
    """A consumer whose task waits, so that reading does not pause; and low limits."""
    monkeypatch.setattr(inbox, "BACKLOG_MESSAGES", 2)
    monkeypatch.setattr(inbox, "OVERFLOW_MESSAGES", 5)
    monkeypatch.setattr(inbox, "OVERFLOW_OCTETS", 5 * 4096)
    async with connection.channel() as channel, channel.consume("idle") as consumer:
        waiting = asyncio.create_task(anext(consumer))
        yield consumer
        waiting.cancel()
        await asyncio.wait((waiting,))


async def _overflow(
    channel: ammoo.Channel, peer: ScriptedPeer, consumer: ammoo.Consumer, **content: bytes
) -> None:
    """Deliver ten messages, of which six are too many; the cancel is answered behind them."""
    answer = peer.answers.pop(BasicCancelParameters)
    peer.deliver(consumer.consumer_tag, *range(1, 11), **content)
    assert (consumer.consumer_tag, False) == await peer.expect(BasicCancelParameters)
    peer.answers[BasicCancelParameters] = answer


async def test_consumer_with_too_many_unread_messages_is_cancelled(
    channel: ammoo.Channel, idle: ammoo.Consumer, peer: ScriptedPeer
) -> None:
    async with channel.consume("slow", no_ack=False) as consumer:
        await _overflow(channel, peer, consumer)
        nacked = [await peer.expect(BasicNackParameters) for _ in range(4)]
        peer.send(BasicCancelOkParameters(consumer.consumer_tag))

        tags = [(await anext(consumer)).delivery_tag for _ in range(6)]
        with pytest.raises(ConsumerOverflow, match=r"6 of its messages .*prefetch_count") as caught:
            await anext(consumer)

    assert [(tag, False, True) for tag in (7, 8, 9, 10)] == nacked
    assert [1, 2, 3, 4, 5, 6] == tags
    assert consumer.closing_exc is caught.value
    assert ("slow", 6, 0) == (
        caught.value.queue_name,
        caught.value.unread,
        caught.value.unread_octets,
    )
    assert not caught.value.recoverable


async def test_octets_of_large_messages_are_limited_too(
    channel: ammoo.Channel,
    idle: ammoo.Consumer,
    peer: ScriptedPeer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inbox, "BACKLOG_OCTETS", 4096)
    monkeypatch.setattr(inbox, "OVERFLOW_MESSAGES", 1000)
    async with channel.consume("slow") as consumer:
        await _overflow(channel, peer, consumer, body=bytes(4096))
        await peer.expect_several(BasicNackParameters, 4)
        peer.send(BasicCancelOkParameters(consumer.consumer_tag))

        assert 6 == len(consumer._inbox.messages)
        assert isinstance(consumer.closing_exc, ConsumerOverflow)
        assert 6 * 4096 == consumer.closing_exc.unread_octets


async def test_what_comes_without_acknowledgement_until_the_consumer_has_stopped_is_kept(
    channel: ammoo.Channel, idle: ammoo.Consumer, peer: ScriptedPeer
) -> None:
    async with channel.consume("slow", no_ack=True) as consumer:
        await _overflow(channel, peer, consumer)
        assert consumer.closing_exc is None
        peer.send(BasicCancelOkParameters(consumer.consumer_tag))

        tags = [(await anext(consumer)).delivery_tag for _ in range(10)]
        with pytest.raises(ConsumerOverflow):
            await anext(consumer)

    assert tags == list(range(1, 11))


async def test_unread_messages_go_back_when_a_consumer_that_overflowed_is_left(
    channel: ammoo.Channel, idle: ammoo.Consumer, peer: ScriptedPeer
) -> None:
    async with channel.consume("slow") as consumer:
        await _overflow(channel, peer, consumer)
        await peer.expect_several(BasicNackParameters, 4)
        peer.send(BasicCancelOkParameters(consumer.consumer_tag))

    assert (6, True, True) == await peer.expect(BasicNackParameters)


async def test_consumer_is_not_cancelled_while_reading_can_pause(
    channel: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "BACKLOG_MESSAGES", 2)
    monkeypatch.setattr(inbox, "OVERFLOW_MESSAGES", 2500)  # a read brings up to 900
    async with channel.consume("slow") as consumer:
        peer.deliver(consumer.consumer_tag, *range(1, 5001))

        tags = [(await anext(consumer)).delivery_tag for _ in range(5000)]

    assert tags == list(range(1, 5001))


# --- returned messages ---


def return_ten(peer: ScriptedPeer, body: bytes = b"body") -> None:
    """Return ten messages, whose routing keys are their numbers from 0 on."""
    for number in range(10):
        peer.returned(f"{number}", body=body)


async def test_returned_messages_that_are_not_fetched_are_dropped(
    channel: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returns, "RETURNED_MESSAGES", 3)
    return_ten(peer)
    await peer.synchronise(channel)

    keys = [(await channel.get_next_returned_message()).routing_key for _ in range(3)]

    assert ["7", "8", "9"] == keys
    assert 7 == channel.dropped_returned_messages


@pytest.mark.parametrize(("size", "kept"), [(10, 3), (30, 1), (1000, 1)])
async def test_octets_of_returned_messages_are_limited(
    channel: ammoo.Channel,
    peer: ScriptedPeer,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    kept: int,
) -> None:
    monkeypatch.setattr(returns, "RETURNED_OCTETS", 39)
    return_ten(peer, body=bytes(size))
    await peer.synchronise(channel)

    assert 10 - kept == channel.dropped_returned_messages
    assert f"{10 - kept}" == (await channel.get_next_returned_message()).routing_key


async def test_channel_that_was_not_entered_has_dropped_nothing(
    connection: ammoo.Connection,
) -> None:
    assert 0 == connection.channel().dropped_returned_messages


# --- half messages ---


async def test_half_a_message_goes_with_its_connection(server: ScriptedServer) -> None:
    size = 8_000_000
    async with await ammoo.connect(server.url) as connection, connection.channel() as channel:
        gc.disable()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        deliver = encode_method(BasicDeliverParameters("tag", 1, False, "", "queue"))
        server.peer.protocol.send_content(1, deliver, b"\x00\x00", bytes(size))
        octets = server.peer.protocol.data_to_send()
        server.peer.write(bytes(octets[:-100]))
        del octets
        server.peer.hang_up()
        with pytest.raises(ConnectionLost):
            await channel.get_next_returned_message()

        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        gc.enable()

    assert after - before < size // 4
