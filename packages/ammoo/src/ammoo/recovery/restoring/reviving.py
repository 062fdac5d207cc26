"""Bringing back channels and consumers that end while their connection stays open.

The server has closed the channel, and the user wants it opened again; or it has cancelled the
consumer.
"""

import asyncio
from collections import Counter
from typing import Final

from ammoo_wire import BasicConsumeParameters

from ...exceptions.base import AmmooError, OperationTimeout
from ...exceptions.channel import ChannelClosed, ClientClosedChannelOK, NotFound
from ...exceptions.connection import ConnectionClosed, TooManyChannels
from ...exceptions.consumer import ClientCancelledConsumerOK, ServerCancelledConsumer
from ...inbox import Inbox
from ...live.channel import LiveChannel
from ...live.connection import LiveConnection
from ...topology import Topology
from ...topology_records import ConsumerRecord
from ..background import BackgroundTasks
from ..delays import Outage
from ..lasting_channel import LastingChannel
from ..options import Recovery
from ..ports import LastingConsumer
from ..reports import Reports
from ..state import RecoveryState
from .channels import ChannelHasEnded, ChannelRestoration, start_late
from .handover import Handover, attach_consumer
from .remedies import Remedy, remedy_for
from .stragglers import Stragglers
from .topology_replay import GaveUp, Replay

__all__ = ["Reviver"]

FIRST_DELAY: Final = 0.05
MAX_DELAY: Final = 1.0


class Reviver:
    """Brings back channels and consumers of a connection that is open.

    Args:
        state: The connection's state.
        recovery: The user's options.
        topology: The entities to restore.
        handover: Puts restored live channels under the caller's objects.
        background: Runs the tasks that bring channels and consumers back.
        reports: Reports reopened channels.
    """

    def __init__(
        self,
        state: RecoveryState,
        recovery: Recovery,
        topology: Topology,
        handover: Handover,
        background: BackgroundTasks,
        reports: Reports,
    ) -> None:
        self._state = state
        self._recovery = recovery
        self._topology = topology
        self._handover = handover
        self._background = background
        self._reports = reports

    def _new_replay(self, live: LiveConnection) -> Replay:
        """Return a replay, which opens private channels and decides about refusals."""
        return Replay(live, self._topology, self._recovery, Counter())

    # --- a channel ---

    def reopen(self, channel: LastingChannel, outage: Outage, cause: Exception) -> None:
        """Begin to open again a channel that the server has closed, with its modes and consumers.

        Args:
            channel: The channel.
            outage: The delays of this channel, which the server may close repeatedly.
            cause: Why it was closed.
        """
        live = self._state.require_live()
        self._background.run(self._reopen(live, channel, outage, cause))

    async def _reopen(
        self,
        connection: LiveConnection,
        channel: LastingChannel,
        outage: Outage,
        cause: Exception,
    ) -> None:
        outage.lost(self._state.now)
        while channel.final is None:
            if outage.attempt:  # it was closed a short time ago
                await asyncio.sleep(outage.next_delay(self._state.now))
            else:
                outage.attempt = 1
            replay = self._new_replay(connection)
            restoration = ChannelRestoration(channel, replay)
            try:
                await restoration.run(self._startable_on(channel), {})
            except ConnectionClosed:
                return  # the channel comes back with the connection
            except (ChannelClosed, OperationTimeout, TooManyChannels):
                continue
            except GaveUp as error:
                self._handover.lose_channel(channel, error.error)
                return
            outage.opened(self._state.now)
            self._reopened(connection, restoration, replay, cause)
            return

    def _startable_on(self, channel: LastingChannel) -> list[ConsumerRecord]:
        """Return the consumers of a channel, except those that will be started with their queue.

        The queue of these is retried. Consumers that the program has started on it since are returned.
        """
        missing, consumers = self._handover.missing, self._topology.consumers_on(channel)
        return [each for each in consumers if not missing.follows(each, each.queue)]

    def _reopened(
        self,
        connection: LiveConnection,
        restoration: ChannelRestoration,
        replay: Replay,
        cause: Exception,
    ) -> None:
        """Put a new live half under a channel, without an await."""
        channel, live = restoration.channel, self._state.live
        if connection is not live:
            if restoration.error is None:
                restoration.live.begin_close(ClientClosedChannelOK())
            return
        started, not_restored = list(restoration.inboxes), replay.not_restored()
        if not self._handover.hand_over(restoration):
            return
        number = restoration.live.number
        self._reports.channel_reopened(number, channel.user_channel, cause, not_restored)
        for record in started:
            self._handover.restored(record)
        for record, error in replay.failed_consumers().items():
            self._handover.lose_consumer(record, error)
        if replay.stragglers:
            self._handover.missing.add(replay.stragglers, replay)
            stragglers = self._handover.stragglers(live, replay, {channel: restoration})
            self._background.run(self._run_stragglers(stragglers, restoration))
        channel.reopened()

    async def _run_stragglers(
        self, stragglers: Stragglers, restoration: ChannelRestoration
    ) -> None:
        """Run the stragglers of a channel; end it if the user wants no channel without them."""
        try:
            await stragglers.run()
        except GaveUp as error:
            self._handover.lose_channel(restoration.channel, error.error)
            restoration.live.begin_close(ClientClosedChannelOK())

    # --- a consumer ---

    def revive(self, consumer: LastingConsumer, live: LiveChannel, consumer_tag: str) -> None:
        """Begin to start again a consumer that the server has cancelled, unless all is lost.

        Args:
            consumer: The consumer.
            live: Its live channel.
            consumer_tag: The tag that the server has cancelled.
        """
        record = self._topology.consumer_record(consumer)
        connection = self._state.live
        if record is not None and connection is not None and not self._state.is_recovering:
            self._background.run(self._revive(connection, live, record, consumer_tag))

    async def _revive(
        self,
        connection: LiveConnection,
        live: LiveChannel,
        record: ConsumerRecord,
        consumer_tag: str,
    ) -> None:
        """Start again a consumer that the server has cancelled, if its queue exists or comes back.

        The server does not say why it cancelled the consumer: the queue was deleted, its node is
        down, or the consumer held a message for too long. RabbitMQ 4.3 keeps the old tag until the
        client cancels it; see `cancel_when_settled`.
        """
        if record.request.exclusive or not live.acknowledgements.unacked.held():
            live.consuming.begin_cancel(consumer_tag)  # an exclusive one is refused while it lasts
        else:
            self._background.run(cancel_when_settled(live, record.request, consumer_tag))
        began, delay = self._state.now, FIRST_DELAY
        replay = self._new_replay(connection)
        self._handover.missing.add([record], replay)
        while not record.has_ended and live.closing_exc is None:
            try:
                inbox = await start_late(live, record, replay)
            except (ChannelHasEnded, ConnectionClosed):
                return
            except (ChannelClosed, OperationTimeout, TooManyChannels) as refused:
                is_transient = remedy_for(refused, record) is Remedy.TRANSIENT
                if is_transient and not isinstance(refused, TooManyChannels):
                    began = self._state.now  # the grace begins when the queue's node is up
                elif isinstance(refused, ChannelClosed) and not isinstance(refused, NotFound):
                    self._handover.lose_refused_consumer(record, live, refused)
                    return
                elif self._state.now - began >= self._recovery.consumer_grace:
                    self._give_up(record, consumer_tag, refused)
                    return
            else:
                if inbox is not None:
                    attach_consumer(record, inbox)
                    self._handover.restored(record)
                return
            await asyncio.sleep(delay)
            delay = min(2 * delay, MAX_DELAY)

    def _give_up(self, record: ConsumerRecord, consumer_tag: str, refused: AmmooError) -> None:
        """End a consumer whose queue does not come back, or cannot be looked for."""
        if isinstance(refused, NotFound):
            self._topology.forget_queue(record.queue.name)
            refused = ServerCancelledConsumer(consumer_tag, record.queue.name)
        self._handover.lose_consumer(record, refused)


async def cancel_when_settled(
    live: LiveChannel, request: BasicConsumeParameters, consumer_tag: str
) -> None:
    """Cancel a tag that the server has cancelled, as soon as all its messages are settled.

    RabbitMQ 4.3.6 closes the channel (406) if the client holds a message of a cancelled consumer
    for too long, and delivers nothing to a consumer that holds such a message. This function
    requeues messages that arrive between the last acknowledgement and the cancel.
    """
    await live.watch_settling().wait_settled(live.acknowledgements.unacked.held())
    if live.closing_exc is None:
        retired = Inbox(request)
        retired.begin(live, consumer_tag)
        retired.live = live
        retired.close(ClientCancelledConsumerOK(consumer_tag, request.queue_name))
        live.consumers[consumer_tag] = retired
        live.consuming.begin_cancel(consumer_tag)
