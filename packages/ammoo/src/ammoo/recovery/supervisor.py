"""The task that recovers a connection: what happens from a loss to the next open connection.

When the live connection ends, it calls the supervisor first. The supervisor shuts the gate
before any task that waited for the server runs again. Then a single task waits and connects
(`reconnect_rounds`), and declares the topology again and opens the channels (`restoring`). When all are
restored, the supervisor swaps the live halves into the caller's objects and opens the gate;
there is no await between these steps. An attempt that fails leaves nothing behind.

No code of the caller's runs in this module: `reports` passes events to listeners, which other
tasks read.
"""

import asyncio
from asyncio import Task
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

from ..channel_settings import ChannelSettings
from ..exceptions.base import AmmooError, OperationTimeout
from ..exceptions.connection import (
    ClientClosedConnection,
    ClientClosedConnectionError,
    ClientClosedConnectionOK,
    ConnectionClosed,
    RecoveryFailed,
    ServerClosedConnection,
)
from ..instrumentation.hooks import Hooks
from ..live.connection import LiveConnection
from ..running_loop import new_task
from ..topology import Topology
from ..topology_records import Entity
from .background import BackgroundTasks
from .connector import Connector
from .delays import Outage
from .gate import Gate
from .lasting_channel import LastingChannel
from .options import Recovery
from .ports import UserChannel
from .reconnect_rounds import Rounds, recovery_failed
from .reports import Reports
from .restoring.connection import ConnectionRestoration
from .restoring.handover import Handover
from .restoring.reviving import Reviver
from .restoring.topology_replay import GaveUp
from .retry_decisions import FaultCounter
from .state import RecoveryState

__all__ = ["Supervisor"]

GATE_PATIENCE: Final = 2.0
"""How long the gate stays shut for stragglers that are likely to be restored soon, in seconds."""


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
        gate: Where operations wait.
        reports: Reports to listeners, the log and the hooks.
        reviver: Brings back channels and consumers that end while their connection stays open.
        state: Whether the connection is open, lost or closed.
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
        state = RecoveryState(loop)
        reports = Reports(state, hooks)
        self.state: RecoveryState = state
        self.reports: Reports = reports
        self.channels: dict[LastingChannel, None] = {}
        self.topology: Topology = Topology()
        self._recovery = recovery
        self.gate: Gate = self.new_gate(self._gate_cleared)
        self._background = BackgroundTasks(loop)
        self._handover = Handover(state, self.topology, self.channels, reports)
        self.reviver: Reviver = Reviver(
            state, recovery, self.topology, self._handover, self._background, reports
        )
        self._rounds = Rounds(state, recovery, connector, self._restore, reports)
        self._swap = swap
        self._faults = FaultCounter()
        self._suspects: Counter[Entity] = Counter()
        self._closing: Exception | None = None  # with which the caller closes the connection
        self._task: Task[None] | None = None
        self._retired: list[LiveConnection] = []  # lost; their sockets may not be closed yet

    # --- channels ---

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

        With `reopen`, recovery opens the channel again when the server closes only it.
        """
        outage = Outage(self._recovery.max_delay, self._recovery.random) if reopen else None
        return LastingChannel(
            user_channel, settings, body_encoding, self, operation_timeout, outage
        )

    def new_gate(self, cleared: Callable[[], None]) -> Gate:
        """Return a gate with the bounds that the user has set."""
        return Gate(self._recovery.max_waiting, self._recovery.max_waiting_bytes, cleared)

    def _gate_cleared(self) -> None:
        for channel in self.channels:
            channel.gate_cleared()

    # --- opened, lost ---

    def opened(self, live: LiveConnection) -> None:
        """Record that the first connection is open."""
        self._use(live)
        self.reports.opened()
        if live.closing_exc is not None:
            self._ended(live, live.closing_exc)  # in the turn in which it was opened

    def _use(self, live: LiveConnection) -> None:
        """Record that a live connection is the one in use."""
        live.on_end = partial(self._ended, live)
        self.state.live = live
        self.state.epoch += 1
        self.reports.address = live.address
        self._rounds.opened()

    def _ended(self, live: LiveConnection, error: Exception) -> None:
        """Begin to recover before anything else on the connection fails."""
        state = self.state
        if live is not state.live or state.is_recovering or state.final is not None:
            return
        self._background.cancel()
        self.reports.ended(error)
        if self._closing is not None or not _is_loss(error):
            self._end(self._closing or error)
            return
        if self._faults.is_final(error, state.now):
            self._end(recovery_failed(error))
            return
        if isinstance(error, AmmooError):
            error.recoverable = True
            error._restored = partial(state.wait_newer, state.epoch)
        state.is_recovering = True
        state.was_blocked = live.blocking.is_blocked
        self.gate.shut()
        self._retired = [each for each in self._retired if not each.is_closed]
        self._retired.append(live)
        self._rounds.lost(live.protocol.heartbeat_interval)
        consumers = sum(len(each.consumers) for each in live.channels.values())
        self.reports.lost(error, len(self.channels), consumers)
        self._task = new_task(state.loop, self._recover(error, live.unconfirmed_at_end))

    # --- closed for good ---

    async def close(self, error: Exception) -> None:
        """End recovery, and raise the error in all that wait for it; leave no task running."""
        self._closing = error
        loop = self.state.loop
        current = asyncio.current_task(loop)
        running = (self._task, *self._background)
        tasks = {task for task in running if task is not None and task is not current}
        for task in tasks:
            task.cancel()
        if self.state.final is None and self.state.is_recovering:
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
            self.state.final, ClientClosedConnectionOK
        ):
            self.state.final = error

    def abort(self) -> None:
        """End recovery and the connection at once: the user has dropped the connection."""
        self._closing = ClientClosedConnectionOK()
        if self._task is not None:
            self._task.cancel()
        self._background.cancel()
        if self.state.final is None and self.state.is_recovering:
            self._end(self._closing)
        for live in (self.state.live, *self._retired):
            if live is not None:
                live.transport.abort()

    def _end(self, error: Exception) -> None:
        """Close the connection for good: all operations that wait raise the error."""
        self.state.final = error
        self.state.is_recovering = False
        self.gate.fail(error)
        for channel in list(self.channels):
            channel.close_for_good(error)
        self.channels.clear()
        self.state.wake_waiters()
        self.reports.closed(error)

    # --- the task ---

    async def _recover(self, cause: Exception, unknown: int) -> None:
        try:
            failed = await self._rounds.run(cause, unknown)
            if failed is not None:
                self._give_up(failed)
        except Exception as error:  # noqa: BLE001  it is reported to the loop
            # A fault of ours: no operation may wait for ever.
            self._give_up(self._rounds.failed(error))
            context = {"message": "a fault in the recovery of a connection", "exception": error}
            self.state.loop.call_exception_handler(context)
        finally:
            self._task = None

    def _give_up(self, failed: RecoveryFailed) -> None:
        self.reports.gave_up(failed)
        self._end(failed)

    async def _restore(self, live: LiveConnection) -> None:
        """Restore everything on a new live connection, and put it into use."""
        restoration = ConnectionRestoration(live, self.topology, self._recovery, self._suspects)
        await restoration.run(self.channels)
        if restoration.replay.stragglers:
            await self._wait_for_stragglers(restoration)
        if live.closing_exc is not None:
            raise live.closing_exc
        self._swap_in(restoration)

    async def _wait_for_stragglers(self, restoration: ConnectionRestoration) -> None:
        """Wait a while for stragglers that are likely to be restored soon; retry the others later."""
        replay = restoration.replay
        stragglers = self._handover.stragglers(restoration.live, replay, restoration.channels)
        task = new_task(self.state.loop, stragglers.run())
        try:
            await asyncio.wait({task}, timeout=GATE_PATIENCE if replay.is_worth_waiting else 0)
        except BaseException:
            task.cancel()
            raise
        if task.done():
            task.result()
        else:
            self._background.add(task)
            task.add_done_callback(self._stragglers_ended)

    def _stragglers_ended(self, task: "Task[None]") -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        state, live = self.state, self.state.live
        if isinstance(error, GaveUp) and live is not None and state.final is None:
            state.live = None
            failed = self._rounds.failed(error.error)
            self._end(failed)
            live.fail(failed)
            live.transport.close()
        else:
            state.loop.call_exception_handler({"message": "recovery", "exception": error})

    def _swap_in(self, restoration: ConnectionRestoration) -> None:
        """Put new live halves under the user's objects and open the gate, without an await."""
        replay, rounds = restoration.replay, self._rounds
        outage = rounds.outage
        self.state.is_recovering = False
        self._use(restoration.live)
        self._suspects.clear()
        self._handover.missing.clear()
        self._swap(restoration.live)
        not_restored = restoration.not_restored()
        restored = replay.restored
        for channel in restoration.channels.values():
            consumers = len(channel.inboxes)
            if self._handover.hand_over(channel):
                restored += 1 + consumers
        for record, error in replay.failed_consumers().items():
            self._handover.lose_consumer(record, error)
        loss = self._retired[-1].closing_exc
        assert loss is not None
        for record in restoration.omitted_consumers():
            self._handover.lose_consumer(record, loss)
        self._handover.missing.add(replay.retried(), replay)
        self.reports.recovered(
            outage,
            rounds.attempts,
            restored,
            not_restored,
            restoration.renamed_queues(),
        )
        self.state.wake_waiters()
        self.gate.open()


def _is_loss(error: Exception) -> bool:
    """Return whether the connection was lost, and not closed by the caller."""
    if isinstance(error, ClientClosedConnectionError):
        return isinstance(error.exc, OperationTimeout)
    return isinstance(error, ConnectionClosed) and not isinstance(error, ClientClosedConnection)
