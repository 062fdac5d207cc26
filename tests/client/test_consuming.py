"""Consumers: what they give out, what they give back, how they end."""

import asyncio
import contextlib
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

import ammoo
from ammoo.exceptions.channel import ClientClosedChannelOK, NotFound
from ammoo.exceptions.connection import ConnectionLost
from ammoo.exceptions.consumer import (
    ClientCancelledConsumerError,
    ClientCancelledConsumerOK,
    ServerCancelledConsumer,
)
from ammoo.inbox import BACKLOG_MESSAGES, BACKLOG_OCTETS
from ammoo.live.channel import COALESCE_MIN_PREFETCH
from ammoo.live.flow_control import COALESCE_FROM, COALESCE_MAX_CONSUMERS
from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicNackParameters,
    BasicPublishParameters,
    BasicQosOkParameters,
    BasicQosParameters,
    BasicRejectParameters,
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
)
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.support.reading import reading_paused
from tests.support.tasks import started, turn_over


@pytest.fixture(autouse=True)
def _answer_consumes(server: ScriptedServer) -> None:
    server.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)
    server.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)
    server.answers[QueueDeclareParameters] = lambda p: QueueDeclareOkParameters(p.queue_name, 0, 0)


async def read(consumer: ammoo.Consumer, count: int) -> None:
    """Read so many messages, and look at none."""
    for _ in range(count):
        await anext(consumer)


async def enter_each(
    stack: contextlib.AsyncExitStack, contexts: Iterable[AbstractAsyncContextManager[Any]]
) -> None:
    for context in contexts:
        await stack.enter_async_context(context)


async def test_consumer_gives_messages_in_order(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.consume("queue") as consumer:
        peer.deliver(consumer.consumer_tag, 1, 2, 3)
        tags = [(await anext(consumer)).delivery_tag for _ in range(3)]

    assert [1, 2, 3] == tags


async def test_unread_messages_are_given_back_behind_the_cancel(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    del peer.answers[BasicCancelParameters]
    async with channel.consume("queue") as consumer:
        tag = consumer.consumer_tag
        peer.deliver(tag, 1, 2)
        await (await anext(consumer)).ack()
        await peer.expect(BasicAckParameters)
        leaving = asyncio.create_task(consumer.__aexit__(None, None, None))

        assert (tag, False) == await peer.expect(BasicCancelParameters)
        assert (2, False, True) == await peer.expect(BasicNackParameters)
        peer.deliver(tag, 3)  # it was on its way when the cancel came
        assert (3, False, True) == await peer.expect(BasicNackParameters)
        peer.send(BasicCancelOkParameters(tag))
        await leaving

    assert isinstance(consumer.closing_exc, ClientCancelledConsumerOK)


async def test_unread_messages_without_acknowledgement_are_not_given_back(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("queue", no_ack=True) as consumer:
        peer.deliver(consumer.consumer_tag, 1)
        await peer.synchronise(channel)
    await peer.synchronise(channel)

    assert not peer.received


async def test_messages_are_given_back_and_settled_while_the_socket_is_full(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    transport = channel._require_live().transport
    async with channel.consume("queue") as consumer:
        peer.deliver(consumer.consumer_tag, 1, 2, 3, 4)
        messages = [await anext(consumer) for _ in range(3)]
        transport.pause_writing()
        settling = [
            asyncio.create_task(messages[0].ack()),
            asyncio.create_task(messages[1].reject(requeue=False)),
            asyncio.create_task(messages[2].nack()),
        ]
        leaving = asyncio.create_task(consumer.__aexit__(None, None, None))
        await asyncio.wait(settling, timeout=0.01)
        assert not any(task.done() for task in settling)

        transport.resume_writing()

        await asyncio.gather(*settling, leaving)
        assert (1, False) == await peer.expect(BasicAckParameters)
        assert (2, False) == await peer.expect(BasicRejectParameters)
        assert (3, False, True) == await peer.expect(BasicNackParameters)
        assert (4, False, True) == await peer.expect(BasicNackParameters)


async def test_message_can_be_settled_after_its_consumer_was_left(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("queue") as consumer:
        peer.deliver(consumer.consumer_tag, 1)
        message = await anext(consumer)

    await message.ack()

    assert (1, False) == await peer.expect(BasicAckParameters)


async def test_iteration_after_leaving_says_why(channel: ammoo.Channel) -> None:
    error = KeyError("mine")
    with pytest.raises(KeyError):
        async with channel.consume("queue") as consumer:
            raise error

    with pytest.raises(ClientCancelledConsumerError) as caught:
        await anext(consumer)
    assert error is caught.value.exc
    assert consumer.closing_exc is caught.value


async def test_iteration_before_entering_says_how(channel: ammoo.Channel) -> None:
    with pytest.raises(RuntimeError, match="async with channel"):
        await anext(channel.consume("queue"))


async def test_consumer_cannot_be_entered_twice(channel: ammoo.Channel) -> None:
    async with channel.consume("queue") as consumer:
        with pytest.raises(RuntimeError, match="entered before"):
            await consumer.__aenter__()


async def test_queue_deleted_under_a_consumer(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.consume("queue") as consumer:
        tag = consumer.consumer_tag
        peer.deliver(tag, 1)
        peer.send(BasicCancelParameters(tag, True))

        assert 1 == (await anext(consumer)).delivery_tag
        with pytest.raises(ServerCancelledConsumer, match="'queue'") as caught:
            await anext(consumer)
        assert caught.value.recoverable
    await peer.synchronise(channel)

    assert consumer.closing_exc is caught.value
    assert not peer.received  # neither a cancel nor an answer to the server's


async def test_consuming_again_when_the_server_has_cancelled(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("queue") as consumer:
        peer.send(BasicCancelParameters(consumer.consumer_tag, True))
        with pytest.raises(ServerCancelledConsumer):
            await anext(consumer)
        async with channel.consume("queue") as again:
            peer.deliver(again.consumer_tag, 1)
            message = await anext(again)

    assert message.consumer_tag == again.consumer_tag != consumer.consumer_tag


async def test_server_cancel_is_answered_where_that_is_wanted() -> None:
    properties = {"capabilities": {"accept_consumer_cancel_ok": True}}
    async with ScriptedServer(server_properties=properties) as server:
        _answer_consumes.__wrapped__(server)  # type: ignore[attr-defined]  # the fixture's function
        async with await ammoo.connect(server.url) as connection, connection.channel() as channel:
            consumer = await channel.consume("queue").__aenter__()
            server.peer.send(BasicCancelParameters(consumer.consumer_tag, True))

            tag = (await server.peer.expect(BasicCancelOkParameters)).consumer_tag

    assert tag == consumer.consumer_tag


async def test_channel_error_ends_the_iteration(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.consume("queue") as consumer:
        peer.deliver(consumer.consumer_tag, 1)
        peer.send(ChannelCloseParameters(404, "NOT_FOUND - x", 60, 40))
        with pytest.raises(NotFound):
            await channel.get_next_returned_message()

        with pytest.raises(NotFound) as caught:
            await anext(consumer)  # what came cannot be settled any more

    assert consumer.closing_exc is channel.closing_exc is caught.value


async def test_messages_without_acknowledgement_can_be_read_when_all_is_over(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("queue", no_ack=True) as consumer:
        peer.deliver(consumer.consumer_tag, 1)
        peer.hang_up()
        with pytest.raises(ConnectionLost):
            await channel.get_next_returned_message()

        assert 1 == (await anext(consumer)).delivery_tag
        with pytest.raises(ConnectionLost):
            await anext(consumer)


async def test_closing_the_channel_ends_the_iteration(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    async with connection.channel() as channel:
        consumer = await channel.consume("queue").__aenter__()
        waiting = await started(anext(consumer))

    with pytest.raises(ClientClosedChannelOK):
        await waiting


async def test_several_tasks_share_a_consumer(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.consume("queue") as consumer:
        waiting = [asyncio.create_task(anext(consumer)) for _ in range(3)]
        await turn_over()
        peer.deliver(consumer.consumer_tag, 1, 2, 3)
        messages = await asyncio.gather(*waiting)

    assert {1, 2, 3} == {message.delivery_tag for message in messages}


async def test_settling_says_to_the_server_what_was_said(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("queue") as consumer:
        peer.deliver(consumer.consumer_tag, *range(1, 8))
        messages = [await anext(consumer) for _ in range(7)]
        await messages[0].reject(requeue=True)
        await messages[1].reject(requeue=False)
        await messages[2].reject(True, multiple=True)
        await messages[3].nack()
        await messages[4].nack(requeue=False, multiple=True)
        await messages[6].ack(multiple=True)
        expected: list[Any] = [
            BasicRejectParameters(1, True),
            BasicRejectParameters(2, False),
            BasicNackParameters(3, True, True),
            BasicNackParameters(4, False, True),
            BasicNackParameters(5, True, False),
            BasicAckParameters(7, True),
        ]
        said = [await peer.expect(type(each)) for each in expected]

    assert expected == said


# --- backpressure ---


@pytest.mark.parametrize(
    ("count", "body"), [(BACKLOG_MESSAGES + 1, b""), (17, bytes(BACKLOG_OCTETS // 16))]
)
async def test_reading_pauses_while_a_consumer_is_far_behind(
    channel: ammoo.Channel, peer: ScriptedPeer, count: int, body: bytes
) -> None:
    transport = channel._require_live().transport
    paused = reading_paused(transport)
    async with channel.consume("queue") as consumer:
        peer.deliver(consumer.consumer_tag, *range(1, count + 1), body=body)
        await paused

        await read(consumer, count)

        assert not transport.reading_is_paused


async def test_reading_is_paced_while_messages_come_in_floods(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    transport = channel._require_live().transport
    async with channel.consume("queue") as consumer:
        peer.deliver(consumer.consumer_tag, *range(1, COALESCE_FROM + 1))
        await anext(consumer)
        was_reading = transport.is_reading
        peer.deliver(consumer.consumer_tag, COALESCE_FROM + 1)

        tags = [(await anext(consumer)).delivery_tag for _ in range(COALESCE_FROM)]

        assert not was_reading
        assert tags == list(range(2, COALESCE_FROM + 2))
        assert transport.is_reading


async def test_reading_is_not_paced_for_a_few_messages(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("queue") as consumer:
        peer.deliver(consumer.consumer_tag, *range(1, COALESCE_FROM))
        await anext(consumer)

        assert channel._require_live().transport.is_reading


@pytest.mark.parametrize(
    ("limits", "is_paced"),
    [
        ({"prefetch_count": COALESCE_MIN_PREFETCH - 1}, False),
        ({"prefetch_count": 1, "global_": True}, False),
        ({"prefetch_size": 100_000}, False),
        ({"prefetch_count": COALESCE_MIN_PREFETCH}, True),
        ({"prefetch_count": 0}, True),
    ],
)
async def test_reading_is_not_paced_where_the_server_would_have_to_wait_for_us(
    channel: ammoo.Channel,
    server: ScriptedServer,
    peer: ScriptedPeer,
    limits: dict[str, Any],
    is_paced: bool,
) -> None:
    peer.answers[BasicQosParameters] = lambda p: BasicQosOkParameters()
    await channel.qos(**limits)
    async with channel.consume("queue") as consumer:
        peer.deliver(consumer.consumer_tag, *range(1, COALESCE_FROM + 1))
        await anext(consumer)

        assert channel._require_live().transport.is_reading is not is_paced


async def test_reading_is_not_paced_while_somebody_waits(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("queue") as consumer, channel.consume("other") as other:
        waiting = await started(anext(other))
        peer.deliver(consumer.consumer_tag, *range(1, COALESCE_FROM + 1))
        await anext(consumer)

        assert channel._require_live().transport.is_reading
        peer.deliver(other.consumer_tag, COALESCE_FROM + 1)
        await waiting


async def test_reading_is_paced_no_longer_when_something_is_asked(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    transport = channel._require_live().transport
    async with channel.consume("queue") as consumer:
        peer.deliver(consumer.consumer_tag, *range(1, COALESCE_FROM + 1))
        await anext(consumer)
        was_reading = transport.is_reading

        asking = await started(channel.declare_queue("q"))

        assert not was_reading
        assert transport.is_reading
        assert "q" == (await asking).queue_name


async def test_reading_is_not_paced_with_many_channels(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await enter_each(stack, (connection.channel() for _ in range(COALESCE_MAX_CONSUMERS)))
        async with channel.consume("queue") as consumer:
            peer.deliver(consumer.consumer_tag, *range(1, COALESCE_FROM + 1))
            await anext(consumer)

            assert channel._require_live().transport.is_reading


async def test_reading_is_not_paced_where_many_consumers_would_be_asked(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await enter_each(stack, (channel.consume("queue") for _ in range(COALESCE_MAX_CONSUMERS)))
        async with channel.consume("queue") as consumer:
            peer.deliver(consumer.consumer_tag, *range(1, COALESCE_FROM + 1))
            await anext(consumer)

            assert channel._require_live().transport.is_reading


async def test_an_operation_is_answered_while_a_consumer_is_far_behind(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    transport = channel._require_live().transport
    paused = reading_paused(transport)
    async with channel.consume("queue") as consumer:
        peer.deliver(consumer.consumer_tag, *range(1, BACKLOG_MESSAGES + 2))
        await paused

        declared = await channel.declare_queue("q")

        assert "q" == declared.queue_name
        assert transport.reading_is_paused


async def test_flow_is_noticed_while_a_consumer_has_a_backlog(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    paused = reading_paused(channel._require_live().transport)
    async with channel.consume("queue") as consumer:
        peer.send(ChannelFlowParameters(False))
        await peer.expect(ChannelFlowOkParameters)
        peer.deliver(consumer.consumer_tag, *range(1, BACKLOG_MESSAGES + 2))
        await paused

        publishing = asyncio.create_task(channel.publish("", "q", b""))
        peer.send(ChannelFlowParameters(True))

        await publishing
        await peer.expect(ChannelFlowOkParameters)
        await peer.expect(BasicPublishParameters)


async def test_another_consumer_is_served_while_one_is_far_behind(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    transport = channel._require_live().transport
    paused = reading_paused(transport)
    async with channel.consume("queue") as slow, channel.consume("other") as quick:
        peer.deliver(slow.consumer_tag, *range(1, BACKLOG_MESSAGES + 2))
        await paused
        waiting = await started(anext(quick))

        peer.deliver(quick.consumer_tag, BACKLOG_MESSAGES + 2)

        assert BACKLOG_MESSAGES + 2 == (await waiting).delivery_tag


async def test_acknowledgements_are_never_put_together_over_what_nobody_has(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    """A message for a consumer that the channel does not know must not be settled by others."""
    async with channel.consume("queue") as consumer:
        peer.deliver("nobody", 1)
        peer.deliver(consumer.consumer_tag, 2, 3)
        first, second = [await anext(consumer), await anext(consumer)]
        await first.ack()
        await second.ack()

        assert (2, False) == await peer.expect(BasicAckParameters)
        assert (3, False) == await peer.expect(BasicAckParameters)


async def test_what_was_not_read_of_a_consumer_that_the_server_cancelled_goes_back(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.consume("queue") as consumer:
        peer.deliver(consumer.consumer_tag, 1, 2, 3)
        peer.send(BasicCancelParameters(consumer.consumer_tag, True))
        await (await anext(consumer)).ack()

    assert (1, False) == await peer.expect(BasicAckParameters)
    assert (3, True, True) == await peer.expect(BasicNackParameters)
