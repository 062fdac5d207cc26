"""A server that does what a test says: the handshake by itself, everything else on demand.

For what no real broker can be made to do, or not at the moment that a test needs. It speaks
through `ammoo_wire.ServerProtocol` over a socket on loopback.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from ssl import SSLContext
from typing import Any, Self, TypeVar

import ammoo
from ammoo_wire import (
    Accepted,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicReturnParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    ConfirmSelectOkParameters,
    ConfirmSelectParameters,
    ConnectionState,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    ServerProtocol,
    encode_method,
)
from tests.support.commands import Command, named

__all__ = ["ScriptedPeer", "ScriptedServer", "impatient"]

T = TypeVar("T")

SERVER_PROPERTIES: dict[str, Any] = {
    "product": "RabbitMQ",
    "capabilities": {"basic.nack": True},
}
ANSWERS: dict[type[Any], Any] = {
    ChannelOpenParameters: lambda _: ChannelOpenOkParameters(),
    ChannelCloseParameters: lambda _: ChannelCloseOkParameters(),
    ConfirmSelectParameters: lambda _: ConfirmSelectOkParameters(),
}
"""What is answered without being told, unless a test takes it out of `ScriptedPeer.answers`."""


@contextmanager
def impatient(connection: ammoo.Connection, seconds: float = 0.05) -> Iterator[None]:
    """Make operations time out soon: those alone that are meant to, however busy the machine."""
    live = connection._require_live()
    patience, live.operation_timeout = live.operation_timeout, seconds
    yield
    live.operation_timeout = patience


class ScriptedPeer(asyncio.Protocol):
    """The server's end of one connection."""

    def __init__(self, server: "ScriptedServer") -> None:
        self.answers = dict(server.answers)
        self.protocol = ServerProtocol(
            **{
                "server_properties": SERVER_PROPERTIES,
                "mechanisms": ("PLAIN", "AMQPLAIN"),
                "authenticate": lambda mechanism, response: Accepted(),
                "open_virtualhost": lambda name: None,
                "heartbeat_interval": 0,
                **server.options,
            }
        )
        self.received: deque[Command] = deque()
        self.octets = 0
        self.is_deaf = server.is_deaf
        self.hangs_up = server.hangs_up
        self.closed = asyncio.get_running_loop().create_future()
        self.lost_by: Exception | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._octets_came = asyncio.Event()
        self._server = server
        self._transport: asyncio.Transport | None = None

    # --- asyncio's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.accept(self)

    def data_received(self, data: bytes) -> None:
        self.octets += len(data)
        self._octets_came.set()
        if self._server.greeting:
            self.write(self._server.greeting)
            self._server.greeting = b""
        if self.hangs_up:
            self.hang_up()
        if self.is_deaf:
            return
        for command in named(self.protocol.receive_data(data)):
            answer = self.answers.get(type(command.parameters))
            if answer is None:
                self.received.append(command)
            else:
                self.protocol.send(command.channel_number, answer(command.parameters))
        self.flush()
        if self.protocol.state is ConnectionState.CLOSED:
            self.hang_up()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_by = exc
        if not self.closed.done():
            self.closed.set_result(None)
        self._wake()

    # --- what tests say ---

    async def expect(self, kind: type[T], channel_number: int = 1) -> T:
        """Wait for the next command, and check what it is."""
        parameters: Any = (await self.expect_command(kind, channel_number)).parameters
        assert isinstance(parameters, kind)
        return parameters

    async def expect_command(self, kind: type[Any], channel_number: int = 1) -> Command:
        while not self.received:
            assert not self.closed.done(), f"the client is gone; {kind.__name__} was awaited"
            self._arrival = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(30):
                await self._arrival
        command = self.received.popleft()
        assert (command.channel_number, type(command.parameters)) == (channel_number, kind), command
        return command

    async def expect_several(self, kind: type[T], count: int) -> list[T]:
        """Wait for so many commands of one kind, and for nothing else between them."""
        return [await self.expect(kind) for _ in range(count)]

    async def expect_any(self, kind: type[Any]) -> Command:
        """Wait for a command of a kind, on whichever channel; others may come before it."""
        while not any(type(command.parameters) is kind for command in self.received):
            self._arrival = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(30):
                await self._arrival
        command = next(each for each in self.received if type(each.parameters) is kind)
        self.received.remove(command)
        return command

    def send(self, *parameters: Any, channel_number: int = 1) -> None:
        """Send methods without content, in one write."""
        for each in parameters:
            self.protocol.send(channel_number, each)
        self.flush()

    def send_content(
        self,
        parameters: Any,
        body: bytes = b"body",
        properties: bytes = b"\x00\x00",
        channel_number: int = 1,
    ) -> None:
        self.protocol.send_content(channel_number, encode_method(parameters), properties, body)
        self.flush()

    def deliver(self, consumer_tag: str, *delivery_tags: int, body: bytes = b"body") -> None:
        for tag in delivery_tags:
            self.send_content(BasicDeliverParameters(consumer_tag, tag, False, "", "queue"), body)

    def got(self, delivery_tag: int) -> None:
        self.send_content(BasicGetOkParameters(delivery_tag, False, "", "queue", 0))

    def returned(
        self, routing_key: str, body: bytes = b"body", properties: bytes = b"\x00\x00"
    ) -> None:
        self.send_content(BasicReturnParameters(312, "NO_ROUTE", "", routing_key), body, properties)

    async def declare(self, name: str = "queue") -> None:
        """Answer the queue.declare that comes next."""
        await self.expect(QueueDeclareParameters)
        self.send(QueueDeclareOkParameters(name, 0, 0))

    async def consumer(self) -> str:
        """Answer the basic.consume that comes next, and give its tag."""
        tag = (await self.expect(BasicConsumeParameters)).consumer_tag
        self.send(BasicConsumeOkParameters(tag))
        return tag

    async def synchronise(self, channel: ammoo.Channel) -> None:
        """Make a round trip: what either side sent before has been dealt with by the other.

        What the client sent is not awaited by name, so it must be nothing, or answered by itself.
        """
        answered = asyncio.create_task(channel.assert_exchange_exists("synchronise"))
        await self.expect(ExchangeDeclareParameters, channel.channel_id)
        self.send(ExchangeDeclareOkParameters(), channel_number=channel.channel_id)
        await answered

    def flush(self) -> None:
        if self._transport is not None and self.protocol.has_data_to_send:
            self._transport.write(self.protocol.data_to_send())

    def write(self, octets: bytes) -> None:
        """Write what is no AMQP, perhaps."""
        assert self._transport is not None
        self._transport.write(octets)

    async def octets_beyond(self, count: int) -> None:
        """Wait until the client has sent more than so many octets in all."""
        while self.octets <= count:
            self._octets_came.clear()
            await self._octets_came.wait()

    def pause_reading(self) -> None:
        """Let the client's octets pile up."""
        assert self._transport is not None
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take in again what the client sends."""
        assert self._transport is not None
        self._transport.resume_reading()

    def hang_up(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None and not self.closed.done():
            self._transport.abort()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


class ScriptedServer:
    """Listens on loopback; each connection gets a `ScriptedPeer` of its own.

    Args:
        tls: For connections that are encrypted.
        options: For `ServerProtocol`.
    """

    def __init__(self, *, tls: SSLContext | None = None, **options: Any) -> None:
        self.tls = tls
        self.options = options
        self.answers = dict(ANSWERS)
        self.is_deaf = False
        self.hangs_up = False  # whether peers close the socket behind the client's first octets
        self.greeting = b""  # what is said to the first client before anything else
        self.peers: list[ScriptedPeer] = []
        self._server: asyncio.Server | None = None
        self._accepting: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: ScriptedPeer(self), "127.0.0.1", 0, ssl=self.tls
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        for peer in self.peers:
            peer.abort()
            await peer.closed
        await self._server.wait_closed()
        # A handshake of TLS that failed has a task of asyncio's, which nobody else awaits.
        handshakes = [t for t in asyncio.all_tasks() if "_accept_connection2" in repr(t.get_coro())]
        await asyncio.gather(*handshakes)

    def accept(self, peer: ScriptedPeer) -> None:
        self.peers.append(peer)
        if self._accepting is not None and not self._accepting.done():
            self._accepting.set_result(None)

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"amqp://127.0.0.1:{self.port}"

    async def accepted(self, count: int = 1) -> None:
        """Wait for so many connections in all."""
        while len(self.peers) < count:
            self._accepting = asyncio.get_running_loop().create_future()
            await self._accepting

    @property
    def peer(self) -> ScriptedPeer:
        """The server's end of the newest connection."""
        return self.peers[-1]
