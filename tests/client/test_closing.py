"""Closing: bounded in time whatever the server does, from wherever, as often as one likes."""

import asyncio
import gc
import warnings
from collections.abc import Coroutine
from typing import Any

import pytest

import ammoo
from ammoo.exceptions.channel import (
    ClientClosedChannelError,
    ClientClosedChannelOK,
    NotFound,
    PreconditionFailed,
    ServerClosedChannel,
)
from ammoo.exceptions.connection import ClientClosedConnectionOK, MethodNotImplemented
from ammoo.recovery.events import Closed
from ammoo_wire import (
    NO_PROPERTIES,
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicGetParameters,
    BasicPublishParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    QueueDeclareOkParameters,
    encode_method,
)
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.support.clock import LoopClock
from tests.support.tasks import started, turn_over


async def test_channel_that_is_left_is_closed_without_a_fault(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    del peer.answers[ChannelCloseParameters]
    channel = await connection.channel().__aenter__()

    leaving = asyncio.create_task(channel.__aexit__(None, None, None))

    assert ChannelCloseParameters(200, "", 0, 0) == await peer.expect(ChannelCloseParameters)
    peer.send(ChannelCloseOkParameters())
    await leaving


async def test_channel_closing_exc_after_clean_close(connection: ammoo.Connection) -> None:
    async with connection.channel() as channel:
        assert (None, False, True) == (channel.closing_exc, channel.closing, channel.entered)

    assert isinstance(channel.closing_exc, ClientClosedChannelOK)
    assert channel.closing
    with pytest.raises(ClientClosedChannelOK):
        await channel.ack(1)


async def test_channel_closing_exc_after_an_exception(connection: ammoo.Connection) -> None:
    error = KeyError("mine")
    with pytest.raises(KeyError):
        async with connection.channel() as channel:
            raise error

    assert isinstance(channel.closing_exc, ClientClosedChannelError)
    assert error is channel.closing_exc.exc


async def test_channel_needs_entering_and_only_once(connection: ammoo.Connection) -> None:
    channel = connection.channel()
    with pytest.raises(RuntimeError, match="async with connection"):
        await channel.declare_queue("q")
    async with channel:
        with pytest.raises(RuntimeError, match="entered before"):
            await channel.__aenter__()


async def test_error_on_a_channel_is_one_object_for_everybody(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with connection.channel() as other:
        waiting = [
            asyncio.create_task(channel.declare_queue("q")),
            asyncio.create_task(channel.get("q")),
            asyncio.create_task(channel.get_next_returned_message()),
        ]
        await turn_over()
        peer.send(ChannelCloseParameters(404, "NOT_FOUND - no queue 'q' in vhost '/'", 60, 70))
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        with pytest.raises(NotFound) as caught:
            await channel.publish("", "q", b"")
        assert {id(caught.value)} == {id(error) for error in errors}
        assert (404, 60, 70) == (
            caught.value.reply_code,
            caught.value.class_id,
            caught.value.method_id,
        )
        peer.received.clear()
        await peer.synchronise(other)


async def test_error_that_is_caught_does_not_leave_the_block(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    async with connection.channel() as channel:
        peer.send(ChannelCloseParameters(404, "NOT_FOUND - x", 0, 0))
        with pytest.raises(ServerClosedChannel):
            await channel.get_next_returned_message()

    assert isinstance(channel.closing_exc, NotFound)


async def test_error_that_is_not_caught_leaves_the_blocks(server: ScriptedServer) -> None:
    channels: list[ammoo.Channel] = []

    async def use() -> None:
        async with await ammoo.connect(server.url) as connection, connection.channel() as channel:
            channels.append(channel)
            server.peer.send(ChannelCloseParameters(404, "NOT_FOUND - x", 0, 0))
            await channel.get_next_returned_message()

    with pytest.raises(NotFound) as caught:
        await use()

    assert channels[0].closing_exc is caught.value


async def test_number_is_free_when_the_server_has_answered(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    del peer.answers[ChannelCloseParameters]
    async with connection.channel() as channel:
        await channel.close(timeout=0.01)  # the server does not answer yet
    await peer.expect(ChannelCloseParameters)
    async with connection.channel() as second:
        assert 2 == second.channel_id
        peer.send(QueueDeclareOkParameters("late", 0, 0))  # on channel 1: nobody listens
        peer.send(ChannelCloseOkParameters())
        await peer.synchronise(second)
        async with connection.channel() as third:
            assert 1 == third.channel_id
            peer.answers[ChannelCloseParameters] = lambda _: ChannelCloseOkParameters()


async def test_number_of_a_channel_that_the_server_closed_is_used_last() -> None:
    async with ScriptedServer(channel_max=2) as server, await ammoo.connect(server.url) as c:
        async with c.channel() as channel:
            server.peer.send(ChannelCloseParameters(404, "NOT_FOUND - x", 0, 0))
            with pytest.raises(NotFound):
                await channel.get_next_returned_message()
        async with c.channel() as second, c.channel() as third:
            numbers = second.channel_id, third.channel_id
        async with c.channel() as fourth:
            assert (2, 1, 1) == (*numbers, fourth.channel_id)


async def test_message_for_the_channel_that_had_the_number_before_is_left_out(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    late = BasicDeliverParameters("ammoo-1.1", 7, False, "", "q")

    def open_late(_: object) -> ChannelOpenOkParameters:
        peer.protocol.send_content(1, encode_method(late), NO_PROPERTIES, b"late")
        return ChannelOpenOkParameters()

    peer.answers[ChannelOpenParameters] = open_late
    async with connection.channel() as channel:
        assert 0 == len(channel._require_live().acknowledgements.unacked)


async def test_closes_of_a_channel_may_cross(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    del peer.answers[ChannelCloseParameters]
    channel = await connection.channel().__aenter__()
    closing = asyncio.create_task(channel.close())
    await peer.expect(ChannelCloseParameters)
    peer.protocol.send(1, ChannelCloseParameters(406, "PRECONDITION_FAILED - x", 0, 0))
    peer.send(ChannelCloseOkParameters())
    await closing  # says nothing; leaving the block does

    assert isinstance(channel.closing_exc, PreconditionFailed)
    peer.answers[ChannelCloseParameters] = lambda _: ChannelCloseOkParameters()
    async with connection.channel() as again:
        assert 1 == again.channel_id


async def test_close_ends_what_waits(connection: ammoo.Connection, peer: ScriptedPeer) -> None:
    async with connection.channel() as channel:
        await channel.select_confirm()
        waiting = [
            asyncio.create_task(channel.get("q")),
            asyncio.create_task(channel.publish("", "q", b"")),
            asyncio.create_task(channel.get_next_returned_message()),
        ]
        await turn_over()
        await connection.close()
        errors = await asyncio.gather(*waiting, return_exceptions=True)

    assert {id(connection.closing_exc)} == {id(error) for error in errors}
    assert isinstance(connection.closing_exc, ClientClosedConnectionOK)


async def test_close_with_a_server_that_answers_nothing(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await ammoo.connect(server.url)
    await connection.__aenter__()
    channel = await connection.channel().__aenter__()
    server.peer.is_deaf = True
    clock = LoopClock(monkeypatch)

    await close_while_a_second_passes(clock, channel.close(timeout=1))
    await close_while_a_second_passes(clock, channel.close(timeout=1))
    await close_while_a_second_passes(clock, connection.close(timeout=1))


async def close_while_a_second_passes(clock: LoopClock, closing: Coroutine[Any, Any, None]) -> None:
    """Close, and let a second pass meanwhile, by the loop's time."""
    task = asyncio.create_task(closing)
    await clock.advance(1)
    await task


@pytest.mark.parametrize(("operation_timeout", "seconds"), [(None, 5), (30, 5), (2, 2)])
async def test_leaving_all_blocks_waits_once_for_a_server_that_hangs(
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    operation_timeout: int | None,
    seconds: int,
) -> None:
    entered = asyncio.Event()

    async def use() -> None:
        async with (
            await ammoo.connect(server.url, operation_timeout=operation_timeout) as connection,
            connection.channel() as outer,
            connection.channel() as inner,
            outer.consume("a"),
            inner.consume("b"),
        ):
            entered.set()
            await asyncio.Event().wait()

    server.answers[BasicConsumeParameters] = lambda asked: BasicConsumeOkParameters(
        asked.consumer_tag
    )
    using = asyncio.create_task(use())
    await entered.wait()
    server.peer.is_deaf = True
    clock = LoopClock(monkeypatch)

    using.cancel()
    await clock.advance(seconds - 0.1)
    assert not using.done()
    await clock.advance(0.1)
    await clock.settle(turns=50)  # no time, but some turns of the loop for each block

    assert using.cancelled()


async def test_server_that_was_given_no_time_is_not_silent(
    connection: ammoo.Connection, server: ScriptedServer
) -> None:
    async with connection.channel() as channel:
        await channel.close(timeout=0)

    assert not connection._require_live().is_unresponsive


async def test_server_that_answers_late_is_waited_for_again(
    connection: ammoo.Connection, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await connection.channel().__aenter__()
    consumer = channel.consume("q")
    entering = asyncio.create_task(consumer.__aenter__())
    tag = await peer.consumer()
    await entering
    with monkeypatch.context() as while_waiting:
        clock = LoopClock(while_waiting)
        leaving = asyncio.create_task(consumer.__aexit__(None, None, None))
        await peer.expect(BasicCancelParameters)
        await clock.advance(5)
        await leaving
    assert connection._require_live().is_unresponsive

    peer.send(BasicCancelOkParameters(tag))
    await peer.synchronise(channel)

    assert not connection._require_live().is_unresponsive
    peer.answers.pop(ChannelCloseParameters)
    closing = asyncio.create_task(channel.__aexit__(None, None, None))
    await peer.expect(ChannelCloseParameters)
    await turn_over()
    assert not closing.done()
    peer.send(ChannelCloseOkParameters())
    await closing


async def test_close_with_a_server_that_reads_nothing(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await ammoo.connect(server.url)
    await connection.__aenter__()
    channel = await connection.channel().__aenter__()
    server.peer.pause_reading()
    publishing = await started(channel.publish("", "q", bytes(64 * 1024 * 1024)))
    clock = LoopClock(monkeypatch)

    closing = asyncio.create_task(connection.close(timeout=1))
    await clock.advance(1)

    await closing
    await publishing  # it was told that its message is on the way, and it was


async def test_cancelled_close_closes_the_socket(server: ScriptedServer) -> None:
    connection = await ammoo.connect(server.url)
    await connection.__aenter__()
    server.peer.is_deaf = True
    closing = await started(connection.close())

    closing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await closing
    async with asyncio.timeout(30):
        await server.peer.closed


async def test_messages_on_their_way_out_go_before_the_close(server: ScriptedServer) -> None:
    async with await ammoo.connect(server.url) as connection, connection.channel() as channel:
        await channel.publish("", "q", b"last words")

    command = await server.peer.expect_command(BasicPublishParameters)
    assert command.body == bytearray(b"last words")


async def test_settling_on_a_closed_channel_sends_nothing(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    async with connection.channel() as channel:
        getting = asyncio.create_task(channel.get("q"))
        await peer.expect(BasicGetParameters)
        peer.got(1)
        message = await getting

    with pytest.raises(ClientClosedChannelOK):
        await message.ack()
    async with connection.channel() as another:
        await peer.synchronise(another)
    assert not [c for c in peer.received if isinstance(c.parameters, BasicAckParameters)]


async def test_opening_a_channel_on_a_closed_connection(connection: ammoo.Connection) -> None:
    channel = connection.channel()
    await connection.close()

    with pytest.raises(ClientClosedConnectionOK):
        await channel.__aenter__()


async def test_channel_that_the_server_does_not_open(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    del peer.answers[ChannelOpenParameters]
    opening = asyncio.create_task(connection.channel().__aenter__())
    await peer.expect(ChannelOpenParameters)

    peer.send(ChannelCloseParameters(403, "ACCESS_REFUSED - no", 20, 10))

    with pytest.raises(ServerClosedChannel, match=r"answering channel.open"):
        await opening


# --- what the server said, and no operation has raised ---


async def test_channel_that_the_server_closed_unnoticed_says_so_when_it_is_left(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    with pytest.raises(NotFound, match="no exchange 'x'") as caught:  # noqa: PT012  the end of the block is what raises
        async with connection.channel() as channel:
            peer.send(ChannelCloseParameters(404, "NOT_FOUND - no exchange 'x'", 60, 40))
            await peer.expect(ChannelCloseOkParameters)

    assert channel.closing_exc is caught.value


async def test_close_of_the_server_that_crosses_ours_is_raised(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    del peer.answers[ChannelCloseParameters]
    channel = await connection.channel().__aenter__()
    leaving = asyncio.create_task(channel.__aexit__(None, None, None))
    await peer.expect(ChannelCloseParameters)
    peer.send(ChannelCloseParameters(404, "NOT_FOUND - no exchange 'x'", 60, 40))
    await peer.expect(ChannelCloseOkParameters)
    peer.send(ChannelCloseOkParameters())

    with pytest.raises(NotFound, match="no exchange 'x'") as caught:
        await leaving

    assert channel.closing_exc is caught.value
    assert not connection._require_live().protocol.crossed_closes


async def test_close_of_the_server_that_crosses_ours_in_one_read_is_raised(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    channel = await connection.channel().__aenter__()
    peer.send(ChannelCloseParameters(404, "NOT_FOUND - no exchange 'x'", 60, 40))

    with pytest.raises(NotFound):
        await channel.__aexit__(None, None, None)


async def test_error_that_was_raised_once_is_not_raised_again(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    async with connection.channel() as channel:
        peer.send(ChannelCloseParameters(404, "NOT_FOUND - no exchange 'x'", 60, 40))
        with pytest.raises(NotFound):
            await channel.get_next_returned_message()


async def test_exception_of_the_block_goes_before_what_the_server_said(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    with pytest.raises(KeyError):  # noqa: PT012  the end of the block is what raises
        async with connection.channel() as channel:
            peer.send(ChannelCloseParameters(404, "NOT_FOUND - no exchange 'x'", 60, 40))
            await peer.expect(ChannelCloseOkParameters)
            raise KeyError("mine")

    assert isinstance(channel.closing_exc, NotFound)


async def test_connection_that_the_server_closed_unnoticed_says_so_when_it_is_left(
    server: ScriptedServer,
) -> None:
    with pytest.raises(MethodNotImplemented) as caught:  # noqa: PT012  the end of the block is what raises
        async with await ammoo.connect(server.url) as connection:
            server.peer.protocol.close(540, "NOT_IMPLEMENTED - immediate=true", 60, 40)
            server.peer.flush()
            await connection.wait_closed()

    assert connection.closing_exc is caught.value


@pytest.mark.parametrize("recovery", [None, ammoo.Recovery()], ids=["ends", "recovers"])
async def test_close_of_the_server_that_crosses_the_connections_is_raised(
    server: ScriptedServer, recovery: ammoo.Recovery | None
) -> None:
    connection = await (await ammoo.connect(server.url, recovery=recovery)).__aenter__()
    server.peer.protocol.close(540, "NOT_IMPLEMENTED - immediate=true", 60, 40)
    server.peer.flush()

    with pytest.raises(MethodNotImplemented) as caught:
        await connection.__aexit__(None, None, None)

    assert connection.closing_exc is caught.value


async def test_close_ends_though_the_end_of_the_connection_was_not_processed(
    server: ScriptedServer,
) -> None:
    """A fault of the client's own, or of what it calls, must not make a program hang."""
    connection = await _entered_connection(server.url)
    live = connection._require_live()

    def fail(error: Exception) -> None:
        raise LookupError

    live.on_end = fail
    with pytest.raises(LookupError):
        live.lost(None)
    live.transport.abort()
    async with asyncio.timeout(30):
        await connection.close()

    assert live.is_closed


async def _entered_connection(url: str) -> ammoo.Connection:
    connection = await ammoo.connect(url)
    return await connection.open()


# --- dropped ---


@pytest.mark.parametrize("recovery", [None, ammoo.Recovery()], ids=["ends", "recovers"])
@pytest.mark.parametrize("is_entered", [False, True])
async def test_connection_that_is_dropped_while_open_warns_at_once(
    server: ScriptedServer, is_entered: bool, recovery: ammoo.Recovery | None
) -> None:
    gc.disable()  # what is dropped is found out without a collection
    connection = await ammoo.connect(server.url, recovery=recovery)
    channels = [await _entered(connection)] if is_entered else []

    with pytest.warns(ResourceWarning, match="was dropped without being closed"):
        del connection, channels

    gc.enable()
    await server.accepted()
    async with asyncio.timeout(30):
        await server.peer.closed


async def test_connection_that_is_dropped_while_it_is_recovered_warns_and_tries_no_more(
    server: ScriptedServer,
) -> None:
    connection = await ammoo.connect(server.url, recovery=ammoo.Recovery(random=lambda: 0.0))
    await connection.__aenter__()
    events = connection.events()
    server.is_deaf = True
    server.peer.abort()
    await server.accepted(2)

    with pytest.warns(ResourceWarning, match="recovering> was dropped without being closed"):
        del connection

    *_, last = [event async for event in events]
    assert isinstance(last, Closed)
    async with asyncio.timeout(30):
        await server.peer.closed


async def _entered(connection: ammoo.Connection) -> ammoo.Channel:
    """Return the first channel of a connection that is not entered yet."""
    await connection.__aenter__()
    channel = await connection.channel().__aenter__()
    connection.add_blocked_callback(lambda reason: None)
    return channel


async def test_channel_keeps_its_connection(server: ScriptedServer) -> None:
    channel = await _entered(await ammoo.connect(server.url))

    declaring = asyncio.create_task(channel.declare_queue("q"))
    await server.peer.declare()

    assert "queue" == (await declaring).queue_name
    await channel.connection.close()


async def test_connection_that_is_closed_is_dropped_without_a_word(server: ScriptedServer) -> None:
    connection = await ammoo.connect(server.url)
    await connection.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del connection


def test_connection_that_was_never_made_is_dropped_without_a_word() -> None:
    connection = ammoo.Connection.__new__(ammoo.Connection)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del connection
