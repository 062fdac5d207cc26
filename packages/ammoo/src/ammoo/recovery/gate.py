"""The gate: where operations wait while the connection is not open.

When the gate opens, operations pass in the order in which they came. Each operation writes
without another await, and then lets the next one pass: this keeps their order and the socket's
limit. The number of operations that wait is bounded; the gate refuses all further ones at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from ..exceptions.publishing import NotSent, NotSentInTime

__all__ = ["Gate"]


class Gate:
    """Lets operations pass while it is open, and holds them while it is shut; open at first.

    Args:
        max_waiting: How many operations may wait.
        max_bytes: How many octets of bodies may wait.
        cleared: Called when the gate is open and the last waiting operation has passed.
    """

    __slots__ = (
        "_bytes",
        "_cleared",
        "_error",
        "_is_shut",
        "_max_bytes",
        "_max_waiting",
        "_waiters",
        "_woken",
    )

    def __init__(self, max_waiting: float, max_bytes: float, cleared: Callable[[], None]) -> None:
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._cleared = cleared
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._woken: asyncio.Future[None] | None = None  # the one that passes next
        self._bytes = 0
        self._is_shut = False
        self._error: Exception | None = None

    @property
    def is_shut(self) -> bool:
        """Whether operations have to wait."""
        return self._is_shut

    @property
    def is_clear(self) -> bool:
        """Whether the gate is open and no operation waits."""
        return not (self._is_shut or self._waiters or self._woken or self._error)

    @property
    def waiting(self) -> int:
        """How many operations wait."""
        return len(self._waiters) + (self._woken is not None)

    def shut(self) -> None:
        """Make operations wait from now on."""
        self._is_shut = True

    def open(self) -> None:
        """Let operations pass, one after the other."""
        self._is_shut = False
        self._wake_next()

    def fail(self, error: Exception) -> None:
        """Raise an error in all operations that wait, and in all later ones."""
        self._error = error
        waiters = [*self._waiters]
        self._waiters.clear()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)

    async def wait(
        self,
        operation: str,
        octets: int = 0,
        timeout: float | None = None,  # noqa: ASYNC109  the operation's own, raised as such
        *,
        is_bounded: bool = False,
    ) -> None:
        """Wait until an operation may pass; the caller writes without another await.

        Args:
            operation: The method's name, for the error.
            octets: The size of the body.
            timeout: How long to wait, in seconds; None for no limit.
            is_bounded: Whether the caller limits by itself how many of its operations wait; the
                gate's limits do not apply to them.

        Raises:
            NotSent: Too many operations wait already.
            NotSentInTime: The gate was not open in time.
            Exception: The error that `fail` was given.
        """
        self._raise_if_failed()
        if self.waiting >= self._max_waiting and not is_bounded:
            raise NotSent(
                operation,
                f"{self._max_waiting} operations wait already (max_waiting of Recovery); wait until"
                " some of them are done",
            )
        if self._bytes + octets > self._max_bytes:
            raise NotSent(
                operation,
                f"{self._bytes} octets wait already, of {self._max_bytes} (max_waiting_bytes of"
                " Recovery); wait until some of them are sent",
            )
        self._bytes += octets
        scope = asyncio.timeout(timeout)
        try:
            async with scope:
                await self._wait_for_turn()
        except TimeoutError:
            if timeout is None or not scope.expired():
                raise
            raise NotSentInTime(operation, timeout) from None
        finally:
            self._bytes -= octets

    async def _wait_for_turn(self) -> None:
        loop = asyncio.get_running_loop()
        enqueue = self._waiters.append
        while not self.is_clear:
            self._raise_if_failed()
            waiter: asyncio.Future[None] = loop.create_future()
            enqueue(waiter)
            try:
                await waiter
            except BaseException:
                self._leave(waiter)
                raise
            self._woken = None
            if not self._is_shut:
                break
            enqueue = self._waiters.appendleft  # it was the first, and stays the first
        self._raise_if_failed()
        self._wake_next()

    def _leave(self, waiter: "asyncio.Future[None]") -> None:
        """Remove an operation that waits no longer; if it was to pass, the next one passes."""
        if waiter is self._woken:
            self._woken = None
            if not self._is_shut:
                self._wake_next()
        elif waiter in self._waiters:
            self._waiters.remove(waiter)
            self._wake_next()

    def _wake_next(self) -> None:
        if self._is_shut or self._woken is not None or self._error is not None:
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._woken = waiter
                waiter.set_result(None)
                return
        self._cleared()

    def _raise_if_failed(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
