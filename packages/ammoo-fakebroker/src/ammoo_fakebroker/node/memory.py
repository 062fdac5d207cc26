"""How much memory a node's messages take, and the alarm that keeps it bounded.

It counts what clients can fill without end: messages that are ready, unacknowledged, in open
transactions and on their way, not what Python needs beside. It counts anew only when enough has been
received to make a difference, so that a publish costs nothing for it.
See https://www.rabbitmq.com/docs/memory
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..clock import Timer
    from .node import Node

__all__ = ["MEMORY_LIMIT", "MemoryWatch"]

MEMORY_LIMIT = "memory limit"
"""The source of the alarm that is raised here."""

_REASON = "low on memory"

_SMALLEST_STEP = 262_144
"""Octets that may be received before memory is counted anew."""
_RECHECK = 0.1
"""Seconds between two counts during an alarm: consumers make room without sending much."""


class MemoryWatch:
    """Raises the memory alarm of a node, and clears it.

    Args:
        node: The node.
        limit: How much its messages may take, in octets; None for any amount.
    """

    def __init__(self, node: Node, limit: int | None) -> None:
        self._node = node
        self._limit = limit
        self._received = 0
        self._step = _SMALLEST_STEP
        self._used = 0
        self._timer: Timer | None = None

    def received(self, count: int) -> None:
        """Record that octets were received from a client."""
        self._received += count
        if self._received >= self._step and self._limit is not None and self._timer is None:
            self._check(self._limit)

    def _check(self, limit: int) -> None:
        self._timer = None
        used = self.used()
        if used > limit:
            self._node.raise_alarm(_REASON, source=MEMORY_LIMIT)
            self._timer = self._node.network_clock.call_later(_RECHECK, lambda: self._check(limit))
        else:
            self._node.clear_alarm(MEMORY_LIMIT)
        self._step = self._next_step(limit - used, used - self._used)
        self._used = used
        self._received = 0

    def _next_step(self, room: int, growth: int) -> int:
        """Return how much may be received until the next count: what fills a quarter of the room.

        One message may go to thousands of queues: that is seen at how memory has grown. And it may
        begin to at any time, so a step is at most twice the last.
        """
        factor = max(growth / max(self._received, 1), 1.0)
        return max(min(int(room / (4 * factor)), 2 * self._step), _SMALLEST_STEP)

    def used(self) -> int:
        """Count how much memory the node's messages take, in octets."""
        node = self._node
        queues = sum(
            queue.memory_size()
            for virtualhost in node.virtualhosts.values()
            for queue in virtualhost.queues.values()
        )
        return queues + sum(client.memory_size() for client in node.connections)

    def stop(self) -> None:
        """Count nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
