"""The outcomes of a publisher's messages: each is settled once, which frees its place.

`Outcomes` counts, collects the failures that no caller awaits, fails messages whose time is over,
and resolves the barriers of callers that wait for messages. `Lost` decides whether a lost message
is sent again.
"""

import asyncio
import math
from collections.abc import Callable
from itertools import islice, takewhile

from ..exceptions.base import AmmooError, OperationTimeout, mark_as_reported
from ..exceptions.publishing import (
    NotSent,
    PublishFailed,
    PublishNotSent,
    PublishRefused,
    PublishUnknown,
)
from .confirmation import Confirmation
from .failures import Failures
from .window import Window

__all__ = ["Lost", "Outcomes", "not_sent", "outcome_of"]

Lost = Callable[[Confirmation, PublishUnknown | PublishRefused], PublishFailed | None]
"""Takes a message that was lost, and returns its outcome, or None if it is sent again."""


class _Barrier:
    """Waits until all messages up to a number are settled."""

    __slots__ = ("last", "left", "passed")

    def __init__(self, last: int, left: int, passed: "asyncio.Future[None]") -> None:
        self.last = last
        self.left = left
        self.passed = passed


class Outcomes:
    """The messages of one publisher, by their numbers (`ConfirmationOwner`).

    Args:
        window: The window in which each message has its place.
        timeout: After how many seconds a message without an outcome fails; None for never.

    Attributes:
        confirmed_count: How many messages are confirmed.
        expired: Called when messages that may not have been sent have timed out.
        failed_count: How many messages have failed.
        failures: The failures that were raised in no caller.
        last_number: The number of the newest message.
        lost: Called with each message whose channel was lost; None if none is sent again.
        unsettled: The messages without an outcome, in their order.
    """

    __slots__ = (
        "_barriers",
        "_timeout",
        "_timer",
        "_window",
        "confirmed_count",
        "expired",
        "failed_count",
        "failures",
        "last_number",
        "lost",
        "unsettled",
    )

    def __init__(self, window: Window, timeout: float | None) -> None:
        self.confirmed_count: int = 0
        self.failed_count: int = 0
        self.last_number: int = 0
        self.failures: Failures = Failures(window.max_messages)
        self.unsettled: dict[int, Confirmation] = {}
        self.lost: Lost | None = None
        self.expired: Callable[[], None] | None = None
        self._window = window
        self._timeout = timeout
        self._timer: asyncio.TimerHandle | None = None
        self._barriers: list[_Barrier] = []

    def add(self, confirmation: Confirmation) -> None:
        """Add a message that has its place in the window."""
        number = self.last_number = confirmation.publish_sequence_number
        self.unsettled[number] = confirmation
        if self._timer is None and confirmation._deadline is not None:
            self._start_timer(confirmation._deadline)

    async def wait_settled(self) -> None:
        """Wait until all messages that were added so far have their outcomes."""
        barrier = self.barrier(self.last_number)
        try:
            await barrier
        finally:
            self._barriers = [each for each in self._barriers if each.passed is not barrier]

    def barrier(self, last: int) -> "asyncio.Future[None]":
        """Return a future that is done when all messages up to a number have their outcomes."""
        passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if last == self.last_number:
            left = len(self.unsettled)
        else:
            left = sum(number <= last for number in self.unsettled)
        if left:
            self._barriers.append(_Barrier(last, left, passed))
        else:
            passed.set_result(None)
        return passed

    def settle_as_failed(self, confirmation: Confirmation, error: PublishFailed) -> None:
        """Make a failure the outcome of a message; it is collected if no caller awaits it."""
        self.failed_count += 1
        is_awaited = confirmation.is_awaited
        confirmation.fail(error)
        if not is_awaited:
            self.failures.add(confirmation.publish_sequence_number, error)
        self._settled(confirmation)

    def abandon(self, reason: str, last: int | None = None) -> int:
        """Settle messages without an outcome at once: the program waits for them no longer.

        Args:
            reason: Why it does not.
            last: The number of the last message to settle; None for all.

        Returns:
            How many messages it has settled.
        """
        cause = RuntimeError(reason)
        abandoned = [
            each for number, each in self.unsettled.items() if last is None or number <= last
        ]
        for confirmation in abandoned:
            self.settle_as_failed(confirmation, outcome_of(confirmation, cause))
        if self._timer is not None and not self.unsettled:
            self._timer.cancel()
            self._timer = None
        if self.expired is not None:
            self.expired()
        return len(abandoned)

    # --- what confirmations call ---

    def confirmed(self, confirmation: Confirmation) -> None:
        """Record that the server has confirmed a message."""
        self.confirmed_count += 1
        self._settled(confirmation)

    def failed(self, confirmation: Confirmation, error: Exception) -> None:
        """Record that the channel will not confirm a message, and why."""
        if isinstance(error, PublishUnknown | PublishRefused):
            outcome = error if self.lost is None else self.lost(confirmation, error)
            if outcome is None:
                return
            mark_as_reported(error.exc)
            self.settle_as_failed(confirmation, outcome)
            return
        failure = error if isinstance(error, PublishFailed) else outcome_of(confirmation, error)
        if confirmation._times_sent > 1 and not isinstance(failure, PublishUnknown):
            failure = _unknown(failure)  # the server may have stored an earlier copy
        self.settle_as_failed(confirmation, failure)

    def raised(self, confirmation: Confirmation) -> None:
        """Record that the failure of a message was raised in a caller."""
        self.failures.discard(confirmation.publish_sequence_number)

    def not_raised(self, confirmation: Confirmation, error: PublishFailed) -> None:
        """Record that the only caller that awaited the failure was cancelled."""
        self.failures.add(confirmation.publish_sequence_number, error)

    def _settled(self, confirmation: Confirmation) -> None:
        number = confirmation.publish_sequence_number
        del self.unsettled[number]
        self._window.leave(confirmation._size)
        if self._barriers:
            self._count_down(number)

    def _count_down(self, number: int) -> None:
        for barrier in self._barriers:
            if number <= barrier.last:
                barrier.left -= 1
                if not barrier.left and not barrier.passed.done():
                    barrier.passed.set_result(None)
        self._barriers = [each for each in self._barriers if each.left]

    # --- timeout ---

    def _start_timer(self, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(deadline, self._end_time, loop)

    def _end_time(self, loop: asyncio.AbstractEventLoop) -> None:
        """Settle the messages that have timed out, and start the timer for the next one."""
        now = loop.time()
        overdue = list(takewhile(lambda each: _deadline(each) <= now, self.unsettled.values()))
        for confirmation in overdue:
            error = OperationTimeout("basic.publish", self._timeout or 0.0)
            self.settle_as_failed(confirmation, outcome_of(confirmation, error))
        self._timer = None
        for confirmation in islice(self.unsettled.values(), 1):
            self._start_timer(_deadline(confirmation))
        if overdue and self.expired is not None:
            self.expired()


def outcome_of(confirmation: Confirmation, cause: Exception) -> PublishFailed:
    """Return the outcome of a message that the publisher gives up.

    Args:
        confirmation: The message.
        cause: Why the publisher gives it up.
    """
    if not confirmation._times_sent:
        return not_sent(cause)
    if confirmation._loss is not None:  # it waits to be sent again
        return confirmation._loss
    return _unknown(cause)


def not_sent(cause: Exception) -> PublishNotSent:
    """Return the outcome of a message that was not sent.

    Args:
        cause: Why it was not sent.
    """
    error = PublishNotSent(cause.reason if isinstance(cause, NotSent) else str(cause))
    error.__cause__ = cause
    if isinstance(cause, AmmooError):
        error._restored = cause._restored
    return error


def _unknown(cause: Exception) -> PublishUnknown:
    error = PublishUnknown(cause)
    error.__cause__ = cause
    return error


def _deadline(confirmation: Confirmation) -> float:
    return math.inf if confirmation._deadline is None else confirmation._deadline
