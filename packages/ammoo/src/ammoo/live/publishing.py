"""Publishing on a channel: sending or waiting, then the confirm and perhaps the return.

A message waits while the server accepts none (connection.blocked, channel.flow) or the socket's
buffer is full. In confirm mode its future is kept until the server has confirmed it. A returned
message is matched with its publish.

This module is on the hot path: see benchmarks/ for its budget.
"""

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Awaitable, Generator
from typing import Any, Final

from ammoo_wire import (
    BasicAckParameters,
    BasicPublishParameters,
    BasicReturnParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ContentHead,
    method_of,
)

from ..exceptions.base import AmmooError, OperationTimeout, ServerRefusal
from ..exceptions.channel import ChannelClosed, ChannelInactive, PublishNotReady, SocketFull
from ..exceptions.connection import ConnectionBlocked, ConnectionClosed
from ..exceptions.publishing import (
    PublishFailed,
    PublishNack,
    PublishRefused,
    PublishReturned,
    PublishUnknown,
)
from ..messages import ReturnMessage
from ..publish_options import Outgoing
from .acknowledgements import Acknowledgements
from .confirms import Confirms
from .ports import ChannelHead, ConfirmWaiter
from .published_names import PublishedNames
from .returns import AwaitedReturns, ReturnedMessages
from .transport import FLUSH_SIZE

__all__ = ["Publishing"]

_MOST_HEADS: Final = 256
"""How many encoded basic.publish are kept; programs publish to few exchanges with few keys."""

_PUBLISH: Final = method_of(BasicPublishParameters)


class _YieldToLoop:
    """Lets other tasks run for one turn of the loop when it is awaited; all callers share one.

    Unlike a coroutine of asyncio.sleep(0), it may also be left without being awaited, as
    `Publishing.publish_nowait` does.
    """

    def __await__(self) -> Generator[None]:
        yield


_YIELD_TO_LOOP: Final = _YieldToLoop()


class Publishing:
    """The publishing half of one channel.

    If a message cannot be sent now, `publish` waits and `publish_nowait` raises.

    Args:
        channel: The channel.
        acknowledgements: The channel's acknowledgements, which are sent before a message.

    Attributes:
        can_publish: Whether the channel is open and the server accepts messages.
        confirms: The publishes that are not confirmed; None without confirm mode.
        returned: The returned messages that the program has not fetched yet.
    """

    __slots__ = (
        "_acknowledgements",
        "_awaited_returns",
        "_channel",
        "_flow_waiters",
        "_heads",
        "_host",
        "_is_active",
        "_names",
        "_return_waiters",
        "_sent",
        "_transport",
        "_unacked",
        "can_publish",
        "confirms",
        "returned",
    )

    def __init__(self, channel: ChannelHead, acknowledgements: Acknowledgements) -> None:
        self.confirms: Confirms[ConfirmWaiter] | None = None
        self.can_publish: bool = False
        self._channel = channel
        self._host = channel.host
        self._transport = channel.transport
        self._acknowledgements = acknowledgements
        self._unacked = acknowledgements.unacked
        self._heads: dict[tuple[str, str, bool, bool], ContentHead] = {}
        self._sent: Future[None] = channel.host.loop.create_future()
        self._sent.set_result(None)
        self._is_active = True  # until the server sends channel.flow
        self._names = PublishedNames()
        self._flow_waiters: deque[Future[None]] = deque()
        self._awaited_returns = AwaitedReturns()
        self.returned: ReturnedMessages = ReturnedMessages()
        self._return_waiters: deque[Future[None]] = deque()
        self.update_can_publish()

    @property
    def is_publishable(self) -> bool:
        """Whether a message would be sent at once."""
        return self.can_publish and not self._transport.is_paused

    @property
    def is_awaiting_server(self) -> bool:
        """Whether a task waits for a confirm, a returned message, or to publish."""
        return bool(self.confirms or self._return_waiters or self._flow_waiters)

    def update_can_publish(self) -> None:
        """Set `can_publish`, after the state of the channel or the connection has changed."""
        self.can_publish = (
            self._channel.closing_exc is None
            and not self._host.blocking.is_blocked
            and self._is_active
        )
        while self.can_publish and self._flow_waiters:
            _wake_one(self._flow_waiters)

    def start_confirms(self) -> None:
        """Count messages from the next one on, as the server does behind confirm.select."""
        if self.confirms is None:
            self.confirms = Confirms()

    def fail(self, error: Exception) -> None:
        """Raise an error in all tasks that wait: the channel is closed."""
        self.can_publish = False
        unconfirmed = [] if self.confirms is None else self.confirms.settle(0, True)
        connection_ended = self._host.closing_exc is not None
        in_flight = self._host.unconfirmed_at_end if connection_ended else len(unconfirmed)
        is_culprit = in_flight == 1 and _names_publish(error)
        for number, waiter in unconfirmed:
            outcome: Exception = self._outcome(number, error, is_culprit)
            if isinstance(waiter, Future) and not self._channel.is_stale:
                outcome = error  # as documented for a connection without recovery
            _set_exception(waiter, outcome)
        for each in (*self._return_waiters, *self._flow_waiters):
            _set_exception(each, error)

    def _outcome(self, number: int, error: Exception, is_culprit: bool) -> PublishFailed:
        """Return the outcome of a message that is not confirmed when the channel ends.

        Args:
            number: The message's.
            error: The error that has ended the channel.
            is_culprit: Whether the server has ended it because of this message.
        """
        returned = self._awaited_returns.settle(number) if self._awaited_returns else None
        if returned is not None:
            return PublishReturned(returned, number)  # a lost ack would not change that
        failed = self._named((PublishRefused if is_culprit else PublishUnknown)(error, number))
        failed.__cause__ = error
        if isinstance(error, AmmooError):
            failed._restored = error._restored
        return failed

    def _named(self, failed: PublishFailed) -> PublishFailed:
        """Let an outcome name the exchange and the routing key of its message."""
        failed.exchange_name, failed.routing_key = self._names.of(failed.publish_sequence_number)
        return failed

    def _begin_run(
        self, head: ContentHead, number: int, exchange_name: str, routing_key: str
    ) -> None:
        """Record the names of a message that differ from those of the message before."""
        names, confirms = self._names, self.confirms
        names.begin_run(head, number, exchange_name, routing_key)
        if names.are_many and confirms is not None:
            names.drop_below(confirms.lowest)

    # --- publishing ---

    def publish(
        self,
        exchange_name: str,
        routing_key: str,
        properties: bytes,
        body: bytes | bytearray,
        mandatory: bool = False,
        immediate: bool = False,
        raise_returned: bool = False,
        waiter: ConfirmWaiter | None = None,
        /,
    ) -> Awaitable[None] | None:
        """Send a message, now if possible.

        If it can be sent now, sequence number, waiter and octets are made in one stretch
        without an `await`. Tasks therefore cannot mix their frames or confirms, and need no lock.

        Args:
            exchange_name: The exchange.
            routing_key: This and the rest are the fields of an `Outgoing`, one by one: a tuple
                for each message would make an unconfirmed publish a third slower.
            properties: Encoded.
            body: The octets.
            mandatory: Whether the server returns the message if it cannot route it.
            immediate: Whether the server returns the message if no consumer takes it at once.
            raise_returned: Whether a returned message is raised as `PublishReturned`.
            waiter: Receives the outcome instead of a future. The caller has selected confirms, has
                checked that the channel `is_publishable`, and limits the time itself.

        Returns:
            An awaitable, or None: the future of the confirm; a turn of the loop for other tasks;
            or a coroutine that waits, sends and awaits the confirm.

        Raises:
            ValueError: The message requires confirm mode.
            EncodeError: A name is too long, or not a str.
        """
        transport = self._transport
        if not transport.flush_is_due:
            transport.require_loop()
        if not self.can_publish or transport.is_paused:
            message = Outgoing(routing_key, properties, body, mandatory, immediate, raise_returned)
            return self.publish_by(self._deadline(), exchange_name, message)
        confirms = self.confirms
        may_return = mandatory or immediate
        if may_return and confirms is None:
            raise _confirms_required(mandatory, raise_returned)
        try:
            head = self._heads[exchange_name, routing_key, mandatory, immediate]
        except (KeyError, TypeError):
            head = self._head(exchange_name, routing_key, mandatory, immediate)
        if self._unacked.run:
            self._acknowledgements.write_merged()
        queued = self._channel.sender.send_content_behind(head, properties, body)
        if queued >= FLUSH_SIZE:
            transport.flush()
        elif not transport.flush_is_due:
            transport.flush_request()
        if confirms is None:
            # A program that publishes without ever waiting would keep the loop from reading, and
            # from sending heartbeats, until the socket's buffer is full.
            return _YIELD_TO_LOOP if queued >= FLUSH_SIZE else None
        future: Future[None] | None = None
        if waiter is None:
            waiter = future = self._host.loop.create_future()
            if head is not self._names.last:
                self._begin_run(head, confirms.next_number, exchange_name, routing_key)
        number = confirms.add(waiter)
        if may_return:
            self._awaited_returns.add(
                number, exchange_name, routing_key, properties, body, raise_returned=raise_returned
            )
        if not transport.is_reading:
            transport.resume_reading()
        if future is not None and self._host.operation_timeout is not None:
            self._limit_wait(future, self._host.operation_timeout)
        return future

    def publish_nowait(self, exchange_name: str, *message: Any) -> "Future[None]":
        """Send a message now; see `publish` for the arguments.

        Returns:
            The future of the confirm; without confirm mode, one that is done.

        Raises:
            PublishNotReady: The server or the socket accepts no messages now.
            ChannelClosed, ConnectionClosed: The channel is closed.
            ValueError: The message requires confirm mode.
            EncodeError: A name is too long, or not a str.
        """
        if not self.can_publish or self._transport.is_paused:
            self._transport.require_loop()
            self._raise_not_publishable()
        outcome = self.publish(exchange_name, *message)
        return outcome if isinstance(outcome, Future) else self._sent

    async def wait_publishable(self) -> None:
        """Wait until the server and the socket accept messages; return at once if they do.

        Raises:
            ConnectionBlocked, ChannelInactive, SocketFull: They accepted none for too long.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        await self.wait_publishable_by(self._deadline())

    async def wait_publishable_by(self, deadline: float | None) -> None:
        """Wait until a message can be sent, but not beyond a deadline or blocked_timeout.

        blocked_timeout limits the whole wait, even if the server blocks the connection repeatedly.

        Args:
            deadline: By the loop's clock; None for no limit but blocked_timeout.

        Raises:
            ConnectionBlocked, ChannelInactive, SocketFull: They accepted none for too long.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        self._transport.require_loop()
        now, seconds = self._host.loop.time(), self._host.operation_timeout
        blocked_timeout = self._host.blocked_timeout
        if blocked_timeout is not None and (deadline is None or now + blocked_timeout < deadline):
            deadline, seconds = now + blocked_timeout, blocked_timeout
        scope = asyncio.timeout_at(deadline)
        try:
            async with scope:
                while True:
                    self._channel.raise_if_closed()
                    if not self.can_publish:
                        await self._wait_can_publish()
                    elif self._transport.is_paused:
                        await self._channel.drain()
                    else:
                        return
        except TimeoutError:
            if not scope.expired():
                raise
            raise self._not_sent_in_time(seconds or 0.0) from None

    async def publish_by(
        self, deadline: float | None, exchange_name: str, message: Outgoing
    ) -> None:
        """Wait until a message can be sent, send it, and await its outcome.

        Args:
            deadline: When to give up, by the loop's clock; None for never.
            exchange_name: The exchange.
            message: The message.
        """
        successor = self._channel.successor
        if successor is None:
            self._channel.raise_if_closed()
            if (message.mandatory or message.immediate) and self.confirms is None:
                raise _confirms_required(message.mandatory, message.raise_returned)
            try:
                await self.wait_publishable_by(deadline)
            except (ChannelClosed, ConnectionClosed):
                successor = self._channel.successor
                if successor is None:
                    raise
        if successor is not None:
            await successor.publish_by(deadline, exchange_name, message)
            return
        outcome = self.publish(exchange_name, *message)
        if outcome is None:
            return
        scope = asyncio.timeout_at(deadline)
        try:
            async with scope:
                await outcome
        except TimeoutError:
            if not scope.expired():
                raise
            raise OperationTimeout("basic.publish", self._host.operation_timeout or 0.0) from None

    def expire_confirms(self, seconds: float, reason: str) -> None:
        """Raise OperationTimeout in all callers that await a confirm.

        Args:
            seconds: How long they have waited.
            reason: Why no confirm comes.
        """
        for waiter in [] if self.confirms is None else self.confirms.tokens():
            error = OperationTimeout("basic.publish", seconds)
            error.add_note(reason)
            _set_exception(waiter, error)

    def _deadline(self) -> float | None:
        """Return when a publish that begins now has to end; None for never."""
        timeout = self._host.operation_timeout
        return None if timeout is None else self._host.loop.time() + timeout

    def _not_sent_in_time(self, seconds: float) -> Exception:
        """Return the exception for a message that has waited too long."""
        if self._host.blocking.reason is not None:
            return ConnectionBlocked(self._host.blocking.reason, seconds)
        return SocketFull(seconds) if self._is_active else ChannelInactive(seconds)

    def _raise_not_publishable(self) -> None:
        """Raise the reason why no message can be sent now.

        Raises:
            PublishNotReady: The server or the socket accepts no messages now.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        self._channel.raise_if_closed()
        if self._host.blocking.is_blocked:
            raise PublishNotReady(
                f"the server has blocked the connection ({self._host.blocking.reason})"
            )
        if not self._is_active:
            raise PublishNotReady("the server accepts no messages on this channel (channel.flow)")
        raise PublishNotReady("the socket's buffer is full")

    def _head(
        self, exchange_name: str, routing_key: str, mandatory: bool, immediate: bool
    ) -> ContentHead:
        """Encode basic.publish, and keep it for the next message.

        Raises:
            EncodeError: A name is too long, or not a str.
        """
        payload = _PUBLISH.encode(exchange_name, routing_key, mandatory, immediate)
        head = self._host.protocol.content_head(self._channel.number, payload)
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        self._heads[exchange_name, routing_key, mandatory, immediate] = head
        return head

    def _limit_wait(self, waiter: "Future[None]", seconds: float) -> None:
        """Raise OperationTimeout in the caller if the confirm does not come in time."""
        error = OperationTimeout("basic.publish", seconds)
        timer = self._host.loop.call_later(seconds, _set_exception, waiter, error)
        waiter.add_done_callback(lambda _: timer.cancel())

    async def _wait_can_publish(self) -> None:
        """Wait until the server accepts messages again, or the channel is closed."""
        waiter: Future[None] = self._host.loop.create_future()
        self._flow_waiters.append(waiter)
        self._transport.resume_reading()
        try:
            await waiter
        finally:
            if waiter in self._flow_waiters:
                self._flow_waiters.remove(waiter)

    # --- returned messages ---

    async def next_returned(self) -> ReturnMessage:
        """Wait for the next returned message that was not published with raise_returned."""
        self._transport.require_loop()
        while not self.returned:
            self._channel.raise_if_closed()
            waiter: Future[None] = self._host.loop.create_future()
            self._return_waiters.append(waiter)
            self._transport.resume_reading()
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter in self._return_waiters:
                    self._return_waiters.remove(waiter)
                elif self.returned:
                    _wake_one(self._return_waiters)  # the message goes to the next caller
                raise
        return self.returned.popleft()

    # --- the server's commands ---

    def receive_confirm(self, parameters: Any) -> None:
        """Process a basic.ack or basic.nack."""
        if self.confirms is None:
            self._host.close_for(parameters)
            return
        try:
            confirmed = self.confirms.settle(parameters.delivery_tag, parameters.multiple)
        except ValueError:
            self._host.close_for(parameters)
            return
        is_ack = type(parameters) is BasicAckParameters
        awaited_returns = self._awaited_returns
        if is_ack and not awaited_returns:
            for _, waiter in confirmed:
                if not waiter.done():  # done if the caller was cancelled
                    waiter.set_result(None)
            return
        for number, waiter in confirmed:
            returned = awaited_returns.settle(number) if awaited_returns else None
            if not is_ack:
                _set_exception(waiter, self._named(PublishNack(number)))
            elif returned is not None:
                _set_exception(waiter, PublishReturned(returned, number))
            elif not waiter.done():
                waiter.set_result(None)

    def receive_return(
        self, parameters: BasicReturnParameters, properties: bytes, body: bytearray
    ) -> None:
        """Process a returned message."""
        message = ReturnMessage.of(self._channel, parameters, properties, body)
        if self._awaited_returns and self._awaited_returns.returned(message, properties):
            return
        self.returned.append(message)
        _wake_one(self._return_waiters)

    def receive_flow(self, parameters: ChannelFlowParameters) -> None:
        """Process channel.flow: the server accepts no messages on the channel, or accepts them again."""
        self._is_active = parameters.active
        self.update_can_publish()
        self._channel.sender.send(self._channel.number, ChannelFlowOkParameters(parameters.active))


def _confirms_required(mandatory: bool, raise_returned: bool) -> ValueError:
    option = "raise_returned" if raise_returned else "mandatory" if mandatory else "immediate"
    return ValueError(
        f"{option}=True requires confirm mode: without it the client cannot know whether a message"
        " will be returned; await channel.select_confirm() first"
    )


def _wake_one(waiters: "deque[Future[None]]") -> None:
    """Wake the first task that still waits."""
    while waiters:
        waiter = waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
            return


def _names_publish(error: Exception) -> bool:
    """Return whether the server has closed the channel or connection for a basic.publish."""
    return isinstance(error, ServerRefusal) and _PUBLISH.id == (error.class_id, error.method_id)


def _set_exception(waiter: ConfirmWaiter, error: Exception) -> None:
    """Raise an exception in the caller that awaits a message's outcome, unless it was cancelled."""
    if not waiter.done():
        waiter.set_exception(error)
        if isinstance(waiter, Future):
            waiter.exception()  # asyncio would log it if no caller awaits the future
