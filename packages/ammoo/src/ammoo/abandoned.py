"""Operations that nobody awaits any more, and that the server has not answered.

Who gives up leaves a slot behind in `Replies`, so that the answer goes to nobody else. A
server that never answers would leave it there for ever, with everything that waits for
an answer of the same kind behind it. So somebody has to say when it has been long enough.

This module watches the time; what is to be done is the business of whom it tells.
"""

from asyncio import AbstractEventLoop, Future, TimerHandle
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from .replies import Answer, Replies

__all__ = ["ABANDONED_TIMEOUT", "AbandonedOperations"]

ABANDONED_TIMEOUT: Final = 60.0
"""For so many seconds the answer may come that nobody awaits any more."""


class _Abandoned(NamedTuple):
    waiter: "Future[Answer]"
    method: str
    deadline: float


class AbandonedOperations:
    """Watches over the slots that callers have left behind.

    Args:
        loop: The loop.
        replies: Where the slots are.
        is_excused: Tells whether the server need not answer for now.
        unanswered: Called with the name of a method that was not answered in time.
    """

    __slots__ = ("_is_excused", "_loop", "_operations", "_replies", "_timer", "_unanswered")

    def __init__(
        self,
        loop: AbstractEventLoop,
        replies: Replies,
        is_excused: Callable[[], bool],
        unanswered: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._replies = replies
        self._is_excused = is_excused
        self._unanswered = unanswered
        self._operations: deque[_Abandoned] = deque()
        self._timer: TimerHandle | None = None

    def add(self, waiter: "Future[Answer]", method: str) -> None:
        """Watch over an operation.

        Args:
            waiter: The future that `Replies` gave for its answer.
            method: What is to be answered, ``queue.declare`` for example.
        """
        self._forget_answered()
        deadline = self._loop.time() + ABANDONED_TIMEOUT
        self._operations.append(_Abandoned(waiter, method, deadline))
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._check)

    def clear(self) -> None:
        """Watch no more: there will be no answers."""
        self._operations.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        self._forget_answered()
        if not self._operations:
            return
        now = self._loop.time()
        oldest = self._operations[0]
        if oldest.deadline > now:
            self._timer = self._loop.call_at(oldest.deadline, self._check)
        elif self._is_excused():
            self._timer = self._loop.call_at(now + ABANDONED_TIMEOUT, self._check)
        else:
            self._unanswered(oldest.method)

    def _forget_answered(self) -> None:
        operations, replies = self._operations, self._replies
        while operations and not replies.is_awaited(operations[0].waiter):
            operations.popleft()
