"""Acknowledgements that become one, and those that must not."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ammoo
from ammoo.live.acknowledgements import UnackedDeliveries
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
    ExchangeDeclareParameters,
    TxSelectOkParameters,
    TxSelectParameters,
)
from tests.client.script import ScriptedPeer, ScriptedServer


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
        for message in messages[:3]:
            await message.ack()

        assert await peer.expect(BasicAckParameters) == (3, True)
        await messages[3].ack()
        assert await peer.expect(BasicAckParameters) == (4, False)


async def test_acks_out_of_order_go_out_as_they_are(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("q") as consumer:
        await _receive(consumer, peer, 1, 2, 3, 4, 5)
        await _acked(channel, 3, 1, 2, 4)

        said = [await peer.expect(BasicAckParameters) for _ in range(2)]

    assert said == [(3, False), (4, True)]


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
        assert await peer.expect(BasicAckParameters) == (3, False)
        assert await peer.expect(BasicRejectParameters) == (4, True)
        assert await peer.expect(BasicAckParameters) == (6, True)
        assert await peer.expect(BasicNackParameters) == (7, False, True)
        await _receive(consumer, peer, 8)
        await _acked(channel, 8)
        asking = asyncio.create_task(channel.assert_exchange_exists("e"))
        assert await peer.expect(BasicAckParameters) == (8, False)
        await peer.expect(ExchangeDeclareParameters)
        asking.cancel()


async def test_messages_that_were_got_count(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.consume("q") as consumer:
        getting = asyncio.create_task(channel.get("q"))
        await peer.expect(BasicGetParameters)
        peer.got(1)
        await getting
        await _receive(consumer, peer, 2, 3)
        await _acked(channel, 2, 3)  # 1 is held back

        said = [await peer.expect(BasicAckParameters) for _ in range(2)]

    assert said == [(2, False), (3, False)]


async def test_messages_without_acknowledgement_do_not_count(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("q", no_ack=True) as loose, channel.consume("q") as consumer:
        await _receive(loose, peer, 1)
        await _receive(consumer, peer, 2)
        await _receive(loose, peer, 3)
        await _receive(consumer, peer, 4)
        await _acked(channel, 2, 4)

        assert await peer.expect(BasicAckParameters) == (4, True)


async def test_recover_takes_everything_back(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.consume("q") as consumer:
        await _receive(consumer, peer, 1, 2)
        await channel.recover(requeue=True)
        await _receive(consumer, peer, 3, 4)
        await _acked(channel, 3, 4)

        assert await peer.expect(BasicAckParameters) == (4, True)


async def test_acks_of_a_transaction_stay_apart(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    await channel.select_transaction()
    async with channel.consume("q") as consumer:
        await _receive(consumer, peer, 1, 2)
        await _acked(channel, 1, 2)

        said = [await peer.expect(BasicAckParameters) for _ in range(2)]

    assert said == [(1, False), (2, False)]


async def test_acks_leave_before_the_close(server: ScriptedServer) -> None:
    async with await ammoo.connect(server.url) as connection, connection.channel() as channel:
        consumer = await channel.consume("q").__aenter__()
        await _receive(consumer, server.peer, 1, 2)
        await _acked(channel, 1, 2)
        await connection.close()

    assert await server.peer.expect(BasicAckParameters) == (2, True)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("deliver"), st.integers(1, 3)),
            st.tuples(st.just("ack"), st.integers(0, 20)),
            st.tuples(st.just("reject"), st.integers(0, 20)),
            st.tuples(st.just("multiple"), st.integers(0, 20)),
            st.tuples(st.just("flush"), st.just(0)),
        ),
        max_size=60,
    )
)
def test_whatever_is_settled_the_server_is_told_exactly_that(
    steps: list[tuple[str, int]],
) -> None:
    unsettled = UnackedDeliveries()
    at_the_server: list[int] = []  # what it has sent and was not told about
    wanted: list[int] = []  # what was sent and not settled, as the user sees it
    last = 0

    def flush() -> None:
        if unsettled.run:
            told = [tag for tag in at_the_server if tag <= unsettled.last_of_run]
            if unsettled.run == 1:
                told = [unsettled.last_of_run]
            for tag in told:
                at_the_server.remove(tag)
        unsettled.run = 0

    for what, number in steps:
        if what == "deliver":
            for tag in range(last + 1, last + 1 + number):
                unsettled.add(tag)
                at_the_server.append(tag)
                wanted.append(tag)
            last += number
        elif what == "flush":
            flush()
        elif wanted:
            tag = wanted[number % len(wanted)]
            settled = [each for each in wanted if each <= tag] if what == "multiple" else [tag]
            wanted = [each for each in wanted if each not in settled]
            if what != "ack" or not unsettled.extend_run(tag):
                flush()
                unsettled.settle(tag, what == "multiple")
                for each in settled:
                    at_the_server.remove(each)
        assert len(unsettled) == len(wanted)
    flush()

    assert at_the_server == wanted


def test_what_is_settled_behind_the_oldest_is_forgotten() -> None:
    unsettled = UnackedDeliveries()
    for tag in range(1, 100_001):
        unsettled.add(tag)
        if tag > 1:
            unsettled.settle(tag, multiple=False)

    assert len(unsettled) == 1
    assert len(unsettled._tags) < 5000


def test_everything_can_be_settled_at_once() -> None:
    unsettled = UnackedDeliveries()
    for tag in range(1, 5):
        unsettled.add(tag)
    unsettled.settle(3, multiple=False)

    unsettled.settle(0, multiple=True)

    assert len(unsettled) == 0


def test_tag_that_was_never_to_be_settled_hinders_nobody() -> None:
    unsettled = UnackedDeliveries()
    unsettled.add(1)
    unsettled.add(3)

    unsettled.settle(2, False)  # of a delivery without acknowledgement: a mistake
    first = unsettled.extend_run(1)
    unsettled.settle(3, False)

    assert first
    assert len(unsettled) == 0
    unsettled.add(4)
    assert unsettled.extend_run(4)
