"""Consumers on brokers: settling in any order, queues that go away, consumers that lag behind."""

import random
from unittest.mock import Mock

import pytest

import ammoo
from ammoo.exceptions.consumer import ServerCancelledConsumer
from ammoo.inbox import BACKLOG_MESSAGES
from tests.contract.queues import drain, publish
from tests.support.clock import LoopClock
from tests.support.reading import reading_paused
from tests.support.tasks import turn_over


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 21])
async def test_acks_in_any_order_single_and_multiple(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str, count: int
) -> None:
    """Of every message acknowledged nothing comes back, and every other one does."""
    await publish(broker_channel, queue, *map(str, range(1, count + 1)))
    async with other_channel.consume(queue) as consumer:
        messages = {tag: await anext(consumer) for tag in range(1, count + 1)}
        unsettled = await ack_two_thirds_at_random(messages)
    await other_channel.close()

    assert [str(tag) for tag in sorted(unsettled)] == await drain(broker_channel, queue)


async def ack_two_thirds_at_random(messages: dict[int, ammoo.DeliverMessage]) -> set[int]:
    """Ack messages in any order, single and multiple; return the tags that are not settled."""
    chance = random.Random(len(messages))
    unsettled = set(messages)
    for tag in chance.sample(sorted(unsettled), k=len(messages) * 2 // 3):
        if tag not in unsettled:
            continue  # an ack of one behind it has settled it
        multiple = chance.random() < 0.3
        await messages[tag].ack(multiple=multiple)
        unsettled -= set(range(1, tag + 1)) if multiple else {tag}
        if chance.random() < 0.5:
            await turn_over()  # acks of one turn may become one
    return unsettled


async def test_consuming_again_inside_a_cancel_notification(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    async with broker_channel.consume(queue) as consumer:
        await other_channel.delete_queue(queue)
        message = None
        try:
            await anext(consumer)
        except ServerCancelledConsumer:
            await broker_channel.declare_queue(queue)
            async with broker_channel.consume(queue) as again:
                await publish(other_channel, queue, "1")
                message = await anext(again)

    assert isinstance(consumer.closing_exc, ServerCancelledConsumer)
    assert message is not None
    assert "1" == message.decode()
    assert message.consumer_tag != consumer.consumer_tag
    await message.ack()
    assert [] == await drain(broker_channel, queue)


async def test_slow_consumer_delays_nobody_else(
    broker_url: str,
    broker_channel: ammoo.Channel,
    queue: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither an operation, on its channel or another one, nor another consumer or heartbeats."""
    await publish(broker_channel, queue, *["x"] * (BACKLOG_MESSAGES + 500))
    async with (
        await ammoo.connect(broker_url, heartbeat_interval=4) as connection,
        connection.channel() as slow_channel,
        connection.channel() as channel,
    ):
        transport = channel._require_live().transport
        paused = reading_paused(transport)
        async with slow_channel.consume(queue) as slow:
            await anext(slow)
            await paused

            assert queue == (await channel.declare_queue(queue)).queue_name
            assert queue == (await slow_channel.declare_queue(queue)).queue_name
            other = (await channel.declare_queue("", exclusive=True)).queue_name
            async with channel.consume(other, no_ack=True) as quick:
                await channel.publish("", other, "overtakes")
                assert "overtakes" == (await anext(quick)).decode()

            assert transport.reading_is_paused
            clock = LoopClock(monkeypatch)
            socket = transport._socket
            assert socket is not None
            write = Mock(wraps=socket.write)
            monkeypatch.setattr(socket, "write", write)
            await clock.advance_repeatedly(2, times=6)
            assert 6 == write.call_count  # half an interval has gone by each time

        assert connection.closing_exc is None
        assert queue == (await channel.declare_queue(queue)).queue_name
