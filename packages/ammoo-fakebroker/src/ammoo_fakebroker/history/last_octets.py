"""The last octets of a connection, from which the report of a failing test reads its last frames.

Octets are kept as they pass, a piece for each read and each write, and are decoded only when a test
has failed. Both the number of the pieces and their sizes are limited.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from ammoo_wire import BrokenFrame, CommandReader

from .event_fields import NO_CLIENT, Identity

__all__ = ["CONNECTIONS_LIMIT", "LastOctets"]

CONNECTIONS_LIMIT: Final = 8
"""Of how many connections octets are kept: the last ones, open or ended."""

_PIECES: Final = 48
_PIECE_SIZE: Final = 4096
"""Octets that are kept of a piece; the rest is mostly the middle and the end of a body."""


class LastOctets:
    """The last octets of one connection, in both directions.

    Args:
        frame_max: The largest frame that the broker accepts, in octets.

    Attributes:
        identity: The names of the connection.
        is_open: Whether its socket is open.
        buffer: The buffer that the client's next octets are read into.
    """

    __slots__ = ("_frame_max", "_pieces", "buffer", "identity", "is_open")

    def __init__(self, frame_max: int) -> None:
        self._frame_max = frame_max
        self.identity: Identity = NO_CLIENT
        self.is_open: bool = True
        self.buffer: memoryview = memoryview(b"")
        self._pieces: deque[tuple[bool, bytes, int]] = deque(maxlen=_PIECES)

    def client_wrote(self, count: int) -> None:
        """Keep octets that were read into the buffer."""
        kept = bytes(self.buffer[: min(count, _PIECE_SIZE)])
        self.buffer = memoryview(b"")
        self._pieces.append((True, kept, count))

    def broker_wrote(self, octets: bytes | bytearray) -> None:
        """Keep octets that are written."""
        self._pieces.append((False, bytes(octets[:_PIECE_SIZE]), len(octets)))

    def forget(self) -> None:
        """Keep no octets from now on, because later connections have the place."""
        self._pieces = deque(maxlen=0)

    def frames(self, count: int) -> list[str]:
        """Return the last frames as lines of text, without passwords and secrets.

        A message is one line. Where octets were not kept, frames are left out.

        Args:
            count: How many lines to return at most.
        """
        return list(deque(self._lines(), maxlen=count))

    def _lines(self) -> Iterator[str]:
        readers = {True: self._new_reader(), False: self._new_reader()}
        is_within = dict.fromkeys(readers, len(self._pieces) == _PIECES)
        for is_client, octets, size in self._pieces:
            arrow = "→" if is_client else "←"
            for item in readers[is_client].receive_data(octets):
                is_within[is_client] &= isinstance(item, BrokenFrame)
                if not is_within[is_client]:
                    yield f"{arrow} {item.describe()}"
            if size > len(octets):
                readers[is_client], is_within[is_client] = self._new_reader(), True
                yield f"{arrow} … {size - len(octets):,} octets more"

    def _new_reader(self) -> CommandReader:
        """Return a reader that finds the next frame if it begins within one.

        Octets of a body may look like the beginning of a frame; mostly their size exceeds the limit.
        """
        return CommandReader(frame_max=self._frame_max, skip_broken=True)
