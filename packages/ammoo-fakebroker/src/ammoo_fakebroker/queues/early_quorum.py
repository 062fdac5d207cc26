"""Quorum queues as they are up to RabbitMQ 4.2.

Whatever comes back counts for the delivery limit. With a limit, or if its channel is closed, it is
served next; else it goes to the back of the queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..messages.message import Message, QueuedMessage
from .quorum import QuorumQueue, age_of_holder, name_of_holder, with_counts
from .quorum_messages import TurnTakingMessages
from .ready_messages import ReadyMessages

if TYPE_CHECKING:
    from .consumers import Consumer
    from .delivery import Unacked

__all__ = ["EarlyQuorumQueue"]


class _QuorumMessage(QueuedMessage):
    """A message in a quorum queue, which may have been dead-lettered by another quorum queue.

    Its failed deliveries there are shown in x-delivery-count until it comes back in this queue, but
    do not count for the delivery limit.
    """

    __slots__ = ()

    def __init__(self, message: Message, position: int, deadline: float | None) -> None:
        # Not by super().__init__: that call would cost each publish 0.2 µs of 2.4.
        failures = message.parsed.failed_deliveries
        self.message = with_counts(message, x_delivery_count=failures) if failures else message
        self.position = position
        self.deadline = deadline
        self.redelivered = failures > 0
        self.delivery_count = 0


class EarlyQuorumQueue(QuorumQueue):
    """A quorum queue of a release up to 4.2."""

    _queued_message = _QuorumMessage

    def _create_ready(self) -> ReadyMessages:
        self._quorum_messages = TurnTakingMessages(
            has_priorities=self.host.profile.quorum_queues_have_priorities
        )
        return self._quorum_messages

    def _deliver_directly(self, consumer: Consumer, queued: QueuedMessage) -> None:
        self._quorum_messages.pass_turn()
        self._deliver(consumer, queued)

    def _got(self, queued: QueuedMessage, *, no_ack: bool) -> None:
        if self.host.profile.first_get_tells_delivery_count:
            queued.message = with_counts(queued.message, x_delivery_count=queued.delivery_count)
        super()._got(queued, no_ack=no_ack)

    def requeue(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        """Put messages in front of all others if there is a delivery limit, else behind them."""
        self._quorum_messages.returns_first = self.settings.delivery_limit is not None
        super().requeue(returned, failed=failed)

    def _drop_overflow(self) -> bool:
        """Drop messages from the front until the limits are kept; the last one is dead-lettered first."""
        dropped: list[QueuedMessage] = []
        while len(self.ready) and self._is_over_limit():
            dropped.append(self.ready.pop())
        for queued in reversed(dropped):
            self._dead_letter(queued, "maxlen")
        return bool(dropped)

    def _take_back(self, unacked: Mapping[int, Unacked]) -> None:
        """Put messages in front of all others, one consumer's after another's."""
        by_age = self.host.profile.quorum_consumers_return_by_age
        key = age_of_holder if by_age else name_of_holder
        self._quorum_messages.returns_first = True
        returned = [delivery.queued for _, delivery in sorted(unacked.items(), key=key)]
        self._count_failures(returned)
        self._restore(returned, failed=True)
        self._serve_returned()

    def reject(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        refused = list(returned)
        self._count_failures(refused)
        if not self.is_deleted:
            for queued in refused:
                self._discard(queued, "rejected")

    def _count_failures(self, returned: Iterable[QueuedMessage]) -> None:
        """Count deliveries that failed, for the queues that the messages may be dead-lettered to.

        A delivery that the client requeues is no failure.
        """
        keeps_failures = self.host.profile.dead_letters_keep_failed_deliveries
        if not keeps_failures or not self._has_dead_letters:
            return
        for queued in returned:
            parsed = queued.message.parsed
            failures = parsed.failed_deliveries + 1
            queued.message = queued.message.with_parsed(parsed._replace(failed_deliveries=failures))

    def _restore(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        """Dead-letter messages that have exceeded the delivery limit, then put back the others."""
        limit = self.settings.delivery_limit
        again: list[QueuedMessage] = []
        for queued in returned:
            queued.delivery_count += 1
            if limit is None or queued.delivery_count <= limit:
                queued.message = with_counts(queued.message, x_delivery_count=queued.delivery_count)
                again.append(queued)
            else:
                self._discard(queued, "delivery_limit")
        for queued in again:
            self._put_back(queued)
