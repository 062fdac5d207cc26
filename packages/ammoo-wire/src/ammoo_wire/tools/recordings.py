"""Recordings of the octets between clients and a broker: a file with a JSON object on each line.

    {"time": 0.004, "connection": 1, "peer": "client", "octets": "414d515000000901"}

``time`` is in seconds since the recording began, ``octets`` is hexadecimal. A peer that
stops writing leaves a line without octets.
"""

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TextIO

from ..onlookers.conversation import Peer

__all__ = ["Piece", "read_recording", "write_piece"]


class Piece(NamedTuple):
    """Octets that a peer wrote."""

    time: float | None
    """In seconds since the recording began; None if it is not known."""
    connection: int
    """Counted from 1."""
    peer: Peer
    """``"client"`` or ``"server"``."""
    octets: bytes
    """Empty when the peer stops writing."""


def write_piece(file: TextIO, piece: Piece) -> None:
    """Write a line."""
    time = None if piece.time is None else round(piece.time, 6)
    line = {
        "time": time,
        "connection": piece.connection,
        "peer": piece.peer,
        "octets": piece.octets.hex(),
    }
    file.write(json.dumps(line) + "\n")


def read_recording(lines: Iterable[str]) -> Iterator[Piece]:
    """Read the lines of a recording.

    Raises:
        ValueError: A line does not belong to a recording; the text has its number.
    """
    for number, line in enumerate(lines, 1):
        try:
            fields = json.loads(line)
            peer, octets = fields["peer"], bytes.fromhex(fields["octets"])
            piece = Piece(fields["time"], int(fields["connection"]), peer, octets)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"line {number} is not one of a recording: {error!r}") from error
        if peer not in ("client", "server"):
            raise ValueError(f"line {number}: peer is {peer!r}; expected 'client' or 'server'")
        yield piece
