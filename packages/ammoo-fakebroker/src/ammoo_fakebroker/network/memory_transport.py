"""Connections in memory: two transports that are each other's far end, without a socket.

Both ends live in one event loop. What one end writes, the other reads in a later turn of the loop,
as octets of a stream and not as messages. Pausing, write limits, end of file, closing and aborting
work as over TCP; a protocol sees no difference, except that `get_extra_info` has no socket. This
module knows nothing of AMQP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from errno import ECONNRESET
from os import strerror
from typing import Any, TypeVar, cast

__all__ = ["MemoryTransport", "connect_transports", "open_memory_connection"]

_Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)

_SOCKET_BUFFER = 262_144
"""Octets that wait at the reader's side before a writer has to keep them, as sockets' buffers do."""
_READ_SIZE = 262_144
"""Octets that one turn of the loop reads at most, as asyncio's socket transports do."""
_HIGH_WATER = 65_536
"""Octets that a writer keeps before it pauses its protocol, by default (asyncio's)."""


class MemoryTransport(asyncio.Transport):
    """One end of a connection in memory.

    Args:
        loop: The event loop of both ends.
        protocol: The protocol that reads and writes at this end.
        extra: The values of `get_extra_info`, such as ``peername``.
        ends_with_reset: Whether `close` is a reset for the far end, as on a socket with SO_LINGER 0.
    """

    _peer: MemoryTransport

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.BaseProtocol,
        extra: dict[str, Any],
        *,
        ends_with_reset: bool = False,
    ) -> None:
        super().__init__(extra)
        self.ends_with_reset = ends_with_reset
        self._loop = loop
        self._protocol = protocol
        self._incoming = bytearray()
        self._end_of_incoming: Exception | str = ""  # "eof", or what resets the connection
        self._is_connected = False
        self._is_reading = True
        self._is_scheduled = False
        self._is_closing = False
        self._has_written_eof = False
        self._is_writing_paused = False
        self._high = _HIGH_WATER
        self._low = _HIGH_WATER // 4

    def __repr__(self) -> str:
        state = "closing" if self._is_closing else "open"
        return f"<MemoryTransport to {self.get_extra_info('peername')}, {state}>"

    def connected(self) -> None:
        """Call the protocol's `connection_made`, and read from now on."""
        self._is_connected = True
        self._protocol.connection_made(self)
        self._read_soon()

    # -- reading -------------------------------------------------------------------------------

    def is_reading(self) -> bool:
        """Return whether arriving octets are passed to the protocol."""
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        """Stop passing arriving octets to the protocol."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """Read again."""
        if not self._is_closing:
            self._is_reading = True
            self._read_soon()

    def _read_soon(self) -> None:
        if self._is_connected and not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._read)

    def _read(self) -> None:
        """Read as much as one turn of the loop reads; the next turn reads the rest."""
        self._is_scheduled = False
        if not self.is_reading():
            return
        try:
            if self._incoming:
                self._pass_on()
                self._peer._resume_writing_soon()
                self._read_soon()
            elif self._end_of_incoming:
                self._pass_on_end()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  reported to the loop, as asyncio does
            self._fail(error)

    def _pass_on(self) -> None:
        protocol = self._protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            buffer = memoryview(protocol.get_buffer(-1))
            size = min(len(buffer), len(self._incoming), _READ_SIZE)
            buffer[:size] = self._take(size)
            protocol.buffer_updated(size)
        else:
            data = self._take(min(len(self._incoming), _READ_SIZE))
            cast(asyncio.Protocol, protocol).data_received(data)

    def _take(self, size: int) -> bytes:
        data = bytes(memoryview(self._incoming)[:size])
        del self._incoming[:size]
        return data

    def _pass_on_end(self) -> None:
        end, self._end_of_incoming = self._end_of_incoming, ""
        if isinstance(end, Exception):
            self._end(end)
            return
        protocol = cast(asyncio.Protocol, self._protocol)
        if not protocol.eof_received():
            self.close()

    def _fail(self, error: BaseException) -> None:
        self._loop.call_exception_handler(
            {
                "message": "Fatal error: a protocol failed to read from memory",
                "exception": error,
                "transport": self,
                "protocol": self._protocol,
            }
        )
        self._abort(error if isinstance(error, Exception) else None)

    # -- writing -------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send octets to the far end.

        Raises:
            RuntimeError: `write_eof` was called before.
        """
        if self._has_written_eof:
            raise RuntimeError("cannot write to a connection in memory after write_eof()")
        if self._is_closing or not data:
            return
        peer = self._peer
        if peer._is_closing:
            if not self._is_reading:  # a reading end will see the end itself
                self._end(_reset())
            return
        peer._incoming += data
        peer._read_soon()
        if self.get_write_buffer_size() > self._high and not self._is_writing_paused:
            self._is_writing_paused = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """Return True: each direction can end separately."""
        return True

    def write_eof(self) -> None:
        """End this direction; the far end reads what was written, then the end of file."""
        if not self._is_closing and not self._has_written_eof:
            self._has_written_eof = True
            self._peer._ends_with("eof")

    def _ends_with(self, end: Exception | str) -> None:
        self._end_of_incoming = end
        self._read_soon()

    def get_write_buffer_size(self) -> int:
        """Return how many octets the far end has no room for yet."""
        return max(len(self._peer._incoming) - _SOCKET_BUFFER, 0)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the low and the high limit, in octets."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set how many octets are kept before the protocol is paused, and how few resume it.

        Raises:
            ValueError: `high` is lower than `low`, or `low` is negative.
        """
        if high is None:
            high = _HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high is {high!r} and low {low!r}; expected high >= low >= 0")
        self._high, self._low = high, low

    def _resume_writing_soon(self) -> None:
        if self._is_writing_paused and self.get_write_buffer_size() <= self._low:
            self._loop.call_soon(self._resume_writing)

    def _resume_writing(self) -> None:
        if self._is_writing_paused and not self._is_closing:
            self._is_writing_paused = False
            self._protocol.resume_writing()

    # -- the end -------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        """Return whether the end of the connection has begun."""
        return self._is_closing

    def close(self) -> None:
        """Close both directions; the far end reads first what was written."""
        if not self._is_closing:
            self._peer._ends_with(_reset() if self.ends_with_reset else "eof")
            self._end(None)

    def abort(self) -> None:
        """Close at once: octets that the far end had no room for are lost, and it sees a reset."""
        self._abort(None)

    def _abort(self, error: Exception | None) -> None:
        if not self._is_closing:
            del self._peer._incoming[_SOCKET_BUFFER:]
            self._peer._ends_with(_reset())
            self._end(error)

    def _end(self, error: Exception | None) -> None:
        self._is_closing = True
        self._incoming.clear()
        self._loop.call_soon(self._protocol.connection_lost, error)

    # -- the protocol --------------------------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Use another protocol at this end from now on."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol at this end."""
        return self._protocol


def _reset() -> ConnectionResetError:
    return ConnectionResetError(ECONNRESET, strerror(ECONNRESET))


def connect_transports(one: MemoryTransport, other: MemoryTransport) -> None:
    """Make two transports each other's far end, before either is used."""
    one._peer, other._peer = other, one


async def open_memory_connection(
    client_factory: Callable[[], _Protocol],
    server_factory: Callable[[], asyncio.BaseProtocol],
    *,
    client_address: tuple[str, int],
    server_address: tuple[str, int],
) -> tuple[MemoryTransport, _Protocol]:
    """Connect two protocols in the running event loop.

    Args:
        client_factory: Returns the protocol of the end that connects.
        server_factory: Returns the protocol of the end that is connected to.
        client_address: The host and port that the server sees.
        server_address: The host and port that the client sees.

    Returns:
        The client's transport and protocol, as `asyncio.loop.create_connection` does.
    """
    loop = asyncio.get_running_loop()
    protocol = client_factory()
    ends = {"peername": server_address, "sockname": client_address}
    client = MemoryTransport(loop, protocol, ends)
    ends = {"peername": client_address, "sockname": server_address}
    server = MemoryTransport(loop, server_factory(), ends, ends_with_reset=True)
    connect_transports(client, server)
    ready: asyncio.Future[None] = loop.create_future()
    loop.call_soon(server.connected)
    loop.call_soon(client.connected)
    loop.call_soon(_resolve, ready)
    try:
        await ready
    except BaseException:
        client.abort()
        raise
    return client, protocol


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
