"""Operations that callers have left, and that the server has not answered.

Who gives up leaves a slot behind in `Replies`, so that the answer goes to nobody else. A
server that never answers would leave it there for ever, with everything that waits for
an answer of the same kind behind it. So somebody has to say when it has been long enough:
when such a slot is the next to be answered, and was so for all of a minute.

So whoever awaits an answer does it here. This module watches the time; what is to be done
is the business of whom it tells.
"""

import asyncio
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections.abc import Callable
from typing import Any, Final

from ammoo_wire import method_of

from ..exceptions.base import OperationTimeout
from .replies import OnReply, Replies, Reply

__all__ = ["UNANSWERED_TIMEOUT", "ReplyTimeouts"]

UNANSWERED_TIMEOUT: Final = 60.0
"""For so many seconds the server may owe nothing but the answer that nobody awaits any more."""


class ReplyTimeouts:
    """Watches over the slots that callers have left behind.

    Args:
        loop: The loop.
        replies: Where the slots are.
        is_excused: Tells whether the server need not answer for now; see `restart`.
        unanswered: Called with the name of a method that was not answered in time.
    """

    __slots__ = (
        "_is_excused",
        "_loop",
        "_methods",
        "_replies",
        "_suspect",
        "_timer",
        "_unanswered",
    )

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
        self._methods: dict[Future[Reply], str] = {}
        self._suspect: Future[Reply] | None = None  # what was next when the timer was set
        self._timer: TimerHandle | None = None

    async def answered(
        self,
        request: tuple[Any, ...],
        waiter: "Future[Reply]",
        timeout: float | None,  # noqa: ASYNC109  the operation's own, raised as such
        on_late_reply: OnReply | None = None,
    ) -> Reply:
        """Await an answer, and watch over it from when it is given up.

        A cancellation may come between the moment the answer was put into the future and the
        moment the caller wakes up. It is `late` then too, or it would be lost.

        Args:
            request: What was sent.
            waiter: The future that `Replies` gave for its answer.
            timeout: For how many seconds to wait; None for no limit.
            on_late_reply: What to do with an answer that came as the caller gave up.

        Raises:
            ServerClosedChannel, ServerClosedConnection: The server refused.
            OperationTimeout: The server did not answer in time.
        """
        try:
            if timeout is None:
                return await waiter
            async with asyncio.timeout(timeout) as scope:
                return await waiter
        except (asyncio.CancelledError, TimeoutError) as error:
            if waiter.cancelled():
                self.add(waiter, method_of(request).name)
            elif on_late_reply is not None and waiter.done() and waiter.exception() is None:
                on_late_reply(waiter.result())
            if timeout is not None and isinstance(error, TimeoutError) and scope.expired():
                raise OperationTimeout(method_of(request).name, timeout) from None
            raise

    def add(self, waiter: "Future[Reply]", method: str) -> None:
        """Watch over an operation.

        Args:
            waiter: The future that `Replies` gave for its answer.
            method: What is to be answered, ``queue.declare`` for example.
        """
        self._methods[waiter] = method
        if len(self._methods) > len(self._replies):
            self._forget_answered()
        if self._timer is None:
            self._watch()

    def restart(self) -> None:
        """Begin to count anew: the server need answer again."""
        if self._timer is not None:
            self._timer.cancel()
            self._watch()

    def clear(self) -> None:
        """Watch no more: there will be no answers."""
        self._methods.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self) -> None:
        self._suspect = self._replies.next_waiter
        self._timer = self._loop.call_later(UNANSWERED_TIMEOUT, self._check)

    def _check(self) -> None:
        self._timer = None
        self._forget_answered()
        if not self._methods:
            return
        suspect = self._replies.next_waiter
        method = None if suspect is None else self._methods.get(suspect)
        if method is None or suspect is not self._suspect or self._is_excused():
            self._watch()
        else:
            self._unanswered(method)

    def _forget_answered(self) -> None:
        awaited = self._replies.waiters()
        self._methods = {
            waiter: method for waiter, method in self._methods.items() if waiter in awaited
        }
