"""Waiters: conditions that are checked whenever something may have changed in the broker.

This module runs in the broker's thread. While no test waits, the broker reports no changes. While a
test waits, its conditions are checked once at the end of each turn of the loop that changed
something.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..network.server import Server

__all__ = ["PENDING", "Condition", "Impossible", "Waiter", "Waiters"]


class _Pending:
    """The type of `PENDING`."""

    def __repr__(self) -> str:
        return "PENDING"


PENDING = _Pending()
"""The value that a condition returns while it is not met."""


class Impossible(Exception):
    """A condition can no longer be met; the text gives the reason."""


class Condition(Protocol):
    """What a test waits for."""

    def check(self) -> Any:
        """Return the result of the wait, or `PENDING`.

        Raises:
            Impossible: The condition can no longer be met.
        """

    def explain(self, timeout: float) -> str:
        """Return why it is not met after so many seconds: the text of the test's failure."""
        ...


class Waiter:
    """One wait for a condition.

    Attributes:
        condition: The condition.
        future: The future of its result.
    """

    def __init__(self, condition: Condition) -> None:
        self.condition: Condition = condition
        self.future: Future[Any] = Future()

    def check(self) -> bool:
        """Resolve the future if the condition is met or has failed; return whether it is done."""
        if self.future.done():
            return True
        try:
            result = self.condition.check()
        except BaseException as error:  # noqa: BLE001  raised where the test waits
            self.future.set_exception(error)
            return True
        if result is PENDING:
            return False
        self.future.set_result(result)
        return True


class Waiters:
    """All waits for one broker.

    Args:
        server: The server, which reports what may have changed.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._waiting: dict[Waiter, None] = {}
        self._is_planned = False

    @property
    def is_waiting(self) -> bool:
        """Whether a test waits."""
        return bool(self._waiting)

    def add(self, waiter: Waiter) -> None:
        """Check a waiter now, and after each change until it is done."""
        if not waiter.check():
            self._waiting[waiter] = None
            self._server.watch(self._changed)

    def discard(self, waiter: Waiter) -> None:
        """Remove a waiter that was cancelled or has timed out."""
        self._waiting.pop(waiter, None)
        if not self._waiting:
            self._server.watch(None)

    def fail_all(self, reason: str) -> None:
        """Fail all waits: the broker is being stopped."""
        for waiter in list(self._waiting):
            if not waiter.check():
                waiter.future.set_exception(Impossible(reason))
            self.discard(waiter)

    def check_in(self, delay: float) -> None:
        """Check all waiters in so many seconds of the event loop."""
        self._server.loop.call_later(delay, self._changed)

    def _changed(self) -> None:
        if not self._is_planned:
            self._is_planned = True
            self._server.loop.call_soon(self._check)

    def _check(self) -> None:
        self._is_planned = False
        for waiter in list(self._waiting):
            if waiter.check():
                self.discard(waiter)
