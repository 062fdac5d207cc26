"""The octets of a connection, counted as its socket reads and writes them."""

from __future__ import annotations

__all__ = ["Traffic"]


class Traffic:
    """How much a connection has received and sent.

    Attributes:
        received_octets, sent_octets: The octets.
        reads, writes: In how many reads and writes they came and went.
    """

    __slots__ = ("reads", "received_octets", "sent_octets", "writes")

    def __init__(self) -> None:
        self.received_octets: int = 0
        self.reads: int = 0
        self.sent_octets: int = 0
        self.writes: int = 0

    def received(self, count: int) -> None:
        """Count the octets of one read."""
        self.received_octets += count
        self.reads += 1

    def sent(self, count: int) -> None:
        """Count the octets of one write."""
        self.sent_octets += count
        self.writes += 1
