"""`message.process()`: how a message is settled when its block is left."""

import asyncio
from typing import Any

import pytest

import ammoo
from ammoo.exceptions import ConnectionLost, StaleDelivery
from ammoo_wire import (
    BasicAckParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicNackParameters,
    BasicRejectParameters,
)
from tests.client.brokers import Name
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.support.tasks import cancel_each, started
from tests.workers.queues import bodies_left, consuming, filled


@pytest.fixture(autouse=True)
def _answer_consumes(server: ScriptedServer) -> None:
    server.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)


async def delivered(channel: ammoo.Channel, peer: ScriptedPeer, *tags: int) -> Any:
    """Return messages with these delivery tags."""
    consumer = await channel.consume("queue").__aenter__()
    peer.deliver(consumer.consumer_tag, *tags)
    return [await anext(consumer) for _ in tags]


async def test_block_that_ends_acknowledges(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    (message,) = await delivered(channel, peer, 1)

    async with message.process() as entered:
        pass

    assert message is entered
    assert (1, False) == await peer.expect(BasicAckParameters)


@pytest.mark.parametrize(
    ("on_error", "requeue"), [("requeue", True), ("reject", False), ("dead-letter", False)]
)
async def test_exception_settles_by_the_policy_and_goes_on(
    channel: ammoo.Channel, peer: ScriptedPeer, on_error: Any, requeue: bool
) -> None:
    (message,) = await delivered(channel, peer, 1)
    error = LookupError("no such customer")

    with pytest.raises(LookupError) as caught:
        async with message.process(on_error=on_error):
            raise error

    assert error is caught.value
    assert (1, requeue) == await peer.expect(BasicRejectParameters)


async def test_failed_message_is_requeued_by_default(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    (message,) = await delivered(channel, peer, 1)

    with pytest.raises(LookupError):
        async with message.process():
            raise LookupError

    assert (1, True) == await peer.expect(BasicRejectParameters)


async def test_cancelled_blocks_requeue_in_one_command(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    messages = await delivered(channel, peer, 1, 2, 3)

    async def process(message: ammoo.DeliverMessage) -> None:
        async with message.process(on_error="dead-letter"):
            await asyncio.Event().wait()

    tasks = [await started(process(message)) for message in messages]
    cancel_each(tasks)
    await asyncio.gather(*tasks, return_exceptions=True)

    assert (3, True, True) == await peer.expect(BasicNackParameters)


@pytest.mark.parametrize("fails", [False, True])
async def test_message_that_the_block_has_settled_is_left_alone(
    channel: ammoo.Channel, peer: ScriptedPeer, fails: bool
) -> None:
    (message,) = await delivered(channel, peer, 1)

    async def process() -> None:
        async with message.process():
            await message.reject(False)
            assert not fails, "the block fails afterwards"

    await asyncio.gather(process(), return_exceptions=True)
    await peer.expect(BasicRejectParameters)
    await peer.synchronise(channel)  # nothing else was sent


async def test_unknown_policy_is_refused_at_once(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    (message,) = await delivered(channel, peer, 1)

    with pytest.raises(ValueError, match="on_error is 'drop'; expected 'requeue', 'reject' or"):
        message.process(on_error="drop")


async def process_across_the_end(
    channel: ammoo.Channel, peer: ScriptedPeer, message: ammoo.DeliverMessage, *, fails: bool
) -> None:
    async with message.process():
        peer.hang_up()
        await channel.wait_closed()
        if fails:
            raise LookupError


@pytest.mark.parametrize(("fails", "error"), [(False, ConnectionLost), (True, LookupError)])
async def test_end_of_the_channel_is_raised_unless_the_block_has_failed(
    channel: ammoo.Channel, peer: ScriptedPeer, fails: bool, error: type[Exception]
) -> None:
    (message,) = await delivered(channel, peer, 1)

    with pytest.raises(error):
        await process_across_the_end(channel, peer, message, fails=fails)

    assert message.is_stale


@pytest.mark.parametrize("tag_on_its_own_channel", [1, 2])
async def test_stale_message_of_another_block_is_raised(
    channel: ammoo.Channel, peer: ScriptedPeer, tag_on_its_own_channel: int
) -> None:
    (message,) = await delivered(channel, peer, 1)

    with pytest.raises(StaleDelivery):
        async with message.process():
            raise StaleDelivery(tag_on_its_own_channel)

    await peer.expect(BasicRejectParameters)


async def test_hooks_learn_of_a_failure(server: ScriptedServer) -> None:
    calls: list[tuple[Any, ...]] = []

    class Recorder(ammoo.Hooks):
        def failed(self, *args: Any) -> None:
            calls.append(args)

        def settled(self, *args: Any, **kwargs: Any) -> None:
            calls.append((*args, kwargs["outcome"]))

    async with (
        await ammoo.connect(server.url, hooks=Recorder()) as connection,
        connection.channel() as channel,
    ):
        message, cancelled = await delivered(channel, server.peer, 1, 2)
        error = LookupError()
        with pytest.raises(LookupError):
            async with message.process():
                raise error
        with pytest.raises(asyncio.CancelledError):
            async with cancelled.process():
                raise asyncio.CancelledError

    assert [(1, 1, error), (1, 1, "requeue"), (1, 2, "requeue")] == calls


async def test_message_of_get_is_processed_too(broker_channel: ammoo.Channel, name: Name) -> None:
    queue = await filled(broker_channel, name("queue"), "1", "2")

    async with (await broker_channel.get(queue)).process():
        pass

    assert ["2"] == await bodies_left(broker_channel, queue)


async def test_dead_lettered_messages_arrive(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    dead, queue = await filled(broker_channel, name("dead")), name("queue")
    await broker_channel.declare_queue(
        queue, durable=True, dead_letter_exchange="", dead_letter_routing_key=dead
    )
    await broker_channel.publish("", queue, "1")

    async with consuming(broker_connection, queue, 2) as consumer:
        with pytest.raises(LookupError):
            async with (await anext(consumer)).process(on_error="dead-letter"):
                raise LookupError

    async with broker_channel.consume(dead, no_ack=True) as consumer:
        assert "1" == (await anext(consumer)).decode()
