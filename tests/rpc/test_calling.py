"""`channel.rpc()`: which reply a call gets, and what it raises if there is none."""

import asyncio
from typing import Any

import pytest

import ammoo
from ammoo.exceptions import (
    ConnectionBlocked,
    NotFound,
    PublishNack,
    PublishReturned,
    RpcInterrupted,
    RpcTimeout,
)
from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicHeaderProperties,
    BasicNackParameters,
    BasicPublishParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ConnectionBlockedParameters,
    decode_properties,
    encode_properties,
)
from tests.client.brokers import Name
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.support.clock import LoopClock
from tests.support.tasks import started

CHANNEL = 2  # of the Rpc; the first one is the fixture's


@pytest.fixture(autouse=True)
def _answer_consumes(server: ScriptedServer) -> None:
    server.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)
    server.answers[BasicCancelParameters] = lambda p: BasicCancelOkParameters(p.consumer_tag)


async def request(peer: ScriptedPeer) -> BasicHeaderProperties:
    """Wait for the next request, and return its properties."""
    command = await peer.expect_command(BasicPublishParameters, CHANNEL)
    assert command.properties is not None
    return decode_properties(command.properties)


def reply(peer: ScriptedPeer, rpc: ammoo.Rpc, properties: bytes, body: bytes) -> None:
    """Send a reply with these properties."""
    assert rpc._replies is not None
    tag = rpc._replies.consumer_tag
    parameters = BasicDeliverParameters(tag, 1, False, "", "amq.rabbitmq.reply-to.x.y")
    peer.send_content(parameters, body, properties, CHANNEL)


def reply_to(
    peer: ScriptedPeer, rpc: ammoo.Rpc, requested: BasicHeaderProperties, body: bytes
) -> None:
    """Send the reply to a request."""
    id_ = requested.correlation_id
    reply(peer, rpc, encode_properties(BasicHeaderProperties(correlation_id=id_)), body)


def confirm(peer: ScriptedPeer, number: int) -> None:
    peer.send(BasicAckParameters(number, False), channel_number=CHANNEL)


# --- replies ---


async def serve_in_reverse(channel: ammoo.Channel, queue: str, count: int) -> None:
    """Reply to so many requests, the last one first."""
    async with channel.consume(queue) as consumer:
        requests = [await anext(consumer) for _ in range(count)]
        for message in reversed(requests):
            await message.reply(message.body.upper())
            await message.ack()


async def test_each_call_gets_its_own_reply(broker_channel: ammoo.Channel, name: Name) -> None:
    queue = name("requests")
    await broker_channel.declare_queue(queue, durable=True)
    serving = asyncio.create_task(serve_in_reverse(broker_channel, queue, 26))

    async with broker_channel.rpc() as rpc:
        letters = "abcdefghijklmnopqrstuvwxyz"
        replies = await asyncio.gather(*(rpc.call("", queue, letter) for letter in letters))
        await serving

    assert letters.upper() == "".join(reply.decode() for reply in replies)
    assert 0 == rpc.in_flight
    assert 0 == rpc.dropped_replies


async def test_json_is_called_with(broker_channel: ammoo.Channel, name: Name) -> None:
    queue = name("requests")
    await broker_channel.declare_queue(queue, durable=True)
    serving = asyncio.create_task(serve_in_reverse(broker_channel, queue, 1))

    async with broker_channel.rpc() as rpc:
        answer = await rpc.call("", queue, json=["a", 1], content_type=True)
        await serving

    assert ["A", 1] == answer.json()


async def test_request_says_where_to_reply_and_for_how_long(
    channel: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    LoopClock(monkeypatch)
    async with channel.rpc(timeout=2.5) as rpc:
        calling = await started(rpc.call("", "queue", b"body", headers={"a": 1}))
        requested = await request(peer)
        reply_to(peer, rpc, requested, b"reply")
        answer = await calling

    assert "amq.rabbitmq.reply-to" == requested.reply_to
    assert "2500" == requested.expiration
    assert {"a": 1} == requested.headers
    assert b"reply" == answer.body


async def test_reply_may_overtake_the_confirm(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.rpc() as rpc:
        calling = await started(rpc.call("", "queue", b"body"))
        reply_to(peer, rpc, await request(peer), b"reply")
        await calling
        confirm(peer, 1)


async def test_unknown_and_repeated_replies_are_dropped_and_counted(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.rpc() as rpc:
        first = await started(rpc.call("", "queue", b"body"))
        requested = await request(peer)
        reply(peer, rpc, b"\x00\x00", b"without a correlation id")
        reply(peer, rpc, b"\x20\x00\xff\xff", b"with damaged properties")
        reply_to(peer, rpc, requested, b"reply")
        reply_to(peer, rpc, requested, b"again")
        await first
        second = await started(rpc.call("", "queue", b"body"))
        reply_to(peer, rpc, await request(peer), b"reply")
        await second

    assert 3 == rpc.dropped_replies


async def test_cancelled_calls_reply_is_dropped(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.rpc() as rpc:
        calling = await started(rpc.call("", "queue", b"body"))
        requested = await request(peer)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        reply_to(peer, rpc, requested, b"late")
        other = await started(rpc.call("", "queue", b"body"))
        reply_to(peer, rpc, await request(peer), b"reply")
        await other

    assert 1 == rpc.dropped_replies


# --- failures ---


async def test_missing_queue_is_noticed_at_once(broker_channel: ammoo.Channel, name: Name) -> None:
    nowhere = name("nowhere")
    async with broker_channel.rpc(timeout=None) as rpc:
        with pytest.raises(PublishReturned) as caught:
            await rpc.call("", nowhere, "7")

        assert nowhere == caught.value.routing_key


async def test_call_raises_when_its_time_is_over(
    channel: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with channel.rpc() as rpc:
        clock = LoopClock(monkeypatch)
        calling = await started(rpc.call("", "queue", b"body", timeout=5))
        requested = await request(peer)
        await clock.advance(5)
        with pytest.raises(RpcTimeout, match="'queue' got no reply within 5 s") as caught:
            await calling
        reply_to(peer, rpc, requested, b"late")
        other = await started(rpc.call("", "queue", b"body"))
        reply_to(peer, rpc, await request(peer), b"reply")
        await other

    assert isinstance(caught.value, TimeoutError)
    assert 1 == rpc.dropped_replies


async def test_request_that_is_not_accepted_raises(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.rpc() as rpc:
        calling = await started(rpc.call("", "queue", b"body"))
        await request(peer)
        peer.send(BasicNackParameters(1, False, False), channel_number=CHANNEL)

        with pytest.raises(PublishNack):
            await calling


async def test_lost_connection_interrupts_calls(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.rpc() as rpc:
        calls = [await started(rpc.call("", "queue", b"body")) for _ in range(2)]
        await request(peer)
        await request(peer)
        confirm(peer, 1)
        peer.hang_up()
        errors: list[Any] = await asyncio.gather(*calls, return_exceptions=True)

    assert [RpcInterrupted, RpcInterrupted] == [type(error) for error in errors]
    assert [rpc._channel.closing_exc] * 2 == [error.exc for error in errors]
    assert ["queue", "queue"] == [error.routing_key for error in errors]
    with pytest.raises(ammoo.ConnectionClosed):
        await errors[0].recovered()


async def test_leaving_interrupts_calls(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.rpc() as rpc:
        calling = await started(rpc.call("", "queue", b"body"))
        await request(peer)

    with pytest.raises(RpcInterrupted, match="its reply is lost: the channel was closed by"):
        await calling


async def test_leaving_interrupts_a_call_that_would_be_repeated(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.rpc() as rpc:
        calling = await started(rpc.call("", "queue", b"body", repeat=True))
        await request(peer)

    with pytest.raises(RpcInterrupted, match="its reply is lost: the channel was closed by"):
        await calling


async def test_leaving_keeps_a_call_that_waits_from_being_sent(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    del peer.answers[BasicCancelParameters]
    async with channel.rpc() as rpc:
        peer.send(ChannelFlowParameters(False), channel_number=CHANNEL)
        await peer.expect(ChannelFlowOkParameters, CHANNEL)
        calling = await started(rpc.call("", "queue", b"body", timeout=None))
        leaving = await started(rpc.__aexit__(None, None, None))
        await peer.expect(BasicCancelParameters, CHANNEL)
        peer.send(ChannelFlowParameters(True), channel_number=CHANNEL)
        await peer.expect(ChannelFlowOkParameters, CHANNEL)
        await peer.synchronise(channel)  # nothing was published
        assert rpc._replies is not None
        cancelled = BasicCancelOkParameters(rpc._replies.consumer_tag)
        peer.send(cancelled, channel_number=CHANNEL)
        await leaving

        with pytest.raises(ammoo.ChannelClosed):
            await calling


async def test_call_after_the_block_says_that_the_channel_is_closed(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with channel.rpc() as rpc:
        pass

    with pytest.raises(ammoo.ChannelClosed):
        await rpc.call("", "queue", b"body")


async def test_exchange_that_does_not_exist_leaves_the_callers_channel_alone(
    broker_channel: ammoo.Channel, name: Name
) -> None:
    async with broker_channel.rpc() as rpc:
        with pytest.raises((RpcInterrupted, NotFound)):
            await rpc.call(name("nowhere"), "key", "7")
        with pytest.raises(NotFound):
            await rpc.call("", "queue", "7")

    await broker_channel.declare_queue("", exclusive=True)


@pytest.mark.parametrize(
    "option",
    ["correlation_id", "expiration", "immediate", "mandatory", "raise_returned", "reply_to"],
)
async def test_options_that_a_call_sets_itself_are_refused(
    channel: ammoo.Channel, peer: ScriptedPeer, option: str
) -> None:
    options: Any = {option: None}
    async with channel.rpc() as rpc:
        with pytest.raises(ValueError, match=rf"call\(\) sets {option} itself"):
            await rpc.call("", "queue", b"body", **options)


async def test_wrong_body_is_refused_and_the_call_forgotten(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    wrong: Any = 7
    async with channel.rpc() as rpc:
        with pytest.raises(TypeError, match="body is of type int"):
            await rpc.call("", "queue", wrong)

        assert 0 == rpc.in_flight


async def test_blocked_connection_is_told_from_a_late_reply(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        await ammoo.connect(server.url, blocked_timeout=5) as connection,
        connection.channel() as channel,
        channel.rpc() as rpc,
    ):
        blocked = await started(connection.wait_blocked())
        server.peer.send(ConnectionBlockedParameters("memory"), channel_number=0)
        await blocked
        clock = LoopClock(monkeypatch)
        calling = await started(rpc.call("", "queue", b"body", timeout=30))
        await clock.advance(5)

        with pytest.raises(ConnectionBlocked):
            await calling


async def test_calls_that_wait_are_shown(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with channel.rpc() as rpc:
        calling = await started(rpc.call("", "queue", b"body"))
        shown = repr(rpc)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)

    assert "<Rpc on <Channel 2>, 1 calls wait>" == shown


async def test_use_without_entering_is_refused(channel: ammoo.Channel) -> None:
    with pytest.raises(RuntimeError, match=r"not entered"):
        await channel.rpc().call("", "queue", b"body")


async def test_failed_entering_closes_its_channel(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    del peer.answers[BasicConsumeParameters]
    rpc = channel.rpc()
    entering = await started(rpc.__aenter__())
    await peer.expect(BasicConsumeParameters, CHANNEL)
    entering.cancel()
    await asyncio.gather(entering, return_exceptions=True)

    assert rpc._channel.closing_exc is not None
