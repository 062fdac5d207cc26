"""Other threads and other event loops: refused before anything is sent."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import ammoo
from ammoo_wire import (
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    encode_properties,
)
from tests.client.script import ScriptedPeer, ScriptedServer

Use = Callable[[ammoo.Channel, ammoo.Consumer, ammoo.DeliverMessage], Awaitable[Any]]

USES: list[Use] = [
    lambda channel, consumer, message: channel.publish("", "q", b"body"),
    lambda channel, consumer, message: channel.publish("", "q", b"body", delivery_mode=2),
    lambda channel, consumer, message: channel.publish("", "q", json=1),
    lambda channel, consumer, message: channel.wait_publishable(),
    lambda channel, consumer, message: channel.declare_queue("q"),
    lambda channel, consumer, message: channel.get("q"),
    lambda channel, consumer, message: channel.select_confirm(),
    lambda channel, consumer, message: channel.commit(),
    lambda channel, consumer, message: channel.get_next_returned_message(),
    lambda channel, consumer, message: channel.close(),
    lambda channel, consumer, message: channel.ack(1),
    lambda channel, consumer, message: channel.nack(0, multiple=True),
    lambda channel, consumer, message: message.ack(),
    lambda channel, consumer, message: message.reject(True),
    lambda channel, consumer, message: message.reply(b""),
    lambda channel, consumer, message: anext(consumer),
    lambda channel, consumer, message: consumer.__aexit__(None, None, None),
    lambda channel, consumer, message: channel.consume("q").__aenter__(),
    lambda channel, consumer, message: channel.connection.channel().__aenter__(),
    lambda channel, consumer, message: channel.connection.update_secret("new"),
    lambda channel, consumer, message: channel.connection.wait_blocked(),
    lambda channel, consumer, message: channel.connection.close(),
]


def in_another_loop(use: Callable[[], Awaitable[Any]]) -> Any:
    """Use something in an event loop of this thread's own."""

    async def main() -> None:
        async with asyncio.timeout(30):
            await use()

    asyncio.run(main())


@pytest.fixture(autouse=True)
def _answers(server: ScriptedServer) -> None:
    server.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)
    server.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)


@pytest.mark.parametrize("use", USES)
async def test_another_loop_is_refused_before_anything_is_sent(
    channel: ammoo.Channel, peer: ScriptedPeer, use: Use
) -> None:
    async with channel.consume("q") as consumer:
        peer.send_content(
            BasicDeliverParameters(consumer.consumer_tag, 1, False, "", "q"),
            properties=encode_properties(BasicHeaderProperties(reply_to="r")),
        )
        message = await anext(consumer)
        await peer.synchronise(channel)

        with pytest.raises(RuntimeError, match=r"run_coroutine_threadsafe.* Nothing was sent"):
            await asyncio.to_thread(in_another_loop, lambda: use(channel, consumer, message))

        await peer.synchronise(channel)
        await message.ack()


async def test_publish_nowait_in_another_thread_is_refused(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    with pytest.raises(RuntimeError, match=r"no event loop runs here.*run_coroutine_threadsafe"):
        await asyncio.to_thread(channel.publish_nowait, "", "q", b"body")

    await peer.synchronise(channel)


async def test_run_coroutine_threadsafe_is_the_way(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    loop = asyncio.get_running_loop()

    def publish() -> None:
        asyncio.run_coroutine_threadsafe(channel.publish("", "q", b"body"), loop).result(5)

    await asyncio.to_thread(publish)

    await peer.expect(BasicPublishParameters)


async def test_connection_is_entered_in_its_own_loop(server: ScriptedServer) -> None:
    connection = await ammoo.connect(server.url)

    with pytest.raises(RuntimeError, match="connect again"):
        await asyncio.to_thread(in_another_loop, connection.__aenter__)

    assert 0 == server.peer.octets
    await connection.close()


async def test_closed_connection_may_be_closed_anywhere(connection: ammoo.Connection) -> None:
    await connection.close()

    await asyncio.to_thread(in_another_loop, connection.close)
