"""`FakeBroker`: what users of this package hold in their hands.

It starts and stops a server around a node, in the running event loop or in a thread of its own,
and lets tests arrange things (alarms, time; users and the like in `administration.py`) and look
at what is there.
Everything can be called from any thread: it is done in the broker's own, and what is given back
are snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

from .administration import Administration
from .clock import ManualClock
from .node.node import DEFAULT_VIRTUALHOST, Limits, Node
from .rabbitmq.profiles import profile_named
from .snapshots import (
    ConnectionSnapshot,
    ExchangeSnapshot,
    MessageSnapshot,
    QueueSnapshot,
    look_at_connection,
    look_at_exchange,
    look_at_message,
    look_at_queue,
)

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from .queues.queue import Queue
    from .server import Server, ThreadedServer

__all__ = ["FakeBroker"]

_Result = TypeVar("_Result")


class FakeBroker(Administration):
    """A RabbitMQ look-alike.

    ``async with`` runs it in the current event loop, ``with`` in a thread of its own; a thread
    serves blocking clients and other processes as well. A broker can be started once.

    Args:
        host: The address to listen on.
        port: The port to listen on; 0 takes any that is free.
        compatibility: The RabbitMQ release to behave like, ``"4.0"`` or ``"3.10"``.
        clock: A `ManualClock`, to move by hand the time in which messages and queues expire;
            the real time if None. Heartbeats and time-outs of connections are always real.
            Several brokers can run on one clock.
        tls: Speak TLS with this server context.
        certificate_login: Which part of a client's certificate EXTERNAL takes for the user
            name, ``"distinguished_name"`` or ``"common_name"``.
        mechanisms: Names of the SASL mechanisms to offer, such as ``"EXTERNAL"`` and
            ``"RABBIT-CR-DEMO"``; what the release offers by itself if None.
        loopback_users: Who may log in from this machine only.
        limits: What to propose to clients (``channel_max``, ``frame_max``, ``heartbeat``,
            ``max_message_size``) and how long to wait for them (``handshake_timeout``,
            ``login_pause``, ``closing_timeout``, ``consumer_timeout``).

    Raises:
        ValueError: There is no such release or mechanism.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        compatibility: str = "4.0",
        clock: ManualClock | None = None,
        tls: ssl.SSLContext | None = None,
        certificate_login: str = "distinguished_name",
        mechanisms: Collection[str] | None = None,
        loopback_users: Collection[str] = ("guest",),
        **limits: Any,
    ) -> None:
        from .server import LoopClock, Server

        profile = profile_named(compatibility)
        loop_clock = LoopClock()
        limits.setdefault("max_message_size", profile.max_message_size)
        self._manual_clock = clock
        self._timeline = clock.timeline() if clock else None
        self._node = Node(
            profile,
            self._timeline or loop_clock,
            network_clock=loop_clock,
            limits=Limits(**limits),
            mechanisms=mechanisms,
            loopback_users=loopback_users,
        )
        self._server: Server = Server(
            self._node,
            loop_clock,
            host=host,
            port=port,
            tls=tls,
            certificate_login=certificate_login,
        )
        self._thread: ThreadedServer | None = None
        self._is_running = False

    # -- starting and stopping -----------------------------------------------------------------

    def __enter__(self) -> Self:
        from .server import ThreadedServer

        self._begin()
        self._thread = ThreadedServer(self._server)
        self._thread.start()
        self._started()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._thread is not None
        self._stopping()
        self._thread.stop()

    async def __aenter__(self) -> Self:
        self._begin()
        await self._server.start()
        self._started()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping()
        await self._server.stop()

    def _begin(self) -> None:
        if self._was_started:
            raise RuntimeError("a FakeBroker can be started once; make a new one")
        self._was_started = True

    _was_started = False

    def _started(self) -> None:
        self._is_running = True
        if self._manual_clock and self._timeline:
            self._manual_clock.attach(self._timeline, self._call)

    def _stopping(self) -> None:
        if self._manual_clock and self._timeline:
            self._manual_clock.detach(self._timeline)
        self._is_running = False

    def _call(self, function: Callable[[], _Result]) -> _Result:
        """Do something in the broker's thread; at once if it does not run."""
        return self._server.call(function) if self._is_running else function()

    # -- where it is ---------------------------------------------------------------------------

    def __repr__(self) -> str:
        if not self._was_started:
            return "<FakeBroker, not started>"
        state = "" if self._is_running else ", not running"
        return f"<FakeBroker {self._scheme}://{self._authority}{state}>"

    @property
    def _scheme(self) -> str:
        return "amqps" if self._server.uses_tls else "amqp"

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self._server.port}"

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self._server.host

    @property
    def port(self) -> int:
        """The port it listens on.

        Raises:
            RuntimeError: It takes any that is free, and has not been started.
        """
        self._check_port()
        return self._server.port

    def _check_port(self) -> None:
        if not self._server.port:
            raise RuntimeError(
                "the broker has no port before it is started: enter it first,"
                " with `with broker:` or `async with broker:`"
            )

    @property
    def url(self) -> str:
        """Where the user guest finds the default virtual host; see `url_for`."""
        return self.url_for()

    def url_for(
        self,
        user: str = "guest",
        password: str | None = None,
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> str:
        """Make a URL to connect with.

        Args:
            user: Who logs in.
            password: The password; by default the one the broker knows.
            virtualhost: The virtual host to open.

        Raises:
            LookupError: There is no such user, whose password could be looked up.
            RuntimeError: The broker has no port before it is started.
        """
        self._check_port()
        if password is None:
            password = self._call(lambda: self._node.users[user].password) or ""
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"{self._scheme}://{login}@{self._authority}/{quote(virtualhost, safe='')}"

    # -- arranging -----------------------------------------------------------------------------

    def block(self, reason: str = "low on memory") -> None:
        """Raise an alarm: who publishes is not listened to any more (connection.blocked).

        Args:
            reason: What clients are told; RabbitMQ has ``low on memory``, ``low on disk`` and, if
                it is short of both, ``low on disk & memory``.
        """
        self._call(lambda: self._node.raise_alarm(reason))

    def unblock(self) -> None:
        """End the alarm (connection.unblocked)."""
        self._call(self._node.clear_alarm)

    def close_connections(self, reason: str = "closed by the test") -> None:
        """Close all connections as an operator would (320, CONNECTION_FORCED)."""
        self._call(lambda: self._node.close_connections(reason))

    def cut_connections(self) -> None:
        """Close all sockets without a word, as a broken network would."""
        self._call(self._server.cut_connections)

    def advance(self, seconds: float) -> None:
        """Move the clock that was handed in, as `ManualClock.advance` does.

        What falls due is done before this returns, by all brokers that run on that clock.

        Args:
            seconds: How far.

        Raises:
            RuntimeError: The broker runs on real time.
            ValueError: The clock would go back.
        """
        if self._manual_clock is None:
            raise RuntimeError("the broker runs on real time; give it a ManualClock to move")
        self._manual_clock.advance(seconds)

    # -- looking -------------------------------------------------------------------------------

    @property
    def virtualhosts(self) -> tuple[str, ...]:
        """The names of all virtual hosts."""
        return self._call(lambda: tuple(self._node.virtualhosts))

    @property
    def connections(self) -> tuple[ConnectionSnapshot, ...]:
        """The open connections."""
        return self._call(
            lambda: tuple(
                look_at_connection(connection)
                for connection in self._node.connections
                if connection.is_open
            )
        )

    def queues(self, virtualhost: str = DEFAULT_VIRTUALHOST) -> dict[str, QueueSnapshot]:
        """Look at all queues of a virtual host, by name.

        Raises:
            LookupError: There is no such virtual host.
        """
        return self._call(
            lambda: {
                name: look_at_queue(queue)
                for name, queue in self._node.virtualhost(virtualhost).queues.items()
            }
        )

    def queue(self, name: str, virtualhost: str = DEFAULT_VIRTUALHOST) -> QueueSnapshot:
        """Look at a queue.

        Raises:
            LookupError: There is none of that name.
        """
        return self._call(lambda: look_at_queue(self._queue(name, virtualhost)))

    def messages(
        self, queue_name: str, virtualhost: str = DEFAULT_VIRTUALHOST
    ) -> list[MessageSnapshot]:
        """Look at the messages that wait in a queue, in order, and leave them there.

        Raises:
            LookupError: There is no queue of that name.
        """
        return self._call(
            lambda: [
                look_at_message(queued)
                for queued in self._queue(queue_name, virtualhost).ready_messages()
            ]
        )

    def exchanges(self, virtualhost: str = DEFAULT_VIRTUALHOST) -> dict[str, ExchangeSnapshot]:
        """Look at all exchanges of a virtual host, by name.

        Raises:
            LookupError: There is no such virtual host.
        """

        return self._call(
            lambda: {
                name: look_at_exchange(exchange)
                for name, exchange in self._node.virtualhost(virtualhost).exchanges.items()
            }
        )

    def _queue(self, name: str, virtualhost: str) -> Queue:
        try:
            return self._node.virtualhost(virtualhost).queues[name]
        except KeyError:
            raise LookupError(
                f"the broker has no queue {name!r} in virtual host {virtualhost!r}"
            ) from None
