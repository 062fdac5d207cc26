"""Hooks, the recorder of frames, the guard of the event loop."""

import asyncio
import logging
import threading
import time
from typing import Any

import pytest

import ammoo
from ammoo import Hooks
from ammoo.exceptions import (
    ConnectionLost,
    InternalError,
    PublishNack,
    StaleDelivery,
    UnexpectedFrame,
)
from ammoo.instrumentation.stall_guard import StallGuard, StallWatch
from ammoo.live.channel import LiveChannel
from ammoo.recovery.events import Blocked, Open, Recovering, Unblocked
from ammoo_wire import (
    BasicAckParameters,
    BasicNackParameters,
    ConnectionBlockedParameters,
    ConnectionCloseParameters,
    ConnectionUnblockedParameters,
    ExchangeDeclareOkParameters,
)
from tests.client.brokers import Name
from tests.client.script import ScriptedServer
from tests.recovery.network import Network
from tests.recovery.until import AT_ONCE, until

# --- hooks ---------------------------------------------------------------------------------------


class Notes(Hooks):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def published(self, *args: Any) -> None:
        self.notes.append(("published", *args))

    def confirmed(self, *args: Any, **kwargs: Any) -> None:
        self.notes.append(("confirmed", *args, *kwargs.values()))

    def returned(self, channel_id: int, message: ammoo.ReturnMessage) -> None:
        self.notes.append(("returned", channel_id, bytes(message.body)))

    def delivered(self, channel_id: int, message: ammoo.DeliverMessage) -> None:
        self.notes.append(("delivered", channel_id, bytes(message.body)))

    def settled(self, *args: Any, **kwargs: Any) -> None:
        self.notes.append(("settled", *args, *kwargs.values()))

    def stale(self, *args: Any) -> None:
        self.notes.append(("stale", *args))

    def blocked(self, reason: str | None) -> None:
        self.notes.append(("blocked", reason))

    def lost(self, error: Exception) -> None:
        self.notes.append(("lost", type(error)))

    def recovered(self, address: str, outage: float, attempts: int) -> None:
        self.notes.append(("recovered", address, attempts))


async def test_hooks_are_called_for_what_happens_to_messages(network: Network, name: Name) -> None:
    notes, queue = Notes(), name("orders")
    async with (
        await ammoo.connect(network.url, recovery=AT_ONCE, hooks=notes) as connection,
        connection.channel() as channel,
    ):
        events = connection.events()
        await channel.declare_queue(queue, durable=True)
        await channel.select_confirm()
        async with channel.consume(queue) as consumer:
            await channel.publish("", queue, b"body")
            message = await anext(consumer)
            await message.reject(requeue=False)
            await channel.publish("", queue, b"late")
            old = await anext(consumer)
            network.go_down()
            await until(events, Recovering)
            with pytest.raises(StaleDelivery):
                await old.ack()
            network.go_up()
            await until(events, Open)
            await (await anext(consumer)).ack()
        await channel.publish("", "nowhere", b"back", mandatory=True)

    number = channel.channel_id
    told = [note for note in notes.notes if note[0] not in ("delivered", "confirmed")]
    assert [
        ("published", 1, 1, "", queue, 4),
        ("settled", 1, 1, False, "reject"),
        ("published", 1, 2, "", queue, 4),
        ("lost", ConnectionLost),
        ("stale", 1, 2),
        ("recovered", f"amqp://127.0.0.1:{network.port}", told[5][2]),
        ("settled", number, 1, False, "ack"),
        ("published", number, 1, "", "nowhere", 4),
        ("returned", number, b"back"),
        ("lost", ammoo.exceptions.ClientClosedConnectionOK),
    ] == told
    assert [
        b"body",
        b"late",
        b"late",
    ] == [note[2] for note in notes.notes if note[0] == "delivered"]
    assert 1 == notes.notes.count(("confirmed", 1, 1, False, False))


async def test_hooks_tell_of_refusals_and_of_a_blocked_connection(server: ScriptedServer) -> None:
    notes = Notes()
    async with (
        await ammoo.connect(server.url, hooks=notes) as connection,
        connection.channel() as channel,
    ):
        await channel.select_confirm()
        publishes = [channel.publish_nowait("", "queue", b"body") for _ in range(3)]
        server.peer.send(BasicNackParameters(1), BasicAckParameters(3, True))
        with pytest.raises(PublishNack):
            await publishes[0]
        await publishes[2]
        server.peer.send(ConnectionBlockedParameters("low on memory"), channel_number=0)
        await connection.wait_blocked()
        server.peer.send(ConnectionUnblockedParameters(), channel_number=0)
        await connection.wait_unblocked()

    assert [
        ("confirmed", 1, 1, False, True),
        ("confirmed", 1, 3, True, False),
        ("blocked", "low on memory"),
        ("blocked", None),
    ] == notes.notes[3:-1]


class Faulty(Hooks):
    def published(self, *args: Any) -> None:
        raise KeyError("a fault of the user's")


async def test_what_a_hook_raises_goes_to_the_loops_handler(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_exception_handler", contexts.append)
    async with (
        await ammoo.connect(server.url, hooks=Faulty()) as connection,
        connection.channel() as channel,
    ):
        await channel.publish("", "queue", b"body")

    assert [type(context["exception"]) for context in contexts] == [KeyError]


async def test_connection_without_hooks_has_channels_that_know_none(
    server: ScriptedServer,
) -> None:
    async with await ammoo.connect(server.url) as connection, connection.channel() as channel:
        assert type(channel._require_live()) is LiveChannel


# --- events and lines of the log -----------------------------------------------------------------


async def test_blocked_connection_is_told_once_and_a_new_one_is_not_blocked(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ammoo")
    calls: list[str | None] = []
    async with await ammoo.connect(server.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        connection.add_blocked_callback(calls.append)
        server.peer.send(ConnectionBlockedParameters("low on memory"), channel_number=0)
        blocked = await until(events, Blocked)
        unblocking = asyncio.create_task(connection.wait_unblocked())
        server.peer.abort()
        await until(events, Open)
        await unblocking
        assert connection.blocked is None

        blocking = asyncio.create_task(connection.wait_blocked())
        await asyncio.sleep(0)
        server.peer.send(ConnectionBlockedParameters("low on disk"), channel_number=0)
        assert "low on disk" == await blocking
        server.peer.send(ConnectionUnblockedParameters(), channel_number=0)
        await until(events, Unblocked)

    assert "low on memory" == blocked.reason
    assert ["low on memory", None, "low on disk", None] == calls
    assert ["INFO", "WARNING", "WARNING"] == [record.levelname for record in caplog.records[:3]]


# --- the recorder --------------------------------------------------------------------------------


async def test_protocol_error_shows_the_frames_before_it(server: ScriptedServer) -> None:
    async with (
        await ammoo.connect(server.url, password="hidden", record_frames=3) as connection,
        connection.channel() as channel,
    ):
        server.peer.send(ExchangeDeclareOkParameters())
        with pytest.raises(UnexpectedFrame) as caught:
            await channel.declare_queue("orders")

    (note,) = [each for each in caught.value.__notes__ if each.startswith("The last frames")]
    lines = note.splitlines()
    assert 4 == len(lines)
    assert "exchange.declare-ok" in lines[-1]
    assert "hidden" not in note


async def test_servers_own_fault_shows_them_too_and_a_shutdown_does_not(
    server: ScriptedServer,
) -> None:
    with pytest.raises(InternalError) as caught:  # noqa: PT012  the end of the block raises
        async with await ammoo.connect(server.url, record_frames=100) as connection:
            close = ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0)
            server.peer.send(close, channel_number=0)
            await connection.wait_closed()

    assert connection.closing_exc is caught.value
    assert "guest" not in "".join(caught.value.__notes__)
    assert "connection.tune" in "".join(caught.value.__notes__)


# --- the guard -----------------------------------------------------------------------------------


def test_stall_is_reported_once_each_time() -> None:
    watch = StallWatch(5.0)
    watch.turned(100.0)

    reports = [watch.stalled_for(now) for now in (104.9, 105.0, 106.0)]
    watch.turned(107.0)
    again = [watch.stalled_for(now) for now in (111.0, 112.5)]

    assert ([None, 5.0, None], [None, 5.5]) == (reports, again)


class TurningLimit(float):
    """The loop turns, in its thread, while the guard's thread compares with the limit."""

    def __gt__(self, stalled: float) -> bool:
        self.turn()
        return float(self) > stalled

    def turn(self) -> None: ...


def test_turn_during_a_look_begins_a_stall_of_its_own() -> None:
    limit = TurningLimit(5.0)
    watch = StallWatch(limit)
    watch.turned(100.0)
    limit.turn = lambda: watch.turned(105.0)  # type: ignore[method-assign]  # a hook

    reports = [watch.stalled_for(now) for now in (105.0, 110.0)]

    assert [5.0, 5.0] == reports


class Release(logging.Handler):
    """Lets the blocked loop go on when the guard has logged what blocks it."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "in block_the_loop" in message:  # on a busy machine other stalls are logged too
            self.messages.append(message)
            self.released.set()


def block_the_loop(guard: StallGuard, release: Release) -> bool:
    """Block the loop, which may have stalled and been reported in this turn: so it turns first."""
    guard._watch.turned(time.monotonic())
    return release.released.wait(20)


async def test_guard_logs_the_stack_that_blocks_the_loop() -> None:
    release = Release()
    logging.getLogger("ammoo").addHandler(release)
    async with (
        ScriptedServer(heartbeat_interval=1) as server,
        await ammoo.connect(server.url, stall_guard=0.05) as connection,
    ):
        guard = connection._stall_guard
        assert guard is not None
        was_released = block_the_loop(guard, release)
    logging.getLogger("ammoo").removeHandler(release)

    assert was_released
    assert "sends no heartbeats" in release.messages[0]


async def test_guard_ends_with_the_connection(server: ScriptedServer) -> None:
    async with (
        ScriptedServer(heartbeat_interval=1) as guarded,
        await ammoo.connect(guarded.url, stall_guard=0.5),
        await ammoo.connect(server.url, stall_guard=0.5),  # without heartbeats there is no guard
    ):
        while_open = guards()

    assert (1, 0) == (while_open, guards())


def guards() -> int:
    return sum(thread.name == "ammoo stall guard" for thread in threading.enumerate())
