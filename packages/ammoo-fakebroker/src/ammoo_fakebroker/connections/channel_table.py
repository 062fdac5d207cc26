"""The channel table: which channels of a connection are open, closing or closed.

After an error, a channel's number stays taken until the client has answered; some messages return to
their queues only then. `channel.py` is one channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ammoo_wire import (
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenOkParameters,
    ProtocolError,
)

from ..rabbitmq import errors
from .channel import Channel

if TYPE_CHECKING:
    from .ports import ChannelConnection

__all__ = ["ChannelTable"]


class ChannelTable:
    """The channels of a connection.

    Attributes:
        open: The open channels by number.
    """

    def __init__(self, connection: ChannelConnection) -> None:
        self.open: dict[int, Channel] = {}
        self._closing: dict[int, Channel | None] = {}
        self._connection = connection

    def __len__(self) -> int:
        """Return how many channel numbers are taken."""
        return len(self.open) + len(self._closing)

    def __iter__(self) -> Iterator[Channel]:
        """Yield the closing channels, then the open ones."""
        yield from (channel for channel in self._closing.values() if channel is not None)
        yield from self.open.values()

    def is_closing(self, number: int) -> bool:
        """Return whether the broker has closed a channel, and the client has not answered."""
        return number in self._closing

    def open_new(self, number: int) -> None:
        """Open a channel.

        Raises:
            ProtocolError: 504, the number is taken.
        """
        if number in self.open or number in self._closing:
            raise errors.channel_already_open()
        channel = self.open[number] = Channel(number, self._connection)
        channel.record("channel_opened")
        self._connection.send(number, ChannelOpenOkParameters())

    def close(
        self, channel: Channel, error: ProtocolError | None, *, is_answered: bool = True
    ) -> None:
        """Close an open channel: its client has closed it, or a method has failed.

        Args:
            channel: The channel.
            error: The error for the client; None if the client closes the channel.
            is_answered: Whether to answer a client that closes the channel.
        """
        if channel.confirms is not None:
            channel.flush_confirms()
        del self.open[channel.number]
        if error is None:
            channel.record("channel_closed", by="client")
            channel.close()
            if is_answered:
                channel.send(ChannelCloseOkParameters())
            return
        self._closing[channel.number] = channel
        self._send_close(channel.number, error)
        code, text = int(error.reply_code), error.reply_text
        channel.record("channel_closed", by="broker", code=code, text=text)
        channel.start_closing()

    def refuse_unopened(self, number: int, error: ProtocolError) -> None:
        """Send channel.close for a channel that was never opened."""
        self._closing[number] = None
        self._send_close(number, error)

    def _send_close(self, number: int, error: ProtocolError) -> None:
        self._connection.send(
            number,
            ChannelCloseParameters(
                error.reply_code, error.reply_text, error.class_id, error.method_id
            ),
        )

    def finish_closing(self, number: int) -> None:
        """Remove a channel: its client has answered channel.close."""
        channel = self._closing.pop(number)
        if channel is not None:
            channel.close()

    def abort(self, channel: Channel) -> None:
        """Close a channel without channel.close, because its connection ends."""
        del self.open[channel.number]
        if channel.confirms is not None:
            channel.flush_confirms()
        channel.close()

    def abort_all(self) -> None:
        """Close all channels without channel.close."""
        for number in list(self._closing):
            self.finish_closing(number)
        for channel in list(self.open.values()):
            self.abort(channel)
