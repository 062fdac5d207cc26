"""Opening a connection: what the server may make of it, and what the client does then."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

import ammoo
from ammoo.auth.abc import Authentication, AuthenticationMechanism
from ammoo.auth.mechanisms.external import ExternalAuth
from ammoo.auth.mechanisms.sasl_plain import SaslPlainAuth
from ammoo.exceptions.connection import (
    AuthenticationError,
    ClientClosedConnectionError,
    ClientClosedConnectionOK,
    ConnectionLost,
    ConnectionTimeout,
    InvalidServerFrame,
    LoginRefused,
    NoChallengesAuthenticationError,
    NotAllowed,
    ServerAuthMechanismsNotSupportedError,
    ServerClosedConnection,
    TooManyChannels,
    UnexpectedFrame,
)
from ammoo_wire import (
    Accepted,
    Challenge,
    ProtocolError,
    QueueDeclareOkParameters,
    Refused,
    ReplyCode,
)
from tests.client.script import ScriptedServer
from tests.support.tasks import started, turn_over


async def test_connect_raises_os_error_when_the_port_is_refused(server: ScriptedServer) -> None:
    port = server.port
    await server.__aexit__()

    with pytest.raises(OSError, match=str(port)):
        await ammoo.connect(host="127.0.0.1", port=port)


async def test_connect_only_opens_the_socket(server: ScriptedServer) -> None:
    connection = await ammoo.connect(server.url)

    assert not connection.entered
    await connection.close()
    await server.accepted()
    await server.peer.closed
    assert 0 == server.peer.octets


async def test_channel_raises_when_connection_is_not_entered(server: ScriptedServer) -> None:
    connection = await ammoo.connect(server.url)

    with pytest.raises(RuntimeError, match="async with"):
        connection.channel()
    await connection.close()


async def test_connection_cannot_be_entered_twice(connection: ammoo.Connection) -> None:
    with pytest.raises(RuntimeError, match="entered or closed before"):
        await connection.__aenter__()


NOBODY_HERE = "amqp://%2Fnowhere%2Fmq.sock"


async def test_connection_shows_the_host_that_it_has(server: ScriptedServer) -> None:
    async with ammoo.connect([NOBODY_HERE, server.url]) as connection:
        shown = repr(connection)

    assert f"<Connection to {server.url}, open>" == shown


async def test_failures_of_all_hosts_are_shown() -> None:
    """The one that is raised could otherwise hide the one that matters."""
    async with ScriptedServer(authenticate=lambda m, r: Refused("ACCESS_REFUSED - no")) as server:
        url = server.url
        with pytest.raises(FileNotFoundError, match=r"mq\.sock") as caught:
            async with ammoo.connect([NOBODY_HERE, server.url]):
                pass

    (note,) = caught.value.__notes__
    assert note.startswith(f"{url} failed, too: the connection was closed by the server")
    assert "ACCESS_REFUSED - no" in note


async def test_connection_takes_limits_from_both_sides() -> None:
    async with ScriptedServer(channel_max=3, frame_max=8192, heartbeat_interval=7) as server:
        async with await ammoo.connect(server.url) as connection:
            assert (7, 8192, 3) == (
                connection.heartbeat_interval,
                connection.frame_max,
                connection.channel_max,
            )
        async with await ammoo.connect(
            server.url + "?heartbeat_interval=5&frame_max=5000", heartbeat_interval=0
        ) as connection:
            assert (0, 5000) == (connection.heartbeat_interval, connection.frame_max)


async def test_channel_max_of_the_server_is_enforced_before_a_byte_is_sent() -> None:
    async with ScriptedServer(channel_max=3) as server, await ammoo.connect(server.url) as c:
        async with c.channel(), c.channel(), c.channel() as third:
            with pytest.raises(TooManyChannels, match="all 3 channels"):
                await c.channel().__aenter__()
            assert 3 == third.channel_id
        async with c.channel() as channel:
            assert 1 == channel.channel_id


async def test_loop_must_be_the_running_one() -> None:
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(ValueError, match="running"):
            await ammoo.connect(loop=loop)
    finally:
        loop.close()


class MyConnection(ammoo.Connection):
    pass


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"recovery": True}, TypeError, r"recovery is True; expected a Recovery, such as"),
        ({"recovery": ammoo.Recovery}, TypeError, r"recovery is <class .*; expected a Recovery"),
        (
            {"credentials": ammoo.Credentials("me", "hunter2")},
            TypeError,
            r"^credentials is of type Credentials; expected an async function",
        ),
        ({"hooks": ammoo.Hooks}, TypeError, r"hooks is <class .*; expected an object of"),
        ({"hooks": object()}, TypeError, r"hooks is <object .*; expected an object of"),
        ({"record_frames": True}, TypeError, r"record_frames is True; expected a whole number"),
        (
            {"record_frames": -1},
            ValueError,
            r"record_frames is -1; expected a whole number, 0 or more",
        ),
        ({"stall_guard": True}, TypeError, r"stall_guard is True; expected a share"),
        (
            {"stall_guard": 0},
            ValueError,
            r"stall_guard is 0; expected a share of the heartbeat interval above 0",
        ),
        ({"stall_guard": float("nan")}, ValueError, r"stall_guard is nan; expected a share"),
    ],
)
async def test_option_that_cannot_be_is_refused_before_anything_is_connected(
    server: ScriptedServer, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Some of them would be missed only when the first message arrives."""
    with pytest.raises(error, match=words):
        await ammoo.connect(server.url, **options)

    assert [] == server.peers


async def test_connection_that_was_made_by_hand_says_how_to_get_one() -> None:
    made: Any = ammoo.Connection("amqp://localhost/")  # type: ignore[arg-type]  # the mistake is the point

    with pytest.raises(RuntimeError, match=r"no socket: await ammoo.connect\(…\)"):
        await made.open()
    with pytest.raises(RuntimeError, match=r"no socket: await ammoo.connect\(…\)"):
        made.channel()


async def test_url_of_octets_is_named_by_its_own_type() -> None:
    with pytest.raises(TypeError, match="url is of type bytes; expected a str"):
        await ammoo.connect(b"amqp://localhost/")  # type: ignore[arg-type]  # the mistake is the point


@pytest.mark.parametrize(
    "factory", [MyConnection, lambda parameters: MyConnection, lambda p: MyConnection(p)]
)
async def test_connection_factory_makes_the_connection(
    server: ScriptedServer, factory: type[ammoo.Connection]
) -> None:
    async with await ammoo.connect(server.url, connection_factory=factory) as connection:
        assert isinstance(connection, MyConnection)


async def test_client_properties_are_told(server: ScriptedServer) -> None:
    async with await ammoo.connect(
        server.url, connection_name="checkout", client_properties={"capabilities": {"x": True}}
    ):
        told = server.peer.protocol.client_properties

    assert ("ammoo", "checkout") == (told["product"], told["connection_name"])
    assert told["capabilities"]["x"] is True
    assert told["capabilities"]["consumer_cancel_notify"] is True


async def test_connection_closing_exc_after_clean_close(server: ScriptedServer) -> None:
    async with await ammoo.connect(server.url) as connection:
        assert (None, False) == (connection.closing_exc, connection.closing)

    assert isinstance(connection.closing_exc, ClientClosedConnectionOK)
    assert connection.closing
    with pytest.raises(ClientClosedConnectionOK):
        connection.channel()


async def test_connection_closing_exc_after_an_exception(server: ScriptedServer) -> None:
    error = KeyError("mine")
    with pytest.raises(KeyError):
        async with await ammoo.connect(server.url) as connection:
            raise error

    assert isinstance(connection.closing_exc, ClientClosedConnectionError)
    assert error is connection.closing_exc.exc


# --- logging in ---


async def test_login_refused_with_a_word() -> None:
    async with ScriptedServer(authenticate=lambda m, r: Refused("ACCESS_REFUSED - no")) as server:
        connection = await ammoo.connect(server.url)
        with pytest.raises(LoginRefused) as caught:
            await connection.__aenter__()

    assert isinstance(caught.value, AuthenticationError)
    assert isinstance(caught.value, ServerClosedConnection)
    assert (403, "AMQPLAIN") == (caught.value.reply_code, caught.value.mechanism)
    assert connection.closing_exc is caught.value


async def test_login_refused_without_a_word(server: ScriptedServer) -> None:
    def hang_up(mechanism: str, response: bytes) -> Challenge:
        server.peer.hang_up()
        return Challenge(b"")

    server.options["authenticate"] = hang_up
    connection = await ammoo.connect(server.url)

    with pytest.raises(AuthenticationError) as caught:
        await connection.__aenter__()

    assert "AMQPLAIN" == caught.value.mechanism


async def test_unknown_virtualhost() -> None:
    def refuse(name: str) -> None:
        raise ProtocolError(ReplyCode.NOT_ALLOWED, f"vhost {name} not found", (10, 40))

    async with ScriptedServer(open_virtualhost=refuse) as server:
        connection = await ammoo.connect(server.url, virtualhost="nowhere")
        with pytest.raises(NotAllowed, match=r"nowhere.*answering connection.open") as caught:
            await connection.__aenter__()

    assert (530, 10, 40) == (
        caught.value.reply_code,
        caught.value.class_id,
        caught.value.method_id,
    )


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(("PLAIN", "AMQPLAIN"), "AMQPLAIN"), (("PLAIN",), "PLAIN")],
)
async def test_password_goes_by_the_mechanism_that_is_offered(
    offered: Sequence[str], chosen: str
) -> None:
    seen: list[str] = []

    def authenticate(mechanism: str, response: bytes) -> Accepted:
        seen.append(mechanism)
        return Accepted()

    async with (
        ScriptedServer(mechanisms=offered, authenticate=authenticate) as server,
        await ammoo.connect(server.url),
    ):
        assert [chosen] == seen


async def test_no_mechanism_in_common() -> None:
    async with ScriptedServer(mechanisms=("EXTERNAL",)) as server:
        connection = await ammoo.connect(server.url)
        with pytest.raises(ServerAuthMechanismsNotSupportedError, match=r"EXTERNAL.*AMQPLAIN"):
            await connection.__aenter__()


async def test_external_by_url_and_by_auth() -> None:
    responses: list[tuple[str, bytes]] = []

    def authenticate(mechanism: str, response: bytes) -> Accepted:
        responses.append((mechanism, response))
        return Accepted()

    async with ScriptedServer(
        mechanisms=("EXTERNAL", "PLAIN"), authenticate=authenticate
    ) as server:
        async with await ammoo.connect(server.url + "?auth_mechanism=external"):
            pass
        async with await ammoo.connect(server.url, auth=ExternalAuth("me")):
            pass

    assert [("EXTERNAL", b""), ("EXTERNAL", b"me")] == responses


async def test_plain_may_name_somebody_else_to_be() -> None:
    responses: list[bytes] = []

    def authenticate(mechanism: str, response: bytes) -> Accepted:
        responses.append(response)
        return Accepted()

    async with (
        ScriptedServer(authenticate=authenticate) as server,
        await ammoo.connect(server.url, auth=SaslPlainAuth("me", "secret", "somebody")),
    ):
        assert [b"somebody\x00me\x00secret"] == responses


class Demo(AuthenticationMechanism):
    """A challenge-response mechanism, as users write them."""

    @classmethod
    def name(cls) -> str:
        return "DEMO"

    def build_start_ok_response(self, encoding: str, rabbitmq: bool) -> bytes:
        assert ("utf-8", True) == (encoding, rabbitmq)
        return b"who"

    async def challenge(self, challenge: bytes) -> bytes:
        await turn_over()
        return challenge[::-1]


class Chooser(Authentication):
    def select_mechanism(self, server_mechanisms: set[str]) -> AuthenticationMechanism:
        assert {"DEMO"} == server_mechanisms
        return Demo()


def _challenging(mechanism: str, response: bytes) -> Accepted | Challenge | Refused:
    following: dict[bytes, Accepted | Challenge | Refused] = {
        b"who": Challenge(b"one"),
        b"eno": Challenge(b"two"),
        b"owt": Accepted(),
    }
    return following.get(response, Refused("no"))


@pytest.mark.parametrize("auth", [Demo(), Chooser()])
async def test_challenges_are_answered(auth: Authentication | AuthenticationMechanism) -> None:
    async with (
        ScriptedServer(mechanisms=("DEMO",), authenticate=_challenging) as server,
        await ammoo.connect(server.url, auth=auth) as connection,
    ):
        assert connection.entered


async def test_challenge_for_a_mechanism_that_knows_none() -> None:
    async with ScriptedServer(authenticate=lambda m, r: Challenge(b"?")) as server:
        connection = await ammoo.connect(server.url, auth=SaslPlainAuth("a", "b"))
        with pytest.raises(NoChallengesAuthenticationError) as caught:
            await connection.__aenter__()

    assert "PLAIN" == caught.value.mechanism


# --- trouble ---


async def test_cancelled_handshake_leaves_nothing_behind(server: ScriptedServer) -> None:
    server.is_deaf = True
    connection = await ammoo.connect(server.url)
    entering = await started(connection.__aenter__())  # one turn: the handshake has begun

    entering.cancel()

    with pytest.raises(asyncio.CancelledError):
        await entering
    await server.accepted()
    async with asyncio.timeout(30):
        await server.peer.closed


async def test_cancelled_connect_leaves_nothing_behind(server: ScriptedServer) -> None:
    connecting = await started(ammoo.connect(server.url))

    connecting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await connecting


async def test_server_that_says_nothing_is_given_up(server: ScriptedServer) -> None:
    server.is_deaf = True
    connection = await ammoo.connect(server.url)
    live = connection._live
    assert live is not None
    live._parameters = live._parameters._replace(connection_timeout=0.05)  # for the handshake alone

    with pytest.raises(ConnectionTimeout, match=r"within 0.05 s") as caught:
        await connection.__aenter__()

    assert isinstance(caught.value, TimeoutError)
    assert connection.closing_exc is caught.value


async def test_server_that_hangs_up_on_the_limits(server: ScriptedServer) -> None:
    server.options["open_virtualhost"] = lambda name: server.peer.hang_up()
    connection = await ammoo.connect(server.url, frame_max=4096)

    with pytest.raises(ConnectionLost) as caught:
        await connection.__aenter__()

    assert "frame_max=4096" in caught.value.__notes__[0]


async def test_mechanism_that_loses_patience_closes_the_socket() -> None:
    class Slow(Demo):
        async def challenge(self, challenge: bytes) -> bytes:
            raise TimeoutError("no token came")

    async with ScriptedServer(mechanisms=("DEMO",), authenticate=_challenging) as server:
        connection = await ammoo.connect(server.url, auth=Slow(), connection_timeout=0)
        with pytest.raises(TimeoutError, match="no token came"):
            await connection.__aenter__()
        async with asyncio.timeout(30):
            await server.peer.closed


async def test_lost_socket(connection: ammoo.Connection, server: ScriptedServer) -> None:
    async with connection.channel() as channel:
        declaring = await started(channel.declare_queue("q"))
        server.peer.hang_up()

        with pytest.raises(ConnectionLost) as caught:
            await declaring

        assert connection.closing_exc is channel.closing_exc is caught.value
        assert caught.value.recoverable
        with pytest.raises(ConnectionLost) as later:
            await channel.declare_queue("q")
        assert later.value is caught.value


async def test_octets_that_are_no_amqp(
    connection: ammoo.Connection, server: ScriptedServer
) -> None:
    async with connection.channel() as channel:
        server.peer.write(b"\x09\x00\x01\x00\x00\x00\x00\xce")

        with pytest.raises(InvalidServerFrame, match="a type that AMQP does not have") as caught:
            await channel.get_next_returned_message()

    assert isinstance(caught.value.parse_exc, ProtocolError)
    async with asyncio.timeout(30):
        await server.peer.closed
    assert server.peer.protocol.close_received is not None
    assert 501 == server.peer.protocol.close_received.reply_code


async def test_answer_that_nobody_asked_for(
    connection: ammoo.Connection, server: ScriptedServer
) -> None:
    async with connection.channel() as channel:
        stray = QueueDeclareOkParameters("q", 0, 0)
        server.peer.send(stray)

        with pytest.raises(UnexpectedFrame) as caught:
            await channel.get_next_returned_message()

    assert stray == caught.value.frame


async def test_connection_closed_by_the_server(
    connection: ammoo.Connection, server: ScriptedServer
) -> None:
    async with connection.channel() as one, connection.channel() as two:
        waiting = [
            asyncio.create_task(channel.get_next_returned_message()) for channel in (one, two)
        ]
        await turn_over()
        server.peer.protocol.close(320, "CONNECTION_FORCED - shutdown")
        server.peer.flush()
        results = await asyncio.gather(*waiting, return_exceptions=True)

    assert results[0] is results[1] is connection.closing_exc
    assert isinstance(results[0], ServerClosedConnection)
    assert (320, "CONNECTION_FORCED - shutdown") == (
        results[0].reply_code,
        results[0].reply_text,
    )
    assert results[0].recoverable
