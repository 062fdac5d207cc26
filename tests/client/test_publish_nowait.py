"""`Channel.publish_nowait`: what `publish` does, without waiting."""

import asyncio
import gc
from datetime import UTC, datetime
from typing import Any

import pytest

import ammoo
from ammoo.exceptions.base import OperationTimeout
from ammoo.exceptions.channel import PublishNack, PublishNotReady, PublishReturned
from ammoo.exceptions.connection import ConnectionLost
from ammoo_wire import (
    BasicAckParameters,
    BasicNackParameters,
    BasicPublishParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ConnectionBlockedParameters,
    ConnectionUnblockedParameters,
    EncodeError,
)
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.support.clock import LoopClock


async def test_message_is_sent_at_once(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    sent = channel.publish_nowait("exchange", "key", b"body")

    assert sent.done()
    await sent
    await sent
    command = await peer.expect_command(BasicPublishParameters)
    assert ("exchange", "key", False, False) == command.parameters
    assert b"\x00\x00" == command.properties
    assert command.body == bytearray(b"body")


@pytest.mark.parametrize(
    ("route", "options"),
    [
        ("key", {"body": b""}),
        ("key", {"body": bytearray(b"body")}),
        ("key", {"body": "bödy", "encoding": "latin-1", "content_type": True}),
        ("key", {"json": [1], "content_type": True}),
        ({"header": 1}, {"body": b"body", "headers": {"other": 2}}),
        (
            "key",
            {
                "body": b"body",
                "correlation_id": "a",
                "reply_to": "b",
                "expiration": 5,
                "cc": "c",
                "bcc": ["d"],
                "priority": 1,
                "delivery_mode": 2,
                "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
                "content_encoding": "utf-8",
                "content_type": "text/plain",
                "message_id": "e",
                "type_": "f",
                "user_id": "guest",
                "app_id": "g",
                "mandatory": True,
                "immediate": True,
            },
        ),
        ("key", {"body": b"body", "type": "f", "raise_returned": True}),
    ],
)
async def test_arguments_are_those_of_publish(
    channel: ammoo.Channel, peer: ScriptedPeer, route: Any, options: dict[str, Any]
) -> None:
    await channel.select_confirm()

    channel.publish_nowait("exchange", route, **options)
    publishing = asyncio.create_task(channel.publish("exchange", route, **options))
    first = await peer.expect_command(BasicPublishParameters)
    second = await peer.expect_command(BasicPublishParameters)
    peer.send(BasicAckParameters(2, True))
    await publishing

    assert first == second


async def test_confirm_ends_the_future(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    await channel.select_confirm()
    futures = [channel.publish_nowait("", "q", b"body") for _ in range(4)]

    peer.send(BasicNackParameters(3, False, False))
    peer.send(BasicAckParameters(2, True))
    await asyncio.wait(futures[:3])

    assert [True, True, True, False] == [future.done() for future in futures]
    assert (None, None) == (futures[0].exception(), futures[1].exception())
    with pytest.raises(PublishNack, match="message 3"):
        await futures[2]
    peer.send(BasicAckParameters(4, False))
    await futures[3]


async def test_failure_names_its_message(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    await channel.select_confirm()
    names = [("shop", "a"), ("shop", "a"), ("", "b"), ("shop", "a"), ("", "b")]
    futures = [channel.publish_nowait(*name, b"body") for name in names]

    peer.send(BasicAckParameters(1, False), BasicNackParameters(5, True))
    errors = await asyncio.gather(*futures, return_exceptions=True)

    nacked = [error for error in errors if isinstance(error, PublishNack)]
    assert [*zip(names[1:], (2, 3, 4, 5), strict=True)] == [
        ((each.exchange_name, each.routing_key), each.publish_sequence_number) for each in nacked
    ]
    assert "message 3 to exchange '' with routing key 'b'" in str(nacked[1])


async def test_return_is_the_publishs_own(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    await channel.select_confirm()
    returned = channel.publish_nowait("", "a", b"body", raise_returned=True)
    kept = channel.publish_nowait("", "b", b"body", raise_returned=True)

    peer.returned("a")
    peer.send(BasicAckParameters(2, True))

    await kept
    with pytest.raises(PublishReturned):
        await returned


async def test_cancelled_future_does_not_hinder_the_others(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.select_confirm()
    first, second = (channel.publish_nowait("", "q", b"body") for _ in range(2))

    first.cancel()
    peer.send(BasicAckParameters(2, True))

    await second


async def test_outcome_that_nobody_looks_at_is_not_logged(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    await channel.select_confirm()
    channel.publish_nowait("", "q", b"body")
    channel.publish_nowait("", "q", b"body")

    await peer.expect_several(BasicPublishParameters, 2)
    peer.send(BasicNackParameters(1, False, False))
    await peer.synchronise(channel)
    peer.abort()
    with pytest.raises(ConnectionLost):
        await channel.get_next_returned_message()
    gc.collect()

    assert [] == complaints


async def test_unanswered_message_ends_with_the_operation_timeout(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        await ammoo.connect(server.url, operation_timeout=30) as connection,
        connection.channel() as channel,
    ):
        await channel.select_confirm()
        clock = LoopClock(monkeypatch)
        confirmed, unconfirmed = (channel.publish_nowait("", "q", b"body") for _ in range(2))
        server.peer.send(BasicAckParameters(1, False))

        await confirmed
        await clock.advance(30)
        with pytest.raises(OperationTimeout, match=r"basic\.publish within 30 s"):
            await unconfirmed


# --- when it cannot be sent ---


async def test_nothing_is_sent_while_the_connection_is_blocked(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    before = channel.is_publishable
    peer.send(ConnectionBlockedParameters("low on memory"), channel_number=0)
    await connection.wait_blocked()

    assert (True, False) == (before, channel.is_publishable)
    with pytest.raises(PublishNotReady, match=r"low on memory.*wait_publishable\(\)"):
        channel.publish_nowait("", "q", b"body")
    with pytest.raises(PublishNotReady, match="low on memory"):
        channel.publish_nowait("", "q", b"body", message_id="with properties")
    await peer.synchronise(channel)  # and no publish was before it

    peer.send(ConnectionUnblockedParameters(), channel_number=0)
    await channel.wait_publishable()
    channel.publish_nowait("", "q", b"body")
    await peer.expect(BasicPublishParameters)


async def test_nothing_is_sent_while_the_server_wants_silence(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    peer.send(ChannelFlowParameters(False))
    await peer.expect(ChannelFlowOkParameters)

    assert not channel.is_publishable
    with pytest.raises(PublishNotReady, match=r"channel\.flow"):
        channel.publish_nowait("", "q", b"body")

    peer.send(ChannelFlowParameters(True))
    await channel.wait_publishable()
    await peer.expect(ChannelFlowOkParameters)
    channel.publish_nowait("", "q", b"body")
    await peer.expect(BasicPublishParameters)


async def test_socket_that_takes_no_more(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    """A server that does not read: what can be sent is bounded."""
    peer.pause_reading()
    body = bytes(10_000)
    sent = publish_while_it_can(channel, body)
    with pytest.raises(PublishNotReady, match="the socket's buffer is full"):
        channel.publish_nowait("", "q", body)

    peer.resume_reading()
    await channel.wait_publishable()

    channel.publish_nowait("", "q", b"the last")
    commands = [await peer.expect_command(BasicPublishParameters) for _ in range(sent + 1)]
    assert [*[body] * sent, b"the last"] == [bytes(command.body or b"") for command in commands]


def publish_while_it_can(channel: ammoo.Channel, body: bytes) -> int:
    """Publish until the channel takes no more, or 10,000 times; return how often."""
    sent = 0
    while channel.is_publishable and sent < 10_000:
        channel.publish_nowait("", "q", body)
        sent += 1
    return sent


async def test_closed_channel_raises_what_closed_it(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    peer.abort()
    with pytest.raises(ConnectionLost):
        await channel.get_next_returned_message()

    with pytest.raises(ConnectionLost):
        channel.publish_nowait("", "q", b"body")
    with pytest.raises(ConnectionLost):
        channel.publish_nowait("", "q", b"body", message_id="with properties")
    with pytest.raises(ConnectionLost):
        await channel.wait_publishable()
    assert not channel.is_publishable


async def test_channel_that_was_not_entered(connection: ammoo.Connection) -> None:
    channel = connection.channel()

    assert not channel.is_publishable
    with pytest.raises(RuntimeError, match="not open"):
        channel.publish_nowait("", "q", b"body")
    with pytest.raises(RuntimeError, match="not open"):
        await channel.wait_publishable()


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        (("", "q"), {}, TypeError),
        (("", "q", b""), {"json": 1}, TypeError),
        (("", "q", b""), {"no_such_option": 1}, TypeError),
        (("", "q", b""), {"priority": 256}, ValueError),
        (("", "q" * 256, b""), {}, EncodeError),
        ((["unhashable"], "q", b""), {}, EncodeError),
        (("", "q", b""), {"mandatory": True}, ValueError),
        (("", "q", b""), {"raise_returned": True}, ValueError),
    ],
)
async def test_misuse_is_raised_at_once_and_sends_nothing(
    channel: ammoo.Channel, peer: ScriptedPeer, arguments: Any, options: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        channel.publish_nowait(*arguments, **options)

    await peer.synchronise(channel)


async def test_argument_that_nobody_knows_is_the_callers_own(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    with pytest.raises(TypeError, match=r"^publish_nowait\(\) got an .* argument 'foo'$"):
        channel.publish_nowait("", "q", b"", foo=1)  # type: ignore[call-overload]  # the mistake is the point
    with pytest.raises(TypeError, match=r"expiration is 1\.5"):
        channel.publish_nowait("", "q", b"", expiration=1.5)  # type: ignore[call-overload]  # the same
    with pytest.raises(EncodeError, match="priority is '3'"):
        channel.publish_nowait("", "q", b"", priority="3")  # type: ignore[call-overload]  # the same

    with pytest.raises(TypeError, match=r"^reply\(\) got an .* argument 'foo'$"):
        await channel._require_live().reply("q", b"", {"foo": 1})  # type: ignore[typeddict-unknown-key]  # the same

    channel.publish_nowait("", "first", b"")
    assert "first" == (await peer.expect(BasicPublishParameters)).routing_key
