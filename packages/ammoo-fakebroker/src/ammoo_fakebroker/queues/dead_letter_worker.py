"""At-least-once dead-lettering: the worker that keeps a quorum queue's dead letters until they arrive.

A dead letter that cannot be routed, or that a queue refuses, stays in the queue that dead-lettered it.
No consumer gets it there, but it counts for the queue's limits. After three minutes it is routed and
sent again.
See https://www.rabbitmq.com/docs/quorum-queues#dead-lettering
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..clocks.clock import Clock, Timer
    from ..messages.copying import Copying
    from ..messages.message import Message
    from .dead_lettering import DeadLetter, DeadLetters, DeadLetterTarget

__all__ = ["DeadLetterWorker"]

RETRY = 180.0
"""Seconds between two attempts."""

_PREFETCH = 32


class _Pending:
    """A dead letter on its way.

    Attributes:
        letter: The dead letter, with its x-death header.
        settled_by: The queues that have accepted it.
        last_sent: The time at which it was last sent to a queue; None before the first time.
    """

    __slots__ = ("last_sent", "letter", "settled_by")

    def __init__(self, letter: DeadLetter) -> None:
        self.letter = letter
        self.settled_by: set[DeadLetterTarget] = set()
        self.last_sent: float | None = None

    @property
    def message(self) -> Message:
        return self.letter.message


class DeadLetterWorker:
    """Forwards the dead letters of one queue, at most 32 at a time.

    Args:
        dead_letters: Finds the queues that a dead letter reaches.
        clock: The clock of the attempts.
    """

    def __init__(self, dead_letters: DeadLetters, clock: Clock) -> None:
        self._dead_letters = dead_letters
        self._clock = clock
        self._discarded: deque[DeadLetter] = deque()
        self._pending: list[_Pending] = []
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._discarded) + len(self._pending)

    @property
    def octets(self) -> int:
        """The total size of the bodies that it keeps."""
        return sum(len(message.body) for message in self.messages())

    def messages(self) -> Iterator[Message]:
        """Yield the dead letters that have not arrived."""
        for letter in self._discarded:
            yield letter.message
        for pending in self._pending:
            yield pending.message

    def forward(self, letter: DeadLetter) -> None:
        """Send a dead letter, and keep it until all its queues have accepted it."""
        self._discarded.append(letter)
        self._send_next()

    def copy_letters(self, source: DeadLetterWorker, copying: Copying) -> None:
        """Take copies of the dead letters of another queue, to be sent when the broker is up."""
        letters = (*(pending.letter for pending in source._pending), *source._discarded)
        self._discarded.extend(
            letter._replace(message=copying.message(letter.message)) for letter in letters
        )

    def come_up(self) -> None:
        """Send what has not been sent."""
        self._send_next()

    def _send_next(self) -> None:
        while self._discarded and len(self._pending) < _PREFETCH:
            pending = _Pending(self._discarded.popleft())
            if not self._send(pending):
                self._pending.append(pending)
        if self._pending and self._timer is None:
            self._timer = self._clock.call_later(RETRY, self._retry, only_looks=True)

    def _send(self, pending: _Pending) -> bool:
        """Send a dead letter to the queues that have not accepted it.

        Returns:
            Whether it is settled: all its queues have accepted it, or one has and there is no route
            any more.
        """
        targets = self._dead_letters.targets(pending.letter)
        self._dead_letters.forget_delays(pending.letter)
        if not targets:
            return bool(pending.settled_by)
        missing = [target for target in targets if target not in pending.settled_by]
        if not missing:
            return False
        pending.last_sent = self._clock.time()
        settled_by = {target for target in missing if target.publish(pending.message)}
        pending.settled_by |= settled_by
        return len(settled_by) == len(missing)

    def _retry(self) -> None:
        self._timer = None
        overdue = self._clock.time() - RETRY
        with self._dead_letters.deferred():
            self._pending = [
                pending
                for pending in self._pending
                if not (
                    (pending.last_sent is None or pending.last_sent <= overdue)
                    and self._send(pending)
                )
            ]
            self._send_next()

    def purge(self) -> int:
        """Drop all dead letters that have not arrived, and return how many there were."""
        count = len(self)
        self._discarded.clear()
        self._pending.clear()
        self.stop()
        return count

    def stop(self) -> None:
        """Cancel the timer of the next attempt."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
