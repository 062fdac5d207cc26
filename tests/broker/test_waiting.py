"""Waiting until something has happened in a broker, in threads and in event loops."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pika  # type: ignore[import-untyped]  # it ships no types
import pytest
from pika.adapters.blocking_connection import (  # type: ignore[import-untyped]  # as above
    BlockingChannel,
)

import ammoo
from ammoo_fakebroker import FakeBroker, ManualClock
from ammoo_fakebroker.history.queries import Events
from ammoo_fakebroker.waiting.conditions import ConnectionsOpen, MessagesReady

SHORT = 0.02
"""Seconds of a wait that is to fail."""


@pytest.fixture
def channel(fakebroker: FakeBroker) -> Iterator[BlockingChannel]:
    parameters = pika.URLParameters(fakebroker.url)
    parameters.client_properties = {"connection_name": "api"}
    with pika.BlockingConnection(parameters) as connection:
        yield connection.channel()


@pytest.fixture
def soon() -> Iterator[Callable[[Callable[[], object]], None]]:
    """A function that calls another one in a thread, a moment later."""
    threads = []

    def call_soon(function: Callable[[], object]) -> None:
        thread = threading.Timer(SHORT, function)
        threads.append(thread)
        thread.start()

    yield call_soon
    for thread in threads:
        thread.join()


Soon = Callable[[Callable[[], object]], None]


def failure(wait: Callable[[], object]) -> str:
    """Return the text with which a wait fails."""
    with pytest.raises(AssertionError) as caught:
        wait()
    return str(caught.value)


def test_messages_are_awaited(fakebroker: FakeBroker, channel: BlockingChannel, soon: Soon) -> None:
    channel.queue_declare("orders")
    channel.basic_publish("", "orders", b"one")
    soon(lambda: channel.basic_publish("", "orders", b"two"))

    messages = fakebroker.wait_for_messages("orders", 2)

    assert [b"one", b"two"] == [message.body for message in messages]


def test_messages_are_awaited_in_a_queue_that_is_declared_meanwhile(
    fakebroker: FakeBroker, channel: BlockingChannel, soon: Soon
) -> None:
    def declare_and_publish() -> None:
        channel.queue_declare("orders")
        channel.basic_publish("", "orders", b"one")

    soon(declare_and_publish)

    assert 1 == len(fakebroker.wait_for_messages("orders"))


def test_connections_and_consumers_are_awaited(
    fakebroker: FakeBroker, channel: BlockingChannel, soon: Soon
) -> None:
    channel.queue_declare("orders")
    soon(lambda: channel.basic_consume("orders", lambda *_: None))

    assert 1 == fakebroker.wait_for_consumers("orders").consumer_count
    assert ["guest"] == [each.user for each in fakebroker.wait_for_connections(1)]


def test_function_is_awaited(fakebroker: FakeBroker, channel: BlockingChannel, soon: Soon) -> None:
    soon(lambda: channel.queue_declare("orders"))

    assert "orders" == fakebroker.wait_until(lambda look: look.queue("orders").name)


def test_function_of_a_wait_may_fail(fakebroker: FakeBroker) -> None:
    with pytest.raises(ZeroDivisionError):
        fakebroker.wait_until(lambda look: 1 // len(look.connections))


def test_expiry_is_awaited() -> None:
    clock = ManualClock()
    with FakeBroker(clock=clock) as broker:
        connection = pika.BlockingConnection(pika.URLParameters(broker.url))
        channel = connection.channel()
        channel.queue_declare("late")
        channel.queue_declare(
            "orders",
            arguments={
                "x-message-ttl": 3_600_000,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "late",
            },
        )
        channel.basic_publish("", "orders", b"one")
        moved = threading.Timer(SHORT, clock.advance, [3600])
        moved.start()

        (message,) = broker.wait_for_messages("late")

        moved.join()
        connection.close()
    assert b"one" == message.body


def test_failure_tells_what_became_of_messages(
    fakebroker: FakeBroker, channel: BlockingChannel
) -> None:
    channel.exchange_declare("orders")
    channel.exchange_declare("order")
    channel.queue_declare("orders")
    channel.queue_bind("orders", "orders", "created")
    channel.basic_publish("orders", "created", b'{"id": 7}')
    channel.basic_publish("order", "created", b'{"id": 8}')
    channel.basic_publish("orders", "created", b'{"id": 9}')
    channel.queue_declare("other")
    channel.basic_publish("", "other", b"x")
    method, _, _ = channel.basic_get("orders")
    channel.basic_ack(method.delivery_tag)
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")

    text = failure(lambda: fakebroker.wait_for_messages("orders", 2, timeout=SHORT))

    assert "queue 'orders' (virtual host '/') had 0 messages after 0.02 s, 2 awaited" in text
    got = "message 1, b'{\"id\": 7}', got with basic.get (connection 'api', channel 1),\n"
    assert got + "    acknowledged from 'orders' after" in text
    delivered = "delivered to consumer 'worker' (connection 'api', channel 1), and not settled yet"
    assert f"message 3, b'{{\"id\": 9}}', {delivered}" in text
    lost = "message 2, exchange 'order', key 'created': unroutable, dropped (not mandatory)\n"
    hint = "exchange 'order' has 0 bindings, none of them to 'orders'; "
    assert f"{lost}    {hint}'orders' is bound to 'orders' with 'created'" in text
    assert "message 4, exchange '', key 'other': routed to 'other'" in text
    assert "now: 1 consumer, 1 with clients; 1 connection, not blocked" in text


def test_failure_tells_of_refusals_and_of_similar_names(fakebroker: FakeBroker) -> None:
    with pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection:
        channel = connection.channel()
        channel.queue_declare("orders")
        channel.basic_publish("missing", "created", b"x")

        text = failure(lambda: fakebroker.wait_for_messages("order", timeout=SHORT))

    assert "no queue 'order' after 0.02 s (it has 'orders'); 1 message awaited in it" in text
    assert "refused: channel closed by the broker: 404 NOT_FOUND - no exchange 'missing'" in text


def test_failure_without_history_says_so() -> None:
    with FakeBroker(history=0) as broker:
        text = failure(lambda: broker.wait_for_messages("orders", timeout=SHORT))

    assert "history is off: FakeBroker(history=10_000) shows where messages went" in text


def test_wait_fails_at_once_when_the_queue_is_deleted(
    fakebroker: FakeBroker, channel: BlockingChannel, soon: Soon
) -> None:
    channel.queue_declare("orders")
    channel.basic_publish("", "orders", b"one")
    waiting = fakebroker._waiters._waiting

    def delete() -> None:
        fakebroker.wait_until(lambda _: MessagesReady in [type(each.condition) for each in waiting])
        channel.queue_delete("orders")

    soon(delete)

    text = failure(lambda: fakebroker.wait_for_messages("orders", 2, timeout=600))

    assert "has no queue 'orders' any more" in text
    assert "came and went: message 1, b'one', deleted with the queue" in text


def test_wait_fails_at_once_when_the_broker_is_stopped() -> None:
    broker = FakeBroker()
    failures: list[str] = []
    with broker:
        wait = threading.Thread(
            target=lambda: failures.append(failure(lambda: broker.wait_for_connections(2)))
        )
        wait.start()
        assert broker.wait_until(lambda _: len(broker._waiters._waiting) == 2)
    wait.join()

    assert ["the broker was stopped during the wait"] == failures


def test_other_failures_say_what_was_there(
    fakebroker: FakeBroker, channel: BlockingChannel
) -> None:
    channel.queue_declare("orders")
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    channel.basic_cancel("worker")

    consumers = failure(lambda: fakebroker.wait_for_consumers("orders", 2, timeout=SHORT))
    connections = failure(lambda: fakebroker.wait_for_connections(2, timeout=SHORT))
    nothing = failure(lambda: fakebroker.wait_until(lambda look: None, timeout=SHORT))

    assert "had 0 consumers after 0.02 s, 2 awaited" in consumers
    assert "consumer cancelled: 'worker' of queue 'orders' (basic.cancel)" in consumers
    assert "1 connection was open after 0.02 s, 2 awaited" in connections
    assert "connection opened (connection 'api')" in connections
    assert "after 0.02 s the function still returned None" in nothing
    assert "connection 'api': 1 channel" in nothing


def test_idleness_is_awaited(fakebroker: FakeBroker, channel: BlockingChannel, soon: Soon) -> None:
    channel.queue_declare("orders")
    channel.basic_publish("", "orders", b"one")
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")

    busy = failure(lambda: fakebroker.wait_for_idle(timeout=SHORT))
    soon(lambda: channel.basic_ack(1))
    fakebroker.wait_for_idle()

    assert "was not idle for 0.02 s within 0.02 s: consumer 'worker' holds 1 message" in busy
    assert 0 == fakebroker.queue("orders").unacknowledged_count


def test_wait_for_none_is_refused_with_the_way_to_do_it(fakebroker: FakeBroker) -> None:
    with pytest.raises(ValueError, match=r"use wait_until\(lambda look: not look\.connections\)"):
        fakebroker.wait_for_connections(0)


def test_wait_needs_a_broker_that_runs() -> None:
    with pytest.raises(RuntimeError, match="the broker has not been started"):
        FakeBroker().wait_for_connections()


def test_wait_that_would_lock_its_loop_is_refused() -> None:
    async def wait() -> None:
        async with FakeBroker() as broker:
            broker.wait_for_messages("orders")

    with pytest.raises(RuntimeError, match=r"await wait_for_messages_async\(…\)"):
        asyncio.run(wait())


def test_wait_that_has_blocked_a_loop_says_so(fakebroker: FakeBroker) -> None:
    async def wait() -> str:
        return failure(lambda: fakebroker.wait_for_messages("orders", timeout=SHORT))

    assert "the wait blocked this thread's event loop; await" in asyncio.run(wait())


def test_wait_for_a_fault_that_has_blocked_a_loop_says_so(fakebroker: FakeBroker) -> None:
    fault = fakebroker.faults.nack_publishes()

    async def wait() -> str:
        return failure(lambda: fault.wait(timeout=SHORT))

    assert asyncio.run(wait()).endswith(
        "\n  the wait blocked this thread's event loop; await wait_async(…) does not"
    )
    assert "event loop" not in failure(lambda: fault.wait(timeout=SHORT))


@pytest.mark.parametrize("in_loop", [True, False])
def test_waits_in_a_loop(in_loop: bool) -> None:
    async def wait(broker: FakeBroker) -> list[object]:
        async with (
            await ammoo.connect(broker.url) as connection,
            connection.channel() as channel,
        ):
            awaited = [
                asyncio.ensure_future(broker.wait_for_messages_async("orders", 2)),
                asyncio.ensure_future(broker.wait_for_consumers_async("orders")),
                asyncio.ensure_future(broker.wait_for_connections_async()),
                asyncio.ensure_future(
                    broker.wait_until_async(lambda look: look.queue("orders").message_count == 2)
                ),
                asyncio.ensure_future(broker.published(routing_key="orders").wait_async(2)),
            ]
            await asyncio.sleep(0)
            await channel.declare_queue("orders")
            await channel.publish("", "orders", b"one")
            await channel.publish("", "orders", b"two")
            found = await asyncio.gather(*awaited[:1], *awaited[2:])
            async with channel.consume("orders"):
                await awaited[1]
            return [type(each) for each in found]

    async def with_own_broker() -> list[object]:
        async with FakeBroker() as broker:
            return await wait(broker)

    def with_other_thread() -> list[object]:
        with FakeBroker() as broker:
            return asyncio.run(wait(broker))

    found = asyncio.run(with_own_broker()) if in_loop else with_other_thread()

    assert [list, tuple, bool, Events] == found


def test_wait_in_a_loop_fails_with_the_same_text(fakebroker: FakeBroker) -> None:
    async def wait() -> None:
        await fakebroker.wait_for_connections_async(timeout=SHORT)

    with pytest.raises(AssertionError, match=r"0 connections were open after 0\.02 s, 1 awaited"):
        asyncio.run(wait())


def test_cancelled_wait_is_forgotten(fakebroker: FakeBroker) -> None:
    waiting = fakebroker._waiters._waiting

    async def wait() -> None:
        task = asyncio.ensure_future(fakebroker.wait_for_connections_async())
        await asyncio.to_thread(
            fakebroker.wait_until,
            lambda _: ConnectionsOpen in [type(each.condition) for each in waiting],
        )
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(wait())
    fakebroker.look()

    assert not waiting
    assert fakebroker._server.on_change is None


def test_failed_function_shows_the_queues(fakebroker: FakeBroker) -> None:
    fakebroker.declare_queue("empty")
    fakebroker.declare_queue("orders")
    fakebroker.put("orders", b"1")

    with pytest.raises(AssertionError) as failed:
        fakebroker.wait_until(lambda look: look.queue("empty").message_count, timeout=0.01)

    assert [
        "after 0.01 s the function still returned 0",
        "  now: 0 connections",
        "  queue 'orders': 1 ready, 0 with clients, 0 consumers",
        "  queue 'empty': 0 ready, 0 with clients, 0 consumers",
    ] == str(failed.value).splitlines()
