"""Prefetch: how many unacknowledged deliveries are allowed at once.

A limiter counts for one consumer or, with ``basic.qos global=true``, for all consumers of a channel.
"""

from __future__ import annotations

__all__ = ["PrefetchLimiter"]


class PrefetchLimiter:
    """A count of unacknowledged deliveries, and its limit.

    Args:
        limit: The most that may be outstanding; 0 for no limit.
    """

    __slots__ = ("_usual_limit", "limit", "outstanding")

    def __init__(self, limit: int = 0) -> None:
        self.limit: int = limit
        self.outstanding: int = 0
        self._usual_limit: int | None = None

    @property
    def is_suspended(self) -> bool:
        """Whether nothing is delivered until all overdue deliveries are settled."""
        return self._usual_limit is not None

    def suspend(self) -> None:
        """Allow no further delivery: one is overdue."""
        if self._usual_limit is None:
            self._usual_limit, self.limit = self.limit, 1  # the overdue one is outstanding

    def resume(self) -> None:
        """Restore the usual limit."""
        if self._usual_limit is not None:
            self.limit, self._usual_limit = self._usual_limit, None

    def release(self, count: int) -> None:
        """Count deliveries as settled, even those that were never counted, as RabbitMQ does."""
        if self.outstanding:
            self.outstanding -= count

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing may be delivered until a delivery is settled."""
        return 0 < self.limit <= self.outstanding
