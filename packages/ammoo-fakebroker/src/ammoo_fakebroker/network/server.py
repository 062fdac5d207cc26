"""The server, which listens on a socket in the running event loop.

It is a shell around the synchronous `node.Node`: it accepts clients, calls functions in the thread of
the loop, and supplies the node with a clock. `client_socket.py` moves the octets of a client;
`threaded_server.py` runs a server in a thread, for clients that block.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from errno import ECONNREFUSED
from functools import partial
from itertools import count
from typing import Any, TypeVar

from ..auth.login import Peer, is_loopback
from ..clocks.loop_clock import LoopClock
from ..connections.strike_points import StrikePoints
from ..history.last_octets import CONNECTIONS_LIMIT, LastOctets
from ..node.node import Node
from .client_socket import ClientSocket
from .draining import drain
from .memory_transport import MemoryTransport, open_memory_connection
from .sockets import Listener, hold_port

__all__ = ["Server"]

_Result = TypeVar("_Result")
_Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)

_ACCEPT_AGAIN = 1.0
"""Seconds until the next attempt after a client could not be accepted."""
_CALL_TIMEOUT = 30.0
"""Seconds after which a call into an event loop that does not run fails, instead of a test that hangs."""
_TLS_TIMEOUT = 5.0
"""Seconds that a TLS handshake may take, as RabbitMQ has it (ssl_handshake_timeout)."""
_SHORTEST_TLS_TIMEOUT = 0.001
"""Seconds; asyncio refuses a time-out of 0."""


class Server:
    """A node that listens in the running event loop.

    Args:
        node: The node that answers.
        clock: The clock that will use the loop's time.
        host: The address to listen on.
        port: The port; 0 for a free one.
        tls: The context to speak TLS with; None for plain TCP.
        certificate_login: Which part of a client's certificate is the user name:
            ``distinguished_name`` or ``common_name``.

    Attributes:
        is_up: Whether it has been started, and is not down between two starts.
        activity: A number that grows whenever a client arrives, sends or leaves.
        clients: The connected clients.
        on_change: Called when something may have changed, if a test waits; None otherwise.
        strike_points: The points at which faults strike, shared by all connections.
        thread_id: The thread that the server runs in.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        node: Node,
        clock: LoopClock,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        certificate_login: str = "distinguished_name",
    ) -> None:
        self.node = node
        self.host = host
        self.port: int = port
        self.activity: int = 0
        self.clients: dict[ClientSocket, None] = {}
        self.on_change: Callable[[], object] | None = None
        self.strike_points: StrikePoints = StrikePoints()
        self.thread_id: int = 0
        self._process_id = 0
        self._calls: set[concurrent.futures.Future[Any]] = set()
        self._clock = clock
        self._tls = tls
        self._certificate_login = certificate_login
        self._refuses = False
        self.is_up: bool = False
        self._holder: socket.socket | None = None
        self._listener: Listener | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._arriving: set[asyncio.Task[None]] = set()
        self._last_client_gone: asyncio.Future[None] | None = None
        self._memory_ports = count(1)
        self._last_octets: deque[LastOctets] = deque(maxlen=CONNECTIONS_LIMIT)

    @property
    def is_forked(self) -> bool:
        """Whether this process was forked from that of the loop."""
        return os.getpid() != self._process_id

    @property
    def has_clients(self) -> bool:
        """Whether clients are connected, or being accepted."""
        return bool(self.clients or self._arriving)

    @property
    def is_accepting(self) -> bool:
        """Whether the transport of an accepted client does not exist yet."""
        return bool(self._arriving)

    @property
    def uses_tls(self) -> bool:
        """Whether clients have to speak TLS."""
        return self._tls is not None

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: The address is not available.
        """
        self.loop = asyncio.get_running_loop()
        self._clock.attach(self.loop)
        self.thread_id = threading.get_ident()
        self._process_id = os.getpid()
        self.is_up = True
        with self._naming_address():
            self._holder = hold_port(self.host, self.port)
        if self._holder is not None:
            self.port = self._holder.getsockname()[1]
        try:
            self.listen()
        except OSError:
            self._release_port()
            self.listen()
        self._listen_if_wanted()  # a fault that was made before the start may refuse clients

    def listen(self) -> None:
        """Accept clients, at the same port as before.

        Raises:
            OSError: The address is not available.
        """
        if self._listener is None:
            with self._naming_address():
                self._listener = Listener(self.host, self.port)
            self.port = self._listener.getsockname()[1]
            self._accepting = self.loop.create_task(self._accept(self._listener))

    @contextlib.contextmanager
    def _naming_address(self) -> Iterator[None]:
        """Name the address in an error of the system, which says only what is wrong with it."""
        try:
            yield
        except OSError as error:
            reason = str(error.strerror).partition(" (while")[0]  # the address is named once
            text = f"the broker cannot listen on {self.host}, port {self.port}: {reason}"
            raise OSError(error.errno, text) from None

    def stop_listening(self) -> None:
        """Refuse new clients, and keep the port; connected clients stay."""
        if self._listener is not None:
            assert self._accepting is not None
            self._accepting.cancel()
            with contextlib.suppress(NotImplementedError):  # Windows' loop has no readers
                self.loop.remove_reader(self._listener.fileno())  # now: a client may get it next
            for task in self._arriving:
                task.cancel()
            self._listener.close()
            self._listener = None

    @property
    def refuses_connections(self) -> bool:
        """Whether a fault has stopped it from listening."""
        return self._refuses

    @refuses_connections.setter
    def refuses_connections(self, refuses: bool) -> None:
        self._refuses = refuses
        self._listen_if_wanted()

    def _listen_if_wanted(self) -> None:
        if self.is_up and not self._refuses:
            self.listen()
        else:
            self.stop_listening()

    def go_down(self, *, politely: bool) -> None:
        """Close all connections, and refuse others until `come_up`; the port is kept.

        Args:
            politely: Whether to close connections (320); else their sockets end with a reset.
        """
        self.is_up = False
        self._listen_if_wanted()
        self.node.go_down(politely=politely)
        for client in list(self.clients):
            if politely:
                client.close_at_once()
            else:
                client.cut(reset=True)

    def come_up(self) -> None:
        """Accept clients again."""
        self.is_up = True
        self._listen_if_wanted()
        self.node.come_up()

    def _release_port(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    async def _accept(self, listener: Listener) -> None:
        """Accept clients until the server is stopped."""
        while True:
            try:
                accepted, _ = await self.loop.sock_accept(listener)
            except OSError as error:  # no file descriptors left; the client waits in the backlog
                self.loop.call_exception_handler({"message": "cannot accept", "exception": error})
                await asyncio.sleep(_ACCEPT_AGAIN)
                continue
            self.note_activity()
            task = self.loop.create_task(self._welcome(accepted, listener))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    async def _welcome(self, accepted: socket.socket, listener: Listener) -> None:
        """Create the transport of an accepted client; ignore a client that fails at TLS."""
        listener.unattended.discard(accepted)
        with contextlib.suppress(OSError):
            await self.loop.connect_accepted_socket(
                lambda: ClientSocket(self),
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=self._tls_timeout if self._tls else None,
            )

    @property
    def _tls_timeout(self) -> float:
        return max(min(self.node.limits.handshake_timeout, _TLS_TIMEOUT), _SHORTEST_TLS_TIMEOUT)

    async def connect_in_memory(
        self, protocol_factory: Callable[[], _Protocol]
    ) -> tuple[MemoryTransport, _Protocol]:
        """Connect a client in this event loop, without a socket.

        Args:
            protocol_factory: Returns the client's protocol.

        Returns:
            The client's transport and protocol.

        Raises:
            ConnectionRefusedError: The server does not listen.
        """
        if self._listener is None:
            raise ConnectionRefusedError(ECONNREFUSED, os.strerror(ECONNREFUSED))
        return await open_memory_connection(
            protocol_factory,
            lambda: ClientSocket(self),
            client_address=("127.0.0.1", next(self._memory_ports)),
            server_address=("127.0.0.1", self.port),
        )

    async def stop(self) -> None:
        """Stop listening, close the connections, and close the sockets without waiting."""
        assert self._accepting is not None
        arriving = [self._accepting, *self._arriving]
        for task in arriving:
            task.cancel()
        try:
            await asyncio.gather(*arriving, return_exceptions=True)
        finally:  # even if this task is cancelled
            self._close()
        if self._last_client_gone is not None:
            await self._last_client_gone

    def _close(self) -> None:
        """Stop listening, and begin to close all sockets."""
        self.stop_listening()
        self._release_port()
        self.node.shut_down()
        if self.clients:
            self._last_client_gone = self.loop.create_future()
            for client in list(self.clients):
                client.close_at_once()

    def add_client(self, client: ClientSocket) -> None:
        """Add a client that has connected."""
        self.clients[client] = None
        self.note_activity()

    def remove_client(self, client: ClientSocket) -> None:
        """Remove a client whose socket is closed."""
        self.clients.pop(client, None)
        if client.last_octets is not None:
            client.last_octets.identity = client.connection.identity
            client.last_octets.is_open = False
        gone = self._last_client_gone
        if not self.clients and gone is not None and not gone.done():
            gone.set_result(None)

    def new_last_octets(self) -> LastOctets | None:
        """Return a new record of the last octets of a client; None if history is off."""
        if self.node.history is None:
            return None
        if len(self._last_octets) == CONNECTIONS_LIMIT:
            self._last_octets[0].forget()
        self._last_octets.append(LastOctets(self.node.limits.frame_max))
        return self._last_octets[-1]

    def last_octets(self) -> list[LastOctets]:
        """Return the last octets of the last connections, the oldest connection first."""
        for client in self.clients:
            if client.last_octets is not None:
                client.last_octets.identity = client.connection.identity
        return list(self._last_octets)

    def note_activity(self) -> None:
        """Record that a client has connected, sent octets or left."""
        self.activity += 1
        if self.on_change is not None:
            self.on_change()

    def watch(self, on_change: Callable[[], object] | None) -> None:
        """Call a function whenever something may have changed; None to stop calling it."""
        self.on_change = self._clock.on_change = on_change

    def awaits_octets(self) -> bool:
        """Return whether a client has sent only a part of a message so far."""
        return any(client.awaits_octets for client in self.clients)

    def is_current_thread(self) -> bool:
        """Return whether the caller is in the thread of the loop, and not in a fork of it."""
        return threading.get_ident() == self.thread_id and not self.is_forked

    def call(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the thread of the loop, and wait for its result.

        If the caller is in another thread, the loop first reads the octets that clients have sent.

        Raises:
            RuntimeError: The loop is closed or does not run, or this is a forked process.
        """
        if self.is_current_thread():
            return self._change(function)
        result = self.submit(function)
        try:
            return result.result(_CALL_TIMEOUT)
        except TimeoutError:
            if not result.cancel():
                return result.result()
        except BaseException:  # a signal; the function must not be called later
            result.cancel()
            raise
        raise RuntimeError(
            f"the event loop that the broker runs in has not run for {_CALL_TIMEOUT:g} s: it is"
            " stopped, or blocked by what one of its tasks waits for"
        )

    def submit(self, function: Callable[[], _Result]) -> concurrent.futures.Future[_Result]:
        """Call a function in the thread of the loop, after the loop has read what clients sent.

        Raises:
            RuntimeError: The loop is closed, or this is a forked process.
        """
        self._check_loop()
        result: concurrent.futures.Future[_Result] = concurrent.futures.Future()
        self._calls.add(result)
        result.add_done_callback(self._calls.discard)
        resolve = partial(_resolve, result, partial(self._change, function))
        self.loop.call_soon_threadsafe(drain, self.loop, self, resolve)
        return result

    def fail_calls(self) -> None:
        """Fail the calls that the loop has not made; call it when the loop is closed."""
        for result in self._calls.copy():
            if result.set_running_or_notify_cancel():
                result.set_exception(RuntimeError("the broker was stopped during the call"))

    def _check_loop(self) -> None:
        """Check that the loop can make calls.

        Raises:
            RuntimeError: It is closed, or this process was forked from that of the loop.
        """
        if self.is_forked:
            raise RuntimeError(
                f"the broker runs in process {self._process_id}, and this is a fork of it"
                f" ({os.getpid()}): connect clients here, and call the broker's methods there"
            )
        if self.loop.is_closed():
            raise RuntimeError(
                "the event loop that the broker runs in is closed; leave `async with FakeBroker()`"
                " before the loop ends"
            )

    def _change(self, function: Callable[[], _Result]) -> _Result:
        result = function()
        if self.on_change is not None:
            self.on_change()
        return result

    def cut_connections(self) -> None:
        """Close all clients' sockets at once, without a connection.close."""
        for client in list(self.clients):
            client.abort()

    def peer_of(self, transport: asyncio.BaseTransport) -> Peer:
        """Return the address and the certificate of the client of a transport."""
        host, port = (transport.get_extra_info("peername") or ("127.0.0.1", 0))[:2]
        own_host, own_port = (transport.get_extra_info("sockname") or ("127.0.0.1", 0))[:2]
        return Peer(
            host,
            port,
            is_loopback=is_loopback(host),
            certificate_name=_certificate_name(
                transport.get_extra_info("peercert"), self._certificate_login
            ),
            broker_address=f"{own_host}:{own_port}",
        )


def _resolve(result: concurrent.futures.Future[_Result], function: Callable[[], _Result]) -> None:
    if not result.set_running_or_notify_cancel():
        return
    try:
        result.set_result(function())
    except BaseException as error:  # noqa: BLE001  raised again where the result is awaited
        result.set_exception(error)


_ATTRIBUTES = {
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "commonName": "CN",
    "emailAddress": "emailAddress",
}


def _certificate_name(certificate: dict[str, Any] | None, part: str) -> str | None:
    """Return the user name in a client's certificate: its subject (RFC 4514) or its CN."""
    if not certificate:
        return None
    pairs = [pair for names in certificate["subject"] for pair in names]
    if part == "common_name":
        return next((value for name, value in pairs if name == "commonName"), None)
    return ",".join(f"{_ATTRIBUTES.get(name, name)}={value}" for name, value in reversed(pairs))
