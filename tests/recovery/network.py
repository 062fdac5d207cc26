"""The network between a client and a broker: it can be cut, and be down."""

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

__all__ = ["Network"]


class Network:
    """Listens on loopback, and carries octets to a broker and back while it is up.

    Args:
        url: The broker's.

    Attributes:
        attempts: How many connections were tried, those included that were refused.
        is_held: Whether what the broker says is kept.
        is_up: Whether new connections reach the broker.
        octets_left: How much the broker may say before a cut; None for no limit.
    """

    def __init__(self, url: str) -> None:
        self.attempts = 0
        self.is_held = False
        self.is_up = True
        self.octets_left: int | None = None
        self._next_limit: tuple[bool, FrameLimit] | None = None
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._ends: set[_End] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._attempted = asyncio.Event()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Where the broker is to be had through the network."""
        login, _, _ = self._parts.netloc.rpartition("@")
        return self._parts._replace(netloc=f"{login}@127.0.0.1:{self.port}").geturl()

    def cut(self) -> None:
        """Reset all connections; new ones are carried."""
        for end in list(self._ends):
            end.abort()

    def hold(self) -> None:
        """Keep what the broker says, until the connections are cut."""
        self.is_held = True

    def release(self) -> None:
        """Carry what the broker says on new connections again."""
        self.is_held = False

    def cut_after(self, octets: int) -> None:
        """Cut the next connection when the broker has said so much on it."""
        self.octets_left = octets

    def cut_at_frame(self, number: int, *, of_broker: bool) -> None:
        """Cut the next connection when one side has said so many frames; they still arrive.

        Args:
            number: How many; the client's protocol header counts as one.
            of_broker: Whether the broker's frames count, and not the client's.
        """
        self._next_limit = (of_broker, FrameLimit(number))

    def go_down(self) -> None:
        """Reset all connections, and those that come."""
        self.is_up = False
        self.cut()

    def go_up(self) -> None:
        """Carry new connections again."""
        self.is_up = True

    async def attempted(self, count: int) -> None:
        """Wait until so many connections were tried in all."""
        while self.attempts < count:
            self._attempted.clear()
            await self._attempted.wait()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _End(self), "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        self.go_down()
        await asyncio.gather(*self._tasks)
        self.cut()
        await asyncio.gather(*(end.closed for end in self._ends))
        await self._server.wait_closed()

    # --- what the ends call ---

    def take_limit(self, *, of_broker: bool) -> "FrameLimit | None":
        """Return the limit for a new connection, if there is one for this side."""
        if self._next_limit is None or self._next_limit[0] is not of_broker:
            return None
        limit, self._next_limit = self._next_limit[1], None
        return limit

    def accepted(self, end: "_End") -> None:
        self.attempts += 1
        self._attempted.set()
        if self.is_up:
            task = asyncio.get_running_loop().create_task(self._connect(end))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            end.abort()

    async def _connect(self, end: "_End") -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            await loop.create_connection(
                lambda: _End(self, end), self._parts.hostname or "", self._parts.port or 5672
            )
        if end.other is None:
            end.abort()


class _End(asyncio.Protocol):
    """One socket; what it receives goes to the other one."""

    def __init__(self, network: Network, other: "_End | None" = None) -> None:
        self.other = other
        self._is_brokers = other is not None
        self._is_new = network.octets_left is not None
        self._limit = network.take_limit(of_broker=self._is_brokers)
        self._network = network
        self._transport: asyncio.Transport | None = None
        self._early = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._network._ends.add(self)
        if self.other is None:
            self._network.accepted(self)
        elif self.other._transport is None:
            transport.abort()  # the client has gone meanwhile
        else:
            self.other.other = self
            transport.write(self.other._early)

    def data_received(self, data: bytes) -> None:
        if self._limit is not None:
            data = self._limit.take(data)
            self._carry(data)
            if self._limit.is_reached:
                self.end()
        else:
            self._carry(data)

    def _carry(self, data: bytes) -> None:
        if self._is_brokers and self._network.octets_left is not None and self._is_new:
            self._network.octets_left -= len(data)
            if self._network.octets_left < 0:
                self._network.octets_left = None
                self._network.cut()
                return
        if self.other is None:
            self._early += data
        elif self.other._transport is not None and not (self._network.is_held and self._is_brokers):
            self.other._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.closed.set_result(None)
        self._network._ends.discard(self)
        if self.other is not None and self.other._transport is not None:
            self.other._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def end(self) -> None:
        """Close the connection; what was carried to the other side arrives before."""
        other = self.other
        self.abort()
        if other is not None and other._transport is not None:
            other._transport.close()


class FrameLimit:
    """Lets so many frames of a stream pass.

    Args:
        number: How many.

    Attributes:
        is_reached: Whether all of them have passed.
    """

    def __init__(self, number: int) -> None:
        self.is_reached = False
        self._left = number
        self._octets = b""

    def take(self, data: bytes) -> bytes:
        """Return the whole frames in what has come so far, up to the limit."""
        self._octets += data
        end = 0
        while self._left and (size := _frame_size(self._octets[end:])):
            end += size
            self._left -= 1
        self.is_reached = not self._left
        passed, self._octets = self._octets[:end], self._octets[end:]
        return passed


def _frame_size(octets: bytes) -> int:
    """Return how long the frame or protocol header is that begins here; 0 if it is not whole."""
    if octets.startswith(b"AMQP"):
        return 8
    size = 8 + int.from_bytes(octets[3:7])
    return size if 7 <= len(octets) and size <= len(octets) else 0
