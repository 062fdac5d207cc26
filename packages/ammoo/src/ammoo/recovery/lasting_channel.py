"""The lifetime of a channel that recovery opens again: one live channel after another.

Its operations wait at the gate of the connection. If the server has closed only this channel,
they wait at a gate of the channel. The topology records what the channel declares, and forgets
what it deletes.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol
from weakref import ref

from ammoo_wire import BasicConsumeParameters, QueueDeclareParameters, method_of

from ..channel_lifetime import ChannelLifetime, Request
from ..channel_settings import ChannelSettings, Prefetch
from ..exceptions.base import AmmooError
from ..exceptions.channel import ChannelUnanswered, ServerClosedChannel
from ..inbox import LastingInbox
from ..live.channel import LiveChannel
from ..live.ports import PublishingPort, SuccessorPort
from ..live.replies import OnReply, Reply
from ..running_loop import require_loop
from ..topology import Topology
from .delays import Outage
from .gate import Gate
from .gated_publishing import GatedPublishing
from .ports import LastingConsumer, UserChannel
from .state import RecoveryState
from .topology_recording import forget, record_bound_or_declared, with_current_names

__all__ = ["Keeper", "LastingChannel"]

TAG_BITS: Final = 48
"""Delivery tags of the n-th recovery begin at n << 48: no channel delivers so many messages."""


class ChannelReviver(Protocol):
    """Brings back channels and consumers that end while their connection stays open."""

    def reopen(self, channel: "LastingChannel", outage: Outage, cause: Exception) -> None:
        """Open again a channel that the server has closed."""

    def revive(self, consumer: LastingConsumer, live: LiveChannel, consumer_tag: str) -> None:
        """Start again a consumer that the server has cancelled."""


class Keeper(Protocol):
    """What a channel asks of its connection's supervisor."""

    channels: "dict[LastingChannel, None]"
    gate: Gate
    state: RecoveryState
    topology: Topology

    @property
    def reviver(self) -> ChannelReviver:
        """The object that brings back channels and consumers that end while the connection stays open."""
        ...

    def new_gate(self, cleared: Callable[[], None]) -> Gate:
        """Return a gate with the bounds that the user has set."""
        ...


class LastingChannel(ChannelLifetime):
    """The lifetime of a channel that survives its live channels.

    Args:
        user_channel: The user's `Channel`. It is held weakly, because it holds the connection,
            which the user may drop.
        settings: As in `ChannelLifetime`.
        body_encoding: As in `ChannelLifetime`.
        keeper: The connection's supervisor.
        operation_timeout: How long an operation may wait, in seconds; None for no limit.
        outage: The delays before the channel is opened again when the server has closed only this
            channel; None if it stays closed then.

    Attributes:
        late_starts: Held while recovery starts a consumer on the channel that the caller uses.
    """

    live: LiveChannel | None
    publishing: PublishingPort

    def __init__(
        self,
        user_channel: UserChannel,
        settings: ChannelSettings,
        body_encoding: str,
        keeper: Keeper,
        operation_timeout: float | None,
        outage: Outage | None,
    ) -> None:
        super().__init__(settings, body_encoding, keeper.state.require_live)
        self._user_channel = ref(user_channel)
        self._keeper = keeper
        self._operation_timeout = operation_timeout
        self._outage = outage
        self._gated: SuccessorPort = GatedPublishing(
            self.usable, self._wait_clear, lambda: self.final, operation_timeout
        )
        self._own_gate: Gate | None = None  # while the channel alone is opened again
        self._epochs = 0
        self._waiters: list[asyncio.Future[None]] = []  # until the channel is open, or clear
        self._last_queue = ""  # the one that was declared last
        self.late_starts: asyncio.Lock = asyncio.Lock()

    @property
    def user_channel(self) -> UserChannel:
        """The user's `Channel`; this object if the user has dropped that."""
        return self._user_channel() or self

    @property
    def channel_id(self) -> int:
        """The channel's number."""
        return self.require_live().number

    # --- from beginning to end ---

    async def open(self) -> None:
        """Open the channel when the connection is open; recovery keeps it from then on.

        Raises:
            Exception: The channel has ended in the turn in which it was opened.
        """
        require_loop(self._keeper.state.loop)
        if not self._keeper.gate.is_clear:
            await self._keeper.gate.wait("channel.open", 0, self._operation_timeout)
        await super().open()
        if self.final is not None:
            raise self.final.with_traceback(None)
        self._keeper.channels[self] = None

    def _watch(self, live: LiveChannel) -> None:
        live.on_end = self._live_ended

    async def close(self, error: Exception, seconds: float, *, leaving: bool = False) -> None:
        """Close the channel; send nothing if it is being recovered."""
        if self.live is not None and self.final is None and self.live.closing_exc is not None:
            self.close_for_good(error)
        await super().close(error, seconds, leaving=leaving)

    def close_for_good(self, error: Exception) -> None:
        """End the channel with an error; its consumers end with it."""
        if self.final is not None:
            return
        super().close_for_good(error)
        self._wake_waiters()
        if self._own_gate is not None:
            self._own_gate.fail(error)
        self._keeper.channels.pop(self, None)
        for record in self._keeper.topology.consumers_on(self):
            record.consumer._close_for_good(error)
        self._keeper.topology.forget_channel(self)

    # --- requests ---

    async def usable(
        self, operation: str, octets: int = 0, *, is_bounded: bool = False
    ) -> LiveChannel:
        """Wait until an operation can be sent; the caller sends it without another await.

        Raises:
            NotSent: Too many operations wait already, or this one has waited for too long.
            ChannelClosed, ConnectionClosed: The channel is closed for good.
        """
        live, timeout = self.require_live(), self._operation_timeout
        live.transport.require_loop()
        while self.final is None:
            if not self._keeper.gate.is_clear:
                await self._keeper.gate.wait(operation, octets, timeout, is_bounded=is_bounded)
            elif self._own_gate is not None and not self._own_gate.is_clear:
                await self._own_gate.wait(operation, octets, timeout, is_bounded=is_bounded)
            live = self.require_live()
            if live.closing_exc is None or self._is_clear():
                return live
        raise self.final.with_traceback(None)

    def _is_clear(self) -> bool:
        """Return whether an operation on the channel need not wait."""
        own = self._own_gate
        return self._keeper.gate.is_clear and (own is None or own.is_clear)

    async def call(
        self, request: Request, *replies: type[Any], on_reply: OnReply | None = None
    ) -> Reply:
        """Send a request when the channel is open, and await its reply."""
        live = await self.usable(method_of(request).name)
        return await live.call(self.as_named_now(request), *replies, on_reply=on_reply)

    async def declare(self, request: Request, reply: type[Any]) -> Reply:
        """Declare or bind something, and record it when the server has done it."""
        live, topology = await self.usable(method_of(request).name), self._keeper.topology
        named = self.as_named_now(request)

        def record(answer: Reply) -> None:
            if isinstance(named, QueueDeclareParameters):
                self._last_queue = answer.parameters.queue_name
                topology.queue_declared(named, self._last_queue)
            else:
                record_bound_or_declared(topology, named)

        return await live.call(named, reply, on_reply=record)

    async def delete(self, request: Request, reply: type[Any]) -> Reply:
        """Delete or unbind something; forget it at once, and record it again if that fails."""
        live, topology = await self.usable(method_of(request).name), self._keeper.topology
        named = self.as_named_now(request)
        replied = live.call(named, reply)
        forgotten = forget(topology, named)
        topology.begin_deletion(forgotten)
        try:
            return await replied
        except ServerClosedChannel:
            topology.put_back(forgotten)  # the server refused it, or a request before it
            raise
        finally:
            topology.end_deletion(forgotten)

    def as_named_now(self, request: Any) -> Any:
        """Return a request with the present names of queues that the server names."""
        return with_current_names(self._keeper.topology, request, self._last_queue)

    # --- consumers ---

    def current_name(self, queue_name: str) -> str:
        """Return the present name of a queue; the server renames some at each recovery."""
        return self._keeper.topology.current_name(queue_name)

    def new_inbox(self, request: BasicConsumeParameters, consumer: LastingConsumer) -> LastingInbox:
        """Return an inbox that receives a consumer's deliveries from all its live channels."""
        topology = self._keeper.topology

        def lasts() -> bool:
            return topology.consumer_record(consumer) is not None

        def revive() -> None:
            assert inbox.live is not None
            self._keeper.reviver.revive(consumer, inbox.live, inbox.consumer_tag)

        inbox = LastingInbox(request, lasts, revive, lambda: self.forget_consumer(consumer))
        return inbox

    def consumer_started(
        self, consumer: LastingConsumer, request: BasicConsumeParameters, prefetch: Prefetch | None
    ) -> None:
        """Record a consumer, with the prefetch limits with which the server has started it."""
        limits = prefetch or Prefetch(0, 0)
        self._keeper.topology.consumer_started(consumer, self, request, limits)

    def forget_consumer(self, consumer: LastingConsumer) -> None:
        """Forget a consumer that has ended: recovery does not start it again."""
        self._keeper.topology.forget_consumer(consumer)

    # --- a live channel ends, and another one takes its place ---

    def _live_ended(self, live: LiveChannel, error: Exception) -> None:
        """Begin to wait or to reopen when the live channel ends, before its consumers end."""
        if live is not self.live:
            return
        keeper = self._keeper
        if self not in keeper.channels:
            self.close_for_good(error)
        elif keeper.state.is_recovering:
            self._begin_waiting(live)
        elif keeper.state.final is not None:
            self.close_for_good(keeper.state.final)
        elif self._outage is None or not isinstance(error, ServerClosedChannel | ChannelUnanswered):
            self.close_for_good(error)
        else:
            self._begin_reopening(live, error, self._outage)

    def _begin_waiting(self, live: LiveChannel) -> None:
        live.is_stale = True
        live.successor = self.publishing = self._gated

    def _begin_reopening(self, live: LiveChannel, error: AmmooError, outage: Outage) -> None:
        """Ask recovery to open the channel again: the server has closed it, not the connection."""
        if self._own_gate is None:
            self._own_gate = self._keeper.new_gate(self.gate_cleared)
        self._own_gate.shut()
        error.recoverable = True
        error._restored = self.wait_reopened
        self._begin_waiting(live)
        self._keeper.reviver.reopen(self, outage, error)

    async def wait_reopened(self) -> None:
        """Wait until the channel is open again, but not at the gate: nothing is sent.

        Raises:
            ChannelClosed, ConnectionClosed: The channel is closed for good.
        """
        while self.final is not None or not self._is_open():
            await self._wait_for_change()

    async def _wait_clear(self) -> LiveChannel:
        """Wait until the channel is open and no operation waits; return the live channel."""
        while self.publishing is self._gated:
            await self._wait_for_change()
        return self.require_live()

    async def _wait_for_change(self) -> None:
        if self.final is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if self.final is not None:
            raise self.final.with_traceback(None)

    def _wake_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def attach(self, live: LiveChannel) -> None:
        """Use a live channel that recovery has opened and set up."""
        self._epochs += 1
        live.tag_offset = self._epochs << TAG_BITS
        self._watch(live)
        self.live = live
        self.publishing = self._gated  # until all that wait at the gate have passed
        self._wake_waiters()
        if live.closing_exc is not None:  # the server has closed it before others were restored
            self._live_ended(live, live.closing_exc)

    def reopened(self) -> None:
        """Open the channel's own gate."""
        if self._own_gate is not None:
            self._own_gate.open()

    def gate_cleared(self) -> None:
        """Publish without the gate from now on: no operation waits there."""
        if self._own_gate is not None and self._own_gate.is_shut and self._is_open():
            self._own_gate.open()  # the channel came back with the connection
        if self._is_open() and self._is_clear():
            self.publishing = self.require_live().publishing
            self._wake_waiters()

    def _is_open(self) -> bool:
        return self.live is not None and self.live.closing_exc is None
