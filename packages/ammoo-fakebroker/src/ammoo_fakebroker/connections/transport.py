"""What a connection asks of its transport: `network/client_socket.py`, or a test's."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Transport"]


class Transport(Protocol):
    """What a connection asks of its transport."""

    def wake(self) -> None:
        """Write `Connection.data_to_send` soon; further calls before that change nothing."""

    def wake_later(self) -> None:
        """Write `Connection.data_to_send` in a moment, or earlier if the client sends octets."""

    def unwritten_size(self) -> int:
        """Return how many octets the transport has taken and not written yet."""
        ...

    def close(self) -> None:
        """Write the remaining octets, then close the socket."""

    def abort(self) -> None:
        """Close the socket at once."""

    def pause_reading(self) -> None:
        """Stop reading from the client."""

    def resume_reading(self) -> None:
        """Read from the client again."""
