"""Whether the server has blocked the connection, and the tasks that wait for a change.

RabbitMQ blocks connections that publish while it is short of memory or disk
space (connection.blocked, https://www.rabbitmq.com/docs/connection-blocked). It
reads nothing from a blocked connection, so it answers nothing either.
"""

import asyncio
from collections.abc import Callable

__all__ = ["Blocking"]


class Blocking:
    """The state that connection.blocked and connection.unblocked change.

    Args:
        loop: The event loop.
        timeout: After how many seconds `on_overdue` is called if the connection is still
            blocked; None for never.
        before_waiting: Called before each wait. Raises if the connection is closed; else makes
            sure that the socket is read.
        on_overdue: Called with the time and the reason.

    Attributes:
        reason: Why the server has blocked the connection; None while it has not.
    """

    __slots__ = (
        "_before_waiting",
        "_loop",
        "_on_overdue",
        "_timeout",
        "_timer",
        "_waiters",
        "reason",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeout: float | None,
        before_waiting: Callable[[], None],
        on_overdue: Callable[[float, str], None],
    ) -> None:
        self.reason: str | None = None
        self._loop = loop
        self._timeout = timeout
        self._before_waiting = before_waiting
        self._on_overdue = on_overdue
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def is_blocked(self) -> bool:
        """Whether the server has blocked the connection."""
        return self.reason is not None

    @property
    def has_waiters(self) -> bool:
        """Whether a task waits for the state to change."""
        return bool(self._waiters)

    def change(self, reason: str | None) -> None:
        """Record that the server has blocked or unblocked the connection, and wake all tasks.

        Args:
            reason: The reason in connection.blocked; None for connection.unblocked.
        """
        if reason is None:
            self._stop_timer()
        elif self._timer is None and self._timeout is not None:
            self._timer = self._loop.call_later(
                self._timeout, self._on_overdue, self._timeout, reason
            )
        self.reason = reason
        for waiter in self._take_waiters():
            waiter.set_result(None)

    def fail(self, error: Exception) -> None:
        """Raise an error in all tasks that wait: the connection is closed."""
        self._stop_timer()
        for waiter in self._take_waiters():
            waiter.set_exception(error)

    async def wait_blocked(self) -> str:
        """Wait until the server has blocked the connection, and return its reason."""
        while self.reason is None:
            await self._wait_for_change()
        return self.reason

    async def wait_unblocked(self) -> None:
        """Wait while the connection is blocked."""
        while self.reason is not None:
            await self._wait_for_change()

    async def _wait_for_change(self) -> None:
        self._before_waiting()
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take_waiters(self) -> "list[asyncio.Future[None]]":
        waiters, self._waiters = self._waiters, []
        return [waiter for waiter in waiters if not waiter.done()]
