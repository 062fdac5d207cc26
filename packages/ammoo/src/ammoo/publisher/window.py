"""How much a publisher may have in flight, and the queue of callers that wait for room.

When a place becomes free, the first caller that waits gets it at once. A later caller therefore
cannot take it. This module knows neither messages nor outcomes.
"""

import asyncio
from collections import deque
from collections.abc import Callable

__all__ = ["Window"]


class Window:
    """Room for a limited number of messages, and of octets in their bodies.

    A body that is larger than the whole window has room when the window is empty.

    Args:
        max_messages: How many messages have room.
        max_bytes: How many octets of their bodies have room.
    """

    __slots__ = ("_bytes", "_max_bytes", "_max_messages", "_messages", "_waiters")

    def __init__(self, max_messages: float, max_bytes: float) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages = 0
        self._bytes = 0
        self._waiters: deque[tuple[asyncio.Future[None], int]] = deque()

    @property
    def max_messages(self) -> float:
        """How many messages have room."""
        return self._max_messages

    @property
    def messages(self) -> int:
        """How many places are taken."""
        return self._messages

    @property
    def waiting(self) -> int:
        """How many callers wait for a place."""
        return len(self._waiters)

    def has_room(self, size: int) -> bool:
        """Return whether a place is free, and no caller waits for one."""
        return not self._waiters and self._fits(size)

    def try_enter(self, size: int) -> bool:
        """Take a place if one is free and no caller waits for it; return whether it was taken.

        Args:
            size: The octets of the body.
        """
        if self._waiters or not self._fits(size):
            return False
        self._messages += 1
        self._bytes += size
        return True

    async def enter(self, size: int) -> None:
        """Wait for a place, in the order of the calls, and take it.

        Args:
            size: The octets of the body.

        Raises:
            Exception: An error that `fail` made.
        """
        if self.try_enter(size):
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((waiter, size))
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.leave(size)  # the place was granted: pass it on
            else:
                self._waiters = deque(each for each in self._waiters if each[0] is not waiter)
                self._grant()  # a smaller message may have stood behind it
            raise

    def leave(self, size: int) -> None:
        """Free a place, and grant it to the callers that wait."""
        self._messages -= 1
        self._bytes -= size
        if self._waiters:
            self._grant()

    def fail(self, new_error: Callable[[], Exception]) -> None:
        """Raise an error in all callers that wait.

        Args:
            new_error: Makes the error, for each caller.
        """
        waiters, self._waiters = self._waiters, deque()
        for waiter, _ in waiters:
            if not waiter.done():
                waiter.set_exception(new_error())

    def _fits(self, size: int) -> bool:
        if not self._messages:
            return True
        return self._messages < self._max_messages and self._bytes + size <= self._max_bytes

    def _grant(self) -> None:
        """Grant places to the callers that have waited longest, while there is room."""
        while self._waiters:
            waiter, size = self._waiters[0]
            if not waiter.done():
                if not self._fits(size):
                    return
                self._messages += 1
                self._bytes += size
                waiter.set_result(None)
            self._waiters.popleft()
