"""The failures of a publisher that no caller has awaited, until they are raised together."""

from typing import Final

from ..exceptions.publishing import PublishFailed

__all__ = ["MAX_FAILURES", "Failures"]

MAX_FAILURES: Final = 1000
"""With so many failures the publisher raises them before it accepts another message; with twice as
many as may be in flight if that is more, because a program may hold as many to await them."""
_MAX_NOTES: Final = 10
"""How many failures have a note of their own at another exception."""


class Failures:
    """Collects failures by the numbers of their messages.

    Args:
        max_in_flight: How many messages the publisher may have in flight.
    """

    __slots__ = ("_failures", "_most", "_sent_before")

    def __init__(self, max_in_flight: float) -> None:
        self._most = max(MAX_FAILURES, 2 * max_in_flight)
        self._failures: dict[int, PublishFailed] = {}
        self._sent_before = 0  # how many messages the raised groups were about

    def __len__(self) -> int:
        return len(self._failures)

    def add(self, number: int, error: PublishFailed) -> None:
        """Collect the failure of a message."""
        self._failures[number] = error

    def discard(self, number: int) -> None:
        """Forget the failure of a message: it was raised in a caller."""
        self._failures.pop(number, None)

    @property
    def are_too_many(self) -> bool:
        """Whether the publisher has to raise them before it accepts another message."""
        return len(self._failures) >= self._most

    def raise_all(self, sent: int) -> None:
        """Raise all failures if there are any, and forget them.

        Args:
            sent: How many messages the publisher has accepted so far.

        Raises:
            ExceptionGroup: The failures, in the order of their messages.
        """
        if not self._failures:
            return
        failures = [self._failures[number] for number in sorted(self._failures)]
        of, self._sent_before = sent - self._sent_before, sent
        self._failures.clear()
        raise ExceptionGroup(f"{len(failures)} of {of} messages were not confirmed", failures)

    def note_at(self, error: BaseException) -> None:
        """Add the failures as notes to an exception that is raised instead of them."""
        failures = [self._failures[number] for number in sorted(self._failures)]
        for failure in failures[:_MAX_NOTES]:
            error.add_note(str(failure))
        if len(failures) > _MAX_NOTES:
            error.add_note(f"{len(failures) - _MAX_NOTES} more messages were not confirmed")
