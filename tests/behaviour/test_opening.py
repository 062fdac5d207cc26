"""From the protocol header to connection.open-ok: greeting, login, tuning, virtual host.

Specification: section 2.2.4. RabbitMQ: https://www.rabbitmq.com/docs/connections
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ammoo_wire import (
    ChannelCloseParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    ConnectionOpenOkParameters,
    ConnectionOpenParameters,
    ConnectionStartParameters,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    ConnectionUpdateSecretOkParameters,
    ConnectionUpdateSecretParameters,
    amqplain_response,
    plain_response,
)
from tests.support.brokers import Broker, Connect
from tests.support.channel import Channel
from tests.support.frames import HEARTBEAT, PROTOCOL_HEADER, Frame, ServerClosedConnection
from tests.support.peer import CAPABILITIES, Peer

LOGIN_REFUSED = (
    "ACCESS_REFUSED - Login was refused using authentication mechanism {}."
    " For details see the broker logfile."
)


# --- the protocol header ----------------------------------------------------------------------


@pytest.mark.parametrize("header", [PROTOCOL_HEADER, b"AMQP\x01\x01\x00\x09"], ids=["0-9-1", "0-9"])
def test_protocol_header_is_answered_with_connection_start(dial: Connect, header: bytes) -> None:
    peer = dial()

    peer.send_octets(header)

    start = peer.expect(0, ConnectionStartParameters)
    assert (0, 9) == (start.version_major, start.version_minor)
    assert {"PLAIN", "AMQPLAIN"} <= set(start.mechanisms.decode().split(" "))
    assert b"en_US" == start.locales


@pytest.mark.rabbitmq_version("<4.0")
def test_protocol_header_of_0_8_is_accepted_by_3_10(dial: Connect) -> None:
    peer = dial()

    peer.send_octets(b"AMQP\x01\x01\x08\x00")

    start = peer.expect(0, ConnectionStartParameters)
    assert (8, 0) == (start.version_major, start.version_minor)
    assert {} == start.server_properties["capabilities"]


@pytest.mark.parametrize(
    ("header", "answers"),
    [
        (b"AMQP\x00\x00\x08\x00", {"3.10": PROTOCOL_HEADER, "4.0": b"AMQP\x03\x01\x00\x00"}),
        (b"AMQP\x00\x01\x00\x00", {"3.10": PROTOCOL_HEADER, "4.0": b"AMQP\x03\x01\x00\x00"}),
        (b"AMQP\x01\x01\x00\x0a", {"3.10": PROTOCOL_HEADER, "4.0": b"AMQP\x03\x01\x00\x00"}),
        (b"AMQP\x00\x00\x09\x00", {"3.10": PROTOCOL_HEADER, "4.0": PROTOCOL_HEADER}),
        (b"GET / HT", {"3.10": PROTOCOL_HEADER, "4.0": b"AMQP\x03\x01\x00\x00"}),
    ],
    ids=["0-8", "1.0", "0-10", "0-9 without 1", "HTTP"],
)
def test_unknown_protocol_header_is_answered_with_the_servers_own(
    broker: Broker, dial: Connect, header: bytes, answers: dict[str, bytes]
) -> None:
    peer = dial()

    peer.send_octets(header)

    assert broker.value_of(answers) == peer.expect_end_of_stream()


@pytest.mark.rabbitmq_version(">=4.0")
def test_protocol_header_of_0_8_is_unknown_to_4_0(dial: Connect) -> None:
    peer = dial()

    peer.send_octets(b"AMQP\x01\x01\x08\x00")

    assert b"AMQP\x03\x01\x00\x00" == peer.expect_end_of_stream()


# --- what the server says of itself -----------------------------------------------------------


def test_server_properties_name_rabbitmq_and_its_version(broker: Broker, peer: Peer) -> None:
    assert peer.start is not None
    properties = peer.start.server_properties

    assert "RabbitMQ" == properties["product"]
    assert properties["version"].startswith(f"{broker.version}.")
    platform = broker.value_of(
        {"3.10": "Erlang/OTP 25", "4.0": "Erlang/OTP 27", "4.3": "Erlang/OTP 29"}
    )
    assert properties["platform"].startswith(platform)
    assert {
        "capabilities",
        "cluster_name",
        "copyright",
        "information",
        "platform",
        "product",
        "version",
    } == set(properties)


def test_server_announces_its_capabilities(peer: Peer) -> None:
    assert peer.start is not None

    assert {
        "publisher_confirms": True,
        "exchange_exchange_bindings": True,
        "basic.nack": True,
        "consumer_cancel_notify": True,
        "connection.blocked": True,
        "consumer_priorities": True,
        "authentication_failure_close": True,
        "per_consumer_qos": True,
        "direct_reply_to": True,
    } == peer.start.server_properties["capabilities"]


def test_server_proposes_its_limits(peer: Peer) -> None:
    assert ConnectionTuneParameters(2047, 131072, 60) == peer.tune


def test_open_ok_is_empty(dial: Connect) -> None:
    peer = dial()
    peer.begin()
    peer.expect(0, ConnectionTuneParameters)

    peer.send(0, ConnectionTuneOkParameters(2047, 131072, 0))
    peer.send(0, ConnectionOpenParameters("/"))

    assert ConnectionOpenOkParameters("") == peer.expect(0, ConnectionOpenOkParameters)


def test_channel_open_ok_is_empty(peer: Peer) -> None:
    peer.send(1, ChannelOpenParameters())

    assert ChannelOpenOkParameters(b"") == peer.expect(1, ChannelOpenOkParameters)


# --- login ------------------------------------------------------------------------------------


def test_login_with_amqplain(dial: Connect) -> None:
    peer = dial()

    peer.begin(mechanism="AMQPLAIN", response=amqplain_response("guest", "guest"))

    peer.expect(0, ConnectionTuneParameters)


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("PLAIN", plain_response("guest", "wrong")),
        ("PLAIN", plain_response("nobody", "guest")),
        ("AMQPLAIN", amqplain_response("guest", "wrong")),
    ],
)
def test_refused_login_is_told_to_clients_that_can_hear_it(
    dial: Connect, mechanism: str, response: bytes
) -> None:
    peer = dial()

    peer.begin(mechanism=mechanism, response=response)

    assert ConnectionCloseParameters(403, LOGIN_REFUSED.format(mechanism), 0, 0) == peer.expect(
        0, ConnectionCloseParameters
    )


@pytest.fixture
def several(broker: Broker) -> Iterator[list[Peer]]:
    """Three sockets: RabbitMQ punishes each bad login with seconds, together they pass at once."""
    with ExitStack() as stack:
        yield [stack.enter_context(Peer(broker.url)) for _ in range(3)]


def test_refused_login_of_other_clients_ends_in_silence(several: list[Peer]) -> None:
    wrong_password, unknown_mechanism, malformed = several
    began = malformed.time.now()

    wrong_password.begin(
        capabilities=CAPABILITIES | {"authentication_failure_close": False},
        response=plain_response("guest", "wrong"),
    )
    unknown_mechanism.begin(mechanism="SCRAM-SHA-1")
    malformed.begin(response=b"neither login nor password")

    assert [b"", b"", b""] == [peer.expect_end_of_stream() for peer in several]
    assert malformed.time.now() - began > 2, "the server pauses before it closes the socket"


def test_update_secret_while_open(peer: Peer) -> None:
    peer.send(0, ConnectionUpdateSecretParameters(b"guest", "renewed"))

    peer.expect(0, ConnectionUpdateSecretOkParameters)


# --- tuning -----------------------------------------------------------------------------------


def begin_and_tune(peers: list[Peer], limits: list[tuple[int, int]]) -> None:
    """Log in with each peer, and answer connection.tune with its channel_max and frame_max."""
    for peer, (channel_max, frame_max) in zip(peers, limits, strict=True):
        peer.begin()
        peer.expect(0, ConnectionTuneParameters)
        peer.send(0, ConnectionTuneOkParameters(channel_max, frame_max, 0))


@pytest.mark.parametrize(
    "outside",
    [
        pytest.param([(0, 131072), (2048, 131072), (2047, 0)], id="no limit, more channels"),
        pytest.param([(2047, 131073), (2047, 4095), (0, 0)], id="larger, smaller frames"),
    ],
)
def test_tuning_outside_the_offer_ends_in_silence(
    several: list[Peer], outside: list[tuple[int, int]]
) -> None:
    begin_and_tune(several, outside)

    assert [b"", b"", b""] == [peer.expect_end_of_stream() for peer in several]


@pytest.mark.parametrize(
    ("channel_max", "frame_max", "heartbeat"), [(1, 8192, 0), (2047, 131072, 60), (7, 8193, 600)]
)
def test_tuning_within_the_offer_is_accepted(
    connect: Connect, channel_max: int, frame_max: int, heartbeat: int
) -> None:
    peer = connect(channel_max=channel_max, frame_max=frame_max, heartbeat=heartbeat)

    peer.channel()


@pytest.mark.rabbitmq_version("<4.1")
@pytest.mark.parametrize("frame_max", [4096, 8191])
def test_small_frames_are_accepted_up_to_4_0(connect: Connect, frame_max: int) -> None:
    peer = connect(frame_max=frame_max)

    peer.channel()


@pytest.mark.rabbitmq_version(">=4.1")
def test_small_frames_cost_the_socket_from_4_1_on(several: list[Peer]) -> None:
    begin_and_tune(several, [(2047, 4096), (2047, 4097), (2047, 8191)])

    assert [b"", b"", b""] == [peer.expect_end_of_stream() for peer in several]


def test_channel_max_limits_how_many_channels_not_their_numbers(connect: Connect) -> None:
    peer = connect(channel_max=2)
    peer.channel(7)
    peer.channel(9)

    refused = Channel(peer, 1).fatal(ChannelOpenParameters())

    assert (
        ConnectionCloseParameters(
            530,
            "NOT_ALLOWED - number of channels opened (2) has reached the negotiated"
            " channel_max (2)",
            0,
            0,
        )
        == refused
    )


def test_channel_number_is_free_again_after_close(connect: Connect) -> None:
    peer = connect(channel_max=1)
    channel = peer.channel(1)

    channel.close()

    peer.channel(2)


# --- virtual host -----------------------------------------------------------------------------


def test_unknown_virtual_host_is_refused(broker: Broker, dial: Connect) -> None:
    peer = dial()
    peer.begin()
    peer.expect(0, ConnectionTuneParameters)
    peer.send(0, ConnectionTuneOkParameters(2047, 131072, 0))

    peer.send(0, ConnectionOpenParameters("no-such-host"))

    assert (
        ConnectionCloseParameters(530, "NOT_ALLOWED - vhost no-such-host not found", 10, 40)
        == peer.expect_connection_close()
    )


# --- heartbeats -------------------------------------------------------------------------------


def test_silent_client_gets_heartbeats_and_is_then_dropped(
    connect: Connect, channel: Channel
) -> None:
    began = channel.peer.time.now()
    peer = connect(heartbeat=1)

    heartbeats = peer.frames_until_end_of_stream()

    assert {Frame(HEARTBEAT, 0, b"")} == set(heartbeats)
    assert len(heartbeats) >= 2
    assert peer.time.now() - began > 1.8
    peer.drop()


# --- closing ----------------------------------------------------------------------------------


def test_connection_close_is_answered(connect: Connect) -> None:
    """Then RabbitMQ waits for the client to close the socket, for 30 seconds."""
    peer = connect()

    peer.send(0, ConnectionCloseParameters(200, "goodbye"))

    assert ConnectionCloseOkParameters() == peer.receive(0)
    peer.drop()


def test_server_ignores_all_but_close_ok_after_its_own_close(connect: Connect) -> None:
    peer = connect()
    channel = peer.channel()
    channel.send(ChannelOpenParameters())
    with pytest.raises(ServerClosedConnection):
        channel.receive()

    channel.send(ChannelCloseParameters())
    channel.send(ChannelOpenParameters())
    close = peer.expect_connection_close()

    assert 504 == close.reply_code
    assert not peer.has_received(1)
