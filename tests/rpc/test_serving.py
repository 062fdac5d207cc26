"""`channel.serve()`: replies, requests without an address, replies that cannot be sent."""

import asyncio
import signal
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
    BasicPublishParameters,
    BasicQosOkParameters,
    BasicQosParameters,
    BasicRejectParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ConfirmSelectParameters,
)
from tests.client.brokers import Name
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.support.tasks import cancel_each, started
from tests.workers.queues import Handled, bodies_left


@pytest.fixture(autouse=True)
def _answer_consumes(server: ScriptedServer) -> None:
    server.answers[BasicQosParameters] = lambda _: BasicQosOkParameters()
    server.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)
    server.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)


async def square(request: ammoo.DeliverMessage) -> str:
    return str(int(request.decode()) ** 2)


async def test_handler_that_returns_nothing_to_await_ends_the_server(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=10)
    async with channel.serve("squares", lambda request: "49") as server:  # type: ignore[arg-type,return-value]  # on purpose
        serving = await started(server.run())
        peer.deliver(server.consumer.consumer_tag, 1, body=b"7")

        with pytest.raises(TypeError, match=r"returned '49', which cannot be awaited"):
            await serving

        assert (1, False, True) == await peer.expect(BasicNackParameters)


async def test_calls_are_served(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = name("squares")
    await broker_channel.declare_queue(queue, durable=True)
    async with (
        broker_connection.channel(prefetch_count=20) as channel,
        channel.serve(queue, square, concurrency=10) as server,
        broker_channel.rpc() as rpc,
    ):
        serving = asyncio.create_task(server.run())
        replies = await asyncio.gather(*(rpc.call("", queue, str(n)) for n in range(100)))
        await server.cancel()
        await serving

    assert [n * n for n in range(100)] == [int(reply.decode()) for reply in replies]
    assert [] == await bodies_left(broker_channel, queue)


async def test_server_is_awaited(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = name("squares")
    await broker_channel.declare_queue(queue, durable=True)
    async with broker_connection.channel(prefetch_count=2) as channel, broker_channel.rpc() as rpc:

        async def serve() -> None:
            await channel.serve(queue, square)

        serving = asyncio.create_task(serve())
        reply = await rpc.call("", queue, "7")
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    assert "49" == reply.decode()


async def test_failed_request_is_dead_lettered_and_gets_no_reply(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue, dead = name("squares"), name("dead")
    await broker_channel.declare_queue(dead, durable=True)
    await broker_channel.declare_queue(
        queue, durable=True, dead_letter_exchange="", dead_letter_routing_key=dead
    )
    async with (
        broker_connection.channel(prefetch_count=2) as channel,
        channel.serve(queue, square) as server,
        broker_channel.rpc() as rpc,
        broker_channel.consume(dead, no_ack=True) as failed,
    ):
        serving = asyncio.create_task(server.run())
        calling = asyncio.create_task(rpc.call("", queue, "seven", timeout=20))
        assert "seven" == (await anext(failed)).decode()
        assert "49" == (await rpc.call("", queue, "7")).decode()
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await server.cancel()
        with pytest.raises(ExceptionGroup, match="1 handler has failed"):
            await serving


async def test_handler_without_a_result_sends_an_empty_reply(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = name("requests")
    await broker_channel.declare_queue(queue, durable=True)

    async def handle(request: ammoo.DeliverMessage) -> None:
        pass

    async with (
        broker_connection.channel(prefetch_count=2) as channel,
        channel.serve(queue, handle) as server,
        broker_channel.rpc() as rpc,
    ):
        serving = asyncio.create_task(server.run())
        reply = await rpc.call("", queue, "7")
        await server.cancel()
        await serving

    assert b"" == reply.body


@pytest.mark.parametrize(
    "reply_to", [None, "", "amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-to.bm9uc2Vuc2U=.a2V5"]
)
async def test_request_without_an_address_is_handled_and_acknowledged(
    broker_url: str, broker_channel: ammoo.Channel, name: Name, reply_to: str | None
) -> None:
    queue = name("squares")
    await broker_channel.declare_queue(queue, durable=True)
    unanswered: list[tuple[Any, ...]] = []

    class Recorder(ammoo.Hooks):
        def unanswered(self, *args: Any) -> None:
            unanswered.append(args)

    async with (
        await ammoo.connect(broker_url, hooks=Recorder()) as connection,
        connection.channel(prefetch_count=2) as channel,
        channel.serve(queue, square) as server,
        connection.channel() as publishing,
        broker_channel.rpc() as rpc,
    ):
        serving = asyncio.create_task(server.run())
        await publishing.select_confirm()
        await publishing.publish("", queue, "7", reply_to=reply_to)
        assert "64" == (await rpc.call("", queue, "8")).decode()
        await server.drain(None)
        await serving

    assert [(1, 1, reply_to or "")] == unanswered
    assert [] == await bodies_left(broker_channel, queue)


async def test_reply_is_confirmed_before_the_request_is_acknowledged(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=2)
    async with channel.serve("queue", square) as server:
        serving = await started(server.run())
        properties = b"\x02\x00\x07replies"
        deliver(peer, server, properties)
        command = await peer.expect_command(BasicPublishParameters, 2)
        assert ("", "replies", False, False) == command.parameters
        await peer.synchronise(channel)  # nothing was acknowledged
        peer.send(BasicAckParameters(1, False), channel_number=2)
        assert (1, False) == await peer.expect(BasicAckParameters)
        await server.cancel()
        await serving


def deliver(peer: ScriptedPeer, server: ammoo.RpcServer, properties: bytes) -> None:
    """Deliver the request for the square of 7."""
    tag = server.consumer.consumer_tag
    peer.send_content(BasicDeliverParameters(tag, 1, False, "", "queue"), b"7", properties)


async def test_refused_reply_costs_neither_the_consumer_nor_later_replies(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.qos(prefetch_count=4)
    async with channel.serve("queue", square) as server:
        serving = await started(server.run())
        deliver(peer, server, b"\x02\x00\x07replies")
        await peer.expect(BasicPublishParameters, 2)
        peer.send(ChannelCloseParameters(406, "PRECONDITION_FAILED", 60, 40), channel_number=2)
        await peer.expect(ChannelCloseOkParameters, 2)
        assert (1, False) == await peer.expect(BasicRejectParameters)
        tag = server.consumer.consumer_tag
        peer.send_content(request_two(tag), b"8", b"\x02\x00\x07replies")
        await peer.expect(BasicPublishParameters, 3)
        peer.send(BasicAckParameters(1, False), channel_number=3)
        assert (2, False) == await peer.expect(BasicAckParameters)
        await server.cancel()
        with pytest.raises(ExceptionGroup, match="1 handler has failed"):
            await serving


def request_two(consumer_tag: str) -> Any:
    return BasicDeliverParameters(consumer_tag, 2, False, "", "queue")


async def test_channel_of_replies_that_is_not_ready_is_closed(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    del peer.answers[ConfirmSelectParameters]
    await channel.qos(prefetch_count=2)
    async with channel.serve("queue", square) as server:
        serving = await started(server.run())
        deliver(peer, server, b"\x02\x00\x07replies")
        await peer.expect(ConfirmSelectParameters, 2)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await peer.expect(BasicNackParameters)
    await peer.synchronise(channel)

    async with connection.channel() as another:
        assert 2 == another.channel_id  # the number is free again


async def test_signal_drains_a_server(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, name: Name
) -> None:
    queue = name("requests")
    await broker_channel.declare_queue(queue, durable=True)
    handled = Handled()

    async def handle(request: ammoo.DeliverMessage) -> bytes:
        await handled(request)
        return b"done"

    async with broker_channel.rpc(timeout=20) as rpc:

        async def serve() -> None:
            async with (
                broker_connection.channel(prefetch_count=4) as channel,
                channel.serve(queue, handle, concurrency=2) as server,
                ammoo.drain_on_signals(server, timeout=None),
            ):
                await server.run()

        serving = asyncio.create_task(serve())
        calls = [asyncio.create_task(rpc.call("", queue, str(number))) for number in range(4)]
        await handled.until_begun(2)
        signal.raise_signal(signal.SIGTERM)
        await started(asyncio.sleep(0))
        handled.let_all_end()
        await serving
        answered = [(await calls[int(body)]).decode() for body in handled.ended]
        cancel_each(calls)
        await asyncio.gather(*calls, return_exceptions=True)

    assert ["done", "done"] == answered
    assert 2 == len(await bodies_left(broker_channel, queue))


async def test_unknown_policy_is_refused_at_once(channel: ammoo.Channel) -> None:
    wrong: Any = "drop"

    with pytest.raises(ValueError, match="on_error is 'drop'"):
        channel.serve("queue", square, on_error=wrong)
