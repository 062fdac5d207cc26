"""Copies of messages for another broker, or for the same one at another time.

A broker is copied into a snapshot, and a snapshot into a broker. The time that a message has left is
the same in both, so it is counted on the clock of each.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ..clocks.clock import Clock
    from .message import Message, QueuedMessage

__all__ = ["Copying"]

_Queued = TypeVar("_Queued", bound="QueuedMessage")


class Copying:
    """Makes the copies of one snapshot, or of one restoration.

    Args:
        source: The clock that the messages were stored by.
        target: The clock that their copies will be stored by.
        number: Numbers a message for the history there; None if it has none. Then both share their
            messages, which never change.

    Attributes:
        seconds: The difference between a moment on the two clocks.
        calendar_seconds: The difference between a moment on the calendars of the two clocks.
    """

    def __init__(
        self, source: Clock, target: Clock, number: Callable[[Message], object] | None
    ) -> None:
        self.seconds: float = target.time() - source.time()
        self.calendar_seconds: float = target.timestamp() - source.timestamp()
        self._number = number
        self._copies: dict[Message, Message] = {}
        # Copies of one message have one number: a quorum queue's copy states counts in its headers.
        self._numbers: dict[int, int] = {}

    def message(self, message: Message) -> Message:
        """Return the copy of a message, the same one for all queues."""
        if self._number is None:
            return message
        found = self._copies.get(message)
        if found is None:
            found = self._copies[message] = message.unnumbered()
            if message.number in self._numbers:
                found.number = self._numbers[message.number]
            else:
                self._number(found)
                if message.number:
                    self._numbers[message.number] = found.number
        return found

    def queued(self, queued: _Queued) -> _Queued:
        """Return the copy of a message in a queue."""
        found = copy(queued)
        found.message = self.message(queued.message)
        if queued.deadline is not None:
            found.deadline = queued.deadline + self.seconds
        return found
