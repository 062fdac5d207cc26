"""What a channel publishes: held back, written, confirmed, returned.

A message waits here before it is written, while the server takes none
(connection.blocked, channel.flow) or the socket is full. After it was written it is
remembered until the server confirms it, in confirm mode, and what comes back is
given to whom it belongs.

This room is on the path that is to be short: see benchmarks/ for its budget.
"""

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any, Final

from ammoo_wire import (
    NO_PROPERTIES,
    BasicAckParameters,
    BasicPublishParameters,
    BasicReturnParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ClientProtocol,
    ContentHead,
    method_of,
)

from ..exceptions.base import OperationTimeout
from ..exceptions.channel import ChannelInactive, PublishNack, PublishNotReady, PublishReturned
from ..messages import ReturnMessage
from ..publish_options import Outgoing
from .commit_buffer import CommitBuffer
from .confirms import Confirms
from .returns import AwaitedReturns
from .transport import FLUSH_SIZE

if TYPE_CHECKING:
    from .channel import LiveChannel

__all__ = ["Publishing"]

_MOST_HEADS: Final = 256
"""So many forms of basic.publish are kept; programs publish to few exchanges with few keys."""

_PUBLISH: Final = method_of(BasicPublishParameters)


class _YieldToLoop:
    """Awaiting it lets everybody else have a turn of the loop; one for all, as it holds nothing.

    It may be left alone too, by `Publishing.publish_nowait`; a coroutine of asyncio.sleep(0) would
    complain that it was never awaited.
    """

    def __await__(self) -> Generator[None]:
        yield


_YIELD_TO_LOOP: Final = _YieldToLoop()


class Publishing:
    """The publishing half of a channel on the wire.

    Args:
        channel: The channel.

    Attributes:
        can_publish: Whether the channel is open and the server takes messages.
        confirms: The publishes that are not confirmed, or None without confirm mode.
        protocol: What messages are sent with: the wire's side, or what holds them back.
        transport: The socket's side.
    """

    def __init__(self, channel: "LiveChannel") -> None:
        self.transport = channel.connection.transport
        self.confirms: Confirms[Future[None]] | None = None
        self._channel = channel
        self._connection = channel.connection
        self.protocol: ClientProtocol | CommitBuffer = channel.connection.protocol
        self._loop = channel.connection.loop
        self._number = channel.number
        self._unacked = channel.unacked
        self._timeout = channel.connection.operation_timeout
        self._heads: dict[tuple[str, str, bool, bool], ContentHead] = {}
        self._sent: Future[None] = channel.connection.loop.create_future()
        self._sent.set_result(None)
        self._is_active = True  # the server's channel.flow
        self._flow_waiters: deque[Future[None]] = deque()
        self._awaited_returns = AwaitedReturns()
        self._returned: deque[ReturnMessage] = deque()
        self._return_waiters: deque[Future[None]] = deque()
        self.can_publish = False
        self.update_can_publish()

    @property
    def is_awaiting_server(self) -> bool:
        """Whether anybody waits for something that the server may say about publishing."""
        return bool(self.confirms or self._return_waiters or self._flow_waiters)

    def update_can_publish(self) -> None:
        """Take note that the channel or the connection may be in another state than before."""
        self.can_publish = (
            self._channel.closing_exc is None
            and self._connection.blocked is None
            and self._is_active
        )

    def fail(self, error: Exception) -> None:
        """End everything that waits: the channel is closed."""
        self.can_publish = False
        unconfirmed = [] if self.confirms is None else self.confirms.take_all()
        for waiter in (*unconfirmed, *self._return_waiters, *self._flow_waiters):
            _refuse(waiter, error)

    # --- publishing ---

    async def publish_message(self, exchange_name: str, message: Outgoing) -> None:
        """Publish, with all that `Channel.publish` promises.

        Raises:
            ValueError: Something needs confirm mode.
        """
        if not self.is_publishable:
            await self.hold_message(message)
        outcome = self.post(exchange_name, message)
        if outcome is not None:
            await outcome

    def publish_message_nowait(self, exchange_name: str, message: Outgoing) -> "Future[None]":
        """Publish, with all that `Channel.publish_nowait` promises.

        Raises:
            PublishNotReady: It would have to be held back.
            ValueError: Something needs confirm mode.
        """
        self.raise_unless_publishable()
        outcome = self.post(exchange_name, message)
        return outcome if isinstance(outcome, Future) else self._sent

    def publish_nowait(self, exchange_name: str, routing_key: str, body: bytes) -> "Future[None]":
        """Publish a message that has no properties; see `publish_message_nowait`."""
        if not self.can_publish or self.transport.is_paused:
            self.raise_unless_publishable()
        outcome = self.publish(exchange_name, routing_key, NO_PROPERTIES, body)
        return outcome if isinstance(outcome, Future) else self._sent

    async def hold_message(self, message: Outgoing) -> None:
        """Wait until a message can be sent; see `hold`.

        Raises:
            ValueError: Something needs confirm mode.
        """
        self._channel.raise_if_closed()
        if message.mandatory or message.immediate or message.raise_returned:
            self._require_confirms()
        await self.hold()

    def post(self, exchange_name: str, message: Outgoing) -> Awaitable[None] | None:
        """Send a message; see `publish`. Only while `is_publishable`.

        Raises:
            ValueError: Something needs confirm mode.
        """
        routing_key, properties, body, mandatory, immediate, raise_returned = message
        if not (mandatory or immediate or raise_returned):
            return self.publish(exchange_name, routing_key, properties, body)
        confirms = self._require_confirms()
        outcome = self.publish(
            exchange_name, routing_key, properties, body, mandatory or raise_returned, immediate
        )
        self._awaited_returns.add(
            confirms.next_number - 1,
            exchange_name,
            routing_key,
            properties,
            body,
            raise_returned=raise_returned,
        )
        return outcome

    def _require_confirms(self) -> "Confirms[Future[None]]":
        if self.confirms is None:
            raise ValueError(
                "mandatory and immediate need confirm mode, for nothing else tells whether a message"
                " is still to come back; await channel.select_confirm() first"
            )
        return self.confirms

    @property
    def is_publishable(self) -> bool:
        """Whether a message could be sent at once."""
        return self.can_publish and not self.transport.is_paused

    def raise_unless_publishable(self) -> None:
        """Raise what keeps a message from being sent at once, if anything does.

        Raises:
            ChannelClosed, ConnectionClosed: The channel is closed.
            PublishNotReady: The server or the socket take none now.
        """
        self._channel.raise_if_closed()
        if self._connection.blocked is not None:
            raise PublishNotReady(
                f"the server has blocked the connection ({self._connection.blocked})"
            )
        if not self._is_active:
            raise PublishNotReady("the server takes no messages on this channel (channel.flow)")
        if self.transport.is_paused:
            raise PublishNotReady("the socket takes no more")

    async def hold(self) -> None:
        """Wait until the server and the socket take messages; at once, if they do.

        Raises:
            ConnectionBlocked, ChannelInactive: The server has not for too long.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        while True:
            self._channel.raise_if_closed()
            if self._connection.blocked is not None:
                await self._connection.hold_while_blocked()
            elif not self._is_active:
                await self._hold_while_inactive()
            elif self.transport.is_paused:
                await self.transport.drain()
            else:
                return

    def publish(
        self,
        exchange_name: str,
        routing_key: str,
        properties: bytes,
        body: bytes | bytearray,
        mandatory: bool = False,
        immediate: bool = False,
    ) -> Awaitable[None] | None:
        """Send a message; the number, the waiter and the octets in one stretch, without a lock.

        Only while `can_publish`.

        Returns:
            What to wait for: a future of the confirm, or else that others have had a turn;
            None for nothing.
        """
        try:
            head = self._heads[exchange_name, routing_key, mandatory, immediate]
        except (KeyError, TypeError):
            head = self._head(exchange_name, routing_key, mandatory, immediate)
        if self._unacked.run:
            self._channel.write_acks()
        queued = self.protocol.send_content_behind(head, properties, body)
        transport = self.transport
        if queued >= FLUSH_SIZE:
            transport.flush()
        elif not transport.flush_is_due:
            transport.flush_request()
        confirms = self.confirms
        if confirms is None:
            # A publisher that never waits for anything would keep the loop from reading,
            # and from heartbeats, for as long as the socket takes what it sends.
            return _YIELD_TO_LOOP if queued >= FLUSH_SIZE else None
        waiter: Future[None] = self._loop.create_future()
        confirms.add(waiter)
        if not transport.is_reading:
            transport.resume_reading()
        if self._timeout is not None:
            timer = self._loop.call_later(self._timeout, _expire, waiter, self._timeout)
            waiter.add_done_callback(lambda _: timer.cancel())
        return waiter

    def _head(
        self, exchange_name: str, routing_key: str, mandatory: bool, immediate: bool
    ) -> ContentHead:
        """Write basic.publish out, and keep it.

        Raises:
            EncodeError: A name is too long, or no name.
        """
        payload = _PUBLISH.encode(exchange_name, routing_key, mandatory, immediate)
        head = self._connection.protocol.content_head(self._number, payload)
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        self._heads[exchange_name, routing_key, mandatory, immediate] = head
        return head

    async def next_returned(self) -> ReturnMessage:
        """Wait for the next message that came back."""
        while not self._returned:
            self._channel.raise_if_closed()
            waiter: Future[None] = self._loop.create_future()
            self._return_waiters.append(waiter)
            self.transport.resume_reading()
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter in self._return_waiters:
                    self._return_waiters.remove(waiter)
                elif self._returned:
                    _wake_one(self._return_waiters)  # this one's turn is another one's now
                raise
        return self._returned.popleft()

    async def _hold_while_inactive(self) -> None:
        timeout = self._connection.parameters.blocked_timeout
        waiter: Future[None] = self._loop.create_future()
        self._flow_waiters.append(waiter)
        self.transport.resume_reading()
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            assert timeout is not None
            raise ChannelInactive(timeout) from None
        finally:
            if waiter in self._flow_waiters:
                self._flow_waiters.remove(waiter)

    # --- what the server sends ---

    def receive_confirm(self, parameters: Any) -> None:
        """Take a basic.ack or a basic.nack."""
        if self.confirms is None:
            self._connection.fault(parameters)
            return
        try:
            settled = self.confirms.settle(parameters.delivery_tag, parameters.multiple)
        except ValueError:
            self._connection.fault(parameters)
            return
        is_ack = type(parameters) is BasicAckParameters
        awaited_returns = self._awaited_returns
        if is_ack and not awaited_returns:
            for _, waiter in settled:
                if not waiter.done():  # else who published it was cancelled
                    waiter.set_result(None)
            return
        for number, waiter in settled:
            returned = awaited_returns.settle(number) if awaited_returns else None
            if not is_ack:
                _refuse(waiter, PublishNack(number))
            elif returned is not None:
                _refuse(waiter, PublishReturned(returned))
            elif not waiter.done():
                waiter.set_result(None)

    def receive_return(
        self, parameters: BasicReturnParameters, properties: bytes, body: bytearray
    ) -> None:
        """Take a message that came back."""
        message = ReturnMessage.of(self._channel, parameters, properties, body)
        if self._awaited_returns and self._awaited_returns.returned(message, properties):
            return
        self._returned.append(message)
        _wake_one(self._return_waiters)

    def receive_flow(self, parameters: ChannelFlowParameters) -> None:
        """Take the server's wish for silence, or for more."""
        self._is_active = parameters.active
        self.update_can_publish()
        self.protocol.send(self._number, ChannelFlowOkParameters(parameters.active))
        if parameters.active:
            while self._flow_waiters:
                _wake_one(self._flow_waiters)


def _wake_one(waiters: "deque[Future[None]]") -> None:
    while waiters:
        waiter = waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
            return


def _refuse(waiter: "Future[None]", error: Exception) -> None:
    """Raise an exception in who waits, if anybody does."""
    if not waiter.done():
        waiter.set_exception(error)
        waiter.exception()  # or asyncio would log it where nobody cares for the outcome


def _expire(waiter: "Future[None]", seconds: float) -> None:
    """Have who waits for a confirm wait no longer."""
    _refuse(waiter, OperationTimeout("basic.publish", seconds))
