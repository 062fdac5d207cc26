"""Callers that give up: the channel stays usable, and every later answer goes where it belongs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import ammoo
from ammoo.exceptions.base import OperationTimeout
from ammoo.exceptions.channel import NotFound
from ammoo.live.replies import Replies, Reply
from ammoo.messages import DeliverMessage
from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicGetParameters,
    BasicNackParameters,
    BasicPublishParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
)
from tests.client.script import ScriptedPeer, ScriptedServer, impatient
from tests.support.clock import LoopClock
from tests.support.tasks import started


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_operation_leaves_its_slot_behind(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    first = await started(channel.declare_queue("first"))
    second = await started(channel.declare_queue("second"))
    await _cancel(first)

    peer.send(QueueDeclareOkParameters("first", 0, 0), QueueDeclareOkParameters("second", 0, 0))

    assert "second" == (await second).queue_name


async def test_late_get_ok_is_given_back(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    getting = await started(channel.get("queue"))
    await peer.expect(BasicGetParameters)
    await _cancel(getting)

    peer.got(7)

    assert (7, False, True) == await peer.expect(BasicNackParameters)


async def test_get_ok_that_arrives_as_the_caller_is_cancelled_is_given_back(
    channel: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    getting = await started(channel.get("queue"))
    await peer.expect(BasicGetParameters)

    def resolve_and_cancel(replies: Replies, answer: Reply) -> bool:
        resolved = resolve(replies, answer)
        getting.cancel()  # the answer is in the future already; the caller has not woken up
        return resolved

    resolve = Replies.resolve
    monkeypatch.setattr(Replies, "resolve", resolve_and_cancel)
    peer.got(7)
    with pytest.raises(asyncio.CancelledError):
        await getting

    assert (7, False, True) == await peer.expect(BasicNackParameters)


async def test_late_get_ok_without_acknowledgement_is_dropped(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    getting = await started(channel.get("queue", no_ack=True))
    await peer.expect(BasicGetParameters)
    await _cancel(getting)
    peer.got(7)

    await peer.synchronise(channel)


async def test_late_consume_ok_is_cancelled_and_its_deliveries_given_back(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = channel.consume("queue")
    entering = await started(consumer.__aenter__())
    tag = (await peer.expect(BasicConsumeParameters)).consumer_tag
    await _cancel(entering)

    peer.send(BasicConsumeOkParameters(tag))
    peer.deliver(tag, 1, 2)

    assert (tag, False) == await peer.expect(BasicCancelParameters)
    assert (2, True, True) == await peer.expect(BasicNackParameters)
    peer.send(BasicCancelOkParameters(tag))
    await peer.synchronise(channel)
    assert not channel._require_live().consumers


async def test_late_channel_open_ok_is_closed(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    del peer.answers[ChannelOpenParameters]
    opening = await started(connection.channel().__aenter__())
    await peer.expect(ChannelOpenParameters)
    await _cancel(opening)
    del peer.answers[ChannelCloseParameters]

    peer.send(ChannelOpenOkParameters())

    await peer.expect(ChannelCloseParameters)


async def test_late_channel_open_ok_with_a_close_right_behind_it(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    del peer.answers[ChannelOpenParameters]
    opening = await started(connection.channel().__aenter__())
    await peer.expect(ChannelOpenParameters)
    await _cancel(opening)
    peer.answers[ChannelOpenParameters] = lambda _: ChannelOpenOkParameters()

    peer.protocol.send(1, ChannelOpenOkParameters())
    peer.protocol.send(1, QueueDeclareOkParameters("stray", 0, 0))
    peer.send(ChannelCloseParameters(406, "PRECONDITION_FAILED - x", 0, 0))

    await peer.expect(ChannelCloseOkParameters)
    async with connection.channel() as other:
        await peer.synchronise(other)
        assert connection.closing_exc is None


async def test_cancelled_publish_keeps_its_confirm(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.select_confirm()
    first = await started(channel.publish("", "q", b"first"))
    second = await started(channel.publish("", "q", b"second"))
    await peer.expect(BasicPublishParameters)
    await peer.expect(BasicPublishParameters)
    await _cancel(first)

    peer.send(BasicAckParameters(1, False))
    await peer.synchronise(channel)
    assert not second.done()
    peer.send(BasicAckParameters(2, False))

    await second


async def test_cancelled_wait_for_a_message_loses_none(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    entering = await started(channel.consume("queue").__aenter__())
    tag = await peer.consumer()
    consumer = await entering
    waiting = [await started(consumer.__anext__()) for _ in range(2)]
    await _cancel(waiting[0])

    peer.deliver(tag, 1)

    assert 1 == (await waiting[1]).delivery_tag
    await _leave(consumer, peer, tag)


async def test_waiter_that_is_cancelled_as_it_is_woken_wakes_the_next(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    entering = await started(channel.consume("queue").__aenter__())
    tag = await peer.consumer()
    consumer = await entering
    first, second = [await started(consumer.__anext__()) for _ in range(2)]
    consumer._inbox._wake_one()
    message = DeliverMessage()
    message.body = bytearray()
    consumer._inbox.messages.append(message)
    await _cancel(first)

    assert message is await second
    await _leave(consumer, peer, tag)


async def _leave(consumer: ammoo.Consumer, peer: ScriptedPeer, tag: str) -> None:
    leaving = await started(consumer.__aexit__(None, None, None))
    await peer.expect(BasicCancelParameters)
    peer.send(BasicCancelOkParameters(tag))
    await leaving


async def test_operation_timeout_leaves_the_channel_usable(server: ScriptedServer) -> None:
    async with (
        await ammoo.connect(server.url, operation_timeout=30) as connection,
        connection.channel() as channel,
    ):
        with (
            impatient(connection),
            pytest.raises(OperationTimeout, match=r"answer queue.declare within 0.05 s"),
        ):
            await channel.declare_queue("first")
        server.peer.send(QueueDeclareOkParameters("first", 0, 0))
        await server.peer.expect(QueueDeclareParameters)

        declaring = await started(channel.declare_queue("second"))
        await server.peer.declare("second")

        assert "second" == (await declaring).queue_name


async def test_cancellation_at_the_very_limit_of_time_is_not_lost(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        await ammoo.connect(server.url, operation_timeout=30) as connection,
        connection.channel() as channel,
    ):
        loop, clock = asyncio.get_running_loop(), LoopClock(monkeypatch)
        declaring = await started(channel.declare_queue("first"))
        updating = await started(connection.update_secret("secret"))
        loop.call_at(loop.time() + 30, declaring.cancel)
        loop.call_at(loop.time() + 30, updating.cancel)

        await clock.advance(30)
        await asyncio.wait({declaring, updating})

        assert (True, True) == (declaring.cancelled(), updating.cancelled())


async def test_confirm_that_does_not_come_in_time(server: ScriptedServer) -> None:
    async with (
        await ammoo.connect(server.url, operation_timeout=30) as connection,
        connection.channel() as channel,
    ):
        await channel.select_confirm()
        with impatient(connection), pytest.raises(OperationTimeout, match=r"basic.publish"):
            await channel.publish("", "q", b"")
        server.peer.send(BasicAckParameters(1, False))

        publishing = await started(channel.publish("", "q", b""))
        server.peer.send(BasicAckParameters(2, False))

        await publishing


async def test_consume_that_is_not_answered_in_time_is_cancelled_later(
    server: ScriptedServer,
) -> None:
    async with (
        await ammoo.connect(server.url, operation_timeout=30) as connection,
        connection.channel() as channel,
    ):
        with impatient(connection), pytest.raises(OperationTimeout, match=r"basic.consume"):
            await channel.consume("queue").__aenter__()
        tag = (await server.peer.expect(BasicConsumeParameters)).consumer_tag

        server.peer.send(BasicConsumeOkParameters(tag))

        assert (tag, False) == await server.peer.expect(BasicCancelParameters)


async def test_consume_ok_may_come_after_later_answers(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    entering = await started(channel.consume("queue").__aenter__())
    other = await started(channel.consume("other").__aenter__())
    declaring = await started(channel.declare_queue("q"))
    first = (await peer.expect(BasicConsumeParameters)).consumer_tag
    second = (await peer.expect(BasicConsumeParameters)).consumer_tag

    peer.send(
        QueueDeclareOkParameters("q", 0, 0),
        BasicConsumeOkParameters(second),
        BasicConsumeOkParameters(first),
    )

    await declaring
    assert [first, second] == [(await entering).consumer_tag, (await other).consumer_tag]


async def test_publish_that_is_cancelled_while_the_socket_is_full_was_not_sent(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    transport = channel._require_live().transport
    transport.pause_writing()
    tasks = [await started(channel.publish("", "q", body)) for body in (b"1", b"2", b"3", b"4")]
    await _cancel(tasks[0])

    transport.resume_writing()
    tasks[1].cancel()  # it has been woken, and passes its turn on

    await asyncio.gather(*tasks[2:])
    bodies = [(await peer.expect_command(BasicPublishParameters)).body for _ in range(2)]
    assert [bytearray(b"3"), bytearray(b"4")] == bodies


async def _select_nothing(channel: ammoo.Channel) -> None:
    """Leave a channel without confirms."""


@pytest.mark.parametrize("select", [_select_nothing, ammoo.Channel.select_confirm])
async def test_publish_that_waits_for_the_socket_ends_with_its_channel(
    channel: ammoo.Channel,
    peer: ScriptedPeer,
    connection: ammoo.Connection,
    select: Callable[[ammoo.Channel], Awaitable[None]],
) -> None:
    """The socket stays full, so that only the end of the channel can end the wait."""
    await select(channel)
    async with connection.channel() as other:
        transport = channel._require_live().transport
        transport.pause_writing()
        tasks = [await started(channel.publish("", "q", b"%d" % n)) for n in range(3)]
        going_on = await started(other.publish("", "q", b"other"))

        peer.send(ChannelCloseParameters(404, "NOT_FOUND - no exchange", 60, 40))
        errors = await asyncio.gather(*tasks, return_exceptions=True)

        assert [NotFound] * 3 == [type(error) for error in errors]
        assert not going_on.done()
        transport.resume_writing()
        await going_on
    command = await peer.expect_any(BasicPublishParameters)
    assert (2, bytearray(b"other")) == (command.channel_number, command.body)


async def test_ack_that_waits_for_the_socket_ends_with_its_channel(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    getting = asyncio.create_task(channel.get("q"))
    await peer.expect(BasicGetParameters)
    peer.got(1)
    message = await getting
    transport = channel._require_live().transport
    transport.pause_writing()
    acking = await started(message.ack())

    peer.send(ChannelCloseParameters(404, "NOT_FOUND - no exchange", 60, 40))
    await acking
    with pytest.raises(NotFound):
        await channel.get("q")

    transport.resume_writing()


async def test_publishes_that_wait_for_the_socket_stay_in_order(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    tasks = [await started(channel.publish("", str(i), bytes(100_000))) for i in range(50)]
    await asyncio.gather(*tasks)

    keys = [(await peer.expect(BasicPublishParameters)).routing_key for _ in range(50)]
    assert [str(i) for i in range(50)] == keys
