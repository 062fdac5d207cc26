"""Replaying one peer of a recorded connection to a real other peer.

The other peer's octets may differ from the recording, because a broker makes up other names, and a
client other identifiers. Each recorded piece is sent when the other peer has sent as many commands as
at the time of the recording. Heartbeats do not count.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..onlookers.conversation import Peer
from ..onlookers.read_items import Frame
from ..onlookers.reader import CommandReader
from .recordings import Piece

__all__ = ["Replay"]


class _Turn(NamedTuple):
    """A piece to send, and how many commands of the other peer come before."""

    octets: bytes
    after: int


class Replay:
    """Replays one peer of a recorded connection; does no input or output itself.

    Args:
        pieces: The recording.
        peer: The peer to replay, ``"client"`` or ``"server"``.
        number: The number of the recorded connection to replay, counted from 1. After the last
            connection the first one follows.
    """

    def __init__(self, pieces: Sequence[Piece], peer: Peer, number: int = 1) -> None:
        recorded = sorted({piece.connection for piece in pieces})
        chosen = recorded[(number - 1) % len(recorded)] if recorded else 0
        counter = _Counter()
        self._turns: list[_Turn] = []
        for piece in pieces:
            if piece.connection != chosen:
                continue
            if piece.peer == peer:
                if piece.octets:
                    self._turns.append(_Turn(piece.octets, counter.count))
            else:
                counter.receive_data(piece.octets)
        self._next = 0
        self._heard = _Counter()

    def has_more(self) -> bool:
        """Return whether pieces are still to be sent."""
        return self._next < len(self._turns)

    def receive_data(self, octets: bytes) -> None:
        """Read octets of the other peer."""
        self._heard.receive_data(octets)

    def octets_to_send(self) -> Iterator[bytes]:
        """Yield the pieces that can be sent now."""
        while self.has_more() and self._turns[self._next].after <= self._heard.count:
            self._next += 1
            yield self._turns[self._next - 1].octets


class _Counter:
    """Counts the commands of a peer, without heartbeats."""

    def __init__(self) -> None:
        self._reader = CommandReader(max_body_size=0, skip_broken=True)
        self.count = 0

    def receive_data(self, octets: bytes) -> None:
        items = self._reader.receive_data(octets)
        self.count += sum(not isinstance(item, Frame) for item in items)
