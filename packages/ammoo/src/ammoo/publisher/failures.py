"""The failures of a publisher that no caller has awaited, until they are raised together."""

from typing import Final

from ..exceptions.publishing import PublishFailed

__all__ = ["MAX_FAILURES", "Failures"]

MAX_FAILURES: Final = 1000
"""With so many failures, the publisher takes no more messages before they are raised."""
_MAX_NOTES: Final = 10
"""So many failures are noted at another exception, one by one."""


class Failures:
    """Collects failures by the numbers of their messages."""

    __slots__ = ("_failures", "_sent_before")

    def __init__(self) -> None:
        self._failures: dict[int, PublishFailed] = {}
        self._sent_before = 0  # messages that the groups raised so far were about

    def __len__(self) -> int:
        return len(self._failures)

    def add(self, number: int, error: PublishFailed) -> None:
        """Collect the failure of a message."""
        self._failures[number] = error

    def discard(self, number: int) -> None:
        """Forget the failure of a message: a caller has got it."""
        self._failures.pop(number, None)

    @property
    def are_too_many(self) -> bool:
        """Whether they have to be raised before more messages are taken."""
        return len(self._failures) >= MAX_FAILURES

    def raise_all(self, sent: int) -> None:
        """Raise all failures, if there are any; they are collected no more.

        Args:
            sent: How many messages the publisher has taken so far.

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
        """Note the failures at an exception that is raised instead of them."""
        failures = [self._failures[number] for number in sorted(self._failures)]
        for failure in failures[:_MAX_NOTES]:
            error.add_note(str(failure))
        if len(failures) > _MAX_NOTES:
            error.add_note(f"{len(failures) - _MAX_NOTES} more messages were not confirmed")
