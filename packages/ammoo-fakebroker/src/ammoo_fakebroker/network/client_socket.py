"""One client's socket: it moves octets between asyncio's transport and the client's connection.

It writes once in each turn of the event loop, and leads the octets through the stages of faults, if
there are any.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

from ..connections.connection import Connection
from ..connections.octet_path import OctetPath
from .memory_transport import MemoryTransport
from .sockets import ENDS_WITH_FIN, ENDS_WITH_RESET

if TYPE_CHECKING:
    from ..auth.login import Peer
    from ..connections.strike_points import StrikePoints
    from ..history.last_octets import LastOctets
    from ..node.node import Node

__all__ = ["ClientSocket"]

_MOMENT = 0.001
"""Seconds before the broker sends an error for a method that has no answer.

RabbitMQ needs 0.1 to 0.2 ms for such an error, and the client sends its next commands before that.
Event loops wait for whole milliseconds.
"""


class SocketOwner(Protocol):
    """What a client's socket asks of its server."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the server runs in."""
        ...

    @property
    def node(self) -> Node:
        """The node that answers."""
        ...

    @property
    def strike_points(self) -> StrikePoints:
        """The points at which faults strike."""
        ...

    @property
    def uses_tls(self) -> bool:
        """Whether clients have to speak TLS."""
        ...

    @property
    def on_change(self) -> Callable[[], object] | None:
        """Called when something may have changed, if a test waits; None otherwise."""
        ...

    def peer_of(self, transport: asyncio.BaseTransport) -> Peer:
        """Return the address and the certificate of the client of a transport."""
        ...

    def new_last_octets(self) -> LastOctets | None:
        """Return a record of the last octets of a client; None if history is off."""
        ...

    def add_client(self, client: ClientSocket) -> None:
        """Add a client that has connected."""

    def remove_client(self, client: ClientSocket) -> None:
        """Remove a client whose socket is closed."""

    def note_activity(self) -> None:
        """Record that a client has connected, sent octets or left."""


class ClientSocket(asyncio.BufferedProtocol):
    """One client's socket: octets in, octets out, one write per turn of the loop."""

    _transport: asyncio.Transport
    _connection: Connection

    def __init__(self, server: SocketOwner) -> None:
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
        self._server.add_client(self)
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
            linger = ENDS_WITH_RESET if reset else ENDS_WITH_FIN
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
