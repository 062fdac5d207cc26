"""What hardly ever happens: odd servers, odd sockets, and how things show themselves."""

import asyncio
import copy
import pickle
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import ammoo
from ammoo.auth.mechanisms.external import ExternalAuth
from ammoo.auth.mechanisms.sasl_plain import SaslPlainAuth
from ammoo.exceptions.base import OperationTimeout
from ammoo.exceptions.channel import ClientClosedChannelError, PublishNack
from ammoo.exceptions.connection import (
    ClientClosedConnectionError,
    InvalidServerFrame,
    NoChallengesAuthenticationError,
    ServerAuthMechanismsNotSupportedError,
    ServerLocalesNotSupportedError,
    UnexpectedFrame,
)
from ammoo.exceptions.consumer import ClientCancelledConsumerError, ClientCancelledConsumerOK
from ammoo_wire import (
    BasicAckParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicGetParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ConnectionStartParameters,
    ConnectionUpdateSecretOkParameters,
    ConnectionUpdateSecretParameters,
    EncodeError,
    ExchangeDeclareParameters,
    OversizedContent,
    QueueDeclareParameters,
    encode_method,
)
from ammoo_wire.outgoing_frames import CommandWriter
from tests.client.script import ScriptedPeer, ScriptedServer, impatient

# --- servers ---


@pytest.mark.parametrize(
    "stray",
    [
        QueueDeclareParameters("q"),
        ChannelCloseOkParameters(),
        BasicAckParameters(1),
        BasicConsumeOkParameters("nobody's"),
    ],
    ids=lambda stray: type(stray).__name__,
)
async def test_command_that_has_no_place(
    connection: ammoo.Connection, peer: ScriptedPeer, stray: Any
) -> None:
    async with connection.channel() as channel:
        peer.send(stray)

        with pytest.raises(UnexpectedFrame) as caught:
            await channel.get_next_returned_message()

    assert stray == caught.value.frame


def nested_table(depth: int) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for _ in range(depth):
        table = {"": table}
    return table


async def test_command_that_has_no_place_and_cannot_be_printed(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    """Python prints no tables that are nested so deeply; the fault is told of nevertheless."""
    table = nested_table(15_000)
    async with connection.channel() as channel:
        peer.send(ExchangeDeclareParameters("x", "direct", arguments=table))

        with pytest.raises(UnexpectedFrame, match="exchange_name='x'"):
            await channel.get_next_returned_message()

    await peer.closed
    assert peer.protocol.close_received is not None
    assert 505 == peer.protocol.close_received.reply_code


async def test_command_on_a_channel_that_is_not_there_is_ignored(
    connection: ammoo.Connection, channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    peer.send(BasicAckParameters(1), channel_number=7)

    await peer.synchronise(channel)
    assert connection.closing_exc is None


async def test_message_that_is_too_large_closes_its_channel(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    peer.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)
    del peer.answers[ChannelCloseParameters]
    async with connection.channel() as channel:
        consumer = await channel.consume("q").__aenter__()
        connection._require_live().protocol._assembler._max_body_size = 1000
        peer.deliver(consumer.consumer_tag, 1, body=bytes(1001))

        with pytest.raises(
            ClientClosedChannelError, match="1001 bytes; the client accepts at most 1000"
        ):
            await anext(consumer)
        assert 311 == (await peer.expect(ChannelCloseParameters)).reply_code
        peer.send(ChannelCloseOkParameters())


async def test_what_was_acknowledged_before_a_message_that_is_too_large_is_said(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    peer.answers[BasicConsumeParameters] = lambda p: BasicConsumeOkParameters(p.consumer_tag)
    async with connection.channel() as channel:
        consumer = await channel.consume("q").__aenter__()
        peer.deliver(consumer.consumer_tag, 1)
        await (await anext(consumer)).ack()  # not written before this turn of the loop is over

        live = channel._require_live()
        live._receive_oversized(
            OversizedContent(BasicDeliverParameters("", 2, False, "", ""), 2, 1), None, None
        )

        assert (1, False) == await peer.expect(BasicAckParameters)


async def test_server_that_knows_another_language(server: ScriptedServer) -> None:
    start = ConnectionStartParameters(0, 9, {}, b"PLAIN", b"de_DE fr_FR")
    writer = CommandWriter(frame_max=0)
    writer.method(0, encode_method(start))
    server.greeting, server.is_deaf = bytes(writer.take()), True
    connection = await ammoo.connect(server.url)

    with pytest.raises(ServerLocalesNotSupportedError, match="de_DE, fr_FR") as caught:
        await connection.__aenter__()

    assert {"de_DE", "fr_FR"} == caught.value.server_locales


async def test_server_that_speaks_no_amqp(server: ScriptedServer) -> None:
    server.greeting, server.is_deaf = b"HTTP/1.1 400 Bad Request\r\n\r\n", True
    connection = await ammoo.connect(server.url)

    with pytest.raises(InvalidServerFrame):
        await connection.__aenter__()

    await connection.close(timeout=0.05)


async def test_mechanism_that_raises_leaves_the_opening_as_it_is(server: ScriptedServer) -> None:
    class Broken(ExternalAuth):
        def build_start_ok_response(self, encoding: str, rabbitmq: bool) -> bytes:
            raise KeyError("no token")

    connection = await ammoo.connect(server.url, auth=Broken())

    with pytest.raises(KeyError, match="no token"):
        await connection.__aenter__()
    async with asyncio.timeout(30):
        await server.peer.closed


async def test_update_secret_that_is_not_answered(server: ScriptedServer) -> None:
    async with await ammoo.connect(server.url, operation_timeout=30) as connection:
        with impatient(connection), pytest.raises(OperationTimeout, match=r"update-secret"):
            await connection.update_secret("one")
        server.peer.answers[ConnectionUpdateSecretParameters] = lambda _: (
            ConnectionUpdateSecretOkParameters()
        )
        server.peer.send(ConnectionUpdateSecretOkParameters(), channel_number=0)

        await connection.update_secret("two")


# --- sockets ---


def as_host(path: str) -> dict[str, str]:
    return {"host": path}


def as_url(path: str) -> dict[str, str]:
    return {"url": f"amqp://{path.replace('/', '%2F')}/vhost"}


@pytest.mark.parametrize("given", [as_host, as_url])
async def test_unix_socket(tmp_path: Path, given: Callable[[str], dict[str, Any]]) -> None:
    path = str(tmp_path / "mq.sock")
    server = ScriptedServer()
    listener = await asyncio.get_running_loop().create_unix_server(
        lambda: ScriptedPeer(server), path
    )
    async with listener:
        async with await ammoo.connect(**given(path)) as connection:
            shown = repr(connection)
        await server.peer.closed

    assert path in shown


async def test_socket_that_is_not_connected_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        # One connection fills the backlog; the next one's handshake is not answered.
        with (
            socket.create_connection(("127.0.0.1", port)),
            pytest.raises(TimeoutError, match=r"amqp://127.0.0.1:\d+ .* 0.05 s") as caught,
        ):
            await ammoo.connect(host="127.0.0.1", port=port, connection_timeout=0.05)

    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize("connection_timeout", [0, 30])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError("the proxy does not answer"), "the proxy does not answer (amqp://mq:5672)"),
        (TimeoutError(110, "timed out"), "[Errno 110] timed out (amqp://mq:5672)"),
    ],
)
async def test_time_out_of_whatever_opens_the_transport_is_raised_as_it_is(
    error: TimeoutError, text: str, connection_timeout: int
) -> None:
    async def open_transport(*address: object, **tls: object) -> tuple[object, object]:
        raise error

    with pytest.raises(TimeoutError) as caught:
        await ammoo.connect(
            host="mq", open_transport=open_transport, connection_timeout=connection_timeout
        )

    assert caught.value is error
    assert text == str(error)


@pytest.mark.parametrize("connection_timeout", [0, 30])
async def test_time_out_without_a_text_names_the_address(connection_timeout: int) -> None:
    """As of an `asyncio.timeout` in it, which is not that of the client."""

    async def open_transport(*address: object, **tls: object) -> tuple[object, object]:
        raise TimeoutError

    with pytest.raises(
        TimeoutError, match=r"^the socket to amqp://mq:5672 was not connected in time$"
    ):
        await ammoo.connect(
            host="mq", open_transport=open_transport, connection_timeout=connection_timeout
        )


# --- misuse ---


@pytest.mark.parametrize(
    "request_of",
    [
        lambda channel: channel.declare_queue("q" * 256),
        lambda channel: channel.consume("q", arguments={"x": object()}).__aenter__(),
        lambda channel: channel.publish("", "k" * 256, b""),
        lambda channel: channel.publish("", "k", b"", headers={"h": 2**63}),
        lambda channel: channel.ack(-1),
        lambda channel: channel.ack("one"),
        lambda channel: channel.ack("one", multiple=True),
        lambda channel: channel.qos(prefetch_count=65536),
    ],
    ids=[
        "name",
        "argument",
        "routing key",
        "header",
        "negative tag",
        "no tag",
        "no tag of several",
        "prefetch",
    ],
)
async def test_request_that_cannot_be_encoded_leaves_everything_as_it_was(
    channel: ammoo.Channel, peer: ScriptedPeer, request_of: Callable[[Any], Awaitable[Any]]
) -> None:
    with pytest.raises(EncodeError):
        await request_of(channel)

    await peer.synchronise(channel)
    assert not channel._require_live().consumers


@pytest.mark.parametrize("copied_by", [copy.copy, copy.deepcopy, pickle.dumps])
async def test_connection_cannot_be_copied(
    connection: ammoo.Connection, copied_by: Callable[[object], object]
) -> None:
    with pytest.raises(TypeError, match=r"^a Connection cannot be copied or pickled"):
        copied_by(connection)

    async with connection.channel():
        pass  # nothing that was made for the copy has closed the socket


@pytest.mark.parametrize("copied_by", [copy.deepcopy, pickle.dumps])
async def test_what_belongs_to_a_connection_is_not_copied_with_it(
    channel: ammoo.Channel, peer: ScriptedPeer, copied_by: Callable[[object], object]
) -> None:
    getting = asyncio.create_task(channel.get("q"))
    await peer.expect(BasicGetParameters)
    peer.got(1)
    message = await getting

    with pytest.raises(TypeError, match=r"^a Connection cannot be copied"):
        copied_by(channel)
    with pytest.raises(TypeError, match=r"such as message\.body and message\.properties"):
        copied_by(message)

    await message.ack()
    assert BasicAckParameters(1, False) == await peer.expect(BasicAckParameters)


# --- how things show themselves ---


async def test_what_things_look_like(server: ScriptedServer) -> None:
    url = server.url.replace("//", "//me:hunter2@")
    connection = await ammoo.connect(url)
    channel = ammoo.Channel(connection)
    shown = [repr(connection), repr(channel), repr(channel.consume("q"))]
    async with connection, connection.channel() as channel:
        shown += [repr(connection), repr(channel), repr(connection._parameters)]
        assert channel.connection is connection
    shown += [repr(connection), repr(channel)]

    address = server.url
    assert [
        f"<Connection to {address}, not entered>",
        "<Channel, not entered>",
        "<Consumer '' on 'q', not open>",
        f"<Connection to {address}, open>",
        "<Channel 1>",
        f"<ConnectionParameters {address} virtualhost='/'>",
        f"<Connection to {address}, closed>",
        "<Channel 1, closed>",
    ] == shown
    assert not any("hunter2" in each for each in shown)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ClientClosedChannelError(KeyError("mine")), "because of KeyError('mine')"),
        (ClientClosedConnectionError(KeyError("mine")), "because of KeyError('mine')"),
        (ClientCancelledConsumerError(KeyError("mine"), "tag"), "because of KeyError('mine')"),
        (ClientCancelledConsumerOK("tag", "q"), "consumer 'tag' on queue 'q'"),
        (PublishNack(7), "did not accept message 7"),
        (NoChallengesAuthenticationError("PLAIN"), "the mechanism PLAIN"),
        (ServerAuthMechanismsNotSupportedError(frozenset("A")), "can use none"),
    ],
)
def test_what_errors_say(error: Exception, words: str) -> None:
    assert words in str(error)


def test_plain_takes_no_nul() -> None:
    with pytest.raises(ValueError, match="NUL") as caught:
        SaslPlainAuth("me", "hun\x00ter2")

    assert "hun" not in str(caught.value)
