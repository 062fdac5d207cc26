"""The private channels of a replay: an error on one of them closes no channel of the caller's.

The caller may have agreed on few channels (channel_max). A number is free again when the server has
answered channel.close, so that opening a channel may have to wait for the end of another one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ...exceptions.base import OperationTimeout
from ...exceptions.channel import ClientClosedChannelOK
from ...exceptions.connection import TooManyChannels
from ...live.channel import LiveChannel
from ...live.connection import LiveConnection

__all__ = ["ANSWER_TIMEOUT", "PrivateChannels", "answered_in_time"]

ANSWER_TIMEOUT: Final = 15.0
"""How long to await an answer that every server sends at once, in seconds."""


class PrivateChannels:
    """Opens and closes the private channels of one connection.

    Each has a number until both sides have finished with it. If no number is free, a new channel
    waits for the end of a private one.

    Args:
        live: The connection.
    """

    __slots__ = ("_channels", "_live")

    def __init__(self, live: LiveConnection) -> None:
        self._live = live
        self._channels: list[LiveChannel] = []  # as far as they are known to have numbers

    async def open(self, seconds: float | None = None) -> LiveChannel:
        """Open a private channel.

        Args:
            seconds: How long to wait for a free number; None for `ANSWER_TIMEOUT`.

        Raises:
            TooManyChannels: No number is free.
            OperationTimeout: The server does not answer.
        """
        channel = await self.new_channel("utf-8", seconds)
        channel.mute()
        self._channels.append(channel)
        async with answered_in_time("channel.open"):
            await channel.open()
        return channel

    def close(self, channel: LiveChannel) -> None:
        """Begin to close a channel; the caller's channels may wait for its number, too."""
        channel.begin_close(ClientClosedChannelOK())
        if channel not in self._channels:
            self._channels.append(channel)

    async def new_channel(self, body_encoding: str, seconds: float | None = None) -> LiveChannel:
        """Return a new channel for the caller, which is not open yet.

        Args:
            body_encoding: As for `LiveConnection.new_channel`.
            seconds: How long to wait for a free number; None for `ANSWER_TIMEOUT`.

        Raises:
            TooManyChannels: No number is free.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (ANSWER_TIMEOUT if seconds is None else seconds)
        while True:
            self._channels = [each for each in self._channels if not each.is_finished]
            try:
                return self._live.new_channel(body_encoding)
            except TooManyChannels:
                if not await self._one_finishes(deadline - loop.time()):
                    raise

    async def _one_finishes(self, seconds: float) -> bool:
        """Wait until a private channel has ended; return whether one has, within so many seconds."""
        if seconds <= 0 or not self._channels:
            return False
        ends = [asyncio.ensure_future(each.wait_finished()) for each in self._channels]
        try:
            done, _ = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ends:
                each.cancel()
        return bool(done)


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
