"""`Confirmation`: one message of a publisher, from its place in the window to its outcome.

The live channel sets its outcome as it sets a future's (`live.ports.ConfirmWaiter`). A future
would not do: it calls back a turn later, but the publisher has to free the message's place at
once, and no task awaits most outcomes. The publisher decides what an outcome means.
"""

import asyncio
from collections.abc import Generator
from typing import Any, Protocol

from ..exceptions.publishing import PublishFailed
from ..publish_options import Outgoing

__all__ = ["Confirmation", "ConfirmationOwner"]


class ConfirmationOwner(Protocol):
    """What a confirmation asks of its publisher."""

    def confirmed(self, confirmation: "Confirmation") -> None:
        """Record that the server has confirmed a message."""

    def failed(self, confirmation: "Confirmation", error: Exception) -> None:
        """Record that the channel will not confirm a message, and why."""

    def raised(self, confirmation: "Confirmation") -> None:
        """Record that the failure of a message was raised in a caller."""

    def not_raised(self, confirmation: "Confirmation", error: PublishFailed) -> None:
        """Record that the only caller that awaited the failure was cancelled."""


class Confirmation:
    """One published message; await it for its outcome.

    Awaiting it returns when the server has taken responsibility for the message, and raises a
    `PublishFailed` if it has not. It may be awaited at any time, more than once, or never: a
    failure that no caller has awaited is raised when the publisher is flushed or left. A caller
    that is cancelled changes nothing about the message.

    Attributes:
        exchange_name: The exchange.
        routing_key: The routing key.
        publish_sequence_number: The number of the message, counted from 1 by the publisher.
    """

    __slots__ = (
        "_deadline",
        "_error",
        "_is_done",
        "_loss",
        "_message",
        "_owner",
        "_size",
        "_times_sent",
        "_waiters",
        "_was_raised",
        "exchange_name",
        "publish_sequence_number",
        "routing_key",
    )

    def __init__(
        self,
        owner: ConfirmationOwner,
        exchange_name: str,
        routing_key: str,
        size: int,
        deadline: float | None,
    ) -> None:
        self.exchange_name: str = exchange_name
        self.routing_key: str = routing_key
        self.publish_sequence_number: int = 0
        self._size = size
        self._deadline = deadline
        self._message: Outgoing | None = None  # kept while it may have to be sent
        self._was_raised = False  # in a task that has awaited it
        self._times_sent = 0
        self._loss: PublishFailed | None = None  # the outcome of its last sending
        self._owner = owner
        self._is_done = False
        self._error: PublishFailed | None = None
        self._waiters: list[asyncio.Future[None]] | None = None

    def __repr__(self) -> str:
        state = "in flight" if self._times_sent else "not sent yet"
        if self._is_done:
            state = "confirmed" if self._error is None else type(self._error).__name__
        return f"<Confirmation of message {self.publish_sequence_number}, {state}>"

    def __await__(self) -> Generator[Any, None, None]:
        """Wait for the outcome.

        Raises:
            PublishFailed: The server has not confirmed the message; the subclass says why.
        """
        if not self._is_done:
            yield from self._wait().__await__()
        if self._error is not None:
            self._was_raised = True
            self._owner.raised(self)
            raise self._error.with_traceback(None)

    async def _wait(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if self._error is not None and not self._was_raised:
                self._owner.not_raised(self, self._error)
            raise
        finally:
            self._waiters.remove(waiter)

    @property
    def is_awaited(self) -> bool:
        """Whether a task waits for the outcome."""
        return bool(self._waiters)

    def done(self) -> bool:
        """Return whether the message has its outcome."""
        return self._is_done

    def exception(self) -> PublishFailed | None:
        """Return why the message was not confirmed; None if it was, or has no outcome yet."""
        return self._error

    # --- what the live channel and the publisher call ---

    def set_result(self, result: None = None, /) -> None:
        """Record that the server has confirmed the message (`live.ports.ConfirmWaiter`).

        Args:
            result: Always None.
        """
        self._is_done = True
        self._message = None
        self._owner.confirmed(self)
        if self._waiters is not None:
            self._wake()

    def set_exception(self, exception: Exception, /) -> None:
        """Record that the channel will not confirm the message (`live.ports.ConfirmWaiter`).

        Args:
            exception: Why the channel will not confirm it.
        """
        self._owner.failed(self, exception)

    def fail(self, error: PublishFailed) -> None:
        """Make a failure the outcome.

        Args:
            error: The failure.
        """
        error.exchange_name = self.exchange_name
        error.routing_key = self.routing_key
        error.publish_sequence_number = self.publish_sequence_number
        self._is_done = True
        self._message = None
        self._error = error
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters or ():
            if not waiter.done():
                waiter.set_result(None)
