"""Whether the server has blocked the connection, and who waits for that to change.

RabbitMQ blocks connections that publish while it is short of memory or disk
space (connection.blocked, https://www.rabbitmq.com/docs/connection-blocked). It
reads nothing from a blocked connection, so it answers nothing either.
"""

import asyncio
from collections.abc import Callable

from ..exceptions.connection import ConnectionBlocked

__all__ = ["Blocking"]


class Blocking:
    """The state that connection.blocked and connection.unblocked change.

    Args:
        loop: The event loop.
        timeout: How long a publish waits while the connection is blocked, in seconds; None
            for no limit.
        before_waiting: Called before each wait. Raises if the connection is closed; else makes
            sure that the socket is read.

    Attributes:
        reason: Why the server has blocked the connection; None while it has not.
    """

    __slots__ = ("_before_waiting", "_loop", "_timeout", "_waiters", "reason")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeout: float | None,
        before_waiting: Callable[[], None],
    ) -> None:
        self.reason: str | None = None
        self._loop = loop
        self._timeout = timeout
        self._before_waiting = before_waiting
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
        """Record what the server said, and wake all tasks that wait for a change.

        Args:
            reason: The reason in connection.blocked; None for connection.unblocked.
        """
        self.reason = reason
        for waiter in self._take_waiters():
            waiter.set_result(None)

    def fail(self, error: Exception) -> None:
        """Raise an error in all tasks that wait: the connection is closed."""
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

    async def wait_to_publish(self) -> None:
        """Wait while the connection is blocked, for a limited time.

        Raises:
            ConnectionBlocked: The time is over.
        """
        reason = self.reason or ""
        try:
            async with asyncio.timeout(self._timeout):
                await self.wait_unblocked()
        except TimeoutError:
            assert self._timeout is not None
            raise ConnectionBlocked(reason, self._timeout) from None

    async def _wait_for_change(self) -> None:
        self._before_waiting()
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _take_waiters(self) -> "list[asyncio.Future[None]]":
        waiters, self._waiters = self._waiters, []
        return [waiter for waiter in waiters if not waiter.done()]
