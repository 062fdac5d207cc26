"""`Connection`: the user's connection, and the user's settings for it.

The `LiveConnection` behind a `Connection` is its state on one socket.
"""

import asyncio
import inspect
import warnings
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, Unpack

from ammoo_wire import FieldTable

from .channel import Channel
from .channel_lifetime import ChannelLifetime
from .channel_settings import ChannelSettings
from .credentials import CredentialsProvider
from .exceptions.base import raise_unreported
from .exceptions.connection import (
    ClientClosedConnectionError,
    ClientClosedConnectionOK,
    ConnectionClosed,
)
from .instrumentation.hooks import call_hook
from .instrumentation.instruments import Instruments
from .live.connection import LiveConnection
from .parameters import ConnectionParameters
from .publish_options import MessageOptions, PublishOptions
from .recovery.listener import EventListener
from .recovery.options import Recovery
from .uncopyable import Uncopyable
from .weak_calls import weakly

if TYPE_CHECKING:
    from .instrumentation.stall_guard import StallGuard
    from .recovery.connector import Connector
    from .recovery.credentials_keeper import CredentialsKeeper
    from .recovery.supervisor import Supervisor

__all__ = ["Connection"]

BlockedCallback = Callable[[str | None], object]
"""Called with the reason in connection.blocked, and with None for connection.unblocked."""

CLOSE_TIMEOUT: Final = 5.0
"""How long closing a connection waits for the server, in seconds."""


class Connection(Uncopyable):
    """A connection to an AMQP server. `connect` returns it; use it as a context manager.

    Entering it does the handshake, leaving it closes it with all its channels. A connection can
    have any number of channels at the same time, up to `channel_max`.

    When the connection ends, all operations that wait on it, and all later ones, raise the same
    exception; `closing_exc` returns it.

    Args:
        parameters: The server's address, the login and the options.
    """

    def __init__(self, parameters: ConnectionParameters) -> None:
        self._parameters = parameters
        self._live: LiveConnection | None = None
        self._hosts = [parameters]
        self._connector: Connector | None = None
        self._credentials: CredentialsKeeper | None = None
        self._instruments: Instruments | None = None
        self._stall_guard: StallGuard | None = None
        self._supervisor: Supervisor | None = None
        self._ended = asyncio.Event()
        self._blocked_callbacks: list[tuple[BlockedCallback, Context]] = []
        self._is_entering = False
        self._is_entered = False

    def __del__(self) -> None:
        """Warn if the connection is dropped while open or being recovered, and end it.

        A channel that is referenced keeps its connection. With ``recovery=``, a consumer whose
        block was not left does so, too.
        """
        live: LiveConnection | None = getattr(self, "_live", None)
        if live is None or self.closing_exc is not None:
            return
        warnings.warn(
            f"{self!r} was dropped without being closed; use it with async with, or await close()",
            ResourceWarning,
            source=self,
            stacklevel=2,
        )
        if live.loop.is_closed():
            return
        if self._supervisor is not None:
            live.loop.call_soon_threadsafe(self._supervisor.abort)
        live.loop.call_soon_threadsafe(live.transport.abort)

    def __repr__(self) -> str:
        state = "not entered"
        if self.closing_exc is not None:
            state = "closed"
        elif self._supervisor is not None and self._supervisor.state.is_recovering:
            state = "recovering"
        elif self._is_entered:
            state = "open"
        address = self._parameters.address if self._live is None else self._live.address
        return f"<Connection to {address}, {state}>"

    # --- state ---

    @property
    def heartbeat_interval(self) -> int:
        """The negotiated heartbeat timeout, in seconds; 0 for no heartbeats.

        Raises:
            RuntimeError: The connection was not entered.
        """
        return self._require_live().protocol.heartbeat_interval

    @property
    def frame_max(self) -> int:
        """The negotiated size of the largest frame, in octets; 0 for no limit.

        Raises:
            RuntimeError: The connection was not entered.
        """
        return self._require_live().protocol.frame_max

    @property
    def channel_max(self) -> int:
        """How many channels may be open, as negotiated; 0 for no limit.

        Raises:
            RuntimeError: The connection was not entered.
        """
        return self._require_live().protocol.channel_max

    @property
    def server_properties(self) -> FieldTable:
        """The properties that the server sent: product, version, capabilities and others.

        Raises:
            RuntimeError: The connection was not entered.
        """
        return dict(self._require_live().server_properties)

    @property
    def entered(self) -> bool:
        """Whether the handshake has been done."""
        return self._is_entered

    @property
    def closing(self) -> bool:
        """Whether the connection is closed, or is being closed."""
        return self.closing_exc is not None

    @property
    def closing_exc(self) -> Exception | None:
        """The exception that closed the connection; None while it is open or being recovered.

        `ClientClosedConnectionOK` after a clean close, else the exception that operations raise.
        """
        if self._supervisor is not None and self._supervisor.state.epoch:
            return self._supervisor.state.final
        return None if self._live is None else self._live.closing_exc

    @property
    def epoch(self) -> int:
        """How many times the connection has been opened: 1 until its first recovery; 0 at first."""
        return (
            self._supervisor.state.epoch if self._supervisor is not None else int(self._is_entered)
        )

    # --- context manager ---

    async def __aenter__(self) -> Self:
        """Do the handshake: see `open`, which raises the same."""
        return await self.open()

    async def open(self) -> Self:
        """Do the handshake (section 2.2.4); if it fails or is cancelled, the socket is closed.

        ``async with`` calls it. A program that opens the connection without a block closes it with
        `close`::

            connection = await ammoo.connect("amqp://localhost/")
            await connection.open()
            ...
            await connection.close()

        Raises:
            AuthenticationError: The server refused the login.
            ConnectionTimeout: The server did not complete the handshake within connection_timeout.
            ConnectionClosed: The handshake failed for another reason.
            RuntimeError: The connection was entered before.
        """
        if self._is_entering or self.closing_exc is not None:
            raise RuntimeError(
                f"{self!r} was entered or closed before; call ammoo.connect() for another one"
            )
        if self._live is None:
            raise _not_connected()
        self._is_entering = True
        if self._connector is None:
            await self._live.open()
        else:
            self._live = await self._connector.first_handshake(self._live)
        self._is_entered = True
        if self._supervisor is None:
            self._live.on_end = weakly(self._live_ended)
            if self._live.closing_exc is not None:
                self._live_ended(self._live.closing_exc)
        else:
            self._supervisor.opened(self._live)
        self._begin_watching(self._live)
        return self

    def _begin_watching(self, live: LiveConnection) -> None:
        """Start the refresh of credentials and the stall guard, if the user wants them."""
        if self._credentials is not None:
            self._credentials.keep_fresh(live)
        share = None if self._instruments is None else self._instruments.stall_guard
        interval = live.protocol.heartbeat_interval
        if share and interval and self._stall_guard is None:
            from .instrumentation.stall_guard import StallGuard

            self._stall_guard = StallGuard(live.loop, interval, share)
            self._stall_guard.start()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection with all its channels.

        It waits for the server for 5 s at most, and not at all if the server has left an earlier
        cancel or close on the connection unanswered for that long.

        Raises:
            ServerClosedConnection: The server closed the connection because of an operation that
                has no answer, such as a publish without confirms, and no other operation has raised
                this error.
        """
        await self._close(exc, CLOSE_TIMEOUT, leaving=True)
        if exc is None:
            raise_unreported(self.closing_exc)

    async def close(self, *, timeout: float = CLOSE_TIMEOUT) -> None:  # noqa: ASYNC109  bounds the close, cancels nothing
        """Close the connection before its block is left; do nothing if it is closed.

        The server requeues messages that were not settled. If the caller is cancelled while it
        waits, the socket is closed at once.

        Args:
            timeout: How long to wait for the server's answer, in seconds; 5 by default. Then the
                socket is closed without it.
        """
        await self._close(None, timeout)

    def _prepare(
        self,
        hosts: Sequence[ConnectionParameters],
        recovery: Recovery | None,
        credentials: CredentialsProvider | None,
    ) -> None:
        """Set the options of `connect` that do not belong to a single server."""
        if recovery is None and credentials is None and len(hosts) == 1:
            return
        from .recovery.connector import Connector
        from .recovery.hosts import Hosts

        loop = asyncio.get_running_loop()
        if credentials is not None:
            from random import random

            from .recovery.credentials_keeper import CredentialsKeeper

            jitter = random if recovery is None else recovery.random
            self._credentials = CredentialsKeeper(loop, credentials, jitter)
        prepare = None if self._credentials is None else self._credentials.complete
        self._connector = Connector(
            Hosts(hosts, recovery), recovery, self._new_live_maker(), prepare
        )
        if recovery is not None:
            from .recovery.supervisor import Supervisor

            hooks = None if self._instruments is None else self._instruments.hooks
            swap = weakly(self._swap)
            self._supervisor = Supervisor(loop, recovery, self._connector, swap, hooks)

    def _new_live_maker(self) -> Callable[[ConnectionParameters], LiveConnection]:
        """Return a function that makes live connections, and does not reference this connection."""
        loop, instruments = asyncio.get_running_loop(), self._instruments
        call_blocked_callbacks = weakly(self._call_blocked_callbacks)

        def make(parameters: ConnectionParameters) -> LiveConnection:
            return LiveConnection(loop, parameters, call_blocked_callbacks, instruments)

        return make

    async def _open_socket(self) -> None:
        if self._connector is not None:
            self._live = await self._connector.first_socket()
            return
        live = self._new_live_maker()(self._parameters)
        await live.open_socket()
        self._live = live

    def _swap(self, live: LiveConnection) -> None:
        """Use another live connection, after a recovery."""
        was_blocked = self._live is not None and self._live.blocking.is_blocked
        self._live = live
        if was_blocked:
            self._call_blocked_callbacks(None)  # the new connection is not blocked
        self._begin_watching(live)

    async def _close(
        self, exc: BaseException | None, seconds: float, *, leaving: bool = False
    ) -> None:
        if self._live is None:
            return
        error = ClientClosedConnectionOK() if exc is None else ClientClosedConnectionError(exc)
        supervisor = self._supervisor
        try:
            if supervisor is not None:
                await supervisor.close(error)  # first: recovery could succeed in the meantime
            if self._credentials is not None:
                await self._credentials.close()
        except BaseException:
            self._live.transport.abort()
            raise
        finally:
            if self._stall_guard is not None:
                self._stall_guard.close()
                self._stall_guard = None
        await self._live.close(error, seconds, leaving=leaving)
        if supervisor is not None:
            supervisor.closed(self._live.closing_exc)

    def _live_ended(self, error: Exception) -> None:
        """End this connection with its live connection: there is no recovery."""
        self._ended.set()
        hooks = None if self._instruments is None else self._instruments.hooks
        if hooks is not None and self._live is not None:
            call_hook(self._live.loop, hooks.lost, error)

    def _require_live(self) -> LiveConnection:
        if self._live is None:
            raise _not_connected()
        if not self._is_entered:
            raise RuntimeError(
                f"{self!r} is not open: use it within async with ammoo.connect(…), or await its"
                " open() first"
            )
        return self._live

    # --- recovery ---

    async def ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  the documented way to bound it
        """Wait until the connection is open; return at once if it is.

        Args:
            timeout: How long to wait, in seconds; no limit by default.

        Raises:
            TimeoutError: The connection was not open in time.
            ConnectionClosed: The connection is closed for good.
        """
        live = self._require_live()
        if self._supervisor is None:
            live.raise_if_closed()
            return
        async with asyncio.timeout(timeout):
            await self._supervisor.state.wait_open()

    async def wait_closed(self) -> None:
        """Wait until the connection is closed for good; a recovery does not count."""
        self._require_live()
        if self._supervisor is not None:
            await self._supervisor.state.wait_closed()
        else:
            await self._ended.wait()

    def events(self) -> EventListener:
        """Return the events of the connection from now on, as an asynchronous iterator.

        The iterator ends after `ammoo.recovery.events.Closed`::

            async for event in connection.events():
                print(event)

        Raises:
            RuntimeError: The connection was made without ``recovery=``.
        """
        if self._supervisor is None:
            raise RuntimeError(
                f"{self!r} has no events, because it has no recovery: connect(…, recovery=Recovery())"
            )
        return self._supervisor.reports.listen()

    # --- operations ---

    def channel(
        self,
        *,
        prefetch_size: int | None = None,
        prefetch_count: int | None = None,
        body_encoding: str = "utf-8",
        reopen: bool = False,
        **publish_defaults: Unpack[MessageOptions],
    ) -> Channel:
        """Return a channel, which is opened when it is entered.

        ::

            channel = connection.channel(prefetch_count=10, persistent=True, content_type=True)

        Args:
            prefetch_size: As in `Channel.qos`, which is called when the channel is open. None for
                no call.
            prefetch_count: As in `Channel.qos`. None for no call.
            body_encoding: The encoding of text bodies where neither a message nor an argument names
                one; UTF-8 by default.
            reopen: Whether to open the channel again, with its modes and consumers, when the
                server closes it because of an error. The operation that caused the error raises
                it, and so do all that wait on the channel; see `AmmooError.recovered`. Requires
                recovery. False by default.
            publish_defaults: Keyword arguments of `Channel.publish`, for each message that is
                published on the channel by any method. A method's own argument overrides the
                default; None overrides it with no value. `mandatory`, `immediate` and
                `raise_returned` do not apply to replies.

        Raises:
            ValueError: reopen is given, and the connection has no recovery; or a default is
                invalid.
            TypeError: A default is unknown, or has a wrong type.
            RuntimeError: The connection was not entered.
            ConnectionClosed: The connection is closed.
        """
        live = self._require_live()
        if self.closing_exc is not None:
            raise self.closing_exc.with_traceback(None)
        if self._supervisor is None:
            live.raise_if_closed()
        return Channel(
            self,
            prefetch_size=prefetch_size,
            prefetch_count=prefetch_count,
            body_encoding=body_encoding,
            reopen=reopen,
            publish_defaults=PublishOptions(**publish_defaults),  # type: ignore[typeddict-item]  # all but json
        )

    def _new_channel_lifetime(
        self, channel: Channel, settings: ChannelSettings, body_encoding: str, *, reopen: bool
    ) -> ChannelLifetime:
        """Return the lifetime of a new channel; with recovery, one that survives a loss."""
        if self._supervisor is not None:
            timeout = self._parameters.operation_timeout
            return self._supervisor.new_channel(
                channel, settings, body_encoding, timeout, reopen=reopen
            )
        if reopen:
            raise ValueError("reopen=True needs a connection with recovery: connect(…, recovery=…)")
        return ChannelLifetime(settings, body_encoding, self._require_live)

    async def update_secret(self, new_secret: str, reason: str = "") -> None:
        """Send a new password or token before the old one expires (connection.update-secret).

        RabbitMQ's extension, made for OAuth 2 (https://www.rabbitmq.com/docs/oauth2). With
        recovery, later connections log in with it too. If the caller is cancelled, the new secret
        may be in use nevertheless.

        Args:
            new_secret: The new password or token.
            reason: The reason for the server's log; empty by default.

        Raises:
            ServerClosedConnection: The server refused the secret.
            OperationTimeout: The server did not answer in time.
            ConnectionClosed: The connection is closed.
        """
        live = self._require_live()
        if self._connector is not None:
            self._connector.hosts.change_password(new_secret)
        if self._supervisor is not None and self._supervisor.state.is_recovering:
            return  # the next connection logs in with it
        await live.update_secret(new_secret, reason)

    # --- blocked ---

    @property
    def blocked(self) -> str | None:
        """Why the server has blocked the connection (connection.blocked); None if not blocked.

        RabbitMQ's extension (https://www.rabbitmq.com/docs/connection-blocked): the server is short
        of memory or disk space, and accepts no messages. Publishes wait until it accepts them again.
        `add_blocked_callback`, `wait_blocked` and `wait_unblocked` report changes.
        """
        live = self._live
        if live is None or (self._supervisor is not None and live.closing_exc is not None):
            return None
        return live.blocking.reason

    async def wait_blocked(self) -> str:
        """Wait until the server has blocked the connection, and return its reason.

        Raises:
            ConnectionClosed: The connection was closed before that.
        """
        while True:
            live, supervisor = self._require_live(), self._supervisor
            try:
                if supervisor is not None:
                    live.raise_if_closed()
                return await live.blocking.wait_blocked()
            except ConnectionClosed:
                if supervisor is None:
                    raise
                await supervisor.state.wait_open()

    async def wait_unblocked(self) -> None:
        """Wait until the server has unblocked the connection; return at once if it is not blocked.

        Raises:
            ConnectionClosed: The connection was closed before that.
        """
        try:
            await self._require_live().blocking.wait_unblocked()
        except ConnectionClosed:
            if self._supervisor is None or self._supervisor.state.final is not None:
                raise
            # The next connection is not blocked.

    def add_blocked_callback(self, callback: BlockedCallback) -> None:
        """Call a function whenever the server blocks the connection, and when it unblocks it.

        For programs that reduce their load instead of waiting. The event loop calls the function in
        its next turn, so the function may use the connection; an exception that it raises goes to
        the loop's exception handler. It may be added before the connection is entered. The end of
        the connection is not reported.

        Args:
            callback: A plain function. It is called with the server's reason (connection.blocked),
                and with None when the server accepts messages again (connection.unblocked). To
                await something, it can create a task.

        Raises:
            TypeError: `callback` is not callable, or is a coroutine function, whose result no task
                would await.
        """
        if not callable(callback):
            raise TypeError(f"callback is {callback!r}; expected a function")
        if inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(
            type(callback).__call__
        ):
            raise TypeError(
                f"callback is the coroutine function {callback!r}; expected a plain function,"
                " which may call asyncio.create_task"
            )
        self._blocked_callbacks.append((callback, copy_context()))

    def remove_blocked_callback(self, callback: BlockedCallback) -> int:
        """Undo `add_blocked_callback`.

        Args:
            callback: The function; it need not have been added.

        Returns:
            How many times it had been added.
        """
        kept = [each for each in self._blocked_callbacks if each[0] != callback]
        removed = len(self._blocked_callbacks) - len(kept)
        self._blocked_callbacks = kept
        return removed

    def _call_blocked_callbacks(self, reason: str | None) -> None:
        loop = asyncio.get_running_loop()
        if self._supervisor is not None:
            self._supervisor.reports.blocked_changed(reason)
        if self._instruments is not None and self._instruments.hooks is not None:
            call_hook(loop, self._instruments.hooks.blocked, reason)
        for callback, context in self._blocked_callbacks:
            # Not the callback itself: asyncio's debug mode may raise an error about a callback,
            # and would raise it here, while the connection reads.
            loop.call_soon(_call, callback, reason, context=context)


def _not_connected() -> RuntimeError:
    """Return the error for a connection that `connect` has not made."""
    return RuntimeError("this Connection has no socket: await ammoo.connect(…) to get one that has")


def _call(callback: BlockedCallback, reason: str | None) -> None:
    callback(reason)
