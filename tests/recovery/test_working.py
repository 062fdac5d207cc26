"""Handlers, batches and drains while the connection is lost under them."""

import asyncio
import random
from typing import Any

import pytest

import ammoo
from ammoo.exceptions import PublishNotSent, ServerCancelledConsumer
from ammoo.recovery.listener import EventListener
from tests.client.brokers import Name
from tests.recovery.network import Network
from tests.recovery.until import (
    AT_ONCE,
    bring_down,
    bring_up,
    lose,
    lose_all_of,
    lost_in_flight,
    round_trips_until,
    settle,
    until_consumers,
)
from tests.support.clock import LoopClock
from tests.support.tasks import started
from tests.workers.queues import Handled, ack_each, bodies_left, filled, publish

# --- process -------------------------------------------------------------------------------------


async def process_across_a_loss(
    network: Network, events: EventListener, message: ammoo.DeliverMessage, error: Exception | None
) -> None:
    async with message.process():
        await lose(network, events)
        if error is not None:
            raise error


async def test_processed_message_of_a_lost_connection_raises_nothing_and_comes_again(
    network: Network, name: Name, broker_channel: ammoo.Channel
) -> None:
    queue = await filled(broker_channel, name("orders"), "1")
    stale: list[int] = []

    class Recorder(ammoo.Hooks):
        def stale(self, channel_id: int, delivery_tag: int) -> None:
            stale.append(delivery_tag)

    async with await ammoo.connect(network.url, recovery=AT_ONCE, hooks=Recorder()) as connection:
        events = connection.events()
        async with connection.channel() as channel, channel.consume(queue) as consumer:
            await process_across_a_loss(network, events, await anext(consumer), None)
            again = await anext(consumer)
            await again.ack()

    assert again.redelivered
    assert [1] == stale
    assert [] == await bodies_left(broker_channel, queue)


async def test_failure_is_raised_although_the_message_is_lost(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
) -> None:
    queue = await filled(channel, name("orders"), "1")
    async with channel.consume(queue) as consumer:
        with pytest.raises(LookupError):
            await process_across_a_loss(network, events, await anext(consumer), LookupError())


async def test_block_that_settles_a_lost_message_itself_raises_nothing(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = await filled(channel, name("orders"), "1")
    async with channel.consume(queue) as consumer:
        message = await anext(consumer)
        async with message.process():
            await lose(network, events)
            assert message.is_stale
            await message.ack()

        assert (await anext(consumer)).redelivered


# --- run -----------------------------------------------------------------------------------------


async def test_handlers_go_on_and_their_messages_come_again(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = await filled(channel, name("orders"), "1", "2")
    await channel.qos(prefetch_count=4)
    handled = Handled()
    async with channel.consume(queue) as consumer:
        running = asyncio.create_task(consumer.run(handled, concurrency=2))
        await handled.until_begun(2)
        await lose(network, events)
        assert 2 == handled.running  # no third one, although both messages have come again
        handled.let_all_end()
        await handled.until_ended(4)
        await consumer.cancel()
        await running

    assert ["1", "1", "2", "2"] == sorted(handled.ended)
    assert 2 == handled.most_running


async def lose_unless_redelivered(
    message: ammoo.DeliverMessage, network: Network, channel: ammoo.Channel
) -> None:
    """Lose the connection under an operation, which raises; do nothing when a message comes again."""
    if not message.redelivered:
        await lost_in_flight(network, channel.assert_exchange_exists("amq.direct"))


async def test_handler_that_raises_the_loss_ends_no_consumer(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = await filled(channel, name("orders"), "1")
    await channel.qos(prefetch_count=2)
    handled = Handled()

    async def handle(message: ammoo.DeliverMessage) -> None:
        await lose_unless_redelivered(message, network, channel)
        await handled(message)

    handled.let_all_end()
    async with channel.consume(queue) as consumer:
        running = asyncio.create_task(consumer.run(handle))
        await handled.until_ended(1)
        await consumer.cancel()
        await running  # it raises nothing: the message came again

    assert ["1"] == handled.ended


async def test_copy_of_a_message_waits_for_the_handler_of_the_first_one(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue = await filled(channel, name("orders"), "1", "2", "3")
    await channel.qos(prefetch_count=10)
    handled = Handled()
    async with channel.consume(queue) as consumer:
        running = asyncio.create_task(
            consumer.run(handled, concurrency=5, ordered_by=lambda message: "all")
        )
        await handled.until_begun(1)
        await lose_all_of(network, events, broker_channel, queue)
        await publish(channel, queue, "4")
        handled.let_all_end()
        await handled.until_ended(5)
        await consumer.cancel()
        await running

    assert ["1", "1", "2", "3", "4"] == handled.ended
    assert 1 == handled.most_running
    assert [] == await bodies_left(channel, queue)


async def test_lost_messages_that_wait_for_their_key_are_not_handled(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = await filled(channel, name("orders"), "1", "2", "3")
    await channel.qos(prefetch_count=10)
    handled = Handled()
    async with channel.consume(queue) as consumer:
        running = asyncio.create_task(
            consumer.run(handled, concurrency=2, ordered_by=lambda message: "all")
        )
        await handled.until_begun(1)
        await bring_down(network, events)
        handled.let_all_end()
        await handled.until_ended(1)
        await bring_up(network, events)
        await handled.until_ended(4)
        await consumer.cancel()
        await running

    assert ["1", "1", "2", "3"] == handled.ended
    assert [] == await bodies_left(channel, queue)


class Ledger:
    """A handler that records the order of each key, and whether any two of one key overlap."""

    def __init__(self, sent: list[str], seed: int) -> None:
        self.firsts: dict[str, list[int]] = {}
        self.overlaps = 0
        self.running: set[str] = set()
        self.most_running = 0
        self._left = set(sent)
        self._chance = random.Random(seed)
        self._changed = asyncio.Event()

    async def __call__(self, message: ammoo.DeliverMessage) -> None:
        body = message.decode()
        key, number = body[0], int(body[1:])
        self.overlaps += key in self.running
        self.running.add(key)
        self.most_running = max(self.most_running, len(self.running))
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)
        numbers = self.firsts.setdefault(key, [])
        numbers.extend([number] * (number not in numbers))
        self.running.discard(key)
        self._left.discard(body)
        self._changed.set()

    async def until_left(self, count: int) -> None:
        """Wait until at most so many messages have not been handled."""
        async with asyncio.timeout(40):
            while len(self._left) > count:
                self._changed.clear()
                await self._changed.wait()


async def test_thousand_messages_keep_the_order_of_their_keys_across_losses(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    chance = random.Random(57)
    sent = [f"{chance.choice('abcdefgh')}{number}" for number in range(1000)]
    queue = await filled(channel, name("orders"), *sent)
    await channel.qos(prefetch_count=50)
    ledger = Ledger(sent, seed=14)
    async with channel.consume(queue) as consumer:
        running = asyncio.create_task(
            consumer.run(ledger, concurrency=5, ordered_by=lambda m: m.decode()[0])
        )
        await ledger.until_left(700)
        await lose_all_of(network, events, broker_channel, queue)
        await ledger.until_left(400)
        await lose_all_of(network, events, broker_channel, queue)
        await ledger.until_left(0)
        await consumer.drain(None)
        await running

    assert {key: sorted(numbers) for key, numbers in ledger.firsts.items()} == ledger.firsts
    assert 1000 == sum(map(len, ledger.firsts.values()))
    assert 0 == ledger.overlaps
    assert ledger.most_running <= 5


async def test_consumer_that_is_not_restored_ends_its_run(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue = await filled(broker_channel, name("orders"), "1")
    await channel.qos(prefetch_count=4)
    handled = Handled()
    async with channel.consume(queue) as consumer:
        running = asyncio.create_task(consumer.run(handled))
        await handled.until_begun(1)
        await bring_down(network, events)
        await broker_channel.delete_queue(queue)
        await bring_up(network, events)
        handled.let_all_end()
        with pytest.raises(ammoo.exceptions.NotFound):
            await running


# --- consumer timeouts of RabbitMQ 4.3 -----------------------------------------------------------


async def slow_queue(channel: ammoo.Channel, queue: str) -> str:
    """Declare a queue whose consumers have a second to settle a message, and publish one.

    It is what a busy machine may take for a message that is settled at once.
    """
    await channel.declare_queue(
        queue, durable=True, queue_type="quorum", arguments={"x-consumer-timeout": 1000}
    )
    await publish(channel, queue, "1")
    return queue


@pytest.mark.rabbitmq_version(">=4.3")
async def test_consumer_that_was_too_slow_is_started_again(
    channel: ammoo.Channel, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await slow_queue(broker_channel, name("orders"))
    await publish(broker_channel, queue, "2")
    await channel.qos(prefetch_count=2)
    async with channel.consume(queue) as consumer:
        late = [await anext(consumer) for _ in range(2)]
        again = [await anext(consumer) for _ in range(2)]
        await ack_each(*late, *again)
        await channel.assert_queue_exists(queue)
        await publish(broker_channel, queue, "3")
        third = await anext(consumer)
        await third.ack()
        assert 1 == (await broker_channel.assert_queue_exists(queue)).consumer_count

    assert ["1", "2"] == [message.decode() for message in again]
    assert {third.consumer_tag} == {message.consumer_tag for message in again}
    assert third.consumer_tag != late[0].consumer_tag
    assert [] == await bodies_left(broker_channel, queue)


@pytest.mark.rabbitmq_version(">=4.3")
async def test_handler_that_was_too_slow_is_called_again_when_it_has_ended(
    channel: ammoo.Channel, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await slow_queue(broker_channel, name("orders"))
    await channel.qos(prefetch_count=4)
    handled = Handled()
    async with channel.consume(queue) as consumer:
        first_tag = consumer.consumer_tag
        running = asyncio.create_task(consumer.run(handled, ordered_by=lambda message: "all"))
        await handled.until_begun(1)
        await publish(broker_channel, queue, "2")
        await round_trips_until(lambda: consumer.consumer_tag != first_tag, channel, queue)
        handled.let_all_end()
        await handled.until_all_ended("1", "1", "2")
        await consumer.drain(None)
        await running

    assert 1 == handled.most_running


@pytest.mark.rabbitmq_version(">=4.3")
async def test_consumer_without_recovery_that_was_too_slow_raises(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await slow_queue(broker_channel, name("orders"))
    async with broker_connection.channel(prefetch_count=2) as channel:
        async with channel.consume(queue) as consumer:
            late = [await anext(consumer)]
            with pytest.raises(ServerCancelledConsumer):
                await anext(consumer)
            await ack_each(*late)  # the channel is open, and the server takes it
        async with channel.consume(queue) as consumer:
            async with (await anext(consumer)).process():
                pass
            await consumer.cancel()

    assert [] == await bodies_left(broker_channel, queue)


# --- batches -------------------------------------------------------------------------------------


async def test_open_batch_of_a_lost_connection_is_dropped_and_comes_again(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue = await filled(channel, name("orders"), "1", "2")
    await channel.qos(prefetch_count=10)
    async with channel.consume(queue) as consumer:
        waiting = asyncio.create_task(anext(consumer.batches(3, seconds=600)))
        unacked = channel._require_live().acknowledgements.unacked
        await round_trips_until(lambda: unacked.lowest is not None, channel, queue)
        await lose_all_of(network, events, broker_channel, queue)
        await publish(channel, queue, "3")
        batch = await waiting
        async with batch.process():
            pass
        await consumer.drain(None)

    assert ["1", "2", "3"] == [message.decode() for message in batch]


async def test_time_of_a_batch_that_was_lost_is_over(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = await filled(channel, name("orders"), "1")
    await channel.qos(prefetch_count=10)
    async with channel.consume(queue) as consumer:
        batches = consumer.batches(3, seconds=5)
        waiting = asyncio.create_task(anext(batches))
        await round_trips_until(lambda: batches._open, channel, queue)
        await bring_down(network, events)
        clock = LoopClock(monkeypatch)
        await clock.advance(5)
        monkeypatch.undo()
        assert not waiting.done()
        await bring_up(network, events)
        await round_trips_until(lambda: batches._open, channel, queue)
        await publish(channel, queue, "2", "3")
        batch = await waiting

    assert {"1", "2", "3"} == {message.decode() for message in batch}


async def test_processed_batch_of_a_lost_connection_raises_nothing(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = await filled(channel, name("orders"), "1", "2")
    await channel.qos(prefetch_count=10)
    async with channel.consume(queue) as consumer:
        batches = consumer.batches(2, seconds=600)
        async with (await anext(batches)).process():
            await lose(network, events)
        again = await anext(batches)

    assert [True, True] == [message.redelivered for message in again]


# --- cancel and drain ----------------------------------------------------------------------------


async def test_drain_while_the_connection_is_down_waits_for_handlers_alone(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue = await filled(broker_channel, name("orders"), "1", "2", "3")
    await channel.qos(prefetch_count=4)
    handled = Handled()
    async with channel.consume(queue) as consumer:
        running = asyncio.create_task(consumer.run(handled))
        await handled.until_begun(1)
        await bring_down(network, events)
        draining = await started(consumer.drain(None))
        assert not draining.done()
        handled.let_all_end()

        assert await draining
        await running

    assert ["1"] == handled.ended
    assert channel.closing
    await bring_up(network, events)
    await until_consumers(broker_channel, queue, 0)
    assert ["1", "2", "3"] == sorted(await bodies_left(broker_channel, queue))


async def test_drain_while_the_connection_is_down_gives_up_what_publishers_cannot_send(
    network: Network,
    channel: ammoo.Channel,
    connection: ammoo.Connection,
    events: EventListener,
    name: Name,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("ammoo.workers.drain.GRACE", 0.0)
    monkeypatch.setattr("ammoo.publisher.publisher.GRACE_AFTER_DRAIN", 0.0)
    queue = await filled(channel, name("orders"))
    consumer = await channel.consume(queue).__aenter__()
    async with connection.channel() as publishing:
        publisher = await publishing.publisher(republish=True).__aenter__()
        await bring_down(network, events)
        before = await publisher.publish("", queue, "1")

        assert await consumer.drain(0.0, publishers=[publisher])
        behind = await publisher.publish("", queue, "2")
        with pytest.raises(ExceptionGroup, match="2 of 2 messages were not confirmed"):
            await publisher.__aexit__(None, None, None)

    assert [PublishNotSent] * 2 == [type(each.exception()) for each in (before, behind)]
    assert "a drain gave up 1 messages of a publisher that were not confirmed" in caplog.messages


async def test_connection_that_is_lost_amid_a_drain_does_not_stop_it(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue = await filled(broker_channel, name("orders"), "1", "2")
    await channel.qos(prefetch_count=4)
    async with channel.consume(queue) as consumer:
        await anext(consumer)
        draining = await started(consumer.drain(None))
        await lose(network, events)

        assert await draining

    assert channel.closing
    await until_consumers(broker_channel, queue, 0)
    assert ["1", "2"] == sorted(await bodies_left(broker_channel, queue))


async def test_consumer_that_is_cancelled_while_the_connection_is_down_is_not_restored(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue = await filled(broker_channel, name("orders"))
    async with channel.consume(queue) as consumer:
        reading: asyncio.Task[Any] = await started(anext(consumer))
        await bring_down(network, events)
        await consumer.cancel()
        with pytest.raises(StopAsyncIteration):
            await reading
        await bring_up(network, events)

    await until_consumers(broker_channel, queue, 0)


async def test_run_goes_on_when_its_channel_is_opened_again(
    connection: ammoo.Connection, name: Name
) -> None:
    async with connection.channel(prefetch_count=4, reopen=True) as channel:
        queue = await filled(channel, name("orders"), "1")
        handled = Handled()
        async with channel.consume(queue) as consumer:
            running = asyncio.create_task(consumer.run(handled))
            await handled.until_begun(1)
            with pytest.raises(ammoo.exceptions.NotFound) as caught:
                await channel.assert_queue_exists(name("nowhere"))
            handled.let_all_end()
            await caught.value.recovered()
            await handled.until_ended(2)
            await settle()
            await consumer.drain(None)
            await running

    assert ["1", "1"] == handled.ended
