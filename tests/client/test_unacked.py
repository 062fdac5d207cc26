"""Acknowledgements that become one, and those that must not."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ammoo
from ammoo.exceptions import UnknownDelivery
from ammoo.live.unacked import UnackedDeliveries
from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicGetParameters,
    BasicNackParameters,
    BasicPublishParameters,
    BasicRecoverOkParameters,
    BasicRecoverParameters,
    BasicRejectParameters,
    EncodeError,
    ExchangeDeclareParameters,
    TxCommitOkParameters,
    TxCommitParameters,
    TxSelectOkParameters,
    TxSelectParameters,
)
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.client.settling import Settling, Transaction


@pytest.fixture(autouse=True)
def _answers(server: ScriptedServer) -> None:
    server.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)
    server.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)
    server.answers[BasicRecoverParameters] = lambda _: BasicRecoverOkParameters()
    server.answers[TxSelectParameters] = lambda _: TxSelectOkParameters()


async def _acked(channel: ammoo.Channel, *tags: int) -> None:
    await asyncio.gather(*(channel.ack(tag) for tag in tags))


async def _receive(
    consumer: ammoo.Consumer, peer: ScriptedPeer, *tags: int
) -> list[ammoo.DeliverMessage]:
    peer.deliver(consumer.consumer_tag, *tags)
    return [await anext(consumer) for _ in tags]


async def test_acks_of_the_oldest_deliveries_become_one(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("q") as consumer:
        messages = await _receive(consumer, peer, 1, 2, 3, 4)
        await messages[0].ack()
        await messages[1].ack()
        await messages[2].ack()

        assert (3, True) == await peer.expect(BasicAckParameters)
        await messages[3].ack()
        assert (4, False) == await peer.expect(BasicAckParameters)


async def test_acks_out_of_order_go_out_as_they_are(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("q") as consumer:
        await _receive(consumer, peer, 1, 2, 3, 4, 5)
        await _acked(channel, 3, 1, 2, 4)

        said = [await peer.expect(BasicAckParameters) for _ in range(2)]

    assert [(3, False), (4, True)] == said


async def test_what_else_is_sent_comes_behind_the_acks(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("q") as consumer:
        await _receive(consumer, peer, *range(1, 8))
        await _acked(channel, 1, 2)
        await channel.publish("", "q", b"")
        await _acked(channel, 3)
        await channel.reject(4, requeue=True)
        await _acked(channel, 5, 6)
        await channel.nack(7)
        await peer.expect(BasicAckParameters)
        await peer.expect(BasicPublishParameters)
        assert (3, False) == await peer.expect(BasicAckParameters)
        assert (4, True) == await peer.expect(BasicRejectParameters)
        assert (6, True) == await peer.expect(BasicAckParameters)
        assert (7, False, True) == await peer.expect(BasicNackParameters)
        await _receive(consumer, peer, 8)
        await _acked(channel, 8)
        asking = asyncio.create_task(channel.assert_exchange_exists("e"))
        assert (8, False) == await peer.expect(BasicAckParameters)
        await peer.expect(ExchangeDeclareParameters)
        asking.cancel()


async def test_tag_that_only_equals_a_tag_is_sent_as_the_tag(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("q") as consumer:
        await _receive(consumer, peer, 1)

        await channel.ack(1.0)  # type: ignore[arg-type]  # as from JSON

        assert BasicAckParameters(1, False) == await peer.expect(BasicAckParameters)


@pytest.mark.parametrize(
    "settle",
    [
        lambda channel: channel.ack(2.0, multiple=True),
        lambda channel: channel.nack(2.0),
        lambda channel: channel.reject(2.0, False),
        lambda channel: channel.nack(2.0, multiple=True),
    ],
    ids=["ack up to", "nack", "reject", "nack up to"],
)
async def test_settling_that_cannot_be_sent_settles_nothing(
    channel: ammoo.Channel, peer: ScriptedPeer, settle: Callable[[Any], Awaitable[None]]
) -> None:
    async with channel.consume("q") as consumer:
        messages = await _receive(consumer, peer, 1, 2)

        with pytest.raises(EncodeError, match=r"delivery_tag is 2\.0"):
            await settle(channel)

        await messages[1].ack()
        await messages[0].ack()
        acks = await peer.expect_several(BasicAckParameters, 2)
        assert [BasicAckParameters(2, False), BasicAckParameters(1, False)] == acks


async def test_messages_that_were_got_count(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.consume("q") as consumer:
        getting = asyncio.create_task(channel.get("q"))
        await peer.expect(BasicGetParameters)
        peer.got(1)
        await getting
        await _receive(consumer, peer, 2, 3)
        await _acked(channel, 2, 3)  # 1 is held back

        said = [await peer.expect(BasicAckParameters) for _ in range(2)]

    assert [(2, False), (3, False)] == said


async def test_messages_without_acknowledgement_do_not_count(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("q", no_ack=True) as loose, channel.consume("q") as consumer:
        await _receive(loose, peer, 1)
        await _receive(consumer, peer, 2)
        await _receive(loose, peer, 3)
        await _receive(consumer, peer, 4)
        await _acked(channel, 2, 4)

        assert (4, True) == await peer.expect(BasicAckParameters)


async def test_recover_takes_everything_back(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.consume("q") as consumer:
        await _receive(consumer, peer, 1, 2)
        await channel.recover(requeue=True)
        await _receive(consumer, peer, 3, 4)
        await _acked(channel, 3, 4)

        assert (4, True) == await peer.expect(BasicAckParameters)


async def test_acks_of_a_transaction_stay_apart(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    await channel.select_transaction()
    async with channel.consume("q") as consumer:
        await _receive(consumer, peer, 1, 2)
        await _acked(channel, 1, 2)

        said = [await peer.expect(BasicAckParameters) for _ in range(2)]

    assert [(1, False), (2, False)] == said


async def test_acks_leave_before_the_close(server: ScriptedServer) -> None:
    async with await ammoo.connect(server.url) as connection, connection.channel() as channel:
        consumer = await channel.consume("q").__aenter__()
        await _receive(consumer, server.peer, 1, 2)
        await _acked(channel, 1, 2)
        await connection.close()

    assert (2, True) == await server.peer.expect(BasicAckParameters)


def _steps(*names: str) -> st.SearchStrategy[list[tuple[str, int]]]:
    return st.lists(st.tuples(st.sampled_from(names), st.integers(0, 20)), max_size=80)


@pytest.mark.parametrize("capabilities", [{"basic.nack": True}, {}])
@example([("deliver", 11), ("unread", 1), ("unread", 2)], False)  # 10 is acked before 2 to 9
@given(
    _steps("deliver", "deliver", "skip", "ack", "ack", "drop", "multiple", "unread", "flush"),
    st.booleans(),
)
def test_whatever_is_settled_the_server_is_told_exactly_that(
    capabilities: dict[str, Any], steps: list[tuple[str, int]], in_transactions: bool
) -> None:
    """Whichever way: what the user settles, and what is requeued as no task will read it."""
    with patch("ammoo.live.acknowledgements.MOST_REQUEUED_SINGLY", 3):
        user = Settling(capabilities, in_transaction=in_transactions)
        user.take(steps)
        user.ack_all()

    told = {what: sorted(tags) for what, tags in user.channel.settled.items()}
    assert {what: sorted(tags) for what, tags in user.settled.items()} == told
    assert [] == user.channel.unacked


@given(_steps("deliver", "skip", "ack", "multiple", "commit", "roll back", "roll back"))
def test_rollback_makes_unacked_again_what_it_is_at_the_server(
    steps: list[tuple[str, int]],
) -> None:
    """The user compares what is unacked after each step."""
    user = Transaction()

    user.take(steps)


def unacked_deliveries(*tags: int) -> UnackedDeliveries:
    unacked = UnackedDeliveries()
    for tag in tags:
        unacked.add(tag)
    return unacked


def add_and_settle(unacked: UnackedDeliveries, tags: Iterable[int]) -> None:
    for tag in tags:
        unacked.add(tag)
        unacked.settle(tag)


def has_next_after_settling(unacked: UnackedDeliveries, tag: int) -> bool:
    """Add a delivery and settle it; return whether the tag behind it is found."""
    add_and_settle(unacked, [tag])
    return tag + 1 in unacked


def test_what_is_settled_behind_the_oldest_is_forgotten() -> None:
    unacked = unacked_deliveries(1)

    add_and_settle(unacked, range(2, 100_001))

    assert 1 == len(unacked)
    assert len(unacked._tags) < 5000
    assert 1 in unacked
    assert 99_999 not in unacked


def test_looking_for_tags_between_gaps_does_not_grow_with_their_number() -> None:
    """Every second is the tag of a delivery without acknowledgement."""
    unacked = unacked_deliveries(1)

    found = [has_next_after_settling(unacked, tag) for tag in range(3, 200_001, 2)]

    assert True not in found
    assert 1 == len(unacked)
    assert len(unacked._index) < 10_000


def test_everything_can_be_settled_at_once() -> None:
    unacked = unacked_deliveries(1, 2, 3, 4)
    unacked.settle(3)

    assert [(4, 3, False)] == unacked.settle_up_to(0)

    assert 0 == len(unacked)


# --- what cannot be settled ---


@pytest.mark.parametrize(
    "again",
    [
        lambda channel, message: message.ack(),
        lambda channel, message: message.ack(multiple=True),
        lambda channel, message: message.reject(True),
        lambda channel, message: message.reject(False, multiple=True),
        lambda channel, message: message.nack(),
        lambda channel, message: channel.ack(1),
        lambda channel, message: channel.reject(1, False),
        lambda channel, message: channel.nack(1, multiple=True),
        lambda channel, message: channel.ack(3),
        lambda channel, message: channel.ack(0),
    ],
)
async def test_settling_twice_raises_at_that_line(
    channel: ammoo.Channel, peer: ScriptedPeer, again: Callable[..., Awaitable[None]]
) -> None:
    async with channel.consume("q") as consumer:
        first, second = await _receive(consumer, peer, 1, 2)
        await first.ack()

        with pytest.raises(UnknownDelivery, match="can be settled once") as caught:
            await again(channel, first)

        await second.ack()
        assert (2, True) == await peer.expect(BasicAckParameters)
    assert 1 == caught.value.channel_id


async def test_message_without_acknowledgement_cannot_be_settled(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("q", no_ack=True) as consumer:
        (message,) = await _receive(consumer, peer, 1)

        with pytest.raises(UnknownDelivery, match="not at all with no_ack"):
            await message.ack()

        await peer.synchronise(channel)


async def test_message_that_was_got_without_acknowledgement_cannot_be_settled(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    getting = asyncio.create_task(channel.get("q", no_ack=True))
    await peer.expect(BasicGetParameters)
    peer.got(1)
    message = await getting

    with pytest.raises(UnknownDelivery):
        await message.reject(True)

    await peer.synchronise(channel)


async def test_message_that_was_recovered_cannot_be_settled(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("q") as consumer:
        (message,) = await _receive(consumer, peer, 1)
        await channel.recover(True)

        with pytest.raises(UnknownDelivery):
            await message.ack()

        await peer.synchronise(channel)


async def test_all_of_nothing_can_be_settled(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    await channel.ack(0, multiple=True)

    assert (0, True) == await peer.expect(BasicAckParameters)


# --- giving back ---


async def _leave_with_unread(
    channel: ammoo.Channel, peer: ScriptedPeer, read: int, unread: int
) -> list[ammoo.DeliverMessage]:
    async with channel.consume("q") as consumer:
        messages = await _receive(consumer, peer, *range(1, read + 1))
        peer.deliver(consumer.consumer_tag, *range(read + 1, read + unread + 1))
        await peer.synchronise(channel)
    return messages


async def test_unread_messages_go_back_by_one_nack(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await _leave_with_unread(channel, peer, 0, 2000)

    assert (2000, True, True) == await peer.expect(BasicNackParameters)
    await peer.synchronise(channel)


async def test_few_unread_messages_behind_one_that_is_unacked_go_back_one_by_one(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    (held,) = await _leave_with_unread(channel, peer, 1, 3)

    assert [(tag, False, True) for tag in (2, 3, 4)] == [
        await peer.expect(BasicNackParameters) for _ in range(3)
    ]
    await held.ack()
    assert (1, False) == await peer.expect(BasicAckParameters)


async def test_many_unread_messages_go_back_once_the_one_before_them_is_settled(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    first, second = await _leave_with_unread(channel, peer, 2, 1500)
    await peer.synchronise(channel)
    await first.ack()
    assert (1, False) == await peer.expect(BasicAckParameters)

    await second.reject(requeue=False)

    assert (2, False) == await peer.expect(BasicRejectParameters)
    assert (1502, True, True) == await peer.expect(BasicNackParameters)


async def test_acknowledging_up_to_a_message_does_not_take_unread_ones_with_it(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    (first,) = await _leave_with_unread(channel, peer, 1, 1500)
    async with channel.consume("q") as consumer:
        (last,) = await _receive(consumer, peer, 2000)

        await last.ack(multiple=True)

        assert (1, False) == await peer.expect(BasicAckParameters)
        assert (1501, True, True) == await peer.expect(BasicNackParameters)
        assert (2000, False) == await peer.expect(BasicAckParameters)
    with pytest.raises(UnknownDelivery):
        await first.ack()


async def test_unread_messages_go_back_by_reject_where_there_is_no_nack(
    server: ScriptedServer,
) -> None:
    server.options["server_properties"] = {"product": "an older one"}
    async with await ammoo.connect(server.url) as connection, connection.channel() as channel:
        await _leave_with_unread(channel, server.peer, 0, 2)

        assert (1, True) == await server.peer.expect(BasicRejectParameters)
        assert (2, True) == await server.peer.expect(BasicRejectParameters)


async def test_unread_messages_are_part_of_a_transaction(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.select_transaction()
    await _leave_with_unread(channel, peer, 0, 3)
    committing = asyncio.create_task(channel.commit())

    assert (3, True, True) == await peer.expect(BasicNackParameters)
    await peer.expect(TxCommitParameters)
    peer.send(TxCommitOkParameters())
    await committing
