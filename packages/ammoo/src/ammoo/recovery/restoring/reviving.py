"""Bringing back what ends while its connection goes on.

That is a channel that the server has closed, if the user wants it opened again, or a consumer
that the server has cancelled.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from ammoo_wire import BasicConsumeParameters

from ...channel_settings import Prefetch
from ...exceptions.base import AmmooError, OperationTimeout
from ...exceptions.channel import ChannelClosed, NotFound
from ...exceptions.connection import ConnectionClosed
from ...exceptions.consumer import ClientCancelledConsumerOK, ServerCancelledConsumer
from ...inbox import Inbox
from ...live.channel import LiveChannel
from ...live.connection import LiveConnection
from ...topology import ConsumerRecord, Topology
from ..delays import Outage
from ..lasting_channel import LastingChannel
from ..options import Recovery
from .channels import UNLIMITED, ChannelRestoration, probe_queue, set_prefetch, start_consumer
from .remedies import Remedy, remedy_for
from .replay import GaveUp, Replay

__all__ = ["Reviver", "reopen_channel", "revive_consumer"]

FIRST_DELAY: Final = 0.05
MAX_DELAY: Final = 1.0


class Reviver(Protocol):
    """What this module asks of the supervisor of the open connection."""

    recovery: Recovery
    topology: Topology

    @property
    def now(self) -> float:
        """The time by the event loop's clock."""
        ...

    def new_replay(self, live: LiveConnection) -> Replay:
        """Return a replay, which opens private channels and decides about refusals."""
        ...

    def channel_reopened(
        self,
        live: LiveConnection,
        restoration: ChannelRestoration,
        replay: Replay,
        cause: Exception,
    ) -> None:
        """Put a new live half under a channel."""

    def attach_consumer(self, record: ConsumerRecord, inbox: Inbox) -> None:
        """Let a consumer read from another inbox."""

    def lose_consumer(self, record: ConsumerRecord, error: Exception) -> None:
        """End a consumer that cannot be restored."""

    def run_in_background(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start a task that ends with the live connection."""
        ...


async def reopen_channel(
    reviver: Reviver,
    connection: LiveConnection,
    channel: LastingChannel,
    outage: Outage,
    cause: Exception,
) -> None:
    """Open again a channel that the server has closed, with its modes and consumers.

    Args:
        reviver: The supervisor.
        connection: The live connection.
        channel: The channel.
        outage: The delays of this channel, which the server may close repeatedly.
        cause: Why it was closed.
    """
    while True:
        outage.lost(reviver.now)
        if outage.attempt:  # it was closed a short time ago
            await asyncio.sleep(outage.next_delay(reviver.now))
        else:
            outage.attempt = 1
        replay = reviver.new_replay(connection)
        restoration = ChannelRestoration(connection, channel, replay)
        try:
            await restoration.run(reviver.topology.consumers_on(channel), {})
        except ConnectionClosed:
            return  # the channel comes back with the connection
        except (ChannelClosed, OperationTimeout):
            continue
        except GaveUp as error:
            channel.close_for_good(error.error)
            return
        outage.opened(reviver.now)
        reviver.channel_reopened(connection, restoration, replay, cause)
        return


async def revive_consumer(
    reviver: Reviver,
    connection: LiveConnection,
    live: LiveChannel,
    record: ConsumerRecord,
    consumer_tag: str,
) -> None:
    """Start again a consumer that the server has cancelled, if its queue exists or comes back.

    The server does not say why it cancelled the consumer: the queue was deleted, its node is
    down, or the consumer held a message for too long. RabbitMQ 4.3 keeps the old tag until the
    client cancels it; see `cancel_when_settled`.

    Args:
        reviver: The supervisor.
        connection: The live connection.
        live: The consumer's live channel.
        record: The consumer.
        consumer_tag: The tag that the server has cancelled.
    """
    if record.request.exclusive or not live.acknowledgements.unacked.held():
        live.consuming.begin_cancel(
            consumer_tag
        )  # an exclusive one would be refused because of its old tag
    else:
        reviver.run_in_background(cancel_when_settled(live, record.request, consumer_tag))
    error: AmmooError = ServerCancelledConsumer(consumer_tag, record.queue.name)
    began, delay = reviver.now, FIRST_DELAY
    replay = reviver.new_replay(connection)
    while not record.has_ended and live.closing_exc is None:
        try:
            await probe_queue(replay, record)
            await _start_again(reviver, live, record)
        except ConnectionClosed:
            return
        except (NotFound, OperationTimeout) as missing:
            if remedy_for(missing, record) is Remedy.TRANSIENT:
                began = reviver.now  # its node is down: the grace begins when the node is up
            elif reviver.now - began >= reviver.recovery.consumer_grace:
                reviver.topology.forget_queue(record.queue.name)
                reviver.lose_consumer(record, error)
                return
        except ChannelClosed as refused:
            reviver.lose_consumer(record, refused)
            return
        else:
            return
        await asyncio.sleep(delay)
        delay = min(2 * delay, MAX_DELAY)


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


async def _start_again(reviver: Reviver, live: LiveChannel, record: ConsumerRecord) -> None:
    if record.has_ended or live.closing_exc is not None:
        return
    prefetch = Prefetch(*record.prefetch)
    in_force = record.channel.settings.prefetch or UNLIMITED
    if prefetch != in_force:
        await set_prefetch(live, prefetch)
    inbox = await start_consumer(live, record)
    if prefetch != in_force:
        await set_prefetch(live, in_force)
    reviver.attach_consumer(record, inbox)
