"""Calls and servers of requests while the connection is lost under them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import ammoo
from ammoo.exceptions import PublishNotSent, RecoveryFailed, RpcInterrupted, RpcTimeout
from ammoo.recovery.listener import EventListener
from tests.client.brokers import Name
from tests.recovery.network import Network
from tests.recovery.until import AT_ONCE, bring_down, bring_up, lose, until_filled
from tests.support.tasks import cancel_each, started
from tests.workers.queues import Handled, bodies_left


async def upper(request: ammoo.DeliverMessage) -> bytes:
    return bytes(request.body.upper())


@asynccontextmanager
async def served(
    connection: ammoo.Connection, queue: str, handler: Any = upper
) -> AsyncIterator[ammoo.RpcServer]:
    """Serve a queue while the block runs."""
    async with connection.channel(prefetch_count=20) as channel:
        await channel.declare_queue(queue, durable=True)
        async with channel.serve(queue, handler, concurrency=10) as server:
            serving = asyncio.create_task(server.run())
            yield server
            await server.cancel()
            await serving


async def test_each_call_is_answered_or_interrupted_and_the_next_one_works(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_connection: ammoo.Connection,
) -> None:
    queue = name("requests")
    handled = Handled()

    async def handle(request: ammoo.DeliverMessage) -> bytes:
        await handled(request)
        return bytes(request.body)

    async with served(broker_connection, queue, handle), channel.rpc() as rpc:
        calls = [asyncio.create_task(rpc.call("", queue, str(number))) for number in range(100)]
        handled.let_end(*map(str, range(8)))
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        await lose(network, events)
        results = await asyncio.gather(*calls, return_exceptions=True)
        handled.let_all_end()
        after = await rpc.call("", queue, "100")

    answered = [bytes(each.body) for each in results if isinstance(each, ammoo.DeliverMessage)]
    interrupted = [each for each in results if isinstance(each, RpcInterrupted)]
    assert 100 == len(answered) + len(interrupted)
    assert answered
    assert set(answered) <= {b"%d" % number for number in range(8)}
    assert b"100" == after.body


async def test_interrupted_call_says_when_calls_work_again(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = name("requests")
    await channel.declare_queue(queue, durable=True)
    async with channel.rpc() as rpc:
        calling = await started(rpc.call("", queue, "body"))
        await until_filled(channel, queue)
        network.cut()
        with pytest.raises(RpcInterrupted) as caught:
            await calling
        await caught.value.recovered()
        async with served(channel.connection, queue):
            assert b"AGAIN" == (await rpc.call("", queue, "again")).body

    assert caught.value.recoverable


async def test_call_is_repeated_if_asked(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue = name("requests")
    await broker_channel.declare_queue(queue, durable=True)
    async with channel.rpc() as rpc, broker_channel.consume(queue) as consumer:
        calling = await started(rpc.call("", queue, "body", repeat=True))
        first = await anext(consumer)
        await lose(network, events)
        second = await anext(consumer)
        await first.reply(b"to an address that was lost")
        await second.reply(b"reply")
        answer = await calling
        await first.ack()
        await second.ack()

    assert b"reply" == answer.body
    assert first.properties.message_id == second.properties.message_id is not None
    assert first.properties.correlation_id != second.properties.correlation_id
    assert first.properties.reply_to != second.properties.reply_to


async def test_repeated_call_keeps_the_callers_message_id(
    channel: ammoo.Channel, name: Name, broker_channel: ammoo.Channel
) -> None:
    queue = name("requests")
    await broker_channel.declare_queue(queue, durable=True)
    async with channel.rpc() as rpc, broker_channel.consume(queue) as consumer:
        calling = await started(rpc.call("", queue, "body", repeat=True, message_id="mine"))
        request = await anext(consumer)
        await request.reply(b"reply")
        await request.ack()
        await calling

    assert "mine" == request.properties.message_id


async def test_call_that_is_begun_while_the_connection_is_down_waits(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_connection: ammoo.Connection,
) -> None:
    queue = name("requests")
    async with served(broker_connection, queue), channel.rpc() as rpc:
        await bring_down(network, events)
        calls = [await started(rpc.call("", queue, letter)) for letter in "abc"]
        network.go_up()
        replies = await asyncio.gather(*calls)

    assert [b"A", b"B", b"C"] == [reply.body for reply in replies]


async def test_call_whose_time_is_over_while_the_connection_is_down_raises(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    async with channel.rpc() as rpc:
        await bring_down(network, events)
        with pytest.raises(RpcTimeout):
            await rpc.call("", name("requests"), "body", timeout=0.01)


@pytest.mark.parametrize("repeat", [False, True])
async def test_call_in_flight_is_interrupted_when_recovery_gives_up(
    network: Network, name: Name, broker_channel: ammoo.Channel, repeat: bool
) -> None:
    queue = name("requests")
    await broker_channel.declare_queue(queue, durable=True)
    recovery = ammoo.Recovery(deadline=0.0, random=lambda: 0.0)
    async with (
        await ammoo.connect(network.url, recovery=recovery) as connection,
        connection.channel() as channel,
        channel.rpc() as rpc,
    ):
        calling = await started(rpc.call("", queue, "body", repeat=repeat))
        await until_filled(broker_channel, queue)
        network.go_down()
        with pytest.raises(RpcInterrupted):
            await calling
        await connection.wait_closed()
        with pytest.raises((RecoveryFailed, PublishNotSent)):
            await rpc.call("", queue, "body")


async def test_handler_replies_on_the_next_connection_and_the_request_comes_again(
    network: Network,
    connection: ammoo.Connection,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue = name("requests")
    handled = Handled()

    async def handle(request: ammoo.DeliverMessage) -> bytes:
        await handled(request)
        return b"reply"

    async with served(connection, queue, handle), broker_channel.rpc() as rpc:
        calling = asyncio.create_task(rpc.call("", queue, "1"))
        await handled.until_begun(1)
        await lose(network, events)
        await handled.until_begun(2)
        handled.let_all_end()
        answer = await calling
        await rpc.call("", queue, "2")

    assert b"reply" == answer.body
    assert ["1", "1", "2"] == handled.ended
    assert [] == await bodies_left(broker_channel, queue)


async def test_own_calls_of_a_server_survive_too(
    network: Network, connection: ammoo.Connection, events: EventListener, name: Name
) -> None:
    queue = name("requests")
    async with (
        served(connection, queue),
        connection.channel() as channel,
        channel.rpc() as rpc,
    ):
        first = await rpc.call("", queue, "first")
        await lose(network, events)
        second = await rpc.call("", queue, "second")

    assert [b"FIRST", b"SECOND"] == [first.body, second.body]


async def test_replies_have_the_loss_of_a_server_that_is_on_its_own_connection(
    network: Network, broker_channel: ammoo.Channel, name: Name
) -> None:
    """The caller notices nothing when only the server's connection is lost."""
    queue = name("requests")
    handled = Handled()

    async def handle(request: ammoo.DeliverMessage) -> bytes:
        await handled(request)
        return b"reply"

    async with (
        await ammoo.connect(network.url, recovery=AT_ONCE) as connection,
        served(connection, queue, handle),
        broker_channel.rpc() as rpc,
    ):
        events = connection.events()
        calling = asyncio.create_task(rpc.call("", queue, "1"))
        await handled.until_begun(1)
        await bring_down(network, events)
        handled.let_all_end()
        network.go_up()
        answer = await calling

    assert b"reply" == answer.body


async def test_calls_that_wait_for_the_connection_end_with_their_block(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    async with channel.rpc() as rpc:
        await bring_down(network, events)
        calls = [await started(rpc.call("", name("requests"), "body")) for _ in range(2)]

    cancel_each(calls)
    results = await asyncio.gather(*calls, return_exceptions=True)
    await bring_up(network, events)

    assert [True, True] == [isinstance(each, BaseException) for each in results]
