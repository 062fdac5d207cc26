"""A publisher on a server that does what the test says: outcomes, the window, leaving."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import ammoo
from ammoo.exceptions import (
    ConnectionLost,
    OperationTimeout,
    PublishFailed,
    PublishNack,
    PublishNotSent,
    PublishRefused,
    PublishReturned,
    PublishUnknown,
)
from ammoo.publisher import Confirmation, Publisher
from ammoo_wire import (
    BasicAckParameters,
    BasicNackParameters,
    BasicPublishParameters,
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ConnectionBlockedParameters,
    ConnectionUnblockedParameters,
    EncodeError,
)
from tests.client.brokers import Name
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.recovery.until import settle
from tests.support.clock import LoopClock
from tests.support.tasks import cancel_each

NO_EXCHANGE = ChannelCloseParameters(404, "NOT_FOUND - no exchange 'e' in vhost '/'", 60, 40)


async def publish(publisher: Publisher, *keys: str, **options: Any) -> list[Confirmation]:
    return [await publisher.publish("", key, b"body", **options) for key in keys]


async def received(peer: ScriptedPeer, count: int) -> list[str]:
    """Return the routing keys of the next publishes."""
    return [(await peer.expect(BasicPublishParameters)).routing_key for _ in range(count)]


@asynccontextmanager
async def failing(publisher: Publisher) -> AsyncIterator[list[Exception]]:
    """Enter a publisher, and collect the failures that leaving it raises."""
    failures: list[Exception] = []
    try:
        async with publisher:
            yield failures
    except ExceptionGroup as group:
        failures += group.exceptions


async def test_publish_returns_before_the_confirm(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher() as publisher:
        (confirmation,) = await publish(publisher, "a")
        await received(peer, 1)

        assert not confirmation.done()
        assert (1, 0, 0, 1) == counts(publisher)
        peer.send(BasicAckParameters(1, False))
        await confirmation

    assert confirmation.done()
    assert confirmation.exception() is None
    assert (1, 1, 0, 0) == counts(publisher)
    assert 1 == confirmation.publish_sequence_number


def counts(publisher: Publisher) -> tuple[int, int, int, int]:
    return publisher.sent, publisher.confirmed, publisher.failed, publisher.in_flight


async def test_each_message_has_its_own_outcome(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    """Acks of one and of several, a nack and a return, mixed."""
    async with scripted.publisher() as publisher:
        confirmations = await publish(publisher, "a", "b", "c", "d", "e", mandatory=True)
        await received(peer, 5)
        peer.returned("d")
        peer.send(BasicNackParameters(2, False))
        peer.send(BasicAckParameters(1, False))
        peer.send(BasicAckParameters(5, True))
        outcomes = await asyncio.gather(*confirmations, return_exceptions=True)

    assert [type(None), PublishNack, type(None), PublishReturned, type(None)] == [
        type(each) for each in outcomes
    ]
    assert (5, 3, 2, 0) == counts(publisher)


async def test_failure_names_exchange_routing_key_and_number(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher() as publisher:
        await publish(publisher, "a")
        failed = await publisher.publish("exchange", "b", b"body")
        await received(peer, 2)
        peer.send(BasicAckParameters(1, False))
        peer.send(BasicNackParameters(2, False))
        with pytest.raises(PublishNack) as caught:
            await failed

    assert ("exchange", "b", 2) == (
        caught.value.exchange_name,
        caught.value.routing_key,
        caught.value.publish_sequence_number,
    )
    assert "message 2 to exchange 'exchange' with routing key 'b'" in str(caught.value)


async def test_leaving_waits_and_raises_what_failed(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    publisher = scripted.publisher()
    async with failing(publisher) as failures:
        await publish(publisher, "a", "b", "c")
        await received(peer, 3)
        peer.send(BasicNackParameters(2, False))
        peer.send(BasicAckParameters(3, True))

    assert [PublishNack] == [type(each) for each in failures]
    assert not scripted._publishers


async def test_failure_that_a_caller_has_got_is_not_raised_again(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher() as publisher:
        early, late = await publish(publisher, "a", "b")
        awaiting = asyncio.create_task(outcome(early))
        await received(peer, 2)
        await settle()
        peer.send(BasicNackParameters(2, True))

        assert isinstance(await awaiting, PublishNack)
        assert isinstance(await outcome(late), PublishNack)
        assert isinstance(await outcome(late), PublishNack)


async def outcome(confirmation: Confirmation) -> BaseException | None:
    try:
        await confirmation
    except PublishFailed as error:
        return error
    return None


async def test_failure_that_its_caller_does_not_get_is_raised(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    """The caller is cancelled in the turn in which the outcome comes."""
    publisher = scripted.publisher()
    async with failing(publisher) as failures:
        (confirmation,) = await publish(publisher, "a")
        await received(peer, 1)
        awaiting = asyncio.create_task(outcome(confirmation))
        await settle()
        confirmation.set_exception(PublishNack(1))
        awaiting.cancel()
        await asyncio.wait({awaiting})

    assert awaiting.cancelled()
    assert [PublishNack] == [type(each) for each in failures]


async def test_flush_waits_for_what_was_published_before(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher() as publisher:
        await publish(publisher, "a", "b")
        flushing = asyncio.create_task(publisher.flush())
        await settle()
        await publish(publisher, "c")
        await received(peer, 3)
        peer.send(BasicAckParameters(1, False))
        await peer.synchronise(scripted)
        assert not flushing.done()

        peer.send(BasicAckParameters(2, False))
        await flushing

        assert 1 == publisher.in_flight
        peer.send(BasicAckParameters(3, False))


async def test_flush_raises_failures_once(scripted: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with scripted.publisher() as publisher:
        await publish(publisher, "a", "b")
        await received(peer, 2)
        peer.send(BasicNackParameters(1, False))
        peer.send(BasicAckParameters(2, False))

        with pytest.raises(ExceptionGroup, match="1 of 2 messages were not confirmed"):
            await publisher.flush()
        await publisher.flush()


async def test_flush_is_bounded(scripted: ammoo.Channel, peer: ScriptedPeer) -> None:
    async with scripted.publisher() as publisher:
        (confirmation,) = await publish(publisher, "a")
        await received(peer, 1)

        with pytest.raises(OperationTimeout):
            await publisher.flush(timeout=0.001)

        peer.send(BasicAckParameters(1, False))
        await confirmation


async def test_publish_waits_while_the_window_is_full(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher(max_in_flight=2) as publisher:
        publishing = asyncio.create_task(publish(publisher, "a", "b", "c"))
        assert ["a", "b"] == await received(peer, 2)
        await peer.synchronise(scripted)
        assert not publishing.done()

        peer.send(BasicAckParameters(1, False))
        assert ["c"] == await received(peer, 1)
        await publishing
        peer.send(BasicAckParameters(3, True))


async def confirm_singly(
    peer: ScriptedPeer, publisher: Publisher, numbers: Iterable[int], *, expect_next: bool
) -> list[str]:
    """Ack one by one while at most ten are in flight; return the keys that come in for them."""
    keys: list[str] = []
    for number in numbers:
        assert 10 >= publisher.in_flight
        peer.send(BasicAckParameters(number, False))
        keys += await received(peer, int(expect_next))
    return keys


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_failure_that_one_of_two_tasks_has_raised_is_not_raised_again(
    scripted: ammoo.Channel, peer: ScriptedPeer, cancelled: int
) -> None:
    """The other task is cancelled in the turn in which the outcome comes."""
    async with scripted.publisher() as publisher:
        confirmation = (await publish(publisher, "a"))[0]
        tasks = [asyncio.create_task(outcome(confirmation)) for _ in range(2)]
        await settle()
        confirmation.set_exception(PublishNack(1))
        tasks[cancelled].cancel()
        await asyncio.wait(tasks)

    assert tasks[cancelled].cancelled()
    assert isinstance(tasks[1 - cancelled].result(), PublishNack)


async def test_tasks_get_room_in_their_order_and_those_that_are_cancelled_publish_nothing(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher(max_in_flight=10) as publisher:
        tasks = [asyncio.create_task(publish(publisher, str(each))) for each in range(100)]
        keys = await received(peer, 10)
        await settle()
        cancel_each(tasks[20:100:10])
        keys += await confirm_singly(peer, publisher, range(1, 83), expect_next=True)
        keys += await confirm_singly(peer, publisher, range(83, 93), expect_next=False)
        await publisher.flush()
        await asyncio.gather(*tasks, return_exceptions=True)

    assert [str(each) for each in range(100) if each < 20 or each % 10] == keys
    assert (92, 92, 0, 0) == counts(publisher)


async def test_body_error_is_not_masked_and_failures_are_noted(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async def work() -> None:
        async with scripted.publisher() as publisher:
            await publish(publisher, *"abcdefghijkl")
            await received(peer, 12)
            peer.send(BasicNackParameters(12, True))
            raise KeyError("body")

    with pytest.raises(KeyError) as caught:
        await work()

    assert 11 == len(caught.value.__notes__)
    assert caught.value.__notes__[0].startswith("the server did not accept message 1 to exchange")
    assert "2 more messages were not confirmed" == caught.value.__notes__[-1]


async def test_publisher_that_is_cancelled_waits_for_nothing(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    entered, confirmations = asyncio.Event(), []

    async def work() -> None:
        async with scripted.publisher() as publisher:
            confirmations.extend(await publish(publisher, "a"))
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    await asyncio.wait({task})
    await received(peer, 1)
    peer.send(BasicAckParameters(1, False))
    await peer.synchronise(scripted)

    assert task.cancelled()
    assert isinstance(confirmations[0].exception(), PublishUnknown)


async def test_leaving_that_is_cancelled_counts_what_is_left_as_unknown(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    confirmations = []

    async def work() -> None:
        async with scripted.publisher() as publisher:
            confirmations.extend(await publish(publisher, "a"))

    task = asyncio.create_task(work())
    await received(peer, 1)
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task

    assert isinstance(confirmations[0].exception(), PublishUnknown)
    assert 1 == len(caught.value.__notes__)


async def test_message_that_closed_its_channel_alone_is_refused(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher() as publisher:
        (confirmation,) = await publish(publisher, "a")
        await received(peer, 1)
        peer.send(NO_EXCHANGE)

        error = await outcome(confirmation)

    assert isinstance(error, PublishRefused)
    assert "no exchange 'e'" in str(error)


async def test_messages_in_flight_when_one_closes_the_channel_are_unknown(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    publisher = scripted.publisher()
    async with failing(publisher) as failures:
        await publish(publisher, "a", "b")
        await received(peer, 2)
        peer.send(NO_EXCHANGE)

    assert [PublishUnknown, PublishUnknown] == [type(each) for each in failures]


async def test_publish_on_a_closed_channel_is_not_sent(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher() as publisher:
        await scripted.close()

        with pytest.raises(PublishNotSent, match="message to exchange 'e' with routing key 'a'"):
            await publisher.publish("e", "a", b"body")

    assert (0, 0, 0, 0) == counts(publisher)


async def failures_when_blocked(
    channel: ammoo.Channel, peer: ScriptedPeer, then: Callable[[], None]
) -> list[Exception]:
    """Publish a message, and another one while the server has blocked the connection."""
    publisher = channel.publisher()
    async with failing(publisher) as failures:
        await publish(publisher, "a")
        await received(peer, 1)
        peer.send(ConnectionBlockedParameters("memory"), channel_number=0)
        await channel.connection.wait_blocked()
        await publish(publisher, "b")
        then()
    return failures


async def test_lost_connection_makes_what_was_sent_unknown_and_the_rest_not_sent(
    server: ScriptedServer,
) -> None:
    async with await ammoo.connect(server.url) as connection, connection.channel() as channel:
        failures = await failures_when_blocked(channel, server.peer, server.peer.abort)

    assert [PublishUnknown, PublishNotSent] == [type(each) for each in failures]
    assert isinstance(failures[0].__cause__, ConnectionLost)
    assert isinstance(failures[1].__cause__, ConnectionLost)


async def test_blocked_messages_have_their_places_and_are_sent_in_order(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher() as publisher:
        peer.send(ConnectionBlockedParameters("memory"), channel_number=0)
        await scripted.connection.wait_blocked()
        await publish(publisher, "a", "b")
        assert (2, 0, 0, 2) == counts(publisher)

        peer.send(ConnectionUnblockedParameters(), channel_number=0)
        assert ["a", "b"] == await received(peer, 2)
        await publish(publisher, "c")
        assert ["c"] == await received(peer, 1)
        peer.send(BasicAckParameters(3, True))


async def test_messages_wait_while_the_server_stops_the_channel(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher() as publisher:
        peer.send(ChannelFlowParameters(False))
        await peer.expect(ChannelFlowOkParameters)
        await publish(publisher, "a")

        peer.send(ChannelFlowParameters(True))
        await peer.expect(ChannelFlowOkParameters)
        assert ["a"] == await received(peer, 1)
        peer.send(BasicAckParameters(1, False))


async def test_messages_that_are_blocked_for_too_long_are_not_sent(server: ScriptedServer) -> None:
    async with (
        await ammoo.connect(server.url, blocked_timeout=0.01) as connection,
        connection.channel() as channel,
    ):
        failures = await failures_when_blocked(channel, server.peer, lambda: None)

    assert [PublishUnknown, PublishNotSent] == [type(each) for each in failures]
    assert "memory" in str(failures[1])


async def test_time_of_a_message_ends_whatever_it_waits_for(
    scripted: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is in flight, one blocked, and one waits for room."""
    async with scripted.publisher(max_in_flight=2, timeout=30) as publisher:
        clock = LoopClock(monkeypatch)
        (sent,) = await publish(publisher, "a")
        await received(peer, 1)
        await clock.advance(10)
        peer.send(ConnectionBlockedParameters("memory"), channel_number=0)
        await scripted.connection.wait_blocked()
        (blocked,) = await publish(publisher, "b")
        await clock.advance(19)
        assert not sent.done()

        await clock.advance(1)
        assert isinstance(await outcome(sent), PublishUnknown)
        await clock.advance(10)
        assert isinstance(await outcome(blocked), PublishNotSent)

        waiting = await publish(publisher, "c", "d")
        late = asyncio.create_task(publish(publisher, "e"))
        await clock.advance(30)
        with pytest.raises(PublishNotSent):
            await late
        assert [PublishNotSent] * 2 == [type(await outcome(each)) for each in waiting]


async def test_late_confirm_of_a_message_whose_time_is_over_changes_nothing(
    scripted: ammoo.Channel, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted.publisher(timeout=30) as publisher:
        clock = LoopClock(monkeypatch)
        (confirmation,) = await publish(publisher, "a")
        await received(peer, 1)
        await clock.advance(30)
        peer.send(BasicAckParameters(1, False))
        await peer.synchronise(scripted)

        error = await outcome(confirmation)

    assert isinstance(error, PublishUnknown)
    assert isinstance(error.exc, OperationTimeout)
    assert (1, 0, 1, 0) == counts(publisher)


async def test_too_many_failures_are_raised_by_publish(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher(max_in_flight=500) as publisher:
        await publish(publisher, *("a" for _ in range(500)))
        await received(peer, 500)
        peer.send(BasicNackParameters(0, True))
        await peer.synchronise(scripted)
        await publish(publisher, *("a" for _ in range(500)))
        await received(peer, 500)
        peer.send(BasicNackParameters(0, True))
        await peer.synchronise(scripted)

        with pytest.raises(ExceptionGroup, match="1000 of 1000 messages were not confirmed"):
            await publish(publisher, "b")

        assert 1000 == publisher.sent


async def test_program_that_awaits_a_full_window_of_failures_gets_each_of_them(
    broker_channel: ammoo.Channel, name: Name
) -> None:
    nowhere = name("nowhere")
    held: deque[ammoo.Confirmation] = deque()
    async with broker_channel.publisher(max_in_flight=1000) as publisher:
        outcomes = [
            await outcome(held.popleft())
            async for _ in publishing(publisher, nowhere, held, count=3000, most=1000)
        ]
        outcomes += [await outcome(each) for each in held]

    assert [PublishReturned] * 3000 == [type(each) for each in outcomes]
    assert (3000, 0, 3000, 0) == counts(publisher)


async def publishing(
    publisher: ammoo.Publisher,
    routing_key: str,
    held: deque[ammoo.Confirmation],
    *,
    count: int,
    most: int,
) -> AsyncIterator[None]:
    """Publish, and let the caller take a confirmation whenever more than so many are held."""
    for _ in range(count):
        held.append(await publisher.publish("", routing_key, b"", mandatory=True))
        if len(held) > most:
            yield


async def test_name_that_cannot_be_sent_takes_no_place(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher(max_in_flight=1) as publisher:
        with pytest.raises(EncodeError):
            await publish(publisher, "k" * 256)

        await publish(publisher, "a")
        assert ["a"] == await received(peer, 1)
        peer.send(BasicAckParameters(1, False))

    assert (1, 1, 0, 0) == counts(publisher)


async def test_name_that_cannot_be_sent_fails_when_its_turn_comes(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    publisher = scripted.publisher()
    async with failing(publisher) as failures:
        peer.send(ConnectionBlockedParameters("memory"), channel_number=0)
        await scripted.connection.wait_blocked()
        await publish(publisher, "k" * 256, "a")
        peer.send(ConnectionUnblockedParameters(), channel_number=0)
        assert ["a"] == await received(peer, 1)
        peer.send(BasicAckParameters(1, False))

    assert [PublishNotSent] == [type(each) for each in failures]
    assert isinstance(failures[0].__cause__, EncodeError)


async def test_publisher_is_entered_once_and_used_inside(scripted: ammoo.Channel) -> None:
    publisher = scripted.publisher()
    with pytest.raises(RuntimeError, match="not open"):
        await publish(publisher, "a")
    async with publisher:
        pass
    with pytest.raises(RuntimeError, match="not open"):
        await publish(publisher, "a")
    with pytest.raises(RuntimeError, match="entered before"):
        await publisher.__aenter__()


async def test_task_that_waits_for_room_is_told_that_the_publisher_was_left(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher(max_in_flight=1) as publisher:
        await publish(publisher, "a")
        waiting = asyncio.create_task(publish(publisher, "b"))
        await received(peer, 1)
        await settle()
        peer.send(BasicAckParameters(1, False))

    with pytest.raises(PublishNotSent, match="the publisher was left"):
        await waiting


@pytest.mark.parametrize("limits", [{"max_in_flight": 0}, {"max_bytes": 0}])
async def test_window_without_room_is_refused(
    scripted: ammoo.Channel, limits: dict[str, int]
) -> None:
    with pytest.raises(ValueError, match="is 0; expected a number, 1 or more"):
        scripted.publisher(**limits)  # type: ignore[arg-type]  # all are int


@pytest.mark.parametrize(
    ("seconds", "error"), [("5", TypeError), (-1, ValueError), (math.nan, ValueError)]
)
async def test_timeout_that_cannot_be_is_refused(
    scripted: ammoo.Channel, seconds: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=f"timeout is {seconds!r}; expected seconds, 0 or more"):
        scripted.publisher(timeout=seconds)
    with pytest.raises(error, match=f"timeout is {seconds!r}; expected seconds, 0 or more"):
        scripted.rpc(timeout=seconds)
    with pytest.raises(error, match=f"timeout is {seconds!r}; expected seconds, 0 or more"):
        ammoo.drain_on_signals(timeout=seconds)


async def test_republish_requires_recovery(scripted: ammoo.Channel) -> None:
    with pytest.raises(ValueError, match="recovery"):
        scripted.publisher(republish=True)


async def test_confirmation_and_publisher_show_their_state(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    publisher = scripted.publisher()
    async with failing(publisher):
        first, second = await publish(publisher, "a", "b")
        assert "<Confirmation of message 1, in flight>" == repr(first)
        await received(peer, 2)
        peer.send(BasicAckParameters(1, False))
        peer.send(BasicNackParameters(2, False))
        await first
        await peer.synchronise(scripted)

        assert "<Confirmation of message 1, confirmed>" == repr(first)
        assert "<Confirmation of message 2, PublishNack>" == repr(second)
        assert repr(publisher).endswith("2 sent, 1 confirmed, 1 failed, 0 in flight>")


async def test_body_is_sent_as_it_was_when_it_was_published(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    """A bytearray that waits is copied: its owner may change it."""
    body = bytearray(b"before")
    async with scripted.publisher() as publisher:
        peer.send(ConnectionBlockedParameters("memory"), channel_number=0)
        await scripted.connection.wait_blocked()
        await publisher.publish("", "a", body)
        body[:] = b"after!"
        peer.send(ConnectionUnblockedParameters(), channel_number=0)
        command = await peer.expect_command(BasicPublishParameters)
        peer.send(BasicAckParameters(1, False))

    assert b"before" == bytes(command.body or b"")


async def test_publisher_tells_whether_it_has_room(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher(max_in_flight=1) as publisher:
        had_room = [publisher.has_room]
        await publish(publisher, "a")
        had_room.append(publisher.has_room)
        waiting = asyncio.create_task(publisher.wait_for_room())
        await received(peer, 1)
        assert not waiting.done()
        peer.send(BasicAckParameters(1, False))
        await waiting
        had_room.append(publisher.has_room)

    assert [True, False, True] == had_room


async def test_message_of_another_thread_is_not_sent_later(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher() as publisher:
        peer.send(ChannelFlowParameters(False))
        await peer.expect(ChannelFlowOkParameters)
        with pytest.raises(RuntimeError, match="Nothing was sent"):
            await asyncio.to_thread(asyncio.run, publish(publisher, "elsewhere"))
        await publish(publisher, "here")
        peer.send(ChannelFlowParameters(True))
        await peer.expect(ChannelFlowOkParameters)

        assert ["here"] == await received(peer, 1)
        peer.send(BasicAckParameters(1, False))
