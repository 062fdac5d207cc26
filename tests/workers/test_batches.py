"""`consumer.batches()`: when a batch is returned, and how it is settled."""

import asyncio

import pytest

import ammoo
from ammoo.exceptions import ConnectionLost, ServerCancelledConsumer
from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicNackParameters,
    BasicQosOkParameters,
    BasicQosParameters,
    BasicRejectParameters,
)
from tests.client.brokers import Name
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.support.clock import LoopClock
from tests.support.tasks import started
from tests.workers.queues import bodies_left, consuming, filled


@pytest.fixture(autouse=True)
def _answer_consumes(server: ScriptedServer) -> None:
    server.answers[BasicQosParameters] = lambda _: BasicQosOkParameters()
    server.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)
    server.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)


async def started_consumer(channel: ammoo.Channel, prefetch_count: int = 10) -> ammoo.Consumer:
    await channel.qos(prefetch_count=prefetch_count)
    return await channel.consume("queue").__aenter__()


def bodies(batch: "ammoo.Batch") -> list[str]:
    return [message.decode() for message in batch]


async def test_full_batches_are_acknowledged(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await filled(broker_channel, name("queue"), *"123456")

    async with consuming(broker_connection, queue, 10) as consumer:
        batches = consumer.batches(2, seconds=600)
        first, second = await anext(batches), await anext(batches)
        await first.ack()
        async with second.process() as entered:
            assert second is entered

    assert [["1", "2"], ["3", "4"]] == [bodies(first), bodies(second)]
    assert ["5", "6"] == await bodies_left(broker_channel, queue)


async def test_batch_is_a_sequence_of_its_messages(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)
    peer.deliver(consumer.consumer_tag, 1, 2, 3)

    batch = await anext(consumer.batches(3, seconds=600))

    assert 3 == len(batch)
    assert [1, 2, 3] == [message.delivery_tag for message in batch]
    assert 2 == batch[1].delivery_tag
    assert [2, 3] == [message.delivery_tag for message in batch[1:]]
    assert "<Batch of 3 messages>" == repr(batch)


async def test_oldest_messages_are_acknowledged_in_one_command(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)
    peer.deliver(consumer.consumer_tag, *range(1, 11))
    batch = await anext(consumer.batches(10, seconds=600))

    await batch.ack()

    assert (10, True) == await peer.expect(BasicAckParameters)


async def test_messages_behind_an_unacked_one_are_acknowledged_one_by_one(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)
    peer.deliver(consumer.consumer_tag, 1, 2, 3)
    await anext(consumer)
    batch = await anext(consumer.batches(2, seconds=600))

    await batch.ack()

    assert (2, False) == await peer.expect(BasicAckParameters)
    assert (3, False) == await peer.expect(BasicAckParameters)


async def test_message_that_was_settled_by_itself_is_left_out(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)
    peer.deliver(consumer.consumer_tag, 1, 2, 3)
    batch = await anext(consumer.batches(3, seconds=600))

    await batch[0].reject(False)
    await batch.ack()

    assert (1, False) == await peer.expect(BasicRejectParameters)
    assert (3, True) == await peer.expect(BasicAckParameters)


async def test_batch_is_rejected(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    consumer = await started_consumer(channel)
    peer.deliver(consumer.consumer_tag, 1, 2)
    batch = await anext(consumer.batches(2, seconds=600))

    await batch.reject(False)

    assert (1, False) == await peer.expect(BasicRejectParameters)
    assert (2, False) == await peer.expect(BasicRejectParameters)


async def test_failed_batch_is_settled_by_the_policy(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)
    peer.deliver(consumer.consumer_tag, 1, 2)
    batch = await anext(consumer.batches(2, seconds=600))

    with pytest.raises(LookupError):
        async with batch.process(on_error="requeue"):
            raise LookupError

    assert (1, True) == await peer.expect(BasicRejectParameters)
    assert (2, True) == await peer.expect(BasicRejectParameters)


async def test_batch_waits_from_its_first_message_on(
    channel: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = await started_consumer(channel)
    clock = LoopClock(monkeypatch)
    waiting = await started(anext(consumer.batches(10, seconds=5)))

    await clock.advance(100)
    peer.deliver(consumer.consumer_tag, 1)
    await peer.synchronise(channel)
    await clock.advance(4)
    peer.deliver(consumer.consumer_tag, 2)
    await peer.synchronise(channel)
    assert not waiting.done()
    await clock.advance(1)

    assert [1, 2] == [message.delivery_tag for message in await waiting]


async def test_cancelled_task_loses_nothing_of_a_batch(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)
    batches = consumer.batches(2, seconds=600)
    waiting = await started(anext(batches))
    peer.deliver(consumer.consumer_tag, 1)
    await peer.synchronise(channel)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    peer.deliver(consumer.consumer_tag, 2)

    assert [1, 2] == [message.delivery_tag for message in await anext(batches)]


async def test_batch_that_is_not_full_is_requeued_at_the_end(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)
    waiting = await started(anext(consumer.batches(3, seconds=600)))
    peer.deliver(consumer.consumer_tag, 1, 2)
    await peer.synchronise(channel)

    await consumer.cancel()

    with pytest.raises(StopAsyncIteration):
        await waiting
    assert (2, True, True) == await peer.expect(BasicNackParameters)


async def test_other_batches_take_over_nothing(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    consumer = await started_consumer(channel)
    waiting = await started(anext(consumer.batches(3, seconds=600)))
    peer.deliver(consumer.consumer_tag, 1, 2)
    await peer.synchronise(channel)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    consumer.batches(3, seconds=600)

    assert (2, True, True) == await peer.expect(BasicNackParameters)


async def test_last_batch_comes_before_the_servers_cancel(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)
    batches = consumer.batches(3, seconds=600)
    peer.deliver(consumer.consumer_tag, 1, 2)
    peer.send(BasicCancelParameters(consumer.consumer_tag, True))

    batch = await anext(batches)
    await batch.ack()

    assert [1, 2] == [message.delivery_tag for message in batch]
    with pytest.raises(ServerCancelledConsumer):
        await anext(batches)


async def test_batch_is_dropped_with_its_connection(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)
    waiting = await started(anext(consumer.batches(3, seconds=600)))
    peer.deliver(consumer.consumer_tag, 1)
    await peer.synchronise(channel)

    peer.hang_up()

    with pytest.raises(ConnectionLost):
        await waiting


@pytest.mark.parametrize(
    ("size", "seconds", "words"),
    [
        (0, 1.0, "size is 0; expected a whole number, 1 or more"),
        (11, 1.0, "size=11 is more than prefetch_count=10"),
        (10, 0.0, "seconds is 0.0; expected a number above 0"),
        (10, float("nan"), "seconds is nan; expected a number above 0"),
    ],
)
async def test_batches_that_cannot_be_are_refused(
    channel: ammoo.Channel, peer: ScriptedPeer, size: int, seconds: float, words: str
) -> None:
    consumer = await started_consumer(channel)

    with pytest.raises(ValueError, match=words):
        consumer.batches(size, seconds)


async def test_any_size_is_possible_without_a_limit(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel, prefetch_count=0)

    consumer.batches(1000, seconds=1)
