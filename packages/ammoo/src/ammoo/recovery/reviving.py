"""What ends alone, while its connection goes on: a channel that is opened again if asked, and a
consumer that the server has cancelled.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from ..channel_settings import Prefetch
from ..exceptions.base import AmmooError, OperationTimeout
from ..exceptions.channel import ChannelClosed, NotFound
from ..exceptions.connection import ConnectionClosed
from ..exceptions.consumer import ServerCancelledConsumer
from ..live.channel import LiveChannel
from ..live.connection import LiveConnection
from ..topology import ConsumerRecord
from .delays import Outage
from .ports import LastingChannel
from .replay import GaveUp
from .restore import (
    UNLIMITED,
    ChannelRestoration,
    probe_queue,
    set_prefetch,
    start_consumer,
)

if TYPE_CHECKING:
    from .supervisor import Supervisor

__all__ = ["reopen_channel", "revive_consumer"]

FIRST_DELAY: Final = 0.05
MAX_DELAY: Final = 1.0


async def reopen_channel(
    supervisor: "Supervisor",
    connection: LiveConnection,
    channel: LastingChannel,
    outage: Outage,
    cause: Exception,
) -> None:
    """Open a channel again that the server has closed, with its modes and consumers.

    Args:
        supervisor: The connection's.
        connection: The live connection.
        channel: The channel.
        outage: The delays of this channel: it may be closed again and again.
        cause: Why it was closed.
    """
    while True:
        outage.lost(supervisor.now)
        if outage.attempt:  # it was closed a short time ago
            await asyncio.sleep(outage.next_delay(supervisor.now))
        else:
            outage.attempt = 1
        replay = supervisor.new_replay(connection)
        restoration = ChannelRestoration(connection, channel, replay)
        try:
            await restoration.run(supervisor.topology.consumers_on(channel), {})
        except ConnectionClosed:
            return  # the channel comes back with the connection
        except (ChannelClosed, OperationTimeout):
            continue
        except GaveUp as error:
            channel.close_for_good(error.error)
            return
        outage.opened(supervisor.now)
        supervisor.channel_reopened(connection, restoration, replay, cause)
        return


async def revive_consumer(
    supervisor: "Supervisor",
    connection: LiveConnection,
    live: LiveChannel,
    record: ConsumerRecord,
    consumer_tag: str,
) -> None:
    """Start a consumer again that the server has cancelled, if its queue is there or comes back.

    The server does not say why: the queue was deleted, its node is gone, or the consumer has
    held a message for too long. RabbitMQ 4.3 keeps the old tag until it is cancelled.

    Args:
        supervisor: The connection's.
        connection: The live connection.
        live: The consumer's live channel.
        record: The consumer.
        consumer_tag: The tag that the server has cancelled.
    """
    live.consuming.begin_cancel(consumer_tag)
    error: AmmooError = ServerCancelledConsumer(consumer_tag, record.queue.name)
    began, delay = supervisor.now, FIRST_DELAY
    replay = supervisor.new_replay(connection)
    while not record.has_ended and live.closing_exc is None:
        try:
            await probe_queue(replay, record)
            await _start_again(supervisor, live, record)
        except ConnectionClosed:
            return
        except (NotFound, OperationTimeout):
            if supervisor.now - began >= supervisor.recovery.consumer_grace:
                supervisor.topology.forget_queue(record.queue.name)
                supervisor.lose_consumer(record, error)
                return
        except ChannelClosed as refused:
            supervisor.lose_consumer(record, refused)
            return
        else:
            return
        await asyncio.sleep(delay)
        delay = min(2 * delay, MAX_DELAY)


async def _start_again(supervisor: "Supervisor", live: LiveChannel, record: ConsumerRecord) -> None:
    if record.has_ended or live.closing_exc is not None:
        return
    prefetch = Prefetch(*record.prefetch)
    in_force = record.channel.settings.prefetch or UNLIMITED
    if prefetch != in_force:
        await set_prefetch(live, prefetch)
    inbox = await start_consumer(live, record)
    if prefetch != in_force:
        await set_prefetch(live, in_force)
    supervisor.attach_consumer(record, inbox)
