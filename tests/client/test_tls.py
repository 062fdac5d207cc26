"""TLS with a server that does what a test says; see tests/contract/test_tls.py for brokers."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

import ammoo
from ammoo.exceptions.connection import ConnectionClosed, ConnectionLost, WrongProtocol
from ammoo_wire import (
    BasicGetOkParameters,
    BasicGetParameters,
    BasicPublishParameters,
)
from tests.client.script import ScriptedServer


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    """What a client needs to trust the server."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture
async def tls_server(authority: trustme.CA) -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer(tls=server_context(authority, "localhost")) as server:
        yield server


async def test_encrypted_by_keywords(tls_server: ScriptedServer, context: ssl.SSLContext) -> None:
    async with (
        await ammoo.connect(port=tls_server.port, ssl_context=context) as connection,
        connection.channel() as channel,
    ):
        await tls_server.peer.synchronise(channel)


async def test_encrypted_by_url(
    tls_server: ScriptedServer, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    url = f"amqps://localhost:{tls_server.port}?cacertfile={tmp_path / 'ca.pem'}"

    async with await ammoo.connect(url) as connection:
        assert connection.entered


async def test_large_messages_through_tls(
    tls_server: ScriptedServer, context: ssl.SSLContext
) -> None:
    body = bytes(range(256)) * 8192
    async with (
        await ammoo.connect(port=tls_server.port, ssl_context=context) as connection,
        connection.channel() as channel,
    ):
        await channel.publish("", "q", body)
        command = await tls_server.peer.expect_command(BasicPublishParameters)
        assert command.body == bytearray(body)
        getting = asyncio.create_task(channel.get("q"))
        await tls_server.peer.expect(BasicGetParameters)
        tls_server.peer.send_content(BasicGetOkParameters(1, False, "", "q", 0), body)
        assert body == (await getting).body


async def test_server_of_an_unknown_authority_is_taken_when_asked_to(
    tls_server: ScriptedServer,
) -> None:
    url = f"amqps://localhost:{tls_server.port}?verify=verify_none"

    async with await ammoo.connect(url) as connection:
        assert connection.entered


async def test_server_name_indication_says_which_name_to_expect(
    authority: trustme.CA, context: ssl.SSLContext
) -> None:
    async with ScriptedServer(tls=server_context(authority, "broker.example")) as server:
        url = f"amqps://127.0.0.1:{server.port}?server_name_indication=broker.example"
        async with await ammoo.connect(url, ssl_context=context) as connection:
            assert connection.entered


async def test_server_that_does_not_speak_tls(server: ScriptedServer) -> None:
    server.is_deaf = False
    with pytest.raises(OSError, match=r"(?i)ssl|reset|closed"):
        await ammoo.connect(f"amqps://localhost:{server.port}", connection_timeout=30)


async def test_hint_that_the_port_is_not_for_tls(server: ScriptedServer) -> None:
    server.greeting = b"AMQP\x00\x00\x09\x01"  # what RabbitMQ says to what is no AMQP
    server.is_deaf = True

    with pytest.raises(ssl.SSLError) as caught:
        await ammoo.connect(f"amqps://localhost:{server.port}")

    assert "does not seem to speak TLS" in caught.value.__notes__[0]
    assert f"amqps://localhost:{server.port}" in caught.value.__notes__[0]


async def test_hint_that_the_port_is_for_tls(tls_server: ScriptedServer) -> None:
    connection = await ammoo.connect(tls_server.url)

    with pytest.raises(ConnectionClosed) as caught:
        await connection.__aenter__()

    assert "It may expect TLS (amqps://" in caught.value.__notes__[0]
    assert tls_server.url in caught.value.__notes__[0]


async def test_hint_that_a_servers_alert_is_of_tls(server: ScriptedServer) -> None:
    server.greeting = bytes.fromhex("15 0303 0002 02 46")  # fatal, protocol version
    server.is_deaf = True
    connection = await ammoo.connect(server.url)

    with pytest.raises(WrongProtocol, match=r"speaks TLS .* connect with amqps://"):
        await connection.__aenter__()


async def test_client_certificate_that_the_server_does_not_get(
    authority: trustme.CA, context: ssl.SSLContext
) -> None:
    """With TLS 1.3 the client's half of the handshake is over before the server objects."""
    tls = server_context(authority, "localhost")
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    async with ScriptedServer(tls=tls) as server:
        connection = await ammoo.connect(port=server.port, ssl_context=context)
        with pytest.raises(ConnectionLost) as caught:
            await connection.__aenter__()

    assert "reject or require a client certificate" in caught.value.__notes__[0]
