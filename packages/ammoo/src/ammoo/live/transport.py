"""The socket's side of a connection: reading and writing.

It moves octets between asyncio and the wire's `ClientProtocol` in as few calls as possible. It
reads straight into the protocol's buffer (asyncio.Protocol costs 15 µs more for a read), and
writes once for all that was sent within one turn of the event loop. A caller that publishes waits
in `drain` only while the socket's buffer is full.

This module does not know what a command means: commands go to the `Receiver`.
"""

import asyncio
import os
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from socket import SO_LINGER, SOL_SOCKET
from threading import get_ident
from typing import Final, Protocol

from ammoo_wire import ClientProtocol, Command, ConnectionState, Heartbeat

from ..running_loop import require_loop
from .heartbeats import Heartbeats

__all__ = ["COALESCE_DELAY", "FLUSH_SIZE", "Receiver", "Transport"]

FLUSH_SIZE: Final = 65536
"""With so many octets queued, they are written before the end of the loop's turn."""
COALESCE_DELAY: Final = 0.001
"""How long a coalesced read waits, in seconds. asyncio's loop rounds less up to 1 ms, uvloop's rounds
it down to 0. With uvloop a message takes 0.011 reads; with half of this time it took 0.026."""
LARGE_READ: Final = 65536
"""A read of so many octets is counted for `READ_IN_A_TURN`; fewer are not worth the count."""
READ_IN_A_TURN: Final = 1 << 20
"""After so many octets in one turn of the loop, reading waits for the next turn.

uvloop reads up to 32 times in a turn. Without a limit, several large bodies are in memory before
the program gets the first one, and the allocator returns their pages to the system and requests
them again. Bodies of 1 MiB cost 70 page faults and 550 µs each without the limit, and 2 and 350
with it, as on asyncio's loop.
"""

_NO_LINGER: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""The option's value: on, for 0 seconds."""


class Receiver(Protocol):
    """The connection, as its transport sees it."""

    def receive(self, commands: list[Command]) -> None:
        """Process commands that have arrived."""

    def state_changed(self, state: ConnectionState) -> None:
        """Adapt to the protocol's new state; all commands before it have been received."""

    def heartbeat_timed_out(self, timeout: float) -> None:
        """End the connection: the server has sent nothing for so many seconds."""

    def lost(self, error: Exception | None) -> None:
        """End the connection: the socket is closed. Always the last call, and made once."""


class Transport(asyncio.BufferedProtocol):
    """One socket with a protocol around it.

    Args:
        loop: The event loop.
        protocol: The wire's side.
        receiver: Receives commands and events.

    Attributes:
        before_flush: Functions to call, once each, before the next write.
        flush_is_due: Whether the queued octets will be written at the end of this turn.
        is_paused: Whether the socket's buffer is full; see `drain`.
        is_reading: Whether the socket is read.
        reading_is_paused: Whether `pause_reading` stopped reading, until it is resumed.
        is_request_response: Whether the last read held one command at most, and nothing was
            written since.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: ClientProtocol, receiver: Receiver
    ) -> None:
        self._loop = loop
        self._protocol = protocol
        self._receiver = receiver
        self._state = protocol.state
        self._socket: asyncio.Transport | None = None
        self._drainers: deque[asyncio.Future[bool]] = deque()
        self._heartbeats: Heartbeats | None = None
        self._heartbeat: Heartbeat | None = None  # their rule, which learns of all traffic
        self._is_lost = False
        self._coalesce_timer: asyncio.TimerHandle | None = None
        self._read_in_turn = 0
        self._has_read_enough = False
        self.before_flush: list[Callable[[], None]] = []
        self.flush_is_due: bool = False
        self._thread = get_ident()
        self.is_paused: bool = False
        self.is_reading: bool = True
        self.reading_is_paused: bool = False
        self.is_request_response: bool = False

    # --- asyncio's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket (asyncio)."""
        self._socket = transport  # type: ignore[assignment]  # always a Transport; uvloop's has only its methods

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer to read into (asyncio)."""
        return self._protocol.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        """Process octets that were read (asyncio)."""
        protocol = self._protocol
        if nbytes >= LARGE_READ:
            self._count_read(nbytes)
        commands = protocol.buffer_updated(nbytes)
        if self._heartbeat is not None:
            self._heartbeat.data_received(self._loop.time())
        self.is_request_response = len(commands) <= 1
        self._receiver.receive(commands)
        if protocol.state is not self._state:
            self._change_state()
        if not self.flush_is_due and protocol.has_data_to_send:
            self.flush_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report that the socket is closed (asyncio)."""
        self._is_lost = True
        self.is_paused = False
        if self._heartbeats is not None:
            self._heartbeats.stop()
        if self._coalesce_timer is not None:
            self._coalesce_timer.cancel()
        self._wake_drainer()
        self._receiver.lost(exc)
        self._protocol.receive_eof()
        self._protocol.data_to_send()  # else it would live as long as the connection

    def pause_writing(self) -> None:
        """Make callers of `drain` wait (asyncio)."""
        self.is_paused = True

    def resume_writing(self) -> None:
        """Let callers of `drain` continue (asyncio)."""
        self.is_paused = False
        self.flush()
        if not self.is_paused:
            self._wake_drainer()

    # --- the client's side ---

    def require_loop(self) -> None:
        """Raise unless the transport's loop is the one that runs here.

        A function that sends calls this once a turn: not while `flush_is_due`, because then
        something was already sent in this turn.

        Raises:
            RuntimeError: Another loop runs here, or none does.
        """
        # Before Python 3.12, asyncio makes a system call to find out which loop runs here.
        if get_ident() != self._thread or not self._loop.is_running():
            require_loop(self._loop)
            self._thread = get_ident()

    def flush_soon(self) -> None:
        """Write the queued octets at the end of this turn of the loop."""
        if not self.flush_is_due:
            self.flush_is_due = True
            self._loop.call_soon(self.flush)

    def flush_request(self) -> None:
        """Write the queued octets: at once in request/response traffic, else at the end of the turn.

        A single command from the server, such as a reply, is most likely answered with a single
        command. There is nothing to gather with it, and writing at once saves a turn of the loop.
        """
        if self.is_request_response:
            self.flush()
        else:
            self.flush_soon()

    def flush(self) -> None:
        """Write the queued octets; while the socket's buffer is full, do nothing."""
        self.flush_is_due = False
        self.is_request_response = False
        socket = self._socket
        if self.is_paused or self._is_lost or socket is None:
            return
        if self.before_flush:
            due, self.before_flush = self.before_flush, []
            for write in due:
                write()
        octets = self._protocol.data_to_send()
        if not octets:
            return
        socket.write(octets)
        if self._heartbeat is not None:
            self._heartbeat.data_sent(self._loop.time())

    async def drain(self, waiting: "set[asyncio.Future[bool]]") -> None:
        """Wait while the socket's buffer is full.

        The tasks that wait continue one after another, each when the one before it has sent. If a
        thousand tasks wait and few messages fit, only few tasks run.

        Args:
            waiting: Holds the task's future while it waits. A channel that ends sets it to False:
                then the task waits no longer.
        """
        append = self._drainers.append
        while self.is_paused:
            drainer: asyncio.Future[bool] = self._loop.create_future()
            append(drainer)
            waiting.add(drainer)
            try:
                if not await drainer:
                    return
            except asyncio.CancelledError:
                if not drainer.cancelled():
                    self._wake_drainer()  # its turn goes to the next task
                raise
            finally:
                waiting.discard(drainer)
            append = self._drainers.appendleft  # the first task stays the first
        self._wake_drainer()

    def close(self) -> None:
        """Write the queued octets and close the socket; `Receiver.lost` follows."""
        if self._socket is not None:
            self.flush()
            self._socket.close()

    def abort(self) -> None:
        """Close the socket at once; `Receiver.lost` follows."""
        if self._socket is not None:
            self._socket.abort()

    def reset(self) -> None:
        """Close the socket at once; the system drops what it has not sent yet.

        After `abort` it would continue to send for minutes. A server that was silent, and recovers,
        would then process messages that were published again on another connection meanwhile.
        """
        socket = None if self._socket is None else self._socket.get_extra_info("socket")
        if socket is not None:
            with suppress(OSError):  # the system may have ended the socket before
                socket.setsockopt(SOL_SOCKET, SO_LINGER, _NO_LINGER)
        self.abort()

    def pause_reading(self) -> None:
        """Stop reading, so that the server cannot send more than the client can keep."""
        if not self._is_lost:
            self.reading_is_paused = True
            self._stop_reading()

    def coalesce_reads(self) -> None:
        """Stop reading for a moment; the next read then brings more."""
        if self.is_reading and not self._is_lost:
            self._coalesce_timer = self._loop.call_later(COALESCE_DELAY, self._end_coalescing)
            self._stop_reading()

    def resume_reading(self) -> None:
        """Read again, at once."""
        if not self.is_reading and self._socket is not None:
            self.reading_is_paused = False
            if self._coalesce_timer is not None:
                self._coalesce_timer.cancel()
                self._coalesce_timer = None
            self.is_reading = True
            self._socket.resume_reading()

    def resume_reading_soon(self) -> None:
        """Read again: at once, or at the end of the delay of a coalesced read."""
        self.reading_is_paused = False
        if self._coalesce_timer is None:
            self.resume_reading()

    def start_heartbeats(self, interval: int) -> None:
        """Send heartbeats, and watch for those of the server, from now on.

        Args:
            interval: The negotiated interval in seconds, above 0.
        """
        self._heartbeats = Heartbeats(self._loop, interval, self)
        self._heartbeat = self._heartbeats.rule

    def stop_heartbeats(self) -> None:
        """Stop sending and watching: the connection is being closed."""
        if self._heartbeats is not None:
            self._heartbeats.stop()
        self._heartbeats = self._heartbeat = None

    def send_heartbeat(self) -> None:
        """Send a heartbeat, unless the socket's buffer is full."""
        if not self.is_paused:
            self._protocol.send_heartbeat()
            self.flush()

    def heartbeat_timed_out(self, timeout: float) -> None:
        """End the connection: the server has sent nothing for so many seconds."""
        self._receiver.heartbeat_timed_out(timeout)

    def _change_state(self) -> None:
        self._state = self._protocol.state
        self._receiver.state_changed(self._state)

    def _wake_drainer(self) -> None:
        """Wake the first task that waits in `drain`."""
        while self._drainers:
            drainer = self._drainers.popleft()
            if not drainer.done():
                drainer.set_result(True)
                return

    def _stop_reading(self) -> None:
        if self.is_reading and self._socket is not None:
            self.is_reading = False
            self._socket.pause_reading()

    def _count_read(self, nbytes: int) -> None:
        """Stop reading until the loop's next turn if this one has read enough."""
        if not self._read_in_turn:
            self._loop.call_soon(self._begin_turn)
        self._read_in_turn += nbytes
        if self._read_in_turn >= READ_IN_A_TURN and self.is_reading:
            self._has_read_enough = True
            self._stop_reading()

    def _begin_turn(self) -> None:
        """Continue reading, unless it was stopped for another reason meanwhile."""
        self._read_in_turn = 0
        if self._has_read_enough:
            self._has_read_enough = False
            is_over = self._socket is None or self._socket.is_closing()
            if not (is_over or self.reading_is_paused or self._coalesce_timer is not None):
                self.resume_reading()

    def _end_coalescing(self) -> None:
        self._coalesce_timer = None
        if not self.reading_is_paused:
            self.resume_reading()
