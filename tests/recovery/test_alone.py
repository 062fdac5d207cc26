"""What ends alone while the connection goes on: channels that are opened again, consumers that
the server has cancelled, and streams that go on where they were.
"""

import asyncio
from typing import Any

import pytest

import ammoo
from ammoo import Recovery
from ammoo.exceptions import (
    NotFound,
    OperationTimeout,
    PreconditionFailed,
    PublishUnknown,
    ServerCancelledConsumer,
    StaleDelivery,
)
from ammoo.recovery.events import ChannelReopened, ConsumerLost, Open
from ammoo.recovery.listener import EventListener
from ammoo.recovery.restoring import channels
from tests.client.brokers import Name
from tests.recovery.network import Network
from tests.recovery.until import until

# --- channels ------------------------------------------------------------------------------------


async def test_channel_is_opened_again_and_its_tasks_go_on(
    connection: ammoo.Connection, events: EventListener, name: Name
) -> None:
    queue, nowhere = name("orders"), name("nowhere")
    async with connection.channel(reopen=True) as channel:
        await channel.declare_queue(queue, durable=True)
        await channel.select_confirm()
        async with channel.consume(queue) as consumer:
            wrong = channel.assert_queue_exists(nowhere)
            error = (await asyncio.gather(wrong, return_exceptions=True))[0]
            publishes = (channel.publish("", queue, str(n).encode()) for n in range(50))
            await asyncio.gather(*publishes)
            reopened = await until(events, ChannelReopened)
            received = [bytes((await anext(consumer)).body) for _ in range(50)]

    assert isinstance(error, NotFound)
    assert error.recoverable
    assert (reopened.channel, reopened.cause) == (channel, error)
    assert received == [str(n).encode() for n in range(50)]


async def test_error_says_when_the_channel_is_open_again(
    connection: ammoo.Connection, name: Name
) -> None:
    async with connection.channel(reopen=True) as channel:
        with pytest.raises(NotFound) as caught:
            await channel.assert_queue_exists(name("nowhere"))

        await caught.value.recovered()

        assert channel.closing_exc is None
        await channel.declare_queue("", exclusive=True)


async def test_publishes_behind_the_wrong_one_have_an_unknown_outcome(
    connection: ammoo.Connection, name: Name
) -> None:
    async with connection.channel(reopen=True) as channel:
        await channel.select_confirm()
        wrong = channel.publish_nowait(name("nowhere"), "key", b"body")
        behind = channel.publish_nowait("", "nowhere", b"body")
        errors = await asyncio.gather(wrong, behind, return_exceptions=True)

    assert [type(error) for error in errors] == [PublishUnknown] * 2
    assert isinstance(errors[0], PublishUnknown)
    assert isinstance(errors[0].exc, NotFound)


async def test_message_of_the_closed_channel_is_stale_and_comes_again(
    connection: ammoo.Connection, name: Name
) -> None:
    queue = name("orders")
    async with connection.channel(reopen=True) as channel:
        await channel.declare_queue(queue, durable=True)
        await channel.publish("", queue, b"body")
        async with channel.consume(queue) as consumer:
            old = await anext(consumer)
            with pytest.raises(NotFound):
                await channel.assert_queue_exists(name("nowhere"))
            with pytest.raises(StaleDelivery):
                await old.ack()
            new = await anext(consumer)
            await new.ack()

    assert new.redelivered


async def test_other_channels_notice_nothing(
    connection: ammoo.Connection, channel: ammoo.Channel, name: Name
) -> None:
    async with connection.channel(reopen=True) as closed:
        with pytest.raises(NotFound):
            await closed.assert_queue_exists(name("nowhere"))
        await channel.declare_queue("", exclusive=True)

    assert 1 == channel.channel_id
    assert 1 == connection.epoch


async def test_channel_that_is_closed_while_it_is_opened_again_stays_closed(
    connection: ammoo.Connection, name: Name
) -> None:
    channel = await connection.channel(reopen=True).__aenter__()
    with pytest.raises(NotFound):
        await channel.assert_queue_exists(name("nowhere"))

    await channel.close()
    await channel.wait_closed()

    with pytest.raises(ammoo.exceptions.ClientClosedChannelOK):
        await channel.declare_queue("", exclusive=True)


async def test_channel_comes_back_with_the_connection_that_is_lost_meanwhile(
    network: Network, connection: ammoo.Connection, events: EventListener, name: Name
) -> None:
    async with connection.channel(reopen=True) as channel:
        await channel.select_confirm()
        with pytest.raises(NotFound):
            await channel.assert_queue_exists(name("nowhere"))
        network.cut()
        await until(events, Open)

        await channel.publish("", "nowhere", b"body")
        with pytest.raises(NotFound):
            await channel.assert_queue_exists(name("nowhere"))
        await channel.publish("", "nowhere", b"body")


class DownQueue:
    """A queue that no consumer reaches while its node is down."""

    is_down = False

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        start, probe = channels.ChannelRestoration.start, channels.probe_queue

        async def start_unless_down(*arguments: Any) -> None:
            self._check("basic.consume")
            await start(*arguments)

        async def probe_unless_down(*arguments: Any) -> None:
            self._check("queue.declare")
            await probe(*arguments)

        monkeypatch.setattr(channels.ChannelRestoration, "start", start_unless_down)
        monkeypatch.setattr(channels, "probe_queue", probe_unless_down)

    def _check(self, operation: str) -> None:
        if self.is_down:
            raise OperationTimeout(operation, 0.1)


async def close_by_a_wrong_declaration(channel: ammoo.Channel, queue: str) -> None:
    with pytest.raises(PreconditionFailed):
        await channel.declare_queue(queue, durable=True, max_length=1)


async def test_consumer_that_is_started_late_survives_the_end_of_its_channel(
    network: Network,
    connection: ammoo.Connection,
    events: EventListener,
    name: Name,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue, down = name("orders"), DownQueue(monkeypatch)
    async with connection.channel(reopen=True) as channel:
        await channel.declare_queue(queue, durable=True)
        async with channel.consume(queue) as consumer:
            down.is_down = True
            network.cut()
            await until(events, Open)
            down.is_down = False
            await close_by_a_wrong_declaration(channel, queue)
            await until(events, ChannelReopened)
            await channel.publish("", queue, b"body")
            message = await anext(consumer)

    assert b"body" == message.body


async def test_channel_ends_that_is_opened_again_without_what_must_not_fail(
    network: Network, broker_channel: ammoo.Channel, name: Name, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, down = name("orders"), DownQueue(monkeypatch)
    await broker_channel.declare_queue(queue, durable=True)
    recovery = Recovery(random=lambda: 0.0, on_error="fail")
    async with await ammoo.connect(network.url, recovery=recovery) as connection:
        events = connection.events()
        channel = await connection.channel(reopen=True).__aenter__()
        async with channel.consume(queue) as consumer:
            down.is_down = True
            await close_by_a_wrong_declaration(channel, queue)
            await until(events, ChannelReopened)
            await broker_channel.delete_queue(queue)
            down.is_down = False
            with pytest.raises(NotFound, match=queue):
                await anext(consumer)
            await channel.wait_closed()

        assert isinstance(channel.closing_exc, NotFound)


async def test_reopening_needs_recovery(broker_connection: ammoo.Connection) -> None:
    with pytest.raises(ValueError, match="reopen=True needs a connection with recovery"):
        broker_connection.channel(reopen=True)


async def test_reply_to_a_message_of_a_lost_channel_is_published_on_the_next_one(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue, replies = name("requests"), name("replies")
    await channel.declare_queue(queue, durable=True)
    await channel.declare_queue(replies, durable=True)
    async with channel.consume(queue) as consumer, channel.consume(replies) as answers:
        await channel.publish("", queue, b"question", reply_to=replies)
        question = await anext(consumer)
        network.cut()
        await until(events, Open)
        await question.reply(b"answer")
        answer = await anext(answers)

    assert b"answer" == answer.body


# --- consumers that the server has cancelled -----------------------------------------------------


async def test_consumer_goes_on_when_its_queue_is_declared_anew(
    channel: ammoo.Channel, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = name("orders")
    await broker_channel.declare_queue(queue, durable=True)
    async with channel.consume(queue) as consumer:
        old_tag = consumer.consumer_tag
        waiting = asyncio.create_task(anext(consumer))
        await broker_channel.delete_queue(queue)
        await broker_channel.declare_queue(queue, durable=True)
        await broker_channel.publish("", queue, b"body")
        message = await waiting
        await message.ack()
        new_tag = consumer.consumer_tag

    assert b"body" == message.body
    assert new_tag == message.consumer_tag
    assert new_tag != old_tag


async def test_consumer_raises_when_its_queue_does_not_come_back(
    network: Network, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = name("orders")
    await broker_channel.declare_queue(queue, durable=True)
    recovery = Recovery(consumer_grace=0.0, random=lambda: 0.0)
    async with await ammoo.connect(network.url, recovery=recovery) as connection:
        events = connection.events()
        async with connection.channel() as channel, channel.consume(queue) as consumer:
            await broker_channel.delete_queue(queue)
            with pytest.raises(ServerCancelledConsumer):
                await anext(consumer)
            lost = await until(events, ConsumerLost)
            await channel.declare_queue("", exclusive=True)

    assert (lost.consumer, lost.error) == (consumer, consumer.closing_exc)


async def test_consumer_of_a_queue_that_its_own_connection_deleted_raises_at_once(
    channel: ammoo.Channel, name: Name
) -> None:
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)
    async with channel.consume(queue) as consumer:
        await channel.delete_queue(queue)
        with pytest.raises(ServerCancelledConsumer):
            await anext(consumer)


async def test_consumer_that_is_left_while_its_queue_is_gone_is_not_started_again(
    channel: ammoo.Channel, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = name("orders")
    await broker_channel.declare_queue(queue, durable=True)
    async with channel.consume(queue):
        await broker_channel.delete_queue(queue)
        await channel.declare_queue("", exclusive=True)  # a round trip: the cancel has come
    await broker_channel.declare_queue(queue, durable=True)

    assert 0 == (await broker_channel.assert_queue_exists(queue)).consumer_count


# --- streams -------------------------------------------------------------------------------------


async def declare_stream(channel: ammoo.Channel, queue: str, messages: int) -> None:
    await channel.declare_queue(queue, durable=True, queue_type="stream")
    await channel.select_confirm()
    await publish_numbers(channel, queue, range(messages))


async def publish_numbers(channel: ammoo.Channel, queue: str, numbers: range) -> None:
    await asyncio.gather(*(channel.publish("", queue, b"%d" % number) for number in numbers))


async def take(consumer: ammoo.Consumer, count: int) -> list[ammoo.DeliverMessage]:
    return [await anext(consumer) for _ in range(count)]


def numbers(messages: list[ammoo.DeliverMessage]) -> list[int]:
    return [int(message.body) for message in messages]


async def ack_all(messages: list[ammoo.DeliverMessage]) -> None:
    for message in messages:
        await message.ack()


async def test_stream_goes_on_behind_the_lowest_unsettled_message(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = name("stream")
    await declare_stream(channel, queue, 10)
    await channel.qos(prefetch_count=8)
    async with channel.consume(queue, stream_offset="first") as consumer:
        first = await take(consumer, 6)
        await ack_all([*first[:3], first[4]])  # 3 and 5 are not settled
        await channel.declare_queue("", exclusive=True)  # a round trip
        network.cut()
        await until(events, Open)
        again = await take(consumer, 6)
        await ack_all(again)

    assert [0, 1, 2, 3, 4, 5] == numbers(first)
    assert [3, 5, 6, 7, 8, 9] == numbers(again)


async def test_stream_of_which_all_was_settled_goes_on_with_what_is_new(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = name("stream")
    await declare_stream(channel, queue, 5)
    await channel.qos(prefetch_count=10)
    async with channel.consume(queue, stream_offset="first") as consumer:
        await ack_all(await take(consumer, 5))
        await channel.declare_queue("", exclusive=True)
        network.cut()
        await until(events, Open)
        await publish_numbers(channel, queue, range(5, 8))
        new = await take(consumer, 3)
        network.cut()
        await until(events, Open)
        again = await take(consumer, 3)

    assert numbers(new) == numbers(again) == [5, 6, 7]


async def test_stream_from_its_end_leaves_nothing_out_that_came_meanwhile(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue = name("stream")
    await declare_stream(channel, queue, 0)
    await broker_channel.select_confirm()
    await channel.qos(prefetch_count=10)
    async with channel.consume(queue, stream_offset="next") as consumer:
        network.go_down()
        await publish_numbers(broker_channel, queue, range(3))
        network.go_up()
        await until(events, Open)
        messages = await take(consumer, 3)

    assert [0, 1, 2] == numbers(messages)
