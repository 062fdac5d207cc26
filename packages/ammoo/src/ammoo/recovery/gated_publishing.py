"""Publishing on a channel while it is not open: each message waits at the gate.

`GatedPublishing` replaces the live channel's `Publishing` during that time. Therefore a publish
on an open channel does not ask whether there is a gate.
"""

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable
from typing import Any

from ..exceptions.base import AmmooError
from ..exceptions.channel import ChannelClosed, PublishNotReady
from ..exceptions.connection import ConnectionClosed
from ..exceptions.publishing import NotSent, NotSentInTime, PublishNotSent
from ..live.channel import LiveChannel
from ..messages import ReturnMessage
from ..publish_options import Outgoing

__all__ = ["GatedPublishing"]


class GatedPublishing:
    """Publishes each message when the gate lets it pass.

    Args:
        usable: Waits at the gate, and returns the live channel.
        clear: Waits until the channel is open and no operation waits at the gate.
        final: Returns the error that has closed the channel for good; None while it is not closed.
        operation_timeout: How long a publish may take, in seconds; None for no limit.
    """

    is_publishable = False

    def __init__(
        self,
        usable: Callable[[str, int], Awaitable[LiveChannel]],
        clear: Callable[[], Awaitable[LiveChannel]],
        final: Callable[[], Exception | None],
        operation_timeout: float | None,
    ) -> None:
        self._usable = usable
        self._clear = clear
        self._final = final
        self._operation_timeout = operation_timeout

    def publish(self, exchange_name: str, *message: Any) -> Awaitable[None]:
        """Return a coroutine that waits, sends the message and awaits its outcome."""
        timeout = self._operation_timeout
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        return self.publish_by(deadline, exchange_name, Outgoing(*message))

    def publish_nowait(self, exchange_name: str, *message: Any) -> "Future[None]":
        """Refuse the message: it would have to wait.

        Raises:
            PublishNotSent: The channel is closed for good.
            PublishNotReady: The channel is being recovered.
        """
        error = self._final()
        if error is not None:
            failed = PublishNotSent(str(error))
            failed.exchange_name, failed.routing_key = exchange_name, message[0]
            raise failed from error
        raise PublishNotReady("the connection is being recovered")

    async def wait_publishable(self) -> None:
        """Wait until the channel is open again and accepts messages.

        It does not wait at the gate, because it sends nothing. If tasks that call this in a loop
        waited there, one of them would always wait, and the gate would never be clear.
        """
        timeout = self._operation_timeout
        scope = asyncio.timeout(timeout)
        try:
            async with scope:
                live = await self._clear()
        except TimeoutError:
            if timeout is None or not scope.expired():
                raise
            raise NotSentInTime("basic.publish", timeout) from None
        await live.publishing.wait_publishable()

    async def next_returned(self) -> ReturnMessage:
        """Wait until the channel is open again, then until the server returns a message on it."""
        live = await self._usable("basic.return", 0)
        return await live.publishing.next_returned()

    async def publish_by(
        self, deadline: float | None, exchange_name: str, message: Outgoing
    ) -> None:
        """Wait until the channel is open again, send the message and await its outcome.

        Raises:
            PublishNotSent: The channel was not open again by the deadline, or is closed for good.
        """
        scope = asyncio.timeout_at(deadline)
        try:
            async with scope:
                live = await self._usable("basic.publish", len(message.body))
        except (NotSent, ConnectionClosed, ChannelClosed) as error:
            raise self._not_sent(error) from error
        except TimeoutError:
            if not scope.expired():
                raise
            raise PublishNotSent(
                f"the connection was not open again in {self._operation_timeout:g} s"
            ) from None
        await live.publishing.publish_by(deadline, exchange_name, message)

    @staticmethod
    def _not_sent(error: AmmooError) -> PublishNotSent:
        return PublishNotSent(error.reason if isinstance(error, NotSent) else str(error))
