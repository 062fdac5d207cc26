"""Which channel numbers of a connection are free."""

import heapq
from collections import deque
from typing import Final

from ..exceptions.connection import TooManyChannels

__all__ = ["ChannelNumbers"]

_LARGEST_NUMBER: Final = 65535  # a channel number has 16 bits


class ChannelNumbers:
    """The numbers of a connection's channels: 1 and up, the lowest that was freed first.

    If the server has closed a channel, its number is used again only when no other is free:
    RabbitMQ 4.3 may still deliver messages of the old channel, even behind the channel.open-ok of
    the new one.
    """

    __slots__ = ("_free", "_in_use", "_next", "_used_last")

    def __init__(self) -> None:
        self._free: list[int] = []  # a heap
        self._used_last: deque[int] = deque()
        self._in_use = 0
        self._next = 1

    def reserve(self, channel_max: int) -> int:
        """Return a free number, which is in use from then on.

        Args:
            channel_max: How many channels may be open, as negotiated; 0 for no limit.

        Raises:
            TooManyChannels: All numbers are in use.
        """
        most = channel_max or _LARGEST_NUMBER
        is_new_left = self._next <= most
        if self._in_use >= most or not (self._free or is_new_left or self._used_last):
            raise TooManyChannels(most)
        self._in_use += 1
        if self._free:
            return heapq.heappop(self._free)
        if is_new_left:
            self._next += 1
            return self._next - 1
        return self._used_last.popleft()

    def free(self, number: int, *, closed_by_server: bool) -> None:
        """Make a number free: both sides have finished with its channel.

        Args:
            number: The number.
            closed_by_server: Whether the server has closed the channel.
        """
        self._in_use -= 1
        if closed_by_server:
            self._used_last.append(number)
        else:
            heapq.heappush(self._free, number)
