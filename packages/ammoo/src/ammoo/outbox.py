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
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from ammoo_wire import (
    BasicAckParameters,
    BasicReturnParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ClientProtocol,
)

from .confirms import Confirms
from .exceptions.base import OperationTimeout
from .exceptions.channel import ChannelInactive, PublishNack, PublishReturned
from .held_back import HeldBack
from .messages import ReturnMessage
from .publishing import Outgoing, encode_publish
from .returns import AwaitedReturns
from .transport import FLUSH_SIZE

if TYPE_CHECKING:
    from .live_channel import LiveChannel

__all__ = ["Outbox"]


class Outbox:
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
        self.protocol: ClientProtocol | HeldBack = channel.connection.protocol
        self._loop = channel.connection.loop
        self._number = channel.number
        self._unsettled = channel.unsettled
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
            if not waiter.done():
                waiter.set_exception(error)

    # --- publishing ---

    async def publish_message(
        self,
        exchange_name: str,
        message: Outgoing,
        mandatory: bool,
        immediate: bool,
        raise_returned: bool,
    ) -> None:
        """Publish, with all that `Channel.publish` promises.

        Raises:
            ValueError: Something needs confirm mode.
        """
        self._channel.raise_if_closed()
        if (mandatory or immediate or raise_returned) and self.confirms is None:
            raise ValueError(
                "mandatory and immediate need confirm mode, for nothing else tells whether a message"
                " is still to come back; await channel.select_confirm() first"
            )
        if not self.can_publish or self.transport.is_paused:
            await self.hold()
        outcome = self.publish(
            exchange_name, *message, mandatory or raise_returned, immediate, raise_returned
        )
        if outcome is not None:
            await outcome

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
        mandatory: bool,
        immediate: bool,
        raise_returned: bool,
    ) -> Awaitable[None] | None:
        """Send a message; the number, the waiter and the octets in one stretch, without a lock.

        Only while `can_publish`.

        Returns:
            What to wait for: the confirm, or else that others had a turn; None for nothing.
        """
        protocol, transport = self.protocol, self.transport
        if self._unsettled.run:
            self._channel.write_acks()
        protocol.send_content(
            self._number,
            encode_publish(exchange_name, routing_key, mandatory, immediate),
            properties,
            body,
        )
        confirms = self.confirms
        is_much = protocol.queued_size >= FLUSH_SIZE
        if is_much:
            transport.flush()
        elif not transport.flush_is_due:
            if confirms is None or confirms:
                transport.flush_soon()
            else:
                transport.flush()  # nothing to gather up with: a turn of the loop earlier
        if confirms is None:
            # A publisher that never waits for anything would keep the loop from reading,
            # and from heartbeats, for as long as the socket takes what it sends.
            return asyncio.sleep(0) if is_much else None
        waiter: Future[None] = self._loop.create_future()
        number = confirms.add(waiter)
        if raise_returned:
            self._awaited_returns.add(number, exchange_name, routing_key, properties, body)
        if transport.reading_is_paused:
            transport.resume_reading()
        timeout = self._connection.operation_timeout
        return waiter if timeout is None else self._confirmed(waiter, timeout)

    async def _confirmed(self, waiter: "Future[None]", seconds: float) -> None:
        """Wait for a confirm, but not for ever."""
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            raise OperationTimeout("basic.publish", seconds) from None

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
        for number, waiter in settled:
            returned = awaited_returns.settle(number) if awaited_returns else None
            if waiter.done():
                continue  # whoever published it was cancelled
            if not is_ack:
                waiter.set_exception(PublishNack(number))
            elif returned is not None:
                waiter.set_exception(PublishReturned(returned))
            else:
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
