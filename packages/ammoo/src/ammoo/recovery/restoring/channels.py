"""Opening the caller's channels again: modes, prefetch limits and consumers of each.

The channels are restored concurrently, because a consumer whose queue has no leader blocks its
channel until the server gives up. Until all channels are restored, deliveries wait in inboxes
that the caller's consumers do not read yet.
"""

import asyncio
from collections.abc import Iterable

from ammoo_wire import QueueDeclareOkParameters, QueueDeclareParameters

from ...channel_settings import Prefetch
from ...exceptions.base import OperationTimeout, ServerRefusal
from ...exceptions.channel import ChannelClosed, ClientClosedChannelOK, ServerClosedChannel
from ...exceptions.connection import ServerClosedConnection, TooManyChannels
from ...inbox import Inbox
from ...live.channel import LiveChannel
from ...live.connection import LiveConnection
from ...topology_records import ConsumerRecord, Entity
from ..lasting_channel import LastingChannel
from .private_channels import answered_in_time
from .topology_replay import Replay

__all__ = [
    "ChannelHasEnded",
    "ChannelRestoration",
    "refuses_consumer",
    "restore_channels",
    "start_late",
]

UNLIMITED = Prefetch(0, 0)
ONE = Prefetch(0, 1)
CONSUMER_STUCK_AFTER = 0.1
"""How long to await basic.consume-ok before asking the server on another channel, in seconds. All
operations wait meanwhile, and a restarted node answers late for each queue without a leader."""
CONSUMERS_IN_A_SECOND = 1000
"""The wait is longer if many consumers are started: a loaded server starts so many in a second."""
CONSUME = (60, 20)
"""The number of basic.consume in a close."""


class ChannelHasEnded(Exception):
    """The channel of a late consumer has ended, and the server has not refused this consumer.

    If the channel is opened again, its consumers are started with it.
    """


class ChannelRestoration:
    """One of the caller's channels on a new connection.

    Args:
        channel: The caller's channel.
        replay: Knows the restored entities, and decides about refusals.
        consumers: How many consumers are started at the same time, on all channels.

    Attributes:
        channel: The caller's channel.
        error: Why the channel cannot be opened; None if it can.
        inboxes: The inbox of each started consumer, where its deliveries wait.
        live: The new channel.
    """

    def __init__(
        self,
        channel: LastingChannel,
        replay: Replay,
        consumers: int = 1,
    ) -> None:
        self.channel = channel
        self.inboxes: dict[ConsumerRecord, Inbox] = {}
        self._replay = replay
        self._stuck_after = CONSUMER_STUCK_AFTER + consumers / CONSUMERS_IN_A_SECOND
        self._prefetch = UNLIMITED
        self.error: Exception | None = None
        self.live: LiveChannel

    async def run(self, records: Iterable[ConsumerRecord], suspects: "dict[Entity, int]") -> None:
        """Open the channel, and start the consumers that can be started.

        Raises:
            GaveUp: A consumer was refused, and on_error is "fail".
            ConnectionClosed, OperationTimeout: The connection is lost.
            TooManyChannels: Others have all numbers now; one may be free later.
        """
        remaining = list(records)
        while self.error is None:
            self.live = await self._replay.private_channels.new_channel(self.channel.body_encoding)
            try:
                await self._set_up()
            except ServerClosedChannel as error:
                self.error = error  # the server refuses its settings now
                return
            record: ConsumerRecord | None = None
            try:
                for record in remaining:
                    await self.start(record)
                record = None
                await self._set_prefetch(self.channel.settings.prefetch or UNLIMITED)
                return
            except ServerClosedConnection as error:
                if record is not None and refuses_consumer(error):
                    suspects[record] = suspects.get(record, 0) + 1
                raise
            except (ServerClosedChannel, OperationTimeout) as error:
                if record is None:
                    self.error = error  # no consumer was at fault
                    self.live.begin_close(ClientClosedChannelOK())
                    return
                # The refused consumer is removed; the others begin anew on another channel.
                self._replay.refuse(record, error)
                remaining.remove(record)
                self._replay.private_channels.close(self.live)
                self._replay.started.difference_update(self.inboxes)
                self.inboxes.clear()

    async def _set_up(self) -> None:
        async with answered_in_time("channel.open"):
            await self.live.open()
            await self.channel.settings.apply(self.live)
        self._prefetch = self.channel.settings.prefetch or UNLIMITED

    async def start(self, record: ConsumerRecord) -> None:
        """Start a consumer with the prefetch limit that it had when it was first started."""
        await self._set_prefetch(Prefetch(*record.prefetch))
        starting = asyncio.ensure_future(start_consumer(self.live, record))
        try:
            await self._replay.wait_unless_stuck(starting, "basic.consume", self._stuck_after)
            self.inboxes[record] = starting.result()
            self._replay.started.add(record)
        finally:
            starting.cancel()

    async def _set_prefetch(self, prefetch: Prefetch) -> None:
        if prefetch != self._prefetch:
            await set_prefetch(self.live, prefetch)
            self._prefetch = prefetch


def refuses_consumer(error: Exception) -> bool:
    """Return whether the server has closed a channel or a connection because of a basic.consume."""
    return isinstance(error, ServerRefusal) and (error.class_id, error.method_id) == CONSUME


async def set_prefetch(live: LiveChannel, prefetch: Prefetch) -> None:
    """Set the limit for the consumers that are started from now on."""
    async with answered_in_time("basic.qos"):
        await live.set_prefetch(*prefetch, False)


async def start_consumer(live: LiveChannel, record: ConsumerRecord) -> Inbox:
    """Start a consumer with a new tag; RabbitMQ 4.3 closes the connection for a reused one (530).

    Returns:
        The inbox where its deliveries wait.
    """
    inbox = Inbox(record.request)
    inbox.consumer_tag = live.consuming.new_tag()
    inbox.live = live
    request = record.request._replace(
        queue_name=record.queue.name,
        consumer_tag=inbox.consumer_tag,
        arguments=record.consumer._resume(record.request.arguments),
    )
    await live.consuming.start(inbox, request)
    return inbox


async def start_late(live: LiveChannel, record: ConsumerRecord, replay: Replay) -> Inbox | None:
    """Start a consumer after the others, on a channel that the caller already uses.

    There is no time limit for the answer. If the client sent a second request meanwhile, the
    server would start two consumers; if it gave the request up, the channel would be closed.

    Args:
        live: The live channel.
        record: The consumer.
        replay: Opens the private channel on which the queue is looked for.

    Returns:
        The inbox where its deliveries wait; None if the consumer has ended meanwhile.

    Raises:
        NotFound: The queue does not exist.
        ChannelClosed: The server refuses the consumer.
        ChannelHasEnded: The channel has ended because of something else.
        TooManyChannels: The caller's channels have all numbers.
    """
    await probe_queue(replay, record)
    async with record.channel.late_starts:
        if record.has_ended:
            return None
        settings, prefetch = record.channel.settings, Prefetch(*record.prefetch)
        is_in_force = prefetch == (settings.prefetch or UNLIMITED)
        is_at_fault = False
        try:
            live.raise_if_closed()
            if not is_in_force:
                await set_prefetch(live, prefetch)
            is_at_fault = not live.is_starting_consumer  # the server answers that one first
            inbox = await start_consumer(live, record)
            is_at_fault = False
            if not is_in_force:
                await set_prefetch(live, settings.prefetch or UNLIMITED)
        except ChannelClosed as error:
            if is_at_fault and refuses_consumer(error):
                raise
            raise ChannelHasEnded from error
        return inbox


async def probe_queue(replay: Replay, record: ConsumerRecord) -> None:
    """Make sure that a consumer can be started; if it cannot, only a private channel is closed.

    A stream may exist before its replica on this node runs, and then refuses consumers.

    Raises:
        NotFound: The queue does not exist.
        ServerClosedChannel: The stream accepts no consumer now.
    """
    probe = await replay.private_channels.open()
    try:
        async with answered_in_time("queue.declare"):
            await probe.call(
                QueueDeclareParameters(record.queue.name, passive=True), QueueDeclareOkParameters
            )
        if _is_on_stream(record):
            async with answered_in_time("basic.consume"):
                await set_prefetch(probe, ONE)
                await start_consumer(probe, record)
    finally:
        replay.private_channels.close(probe)


def _is_on_stream(record: ConsumerRecord) -> bool:
    declared = record.queue.parameters
    is_stream = declared is not None and declared.arguments.get("x-queue-type") == "stream"
    return is_stream or record.consumer._is_on_stream


async def restore_channels(
    connection: LiveConnection,
    consumers: "dict[LastingChannel, list[ConsumerRecord]]",
    replay: Replay,
    suspects: "dict[Entity, int]",
) -> "dict[LastingChannel, ChannelRestoration]":
    """Open the caller's channels again, with their consumers.

    Args:
        connection: The new connection.
        consumers: The consumers of each channel, in the order in which they were started.
        replay: Knows the restored entities, and decides about refusals.
        suspects: How often each entity may have ended a connection.

    Raises:
        GaveUp: A consumer was refused, and on_error is "fail".
        ConnectionClosed, OperationTimeout: The connection is lost.
        TooManyChannels: The server does not close a private channel in time.
    """
    count = sum(len(records) for records in consumers.values())
    restorations = {each: ChannelRestoration(each, replay, count) for each in consumers}
    most = connection.protocol.channel_max or len(restorations)
    for excess in list(restorations.values())[most:]:
        excess.error = TooManyChannels(most)
    results = await asyncio.gather(
        *(
            restoration.run(_ready(consumers[channel], replay, suspects), suspects)
            for channel, restoration in restorations.items()
        ),
        return_exceptions=True,
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return restorations


def _ready(
    records: Iterable[ConsumerRecord], replay: Replay, suspects: "dict[Entity, int]"
) -> list[ConsumerRecord]:
    """Return the consumers to start now; the others are stragglers, or the user omits them."""
    ready = []
    for record in records:
        if not replay.restores(record) or replay.is_waiting_for(record):
            continue
        if suspects.get(record):
            replay.postpone_suspect(record)
        else:
            ready.append(record)
    return ready
