"""Serving requests: a handler for each message of a queue, whose result is the reply.

Replies are published on another channel than the requests. RabbitMQ may refuse a reply, because
it is too large for example, and then closes the channel; the requests in progress must not be
lost with it. A request is acknowledged after its reply was confirmed, so RabbitMQ delivers a
request again if its reply was lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias

from ..consumer import Consumer
from ..exceptions.publishing import PublishUnknown
from ..messages import DeliverMessage
from ..publish_options import Body
from ..workers.drain import Drain, Flushable
from ..workers.processing import OnError, checked_policy
from ..workers.run import Key, checked_handler
from .addresses import is_reply_address
from .ports import ReplyChannel

__all__ = ["RequestHandler", "RpcServer"]

RequestHandler: TypeAlias = Callable[[DeliverMessage], Awaitable[Body | None]]
"""An async function that takes a request and returns the body of its reply; None for an empty body."""


class RpcServer:
    """Handles the requests in a queue, and publishes the replies; `Channel.serve` returns it.

    Await it to serve until the consumer ends, or enter it to be able to drain it::

        async with channel.serve("squares", square, concurrency=10) as server:
            async with ammoo.drain_on_signals(server):
                await server.run()

    Args:
        consumer: The consumer of the requests.
        new_channel: Returns a channel for replies.
        handler: A coroutine function that returns the body of the reply to a request.
        concurrency: As in `Consumer.run`.
        ordered_by: As in `Consumer.run`.
        on_error: As in `Consumer.run`.
        fail_fast: As in `Consumer.run`.
    """

    def __init__(
        self,
        consumer: Consumer,
        new_channel: Callable[[], ReplyChannel],
        handler: RequestHandler,
        concurrency: int,
        ordered_by: Key | None,
        on_error: OnError,
        *,
        fail_fast: bool,
    ) -> None:
        self._consumer = consumer
        self._new_channel = new_channel
        self._handler = checked_handler(handler)
        self._concurrency = concurrency
        self._ordered_by = ordered_by
        self._on_error: OnError = checked_policy(on_error)
        self._fail_fast = fail_fast
        self._replies: ReplyChannel | None = None
        self._opening = asyncio.Lock()

    @property
    def consumer(self) -> Consumer:
        """The consumer of the requests."""
        return self._consumer

    def __await__(self) -> Generator[Any, Any, None]:
        """Serve until the consumer ends; see `run`."""
        return self._serve().__await__()

    async def _serve(self) -> None:
        async with self:
            await self.run()

    async def __aenter__(self) -> Self:
        """Start the consumer.

        Raises:
            ServerClosedChannel, OperationTimeout, ChannelClosed, ConnectionClosed: As for entering a
                `Consumer`.
            RuntimeError: The `RpcServer` was entered before, or its channel is not open.
        """
        await self._consumer.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel the consumer, and close the channel of the replies."""
        try:
            await self._consumer.__aexit__(exc_type, exc, traceback)
        finally:
            if self._replies is not None:
                await self._replies.close()

    async def run(self) -> None:
        """Handle requests until the consumer ends; if it is cancelled, so are the handlers.

        Raises:
            ExceptionGroup, ConsumerCancelled, ChannelClosed, ConnectionClosed, TypeError, ValueError,
            RuntimeError: As for `Consumer.run`.
        """
        await self._consumer.run(
            self._answer,
            concurrency=self._concurrency,
            ordered_by=self._ordered_by,
            on_error=self._on_error,
            fail_fast=self._fail_fast,
        )

    async def cancel(self) -> None:
        """Accept no more requests; see `Consumer.cancel`."""
        await self._consumer.cancel()

    async def drain(self, timeout: float | None) -> bool:  # noqa: ASYNC109  it bounds the wait for handlers
        """Let running handlers reply, requeue all other requests, and close the channel.

        See `Consumer.drain`.

        Args:
            timeout: How long to wait for the handlers, in seconds; None for no limit.

        Returns:
            Whether all handlers have ended in time.
        """
        return await self._consumer.drain(timeout)

    def _new_drain(self, seconds: float | None, publishers: Sequence[Flushable]) -> Drain:
        return self._consumer._new_drain(seconds, publishers)

    # --- one request ---

    async def _answer(self, request: DeliverMessage) -> None:
        """Handle a request, and publish the reply."""
        body = await self._handler(request)
        reply_to = request.properties.reply_to
        if not is_reply_address(reply_to):
            request._report_unanswered(reply_to or "")
            return
        assert reply_to is not None
        replies = await self._open_channel()
        try:
            await replies.publish(
                "",
                reply_to,
                b"" if body is None else body,
                correlation_id=request.properties.correlation_id,
            )
        except PublishUnknown:
            if not request.is_stale:
                raise
            # The request was lost with the connection, too: the server delivers it again.

    async def _open_channel(self) -> ReplyChannel:
        """Return the channel of the replies; open it if this is the first reply.

        Without recovery, open another one if the server has closed it.
        """
        async with self._opening:
            if self._replies is None or self._replies.closing:
                replies = self._new_channel()
                await replies.__aenter__()
                try:
                    await replies.select_confirm()
                except BaseException:
                    await replies.close(timeout=0)
                    raise
                self._replies = replies
            return self._replies
