"""How much a publisher may have in flight, and the line of those that wait for room.

A place is granted in the stretch in which another one becomes free, to the first that waits; so
none that comes later can take it. It knows neither messages nor outcomes.
"""

import asyncio
from collections import deque
from collections.abc import Callable

__all__ = ["Window"]


class Window:
    """Room for so many messages, and so many octets of bodies.

    A body that is larger than the whole window has room when the window is empty.

    Args:
        max_messages: How many messages have room.
        max_bytes: How many octets of their bodies.
    """

    __slots__ = ("_bytes", "_max_bytes", "_max_messages", "_messages", "_waiters")

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages = 0
        self._bytes = 0
        self._waiters: deque[tuple[asyncio.Future[None], int]] = deque()

    @property
    def messages(self) -> int:
        """How many places are taken."""
        return self._messages

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiters)

    def has_room(self, size: int) -> bool:
        """Return whether there is a place, and no one waits for it."""
        return not self._waiters and self._fits(size)

    def try_enter(self, size: int) -> bool:
        """Take a place if there is one, and no one waits for it.

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
            Exception: What the window has failed with.
        """
        if self.try_enter(size):
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((waiter, size))
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.leave(size)  # the place was granted: it is the next one's
            else:
                self._waiters = deque(each for each in self._waiters if each[0] is not waiter)
                self._grant()  # a smaller message may have stood behind it
            raise

    def leave(self, size: int) -> None:
        """Free a place; those that wait first get it."""
        self._messages -= 1
        self._bytes -= size
        if self._waiters:
            self._grant()

    def fail(self, new_error: Callable[[], Exception]) -> None:
        """Raise an error in all that wait.

        Args:
            new_error: Makes it, for each of them.
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
        """Give places to those that wait first, as far as there is room."""
        while self._waiters:
            waiter, size = self._waiters[0]
            if not waiter.done():
                if not self._fits(size):
                    return
                self._messages += 1
                self._bytes += size
                waiter.set_result(None)
            self._waiters.popleft()
