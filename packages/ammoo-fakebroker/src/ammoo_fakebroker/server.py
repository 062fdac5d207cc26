"""The server, which listens on a socket, with asyncio and threads.

`Server` listens in the running event loop; `ThreadedServer` runs one in a daemon thread with another
event loop, for clients that block. Both are shells around the synchronous `node.Node`: they move
octets between sockets and connections, and supply the node with a clock.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import socket
import ssl
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from errno import ECONNREFUSED
from functools import partial
from itertools import count
from typing import Any, Protocol, TypeVar, cast

from .auth.login import Peer, is_loopback
from .clock import Timer
from .connections.connection import Connection
from .connections.octet_path import OctetPath
from .connections.strike_points import StrikePoints
from .draining import drain
from .history.last_octets import CONNECTIONS_LIMIT, LastOctets
from .memory_transport import MemoryTransport, open_memory_connection
from .node.node import Node

__all__ = ["LoopClock", "Runnable", "Server", "ThreadedServer"]

_Result = TypeVar("_Result")
_Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)

_STOP_TIMEOUT = 10.0
_ACCEPT_AGAIN = 1.0
_MOMENT = 0.001
"""Seconds before the broker sends an error for a method that has no answer.

RabbitMQ needs 0.1 to 0.2 ms for such an error, and the client sends its next commands before that.
Event loops wait for whole milliseconds.
"""
_TLS_TIMEOUT = 5.0
"""Seconds that a TLS handshake may take, as RabbitMQ has it (ssl_handshake_timeout)."""
_LINGER = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)
"""The value of SO_LINGER with which a socket ends with a reset, as RabbitMQ's sockets do."""
_NO_LINGER = struct.pack("HH" if sys.platform == "win32" else "ii", 0, 0)
"""The value of SO_LINGER with which a socket ends with a FIN."""


class LoopClock:
    """The time of the event loop that a server runs in, which may be virtual.

    Before the start, without a loop, it is real time.

    Attributes:
        on_change: Called when a timer has made its call, if a test waits; None otherwise.
    """

    def __init__(self) -> None:
        self.on_change: Callable[[], object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_time: Callable[[], float] = time.monotonic
        self._ahead = 0.0  # difference to the loop's time: the clock must not jump at the start
        self._epoch = time.time() - time.monotonic()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use the time and the timers of a loop from now on."""
        self._ahead = self.time() - loop.time()
        self._loop_time = loop.time
        self._loop = loop

    def time(self) -> float:
        """Return seconds that never decrease, at the speed of the loop's time."""
        return self._loop_time() + self._ahead

    def timestamp(self) -> float:
        """Return the seconds since 1970, at the speed of the loop's time."""
        return self._epoch + self.time()

    def call_later(
        self, delay: float, callback: Callable[[], object], *, only_looks: bool = False
    ) -> Timer:
        """Call `callback` from the loop, in `delay` seconds."""
        if self._loop is None:
            raise RuntimeError("the broker has not been started; its clock does not run yet")
        return self._loop.call_later(delay, self._run, callback)

    def _run(self, callback: Callable[[], object]) -> None:
        callback()
        if self.on_change is not None:
            self.on_change()


class _Client(asyncio.BufferedProtocol):
    """One client's socket: octets in, octets out, one write per turn of the loop."""

    _transport: asyncio.Transport
    _connection: Connection

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = server.loop
        self._is_awake = False
        self._is_closing = False
        self._late_flush: asyncio.TimerHandle | None = None
        self._path: OctetPath | None = None
        self._reads_into_path = False
        self._is_reading = True
        self._is_stopped = False
        self._is_over = False
        self.last_octets: LastOctets | None = None

    @property
    def connection(self) -> Connection:
        """The connection of the client."""
        return self._connection

    # -- called by asyncio ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connection = Connection(
            self._server.node, self, self._server.peer_of(transport), self._server.strike_points
        )
        self.last_octets = self._server.new_last_octets()
        self._server.clients[self] = None
        self._server.note_activity()
        accept = self._server.strike_points.accept
        if accept is not None:
            accept(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        self._reads_into_path = self._path is not None
        if self._path is not None:
            buffer = self._path.get_buffer()
        else:
            buffer = self._connection.get_buffer(sizehint)
        if self.last_octets is not None:
            self.last_octets.buffer = buffer
        return buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.last_octets is not None:
            self.last_octets.client_wrote(nbytes)
        self._server.note_activity()  # first: a test may look as soon as its client is answered
        self._is_awake = True  # queued octets are written at the end of this call
        if self._late_flush is not None:
            self._late_flush.cancel()
            self._late_flush = None
        if self._reads_into_path and self._path is not None:
            self._path.received(nbytes)
        else:
            self._connection.buffer_updated(nbytes)
        if self._late_flush is None:
            self._flush()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_awake = True  # the socket is closed: nothing can be written
        if self._late_flush is not None:
            self._late_flush.cancel()
        self._connection.disconnected()
        self._server.remove_client(self)
        self._server.note_activity()

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    # -- called by the connection (see `transport.Transport`) ---------------------------------

    def wake(self) -> None:
        if not self._is_awake:
            self._is_awake = True
            self._loop.call_soon(self._flush)

    def wake_later(self) -> None:
        if self._late_flush is None:
            self._is_awake = True
            self._late_flush = self._loop.call_later(_MOMENT, self._flush)

    def unwritten_size(self) -> int:
        kept = 0 if self._path is None else self._path.kept_size
        return self._transport.get_write_buffer_size() + kept

    def close(self) -> None:
        self._is_closing = True
        self.wake()

    def abort(self) -> None:
        if self._path is not None and self._path.is_silent:
            self._is_over = True  # the client must not see the end
            self._connection.disconnected()
        else:
            self._transport.abort()

    def pause_reading(self) -> None:
        self._is_reading = False
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._is_reading = True
        if not self._transport.is_closing() and not self._is_stopped:
            self._transport.resume_reading()

    # -- called by faults ----------------------------------------------------------------------

    @property
    def path(self) -> OctetPath:
        """The path of the client's octets, on which faults can put stages."""
        if self._path is None:
            self._path = OctetPath(self._write, self._receive)
        return self._path

    def leave_path(self) -> None:
        """Move octets directly again if no fault has a stage on their path; write queued octets."""
        if self._path is not None and self._path.is_straight:
            self._path = None
            self.wake()

    def _write(self, octets: bytes) -> None:
        if not self._transport.is_closing():
            if self.last_octets is not None:
                self.last_octets.broker_wrote(octets)
            self._transport.write(octets)
            if self._is_closing:
                self.wake()  # these may have been the last octets that a fault has kept

    def _receive(self, octets: bytes) -> None:
        if not self._is_over and not self._transport.is_closing():
            self._connection.receive_data(octets)
            self._server.note_activity()

    def stop_reading(self, *, is_stopped: bool) -> None:
        """Read nothing from the socket, or read again."""
        self._is_stopped = is_stopped
        if is_stopped:
            self._transport.pause_reading()
        elif self._is_reading:
            self.resume_reading()

    def cut(self, *, reset: bool) -> None:
        """Write the queued octets and close the socket, without a connection.close.

        Args:
            reset: Whether to end with a reset; else with a FIN.
        """
        if self._transport.is_closing():
            return
        own = self._transport.get_extra_info("socket")
        if own is not None:
            linger = _LINGER if reset else _NO_LINGER
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif isinstance(self._transport, MemoryTransport):
            self._transport.ends_with_reset = reset
        if self._transport.get_write_buffer_size():
            self._transport.close()
        else:
            self._transport.abort()

    def _flush(self) -> None:
        self._is_awake = False
        self._late_flush = None
        if self._transport.is_closing():
            return
        data = self._connection.data_to_send()
        if data:
            if self._path is None:
                if self.last_octets is not None:
                    self.last_octets.broker_wrote(data)
                self._transport.write(data)
            else:
                self._path.send("client", bytes(data))
        self._connection.written()
        on_change = self._server.on_change
        if on_change is not None:
            on_change()
        if self._is_closing and not self._connection.has_data_to_send and self._may_end:
            self._transport.close()

    @property
    def _may_end(self) -> bool:
        """Whether no fault keeps octets for the client, or the end of its socket."""
        return self._path is None or not (self._path.kept_size or self._path.is_silent)

    @property
    def awaits_octets(self) -> bool:
        """Whether the client has sent only a part of a message so far."""
        return self._connection.awaits_octets

    def close_at_once(self) -> None:
        """Write as much as the socket accepts at once, and close it without waiting."""
        self._flush()
        self._transport.abort() if self._transport.get_write_buffer_size() else self._close()

    def _close(self) -> None:
        if self._server.uses_tls:
            self._transport.abort()  # closing TLS would wait for the client
        else:
            self._transport.close()


def _hold_port(host: str, port: int) -> socket.socket | None:
    """Bind a socket that never listens, to keep a port while the server does not listen.

    Without this socket another program may get the port. A client that connects may even get it as
    its own port, and be connected to itself. On Windows other programs could still take the port, and
    some systems allow only one socket for a port; the port is not held there.

    Returns:
        The socket; None if the port cannot be held.

    Raises:
        OSError: The address is not available.
    """
    if sys.platform == "win32":
        return None
    holder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, port))
    except BaseException:
        holder.close()
        raise
    return holder


class _Listener(socket.socket):
    """A listening socket that remembers the accepted sockets that have no transport yet.

    Several turns of the event loop lie between accept and the transport. A task that is cancelled
    in one of them loses the socket: neither `asyncio.Server` nor `loop.sock_accept` closes it.
    """

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family, backlog=128)
        super().__init__(fileno=bound.detach())
        self.setblocking(False)
        self.unattended: set[socket.socket] = set()

    def accept(self) -> tuple[socket.socket, Any]:
        accepted, address = super().accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        self.unattended.add(accepted)
        return accepted, address

    def close(self) -> None:
        while self.unattended:
            self.unattended.pop().close()
        super().close()


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
        self.clients: dict[_Client, None] = {}
        self.on_change: Callable[[], object] | None = None
        self.strike_points: StrikePoints = StrikePoints()
        self.thread_id: int = 0
        self._clock = clock
        self._tls = tls
        self._certificate_login = certificate_login
        self._refuses = False
        self.is_up: bool = False
        self._holder: socket.socket | None = None
        self._listener: _Listener | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._arriving: set[asyncio.Task[None]] = set()
        self._last_client_gone: asyncio.Future[None] | None = None
        self._memory_ports = count(1)
        self._last_octets: deque[LastOctets] = deque(maxlen=CONNECTIONS_LIMIT)

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
        self.is_up = True
        self._holder = _hold_port(self.host, self.port)
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
            self._listener = _Listener(self.host, self.port)
            self.port = self._listener.getsockname()[1]
            self._accepting = self.loop.create_task(self._accept(self._listener))

    def stop_listening(self) -> None:
        """Refuse new clients, and keep the port; connected clients stay."""
        if self._listener is not None:
            assert self._accepting is not None
            self._accepting.cancel()
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

    async def _accept(self, listener: _Listener) -> None:
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

    async def _welcome(self, accepted: socket.socket, listener: _Listener) -> None:
        """Create the transport of an accepted client; ignore a client that fails at TLS."""
        listener.unattended.discard(accepted)
        with contextlib.suppress(OSError):
            await self.loop.connect_accepted_socket(
                lambda: _Client(self),
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=self._tls_timeout if self._tls else None,
            )

    @property
    def _tls_timeout(self) -> float:
        return max(min(self.node.limits.handshake_timeout, _TLS_TIMEOUT), _MOMENT)

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
            lambda: _Client(self),
            client_address=("127.0.0.1", next(self._memory_ports)),
            server_address=("127.0.0.1", self.port),
        )

    async def stop(self) -> None:
        """Stop listening, close the connections, and close the sockets without waiting."""
        assert self._accepting is not None
        arriving = [self._accepting, *self._arriving]
        for task in arriving:
            task.cancel()
        await asyncio.gather(*arriving, return_exceptions=True)
        self.stop_listening()
        self._release_port()
        self.node.shut_down()
        if self.clients:
            self._last_client_gone = self.loop.create_future()
            for client in list(self.clients):
                client.close_at_once()
            await self._last_client_gone

    def remove_client(self, client: _Client) -> None:
        """Remove a client whose socket is closed."""
        self.clients.pop(client, None)
        if client.last_octets is not None:
            client.last_octets.identity = client.connection.identity
            client.last_octets.is_open = False
        gone = self._last_client_gone
        if not self.clients and gone is not None and not gone.done():
            gone.set_result(None)

    def new_last_octets(self) -> LastOctets | None:
        """Return what is to keep the last octets of a client; None if history is off."""
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
        """Return whether the caller is in the thread of the loop."""
        return threading.get_ident() == self.thread_id

    def call(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the thread of the loop, and wait for its result.

        If the caller is in another thread, the loop first reads the octets that clients have sent.
        """
        if self.is_current_thread():
            return self._change(function)
        return self.submit(function).result()

    def submit(self, function: Callable[[], _Result]) -> concurrent.futures.Future[_Result]:
        """Call a function in the thread of the loop, after the loop has read what clients sent."""
        result: concurrent.futures.Future[_Result] = concurrent.futures.Future()
        resolve = partial(_resolve, result, partial(self._change, function))
        self.loop.call_soon_threadsafe(drain, self.loop, self, resolve)
        return result

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


class Runnable(Protocol):
    """A server, or several, that can be started and stopped in an event loop."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it runs in; valid once it is started."""
        ...

    async def start(self) -> None:
        """Begin to listen."""

    async def stop(self) -> None:
        """Stop listening, and close all connections."""


class ThreadedServer:
    """A server in a daemon thread, with another event loop.

    Args:
        server: The server to run there.
    """

    def __init__(self, server: Runnable) -> None:
        self._server = server
        self._started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run()), name="ammoo-fakebroker", daemon=True
        )

    def start(self) -> None:
        """Start the thread, and wait until the server listens.

        Raises:
            OSError: The address is not available.
        """
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self._thread.join(_STOP_TIMEOUT)
            raise

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        try:
            await self._server.start()
        except BaseException as error:  # noqa: BLE001  raised again by start()
            self._started.set_exception(error)
            return
        self._started.set_result(None)
        await self._stop.wait()
        await self._server.stop()

    def stop(self) -> None:
        """Stop the server, and wait until the thread has ended.

        Raises:
            RuntimeError: The thread has not ended in time.
        """
        assert self._stop is not None
        self._server.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STOP_TIMEOUT)
        if self._thread.is_alive():
            raise RuntimeError(
                f"the fake broker's thread did not end within {_STOP_TIMEOUT:g} seconds"
            )
