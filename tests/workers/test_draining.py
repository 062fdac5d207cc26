"""`consumer.cancel()` and `consumer.drain()`: what is sent, in which order, and what is left."""

import asyncio

import pytest

import ammoo
from ammoo.exceptions import (
    ClientCancelledConsumerOK,
    ClientClosedChannelOK,
    PublishUnknown,
    ServerCancelledConsumer,
)
from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicNackParameters,
    BasicQosOkParameters,
    BasicQosParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
)
from tests.client.brokers import Name
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.support.clock import LoopClock
from tests.support.tasks import started, turn_over
from tests.workers.queues import Handled, bodies_left, consuming, filled


@pytest.fixture(autouse=True)
def _answer_consumes(server: ScriptedServer) -> None:
    server.answers[BasicQosParameters] = lambda _: BasicQosOkParameters()
    server.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)


async def started_consumer(channel: ammoo.Channel) -> ammoo.Consumer:
    await channel.qos(prefetch_count=10)
    return await channel.consume("queue").__aenter__()


async def read_all(consumer: ammoo.Consumer) -> int:
    """Iterate until there is an end, and count the messages."""
    count = 0
    async for _ in consumer:
        count += 1
    return count


# --- cancelling ----------------------------------------------------------------------------------


async def test_cancelled_consumer_ends_what_iterates_over_it(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await filled(broker_channel, name("queue"), "1", "2", "3")

    async with consuming(broker_connection, queue, 10) as consumer:
        first = await anext(consumer)
        await consumer.cancel()
        count = await read_all(consumer)
        await first.ack()
        await consumer.cancel()  # again

    assert 0 == count
    assert isinstance(consumer.closing_exc, ClientCancelledConsumerOK)
    assert ["2", "3"] == await bodies_left(broker_channel, queue)


async def test_cancelling_wakes_all_that_wait(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    peer.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)
    consumer = await started_consumer(channel)
    readers = [await started(read_all(consumer)) for _ in range(3)]

    await consumer.cancel()

    assert [0, 0, 0] == await asyncio.gather(*readers)


async def test_leaving_a_consumer_still_raises_in_what_iterates_over_it(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    peer.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)
    async with channel.consume("queue") as consumer:
        reader = await started(read_all(consumer))

    with pytest.raises(ClientCancelledConsumerOK):
        await reader


async def test_cancelling_hides_no_other_end(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    consumer = await started_consumer(channel)
    peer.send(BasicCancelParameters(consumer.consumer_tag, True))
    await peer.synchronise(channel)

    await consumer.cancel()

    with pytest.raises(ServerCancelledConsumer):
        await anext(consumer)


async def test_consumer_that_was_not_entered_can_be_neither_cancelled_nor_drained(
    channel: ammoo.Channel,
) -> None:
    consumer = channel.consume("queue")

    with pytest.raises(RuntimeError, match="was not entered"):
        await consumer.cancel()
    with pytest.raises(RuntimeError, match="was not entered"):
        await consumer.drain(None)


# --- draining ------------------------------------------------------------------------------------


async def test_drain_sends_everything_in_order(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    del peer.answers[ChannelCloseParameters]
    consumer = await started_consumer(channel)
    handled = Handled()
    running = await started(consumer.run(handled))
    tag = consumer.consumer_tag
    peer.deliver(tag, 1, body=b"1")
    await handled.until_begun(1)
    peer.deliver(tag, 2, 3)
    await peer.synchronise(channel)

    draining = await started(consumer.drain(None))

    assert (tag, False) == await peer.expect(BasicCancelParameters)
    assert (2, False, True) == await peer.expect(BasicNackParameters)
    assert (3, False, True) == await peer.expect(BasicNackParameters)
    peer.deliver(tag, 4)  # it was on its way
    assert (4, False, True) == await peer.expect(BasicNackParameters)
    peer.send(BasicCancelOkParameters(tag))
    handled.let_all_end()
    await running
    assert (1, False) == await peer.expect(BasicAckParameters)
    await peer.expect(ChannelCloseParameters)
    assert not draining.done()  # before the server has answered
    peer.send(ChannelCloseOkParameters())
    assert await draining
    assert isinstance(channel.closing_exc, ClientClosedChannelOK)
    assert ["1"] == handled.ended


async def test_unread_messages_are_requeued_in_one_command(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    peer.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)
    consumer = await started_consumer(channel)
    peer.deliver(consumer.consumer_tag, *range(1, 51))
    await peer.synchronise(channel)

    await consumer.drain(None)

    assert (50, True, True) == await peer.expect(BasicNackParameters)


async def test_drain_waits_for_messages_that_the_program_has_read(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await filled(broker_channel, name("queue"), *"1234")

    async with consuming(broker_connection, queue, 10) as consumer:
        messages = [await anext(consumer) for _ in range(3)]
        draining = await started(consumer.drain(None))
        await messages[2].ack()
        await messages[0].reject(False)
        await turn_over()
        assert not draining.done()
        await messages[1].nack()
        assert await draining

    assert ["2", "4"] == await bodies_left(broker_channel, queue)


async def test_drain_does_not_wait_for_what_the_server_has_taken_back(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await filled(broker_channel, name("queue"), "1")

    async with broker_connection.channel(prefetch_count=10) as channel:
        consumer = await channel.consume(queue).__aenter__()
        await anext(consumer)
        draining = await started(consumer.drain(None))
        await channel.recover(True)
        async with asyncio.timeout(20):
            assert await draining

    assert ["1"] == await bodies_left(broker_channel, queue)


async def test_handlers_that_take_too_long_are_cancelled_and_their_messages_requeued(
    channel: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)
    consumer = await started_consumer(channel)
    handled = Handled()
    running = await started(consumer.run(handled, concurrency=3))
    peer.deliver(consumer.consumer_tag, 1, body=b"1")
    peer.deliver(consumer.consumer_tag, 2, body=b"2")
    peer.deliver(consumer.consumer_tag, 3, body=b"3")
    await handled.until_begun(3)
    clock = LoopClock(monkeypatch)
    draining = await started(consumer.drain(20))
    await settled_cancel(consumer, channel, peer)

    await clock.advance(19)
    assert 3 == handled.running
    await clock.advance(1)

    assert not await draining
    await running
    assert (3, True, True) == await peer.expect(BasicNackParameters)
    assert [] == handled.ended


async def settled_cancel(
    consumer: ammoo.Consumer, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    """Wait until basic.cancel-ok has been processed."""
    await peer.synchronise(channel)
    assert not channel._require_live().consumers


async def test_handler_that_ignores_its_cancellation_loses_its_message(
    channel: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)
    consumer = await started_consumer(channel)
    may_end = asyncio.Event()
    begun = asyncio.Event()

    async def handle(message: ammoo.DeliverMessage) -> None:
        begun.set()
        try:
            await may_end.wait()
        except asyncio.CancelledError:
            await may_end.wait()

    running = await started(consumer.run(handle))
    peer.deliver(consumer.consumer_tag, 1)
    await begun.wait()
    clock = LoopClock(monkeypatch)
    draining = await started(consumer.drain(20))
    await settled_cancel(consumer, channel, peer)
    await clock.advance(20)
    assert not draining.done()
    await clock.advance(1)

    assert not await draining
    assert (1, False, True) == await peer.expect(BasicNackParameters)
    may_end.set()
    await running


async def test_handler_cannot_drain_its_own_consumer(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    peer.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)
    consumer = await started_consumer(channel)

    async def handle(message: ammoo.DeliverMessage) -> None:
        await consumer.drain(None)

    running = await started(consumer.run(handle, fail_fast=True))
    peer.deliver(consumer.consumer_tag, 1)

    with pytest.raises(ExceptionGroup) as caught:
        await running
    assert "a handler cannot drain its own consumer" in str(caught.value.exceptions[0])


async def test_channel_that_another_consumer_uses_stays_open(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    peer.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)
    peer.answers[ChannelFlowParameters] = lambda p: ChannelFlowOkParameters(p.active)
    first, second = await started_consumer(channel), await started_consumer(channel)

    await first.drain(None)
    peer.deliver(second.consumer_tag, 1)
    await (await anext(second)).ack()  # the channel is open
    await second.drain(None)

    assert channel.closing


async def test_two_consumers_of_a_channel_are_drained_together(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queues = [await filled(broker_channel, name(label), *"123") for label in ("one", "two")]
    async with broker_connection.channel(prefetch_count=10) as channel:
        consumers = [await channel.consume(queue).__aenter__() for queue in queues]
        one, two = Handled(), Handled()
        running = [
            asyncio.create_task(consumers[0].run(one, concurrency=2)),
            asyncio.create_task(consumers[1].run(two, concurrency=2)),
        ]
        await one.until_begun(2)
        await two.until_begun(2)
        draining = [await started(consumer.drain(None)) for consumer in consumers]
        one.let_all_end()
        await draining[0]
        was_closing = channel.closing
        two.let_all_end()
        await draining[1]
        await asyncio.gather(*running)

        assert not was_closing
        assert channel.closing
    assert ["3"] == await bodies_left(broker_channel, queues[0])
    assert ["3"] == await bodies_left(broker_channel, queues[1])


async def test_server_that_does_not_answer_is_not_waited_for_without_bound(
    channel: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    del peer.answers[ChannelCloseParameters]
    consumer = await started_consumer(channel)
    clock = LoopClock(monkeypatch)
    draining = await started(consumer.drain(20))

    await clock.advance(5)  # for basic.cancel-ok
    await clock.advance(5)  # for channel.close-ok

    assert await draining


class Publisher:
    """Records when it is flushed, and fails if asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.was_flushed = False
        self._error = error

    async def flush(self) -> None:
        self.was_flushed = True
        if self._error is not None:
            raise self._error

    @property
    def sent(self) -> int:
        return 1

    def _abandon(self, last: int) -> None:
        raise AssertionError("it was flushed in time")


async def test_publishers_are_flushed_before_the_channel_is_closed(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    peer.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)
    consumer = await started_consumer(channel)
    publisher, failing = Publisher(), Publisher(LookupError("3 of 100 were lost"))

    with pytest.raises(LookupError):
        await consumer.drain(None, publishers=[publisher, failing])

    assert publisher.was_flushed
    assert channel.closing_exc is not None


async def test_failing_publisher_keeps_no_other_one_from_being_flushed(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    peer.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)
    consumer = await started_consumer(channel)
    errors = [LookupError("3 of 100 were lost"), LookupError("2 of 7 were lost")]
    publishers = [Publisher(errors[0]), Publisher(), Publisher(errors[1])]

    with pytest.raises(ExceptionGroup, match="2 publishers have failed") as caught:
        await consumer.drain(None, publishers=publishers)

    assert [True, True, True] == [each.was_flushed for each in publishers]
    assert errors == list(caught.value.exceptions)


# --- publishers that are given up ----------------------------------------------------------------


@pytest.fixture
async def publishing(connection: ammoo.Connection, peer: ScriptedPeer) -> ammoo.Channel:
    """A second channel."""
    peer.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)
    return await connection.channel().__aenter__()


@pytest.fixture
async def clock(publishing: ammoo.Channel, monkeypatch: pytest.MonkeyPatch) -> LoopClock:
    """The loop's time, which stands still from when both channels are open."""
    return LoopClock(monkeypatch)


class EndlessPublisher:
    """Can be flushed, without an end, and cannot be given up."""

    def __init__(self) -> None:
        self.began = asyncio.Event()

    async def flush(self) -> None:
        self.began.set()
        await asyncio.Future()


async def drain_in_vain(
    consumer: ammoo.Consumer, publisher: ammoo.Publisher, clock: LoopClock
) -> None:
    """Drain until the time for the publishers is over."""
    endless = EndlessPublisher()
    draining = await started(consumer.drain(20, publishers=[endless, publisher]))
    await endless.began.wait()
    await clock.advance(20)
    assert await draining


async def leave(publisher: ammoo.Publisher) -> None:
    await publisher.__aexit__(None, None, None)


async def test_what_is_published_after_a_drain_that_gave_up_messages_gets_its_outcome(
    channel: ammoo.Channel, publishing: ammoo.Channel, peer: ScriptedPeer, clock: LoopClock
) -> None:
    consumer = await started_consumer(channel)
    publisher = await publishing.publisher().__aenter__()
    before = await publisher.publish("", "queue", "before")
    await drain_in_vain(consumer, publisher, clock)

    after = await publisher.publish("", "queue", "after")
    leaving = await started(leave(publisher))
    assert not leaving.done()
    peer.send(BasicAckParameters(2), channel_number=publishing.channel_id)
    with pytest.raises(ExceptionGroup, match="1 of 2 messages were not confirmed"):
        await leaving

    assert after.exception() is None
    assert "a drain gave up the message before the outcome was known" in str(before.exception())


async def test_publisher_without_messages_in_flight_is_not_given_up(
    channel: ammoo.Channel, publishing: ammoo.Channel, peer: ScriptedPeer, clock: LoopClock
) -> None:
    consumer = await started_consumer(channel)
    publisher = await publishing.publisher().__aenter__()
    await drain_in_vain(consumer, publisher, clock)

    bye = await publisher.publish("", "queue", "bye")
    leaving = await started(leave(publisher))
    await clock.advance(60)
    assert not leaving.done()
    peer.send(BasicAckParameters(1), channel_number=publishing.channel_id)
    await leaving

    assert bye.exception() is None


async def test_what_is_published_during_the_flush_is_not_given_up(
    channel: ammoo.Channel, publishing: ammoo.Channel, clock: LoopClock
) -> None:
    """The handlers of another consumer may publish it, for which another drain waits."""
    consumer = await started_consumer(channel)
    publisher = await publishing.publisher().__aenter__()
    before = await publisher.publish("", "queue", "before")
    endless = EndlessPublisher()
    draining = await started(consumer.drain(20, publishers=[endless, publisher]))
    await endless.began.wait()
    during = await publisher.publish("", "queue", "during")
    await clock.advance(20)
    assert await draining

    assert [PublishUnknown, type(None)] == [type(each.exception()) for each in (before, during)]
    assert not during.done()


async def test_leaving_waits_for_a_moment_after_a_drain_that_gave_up_messages(
    channel: ammoo.Channel, publishing: ammoo.Channel, clock: LoopClock
) -> None:
    """The server may be down: the program ends nevertheless."""
    consumer = await started_consumer(channel)
    publisher = await publishing.publisher().__aenter__()
    await publisher.publish("", "queue", "before")
    await drain_in_vain(consumer, publisher, clock)

    after = await publisher.publish("", "queue", "after")
    leaving = await started(leave(publisher))
    await clock.advance(1)
    with pytest.raises(ExceptionGroup, match="2 of 2 messages were not confirmed"):
        await leaving

    assert "the publisher was left before the outcome was known" in str(after.exception())
