"""``python -m ammoo_wire proxy``: connects clients with a broker, and shows and records the traffic.

It passes all octets on, unchanged and at once, and reads a copy of them. A peer that does not read
slows the other one down, as without a proxy.
"""

import argparse
import asyncio
import contextlib
import signal
import ssl
import sys
import time
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple, TextIO
from urllib.parse import urlsplit

from ..onlookers.conversation import Peer
from .display import Display
from .recordings import Piece, read_recording, write_piece
from .replay import Replay

__all__ = ["Address", "parse_address", "proxy"]

_PIECE: Final = 65536  # octets that are read at once
_PORTS: Final = {"amqp": 5672, "amqps": 5671}


class Address(NamedTuple):
    """The address to listen on, or to connect to."""

    host: str
    port: int
    is_tls: bool


def parse_address(text: str) -> Address:
    """Read ``host:port``, ``:port`` or a URL ``amqp://host:port`` or ``amqps://host:port``.

    Raises:
        argparse.ArgumentTypeError: The text is not an address.
    """
    try:
        parts = urlsplit(text if "://" in text else f"amqp://{text}")
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
    except (ValueError, KeyError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address; expected host:port, amqp://host:port or amqps://host:port"
        ) from None
    return Address(parts.hostname or "127.0.0.1", port, parts.scheme == "amqps")


def proxy(options: argparse.Namespace) -> int:
    """Run the proxy until it is interrupted; return the command's exit status.

    Raises:
        OSError: The proxy cannot listen on the address, or a file cannot be opened.
        ValueError: The options contradict each other, or a file is not a recording.
    """
    with contextlib.ExitStack() as stack:
        record: TextIO | None = None
        if options.record is not None:
            record = stack.enter_context(open(options.record, "w", encoding="utf-8"))
        pieces: list[Piece] = []
        if options.replay is not None:
            with open(options.replay, encoding="utf-8") as file:
                pieces = list(read_recording(file))
        elif options.listen is None or options.target is None:
            raise ValueError("a proxy needs LISTEN and TARGET; one of them may be - with --replay")
        return asyncio.run(_Proxy(options, record, pieces).run())


class _Proxy:
    """Listens, connects, passes octets on, shows and records them."""

    def __init__(
        self, options: argparse.Namespace, record: TextIO | None, pieces: list[Piece]
    ) -> None:
        self._options = options
        self._record = record
        self._pieces = pieces
        self._display = Display(
            sys.stdout,
            as_json=options.json,
            secrets=options.secrets,
            max_body_size=options.max_body,
        )
        self._began = time.monotonic()
        self._count = 0
        self._connections: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows
                loop.add_signal_handler(number, stopped.set)
        if self._options.listen is None:
            return await self._until(stopped, self._replay_to_target())
        listen = self._options.listen
        server = await asyncio.start_server(
            self._accept, listen.host, listen.port, ssl=self._server_tls(), limit=_PIECE
        )
        where = ", ".join("{}:{}".format(*each.getsockname()[:2]) for each in server.sockets)
        print(f"listening on {where}", file=sys.stderr, flush=True)
        async with server:
            await stopped.wait()
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
        return 0

    async def _until(self, stopped: asyncio.Event, work: Coroutine[Any, Any, int]) -> int:
        task, stop = asyncio.create_task(work), asyncio.create_task(stopped.wait())
        await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.wait((task,))
        return 0

    # --- connections ---

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._count += 1
        number = self._count
        try:
            if self._options.replay is not None:
                await self._replay(number, "server", reader, writer)
            else:
                await self._pass_on(number, reader, writer)
        except (OSError, ssl.SSLError) as error:
            self._display.note(number, f"the connection was lost: {error}")
        except asyncio.CancelledError:
            pass  # we are being stopped
        finally:
            self._connections.discard(task)
            await _close(writer)

    async def _pass_on(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        target = self._options.target
        try:
            broker_reader, broker_writer = await self._connect(target)
        except OSError as error:
            self._display.note(number, f"cannot connect to {target.host}:{target.port}: {error}")
            return
        ways = (
            self._forward(number, "client", reader, broker_writer),
            self._forward(number, "server", broker_reader, writer),
        )
        try:
            await asyncio.gather(*ways)
        finally:
            await _close(broker_writer)

    async def _connect(self, target: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        tls = None
        if target.is_tls:
            tls = ssl.create_default_context(cafile=self._options.target_ca)
        return await asyncio.open_connection(target.host, target.port, ssl=tls, limit=_PIECE)

    async def _forward(
        self, number: int, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while octets := await _read(reader):
            self._take(number, peer, octets)
            writer.write(octets)
            await writer.drain()
        self._take(number, peer, b"")
        if writer.can_write_eof():
            writer.write_eof()
        else:  # pragma: no cover  a peer with TLS may be gone first
            writer.close()  # TLS has no way to close one direction only

    def _take(self, number: int, peer: Peer, octets: bytes) -> None:
        """Show and record octets of a peer."""
        piece = Piece(time.monotonic() - self._began, number, peer, octets)
        self._display.show(piece)
        if self._record is not None:
            write_piece(self._record, piece)
            self._record.flush()

    # --- recordings ---

    async def _replay_to_target(self) -> int:
        reader, writer = await self._connect(self._options.target)
        try:
            await self._replay(1, "client", reader, writer)
        finally:
            await _close(writer)
        return 0

    async def _replay(
        self,
        number: int,
        peer: Peer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Send the recorded octets of one peer to the other one."""
        replay = Replay(self._pieces, peer, number)
        other: Peer = "client" if peer == "server" else "server"
        while True:
            for octets in replay.octets_to_send():
                self._take(number, peer, octets)
                writer.write(octets)
                await writer.drain()
            if not replay.has_more():
                break
            octets = await _read(reader)
            self._take(number, other, octets)
            if not octets:
                self._display.note(number, f"the {other} left before the recording's end")
                return
            replay.receive_data(octets)
        while octets := await _read(reader):
            self._take(number, other, octets)
        self._take(number, other, b"")

    def _server_tls(self) -> ssl.SSLContext | None:
        if self._options.cert is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._options.cert, self._options.key)
        return context


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Read a piece; empty if the peer writes no more. Many peers end with a reset."""
    try:
        return await reader.read(_PIECE)
    except ConnectionResetError:  # pragma: no cover  not before the kernel says so
        return b""


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError, asyncio.CancelledError):
        await writer.wait_closed()
