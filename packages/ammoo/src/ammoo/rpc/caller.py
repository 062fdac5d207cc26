"""Calling a server of requests over RabbitMQ's direct reply-to.

An `Rpc` has its own channel, for three reasons. RabbitMQ accepts requests only on the channel that
consumes the replies, and allows one consumer of replies on a channel. A request needs confirm
mode, to detect a missing queue. A request to an exchange that does not exist closes the channel.
Each of these would disturb a channel that the program uses for other things.
"""

import asyncio
import os
from collections.abc import Mapping
from functools import partial
from math import ceil
from types import TracebackType
from typing import Final, Self, Unpack, overload

from ammoo_wire import FieldValue, ProtocolError

from ..consumer import Consumer
from ..exceptions.base import AmmooError
from ..exceptions.channel import ChannelClosed, ClientClosedChannelOK
from ..exceptions.connection import ConnectionClosed
from ..exceptions.consumer import ClientCancelledConsumerOK
from ..exceptions.publishing import NotSent, PublishFailed, PublishUnknown
from ..exceptions.rpc import RpcInterrupted, RpcTimeout
from ..inbox import LastingInbox
from ..messages import DeliverMessage
from ..number_checks import check_time_limit
from ..publish_options import (
    NOT_GIVEN,
    Body,
    MessageOptions,
    NotGiven,
    PublishOptions,
    takes_publish_options,
)
from .addresses import PSEUDO_QUEUE
from .ports import RequestChannel

__all__ = ["Rpc"]

_OWN_OPTIONS: Final = frozenset(
    ("correlation_id", "expiration", "immediate", "mandatory", "raise_returned", "reply_to")
)
"""The options of a message that `Rpc.call` sets itself."""

Reply = asyncio.Future[DeliverMessage]


class Rpc:
    """Sends requests, and returns their replies; `Channel.rpc` returns it.

    Use it as a context manager; any number of tasks may call at the same time::

        async with channel.rpc() as rpc:
            reply = await rpc.call("", "squares", "7")

    Leaving the block interrupts calls that wait: they raise `RpcInterrupted`. See
    https://www.rabbitmq.com/docs/direct-reply-to

    Args:
        channel: A channel for this object alone, which is not open yet.
        timeout: How long a call waits for its reply if it does not say otherwise, in seconds;
            None for no limit.
    """

    def __init__(self, channel: RequestChannel, timeout: float | None) -> None:
        self._channel = channel
        self._timeout = check_time_limit("timeout", timeout)
        self._prefix = os.urandom(8).hex()
        self._last_number = 0
        self._pending: dict[str, Reply] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # each waits to send a request
        self._dropped = 0
        self._replies: Consumer | None = None
        self._reader: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Rpc on {self._channel!r}, {len(self._pending)} calls wait>"

    @property
    def in_flight(self) -> int:
        """How many calls wait for their replies."""
        return len(self._pending)

    @property
    def dropped_replies(self) -> int:
        """How many replies no call waited for: they came too late, or a second time."""
        return self._dropped

    # --- context manager ---

    async def __aenter__(self) -> Self:
        """Open the channel, and consume replies.

        Raises:
            TooManyChannels, ChannelClosed, ConnectionClosed, OperationTimeout: As for a channel
                and a consumer.
            RuntimeError: The `Rpc` was entered before.
        """
        await self._channel.__aenter__()
        try:
            await self._channel.select_confirm()
            replies = self._channel.consume(PSEUDO_QUEUE, no_ack=True)
            await replies.__aenter__()
        except BaseException as error:
            await self._channel.__aexit__(type(error), error, None)
            raise
        if isinstance(replies._inbox, LastingInbox):
            replies._inbox.on_lost = self._lost
        self._replies = replies
        self._reader = asyncio.get_running_loop().create_task(self._read(replies))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Interrupt calls that wait, and close the channel."""
        assert self._replies is not None
        assert self._reader is not None
        self._interrupt_all(ClientClosedChannelOK())
        try:
            await self._replies.cancel()
            await self._reader
        finally:
            self._reader.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._channel.__aexit__(exc_type, exc, traceback)

    # --- calling ---

    @overload
    async def call(
        self,
        exchange_name: str,
        route: str | Mapping[str, FieldValue],
        body: Body,
        *,
        timeout: float | NotGiven | None = ...,  # noqa: ASYNC109  see below
        repeat: bool = ...,
        **options: Unpack[MessageOptions],
    ) -> DeliverMessage: ...

    @overload
    async def call(
        self,
        exchange_name: str,
        route: str | Mapping[str, FieldValue],
        *,
        json: object,
        timeout: float | NotGiven | None = ...,  # noqa: ASYNC109  see below
        repeat: bool = ...,
        **options: Unpack[MessageOptions],
    ) -> DeliverMessage: ...

    @takes_publish_options
    async def call(
        self,
        exchange_name: str,
        route: str | Mapping[str, FieldValue],
        body: Body | NotGiven = NOT_GIVEN,
        *,
        timeout: float | NotGiven | None = NOT_GIVEN,  # noqa: ASYNC109  it is sent along, as expiration
        repeat: bool = False,
        **options: Unpack[PublishOptions],
    ) -> DeliverMessage:
        """Publish a request, and return its reply.

        ::

            reply = await rpc.call("", "squares", json=7, content_type=True, timeout=5)
            print(reply.json())

        If there is no queue for the request, the call raises at once. If the queue has no consumer,
        the call raises after the timeout. After the timeout the request expires in its queue
        (expiration). If the caller is cancelled, a reply that still comes is dropped.

        Args:
            exchange_name: As in `Channel.publish`.
            route: As in `Channel.publish`.
            body: As in `Channel.publish`.
            timeout: How long the whole call may take, in seconds; None for no limit. The default
                is the `timeout` of `Channel.rpc`.
            repeat: Whether to send the request again when the connection is lost before the reply
                (with ``recovery=``); the request may then be processed twice. All requests of a
                call have the same message_id. False by default.
            options: The keyword arguments of `Channel.publish`, except those that the call sets
                itself: correlation_id, expiration, immediate, mandatory, raise_returned, reply_to.

        Returns:
            The reply; it needs no acknowledgement.

        Raises:
            RpcTimeout: No reply came in time. The request may have been processed.
            RpcInterrupted: The channel or the connection ended before the reply. The request may
                have been processed.
            PublishReturned: There is no queue for the request.
            PublishNack: The server did not accept the request.
            PublishNotSent, NotSent: The request was not sent (with ``recovery=``).
            ConnectionBlocked, ChannelInactive, SocketFull: The server or the socket took no
                messages for longer than blocked_timeout; the request was not sent.
            ChannelClosed, ConnectionClosed: The channel is closed; the request was not sent.
            TypeError, ValueError: As in `Channel.publish`, or an option that the call sets itself.
        """
        _refuse_own_options(options)
        seconds = self._timeout if isinstance(timeout, NotGiven) else timeout
        loop = asyncio.get_running_loop()
        scope = asyncio.timeout_at(None if seconds is None else loop.time() + seconds)
        if repeat and options.get("message_id") is None:
            self._last_number += 1
            options["message_id"] = f"{self._prefix}.{self._last_number}"
        routing_key = route if isinstance(route, str) else ""
        try:
            async with scope:
                if repeat:
                    return await self._call_again(exchange_name, route, body, options, scope.when())
                return await self._call_once(exchange_name, route, body, options, scope.when())
        except TimeoutError:
            if not scope.expired() or seconds is None:
                raise
            raise RpcTimeout(exchange_name, routing_key, seconds) from None
        except PublishFailed as error:
            error.exchange_name = exchange_name
            error.routing_key = routing_key
            raise
        except RpcInterrupted as interrupted:
            exc = interrupted.exc
            named = RpcInterrupted(exchange_name, routing_key, exc)
            if isinstance(exc, AmmooError):
                named._restored = exc.recovered
            raise named from exc

    async def _call_again(
        self,
        exchange_name: str,
        route: str | Mapping[str, FieldValue],
        body: Body | NotGiven,
        options: PublishOptions,
        deadline: float | None,
    ) -> DeliverMessage:
        """Send a request again until it is not interrupted, or the channel is closed for good."""
        interrupted: RpcInterrupted | None = None
        while True:
            try:
                return await self._call_once(exchange_name, route, body, options, deadline)
            except RpcInterrupted as error:
                interrupted = error
            except (ChannelClosed, ConnectionClosed, NotSent):
                if interrupted is None:
                    raise
                raise interrupted  # noqa: B904  the first request may have been processed

    async def _call_once(
        self,
        exchange_name: str,
        route: str | Mapping[str, FieldValue],
        body: Body | NotGiven,
        options: PublishOptions,
        deadline: float | None,
    ) -> DeliverMessage:
        """Send a request as soon as possible, and await its reply."""
        self._raise_if_replies_ended()
        if not self._channel.is_publishable:
            await self._channel.wait_publishable()
            self._raise_if_replies_ended()  # they may have ended meanwhile
        loop = asyncio.get_running_loop()
        if deadline is not None:
            options["expiration"] = max(1, ceil(1000 * (deadline - loop.time())))
        self._last_number += 1
        correlation_id = options["correlation_id"] = f"{self._prefix}.{self._last_number}"
        options["reply_to"] = PSEUDO_QUEUE
        options["raise_returned"] = True
        reply: Reply = loop.create_future()
        self._pending[correlation_id] = reply
        outcome: asyncio.Future[None] | None = None
        try:
            outcome = self._publish(exchange_name, route, body, options)
            outcome.add_done_callback(partial(_fail_unless_confirmed, reply))
            return await reply
        finally:
            del self._pending[correlation_id]
            if isinstance(outcome, asyncio.Task):
                outcome.cancel()

    def _publish(
        self,
        exchange_name: str,
        route: str | Mapping[str, FieldValue],
        body: Body | NotGiven,
        options: PublishOptions,
    ) -> "asyncio.Future[None]":
        """Publish a request, and return the future of its confirm.

        If publishing has to wait, after a loss for example, a task of its own waits.
        """
        if self._channel.is_publishable:
            return self._channel.publish_nowait(exchange_name, route, body, **options)
        publishing = self._channel.publish(exchange_name, route, body, **options)
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(publishing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _raise_if_replies_ended(self) -> None:
        """Raise the error that ended the consumer of the replies, if it has ended.

        Raises:
            RuntimeError: The consumer was not started.
            ChannelClosed, ConnectionClosed: The consumer has ended, because the block was left for
                example.
        """
        if self._replies is None:
            raise RuntimeError("the Rpc was not entered; write async with channel.rpc()")
        error = self._replies.closing_exc
        if isinstance(error, ClientCancelledConsumerOK):  # the channel is closed next
            error = self._channel.closing_exc or ClientClosedChannelOK()
        if error is not None:
            raise error.with_traceback(None)

    # --- replies ---

    async def _read(self, replies: Consumer) -> None:
        """Pass replies to the calls that wait for them, until the consumer ends."""
        try:
            async for reply in replies:
                self._resolve(reply)
        except Exception as error:  # noqa: BLE001  it is raised in the calls
            self._interrupt_all(error)

    def _resolve(self, reply: DeliverMessage) -> None:
        try:
            correlation_id = reply.properties.correlation_id
        except ProtocolError:
            correlation_id = None
        waiting = self._pending.get(correlation_id or "")
        if waiting is None or waiting.done():
            self._dropped += 1
        else:
            waiting.set_result(reply)

    def _lost(self, error: Exception) -> None:
        """Interrupt the calls whose reply address was lost: their replies cannot come."""
        assert self._replies is not None
        for reply in self._replies._take_arrived():
            self._resolve(reply)
        self._interrupt_all(error)

    def _interrupt_all(self, error: Exception) -> None:
        for waiting in self._pending.values():
            _interrupt(waiting, error)


def _fail_unless_confirmed(waiting: Reply, confirmation: "asyncio.Future[None]") -> None:
    """Raise the outcome of a request in its call, unless the server has confirmed the request."""
    error = None if confirmation.cancelled() else confirmation.exception()
    if isinstance(error, PublishUnknown):
        _interrupt(waiting, error.exc)
    elif isinstance(error, ChannelClosed | ConnectionClosed):
        _interrupt(waiting, error)
    elif error is not None and not waiting.done():
        waiting.set_exception(error)


def _interrupt(waiting: Reply, error: Exception) -> None:
    if not waiting.done():
        waiting.set_exception(RpcInterrupted("", "", error))


def _refuse_own_options(options: PublishOptions) -> None:
    """Refuse the options that a call sets itself.

    Raises:
        ValueError: The caller has passed one of them.
    """
    own = sorted(_OWN_OPTIONS & options.keys())
    if own:
        them = "it" if len(own) == 1 else "them"
        raise ValueError(f"call() sets {', '.join(own)} itself; leave {them} out")
