"""How long a replay pauses while the lost connection still locks its exclusive queues.

This module only decides; `topology_replay` sleeps and sends.
"""

from typing import Final

__all__ = ["LockedPauses"]

FIRST_PAUSE: Final = 0.05
MAX_PAUSE: Final = 0.4
LOCKED_PATIENCE: Final = 1.0
"""For how long no request may succeed before the replay stops pausing, in seconds: then most likely
another connection locks the queues."""
DELETED_IN_A_SECOND: Final = 400
"""How many queues a loaded server deletes in a second; the replay is patient for that time, too."""


class LockedPauses:
    """How long a pipeline pauses while the lost connection still locks its exclusive queues.

    The server deletes these queues one after the other, in an order that the client does not know.
    Each refused request costs a channel, and delays the server's deleting.

    Args:
        queues: How many queues may be locked, in all pipelines together.
    """

    __slots__ = ("_done", "_patience", "_pause", "_since")

    def __init__(self, queues: int) -> None:
        self._patience = LOCKED_PATIENCE + queues / DELETED_IN_A_SECOND
        self._pause = FIRST_PAUSE
        self._done = 0
        self._since: float | None = None

    def next_pause(self, done: int, now: float) -> float | None:
        """Return how many seconds to pause; None if no item was done for too long.

        Args:
            done: How many items of all pipelines are done: one pipeline may have nothing left but the
                queues that the server deletes last.
            now: The time, in seconds.
        """
        if self._since is None or done > self._done:
            self._since, self._done = now, done
        elif now - self._since >= self._patience:
            return None
        pause = self._pause
        self._pause = min(2 * pause, MAX_PAUSE)
        return pause
