"""Quorum queues until RabbitMQ 4.2.

Each message that comes back counts for the delivery limit. If there is a limit, or if the channel was
closed, the message is delivered next; else it goes to the back of the queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..messages.message import QueuedMessage
from .delivery_limit import ReturnCountingMessage, has_exceeded_limit, with_counts
from .quorum import QuorumQueue, age_of_holder, name_of_holder
from .quorum_messages import TurnTakingMessages
from .ready_messages import ReadyMessages

if TYPE_CHECKING:
    from .consumers import Consumer
    from .delivery import Unacked

__all__ = ["QuorumQueueUntil42"]


class QuorumQueueUntil42(QuorumQueue):
    """A quorum queue of a release until 4.2."""

    _queued_message = ReturnCountingMessage

    def _create_ready(self) -> ReadyMessages:
        self._quorum_messages = TurnTakingMessages(
            has_priorities=self.host.profile.quorum_queues_have_priorities
        )
        return self._quorum_messages

    def _deliver_directly(self, consumer: Consumer, queued: QueuedMessage) -> None:
        self._quorum_messages.pass_turn()
        self._deliver(consumer, queued)

    def _got(self, queued: QueuedMessage, *, no_ack: bool) -> None:
        if self.host.profile.first_get_states_delivery_count:
            queued.message = with_counts(queued.message, x_delivery_count=queued.delivery_count)
        super()._got(queued, no_ack=no_ack)

    def requeue(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        """Put messages before all others if there is a delivery limit, else behind them."""
        self._quorum_messages.returns_first = self.settings.delivery_limit is not None
        super().requeue(returned, failed=failed)

    def _drop_overflow(self) -> bool:
        """Drop messages from the front until the limits are kept; dead-letter the last one first."""
        dropped: list[QueuedMessage] = []
        while len(self.ready) and self._is_over_limit():
            dropped.append(self.ready.pop())
        for queued in reversed(dropped):
            self._dead_letter(queued, "maxlen")
        return bool(dropped)

    def _take_back(self, unacked: Mapping[int, Unacked]) -> None:
        """Put messages before all others, consumer by consumer."""
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
        """Count failed deliveries for the queues that the messages may be dead-lettered to.

        A delivery that the client requeues does not count.
        """
        keeps_failures = self.host.profile.dead_letters_keep_failed_deliveries
        if not keeps_failures or not self._has_dead_letters:
            return
        for queued in returned:
            parsed = queued.message.parsed
            failures = parsed.failed_deliveries + 1
            queued.message = queued.message.with_parsed(parsed._replace(failed_deliveries=failures))

    def _restore(self, returned: Iterable[QueuedMessage], *, failed: bool) -> None:
        """Dead-letter the messages that have exceeded the delivery limit, then put back the others."""
        limit = self.settings.delivery_limit
        again: list[QueuedMessage] = []
        for queued in returned:
            queued.delivery_count += 1
            if has_exceeded_limit(queued, limit):
                self._discard(queued, "delivery_limit")
            else:
                queued.message = with_counts(queued.message, x_delivery_count=queued.delivery_count)
                again.append(queued)
        for queued in again:
            self._put_back(queued)
