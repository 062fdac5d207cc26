"""Putting new live halves under the caller's channels and consumers, without an await."""

import math
from collections.abc import Container, Mapping
from contextlib import suppress
from typing import Final

from ...exceptions.channel import ChannelClosed, ClientClosedChannelOK
from ...exceptions.consumer import ClientCancelledConsumerOK
from ...inbox import Inbox
from ...live.channel import LiveChannel
from ...live.connection import LiveConnection
from ...topology import Topology
from ...topology_records import ConsumerRecord, Entity
from ..lasting_channel import LastingChannel
from ..missing_entities import MissingEntities
from ..reports import Reports
from ..state import RecoveryState
from .channels import ChannelHasEnded, ChannelRestoration, refuses_consumer, start_late
from .stragglers import Stragglers
from .topology_replay import Replay

__all__ = ["Handover", "attach_consumer"]

LOCKED_MARGIN: Final = 5.0
"""How long a locked queue is retried beyond three heartbeat intervals, in seconds. The server may need
these intervals to notice that the old connection is lost, and this time to delete its queues."""


class Handover:
    """Puts restored live channels and inboxes under the caller's objects.

    Args:
        state: The connection's state.
        topology: The entities to restore.
        channels: The caller's open channels.
        reports: Reports lost consumers and late entities.

    Attributes:
        missing: What was reported as missing and is retried.
    """

    def __init__(
        self,
        state: RecoveryState,
        topology: Topology,
        channels: Container[LastingChannel],
        reports: Reports,
    ) -> None:
        self.missing: MissingEntities = MissingEntities()
        self._state = state
        self._topology = topology
        self._channels = channels
        self._reports = reports

    def hand_over(self, restoration: ChannelRestoration) -> bool:
        """Put new live halves under a channel and its consumers.

        Returns:
            Whether the channel is open: the caller may have closed it meanwhile, or the server may
            have refused it or closed it again.
        """
        channel = restoration.channel
        if channel not in self._channels:
            if restoration.error is None:
                restoration.live.begin_close(ClientClosedChannelOK())
            return False
        if restoration.error is not None:
            self.lose_channel(channel, restoration.error)
            return False
        channel.attach(restoration.live)
        for record in list(restoration.inboxes):
            attach_consumer(record, restoration.inboxes.pop(record))
        return restoration.live.closing_exc is None

    # --- what is reported once ---

    def restored(self, entity: Entity) -> None:
        """Report that an entity is restored, if it was reported as missing."""
        if self.missing.remove(entity):
            self._reports.restored(entity)

    def give_up(self, entity: Entity, error: Exception) -> None:
        """Report that an entity is not retried any more; end it if it is a consumer."""
        if isinstance(entity, ConsumerRecord):
            self.lose_consumer(entity, error)
        elif self.missing.remove(entity):
            self._reports.given_up(entity, error)

    def lose_consumer(self, record: ConsumerRecord, error: Exception) -> None:
        """End a consumer that cannot be restored; its queue stays recorded."""
        self.missing.remove(record)
        if not record.has_ended:
            self._topology.drop_consumer(record.consumer)
            record.consumer._close_for_good(error)
            self._reports.consumer_lost(record.consumer, error)

    def lose_refused_consumer(
        self, record: ConsumerRecord, live: LiveChannel, error: ChannelClosed
    ) -> None:
        """End a consumer that the server has refused.

        If its channel was closed because of something else, the consumer has ended with the channel,
        or is started again with it.
        """
        if live.closing_exc is None or refuses_consumer(error):
            self.lose_consumer(record, error)

    def lose_channel(self, channel: LastingChannel, error: Exception) -> None:
        """End a channel that cannot be restored, with its consumers."""
        for record in self._topology.consumers_on(channel):
            self.lose_consumer(record, error)
        channel.close_for_good(error)

    # --- stragglers ---

    def stragglers(
        self,
        live: LiveConnection,
        replay: Replay,
        restorations: Mapping[LastingChannel, ChannelRestoration],
    ) -> Stragglers:
        """Return the stragglers of a replay; each is handed over as soon as it is restored.

        Args:
            live: The live connection, which may not be in use yet.
            replay: The replay.
            restorations: The channels on which consumers start until the connection is in use.
        """
        host = _StragglerHost(self, self._state, self._topology, live, replay, restorations)
        return Stragglers(replay, host)


class _StragglerHost:
    """The connection of stragglers, which may not be in use yet (`stragglers.StragglerHost`).

    Until it is in use nothing is reported: the report of the connection says what is missing.

    Args:
        handover: Knows what is missing.
        state: The connection's state.
        topology: The entities to restore.
        live: The live connection.
        replay: The replay of the stragglers.
        restorations: As in `Handover.stragglers`.
    """

    def __init__(
        self,
        handover: Handover,
        state: RecoveryState,
        topology: Topology,
        live: LiveConnection,
        replay: Replay,
        restorations: Mapping[LastingChannel, ChannelRestoration],
    ) -> None:
        self._handover = handover
        self._state = state
        self._topology = topology
        self._live = live
        self._replay = replay
        self._restorations = restorations

    @property
    def _is_in_use(self) -> bool:
        return self._state.live is self._live

    # --- what is to be restored, and for how long ---

    def locked_for(self) -> float:
        """Return for how many seconds a locked queue is retried.

        A server with an alarm notices only after the alarm that a connection was lost which it had
        blocked.
        """
        if self._state.was_blocked or self._live.blocking.is_blocked:
            return math.inf
        return 3 * self._live.protocol.heartbeat_interval + LOCKED_MARGIN

    def is_wanted(self, entity: Entity) -> bool:
        """Return whether an entity is still to be restored, by these stragglers."""
        return self._topology.holds(entity) and (not self._is_in_use or self._is_missing(entity))

    def is_being_deleted(self, entity: Entity) -> bool:
        """Return whether the program deletes an entity, and the server has not answered yet."""
        return self._topology.is_being_deleted(entity)

    # --- what became of an entity ---

    def went_missing(self, entity: Entity) -> None:
        """Record an entity that was restored, and that the server has deleted since."""
        if self._is_in_use:
            self._handover.missing.add([entity], self._replay)

    def restored(self, entity: Entity) -> None:
        """Report that an entity is restored."""
        if self._is_in_use:
            self._handover.restored(entity)

    def failed(self, entity: Entity, error: Exception) -> None:
        """Report that an entity is not retried any more."""
        if self._is_in_use and self._is_missing(entity):
            self._handover.give_up(entity, error)

    def _is_missing(self, entity: Entity) -> bool:
        return self._handover.missing.is_left_to(self._replay, entity)

    # --- consumers ---

    async def start(self, record: ConsumerRecord) -> bool:
        """Start a consumer, on its new channel or on the one in use; return whether this call did.

        The server may close its channel meanwhile. If the channel is opened again, its consumers
        are started with it, except one that waits for its queue.

        Raises:
            ChannelClosed, OperationTimeout: The server refuses the consumer, or does not answer.
        """
        while not record.has_ended:
            channel = self._channel_for(record)
            if channel is None:
                return False
            try:
                inbox = await start_late(channel, record, self._replay)
            except (ChannelHasEnded, ChannelClosed) as error:
                if channel.closing_exc is None or refuses_consumer(error):
                    raise
                with suppress(ChannelClosed):  # it is closed for good, and the consumer with it
                    await record.channel.wait_reopened()
                if not self._is_missing(record):
                    return False
            else:
                return inbox is not None and self._attach(record, inbox)
        return False

    def _channel_for(self, record: ConsumerRecord) -> LiveChannel | None:
        if self._is_in_use:
            channel: LiveChannel | None = record.channel.live
            return channel
        restoration = self._restorations.get(record.channel)
        return None if restoration is None or restoration.error is not None else restoration.live

    def _attach(self, record: ConsumerRecord, inbox: Inbox) -> bool:
        """Let the consumer read from its new inbox, at once or with its channel."""
        self._replay.started.add(record)
        if self._is_in_use:
            attach_consumer(record, inbox)
        else:
            self._restorations[record.channel].inboxes[record] = inbox
        return True


def attach_consumer(record: ConsumerRecord, inbox: Inbox) -> None:
    """Let a consumer read from another inbox."""
    if record.has_ended:  # the caller has left it meanwhile
        assert inbox.live is not None
        inbox.live.consuming.begin_cancel(inbox.consumer_tag)
        inbox.close(ClientCancelledConsumerOK(inbox.consumer_tag, inbox.queue_name))
        inbox.requeue_unread()
    else:
        record.consumer._attach(inbox)
