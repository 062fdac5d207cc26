"""The ready messages of quorum queues: returned messages first, then by priority.

Until RabbitMQ 4.2 there are two priorities, which take turns; since 4.3 there are 32, the highest one
first.
See https://www.rabbitmq.com/docs/quorum-queues#priorities
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from typing import Self

from ..messages.message import QueuedMessage
from .ready_messages import Copied, ReadyMessages

__all__ = ["LeveledMessages", "TurnTakingMessages", "size_of"]

_HIGHEST_NORMAL_PRIORITY = 4
_TURNS = 3
_NORMAL_TURN = 2
_HIGHEST_LEVEL = 31
_DEFAULT_LEVEL = 4


class TurnTakingMessages(ReadyMessages):
    """Ready messages in three deques: returned, high priority and normal priority.

    Returned messages come first, or go behind all others. High-priority messages get two of every
    three deliveries, and the third as well if the first one of them is older than the first normal one.

    Args:
        has_priorities: Whether priorities above 4 are high; if not, all are normal.

    Attributes:
        returns_first: Whether the messages that are restored next come first.
    """

    __slots__ = ("_has_priorities", "_high", "_returns", "_turn", "returns_first")
    octets: int

    def __init__(self, *, has_priorities: bool) -> None:
        super().__init__()
        self.returns_first: bool = True
        self._has_priorities = has_priorities
        self._returns: deque[QueuedMessage] = deque()
        self._high: deque[QueuedMessage] = deque()
        self._turn = 0

    def __len__(self) -> int:
        return len(self._fresh) + len(self._high) + len(self._returns)

    def __iter__(self) -> Iterator[QueuedMessage]:
        """Yield the messages of one deque after the other."""
        yield from self._returns
        yield from self._high
        yield from self._fresh

    def fill(self, source: Self, copied: Copied) -> None:
        super().fill(source, copied)
        self.returns_first, self._turn = source.returns_first, source._turn
        self._returns = deque(map(copied, source._returns))
        self._high = deque(map(copied, source._high))

    def append(self, queued: QueuedMessage) -> None:
        is_high = (
            self._has_priorities
            and (queued.message.parsed.priority or 0) > _HIGHEST_NORMAL_PRIORITY
        )
        (self._high if is_high else self._fresh).append(queued)
        self.octets += len(queued.message.body)

    def restore(self, queued: QueuedMessage) -> None:
        if self.returns_first:
            self._returns.append(queued)
            self.octets += len(queued.message.body)
        else:
            self.append(queued)

    def _next_deque(self) -> deque[QueuedMessage]:
        if self._returns:
            return self._returns
        if not self._high or not self._fresh:
            return self._high or self._fresh
        is_older = self._fresh[0].position < self._high[0].position
        return self._fresh if is_older and self._turn == _NORMAL_TURN else self._high

    def peek(self) -> QueuedMessage:
        return self._next_deque()[0]

    def pass_turn(self) -> None:
        """Count a delivery, even of a message that was never ready."""
        self._turn = (self._turn + 1) % _TURNS

    def pop(self) -> QueuedMessage:
        messages = self._next_deque()
        queued = messages.popleft()
        if messages is not self._returns:
            self.pass_turn()
        self.octets -= len(queued.message.body)
        return queued


class LeveledMessages(ReadyMessages):
    """Ready messages on 32 levels, one for each priority; each level is first in, first out.

    Returned messages come before all levels, in the order in which they were returned.
    """

    __slots__ = ("_count", "_heads", "_levels", "_returns")
    octets: int

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._returns: deque[QueuedMessage] = deque()
        self._levels: dict[int, deque[QueuedMessage]] = {}
        self._heads: list[int] = []  # the levels that have messages, negated: a heap

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[QueuedMessage]:
        yield from self._returns
        for level in sorted(self._levels, reverse=True):
            yield from self._levels[level]

    def fill(self, source: Self, copied: Copied) -> None:
        super().fill(source, copied)
        self._count, self._heads = source._count, source._heads.copy()
        self._returns = deque(map(copied, source._returns))
        self._levels = {
            level: deque(map(copied, messages)) for level, messages in source._levels.items()
        }

    def append(self, queued: QueuedMessage) -> None:
        """Add a new message behind those of its level."""
        priority = queued.message.parsed.priority
        self._add(_DEFAULT_LEVEL if priority is None else min(priority, _HIGHEST_LEVEL), queued)

    def _add(self, level: int, queued: QueuedMessage) -> None:
        messages = self._levels.get(level)
        if messages is None:
            messages = self._levels[level] = deque()
            heapq.heappush(self._heads, -level)
        messages.append(queued)
        self._add_to_size(queued, 1)

    def _add_to_size(self, queued: QueuedMessage, sign: int) -> None:
        self._count += sign
        self.octets += sign * size_of(queued)

    def restore(self, queued: QueuedMessage) -> None:
        self._returns.append(queued)
        self._add_to_size(queued, 1)

    def peek(self) -> QueuedMessage:
        return self._returns[0] if self._returns else self._levels[-self._heads[0]][0]

    def pop(self) -> QueuedMessage:
        queued = self._returns.popleft() if self._returns else self._pop_level(-self._heads[0])
        self._add_to_size(queued, -1)
        return queued

    def _pop_level(self, level: int) -> QueuedMessage:
        messages = self._levels[level]
        queued = messages.popleft()
        if not messages:
            del self._levels[level]
            self._heads.remove(-level)
            heapq.heapify(self._heads)
        return queued

    def pop_expired(self, now: float) -> list[QueuedMessage]:
        """Take the expired messages at the front of the returned ones and of each level."""
        expired: list[QueuedMessage] = []
        while self._returns and _has_expired(self._returns[0], now):
            expired.append(self._returns.popleft())
        for level in sorted(self._levels, reverse=True):
            while level in self._levels and _has_expired(self._levels[level][0], now):
                expired.append(self._pop_level(level))
        for queued in expired:
            self._add_to_size(queued, -1)
        return expired

    def next_deadline(self) -> float | None:
        """Return the time at which the next message at a front expires; None if none does."""
        fronts = [messages[0] for messages in self._levels.values()]
        if self._returns:
            fronts.append(self._returns[0])
        return min((front.deadline for front in fronts if front.deadline is not None), default=None)


def size_of(queued: QueuedMessage) -> int:
    """Return the size that RabbitMQ counts since 4.3: the octets of body and published properties."""
    message = queued.message
    return len(message.body) + len(message.own_properties)


def _has_expired(queued: QueuedMessage, now: float) -> bool:
    return queued.deadline is not None and queued.deadline <= now
