"""`ammoo.drain_on_signals()`: the first, second and third signal, and the handlers of before."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import ammoo
from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicNackParameters,
    BasicQosOkParameters,
    BasicQosParameters,
)
from tests.client.brokers import Name
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.support.tasks import started
from tests.workers.queues import Handled, bodies_left, consuming, filled

BOTH = [signal.SIGTERM, signal.SIGINT]


@pytest.fixture(autouse=True)
def _former() -> Iterator[None]:
    """Fail if a test leaves a handler of its own behind."""
    former = [signal.getsignal(each) for each in BOTH]
    yield
    assert former == [signal.getsignal(each) for each in BOTH]


@pytest.fixture(autouse=True)
def _answer_consumes(server: ScriptedServer) -> None:
    server.answers[BasicQosParameters] = lambda _: BasicQosOkParameters()
    server.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)
    server.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)


async def started_consumer(channel: ammoo.Channel) -> ammoo.Consumer:
    await channel.qos(prefetch_count=10)
    return await channel.consume("queue").__aenter__()


@pytest.mark.parametrize("which", BOTH)
async def test_first_signal_drains(
    broker_connection: ammoo.Connection,
    broker_channel: ammoo.Channel,
    name: Name,
    which: signal.Signals,
) -> None:
    queue = await filled(broker_channel, name("queue"), *map(str, range(60)))
    handled = Handled()

    async def serve() -> None:
        async with (
            consuming(broker_connection, queue, 60) as consumer,
            ammoo.drain_on_signals(consumer, timeout=600),
        ):
            await consumer.run(handled, concurrency=10)

    serving = asyncio.create_task(serve())
    await handled.until_begun(10)
    signal.raise_signal(which)
    await started(asyncio.sleep(0))
    handled.let_all_end()
    await serving

    assert 10 == len(handled.ended)
    assert 50 == len(await bodies_left(broker_channel, queue))


async def test_second_signal_cancels_handlers_at_once(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)
    handled = Handled()

    async def serve() -> None:
        async with ammoo.drain_on_signals(consumer, timeout=None):
            await consumer.run(handled, concurrency=2)

    serving = await started(serve())
    peer.deliver(consumer.consumer_tag, 1, body=b"1")
    peer.deliver(consumer.consumer_tag, 2, body=b"2")
    await handled.until_begun(2)
    signal.raise_signal(signal.SIGTERM)
    await peer.synchronise(channel)
    assert not serving.done()
    signal.raise_signal(signal.SIGINT)
    await serving

    assert (2, True, True) == await peer.expect(BasicNackParameters)
    assert [] == handled.ended


async def test_third_signal_has_its_default_action(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)

    async with ammoo.drain_on_signals(consumer, timeout=None):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)  # the loop has not turned since


async def test_what_iterates_ends_as_well(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    consumer = await started_consumer(channel)

    async def raise_signal_and_ack(message: ammoo.DeliverMessage) -> int:
        signal.raise_signal(signal.SIGTERM)
        await message.ack()
        return message.delivery_tag

    async with ammoo.drain_on_signals(consumer):
        peer.deliver(consumer.consumer_tag, 1)
        received = [await raise_signal_and_ack(message) async for message in consumer]

    assert [1] == received
    assert channel.closing_exc is not None


async def test_block_that_is_left_drains_no_more(
    channel: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = await started_consumer(channel)

    async with ammoo.drain_on_signals(consumer):
        signal.raise_signal(signal.SIGTERM)  # the loop has not turned before the end

    await peer.synchronise(channel)
    assert consumer.closing_exc is None


async def test_cancelled_block_does_not_wait_for_handlers(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)
    handled = Handled()

    async def serve() -> None:
        async with ammoo.drain_on_signals(consumer, timeout=None):
            await consumer.run(handled)

    serving = await started(serve())
    peer.deliver(consumer.consumer_tag, 1)
    await handled.until_begun(1)
    signal.raise_signal(signal.SIGTERM)
    await peer.synchronise(channel)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)

    assert serving.cancelled()


async def test_drain_ends_with_the_block_that_waits_for_it(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)

    async def serve() -> None:
        async with ammoo.drain_on_signals(consumer, timeout=None):
            await anext(consumer)  # it is never settled
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0)

    serving = await started(serve())
    peer.deliver(consumer.consumer_tag, 1)
    await peer.synchronise(channel)
    await peer.synchronise(channel)  # the drain waits, and so does the block
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)

    assert serving.cancelled()
    assert channel.closing  # as by every drain that has ended


class EndlessPublisher:
    """A publisher whose outcomes never come."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.was_cancelled = False
        self.abandoned_up_to = 0

    async def flush(self) -> None:
        self.began.set()
        try:
            await asyncio.Future()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise

    @property
    def sent(self) -> int:
        return 3

    def _abandon(self, last: int) -> None:
        self.abandoned_up_to = last


async def test_second_signal_ends_the_wait_for_publishers(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)
    publishers = [EndlessPublisher(), EndlessPublisher()]

    async with ammoo.drain_on_signals(consumer, timeout=None, publishers=publishers):
        signal.raise_signal(signal.SIGTERM)
        await publishers[0].began.wait()
        signal.raise_signal(signal.SIGTERM)

    assert [True, False] == [each.was_cancelled for each in publishers]
    assert [3, 3] == [each.abandoned_up_to for each in publishers]
    assert channel.closing_exc is not None


async def test_signal_before_the_flush_does_not_shorten_it(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    """Handlers are cancelled, but what others have published is still waited for."""
    consumer = await started_consumer(channel)
    handled = Handled()
    flushed = asyncio.Event()

    class Publisher:
        sent = 0

        async def flush(self) -> None:
            await asyncio.sleep(0)
            flushed.set()

        def _abandon(self, last: int) -> None:
            raise AssertionError("it was flushed in time")

    async def serve() -> None:
        async with ammoo.drain_on_signals(consumer, timeout=None, publishers=[Publisher()]):
            await consumer.run(handled)

    serving = await started(serve())
    peer.deliver(consumer.consumer_tag, 1, body=b"1")
    await handled.until_begun(1)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    await serving

    assert flushed.is_set()
    assert [] == handled.ended


class FailingPublisher:
    async def flush(self) -> None:
        raise LookupError("3 of 100 were lost")


async def serve_until_signalled(consumer: ammoo.Consumer, error: Exception | None) -> None:
    async with ammoo.drain_on_signals(consumer, publishers=[FailingPublisher()]):
        signal.raise_signal(signal.SIGTERM)
        async for _ in consumer:
            pass
        if error is not None:
            raise error


async def test_failure_of_a_publisher_is_raised(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    consumer = await started_consumer(channel)

    with pytest.raises(ExceptionGroup) as caught:
        await serve_until_signalled(consumer, None)

    assert isinstance(caught.value.exceptions[0], LookupError)


async def test_failure_of_a_publisher_leaves_time_to_handlers_of_other_consumers(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    idle = await started_consumer(channel)
    handled = Handled()

    async with connection.channel(prefetch_count=2) as other:
        busy = await other.consume("queue").__aenter__()

        async def serve() -> None:
            async with ammoo.drain_on_signals(
                idle, busy, timeout=None, publishers=[FailingPublisher()]
            ):
                await busy.run(handled)

        serving = await started(serve())
        request = BasicDeliverParameters(busy.consumer_tag, 1, False, "", "queue")
        peer.send_content(request, b"1", channel_number=2)
        await handled.until_begun(1)
        signal.raise_signal(signal.SIGTERM)
        await channel.wait_closed()  # the idle one's drain has flushed, and has failed
        await peer.synchronise(other)
        handled.let_all_end()
        with pytest.raises(ExceptionGroup, match="2 of 2 drains have failed"):
            await serving

    assert (1, False) == await peer.expect(BasicAckParameters, 2)


async def test_failure_of_a_publisher_hides_no_other_exception(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    consumer = await started_consumer(channel)

    with pytest.raises(ValueError, match="another") as caught:
        await serve_until_signalled(consumer, ValueError("another"))

    assert "3 of 100 were lost" in caught.value.__notes__[0]


async def test_former_handlers_are_restored(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    consumer = await started_consumer(channel)
    calls: list[Any] = []
    former = signal.signal(signal.SIGTERM, lambda number, frame: calls.append(number))
    try:
        async with ammoo.drain_on_signals(consumer):
            pass
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, former)

    assert [signal.SIGTERM] == calls


def test_another_thread_cannot_handle_signals() -> None:
    errors: list[Exception] = []

    async def enter() -> None:
        async with ammoo.drain_on_signals():
            pass

    def run() -> None:
        try:
            asyncio.run(enter())
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert ["signal only works in main thread of the main interpreter"] == [
        str(error) for error in errors
    ]
