"""The task that recovers a connection, and the connection's state.

When the live connection ends, it calls the supervisor first. The supervisor shuts the gate
before any task that waited for the server runs again. Then a single task waits, connects,
declares the topology again and opens the channels. When all are restored, it swaps the live
halves into the caller's objects and opens the gate; there is no await between these steps. An
attempt that fails leaves nothing behind.

No code of the caller's runs in this module: events go to listeners, which other tasks read.
"""

import asyncio
import logging
from asyncio import Future, Task
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final
from weakref import WeakSet

from ..channel_settings import ChannelSettings
from ..exceptions.base import AmmooError, OperationTimeout
from ..exceptions.channel import ClientClosedChannelOK
from ..exceptions.connection import (
    ClientClosedConnection,
    ClientClosedConnectionError,
    ClientClosedConnectionOK,
    ConnectionClosed,
    RecoveryFailed,
    ServerClosedConnection,
)
from ..exceptions.consumer import ClientCancelledConsumerOK
from ..inbox import Inbox
from ..instrumentation.hooks import Hooks, call_hook
from ..live.channel import LiveChannel
from ..live.connection import LiveConnection
from ..parameters import ConnectionParameters
from ..topology import ConsumerRecord, Entity, Topology
from .connector import FAILURES, Connector, mildest
from .delays import Outage
from .events import (
    Blocked,
    ChannelReopened,
    Closed,
    Connecting,
    ConsumerLost,
    Event,
    Open,
    Recovering,
    Restored,
    Unblocked,
)
from .gate import Gate
from .lasting_channel import LastingChannel
from .listener import EventListener
from .options import Recovery
from .ports import LastingConsumer, UserChannel
from .restoring.channels import ChannelRestoration, restore_channels
from .restoring.replay import GaveUp, Replay
from .restoring.reviving import reopen_channel, revive_consumer
from .restoring.stragglers import Stragglers
from .verdicts import REFUSED_ROUNDS, FaultCounter, Verdict, verdict_on

__all__ = ["Supervisor"]

GATE_PATIENCE: Final = 2.0
"""How long the gate stays shut for stragglers that are likely to be restored soon, in seconds."""
LOCKED_MARGIN: Final = 5.0
"""A locked queue is retried for three heartbeat intervals and this time, in seconds."""

log: logging.Logger = logging.getLogger("ammoo")


class Supervisor:
    """Keeps one of the caller's connections alive.

    Args:
        loop: The event loop.
        recovery: The user's options.
        connector: Makes live connections.
        swap: Sets the new live half of the caller's connection.
        hooks: The user's functions, or None.

    Attributes:
        channels: The open channels; they are held until they are closed.
        epoch: The number of the live connection; the first has 1.
        final: The error that has closed the connection for good; None while it is not closed.
        gate: Where operations wait.
        loop: The event loop.
        topology: The entities to restore.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        recovery: Recovery,
        connector: Connector,
        swap: Callable[[LiveConnection], None],
        hooks: Hooks | None = None,
    ) -> None:
        self.channels: dict[LastingChannel, None] = {}
        self.loop = loop
        self.epoch: int = 0
        self.final: Exception | None = None
        self.recovery = recovery
        self.gate: Gate = self.new_gate(self._gate_cleared)
        self.topology: Topology = Topology()
        self._connector = connector
        self._swap = swap
        self._hooks = hooks
        self._live: LiveConnection | None = None
        self._address = ""
        self._is_recovering = False
        self._closing: Exception | None = (
            None  # the error with which the caller closes the connection
        )
        self._lost_at = 0.0
        self._attempts = 0
        self._outage = self.new_outage()
        self._faults = FaultCounter()
        self._suspects: Counter[Entity] = Counter()
        self._task: Task[None] | None = None
        self._background: set[Task[None]] = set()
        self._listeners: WeakSet[EventListener] = WeakSet()
        self._state_waiters: set[Future[None]] = set()
        self._retired: list[LiveConnection] = []  # lost; their sockets may not be closed yet

    # --- for other rooms ---

    @property
    def is_recovering(self) -> bool:
        """Whether the connection is lost, and recovery is bringing it back."""
        return self._is_recovering

    @property
    def now(self) -> float:
        """The time by the event loop's clock."""
        return self.loop.time()

    def listen(self) -> EventListener:
        """Return a listener to all events from now on."""
        listener = EventListener()
        self._listeners.add(listener)
        if self.final is not None:
            listener.put(Closed(self.now, self.epoch, self.final), is_last=True)
        return listener

    def emit(self, event: Event) -> None:
        """Pass an event to all listeners."""
        for listener in list(self._listeners):
            listener.put(event, is_last=isinstance(event, Closed))

    async def wait_open(self) -> None:
        """Wait until the connection is open; return at once if it is.

        Raises:
            Exception: The connection has been closed for good.
        """
        await self._wait_newer(self.epoch - 1 if not self._is_recovering else self.epoch)

    async def _wait_newer(self, epoch: int) -> None:
        """Wait until a connection with a number above `epoch` is open."""
        while self.final is None and (self._is_recovering or self.epoch <= epoch):
            waiter: Future[None] = self.loop.create_future()
            self._state_waiters.add(waiter)
            try:
                await waiter
            finally:
                self._state_waiters.discard(waiter)
        if self.final is not None:
            raise self.final.with_traceback(None)

    async def wait_closed(self) -> None:
        """Wait until the connection is closed for good."""
        with suppress(AmmooError):
            await self._wait_newer(2**63)

    def _wake_state_waiters(self) -> None:
        for waiter in self._state_waiters:
            if not waiter.done():
                waiter.set_result(None)

    def new_channel(
        self,
        user_channel: UserChannel,
        settings: ChannelSettings,
        body_encoding: str,
        operation_timeout: float | None,
        *,
        reopen: bool,
    ) -> LastingChannel:
        """Return the lifetime of a channel.

        With `reopen`, the supervisor opens the channel again when the server closes only it.
        """
        outage = self.new_outage() if reopen else None
        return LastingChannel(
            user_channel, settings, body_encoding, self, operation_timeout, outage
        )

    def new_gate(self, cleared: Callable[[], None]) -> Gate:
        """Return a gate with the bounds that the user has set."""
        return Gate(self.recovery.max_waiting, self.recovery.max_waiting_bytes, cleared)

    def new_outage(self) -> Outage:
        """Return an outage with the delays that the user has set."""
        return Outage(self.recovery.max_delay, self.recovery.random)

    def run_in_background(self, coroutine: Coroutine[Any, Any, None]) -> "Task[None]":
        """Start a task that ends with the live connection; `close` awaits it."""
        task = self.loop.create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    def require_live(self) -> LiveConnection:
        """Return the live connection, or the last one."""
        assert self._live is not None
        return self._live

    # --- opened, lost, closed ---

    def opened(self, live: LiveConnection) -> None:
        """Record that the first connection is open."""
        address = live.address
        live.on_end = partial(self._ended, live)
        self._live = live
        self._address = address
        self.epoch = 1
        self._outage.opened(self.now)
        log.info("connected to %s", address)
        self.emit(Open(self.now, 1, address, 0.0, 1, 0, (), {}))
        if live.closing_exc is not None:
            self._ended(live, live.closing_exc)  # in the turn in which it was opened

    def blocked_changed(self, reason: str | None) -> None:
        """Report that the server accepts no messages, or accepts them again."""
        if reason is None:
            log.info("%s takes messages again", self._address)
            self.emit(Unblocked(self.now, self.epoch))
        else:
            log.warning("%s takes no messages: %s", self._address, reason)
            self.emit(Blocked(self.now, self.epoch, reason))

    def _ended(self, live: LiveConnection, error: Exception) -> None:
        """Begin to recover before anything else on the connection fails."""
        if live is not self._live or self._is_recovering or self.final is not None:
            return
        self._cancel_background()
        if self._hooks is not None:
            call_hook(self.loop, self._hooks.lost, error)
        if self._closing is not None or not _is_loss(error):
            self._end(self._closing or error)
            return
        now = self.now
        if self._faults.is_final(error, now):
            self._end(_failed(error, 0, 0.0))
            return
        if isinstance(error, AmmooError):
            error.recoverable = True
            error._restored = partial(self._wait_newer, self.epoch)
        self._is_recovering = True
        self.gate.shut()
        self._retired = [each for each in self._retired if not each.is_closed]
        self._retired.append(live)
        self._lost_at = now
        self._attempts = 0
        self._outage.lost(now, live.protocol.heartbeat_interval)
        consumers = sum(len(each.consumers) for each in live.channels.values())
        log.warning(
            "lost %s: %s; recovering %d channels, %d consumers",
            self._address,
            error,
            len(self.channels),
            consumers,
        )
        self._task = self.loop.create_task(self._recover(error, live.unconfirmed_at_end))

    async def close(self, error: Exception) -> None:
        """End recovery, and raise the error in all that wait for it; leave no task running."""
        self._closing = error
        current = asyncio.current_task(self.loop)
        running = (self._task, *self._background)
        tasks = {task for task in running if task is not None and task is not current}
        for task in tasks:
            task.cancel()
        if self.final is None and self._is_recovering:
            self._end(error)
        if tasks:
            await asyncio.wait(tasks)
            await asyncio.sleep(0)  # asyncio closes a socket that was being connected in that turn
        for live in self._retired:
            live.transport.abort()
            await live.wait_closed()
        self._retired.clear()

    def closed(self, error: Exception | None) -> None:
        """Record the server's reason if it closed the connection at the same time; it counts."""
        if isinstance(error, ServerClosedConnection) and isinstance(
            self.final, ClientClosedConnectionOK
        ):
            self.final = error

    def abort(self) -> None:
        """End recovery and the connection at once: the user has dropped the connection."""
        self._closing = ClientClosedConnectionOK()
        if self._task is not None:
            self._task.cancel()
        self._cancel_background()
        if self.final is None and self._is_recovering:
            self._end(self._closing)
        for live in (self._live, *self._retired):
            if live is not None:
                live.transport.abort()

    def _end(self, error: Exception) -> None:
        """Close the connection for good: all operations that wait raise the error."""
        self.final = error
        self._is_recovering = False
        self.gate.fail(error)
        for channel in list(self.channels):
            channel.close_for_good(error)
        self.channels.clear()
        self._wake_state_waiters()
        self.emit(Closed(self.now, self.epoch, error))

    def _cancel_background(self) -> None:
        for task in self._background:
            task.cancel()

    # --- the task ---

    async def _recover(self, cause: Exception, unknown: int) -> None:
        scope = asyncio.timeout_at(self._deadline())
        try:
            async with scope:
                await self._recover_in_time(cause, unknown)
        except GaveUp as error:
            self._give_up(error.error)
        except Exception as error:  # noqa: BLE001  it is reported to the loop
            if scope.expired() and isinstance(error, TimeoutError):
                self._give_up(self._last_failure)
            else:  # a fault of ours: no operation may wait for ever
                self._give_up(error)
                context = {"message": "a fault in the recovery of a connection", "exception": error}
                self.loop.call_exception_handler(context)
        finally:
            self._task = None

    def _deadline(self) -> float | None:
        deadline = self.recovery.deadline
        return None if deadline is None else self._lost_at + deadline

    async def _recover_in_time(self, cause: Exception, unknown: int) -> None:
        """Make rounds until the connection is open again.

        Raises:
            GaveUp: An entity was refused, and the user wants no connection without it.
        """
        self._last_failure, verdict, refused = cause, Verdict.RETRY, 0
        while self._is_recovering:
            slowly = verdict in (Verdict.SLOWLY, Verdict.FEW_ROUNDS)
            delay = self._outage.next_delay(self.now, slowly=slowly)
            attempt = self._outage.attempt
            self.emit(Recovering(self.now, self.epoch, self._last_failure, delay, attempt, unknown))
            unknown = 0
            await asyncio.sleep(delay)
            self._attempts += 1
            failures = await self._round(attempt)
            if not failures:
                return
            self._last_failure = mildest(failures, has_worked=True)
            verdict = verdict_on(self._last_failure, has_worked=True)
            log.debug("attempt %d failed: %s", attempt, self._last_failure)
            refused = refused + 1 if verdict is Verdict.FEW_ROUNDS else 0
            most = self.recovery.max_attempts
            if (
                verdict is Verdict.FINAL
                or refused >= REFUSED_ROUNDS
                or (most is not None and self._attempts >= most)
            ):
                self._give_up(self._last_failure)
                return

    async def _round(self, attempt: int) -> list[Exception]:
        """Try all hosts once.

        Returns:
            The failure of each host; empty if the connection is open.
        """
        failures: list[Exception] = []
        for parameters in self._connector.round():
            self.emit(Connecting(self.now, self.epoch, parameters.address, attempt))
            log.debug("connecting to %s", parameters.address)
            try:
                await self._try(parameters)
            except FAILURES as error:
                failures.append(error)
            else:
                return []
        return failures

    async def _try(self, parameters: ConnectionParameters) -> None:
        """Connect to a host, restore everything, and swap the new live halves in."""
        live = await self._connector.connect(parameters)
        try:
            await self._restore(live, parameters.address)
        except BaseException as error:
            live.on_end = None
            live.fail(error if isinstance(error, Exception) else ClientClosedConnectionError(error))
            live.transport.abort()
            await live.wait_closed()
            raise

    async def _restore(self, live: LiveConnection, address: str) -> None:
        names = {queue: queue.name for queue in self.topology.plan().server_named_queues}
        replay = Replay(live, self.topology, self.recovery, self._suspects)
        await replay.run()
        records = self.topology.consumers_by_channel()
        consumers = {channel: records.get(channel, []) for channel in self.channels}
        restorations = await restore_channels(live, consumers, replay, self._suspects)
        lost: dict[ConsumerRecord, Exception] = {}
        stragglers = self._stragglers(live, replay, restorations, lost)
        if replay.stragglers:
            task = self.loop.create_task(stragglers.run())
            try:
                await asyncio.wait({task}, timeout=GATE_PATIENCE if replay.is_worth_waiting else 0)
            except BaseException:
                task.cancel()
                raise
            if task.done():
                task.result()
            else:
                self._background.add(task)
                task.add_done_callback(self._background.discard)
                task.add_done_callback(self._stragglers_ended)
        if live.closing_exc is not None:
            raise live.closing_exc
        for entity, error in replay.failed.items():
            if isinstance(entity, ConsumerRecord):
                lost[entity] = error
        renamed = {former: queue.name for queue, former in names.items() if former != queue.name}
        self._swap_in(live, address, replay, restorations, lost, renamed)

    def _stragglers(
        self,
        live: LiveConnection,
        replay: Replay,
        restorations: "dict[LastingChannel, ChannelRestoration]",
        lost: dict[ConsumerRecord, Exception],
    ) -> Stragglers:
        async def start(record: ConsumerRecord) -> None:
            restoration = restorations.get(record.channel)
            if restoration is None or restoration.error is not None:
                return  # the caller has closed the channel
            await restoration.start_late(record)
            if self._live is live:
                self.attach_consumer(record, restoration.inboxes.pop(record))

        def restored(entity: Entity) -> None:
            if self._live is live:
                self.emit(Restored(self.now, self.epoch, entity))

        def failed(entity: Entity, error: Exception) -> None:
            if isinstance(entity, ConsumerRecord):
                if self._live is live:
                    self.lose_consumer(entity, error)
                else:
                    lost[entity] = error

        locked_for = 3 * live.protocol.heartbeat_interval + LOCKED_MARGIN
        return Stragglers(replay, locked_for, start, restored, failed)

    def _stragglers_ended(self, task: "Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, GaveUp) and self._live is not None and self.final is None:
                live, self._live = self._live, None
                failed = _failed(error.error, self._attempts, self.now - self._lost_at)
                self._end(failed)
                live.fail(failed)
                live.transport.close()
            else:
                self.loop.call_exception_handler({"message": "recovery", "exception": error})

    def _swap_in(
        self,
        live: LiveConnection,
        address: str,
        replay: Replay,
        restorations: "dict[LastingChannel, ChannelRestoration]",
        lost: dict[ConsumerRecord, Exception],
        renamed: dict[str, str],
    ) -> None:
        """Put new live halves under the user's objects and open the gate, without an await."""
        now = self.now
        live.on_end = partial(self._ended, live)
        self._live = live
        self._address = address
        self._is_recovering = False
        self.epoch += 1
        self._suspects.clear()
        self._outage.opened(now)
        self._swap(live)
        restored = replay.restored
        for channel, restoration in restorations.items():
            if channel not in self.channels:  # the caller has closed it meanwhile
                restoration.live.begin_close(ClientClosedChannelOK())
            elif restoration.error is not None:
                channel.close_for_good(restoration.error)
            else:
                channel.attach(restoration.live)
                restored += 1 + len(restoration.inboxes)
                for record in list(restoration.inboxes):
                    self.attach_consumer(record, restoration.inboxes.pop(record))
        for record, error in lost.items():
            self.lose_consumer(record, error)
        not_restored = replay.not_restored()
        outage = now - self._lost_at
        self.emit(
            Open(
                now,
                self.epoch,
                address,
                outage,
                self._attempts,
                restored,
                not_restored,
                renamed,
            )
        )
        log.info(
            "recovered on %s after %.1f s, %d attempts; not restored: %s",
            address,
            outage,
            self._attempts,
            ", ".join(f"{each.entity!r} ({each.error})" for each in not_restored) or "nothing",
        )
        if self._hooks is not None:
            call_hook(self.loop, self._hooks.recovered, address, outage, self._attempts)
        self._wake_state_waiters()
        self.gate.open()

    def attach_consumer(self, record: ConsumerRecord, inbox: Inbox) -> None:
        """Let a consumer read from another inbox."""
        if record.has_ended:  # the caller has left it meanwhile
            assert inbox.live is not None
            inbox.live.consuming.begin_cancel(inbox.consumer_tag)
            inbox.close(ClientCancelledConsumerOK(inbox.consumer_tag, inbox.queue_name))
            inbox.requeue_unread()
        else:
            record.consumer.attach(inbox)

    def lose_consumer(self, record: ConsumerRecord, error: Exception) -> None:
        """End a consumer that cannot be restored; its queue stays recorded."""
        if not record.has_ended:
            self.topology.drop_consumer(record.consumer)
            record.consumer.close_for_good(error)
            self.emit(ConsumerLost(self.now, self.epoch, record.consumer, error))

    # --- a channel or a consumer that ends while the connection goes on ---

    def new_replay(self, live: LiveConnection) -> Replay:
        """Return a replay, which opens private channels and decides about refusals."""
        return Replay(live, self.topology, self.recovery, Counter())

    def reopen(self, channel: LastingChannel, outage: Outage, cause: Exception) -> None:
        """Open again a channel that the server has closed."""
        assert self._live is not None
        self.run_in_background(reopen_channel(self, self._live, channel, outage, cause))

    def channel_reopened(
        self,
        live: LiveConnection,
        restoration: ChannelRestoration,
        replay: Replay,
        cause: Exception,
    ) -> None:
        """Put a new live half under a channel, without an await."""
        channel = restoration.channel
        if live is not self._live or channel not in self.channels:
            restoration.live.begin_close(ClientClosedChannelOK())
            return
        if restoration.error is not None:
            channel.close_for_good(restoration.error)
            return
        channel.attach(restoration.live)
        for record in list(restoration.inboxes):
            self.attach_consumer(record, restoration.inboxes.pop(record))
        for entity, error in replay.failed.items():
            if isinstance(entity, ConsumerRecord):
                self.lose_consumer(entity, error)
        if replay.stragglers:
            stragglers = self._stragglers(live, replay, {channel: restoration}, {})
            self.run_in_background(stragglers.run())
        log.info("channel %d was opened again: %s", restoration.live.number, cause)
        self.emit(ChannelReopened(self.now, self.epoch, channel.user_channel, cause))
        channel.reopened()

    def revive(self, consumer: LastingConsumer, live: LiveChannel, consumer_tag: str) -> None:
        """Start again a consumer that the server has cancelled."""
        record = self.topology.consumer_record(consumer)
        if record is not None and self._live is not None and not self._is_recovering:
            self.run_in_background(revive_consumer(self, self._live, live, record, consumer_tag))

    def _gate_cleared(self) -> None:
        for channel in self.channels:
            channel.gate_cleared()

    def _give_up(self, error: Exception) -> None:
        failed = _failed(error, self._attempts, self.now - self._lost_at)
        log.error("%s: %s", self._address, failed)
        self._end(failed)


def _is_loss(error: Exception) -> bool:
    """Return whether the connection was lost, and not closed by the caller."""
    if isinstance(error, ClientClosedConnectionError):
        return isinstance(error.exc, OperationTimeout)
    return isinstance(error, ConnectionClosed) and not isinstance(error, ClientClosedConnection)


def _failed(error: Exception, attempts: int, outage: float) -> RecoveryFailed:
    failed = RecoveryFailed(error, attempts, outage)
    failed.__cause__ = error
    return failed
