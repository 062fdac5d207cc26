"""Which channel numbers of a connection are free."""

import heapq
from typing import Final

from ..exceptions.connection import TooManyChannels

__all__ = ["ChannelNumbers"]

_LARGEST_NUMBER: Final = 65535  # a channel number has 16 bits


class ChannelNumbers:
    """The numbers of a connection's channels: 1 and up, the lowest that was freed first."""

    __slots__ = ("_free", "_in_use", "_next")

    def __init__(self) -> None:
        self._free: list[int] = []  # a heap
        self._in_use = 0
        self._next = 1

    def reserve(self, channel_max: int) -> int:
        """Return a free number, which is in use from then on.

        Args:
            channel_max: How many channels may be open, as negotiated; 0 for no limit.

        Raises:
            TooManyChannels: As many are in use.
        """
        most = channel_max or _LARGEST_NUMBER
        if self._in_use >= most or (not self._free and self._next > most):
            raise TooManyChannels(most)
        self._in_use += 1
        if self._free:
            return heapq.heappop(self._free)
        self._next += 1
        return self._next - 1

    def free(self, number: int) -> None:
        """Make a number free: the server is known to have finished with its channel."""
        self._in_use -= 1
        heapq.heappush(self._free, number)
