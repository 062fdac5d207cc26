"""The consumers of one channel: starting and cancelling them, and the server's basic.cancel.

A consumer's tag is registered before basic.consume is sent, and until basic.cancel-ok has
arrived: deliveries may come in the same read as basic.consume-ok, and before basic.cancel-ok.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable
from contextlib import suppress

from ammoo_wire import (
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    EncodeError,
)

from .ports import ChannelHead, Inbox
from .replies import Reply

__all__ = ["Consuming"]


class Consuming:
    """The consumers of one channel.

    Args:
        channel: The channel.

    Attributes:
        inboxes: The inboxes for deliveries, by consumer tag.
    """

    __slots__ = ("_channel", "_last_number", "inboxes")

    def __init__(self, channel: ChannelHead) -> None:
        self.inboxes: dict[str, Inbox] = {}
        self._channel = channel
        self._last_number = 0

    @property
    def is_awaiting_server(self) -> bool:
        """Whether a task waits for a message."""
        return any(inbox.is_waiting for inbox in self.inboxes.values())

    def new_tag(self) -> str:
        """Return a consumer tag that no other consumer of the channel has."""
        self._last_number += 1
        return f"ammoo-{self._channel.number}.{self._last_number}"

    async def start(
        self,
        inbox: Inbox,
        request: BasicConsumeParameters,
        on_started: Callable[[], None] | None = None,
    ) -> None:
        """Send basic.consume and await basic.consume-ok.

        If the caller is cancelled, the consumer is cancelled as soon as the server has started it:
        RabbitMQ does not accept basic.cancel right behind basic.consume.

        Args:
            inbox: The inbox for its deliveries.
            request: The parameters of basic.consume, with a tag of `new_tag`.
            on_started: Called as basic.consume-ok arrives, before later commands of the same read.

        Raises:
            ServerClosedChannel, ServerClosedConnection: The server refused.
            OperationTimeout: The server did not answer in time.
            EncodeError: The request cannot be sent; the channel is as before.
        """
        tag = request.consumer_tag

        def started(_: Reply) -> None:
            if on_started is not None:
                on_started()

        def cancel_again(_: Reply) -> None:
            self.begin_cancel(tag)

        self.inboxes[tag] = inbox
        try:
            await self._channel.call(
                request,
                BasicConsumeOkParameters,
                on_reply=started,
                on_late_reply=cancel_again,
                consumer_tag=tag,
            )
        except EncodeError:
            del self.inboxes[tag]  # the request was not sent
            raise

    def begin_cancel(self, tag: str, on_stopped: Callable[[], None] | None = None) -> asyncio.Event:
        """Send basic.cancel; the inbox stays registered until the server has stopped the consumer.

        Args:
            tag: The consumer's tag.
            on_stopped: Called when the consumer has stopped; not if its channel is already closed.

        Returns:
            An event that is set when the consumer has stopped, or its channel is closed.
        """
        stopped = asyncio.Event()

        def stop(reply: "Future[Reply]") -> None:
            reply.exception()  # either way the consumer has stopped
            self.inboxes.pop(tag, None)
            stopped.set()
            if on_stopped is not None:
                on_stopped()

        channel = self._channel
        if channel.closing_exc is not None:
            stopped.set()
            return stopped
        reply = channel.send_request(
            BasicCancelParameters(tag, False), BasicCancelOkParameters, consumer_tag=tag
        )
        reply.add_done_callback(stop)
        channel.watch(reply, "basic.cancel")
        return stopped

    async def wait_stopped(self, stopped: asyncio.Event, seconds: float) -> None:
        """Wait until a consumer has stopped, within a time limit.

        Do not wait if the server has blocked the connection, or has not answered an earlier
        cancel or close in time.

        Args:
            stopped: The event that `begin_cancel` returned.
            seconds: How long to wait; less if the connection's operation_timeout is shorter.
        """
        host = self._channel.host
        if host.blocking.is_blocked or host.is_unresponsive:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(min(host.operation_timeout or seconds, seconds)):
                await stopped.wait()
        host.note_unanswered_close(stopped)

    def receive_cancel(self, parameters: BasicCancelParameters) -> None:
        """End the consumer that the server has cancelled, and answer if it expects an answer."""
        channel = self._channel
        inbox = self.inboxes.pop(parameters.consumer_tag, None)
        if inbox is not None:
            inbox.cancelled_by_server()
        if not parameters.no_wait or channel.host.server_capabilities.get(
            "accept_consumer_cancel_ok"
        ):
            # Older releases of RabbitMQ close the channel if the client answers unasked.
            channel.sender.send(channel.number, BasicCancelOkParameters(parameters.consumer_tag))

    def fail(self, error: Exception) -> None:
        """End all consumers: the channel has ended with this error."""
        for inbox in list(self.inboxes.values()):
            inbox.fail(error)
        self.inboxes.clear()
