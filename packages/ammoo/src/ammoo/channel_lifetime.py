"""The lifetime of a channel: from when it is entered until it is closed for good.

A `Channel` sends everything through its lifetime, which knows the current `LiveChannel`. The
lifetime of this module has one live channel, and ends with it. With recovery a lifetime has one
live channel after another: see `recovery.lasting_channel`.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from ammoo_wire import BasicConsumeParameters

from .channel_settings import ChannelSettings, Prefetch
from .exceptions.channel import ClientClosedChannelOK
from .inbox import Inbox
from .live.channel import LiveChannel
from .live.connection import LiveConnection
from .live.ports import PublishingPort
from .live.replies import OnReply, Reply
from .unopened_channel import NOT_ENTERED, not_entered
from .weak_calls import weakly

__all__ = ["ChannelLifetime", "Request"]

Request = tuple[Any, ...]
"""Parameters of a method that the server answers."""

RequestT = TypeVar("RequestT", bound=Request)


class ChannelLifetime:
    """The lifetime of a channel that ends with its live channel.

    Args:
        settings: The user's settings for the channel.
        body_encoding: The encoding of text bodies where neither a message nor an argument names one.
        connection: Returns the live connection.

    Attributes:
        body_encoding: The argument.
        drains: How many consumers of the channel are being drained.
        final: The error that has closed the channel for good; None while it is not closed.
        live: The live channel, or the last one; None before the channel is entered.
        publishing: The object that publishes now.
        settings: The argument.
    """

    def __init__(
        self,
        settings: ChannelSettings,
        body_encoding: str,
        connection: Callable[[], LiveConnection],
    ) -> None:
        self.body_encoding = body_encoding
        self.drains = 0
        self.final: Exception | None = None
        self.live: LiveChannel | None = None
        self.publishing: PublishingPort = NOT_ENTERED
        self.settings = settings
        self._connection = connection
        self._ended = asyncio.Event()

    # --- from beginning to end ---

    async def open(self) -> None:
        """Open the channel (channel.open), and apply the user's settings."""
        live = self.live = self._connection().new_channel(self.body_encoding)
        self._watch(live)
        self.publishing = live.publishing
        await live.open()
        try:
            await self.settings.apply(live)
        except BaseException:
            live.begin_close(ClientClosedChannelOK())
            raise

    def _watch(self, live: LiveChannel) -> None:
        """Call `_live_ended` when a live channel ends, unless the user has dropped the channel."""
        live.on_end = weakly(self._live_ended)

    def _live_ended(self, live: LiveChannel, error: Exception) -> None:
        """End the lifetime when the live channel ends, before its consumers end."""
        self.close_for_good(error)

    async def close(self, error: Exception, seconds: float, *, leaving: bool = False) -> None:
        """Close the channel within a time limit; see `LiveChannel.close`."""
        if self.live is not None:
            await self.live.close(error, seconds, leaving=leaving)
            self.final = self.live.crossed or self.final

    def close_for_good(self, error: Exception) -> None:
        """End the channel with an error."""
        self.final = error
        self._ended.set()

    async def wait_closed(self) -> None:
        """Wait until the channel is closed for good."""
        if self.final is None:
            await self._ended.wait()

    def require_live(self) -> LiveChannel:
        """Return the live channel.

        Raises:
            RuntimeError: The channel was not entered.
        """
        if self.live is None:
            raise not_entered()
        return self.live

    # --- requests ---

    async def usable(
        self, operation: str, octets: int = 0, *, is_bounded: bool = False
    ) -> LiveChannel:
        """Return the live channel when an operation can be sent; send it without another await.

        Args:
            operation: The method's name, for an error.
            octets: The size of the body.
            is_bounded: Whether the caller limits by itself how many of its operations wait.
        """
        return self.require_live()

    async def call(
        self, request: Request, *replies: type[Any], on_reply: OnReply | None = None
    ) -> Reply:
        """Send a request when it can be sent, and await its reply."""
        return await self.require_live().call(request, *replies, on_reply=on_reply)

    async def declare(self, request: Request, reply: type[Any]) -> Reply:
        """Declare or bind something."""
        return await self.call(request, reply)

    async def delete(self, request: Request, reply: type[Any]) -> Reply:
        """Delete or unbind something."""
        return await self.call(request, reply)

    def as_named_now(self, request: RequestT) -> RequestT:
        """Return a request with the present names of its queues."""
        return request

    # --- consumers ---

    def current_name(self, queue_name: str) -> str:
        """Return the present name of a queue."""
        return queue_name

    def new_inbox(self, request: BasicConsumeParameters, consumer: Any) -> Inbox:
        """Return an inbox for the deliveries of a consumer."""
        return Inbox(request)

    def consumer_started(
        self, consumer: Any, request: BasicConsumeParameters, prefetch: Prefetch | None
    ) -> None:
        """Record that the server has started a consumer, with the present prefetch limits."""

    def forget_consumer(self, consumer: Any) -> None:
        """Record that a consumer has ended."""
