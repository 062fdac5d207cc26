"""One peer of a recorded connection, played again to a living other peer.

What the other peer says need not be the same, octet for octet (a broker makes up other
names, a client other identifiers): before each recorded piece the other peer must have
said as many commands as it had when the piece was recorded. Heartbeats do not count.
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
    """Plays one peer of a recorded connection; does no input or output itself.

    Args:
        pieces: The recording.
        peer: Whom to play, ``"client"`` or ``"server"``.
        number: Which of the recorded connections to play. Beyond the last, they begin again
            with the first.
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
        """Return whether something is still to be sent."""
        return self._next < len(self._turns)

    def receive_data(self, octets: bytes) -> None:
        """Take what the other peer has said."""
        self._heard.receive_data(octets)

    def octets_to_send(self) -> Iterator[bytes]:
        """Return the pieces whose turn it is."""
        while self.has_more() and self._turns[self._next].after <= self._heard.count:
            self._next += 1
            yield self._turns[self._next - 1].octets


class _Counter:
    """Counts what a peer has said, without heartbeats."""

    def __init__(self) -> None:
        self._reader = CommandReader(max_body_size=0, skip_broken=True)
        self.count = 0

    def receive_data(self, octets: bytes) -> None:
        items = self._reader.receive_data(octets)
        self.count += sum(not isinstance(item, Frame) for item in items)
