"""Connections that are not opened: who is to blame, whether it may pass, and what to do."""

import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from traceback import format_exception_only
from typing import Any

import pytest
import trustme

import ammoo
from ammoo.exceptions.connection import (
    AuthenticationError,
    ConnectionLost,
    InvalidServerFrame,
    LoginFrameTooLarge,
    NotAllowed,
    WrongProtocol,
    server_closed_connection,
)
from ammoo.live.opening_failures import describe_socket_error
from ammoo.uri import connection_parameters
from ammoo_wire import Challenge, ForeignProtocol
from tests.client.script import ScriptedServer

LOST_LOGIN: dict[str, Any] = {
    "product": "RabbitMQ",
    "version": "3.10.8",
    "capabilities": {"authentication_failure_close": True},
}


async def _refusal(server: ScriptedServer, **options: Any) -> Any:
    """Open a connection, and return why it was not opened."""
    connection = await ammoo.connect(server.url, **options)
    with pytest.raises(Exception) as caught:  # noqa: PT011  the caller looks at it
        await connection.__aenter__()
    assert caught.value is connection.closing_exc
    return caught.value


# --- a server that speaks something else ---


@pytest.mark.parametrize("frame_max", [131072, 0])
@pytest.mark.parametrize(
    ("greeting", "protocol", "remedy"),
    [
        (b"AMQP\x00\x01\x00\x00", "AMQP 1.0", "use a client of AMQP 1.0"),
        (b"AMQP\x03\x01\x00\x00", "AMQP 1.0 and wants a login by SASL", "client of AMQP 1.0"),
        (b"AMQP\x00\x00\x09\x01", "AMQP 0-9-1, but refused", "check the proxies"),
        (b"AMQP\x01\x01\x00\x09", "another version of AMQP", "0-9-1"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP", "15672 is for its management"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "TLS", "connect with amqps://"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH", "check host and port"),
        (b"-ERR unknown command 'AMQP'\r\n", "Redis' protocol", "check host and port"),
        (b"J\x00\x00\x00\x0a8.0.36", "", "check host and port"),
    ],
)
async def test_server_that_speaks_something_else(
    server: ScriptedServer, greeting: bytes, protocol: str, remedy: str, frame_max: int
) -> None:
    server.greeting, server.is_deaf, server.hangs_up = greeting, True, True

    error = await _refusal(server, frame_max=frame_max)

    assert isinstance(error, WrongProtocol)
    assert isinstance(error, InvalidServerFrame)
    assert isinstance(error.parse_exc, ForeignProtocol)
    assert not error.recoverable
    assert error.octets == greeting[:7]
    assert error.protocol.startswith(protocol)
    assert f"at {server.url} " in str(error)
    assert remedy in str(error)


async def test_server_that_says_nothing_may_be_there_later(server: ScriptedServer) -> None:
    server.is_deaf, server.hangs_up = True, True

    error = await _refusal(server)

    assert type(error) is ConnectionLost
    assert error.recoverable
    assert f"the server at {server.url} closed the socket" in str(error)
    assert "may expect TLS" in error.__notes__[0]


# --- a connection that is lost during the login ---


@pytest.mark.parametrize("is_reset", [False, True])
async def test_loss_during_login_is_not_blamed_on_the_password(is_reset: bool) -> None:
    async with ScriptedServer(server_properties=LOST_LOGIN) as server:
        server.options["authenticate"] = _losing(server, is_reset=is_reset)
        error = await _refusal(server)

    assert type(error) is ConnectionLost
    assert error.recoverable
    assert error.address.startswith("amqp://127.0.0.1:")
    assert (is_reset) == (error.exc is not None)


def _losing(server: ScriptedServer, *, is_reset: bool = False) -> Callable[[str, bytes], Challenge]:
    """Have a server close its socket instead of judging a login; without or with a reset."""

    def lose(mechanism: str, response: bytes) -> Challenge:
        transport = server.peer._transport
        assert transport is not None
        linger = struct.pack("ii", is_reset, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
        return Challenge(b"")

    return lose


async def test_loss_during_login_is_a_refusal_where_the_server_says_nothing_else() -> None:
    async with ScriptedServer(server_properties={"product": "an older one"}) as server:
        server.options["authenticate"] = _losing(server)

        error = await _refusal(server)

    assert isinstance(error, AuthenticationError)
    assert not error.recoverable


@pytest.mark.parametrize(
    ("version", "size", "limit"),
    [
        ("3.10.8", 5000, 4096),
        ("4.0.5", 5000, 4096),
        ("4.1.0", 9000, 8192),
        ("4.3.6", 9000, 8192),
        ("5.0.0-rc.1", 9000, 8192),
        ("unknown", 5000, 4096),
        (7, 5000, 4096),
    ],
)
async def test_login_that_is_too_large_is_named(version: Any, size: int, limit: int) -> None:
    properties = {**LOST_LOGIN, "version": version}
    async with ScriptedServer(server_properties=properties, smallest_frame_max=8192) as server:
        server.options["authenticate"] = _losing(server)

        error = await _refusal(server, client_properties={"token": "x" * size})

    assert isinstance(error, LoginFrameTooLarge)
    assert not error.recoverable
    assert ("connection.start-ok", limit) == (error.method, error.limit)
    assert size < error.size < size + 500
    assert f"a login of {error.size} octets (connection.start-ok)" in str(error)
    assert "initial_frame_max" in str(error)


async def test_login_that_fits_is_not_called_too_large() -> None:
    properties = {**LOST_LOGIN, "version": "4.3.6"}
    async with ScriptedServer(server_properties=properties, smallest_frame_max=8192) as server:
        server.options["authenticate"] = _losing(server)

        error = await _refusal(server, client_properties={"token": "x" * 5000})

    assert type(error) is ConnectionLost


# --- a socket that is not connected ---


async def test_name_that_is_not_found_is_shown() -> None:
    with pytest.raises(socket.gaierror, match=r"\(amqp://nowhere\.invalid:5672\)"):
        await ammoo.connect("amqp://nowhere.invalid/")


async def test_path_that_is_not_there_is_shown(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"mq\.sock"):
        await ammoo.connect(host=f"{tmp_path}/mq.sock")


async def test_lost_connection_shows_where_it_was(
    connection: ammoo.Connection, server: ScriptedServer
) -> None:
    async with connection.channel() as channel:
        server.peer.abort()
        with pytest.raises(ConnectionLost, match=rf"at {server.url}"):
            await channel.get_next_returned_message()


# --- TLS ---


async def test_tls_handshake_that_the_server_ends_has_a_text(server: ScriptedServer) -> None:
    server.is_deaf, server.hangs_up = True, True

    with pytest.raises(ConnectionResetError, match=f"127.0.0.1:{server.port}") as caught:
        await ammoo.connect(host="127.0.0.1", port=server.port, ssl=True)

    assert "TLS handshake" in str(caught.value) or "Errno" in str(caught.value)


async def test_tls_versions_that_do_not_meet_are_named() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert("127.0.0.1").configure_cert(context)
    mine = ssl.create_default_context()
    mine.minimum_version = ssl.TLSVersion.TLSv1_3
    async with ScriptedServer(tls=context) as server:
        with pytest.raises(OSError, match=f"127.0.0.1:{server.port}") as caught:
            await ammoo.connect(host="127.0.0.1", port=server.port, ssl_context=mine)

    # asyncio says nothing of the alert if the server has closed the socket behind it.
    assert "TLS version" in "".join(format_exception_only(caught.value))


@pytest.mark.parametrize("reason", ["UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"])
def test_openssls_words_for_versions_get_a_note(reason: str) -> None:
    error = ssl.SSLError(1, "[SSL] no")
    error.reason = reason

    describe_socket_error(error, connection_parameters("amqps://host"))

    assert "[SSL] no (amqps://host:5671)" == str(error)
    assert "no TLS version in common" in error.__notes__[0]


def test_several_addresses_that_all_failed_get_the_name() -> None:
    error = OSError("Multiple exceptions: [Errno 111] …")

    describe_socket_error(error, connection_parameters("amqp://host"))

    assert "Multiple exceptions: [Errno 111] … (amqp://host:5672)" == str(error)


# --- advice ---


@pytest.mark.parametrize(
    ("text", "method", "advice"),
    [
        ("NOT_ALLOWED - vhost x not found", (10, 40), "check the virtual host's name"),
        (
            "NOT_ALLOWED - attempt to reuse consumer tag 't'",
            (60, 20),
            "do not choose consumer tags",
        ),
        ("NOT_ALLOWED - negotiated frame_max = 4096 is lower", (10, 31), "pass frame_max=8192"),
        ("NOT_ALLOWED - vhost connection limit (1) is reached", (10, 40), "close other"),
        ("NOT_ALLOWED - something new", (50, 10), "the server's text says"),
    ],
)
def test_advice_is_about_what_was_forbidden(
    text: str, method: tuple[int, int], advice: str
) -> None:
    error = server_closed_connection(530, text, *method)

    assert isinstance(error, NotAllowed)
    assert f"; {advice}" in str(error)
    assert ("virtual host" in str(error)) == (advice == "check the virtual host's name")
