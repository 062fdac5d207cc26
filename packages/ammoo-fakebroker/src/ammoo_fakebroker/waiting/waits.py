"""The methods of a broker that wait, for blocking tests and for asyncio.

A blocking wait suspends its thread; its time-out is in real seconds, even if a test moves the
broker's clock, because a client may hang. An asyncio wait suspends its task, in any event loop.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from ..blocked_loops import hint_at_blocked_loop
from ..call_checks import checks_arguments
from ..node.node import DEFAULT_VIRTUALHOST
from ..state_queries import Look, StateQueries
from .conditions import ConnectionsOpen, ConsumersStarted, FunctionIsTrue, IsIdle, MessagesReady
from .waiters import Condition, Impossible, Waiter, Waiters

if TYPE_CHECKING:
    from ..network.server import Server
    from ..snapshots import ConnectionSnapshot, MessageSnapshot, QueueSnapshot

__all__ = ["Waits"]

_Result = TypeVar("_Result")

_TURNS_OF_CLIENTS = 3
"""Turns of a loop in which its clients write what they have queued; ammoo needs 2."""


@checks_arguments
class Waits(StateQueries):
    """The methods that wait until something has happened in the broker.

    Attributes:
        _server: The server.
        _waiters: All waits for the broker.
        _is_running: Whether the broker is started, and not stopped.
    """

    _server: Server
    _waiters: Waiters
    _is_running: bool

    # -- waiting for messages ------------------------------------------------------------------

    def wait_for_messages(
        self,
        queue_name: str,
        count: int = 1,
        *,
        virtualhost: str = DEFAULT_VIRTUALHOST,
        timeout: float = 5.0,
    ) -> list[MessageSnapshot]:
        """Wait until at least so many messages are ready in a queue.

        The messages must be in the queue at the same time. If a consumer may receive them, wait for
        `published` or `delivered` events instead. The queue may be declared during the wait; if it
        is deleted, the wait fails at once.

        Example::

            (message,) = broker.wait_for_messages("orders")

        Args:
            queue_name: The name of the queue.
            count: How many messages to wait for, from 1 on.
            virtualhost: The name of the virtual host.
            timeout: How long to wait at most, in real seconds.

        Returns:
            All ready messages, in order; they stay in the queue.

        Raises:
            AssertionError: Fewer messages came; the text shows where the others went.
            LookupError: There is no such virtual host.
            RuntimeError: The broker does not run, or runs in this thread's event loop.
            ValueError: `count` is less than 1.
        """
        __tracebackhide__ = True
        condition = self._messages_ready(queue_name, virtualhost, count)
        return cast("list[MessageSnapshot]", self._wait("wait_for_messages", condition, timeout))

    async def wait_for_messages_async(
        self,
        queue_name: str,
        count: int = 1,
        *,
        virtualhost: str = DEFAULT_VIRTUALHOST,
        timeout: float = 5.0,  # noqa: ASYNC109  it ends with a text that says what was there
    ) -> list[MessageSnapshot]:
        """Wait as `wait_for_messages` does, in any event loop and without blocking it."""
        __tracebackhide__ = True
        condition = self._messages_ready(queue_name, virtualhost, count)
        return cast("list[MessageSnapshot]", await self._wait_async(condition, timeout))

    def _messages_ready(self, queue_name: str, virtualhost: str, count: int) -> MessagesReady:
        _check_count(count, f"not broker.messages({queue_name!r})", "messages")
        return MessagesReady(self._node, queue_name, virtualhost, count)

    # -- waiting for clients -------------------------------------------------------------------

    def wait_for_connections(
        self, count: int = 1, *, timeout: float = 5.0
    ) -> tuple[ConnectionSnapshot, ...]:
        """Wait until at least so many connections are open.

        Example::

            (service,) = broker.wait_for_connections()

        Args:
            count: How many connections to wait for, from 1 on.
            timeout: How long to wait at most, in real seconds.

        Returns:
            The open connections, oldest first.

        Raises:
            AssertionError: Fewer clients connected; the text lists those that came and went.
            RuntimeError: The broker does not run, or runs in this thread's event loop.
            ValueError: `count` is less than 1.
        """
        __tracebackhide__ = True
        condition = self._connections_open(count)
        return cast(
            "tuple[ConnectionSnapshot, ...]",
            self._wait("wait_for_connections", condition, timeout),
        )

    async def wait_for_connections_async(
        self,
        count: int = 1,
        *,
        timeout: float = 5.0,  # noqa: ASYNC109  it ends with a text that says what was there
    ) -> tuple[ConnectionSnapshot, ...]:
        """Wait as `wait_for_connections` does, in any event loop and without blocking it."""
        __tracebackhide__ = True
        condition = self._connections_open(count)
        return cast("tuple[ConnectionSnapshot, ...]", await self._wait_async(condition, timeout))

    def _connections_open(self, count: int) -> ConnectionsOpen:
        _check_count(count, "not look.connections", "connections")
        return ConnectionsOpen(self._node, count)

    def wait_for_consumers(
        self,
        queue_name: str,
        count: int = 1,
        *,
        virtualhost: str = DEFAULT_VIRTUALHOST,
        timeout: float = 5.0,
    ) -> QueueSnapshot:
        """Wait until a queue has at least so many consumers.

        Example::

            broker.wait_for_consumers("orders")  # the service has started

        Args:
            queue_name: The name of the queue; it may be declared during the wait.
            count: How many consumers to wait for, from 1 on.
            virtualhost: The name of the virtual host.
            timeout: How long to wait at most, in real seconds.

        Returns:
            The queue.

        Raises:
            AssertionError: Fewer consumers started; the text lists those that came and went.
            LookupError: There is no such virtual host.
            RuntimeError: The broker does not run, or runs in this thread's event loop.
            ValueError: `count` is less than 1.
        """
        __tracebackhide__ = True
        condition = self._consumers_started(queue_name, virtualhost, count)
        return cast("QueueSnapshot", self._wait("wait_for_consumers", condition, timeout))

    async def wait_for_consumers_async(
        self,
        queue_name: str,
        count: int = 1,
        *,
        virtualhost: str = DEFAULT_VIRTUALHOST,
        timeout: float = 5.0,  # noqa: ASYNC109  it ends with a text that says what was there
    ) -> QueueSnapshot:
        """Wait as `wait_for_consumers` does, in any event loop and without blocking it."""
        __tracebackhide__ = True
        condition = self._consumers_started(queue_name, virtualhost, count)
        return cast("QueueSnapshot", await self._wait_async(condition, timeout))

    def _consumers_started(self, queue_name: str, virtualhost: str, count: int) -> ConsumersStarted:
        _check_count(count, f"not look.queue({queue_name!r}).consumer_count", "consumers")
        return ConsumersStarted(self._node, queue_name, virtualhost, count)

    def wait_for_idle(self, *, quiet_for: float = 0.02, timeout: float = 5.0) -> None:
        """Wait until the broker has been idle for a short time.

        The broker is idle when no client sends, no octets wait to be written, no connection is
        opening or closing, no confirm is outstanding, and no consumer holds an unsettled message.

        Example::

            broker.wait_for_idle()  # clients have handled what they got

        Args:
            quiet_for: How long it must be idle, in real seconds.
            timeout: How long to wait at most, in real seconds.

        Raises:
            AssertionError: The broker was not idle in that time; the text says what it still does.
            RuntimeError: The broker does not run, or runs in this thread's event loop.
        """
        __tracebackhide__ = True
        self._check_running()
        self._wait("wait_for_idle", self._is_idle(quiet_for), timeout)

    async def wait_for_idle_async(
        self,
        *,
        quiet_for: float = 0.02,
        timeout: float = 5.0,  # noqa: ASYNC109  it ends with a text that says what was there
    ) -> None:
        """Wait as `wait_for_idle` does, in any event loop and without blocking it."""
        __tracebackhide__ = True
        self._check_running()
        await self._wait_async(self._is_idle(quiet_for), timeout)

    def _is_idle(self, quiet_for: float) -> IsIdle:
        return IsIdle(self._server, quiet_for, self._waiters.check_in)

    # -- waiting for anything ------------------------------------------------------------------

    def wait_until(self, function: Callable[[Look], _Result], *, timeout: float = 5.0) -> _Result:
        """Wait until a function returns something true.

        The function is called in the broker's thread whenever something may have changed, with a
        look at the broker; it must return soon. A LookupError that it raises, such as that of a
        queue that is not declared yet, means that it has to wait.

        Example::

            broker.wait_until(lambda look: look.queue("orders").consumer_count == 0)

        Args:
            function: The function.
            timeout: How long to wait at most, in real seconds.

        Returns:
            The result of the function.

        Raises:
            AssertionError: The function returned nothing true in that time, or the broker was
                stopped.
            RuntimeError: The broker does not run, or runs in this thread's event loop.
        """
        __tracebackhide__ = True
        condition = FunctionIsTrue(self._node, function)
        return cast("_Result", self._wait("wait_until", condition, timeout))

    async def wait_until_async(
        self,
        function: Callable[[Look], _Result],
        *,
        timeout: float = 5.0,  # noqa: ASYNC109  it ends with a text that says what was there
    ) -> _Result:
        """Wait as `wait_until` does, in any event loop and without blocking it."""
        __tracebackhide__ = True
        condition = FunctionIsTrue(self._node, function)
        return cast("_Result", await self._wait_async(condition, timeout))

    async def settle(self) -> None:
        """Let the broker read and execute the commands that clients have sent.

        In the event loop of the broker, await this after publishing and before looking. In another
        thread, each method of the broker does the same; await this there to let clients of the
        running event loop write first.
        """
        await _let_clients_write()
        if self._is_running:
            await asyncio.wrap_future(self._server.submit(_do_nothing))

    # -- implementation ------------------------------------------------------------------------

    @abstractmethod
    def _check_running(self) -> None:
        """Raise a RuntimeError if the broker does not run."""

    def _wait(self, name: str, condition: Condition, timeout: float) -> Any:
        """Wait for a condition in another thread than the broker's."""
        __tracebackhide__ = True
        self._check_running()
        if self._server.is_current_thread():
            raise RuntimeError(f"the broker runs in this event loop: await {name}_async(…)")
        waiter = Waiter(condition)
        try:
            self._call(lambda: self._waiters.add(waiter))
            return waiter.future.result(timeout)
        except Impossible as error:
            _fail(str(error))
        except TimeoutError:
            if waiter.future.done():
                raise  # the test's own function has raised it
        except BaseException:  # a signal, such as Ctrl-C or that of pytest-timeout
            self._discard(waiter)
            raise
        text = self._call(lambda: self._give_up(waiter, timeout))
        if text is None:
            return waiter.future.result()
        _fail(text + hint_at_blocked_loop(name))

    async def _wait_async(self, condition: Condition, timeout: float) -> Any:  # noqa: ASYNC109  as above
        """Wait for a condition, in any event loop."""
        __tracebackhide__ = True
        self._check_running()
        await _let_clients_write()
        waiter = Waiter(condition)
        try:
            await asyncio.wrap_future(self._server.submit(lambda: self._waiters.add(waiter)))
            async with asyncio.timeout(timeout):
                return await asyncio.wrap_future(waiter.future)
        except Impossible as error:
            _fail(str(error))
        except asyncio.CancelledError:
            self._discard(waiter)
            raise
        except TimeoutError:
            if waiter.future.done() and not waiter.future.cancelled():
                raise  # the test's own function has raised it
        explain = self._server.submit(lambda: self._give_up(waiter, timeout))
        text = await asyncio.wrap_future(explain)
        if text is None:
            return waiter.future.result()
        _fail(text)

    def _discard(self, waiter: Waiter) -> None:
        """Remove a waiter that was interrupted, without waiting for the broker."""
        with suppress(RuntimeError):  # the broker's event loop is closed
            self._server.loop.call_soon_threadsafe(self._waiters.discard, waiter)

    def _give_up(self, waiter: Waiter, timeout: float) -> str | None:
        """Remove a waiter; return why its condition is not met, or None if it is met by now."""
        self._waiters.discard(waiter)
        if not waiter.future.cancelled() and waiter.check():
            return None
        return waiter.condition.explain(timeout)


async def _let_clients_write() -> None:
    """Let clients in the running event loop write what they have queued."""
    for _ in range(_TURNS_OF_CLIENTS):
        await asyncio.sleep(0)


def _do_nothing() -> None:
    """Do nothing: a call of this waits for the commands before it."""


def _check_count(count: int, instead: str, of: str) -> None:
    """Check the number to wait for.

    Raises:
        ValueError: The number is less than 1, which is always met.
    """
    if count < 1:
        raise ValueError(
            f"count is {count!r}; expected 1 or more: to wait until there are no {of},"
            f" use wait_until(lambda look: {instead.replace('broker.', 'look.')})"
        )


def _fail(text: str) -> NoReturn:
    __tracebackhide__ = True
    raise AssertionError(text) from None
