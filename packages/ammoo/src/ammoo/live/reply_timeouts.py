"""Awaiting replies, and what happens when a caller gives up and the server never answers.

A caller that gives up leaves a slot behind in `Replies`, so that its reply goes to
no other caller. If the server never answers, the slot stays, and every caller that
waits for the same kind of reply waits behind it. Therefore the client closes the channel if such
a slot has been the next to be answered for a whole minute.

All replies are awaited in this module. Its user decides what happens after that minute.
"""

import asyncio
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections.abc import Callable
from typing import Any, Final

from ammoo_wire import method_of

from ..exceptions.base import OperationTimeout
from .blocking import Blocking
from .replies import OnReply, Replies, Reply

__all__ = ["UNANSWERED_TIMEOUT", "ReplyTimeouts"]

UNANSWERED_TIMEOUT: Final = 60.0
"""How long an abandoned request may be the next to be answered, in seconds."""


class ReplyTimeouts:
    """Awaits replies, and watches the requests whose callers have given up.

    Args:
        loop: The event loop.
        replies: The slots of the requests.
        blocking: Whether the server has blocked the connection; then it need not answer.
        on_unanswered: Called with the name of a method that the server did not answer in time.
    """

    __slots__ = (
        "_blocking",
        "_loop",
        "_methods",
        "_on_unanswered",
        "_replies",
        "_suspect",
        "_timer",
    )

    def __init__(
        self,
        loop: AbstractEventLoop,
        replies: Replies,
        blocking: Blocking,
        on_unanswered: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._replies = replies
        self._blocking = blocking
        self._on_unanswered = on_unanswered
        self._methods: dict[Future[Reply], str] = {}  # of abandoned requests
        self._suspect: Future[Reply] | None = None  # the next to be answered at the last check
        self._timer: TimerHandle | None = None

    async def reply(
        self,
        request: tuple[Any, ...],
        waiter: "Future[Reply]",
        timeout: float | None,  # noqa: ASYNC109  the operation's own, raised as such
        on_late_reply: OnReply | None = None,
    ) -> Reply:
        """Await a reply; watch the request if the caller gives up.

        A caller may be cancelled after the reply has arrived and before the caller runs again. The
        reply then counts as late; otherwise it would be lost.

        Args:
            request: The request that was sent.
            waiter: The future of the reply.
            timeout: How long to wait, in seconds; None for no limit.
            on_late_reply: Called with a reply that came as the caller gave up.

        Raises:
            ServerClosedChannel, ServerClosedConnection: The server refused.
            OperationTimeout: The server did not answer in time.
        """
        scope = None if timeout is None else asyncio.timeout(timeout)
        try:
            if scope is None:
                return await waiter
            async with scope:
                return await waiter
        except (asyncio.CancelledError, TimeoutError) as error:
            if waiter.cancelled():
                self.add(waiter, method_of(request).name)
            elif on_late_reply is not None and waiter.done() and waiter.exception() is None:
                on_late_reply(waiter.result())
            is_timeout = isinstance(error, TimeoutError) and scope is not None and scope.expired()
            if timeout is not None and is_timeout:
                raise OperationTimeout(method_of(request).name, timeout) from None
            raise

    def add(self, waiter: "Future[Reply]", method: str) -> None:
        """Watch a request that no caller awaits.

        Args:
            waiter: The future of its reply.
            method: The method that was sent, ``queue.declare`` for example.
        """
        self._methods[waiter] = method
        if len(self._methods) > len(self._replies):
            self._drop_answered()
        if self._timer is None:
            self._start_timer()

    def restart(self) -> None:
        """Start the minute again: the server had a reason not to answer until now."""
        if self._timer is not None:
            self._timer.cancel()
            self._start_timer()

    def clear(self) -> None:
        """Stop watching: no reply will come."""
        self._methods.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_timer(self) -> None:
        self._suspect = self._replies.next_waiter
        self._timer = self._loop.call_later(UNANSWERED_TIMEOUT, self._check)

    def _check(self) -> None:
        self._timer = None
        self._drop_answered()
        if not self._methods:
            return
        suspect = self._replies.next_waiter
        method = None if suspect is None else self._methods.get(suspect)
        if method is None or suspect is not self._suspect or self._blocking.is_blocked:
            self._start_timer()
        else:
            self._on_unanswered(method)

    def _drop_answered(self) -> None:
        unanswered = self._replies.waiters()
        self._methods = {
            waiter: method for waiter, method in self._methods.items() if waiter in unanswered
        }
