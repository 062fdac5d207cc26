"""`Publisher`: a window of messages in flight, each with exactly one outcome.

A message gets a place in the `Window`. If the channel accepts it, it is sent without an await;
else `Sending` sends it later. The live channel sets the outcome of the message's `Confirmation`,
which passes it on to `Outcomes`: this frees the place and collects a failure. A message costs no
task; there is a task only while messages wait to be sent.

This module is on the hot path: see benchmarks/publisher.py.
"""

import asyncio
import logging
from collections.abc import AsyncIterable, Iterable, Iterator
from itertools import count
from os import urandom
from types import TracebackType
from typing import Final, Self, Unpack, overload

from ..channel_lifetime import ChannelLifetime
from ..exceptions.base import OperationTimeout
from ..exceptions.publishing import PublishNotSent
from ..number_checks import check_bound, check_time_limit
from ..publish_defaults import PublishDefaults
from ..publish_options import (
    NOT_GIVEN,
    Body,
    MessageOptions,
    NotGiven,
    PublishOptions,
    takes_publish_options,
)
from .confirmation import Confirmation
from .feeding import Publication, Route, feed
from .outcomes import Outcomes, not_sent
from .ports import PublisherChannel
from .sending import Sending
from .window import Window

__all__ = ["Publication", "Publisher"]

log: logging.Logger = logging.getLogger("ammoo")

GRACE_AFTER_DRAIN: Final = 1.0
"""How long leaving a publisher waits if a drain has given up messages of it, in seconds."""
_LEFT: Final = "the publisher was left before the outcome was known"
_DRAINED: Final = "a drain gave up the message before the outcome was known"


class Publisher:
    """Publishes on a channel in confirm mode, with a bounded number of messages in flight.

    `Channel.publisher` returns a `Publisher`; use it as a context manager::

        async with channel.publisher(max_in_flight=500) as publisher:
            for body in bodies:
                await publisher.publish("orders", "paid", body, persistent=True)

    Entering it puts the channel into confirm mode (confirm.select). Leaving it waits for all
    outcomes, and raises the failures as an exception group of `PublishFailed`. If another
    exception leaves the block, the failures are added to it as notes. If the block is cancelled,
    leaving it does not wait: the outcome of each message that has none yet is `PublishUnknown` or
    `PublishNotSent`. After a drain that gave up messages, leaving waits for a second at most. See
    https://www.rabbitmq.com/docs/confirms

    Each message has exactly one outcome: confirmed, or one of the subclasses of `PublishFailed`:
    nacked, refused, returned, not sent, unknown. The publisher keeps up to 1000 failures that no
    caller has awaited, or twice `max_in_flight` if that is more; then `publish` raises them. A
    program that awaits the outcomes of its last `max_in_flight` messages never reaches this limit.

    Any number of tasks may use one publisher; tasks that wait for room get it in the order of their
    calls.
    """

    def __init__(
        self,
        channel: PublisherChannel,
        lifetime: ChannelLifetime,
        defaults: PublishDefaults,
        *,
        max_in_flight: float,
        max_bytes: float,
        timeout: float | None,
        republish: bool,
    ) -> None:
        check_bound("max_in_flight", max_in_flight, least=1)
        check_bound("max_bytes", max_bytes, least=1)
        check_time_limit("timeout", timeout)
        self._channel = channel
        self._lifetime = lifetime
        self._defaults = defaults
        self._timeout = timeout
        self._window = Window(max_in_flight, max_bytes)
        self._outcomes = Outcomes(self._window, timeout)
        self._sending = Sending(lifetime, self._outcomes, republish=republish)
        self._message_ids = _message_ids() if republish else None
        self._is_open = False
        self._is_abandoned = False
        self._was_entered = False

    def __repr__(self) -> str:
        return (
            f"<Publisher on {self._channel!r}: {self.sent} sent, {self.confirmed} confirmed,"
            f" {self.failed} failed, {self.in_flight} in flight>"
        )

    # --- progress ---

    @property
    def sent(self) -> int:
        """How many messages were accepted: the sum of `confirmed`, `failed` and `in_flight`."""
        return self._outcomes.last_number

    @property
    def confirmed(self) -> int:
        """How many messages the server has taken responsibility for."""
        return self._outcomes.confirmed_count

    @property
    def failed(self) -> int:
        """How many messages were not confirmed."""
        return self._outcomes.failed_count

    @property
    def in_flight(self) -> int:
        """How many messages have no outcome yet, including those that wait to be sent."""
        return len(self._outcomes.unsettled)

    @property
    def has_room(self) -> bool:
        """Whether `publish` would not wait now, unless the body is large."""
        return self._window.has_room(0)

    # --- context manager ---

    async def __aenter__(self) -> Self:
        """Put the channel into confirm mode, unless it is already in it.

        Raises:
            RuntimeError: The publisher was entered before.
            ServerClosedChannel: The channel has transactions.
            OperationTimeout: The server did not answer in time.
            ChannelClosed, ConnectionClosed: The channel is closed.
        """
        if self._was_entered:
            raise RuntimeError("the publisher was entered before; call channel.publisher() again")
        self._was_entered = True
        if not self._lifetime.settings.confirms:
            await self._channel.select_confirm()
        self._is_open = True
        self._channel._publishers.add(self)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for all outcomes, and raise the failures; `Publisher` says what cancellation does.

        Raises:
            ExceptionGroup: Of `PublishFailed`: messages that were not confirmed.
        """
        self._is_open = False
        self._window.fail(lambda: PublishNotSent("the publisher was left"))
        failures = self._outcomes.failures
        try:
            if exc is None or isinstance(exc, Exception):
                await self._wait_before_leaving()
        except BaseException as cancelled:
            self._outcomes.abandon(_LEFT)
            failures.note_at(cancelled)
            raise
        finally:
            self._outcomes.abandon(_LEFT)
            self._channel._publishers.discard(self)
            await self._sending.stop()
        if exc is not None:
            failures.note_at(exc)
        else:
            failures.raise_all(self.sent)

    # --- publishing ---

    @overload
    async def publish(
        self, exchange_name: str, route: Route, body: Body, **options: Unpack[MessageOptions]
    ) -> Confirmation: ...

    @overload
    async def publish(
        self, exchange_name: str, route: Route, *, json: object, **options: Unpack[MessageOptions]
    ) -> Confirmation: ...

    @takes_publish_options
    async def publish(
        self,
        exchange_name: str,
        route: Route,
        body: Body | NotGiven = NOT_GIVEN,
        **options: Unpack[PublishOptions],
    ) -> Confirmation:
        """Publish a message (basic.publish); wait only while the window is full.

        While the server or the socket accepts no messages, or the connection is being recovered,
        the message waits in the window, and is sent as soon as possible. A call that is cancelled
        publishes nothing.

        Args:
            exchange_name: As in `Channel.publish`.
            route: As in `Channel.publish`.
            body: As in `Channel.publish`.
            options: The keyword arguments of `Channel.publish`. `mandatory` implies
                `raise_returned` here: a message that is returned is not confirmed.

        Returns:
            The message's `Confirmation`. Await it for the outcome; this is optional.

        Raises:
            TypeError, ValueError: As in `Channel.publish`.
            PublishNotSent: The channel is closed, or the window was full for the publisher's
                `timeout`.
            ExceptionGroup: The publisher keeps no more failures that no caller has awaited; this
                message was not sent.
            RuntimeError: The publisher is not entered, or was left.
        """
        timeout = self._timeout
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        if self._message_ids is not None and options.get("message_id") is None:
            options["message_id"] = next(self._message_ids)
        message = self._defaults.outgoing("publish", route, body, options)
        if message.mandatory or message.immediate:
            message = message._replace(raise_returned=True)
        size = len(message.body)
        try:
            self._raise_unless_open()
            if not self._window.try_enter(size):
                await self._wait_for_room(size, deadline)
        except PublishNotSent as error:
            error.exchange_name, error.routing_key = exchange_name, message.routing_key
            raise
        confirmation = Confirmation(
            self._outcomes, exchange_name, message.routing_key, size, deadline
        )
        try:
            self._sending.send(confirmation, message)
        except BaseException:
            self._window.leave(size)
            raise
        return confirmation

    async def publish_many(
        self, messages: "Iterable[Publication] | AsyncIterable[Publication]"
    ) -> int:
        """Publish messages as they come, each as soon as there is room for it.

        The next item is read only when the window has room, so the source is never ahead of the
        server by more than the window. A generator is closed at the end, also after an error or a
        cancellation.

        Args:
            messages: Tuples of the arguments of `publish`: exchange, route, body, and possibly a
                dict of options.

        Returns:
            How many messages were published. `flush`, or leaving the publisher, raises failures.

        Raises:
            Exception: What the source or `publish` raises.
        """
        return await feed(self, messages)

    async def wait_for_room(self) -> None:
        """Wait until the window has room for a message; return at once if it has.

        Raises:
            PublishNotSent: The publisher was left meanwhile.
        """
        await self._window.enter(0)
        self._window.leave(0)

    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  the documented way to bound it
        """Wait for the outcomes of all messages that were published before, and raise failures.

        If the caller is cancelled, the messages stay in flight.

        Args:
            timeout: How long to wait, in seconds; no limit by default.

        Raises:
            ExceptionGroup: Of `PublishFailed`: messages that were not confirmed. They are not
                raised again.
            OperationTimeout: Messages have no outcome yet; they stay in flight.
        """
        scope = asyncio.timeout(timeout)
        try:
            async with scope:
                await self._outcomes.wait_settled()
        except TimeoutError:
            if timeout is None or not scope.expired():
                raise
            raise OperationTimeout("basic.publish", timeout) from None
        self._outcomes.failures.raise_all(self.sent)

    def _abandon(self, last: int) -> None:
        """Settle at once the messages up to a number that have no outcome.

        If there are any, leaving the publisher waits only for a moment: the server may be down.
        """
        count = self._outcomes.abandon(_DRAINED, last)
        if count:
            self._is_abandoned = True
            log.warning("a drain gave up %d messages of a publisher that were not confirmed", count)

    async def _wait_before_leaving(self) -> None:
        """Wait for all outcomes; not for long if a drain has given up messages."""
        scope = asyncio.timeout(GRACE_AFTER_DRAIN if self._is_abandoned else None)
        try:
            async with scope:
                await self._outcomes.wait_settled()
        except TimeoutError:
            if not scope.expired():
                raise

    def _raise_unless_open(self) -> None:
        if not self._is_open:
            raise RuntimeError(
                "the publisher is not open: use it within async with channel.publisher()"
            )
        if self._outcomes.failures.are_too_many:
            self._outcomes.failures.raise_all(self.sent)
        closing_exc = self._lifetime.final
        if closing_exc is not None:
            raise not_sent(closing_exc)

    async def _wait_for_room(self, size: int, deadline: float | None) -> None:
        """Wait for a place in the window, and take it."""
        self._lifetime.require_live().transport.require_loop()
        scope = asyncio.timeout_at(deadline)
        try:
            async with scope:
                await self._window.enter(size)
        except TimeoutError:
            if not scope.expired():
                raise
            reason = f"{self.in_flight} messages were in flight for {self._timeout:g} s"
            raise PublishNotSent(reason) from None
        try:
            self._raise_unless_open()
        except BaseException:
            self._window.leave(size)
            raise


def _message_ids() -> Iterator[str]:
    """Yield identifiers that no other publisher makes."""
    prefix = urandom(8).hex()
    for number in count(1):
        yield f"{prefix}-{number}"
