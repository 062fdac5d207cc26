"""When a connection stops reading its socket, and when it reads again.

There are two reasons to stop. Both apply only while no task waits for a command of the server.

Backpressure: the unread messages of a consumer exceed a limit. The connection reads nothing
until the program has read them; this limits memory even without a prefetch limit.

Read coalescing: many messages came in one read. The next read waits for a moment, and then brings
more of them. RabbitMQ sends a few messages at a time, and a read costs as much as ten messages.
"""

from collections.abc import Hashable, Mapping, Sized
from typing import Final, Protocol

from .transport import Transport

__all__ = ["COALESCE_FROM", "COALESCE_MAX_CONSUMERS", "FlowControl", "ReadingChannel"]

COALESCE_FROM: Final = 8
"""Reads may be coalesced after a read with so many commands."""
COALESCE_MAX_CONSUMERS: Final = 16
"""With more consumers, or channels, than this, reads are not coalesced."""


class ReadingChannel(Protocol):
    """What flow control asks of a channel."""

    @property
    def allows_read_coalescing(self) -> bool:
        """Whether the server may send many messages before it waits for acknowledgements."""
        ...

    @property
    def consumers(self) -> Sized:
        """The consumers of the channel."""
        ...

    @property
    def is_awaiting_server(self) -> bool:
        """Whether a task waits for anything that the server may send on the channel."""
        ...


class FlowControl:
    """Decides after each read whether the next one waits.

    Args:
        transport: The transport whose reading is paused and resumed.
        channels: The open channels of the connection, by number; the connection changes them.

    Attributes:
        backlogged: The consumers that have more unread messages than they should.
    """

    __slots__ = ("_channels", "_transport", "backlogged")

    def __init__(self, transport: Transport, channels: Mapping[int, ReadingChannel]) -> None:
        self.backlogged: set[Hashable] = set()
        self._transport = transport
        self._channels = channels

    def after_read(self, is_awaiting_server: bool) -> None:
        """Pause reading if a consumer has a backlog, or coalesce reads after a large one.

        The connection calls this after a read of at least `COALESCE_FROM` commands, and after each
        read while a consumer has a backlog.

        Args:
            is_awaiting_server: Whether a task waits for a command on channel 0.
        """
        if is_awaiting_server or not (self.backlogged or self._may_coalesce()):
            return
        # Never while a task waits for the server: its command may come behind the unread messages,
        # and the task may be the one that should read them.
        if any(channel.is_awaiting_server for channel in self._channels.values()):
            return
        if self.backlogged:
            self._transport.pause_reading()
        else:
            self._transport.coalesce_reads()

    def add_backlogged(self, consumer: Hashable) -> None:
        """Record that a consumer has too many unread messages."""
        self.backlogged.add(consumer)

    def remove_backlogged(self, consumer: Hashable) -> None:
        """Record that a consumer has read most of its messages; the last one resumes reading."""
        self.backlogged.discard(consumer)
        if not self.backlogged:
            self._transport.resume_reading_soon()

    def close(self) -> None:
        """Forget all backlogs, and read the socket to its end: the connection is closed."""
        self.backlogged.clear()
        self._transport.resume_reading()

    def _may_coalesce(self) -> bool:
        """Return whether delaying a read is harmless.

        With five times as many messages in a read, a message without acknowledgement costs a
        fifth less. The numbers are limited because `after_read` looks at each channel and
        each consumer.
        """
        channels = self._channels
        return (
            len(channels) <= COALESCE_MAX_CONSUMERS
            and sum(len(channel.consumers) for channel in channels.values())
            <= COALESCE_MAX_CONSUMERS
            and all(channel.allows_read_coalescing for channel in channels.values())
        )
