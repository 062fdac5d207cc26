"""What a connection asks of its transport, which moves the octets: `server.py`, or a test."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Transport"]


class Transport(Protocol):
    """What a connection asks of its transport."""

    def wake(self) -> None:
        """Come for `Connection.data_to_send` soon; it may be asked for many times."""

    def wake_later(self) -> None:
        """Do so in a moment, but for something else to be done before."""

    def unwritten_size(self) -> int:
        """Return how many octets were taken and not written yet."""
        ...

    def close(self) -> None:
        """Write what is left, then close the socket."""

    def abort(self) -> None:
        """Close the socket at once."""

    def pause_reading(self) -> None:
        """Read nothing more for now."""

    def resume_reading(self) -> None:
        """Read again."""
