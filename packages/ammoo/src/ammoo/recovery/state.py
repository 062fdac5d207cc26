"""The state of a connection that recovery keeps: open, lost, or closed for good."""

import asyncio
from asyncio import Future
from contextlib import suppress

from ..exceptions.base import AmmooError
from ..live.connection import LiveConnection

__all__ = ["RecoveryState"]


class RecoveryState:
    """The live connection in use, and the tasks that wait for another one.

    Args:
        loop: The event loop.

    Attributes:
        epoch: The number of the live connection; the first has 1.
        final: The error that has closed the connection for good; None while it is not closed.
        is_recovering: Whether the connection is lost, and recovery is bringing it back.
        live: The live connection, or the last one; None before the first, and after recovery has
            given up a connection that was open.
        loop: The event loop.
        was_blocked: Whether the server had blocked the connection that was lost last.
    """

    __slots__ = ("_waiters", "epoch", "final", "is_recovering", "live", "loop", "was_blocked")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: asyncio.AbstractEventLoop = loop
        self.live: LiveConnection | None = None
        self.epoch: int = 0
        self.final: Exception | None = None
        self.is_recovering: bool = False
        self.was_blocked: bool = False
        self._waiters: set[Future[None]] = set()

    @property
    def now(self) -> float:
        """The time by the event loop's clock."""
        return self.loop.time()

    def require_live(self) -> LiveConnection:
        """Return the live connection, or the last one."""
        assert self.live is not None
        return self.live

    async def wait_open(self) -> None:
        """Wait until the connection is open; return at once if it is.

        Raises:
            Exception: The connection has been closed for good.
        """
        await self.wait_newer(self.epoch - 1 if not self.is_recovering else self.epoch)

    async def wait_newer(self, epoch: int) -> None:
        """Wait until a connection with a number above `epoch` is open.

        Raises:
            Exception: The connection has been closed for good.
        """
        while self.final is None and (self.is_recovering or self.epoch <= epoch):
            waiter: Future[None] = self.loop.create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        if self.final is not None:
            raise self.final.with_traceback(None)

    async def wait_closed(self) -> None:
        """Wait until the connection is closed for good."""
        with suppress(AmmooError):
            await self.wait_newer(2**63)

    def wake_waiters(self) -> None:
        """Let all waiting tasks check again: the connection is open, or closed for good."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
