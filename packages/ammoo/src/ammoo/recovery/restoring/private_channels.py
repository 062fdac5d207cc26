"""The private channels of a replay: an error on one of them closes no channel of the caller's.

The caller may have agreed on few channels (channel_max). A number is free again when the server has
answered channel.close, so that opening a channel may have to wait for the end of another one.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ...exceptions.base import OperationTimeout
from ...exceptions.channel import ClientClosedChannelOK
from ...exceptions.connection import TooManyChannels
from ...live.channel import LiveChannel
from ...live.connection import LiveConnection

__all__ = ["ANSWER_TIMEOUT", "PrivateChannels", "answered_in_time", "new_channel_behind"]

ANSWER_TIMEOUT: Final = 15.0
"""How long to await an answer that every server sends at once, in seconds."""


class PrivateChannels:
    """Opens and closes the private channels of one connection.

    Args:
        live: The connection.
    """

    __slots__ = ("_closing", "_live")

    def __init__(self, live: LiveConnection) -> None:
        self._live = live
        self._closing: deque[LiveChannel] = deque()

    async def open(self) -> LiveChannel:
        """Open a channel.

        Raises:
            TooManyChannels: The caller's channels have all numbers.
            OperationTimeout: The server does not answer.
        """
        channel = await new_channel_behind(self._live, self._closing, "utf-8")
        async with answered_in_time("channel.open"):
            await channel.open()
        return channel

    def close(self, channel: LiveChannel) -> None:
        """Begin to close a channel."""
        channel.begin_close(ClientClosedChannelOK())
        while self._closing and self._closing[0].is_finished:
            self._closing.popleft()
        self._closing.append(channel)

    async def make_room(self, channels: int) -> None:
        """Wait until so many numbers are free, as far as channels are being closed.

        Args:
            channels: How many channels the caller had.
        """
        most = self._live.protocol.channel_max
        while most and self._closing and channels + len(self._closing) > most:
            await self._closing.popleft().close(ClientClosedChannelOK(), ANSWER_TIMEOUT)


async def new_channel_behind(
    live: LiveConnection, closing: deque[LiveChannel], body_encoding: str
) -> LiveChannel:
    """Return a new channel, which is not open yet; wait for the end of others if none is free.

    Args:
        live: The connection.
        closing: Channels that are being closed, the oldest first; what was awaited is removed.
        body_encoding: As for `LiveConnection.new_channel`.

    Raises:
        TooManyChannels: The numbers are in use by other channels.
    """
    while True:
        try:
            return live.new_channel(body_encoding)
        except TooManyChannels:
            if not closing:
                raise
        await closing.popleft().close(ClientClosedChannelOK(), ANSWER_TIMEOUT)


@asynccontextmanager
async def answered_in_time(method: str, seconds: float = ANSWER_TIMEOUT) -> AsyncIterator[None]:
    """Raise `OperationTimeout` in the block if an answer takes too long.

    Args:
        method: The method that the server should answer, ``queue.declare`` for example.
        seconds: How long the answer may take.
    """
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            yield
    except TimeoutError:
        if not scope.expired():
            raise
        raise OperationTimeout(method, seconds) from None
