"""Putting new live halves under the caller's channels and consumers, without an await."""

from collections.abc import Container
from typing import Final

from ...exceptions.channel import ChannelClosed, ClientClosedChannelOK
from ...exceptions.consumer import ClientCancelledConsumerOK
from ...inbox import Inbox
from ...live.channel import LiveChannel
from ...live.connection import LiveConnection
from ...topology import ConsumerRecord, Entity, Topology
from ..lasting_channel import LastingChannel
from ..reports import Reports
from ..state import RecoveryState
from .channels import ChannelRestoration, refuses_consumer
from .replay import Replay
from .stragglers import Stragglers

__all__ = ["Handover", "attach_consumer"]

LOCKED_MARGIN: Final = 5.0
"""A locked queue is retried for three heartbeat intervals and this time, in seconds."""


class Handover:
    """Puts restored live channels and inboxes under the caller's objects.

    Args:
        state: The connection's state.
        topology: The entities to restore.
        channels: The caller's open channels.
        reports: Reports lost consumers and late entities.
    """

    def __init__(
        self,
        state: RecoveryState,
        topology: Topology,
        channels: Container[LastingChannel],
        reports: Reports,
    ) -> None:
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
            channel.close_for_good(restoration.error)
            return False
        channel.attach(restoration.live)
        for record in list(restoration.inboxes):
            attach_consumer(record, restoration.inboxes.pop(record))
        return restoration.live.closing_exc is None

    def lose_consumer(self, record: ConsumerRecord, error: Exception) -> None:
        """End a consumer that cannot be restored; its queue stays recorded."""
        if not record.has_ended:
            self._topology.drop_consumer(record.consumer)
            record.consumer.close_for_good(error)
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

    def stragglers(
        self,
        live: LiveConnection,
        replay: Replay,
        restorations: dict[LastingChannel, ChannelRestoration],
        lost: dict[ConsumerRecord, Exception],
    ) -> Stragglers:
        """Return the stragglers of a replay; each is handed over as soon as it is restored.

        Args:
            live: The live connection, which may not be in use yet.
            replay: The replay.
            restorations: The channels on which consumers start.
            lost: Receives the consumers that are given up before the connection is in use.
        """

        async def start(record: ConsumerRecord) -> None:
            restoration = restorations.get(record.channel)
            if restoration is None or restoration.error is not None:
                return  # the caller has closed the channel
            try:
                await restoration.start_late(record)
            except ChannelClosed as error:
                if restoration.live.closing_exc is None or refuses_consumer(error):
                    raise
                return  # the channel has ended, or is opened again with its consumers
            if self._state.live is live and record in restoration.inboxes:
                attach_consumer(record, restoration.inboxes.pop(record))

        def restored(entity: Entity) -> None:
            if self._state.live is live:
                self._reports.restored(entity)

        def failed(entity: Entity, error: Exception) -> None:
            if isinstance(entity, ConsumerRecord):
                if self._state.live is live:
                    self.lose_consumer(entity, error)
                else:
                    lost[entity] = error

        locked_for = 3 * live.protocol.heartbeat_interval + LOCKED_MARGIN
        return Stragglers(replay, locked_for, start, restored, failed)


def attach_consumer(record: ConsumerRecord, inbox: Inbox) -> None:
    """Let a consumer read from another inbox."""
    if record.has_ended:  # the caller has left it meanwhile
        assert inbox.live is not None
        inbox.live.consuming.begin_cancel(inbox.consumer_tag)
        inbox.close(ClientCancelledConsumerOK(inbox.consumer_tag, inbox.queue_name))
        inbox.requeue_unread()
    else:
        record.consumer.attach(inbox)
