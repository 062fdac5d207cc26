"""The lifetime of a channel: from when it is entered until it is closed for good.

A `Channel` sends everything through its lifetime, which knows the `LiveChannel` that is in use.
Here that is one, and the lifetime ends with it. With recovery it is one after another: see
`recovery.lasting_channel`.
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
from .not_entered import NOT_ENTERED, not_entered
from .weak_calls import weakly

__all__ = ["ChannelLifetime", "Request"]

Request = tuple[Any, ...]
"""Parameters of a method that is answered."""

RequestT = TypeVar("RequestT", bound=Request)


class ChannelLifetime:
    """The lifetime of a channel that ends with its live channel.

    Args:
        settings: What the user asks of the channel before it is open.
        body_encoding: How text becomes a body where nothing else says so.
        connection: Returns the live connection.

    Attributes:
        body_encoding: As it was given.
        drains: How many consumers of the channel are being drained.
        final: What has closed the channel for good; None while it goes on.
        live: The live channel, or the last one; None before the channel is entered.
        publishing: What publishes now.
        settings: What the user has asked of the channel.
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
        """Open the channel (channel.open), and set what the user has asked of it."""
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
        """Learn of the end of a live channel, while the user keeps the channel."""
        live.on_end = weakly(self._live_ended)

    def _live_ended(self, live: LiveChannel, error: Exception) -> None:
        """Take the end of the live channel, before anything on it ends."""
        self.close_for_good(error)

    async def close(self, error: Exception, seconds: float, *, leaving: bool = False) -> None:
        """Close the channel, in bounded time; see `LiveChannel.close`."""
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
        """Return the live channel when an operation can be sent: in the same stretch.

        Args:
            operation: The method's name, for an error.
            octets: The size of the body.
            is_bounded: Whether the caller bounds what waits itself.
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
        """Return a request with the names that its queues have now."""
        return request

    # --- consumers ---

    def current_name(self, queue_name: str) -> str:
        """Return what a queue is called now."""
        return queue_name

    def new_inbox(self, request: BasicConsumeParameters, consumer: Any) -> Inbox:
        """Return where the deliveries of a consumer go."""
        return Inbox(request)

    def consumer_started(
        self, consumer: Any, request: BasicConsumeParameters, prefetch: Prefetch | None
    ) -> None:
        """Record that the server has started a consumer, with the prefetch limits of then."""

    def forget_consumer(self, consumer: Any) -> None:
        """Record that a consumer is over."""
