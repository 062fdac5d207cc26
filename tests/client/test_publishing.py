"""Publishing on the wire: confirms in any order, returns, the server's wish for silence."""

import asyncio
import functools
import random
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock

import pytest

import ammoo
from ammoo.exceptions.base import OperationTimeout
from ammoo.exceptions.channel import ChannelInactive, PublishNack, PublishReturned, SocketFull
from ammoo.exceptions.connection import (
    ClientClosedConnectionOK,
    ConnectionBlocked,
    ConnectionLost,
    UnexpectedFrame,
)
from ammoo.publish_options import Outgoing
from ammoo_wire import (
    BasicAckParameters,
    BasicNackParameters,
    BasicPublishParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ConfirmSelectParameters,
    ConnectionBlockedParameters,
    ConnectionUnblockedParameters,
    ConnectionUpdateSecretOkParameters,
    ConnectionUpdateSecretParameters,
)
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.support.tasks import count_turns, started, turn_over


async def _publish(channel: ammoo.Channel, *keys: str, **options: Any) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(channel.publish("", key, b"body", **options)) for key in keys]
    await turn_over()
    return tasks


async def test_publish_without_confirms_returns_when_it_is_sent(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.publish("exchange", "key", b"body")

    command = await peer.expect_command(BasicPublishParameters)
    assert ("exchange", "key", False, False) == command.parameters
    assert b"\x00\x00" == command.properties
    assert command.body == bytearray(b"body")


async def test_publishes_of_one_turn_are_written_together(
    channel: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = channel._require_live().transport._socket
    assert socket is not None
    write = Mock(wraps=socket.write)
    monkeypatch.setattr(socket, "write", write)
    await asyncio.gather(*(channel.publish("", "q", b"x") for _ in range(100)))
    await peer.expect_several(BasicPublishParameters, 100)

    # The first one may be all there is, like a request: it does not wait for the others.
    assert 2 == write.call_count


async def test_publisher_that_never_waits_lets_others_have_a_turn(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    turns: list[None] = []
    counting = asyncio.create_task(count_turns(turns))

    await publish_times(1000, channel, bytes(1024))
    counting.cancel()

    assert len(turns) > 10


async def publish_times(count: int, channel: ammoo.Channel, body: bytes) -> None:
    """Publish so often, one after the other."""
    for _ in range(count):
        await channel.publish("", "q", body)


async def test_confirms_may_come_in_any_order(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    await channel.select_confirm()
    tasks = await _publish(channel, *"abcdef")

    peer.send(BasicAckParameters(4, False))
    peer.send(BasicNackParameters(2, False, False))
    await asyncio.wait({tasks[3], tasks[1]})
    assert [False, True, False, True, False, False] == [task.done() for task in tasks]
    peer.send(BasicAckParameters(5, True))
    await asyncio.gather(tasks[0], tasks[2], tasks[4])
    peer.send(BasicNackParameters(0, True, False))

    with pytest.raises(PublishNack) as caught:
        await tasks[1]
    assert 2 == caught.value.publish_sequence_number
    with pytest.raises(PublishNack):
        await tasks[5]


@pytest.mark.parametrize("count", [1, 2, 3, 10, 100])
async def test_each_confirm_settles_what_it_names_and_nothing_else(
    channel: ammoo.Channel, peer: ScriptedPeer, count: int
) -> None:
    """Over 1 to n in any order, single and multiple, until all are settled."""
    await channel.select_confirm()
    tasks = dict(enumerate(await _publish(channel, *map(str, range(count))), 1))
    await peer.expect_several(BasicPublishParameters, count)
    confirms, expected = drawn_confirms(count)

    unsettled = [await unsettled_by(each, tasks, channel, peer) for each in confirms]

    assert expected == unsettled
    await asyncio.gather(*tasks.values())


def drawn_confirms(count: int) -> tuple[list[BasicAckParameters], list[set[int]]]:
    """Draw acks until all publishes are settled; return with them what each leaves unsettled."""
    chance = random.Random(count)
    confirms: list[BasicAckParameters] = []
    left = [set(range(1, count + 1))]
    for number in chance.sample(sorted(left[0]), k=count):
        if number in left[-1]:  # none behind it has settled it
            confirms.append(BasicAckParameters(number, chance.random() < 0.3))
            settled = range(1, number + 1) if confirms[-1].multiple else [number]
            left.append(left[-1].difference(settled))
    return confirms, left[1:]


async def unsettled_by(
    confirm: BasicAckParameters,
    tasks: dict[int, asyncio.Task[None]],
    channel: ammoo.Channel,
    peer: ScriptedPeer,
) -> set[int]:
    """Let the server send a confirm, and return the numbers of the tasks that still wait."""
    peer.send(confirm)
    await peer.synchronise(channel)
    return {number for number, task in tasks.items() if not task.done()}


@pytest.mark.parametrize("number", [0, 2])
async def test_confirm_of_what_was_never_published(
    channel: ammoo.Channel, peer: ScriptedPeer, number: int
) -> None:
    await channel.select_confirm()
    (publishing,) = await _publish(channel, "a")

    peer.send(BasicAckParameters(number, False))

    with pytest.raises(UnexpectedFrame):
        await publishing


async def test_confirm_without_confirm_mode(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    peer.send(BasicAckParameters(1, False))

    with pytest.raises(UnexpectedFrame):
        await channel.get_next_returned_message()


async def test_select_confirm_twice_keeps_the_numbers(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.select_confirm()
    first = await _publish(channel, "a")
    await channel.select_confirm()
    second = await _publish(channel, "b")

    peer.send(BasicAckParameters(2, True))

    await asyncio.gather(*first, *second)


async def test_messages_count_from_confirm_select_on_not_from_its_answer(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    """The server confirms the first message behind confirm.select, whenever that is answered."""
    answer = peer.answers.pop(ConfirmSelectParameters)
    selecting = asyncio.create_task(channel.select_confirm())
    request = await peer.expect(ConfirmSelectParameters)
    first = await _publish(channel, "a")
    peer.send(answer(request))
    await selecting
    second = await _publish(channel, "b")

    peer.send(BasicAckParameters(1, False))
    await asyncio.gather(*first)
    assert not second[0].done()
    peer.send(BasicNackParameters(2, False, False))

    with pytest.raises(PublishNack, match="message 2"):
        await second[0]


async def test_confirm_select_that_was_cancelled_is_in_force_all_the_same(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    selecting = await started(channel.select_confirm())
    selecting.cancel()
    await asyncio.wait({selecting})
    publishing = await _publish(channel, "a")
    await peer.expect(BasicPublishParameters)

    peer.send(BasicAckParameters(1, False))

    await asyncio.gather(*publishing)
    await channel.select_confirm()


@pytest.mark.parametrize("option", ["mandatory", "immediate", "raise_returned"])
async def test_returns_need_confirm_mode(
    channel: ammoo.Channel, peer: ScriptedPeer, option: str
) -> None:
    with pytest.raises(ValueError, match="select_confirm"):
        await channel.publish("", "q", b"", **{option: True})  # type: ignore[call-overload]  # all are bool

    await peer.synchronise(channel)  # and nothing was sent


@pytest.mark.parametrize("option", ["mandatory", "immediate", "raise_returned"])
async def test_returns_need_confirm_mode_also_while_publishes_wait(
    channel: ammoo.Channel, peer: ScriptedPeer, option: str
) -> None:
    peer.send(ConnectionBlockedParameters("low on memory"), channel_number=0)
    await channel.connection.wait_blocked()

    with pytest.raises(ValueError, match="select_confirm"):
        await channel.publish("", "q", b"", **{option: True})  # type: ignore[call-overload]  # all are bool


async def test_returned_message_is_given_out(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    await channel.select_confirm()
    publishing = await _publish(channel, "a", mandatory=True)
    assert ("", "a", True, False) == await peer.expect(BasicPublishParameters)

    peer.returned("a")
    peer.send(BasicAckParameters(1, False))
    await asyncio.gather(*publishing)
    message = await channel.get_next_returned_message()

    assert isinstance(message, ammoo.ReturnMessage)
    assert (312, "NO_ROUTE", "a", "") == (
        message.reply_code,
        message.reply_text,
        message.routing_key,
        message.exchange_name,
    )
    assert b"body" == message.body


async def test_returned_messages_wake_those_who_wait_in_order(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    waiting = [asyncio.create_task(channel.get_next_returned_message()) for _ in range(3)]
    await turn_over()
    waiting[0].cancel()

    peer.returned("a")
    peer.returned("b")

    assert ["a", "b"] == [(await task).routing_key for task in waiting[1:]]


async def test_return_is_raised_in_its_own_publish(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.select_confirm()
    options = {"raise_returned": True, "message_id": "the same"}
    nowhere, somewhere = await _publish(channel, "nowhere", "somewhere", **options)
    command = await peer.expect_command(BasicPublishParameters)
    assert ("", "nowhere", True, False) == command.parameters
    assert command.properties is not None

    peer.returned("nowhere", properties=command.properties)
    peer.send(BasicAckParameters(2, True))

    await somewhere
    with pytest.raises(PublishReturned, match="'nowhere' was returned: NO_ROUTE") as caught:
        await nowhere
    assert "the same" == caught.value.message.properties.message_id


async def test_returns_of_identical_messages_are_as_many_as_came_back(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.select_confirm()
    tasks = await _publish(channel, *"aaaa", raise_returned=True)

    peer.returned("a")
    peer.send(BasicAckParameters(3, False))  # what cannot be routed is confirmed at once
    peer.send(BasicAckParameters(2, True), BasicNackParameters(4, False, False))
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [
        type(None),
        type(None),
        PublishReturned,
        PublishNack,
    ]


async def test_return_that_the_server_has_rewritten_finds_its_publish(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.select_confirm()
    (publishing,) = await _publish(channel, "a", bcc="b", raise_returned=True)

    peer.returned("a")  # RabbitMQ takes BCC out
    peer.send(BasicAckParameters(1, False))

    with pytest.raises(PublishReturned):
        await publishing


async def test_publish_whose_confirm_does_not_come_raises_what_ended_it(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    await channel.select_confirm()
    tasks = await _publish(channel, "a", "b")

    peer.abort()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(outcomes[0], ConnectionLost)
    assert outcomes[0] is outcomes[1]


# --- blocked, and flow ---


async def test_no_publish_leaves_while_the_connection_is_blocked(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    peer.send(ConnectionBlockedParameters("low on memory"), channel_number=0)
    assert "low on memory" == await connection.wait_blocked()
    tasks = await _publish(channel, "a", "b")
    tasks += await _publish(channel, "c", message_id="with properties")
    assert "low on memory" == connection.blocked
    await peer.synchronise(channel)  # other operations go on, and no publish was before it

    peer.send(ConnectionUnblockedParameters(), channel_number=0)

    await connection.wait_unblocked()
    await asyncio.gather(*tasks)
    keys = [(await peer.expect(BasicPublishParameters)).routing_key for _ in range(3)]
    assert ["a", "b", "c"] == keys
    assert connection.blocked is None


async def test_functions_are_told_of_blocked_and_unblocked(server: ScriptedServer) -> None:
    told: list[tuple[str, str | None]] = []
    connection = await ammoo.connect(server.url)
    connection.add_blocked_callback(lambda reason: told.append(("kept", reason)))
    connection.add_blocked_callback(lambda reason: told.append(("kept", reason)))

    def remove(reason: str | None) -> None:
        told.append(("removed", reason))
        assert 1 == connection.remove_blocked_callback(remove)

    connection.add_blocked_callback(remove)
    async with connection, connection.channel() as channel:
        server.peer.send(ConnectionBlockedParameters("low on disk"), channel_number=0)
        await server.peer.synchronise(channel)
        server.peer.send(ConnectionUnblockedParameters(), channel_number=0)
        await server.peer.synchronise(channel)

    assert 0 == connection.remove_blocked_callback(remove)
    assert [
        ("kept", "low on disk"),
        ("kept", "low on disk"),
        ("removed", "low on disk"),
        ("kept", None),
        ("kept", None),
    ] == told


async def report_blocked(reason: str | None) -> None: ...


class BlockedReporter:
    async def __call__(self, reason: str | None) -> None: ...


@pytest.mark.parametrize(
    ("callback", "complaint"),
    [
        (report_blocked, r"coroutine function .* expected a plain function"),
        (functools.partial(report_blocked), r"coroutine function .* expected a plain function"),
        (BlockedReporter(), r"coroutine function .* expected a plain function"),
        (5, "callback is 5; expected a function"),
    ],
    ids=["coroutine function", "partial", "object", "number"],
)
async def test_only_plain_functions_are_called_for_blocked(
    connection: ammoo.Connection, callback: Any, complaint: str
) -> None:
    with pytest.raises(TypeError, match=complaint):
        connection.add_blocked_callback(callback)


async def test_nothing_about_a_callback_is_raised_while_reading(
    connection: ammoo.Connection,
    channel: ammoo.Channel,
    peer: ScriptedPeer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Asyncio's debug mode looks at what it is to call; the connection must outlive that."""
    loop = asyncio.get_running_loop()
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(loop, "call_exception_handler", told.append)
    loop.set_debug(True)

    def fail(reason: str | None) -> None:
        raise KeyError(reason)

    connection.add_blocked_callback(fail)
    callbacks = connection._blocked_callbacks
    callbacks.append((None, callbacks[0][1]))  # type: ignore[arg-type]  # worse than anything that is let in
    peer.send(ConnectionBlockedParameters("low on disk"), channel_number=0)
    await peer.synchronise(channel)

    assert [KeyError, TypeError] == [type(context["exception"]) for context in told]
    assert connection.closing_exc is None


async def test_function_that_is_told_of_blocked_may_use_the_connection(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    closing: list[asyncio.Task[None]] = []
    connection.add_blocked_callback(
        lambda reason: closing.append(asyncio.create_task(connection.close()))
    )
    peer.send(ConnectionBlockedParameters("low on memory"), channel_number=0)

    with pytest.raises(ClientClosedConnectionOK):
        await channel.get_next_returned_message()

    await asyncio.gather(*closing)


async def test_closed_channel_ends_what_a_blocked_connection_holds_back(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    blocked = await started(connection.wait_blocked())
    peer.send(ConnectionBlockedParameters("low on memory"), channel_number=0)
    await blocked
    (publishing,) = await _publish(channel, "key")
    waiting = await started(channel.wait_publishable())

    await channel.close()
    await turn_over()
    done = [publishing.done(), waiting.done()]
    peer.send(ConnectionUnblockedParameters(), channel_number=0)
    errors = await asyncio.gather(publishing, waiting, return_exceptions=True)

    assert [True, True] == done
    assert [channel.closing_exc] * 2 == list(errors)


async def test_publish_that_is_held_back_for_too_long(server: ScriptedServer) -> None:
    async with (
        await ammoo.connect(server.url, blocked_timeout=0.05) as connection,
        connection.channel() as channel,
    ):
        server.peer.send(ConnectionBlockedParameters("low on disk"), channel_number=0)
        await connection.wait_blocked()

        with pytest.raises(ConnectionBlocked, match=r"low on disk.* 0.05 s") as caught:
            await channel.publish("", "q", b"")

        assert isinstance(caught.value, TimeoutError)
        await server.peer.synchronise(channel)


async def test_held_publish_ends_with_the_connection(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    peer.send(ConnectionBlockedParameters("low on memory"), channel_number=0)
    await connection.wait_blocked()
    (publishing,) = await _publish(channel, "a")

    peer.abort()

    with pytest.raises(ConnectionLost):
        await publishing


async def test_flow_holds_publishes_of_the_channel(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    peer.send(ChannelFlowParameters(False))
    assert (False,) == await peer.expect(ChannelFlowOkParameters)
    tasks = await _publish(channel, "a", "b")
    await peer.synchronise(channel)

    peer.send(ChannelFlowParameters(True))

    await asyncio.gather(*tasks)
    await peer.expect(ChannelFlowOkParameters)
    await peer.expect(BasicPublishParameters)


async def test_flow_that_holds_for_too_long(server: ScriptedServer) -> None:
    async with (
        await ammoo.connect(server.url, blocked_timeout=0.05) as connection,
        connection.channel() as channel,
    ):
        server.peer.send(ChannelFlowParameters(False))
        await server.peer.expect(ChannelFlowOkParameters)

        with pytest.raises(ChannelInactive):
            await channel.publish("", "q", b"")


# --- for how long ---


@pytest.fixture(params=["operation_timeout", "blocked_timeout"])
async def impatient(
    request: pytest.FixtureRequest, server: ScriptedServer
) -> AsyncIterator[ammoo.Channel]:
    """A channel of a connection on which a publish may wait for a short time."""
    limit: dict[str, Any] = {request.param: 0.05}
    async with (
        await ammoo.connect(server.url, **limit) as connection,
        connection.channel() as channel,
    ):
        yield channel


async def test_blocked_connection_holds_a_publish_for_a_limited_time(
    impatient: ammoo.Channel, server: ScriptedServer
) -> None:
    server.peer.send(ConnectionBlockedParameters("low on disk"), channel_number=0)
    await impatient.connection.wait_blocked()

    with pytest.raises(ConnectionBlocked, match=r"0.05 s; the message was not sent"):
        await impatient.publish("", "q", b"")
    with pytest.raises(ConnectionBlocked):
        await impatient.wait_publishable()


async def test_inactive_channel_holds_a_publish_for_a_limited_time(
    impatient: ammoo.Channel, server: ScriptedServer
) -> None:
    server.peer.send(ChannelFlowParameters(False))
    await server.peer.expect(ChannelFlowOkParameters)

    with pytest.raises(ChannelInactive, match=r"0.05 s; the message was not sent"):
        await impatient.publish("", "q", b"")


async def test_full_socket_holds_a_publish_for_a_limited_time(
    impatient: ammoo.Channel, server: ScriptedServer
) -> None:
    transport = impatient._require_live().transport
    transport.pause_writing()

    with pytest.raises(SocketFull, match=r"0.05 s, so the message was not sent") as caught:
        await impatient.publish("", "q", b"")

    assert isinstance(caught.value, TimeoutError)
    transport.resume_writing()
    await impatient.publish("", "q", b"after")
    assert (await server.peer.expect_command(BasicPublishParameters)).body == bytearray(b"after")


async def test_publish_that_was_sent_waits_for_a_limited_time_once_the_connection_is_blocked(
    impatient: ammoo.Channel, server: ScriptedServer
) -> None:
    await impatient.select_confirm()
    publishing = asyncio.create_task(impatient.publish("", "q", b""))
    nowait = impatient.publish_nowait("", "q", b"")
    await server.peer.expect(BasicPublishParameters)
    server.peer.send(ConnectionBlockedParameters("low on disk"), channel_number=0)

    with pytest.raises(OperationTimeout, match=r"basic.publish within 0.05 s"):
        await publishing
    with pytest.raises(OperationTimeout):
        await nowait

    server.peer.send(ConnectionUnblockedParameters(), channel_number=0)
    server.peer.send(BasicAckParameters(2, True))  # late, and of no concern to any caller
    await impatient.connection.wait_unblocked()
    third = asyncio.create_task(impatient.publish("", "q", b""))
    await server.peer.expect(BasicPublishParameters)
    await server.peer.expect(BasicPublishParameters)
    server.peer.send(BasicAckParameters(3))
    await third


async def test_publish_that_was_held_back_and_sent_has_one_time_for_both(
    server: ScriptedServer,
) -> None:
    async with (
        await ammoo.connect(server.url, operation_timeout=0.1) as connection,
        connection.channel() as channel,
    ):
        await channel.select_confirm()
        transport = channel._require_live().transport
        transport.pause_writing()
        (publishing,) = await _publish(channel, "q")
        transport.resume_writing()

        with pytest.raises(OperationTimeout, match=r"basic.publish within 0.1 s"):
            await publishing


async def test_deadline_counts_from_the_call(server: ScriptedServer) -> None:
    async with (
        await ammoo.connect(server.url, operation_timeout=60) as connection,
        connection.channel() as channel,
    ):
        await channel.select_confirm()
        publishing = channel._require_live().publishing
        over = asyncio.get_running_loop().time()

        with pytest.raises(OperationTimeout):
            await publishing.publish_by(over, "", Outgoing("q", b"\x00\x00", b""))

        publishing._transport.pause_writing()
        with pytest.raises(SocketFull):
            await publishing.publish_by(over, "", Outgoing("q", b"\x00\x00", b""))
        publishing._transport.resume_writing()


async def test_unblocked_in_time_ends_no_publish(server: ScriptedServer) -> None:
    async with (
        await ammoo.connect(server.url, blocked_timeout=60) as connection,
        connection.channel() as channel,
    ):
        await channel.select_confirm()
        (publishing,) = await _publish(channel, "q")
        peer = server.peer
        peer.send(ConnectionBlockedParameters("one"), channel_number=0)
        peer.send(ConnectionBlockedParameters("two"), channel_number=0)
        peer.send(ConnectionUnblockedParameters(), channel_number=0)
        await connection.wait_unblocked()
        await peer.expect(BasicPublishParameters)
        peer.send(BasicAckParameters(1))

        await publishing
        assert connection._require_live().blocking._timer is None


async def test_commit_waits_for_another_one_for_a_limited_time(server: ScriptedServer) -> None:
    async with (
        await ammoo.connect(server.url, operation_timeout=0.05) as connection,
        connection.channel() as channel,
    ):
        results = await asyncio.gather(channel.commit(), channel.commit(), return_exceptions=True)

    assert [OperationTimeout] * 2 == [type(result) for result in results]


async def test_update_secret(connection: ammoo.Connection, peer: ScriptedPeer) -> None:
    updating = asyncio.create_task(connection.update_secret("new", "expires"))
    parameters = await peer.expect(ConnectionUpdateSecretParameters, 0)
    peer.send(ConnectionUpdateSecretOkParameters(), channel_number=0)

    await updating
    assert (b"new", "expires") == parameters
