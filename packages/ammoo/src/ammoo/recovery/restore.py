"""Opening the caller's channels again: modes, prefetch limits and consumers of each.

Each channel is restored by itself, side by side with the others: a consumer whose queue has no
leader blocks its channel until the server has given up. Until all is restored, deliveries wait
in an inbox that the caller's consumer does not read yet.
"""

import asyncio
from collections.abc import Iterable

from ammoo_wire import QueueDeclareOkParameters, QueueDeclareParameters

from ..channel_settings import Prefetch
from ..exceptions.base import OperationTimeout
from ..exceptions.channel import ClientClosedChannelOK, ServerClosedChannel
from ..exceptions.connection import ServerClosedConnection, TooManyChannels
from ..inbox import Inbox
from ..live.channel import LiveChannel
from ..live.connection import LiveConnection
from ..topology import ConsumerRecord, Entity
from .ports import LastingChannel
from .replay import Replay, answered_in_time

__all__ = ["ChannelRestoration", "restore_channels"]

UNLIMITED = Prefetch(0, 0)
CONSUME = (60, 20)
"""The number of basic.consume in a connection.close."""


class ChannelRestoration:
    """One of the caller's channels on a new connection.

    Args:
        connection: The new connection.
        channel: The caller's channel.
        replay: What has been restored, and what is done about refusals.

    Attributes:
        channel: The caller's channel.
        error: Why the channel cannot be opened; None if it can.
        inboxes: Where the deliveries of each consumer wait that was started.
        live: The new channel.
    """

    def __init__(self, connection: LiveConnection, channel: LastingChannel, replay: Replay) -> None:
        self.channel = channel
        self.inboxes: dict[ConsumerRecord, Inbox] = {}
        self._connection = connection
        self._replay = replay
        self._prefetch = UNLIMITED
        self.error: Exception | None = None
        self.live: LiveChannel
        try:
            self.live = connection.new_channel(channel.body_encoding)
        except TooManyChannels as error:
            self.error = error

    async def run(self, records: Iterable[ConsumerRecord], suspects: "dict[Entity, int]") -> None:
        """Open the channel, and start the consumers that can be started.

        Raises:
            GaveUp: A consumer was refused, and on_error is "fail".
            ConnectionClosed, OperationTimeout: The connection is lost.
        """
        remaining = list(records)
        while self.error is None:
            try:
                await self._set_up()
            except ServerClosedChannel as error:
                self.error = error  # what was asked of it is not allowed any more
                return
            try:
                for record in remaining:
                    await self.start(record)
                await self._set_prefetch(self.channel.settings.prefetch or UNLIMITED)
                return
            except ServerClosedConnection as error:
                if (error.class_id, error.method_id) == CONSUME:
                    suspects[record] = suspects.get(record, 0) + 1
                raise
            except (ServerClosedChannel, OperationTimeout) as error:
                # The refused one is taken out, and the others begin anew on another channel.
                self._replay.refuse(record, error)
                remaining.remove(record)
                self.live.begin_close(ClientClosedChannelOK())
                self.inboxes.clear()
                self.live = self._connection.new_channel(self.channel.body_encoding)

    async def _set_up(self) -> None:
        async with answered_in_time("channel.open"):
            await self.live.open()
            await self.channel.settings.apply(self.live)
        self._prefetch = self.channel.settings.prefetch or UNLIMITED

    async def start(self, record: ConsumerRecord) -> None:
        """Start a consumer, with the prefetch limit that was in force when it was made."""
        await self._set_prefetch(Prefetch(*record.prefetch))
        live, inbox = self.live, Inbox(record.request)
        inbox.consumer_tag = live.consuming.new_tag()
        inbox.live = live
        request = record.request._replace(
            queue_name=record.queue.name, consumer_tag=inbox.consumer_tag
        )
        async with answered_in_time("basic.consume"):
            await live.consuming.start(inbox, request)
        self.inboxes[record] = inbox

    async def start_late(self, record: ConsumerRecord) -> None:
        """Start a consumer after the others; a queue that is not there closes a private channel."""
        probe = await self._replay.open_channel()
        async with answered_in_time("queue.declare"):
            await probe.call(
                QueueDeclareParameters(record.queue.name, passive=True), QueueDeclareOkParameters
            )
        probe.begin_close(ClientClosedChannelOK())
        await self.start(record)
        await self._set_prefetch(self.channel.settings.prefetch or UNLIMITED)

    async def _set_prefetch(self, prefetch: Prefetch) -> None:
        if prefetch != self._prefetch:
            async with answered_in_time("basic.qos"):
                await self.live.set_prefetch(*prefetch, False)
            self._prefetch = prefetch


async def restore_channels(
    connection: LiveConnection,
    consumers: "dict[LastingChannel, list[ConsumerRecord]]",
    replay: Replay,
    suspects: "dict[Entity, int]",
) -> "dict[LastingChannel, ChannelRestoration]":
    """Open channels again, with their consumers.

    Args:
        connection: The new connection.
        consumers: The consumers of each channel, in the order in which they were started.
        replay: What has been restored, and what is done about refusals.
        suspects: How often each entity may have ended a connection.

    Raises:
        GaveUp: A consumer was refused, and on_error is "fail".
        ConnectionClosed, OperationTimeout: The connection is lost.
    """
    restorations = {each: ChannelRestoration(connection, each, replay) for each in consumers}
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
    """Return the consumers that are started now; the others are stragglers, or left out."""
    ready = []
    for record in records:
        if not replay.restores(record) or replay.is_waiting_for(record):
            continue
        if suspects.get(record):
            replay.postpone_suspect(record)
        else:
            ready.append(record)
    return ready
