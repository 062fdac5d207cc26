"""Prefetch: how many unacknowledged deliveries are allowed at once.

A limiter counts for one consumer or, with ``basic.qos global=true``, for all consumers of a channel.
"""

from __future__ import annotations

__all__ = ["Limiter"]


class Limiter:
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
        """Whether a timeout is over, and nothing is delivered until all overdue is settled."""
        return self._usual_limit is not None

    def suspend(self) -> None:
        """Allow nothing more: a delivery is overdue, which is one that is outstanding."""
        if self._usual_limit is None:
            self._usual_limit, self.limit = self.limit, 1

    def resume(self) -> None:
        """Allow what was allowed before."""
        if self._usual_limit is not None:
            self.limit, self._usual_limit = self._usual_limit, None

    def release(self, count: int) -> None:
        """Count deliveries as settled; as in RabbitMQ, even some that were never counted."""
        if self.outstanding:
            self.outstanding -= count

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing more may be delivered before something is settled."""
        return 0 < self.limit <= self.outstanding
