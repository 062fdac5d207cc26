"""The client, in both directions: a server that says anything, and a caller who asks for anything.

`ClientOctets` gives the client a server whose octets were made up. Whatever they are, each operation
ends in time, with a result or with an exception that the documentation names.
`ClientCalls` calls the client with values of any type at any place. A wrong one is a TypeError, a
ValueError or an AmmooError of the call, and what was sent is something that a server can read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Any

import ammoo
from ammoo.exceptions import AmmooError
from ammoo_wire import (
    PROTOCOL_HEADER,
    Accepted,
    BasicAckParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicHeaderProperties,
    BasicQosOkParameters,
    BasicReturnParameters,
    ChannelCloseParameters,
    ChannelFlowParameters,
    ChannelOpenOkParameters,
    ConfirmSelectOkParameters,
    ConnectionBlockedParameters,
    ConnectionCloseParameters,
    ConnectionOpenOkParameters,
    ConnectionStartParameters,
    ConnectionTuneParameters,
    ConnectionUnblockedParameters,
    ProtocolError,
    QueueDeclareOkParameters,
    ServerProtocol,
    method_of,
    methods,
)
from tests.fuzz.generation import content, frame, method_frame, some_value
from tests.fuzz.mutation import mutate, mutate_frames, split_frames
from tests.fuzz.target import Finding, Target
from tests.support.hygiene import Hygiene

__all__ = ["ClientCalls", "ClientOctets"]

_TIMEOUT = 0.05
_MOMENT = 0.002
_PATIENCE = 10.0
_DOCUMENTED = (AmmooError, OSError, ValueError, TypeError)


class _Looped(Target):
    """What both fuzzers of the client do: run an input in an event loop, and look at what is left."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def close(self) -> None:
        self._runner.close()

    def run(self, octets: bytes) -> None:
        with Hygiene() as hygiene:
            self._runner.run(self._in_time(octets))
        if hygiene.complaints:
            raise Finding("\n".join(hygiene.complaints))

    async def _in_time(self, octets: bytes) -> None:
        before = asyncio.all_tasks()
        async with asyncio.timeout(_PATIENCE):
            await self.attack(octets)
        for _ in range(20):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - before
        if left:
            raise Finding(f"tasks are left: {left}")

    async def attack(self, octets: bytes) -> None:
        """Try an input."""
        raise NotImplementedError


# --- a server that says anything --------------------------------------------------------------

_START = ConnectionStartParameters(
    0,
    9,
    {
        "product": "RabbitMQ",
        "capabilities": {
            "basic.nack": True,
            "publisher_confirms": True,
            "consumer_cancel_notify": True,
            "authentication_failure_close": True,
        },
    },
    b"PLAIN AMQPLAIN",
    b"en_US",
)
_OPENING = (
    method_frame(0, _START)
    + method_frame(0, ConnectionTuneParameters(2047, 131072, 0))
    + method_frame(0, ConnectionOpenOkParameters())
)
_PROPERTIES = BasicHeaderProperties(
    content_type="application/json",
    content_encoding="utf-8",
    headers={"a": [1, {"b": None}], "x-death": []},
    delivery_mode=2,
    expiration="100",
    reply_to="q",
)
_DELIVERY = content(1, BasicDeliverParameters("tag", 1, False, "", "q"), _PROPERTIES, b"[1, 2]")
_ANSWERS = (
    method_frame(1, ChannelOpenOkParameters())
    + method_frame(1, BasicQosOkParameters())
    + method_frame(1, ConfirmSelectOkParameters())
    + method_frame(1, QueueDeclareOkParameters("q", 1, 0))
)
_ENDS = (
    method_frame(1, ChannelCloseParameters(404, "NOT_FOUND - no queue 'q' in vhost '/'", 50, 10)),
    method_frame(0, ConnectionCloseParameters(320, "CONNECTION_FORCED - bye", 0, 0)),
    method_frame(0, ConnectionBlockedParameters("low on memory"))
    + method_frame(0, ConnectionUnblockedParameters()),
    method_frame(1, ChannelFlowParameters(False)) + method_frame(1, ChannelFlowParameters(True)),
    method_frame(1, BasicCancelParameters("tag", True)),
)
_SPEECH = (
    _OPENING + _ANSWERS + method_frame(1, BasicConsumeOkParameters("tag")) + _DELIVERY,
    _OPENING
    + _ANSWERS
    + content(1, BasicReturnParameters(312, "NO_ROUTE", "", "q"), _PROPERTIES, b"x")
    + method_frame(1, BasicAckParameters(1, False))
    + content(1, BasicGetOkParameters(1, False, "", "q", 0), _PROPERTIES, b"y" * 5000),
    *(_OPENING + _ANSWERS + end for end in _ENDS),
    b"AMQP\x00\x01\x00\x00",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    frame(8, 0, b""),
)


class ClientOctets(_Looped):
    """What a server says, whatever it is asked: octets behind its opening, or in its place."""

    name = "client-octets"

    def seeds(self) -> list[bytes]:
        return list(_SPEECH)

    def mutate(self, random: Random, parents: list[bytes]) -> bytes:
        change = random.choice((mutate, mutate_frames, mutate_frames))
        octets = change(random, parents)
        return _OPENING + octets[len(_OPENING) :] if random.random() < 0.7 else octets

    async def attack(self, octets: bytes) -> None:
        server = await asyncio.start_server(_Speaker(octets).serve, "127.0.0.1", 0)
        try:
            await _use(f"amqp://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        finally:
            server.close()
            await server.wait_closed()


class _Speaker:
    """A server that says a frame whenever the client has said something, or says nothing for long.

    Behind the last frame it closes the socket.
    """

    def __init__(self, octets: bytes) -> None:
        self._frames = split_frames(octets)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client."""
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readexactly(len(PROTOCOL_HEADER))
            for each in self._frames:
                if writer.transport.is_closing():
                    break
                writer.write(each)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_MOMENT):
                        await reader.read(100_000)
        writer.transport.abort()


async def _use(url: str) -> None:
    """Do what clients do; each operation ends in time, with a documented exception or none."""
    try:
        connection = await ammoo.connect(url, connection_timeout=1, operation_timeout=_TIMEOUT)
    except _DOCUMENTED:
        return
    try:
        async with connection, connection.channel(prefetch_count=5) as channel:
            await _try(channel.select_confirm())
            await _try(channel.declare_queue("q"))
            await _try(channel.publish("", "q", b"x", mandatory=True))
            await _try(channel.get("q"))
            async with channel.consume("q") as consumer:
                await _try(_read(consumer))
            await channel.close(timeout=_TIMEOUT)
            await connection.close(timeout=_TIMEOUT)
    except _DOCUMENTED:
        await connection.close(timeout=_TIMEOUT)


async def _try(operation: Awaitable[Any]) -> None:
    with suppress(*_DOCUMENTED):
        async with asyncio.timeout(2 * _TIMEOUT):
            await operation


async def _read(consumer: Any) -> None:
    async for message in consumer:
        repr(message)
        for read in (message.json, message.decode):
            with suppress(*_DOCUMENTED):
                read()
        await message.ack()


# --- a caller who asks for anything -----------------------------------------------------------


class ClientCalls(_Looped):
    """Calls with any value at any place: an input is a random seed."""

    name = "client-calls"

    def seeds(self) -> list[bytes]:
        return [bytes(7)]

    def mutate(self, random: Random, parents: list[bytes]) -> bytes:
        return random.randbytes(7)

    async def attack(self, octets: bytes) -> None:
        server = _ReadingServer()
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(lambda: server, "127.0.0.1", 0)
        try:
            port = listening.sockets[0].getsockname()[1]
            await self._call(Random(octets), f"amqp://127.0.0.1:{port}/")
        finally:
            listening.close()
            await server.closed.wait()
        if server.failure is not None:
            raise Finding(f"the server cannot read what was sent: {server.failure!r}")

    async def _call(self, random: Random, url: str) -> None:
        connection = await ammoo.connect(url, operation_timeout=_TIMEOUT)
        try:
            async with connection, connection.channel() as channel:
                for _ in range(10):
                    await _call_one(random, channel)
                await channel.close(timeout=_TIMEOUT)
        except AmmooError:
            await connection.close(timeout=_TIMEOUT)


async def _call_one(random: Random, channel: Any) -> None:
    """Call one of the channel's operations."""
    name, required, optional = random.choice(_CALLS)
    arguments = [_argument(random, parameter) for parameter in required]
    chosen = random.sample(optional, random.randint(0, min(len(optional), 3)))
    keywords = {parameter: _argument(random, parameter) for parameter in chosen}
    try:
        async with asyncio.timeout(2 * _TIMEOUT):
            await getattr(channel, name)(*arguments, **keywords)
    except _DOCUMENTED as error:
        if not str(error) and not isinstance(error, TimeoutError):
            raise Finding(f"{name} raises {error!r} without a text") from error


_CALLS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "declare_queue",
        ("name",),
        ("durable", "exclusive", "auto_delete", "arguments", "ttl", "max_length", "expires"),
    ),
    ("declare_exchange", ("name", "name"), ("durable", "auto_delete", "arguments")),
    ("bind_queue", ("name", "name"), ("routing_key", "arguments")),
    ("delete_queue", ("name",), ("if_unused", "if_empty")),
    ("purge_queue", ("name",), ()),
    ("qos", ("count", "size", "flag"), ()),
    ("get", ("name",), ("no_ack",)),
    ("ack", ("tag",), ("multiple",)),
    ("nack", ("tag", "flag"), ("multiple",)),
    (
        "publish",
        ("name", "name", "body"),
        (
            "mandatory",
            "headers",
            "content_type",
            "content_encoding",
            "delivery_mode",
            "priority",
            "correlation_id",
            "reply_to",
            "expiration",
            "message_id",
            "timestamp",
            "user_id",
            "app_id",
        ),
    ),
)
_LIKELY: dict[str, Callable[[Random], Any]] = {
    "name": lambda random: random.choice(
        ("", "q", "x" * 255, "x" * 256, "\u00fc", "\ud800", "a\0b")
    ),
    "routing_key": lambda random: random.choice(("", "a.b", "x" * 300)),
    "body": lambda random: random.choice((b"", b"x" * 200_000, "text", bytearray(b"x"))),
    "arguments": lambda random: {"x-foo": some_value(random), "x-max-length": some_value(random)},
    "headers": lambda random: {"k": some_value(random), "\u00fc" * 130: 1},
    "count": lambda random: random.choice((0, 1, 65535, 65536, -1)),
    "size": lambda random: 0,
    "tag": lambda random: random.choice((0, 1, 1 << 64, -1)),
    "priority": lambda random: random.choice((0, 255, 256, -1)),
    "expiration": lambda random: random.choice(("10", 10, -1, "x" * 300, float("nan"))),
    "timestamp": lambda random: random.choice((0, 1 << 70, -1)),
}


def _argument(random: Random, parameter: str) -> Any:
    """Return a value: mostly one of a type that the parameter may have."""
    likely = _LIKELY.get(parameter)
    if likely is not None and random.random() < 0.8:
        return likely(random)
    if random.random() < 0.5:
        return random.random() < 0.5
    return some_value(random)


_REPLIES = {
    method.parameters: next(
        reply.parameters for reply in methods() if reply.name == method.replies[0]
    )
    for method in methods()
    if method.replies and method.name != "basic.get"
}


class _ReadingServer(asyncio.Protocol):
    """A server that answers each request with its reply, and finds fault with what it cannot read."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.failure: ProtocolError | None = None
        self._protocol = ServerProtocol(
            server_properties={"product": "RabbitMQ", "capabilities": {"basic.nack": True}},
            mechanisms=["PLAIN"],
            authenticate=lambda mechanism, response: Accepted(),
            open_virtualhost=lambda name: None,
            heartbeat_interval=0,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        for number, parameters, _, _ in self._protocol.receive_data(data):
            reply = _REPLIES.get(type(parameters))
            if reply is not None and not getattr(parameters, "no_wait", False):
                values = [_zero(kind.value) for _, kind in method_of(reply).fields]
                self._protocol.send(number, reply(*values))
        self.failure = self.failure or self._protocol.failure
        self._transport.write(bytes(self._protocol.data_to_send()))

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


def _zero(kind: str) -> Any:
    """Return a value that a reply's field may have."""
    return {"shortstr": "q", "longstr": b"", "bit": False, "table": {}}.get(kind, 0)
