"""`consumer.run()`: how many handlers run, in which order, and what their failures lead to."""

import asyncio
import random
import re
import types
from collections.abc import Generator
from typing import Any
from unittest.mock import Mock

import pytest

import ammoo
from ammoo.exceptions import ConnectionLost, ServerCancelledConsumer
from ammoo.workers.run import MOST_FAILURES
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
from tests.support.tasks import started
from tests.workers.queues import Handled, bodies_left, consuming, filled


@pytest.fixture(autouse=True)
def _answer_consumes(server: ScriptedServer) -> None:
    server.answers[BasicQosParameters] = lambda _: BasicQosOkParameters()
    server.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)
    server.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


# --- handlers ---


async def test_every_message_is_handled_and_acknowledged(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await filled(broker_channel, name("queue"), *numbers(50))
    handled = Handled()
    handled.let_all_end()

    async with consuming(broker_connection, queue, 20) as consumer:
        running = asyncio.create_task(consumer.run(handled, concurrency=10))
        await handled.until_ended(50)
        assert await consumer.drain(None)
        await running

    assert numbers(50) == sorted(handled.ended, key=int)
    assert [] == await bodies_left(broker_channel, queue)


async def test_as_many_handlers_run_as_were_asked_for(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await filled(broker_channel, name("queue"), *numbers(12))
    handled = Handled()

    async with consuming(broker_connection, queue, 12) as consumer:
        running = asyncio.create_task(consumer.run(handled, concurrency=3))
        await handled.until_begun(3)
        handled.let_end("1")
        await handled.until_begun(4)
        handled.let_all_end()
        await handled.until_ended(12)
        await consumer.cancel()
        await running

    assert 3 == handled.most_running


async def test_one_handler_at_a_time_keeps_the_order(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await filled(broker_channel, name("queue"), *numbers(20))
    handled = Handled()
    handled.let_all_end()

    async with consuming(broker_connection, queue, 2) as consumer:
        running = asyncio.create_task(consumer.run(handled))
        await handled.until_ended(20)
        await consumer.cancel()
        await running

    assert numbers(20) == handled.ended


async def test_cancelled_run_requeues_and_the_consumer_goes_on(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await filled(broker_channel, name("queue"), *numbers(3))
    handled = Handled()

    async with consuming(broker_connection, queue, 4) as consumer:
        running = asyncio.create_task(consumer.run(handled, concurrency=2))
        await handled.until_begun(2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        again = Handled()
        again.let_all_end()
        running = asyncio.create_task(consumer.run(again, concurrency=2))
        await again.until_ended(3)
        await consumer.cancel()
        await running

    assert ["0", "1", "2"] == sorted(again.ended)
    assert [] == handled.ended


async def test_only_one_run_at_a_time(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    await channel.qos(prefetch_count=2)
    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(Handled()))

        with pytest.raises(RuntimeError, match=r"run\(\) of <Consumer .* was called before"):
            await consumer.run(Handled())

        await consumer.cancel()
        await running


# --- what is refused ---


@pytest.mark.parametrize(
    ("prefetch_count", "concurrency", "words"),
    [
        (0, 1, "needs a prefetch_count of at least 2, .*; prefetch_count is not set"),
        (19, 10, "needs a prefetch_count of at least 20, .*; prefetch_count is 19"),
        (19, 0, "concurrency is 0; expected a whole number, 1 or more"),
    ],
)
async def test_prefetch_limit_of_less_than_two_for_each_handler_is_refused(
    channel: ammoo.Channel, peer: ScriptedPeer, prefetch_count: int, concurrency: int, words: str
) -> None:
    await channel.qos(prefetch_count=prefetch_count)
    async with channel.consume("queue") as consumer:
        with pytest.raises(ValueError, match=words):
            await consumer.run(Handled(), concurrency=concurrency)


async def test_limit_is_the_one_with_which_the_consumer_was_started(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=4)
    async with channel.consume("queue") as consumer:
        await channel.qos(prefetch_count=100)

        assert 4 == consumer.prefetch_count


async def test_limit_for_all_consumers_counts_too(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    await channel.qos(prefetch_count=7, global_=True)
    async with channel.consume("queue") as consumer:
        assert 7 == consumer.prefetch_count


async def test_messages_without_acknowledgement_are_refused(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    async with channel.consume("queue", no_ack=True) as consumer:
        with pytest.raises(ValueError, match=r"run\(\) settles messages, .* leave no_ack out"):
            await consumer.run(Handled())


async def test_consumer_that_was_not_entered_is_refused(channel: ammoo.Channel) -> None:
    with pytest.raises(RuntimeError, match="was not entered"):
        await channel.consume("queue").run(Handled())


# --- order by key ---


def key_of(message: ammoo.DeliverMessage) -> str:
    return message.decode()[0]


async def test_messages_of_a_key_are_handled_in_order_one_at_a_time(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await filled(broker_channel, name("queue"), "a1", "a2", "b1", "a3", "b2")
    handled = Handled()

    async with consuming(broker_connection, queue, 10) as consumer:
        running = asyncio.create_task(consumer.run(handled, concurrency=5, ordered_by=key_of))
        await handled.until_begun(2)
        assert ["a1", "b1"] == handled.begun
        handled.let_end("b1")
        await handled.until_begun(3)
        assert ["a1", "b1", "b2"] == handled.begun
        handled.let_all_end()
        await handled.until_ended(5)
        await consumer.cancel()
        await running

    assert ["a1", "a2", "a3"] == [body for body in handled.ended if body[0] == "a"]
    assert [] == await bodies_left(broker_channel, queue)


async def test_thousand_messages_keep_the_order_of_their_keys(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    chance = random.Random(14)
    sent = [f"{chance.choice('abcdefg')}{number}" for number in range(1000)]
    queue = await filled(broker_channel, name("queue"), *sent)
    handler = HandlerWithTurns(chance, expected=1000)

    async with consuming(broker_connection, queue, 50) as consumer:
        running = asyncio.create_task(consumer.run(handler, concurrency=8, ordered_by=key_of))
        await handler.has_handled_all.wait()
        await consumer.cancel()
        await running

    assert by_key(sent) == by_key(handler.handled)


class HandlerWithTurns:
    """Handles each message in none, one or two turns of the loop.

    Attributes:
        handled: The bodies in the order in which their handling ended.
        has_handled_all: Set when as many as expected have been handled.
    """

    def __init__(self, chance: random.Random, expected: int) -> None:
        self.handled: list[str] = []
        self.has_handled_all = asyncio.Event()
        self._chance = chance
        self._expected = expected

    async def __call__(self, message: ammoo.DeliverMessage) -> None:
        for _ in range(self._chance.randrange(3)):
            await asyncio.sleep(0)
        self.handled.append(message.decode())
        if len(self.handled) == self._expected:
            self.has_handled_all.set()


def by_key(bodies: list[str]) -> dict[str, list[str]]:
    return {key: [body for body in bodies if body[0] == key] for key in "abcdefg"}


async def test_messages_that_wait_for_their_key_are_requeued_at_the_end(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = await filled(broker_channel, name("queue"), "a1", "a2", "a3", "b1")
    handled = Handled()

    async with consuming(broker_connection, queue, 10) as consumer:
        running = asyncio.create_task(consumer.run(handled, concurrency=5, ordered_by=key_of))
        await handled.until_begun(2)
        draining = asyncio.create_task(consumer.drain(None))
        await started(asyncio.sleep(0))
        handled.let_all_end()
        assert await draining
        await running

    assert ["a1", "b1"] == sorted(handled.ended)
    assert ["a2", "a3"] == await bodies_left(broker_channel, queue)


async def test_cancelled_run_requeues_what_waits_for_its_key(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    handled = Handled()
    async with channel.consume("queue") as consumer:
        running = await started(
            consumer.run(handled, concurrency=2, ordered_by=lambda message: "all")
        )
        peer.deliver(consumer.consumer_tag, 1, 2, 3)
        await handled.until_begun(1)
        await peer.synchronise(channel)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

        assert (3, True, True) == await peer.expect(BasicNackParameters)

    assert 1 == len(handled.begun)


@pytest.mark.parametrize("key", [lambda message: message.no_such, lambda message: []])
async def test_message_whose_key_cannot_be_made_has_failed(
    channel: ammoo.Channel, peer: ScriptedPeer, key: Any
) -> None:
    await channel.qos(prefetch_count=2)
    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(Handled(), ordered_by=key, on_error="reject"))
        peer.deliver(consumer.consumer_tag, 1)
        assert (1, False) == await peer.expect(BasicRejectParameters)
        await consumer.cancel()

        with pytest.raises(ExceptionGroup, match="1 handler has failed on queue 'queue'"):
            await running


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (lambda message: message.body, r"of type bytearray .*unhashable type: 'bytearray'"),
        (lambda message: ("key", [1]), r"of type tuple .*unhashable type: 'list'\)+; expected"),
    ],
)
async def test_key_that_is_not_hashable_is_named(
    channel: ammoo.Channel, peer: ScriptedPeer, key: Any, text: str
) -> None:
    await channel.qos(prefetch_count=2)
    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(Handled(), ordered_by=key, fail_fast=True))
        peer.deliver(consumer.consumer_tag, 1)

        with pytest.raises(ExceptionGroup) as caught:
            await running

    assert re.search(text, str(caught.value.exceptions[0]))


# --- failures ---


async def fail(message: ammoo.DeliverMessage) -> None:
    raise LookupError(message.delivery_tag)


async def test_failures_are_settled_and_raised_in_the_end(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(fail, on_error="dead-letter"))
        peer.deliver(consumer.consumer_tag, 1, 2)
        settled = [await peer.expect(BasicRejectParameters) for _ in range(2)]
        assert not running.done()
        await consumer.cancel()
        with pytest.raises(ExceptionGroup, match="2 handlers have failed") as caught:
            await running

    assert [(1, False), (2, False)] == settled
    assert [(1,), (2,)] == [error.args for error in caught.value.exceptions]
    assert [
        "raised by the handler of <DeliverMessage exchange_name='' routing_key='queue', 4 bytes>"
    ] == (caught.value.exceptions[0].__notes__)


async def test_first_failure_is_raised_at_once_if_asked(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    handled = Handled()

    async def handle(message: ammoo.DeliverMessage) -> None:
        await handled(message)
        raise LookupError

    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(handle, concurrency=2, fail_fast=True))
        peer.deliver(consumer.consumer_tag, 1, body=b"1")
        peer.deliver(consumer.consumer_tag, 2, body=b"2")
        peer.deliver(consumer.consumer_tag, 3, body=b"3")
        await handled.until_begun(2)
        handled.let_end("1")
        with pytest.raises(ExceptionGroup, match="1 handler has failed"):
            await running

        assert (1, True) == await peer.expect(BasicRejectParameters)
        assert (2, False, True) == await peer.expect(BasicNackParameters)
        assert b"3" == (await anext(consumer)).body  # it was not handed out

    assert ["1", "2"] == handled.begun


async def test_so_many_failures_are_kept_and_the_others_counted(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(fail))
        peer.deliver(consumer.consumer_tag, *range(1, MOST_FAILURES + 11))
        await peer.expect_several(BasicRejectParameters, MOST_FAILURES + 10)
        await consumer.cancel()
        words = "110 handlers have failed on queue 'queue'; the first 100 are here"
        with pytest.raises(ExceptionGroup, match=words) as caught:
            await running

    assert MOST_FAILURES == len(caught.value.exceptions)


async def test_failures_are_logged_when_they_happen(
    channel: ammoo.Channel, peer: ScriptedPeer, caplog: pytest.LogCaptureFixture
) -> None:
    await channel.qos(prefetch_count=10)
    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(fail))
        peer.deliver(consumer.consumer_tag, *range(1, MOST_FAILURES * 2 + 11))
        await peer.expect_several(BasicRejectParameters, MOST_FAILURES * 2 + 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    first, *_, last = caplog.records
    assert (MOST_FAILURES + 1, {"ammoo.workers"}, {"ERROR"}) == (
        len(caplog.records),
        {record.name for record in caplog.records},
        {record.levelname for record in caplog.records},
    )
    assert (
        "the handler of <DeliverMessage exchange_name='' routing_key='queue', 4 bytes> has failed"
        == first.getMessage()
    )
    assert first.exc_info is not None
    assert LookupError is first.exc_info[0]
    assert (
        "200 handlers have failed on queue 'queue', the last one with LookupError(200)"
        == last.getMessage()
    )


@pytest.mark.parametrize("on_error", ["requeue", "dead-letter"])
async def test_handler_that_returns_nothing_to_await_ends_the_run(
    channel: ammoo.Channel, peer: ScriptedPeer, on_error: Any
) -> None:
    """Each message would fail, and be delivered again at once, or be lost."""
    await channel.qos(prefetch_count=10)

    def handle(message: ammoo.DeliverMessage) -> None:
        pass

    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(handle, concurrency=2, on_error=on_error))  # type: ignore[arg-type]  # on purpose
        peer.deliver(consumer.consumer_tag, 1)

        with pytest.raises(TypeError, match=r"handle at .* returned None, which cannot be awaited"):
            await running

        assert (1, False, True) == await peer.expect(BasicNackParameters)


async def test_handler_may_be_a_function_that_returns_an_awaitable(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    async with channel.consume("queue") as consumer:

        async def handle(message: ammoo.DeliverMessage, extra: int) -> None:
            await consumer.cancel()

        running = await started(consumer.run(lambda message: handle(message, 1)))
        peer.deliver(consumer.consumer_tag, 1)
        await running

        assert (1, False) == await peer.expect(BasicAckParameters)


async def test_handler_may_be_a_coroutine_of_a_generator(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    async with channel.consume("queue") as consumer:

        @types.coroutine
        def handle(message: ammoo.DeliverMessage) -> Generator[Any, None, None]:
            yield from consumer.cancel().__await__()

        running = await started(consumer.run(handle))
        peer.deliver(consumer.consumer_tag, 1)
        await running

        assert (1, False) == await peer.expect(BasicAckParameters)


async def test_handler_that_returns_nothing_to_await_is_told_with_earlier_failures(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(Mock(side_effect=[LookupError(1), None])))
        peer.deliver(consumer.consumer_tag, 1, body=b"1")
        peer.deliver(consumer.consumer_tag, 2, body=b"2")
        with pytest.raises(ExceptionGroup, match="1 handler has failed") as caught:
            await running

    assert [LookupError, TypeError] == [type(each) for each in caught.value.exceptions]


async def test_handler_has_to_be_a_function(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    await channel.qos(prefetch_count=10)
    async with channel.consume("queue") as consumer:
        with pytest.raises(TypeError, match=r"^handler is 3; expected an async function$"):
            await consumer.run(3)  # type: ignore[arg-type]  # on purpose

        with pytest.raises(TypeError, match=r"^handler is None; expected an async function$"):
            channel.serve("queue", None)  # type: ignore[arg-type]  # on purpose


async def test_what_ends_the_consumer_is_raised_when_handlers_have_ended(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    handled = Handled()
    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(handled, concurrency=2))
        peer.deliver(consumer.consumer_tag, 1)
        await handled.until_begun(1)
        peer.send(BasicCancelParameters(consumer.consumer_tag, True))
        await peer.synchronise(channel)
        assert not running.done()
        handled.let_all_end()
        with pytest.raises(ServerCancelledConsumer):
            await running

        assert (1, False) == await peer.expect(BasicAckParameters)


async def test_end_of_the_connection_is_raised_once(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    handled = Handled()
    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(handled, concurrency=2))
        peer.deliver(consumer.consumer_tag, 1, body=b"1")
        peer.deliver(consumer.consumer_tag, 2, body=b"2")
        await handled.until_begun(2)
        peer.hang_up()
        await channel.wait_closed()
        handled.let_all_end()

        with pytest.raises(ConnectionLost):
            await running


async def test_failures_and_the_end_of_the_consumer_are_raised_together(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(fail))
        peer.deliver(consumer.consumer_tag, 1)
        await peer.expect(BasicRejectParameters)
        peer.send(BasicCancelParameters(consumer.consumer_tag, True))
        with pytest.raises(ExceptionGroup) as caught:
            await running

    assert [LookupError, ServerCancelledConsumer] == [type(e) for e in caught.value.exceptions]


async def test_handler_that_is_cancelled_by_what_it_awaits_has_failed(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)

    async def handle(message: ammoo.DeliverMessage) -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with channel.consume("queue") as consumer:
        running = await started(consumer.run(handle))
        peer.deliver(consumer.consumer_tag, 1)
        assert (1, False, True) == await peer.expect(BasicNackParameters)
        await consumer.cancel()
        with pytest.raises(ExceptionGroup) as caught:
            await running

    assert isinstance(caught.value.exceptions[0].__cause__, asyncio.CancelledError)


async def test_handler_may_cancel_its_consumer(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    await channel.qos(prefetch_count=10)
    async with channel.consume("queue") as consumer:

        async def handle(message: ammoo.DeliverMessage) -> None:
            await consumer.cancel()

        running = await started(consumer.run(handle))
        peer.deliver(consumer.consumer_tag, 1)
        await running

        assert (1, False) == await peer.expect(BasicAckParameters)
