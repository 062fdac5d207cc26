"""Sending a publisher's messages: at once, or by one task in the order of a queue.

The task exists while messages are queued: the server or the socket accepts none, the channel is
being recovered, or messages are sent again one at a time.
"""

import asyncio
from collections import deque

from ..channel_lifetime import ChannelLifetime
from ..exceptions.base import AmmooError
from ..exceptions.channel import ChannelClosed
from ..exceptions.connection import ConnectionClosed
from ..exceptions.publishing import (
    NotSentInTime,
    PublishFailed,
    PublishRefused,
    PublishUnknown,
)
from ..live.ports import PublishingPort
from ..live.publishing import Publishing
from ..publish_options import Outgoing
from ..running_loop import new_task
from .confirmation import Confirmation
from .outcomes import Outcomes, outcome_of
from .resending import Resending

__all__ = ["Sending"]


class Sending:
    """Sends the messages of one publisher.

    Args:
        lifetime: The channel's.
        outcomes: Settles messages.
        republish: Whether to send lost messages again.
    """

    __slots__ = ("_alone", "_lifetime", "_outcomes", "_queue", "_resending", "_task")

    def __init__(self, lifetime: ChannelLifetime, outcomes: Outcomes, *, republish: bool) -> None:
        self._lifetime = lifetime
        self._outcomes = outcomes
        self._queue: deque[Confirmation] = deque()
        self._resending = Resending() if republish else None
        self._task: asyncio.Task[None] | None = None
        self._alone: asyncio.Future[None] | None = None  # done when a suspect has its outcome
        outcomes.expired = self._drop_settled
        if republish:
            outcomes.lost = self._take_lost

    def send(self, confirmation: Confirmation, message: Outgoing) -> None:
        """Send a message, or queue it behind those that wait, without an await.

        Args:
            confirmation: Its confirmation, which gets its number here.
            message: The message.

        Raises:
            EncodeError: A name is too long, or not a str; nothing has changed.
            RuntimeError: Another event loop runs here; nothing has changed.
        """
        outcomes = self._outcomes
        confirmation.publish_sequence_number = outcomes.last_number + 1
        publishing = self._lifetime.publishing
        if self._task is None and publishing.is_publishable:
            if self._resending is not None:
                confirmation._message = message = _kept(message)
            confirmation._times_sent = 1
            publishing.publish(confirmation.exchange_name, *message, confirmation)
        else:
            self._start()
            confirmation._message = _kept(message)
            self._queue.append(confirmation)
        outcomes.add(confirmation)

    async def stop(self) -> None:
        """End the task, when all messages have their outcomes."""
        self._queue.clear()
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def _start(self) -> None:
        if self._task is None:
            self._lifetime.require_live().transport.require_loop()
            self._task = new_task(asyncio.get_running_loop(), self._send_queued())

    def _take_lost(
        self, confirmation: Confirmation, loss: PublishUnknown | PublishRefused
    ) -> PublishFailed | None:
        """Queue again a message whose channel was lost (`outcomes.Lost`)."""
        assert self._resending is not None
        if self._alone is not None and not self._alone.done():
            self._alone.set_result(None)
        refused = self._resending.take(confirmation, loss)
        if refused is None:
            self._start()
        return refused

    def _drop_settled(self) -> None:
        """Remove the messages at the head of the queue that have timed out."""
        while self._queue and self._queue[0].done():
            self._queue.popleft()

    # --- the task ---

    async def _send_queued(self) -> None:
        try:
            while True:
                if self._resending is not None:
                    self._resending.give_back_to(self._queue)
                self._drop_settled()
                if not self._queue:
                    return
                publishing = await self._wait_publishable()
                if publishing is not None:
                    await self._send_all(publishing)
        finally:
            self._task = None

    async def _wait_publishable(self) -> Publishing | None:
        """Wait until the first message can be sent.

        Returns:
            The `Publishing` that sends it; the caller calls it without another await. None if the
            wait has failed.
        """
        try:
            live = await self._lifetime.usable("basic.publish", is_bounded=True)
            await live.publishing.wait_publishable_by(None)
        except NotSentInTime:
            return None  # each message has its own timeout
        except (ChannelClosed, ConnectionClosed) as error:
            if self._lifetime.final is not None:
                self._fail_queued(error)
            else:
                await asyncio.sleep(0)  # the channel is being recovered
            return None
        except AmmooError as error:  # the server accepted none for longer than blocked_timeout
            self._fail_queued(error)
            return None
        return live.publishing

    async def _send_all(self, publishing: PublishingPort) -> None:
        """Send queued messages while the channel accepts them; send suspects one at a time."""
        while self._queue and publishing.is_publishable:
            confirmation = self._queue.popleft()
            message = confirmation._message
            if message is None:  # it has timed out
                continue
            is_suspect = self._resending is not None and self._resending.is_suspect(confirmation)
            if is_suspect:
                self._alone = self._outcomes.barrier(confirmation.publish_sequence_number)
            self._write(publishing, confirmation, message)
            if self._alone is not None:
                await self._alone
                self._alone = None
                return

    def _write(
        self, publishing: PublishingPort, confirmation: Confirmation, message: Outgoing
    ) -> None:
        loss, confirmation._loss = confirmation._loss, None
        confirmation._times_sent += 1
        if self._resending is None:
            confirmation._message = None
        try:
            publishing.publish(confirmation.exchange_name, *message, confirmation)
        except ValueError as error:  # a name cannot be encoded
            confirmation._times_sent -= 1
            confirmation._loss = loss
            self._outcomes.settle_as_failed(confirmation, outcome_of(confirmation, error))

    def _fail_queued(self, error: Exception) -> None:
        """Settle all queued messages: none of them will be sent."""
        queue, self._queue = self._queue, deque()
        for confirmation in queue:
            if not confirmation.done():
                self._outcomes.settle_as_failed(confirmation, outcome_of(confirmation, error))


def _kept(message: Outgoing) -> Outgoing:
    """Return the message with a copy of a body that the caller could change."""
    if isinstance(message.body, bytearray):
        return message._replace(body=bytes(message.body))
    return message
