"""How far a consumer of a stream has come: where it resumes after a recovery.

A stream keeps its messages, so a new consumer has to say where to begin. It begins at the lowest
offset that is not settled; what is settled above it is not shown to the caller again.

This module knows offsets and delivery tags; it sends nothing.
"""

from collections import deque
from collections.abc import Collection

__all__ = ["StreamProgress"]


class StreamProgress:
    """The offsets that were delivered to one consumer, as far as they matter for resuming.

    Attributes:
        resume_at: The offset to begin at; None before anything was delivered.
    """

    __slots__ = ("_awaited", "_deliveries", "_next", "_settled", "resume_at")

    def __init__(self) -> None:
        self.resume_at: int | None = None
        self._deliveries: deque[tuple[int, int]] = deque()  # tag and offset, in order
        self._next = 0  # the offset behind the highest that was delivered
        self._settled: set[int] = set()  # settled before a loss, at resume_at or above
        self._awaited: set[int] = set()  # not settled before a loss, and not delivered again yet

    def deliver(self, tag: int, offset: int, lowest_unacked: int | None) -> bool:
        """Record a delivery.

        Args:
            tag: Its delivery tag.
            offset: Its offset.
            lowest_unacked: The lowest delivery tag of the channel that is not settled.

        Returns:
            Whether the caller is to see it; if not, it was settled before a loss.
        """
        if offset in self._settled or (self.resume_at is not None and offset < self.resume_at):
            return False
        self._awaited.discard(offset)
        deliveries = self._deliveries
        while deliveries and lowest_unacked is not None and deliveries[0][0] < lowest_unacked:
            deliveries.popleft()  # settled, with all before it
        deliveries.append((tag, offset))
        self._next = max(self._next, offset + 1)
        return True

    def lose(self, unacked: Collection[int]) -> None:
        """Decide where to resume: the channel is lost with these delivery tags unsettled."""
        if not self._next:
            return  # nothing was delivered yet
        unsettled = {offset for tag, offset in self._deliveries if tag in unacked} | self._awaited
        settled = {offset for tag, offset in self._deliveries if tag not in unacked}
        self.resume_at = begin = min(unsettled, default=self._next)
        self._settled = {offset for offset in settled | self._settled if offset > begin}
        self._awaited = unsettled
        self._deliveries.clear()
