"""A client and a server joined in memory: what each says must be what the other expects."""

from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_wire import (
    NO_PROPERTIES,
    Accepted,
    BasicAckParameters,
    BasicDeliverParameters,
    BasicPublishParameters,
    Challenge,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    ConnectionBlockedParameters,
    ConnectionCloseParameters,
    ConnectionSecureParameters,
    ConnectionState,
    ProtocolError,
    Refused,
    ReplyCode,
    encode_method,
    method_of,
    parse_plain,
    plain_response,
)
from tests.support.commands import Command, named
from tests.wire import strategies
from tests.wire.peers import Peers, new_client, new_server, running_peers, send_all

ACK = BasicAckParameters(1)
RUNNING, CLOSING, CLOSED = (
    ConnectionState.RUNNING,
    ConnectionState.CLOSING,
    ConnectionState.CLOSED,
)


# --- opening ---


def test_opening_agrees_on_everything() -> None:
    peers = running_peers(
        new_client(virtualhost="test", channel_max=5, client_properties={"product": "c"}),
        new_server(frame_max=8192, heartbeat_interval=7, server_properties={"product": "s"}),
    )

    client, server = peers.client, peers.server
    assert client.channel_max == server.channel_max == 5
    assert client.frame_max == server.frame_max == 8192
    assert client.heartbeat_interval == server.heartbeat_interval == 7
    assert client.server_start is not None
    assert {"product": "s"} == client.server_start.server_properties
    assert {"product": "c"} == server.client_properties
    assert "test" == server.virtualhost
    assert peers.to_client == peers.to_server == []


@given(
    st.tuples(st.integers(0, 65535), st.just(0) | st.integers(4096, 1 << 20)),
    st.tuples(st.integers(0, 65535), st.just(0) | st.integers(4096, 1 << 20)),
    st.none() | strategies.unsigned[16],
    strategies.unsigned[16],
)
def test_peers_agree_whatever_their_limits(
    ours: tuple[int, int], theirs: tuple[int, int], heartbeat: int | None, offered: int
) -> None:
    peers = running_peers(
        new_client(channel_max=ours[0], frame_max=ours[1], heartbeat_interval=heartbeat),
        new_server(channel_max=theirs[0], frame_max=theirs[1], heartbeat_interval=offered),
    )

    limits = [
        (peer.channel_max, peer.frame_max, peer.heartbeat_interval)
        for peer in (peers.client, peers.server)
    ]
    assert limits[0] == limits[1]
    assert limits[0][2] == (offered if heartbeat is None else heartbeat)


def test_opening_goes_octet_by_octet() -> None:
    peers = Peers()

    peers.exchange(by_octet=True)

    assert (RUNNING, RUNNING) == peers.states
    assert [] == peers.to_server + peers.to_client


def test_plain_login_reaches_the_server() -> None:
    logins: list[tuple[str, str, str]] = []

    def authenticate(mechanism: str, response: bytes) -> Accepted:
        logins.append(parse_plain(response))
        return Accepted()

    running_peers(
        new_client(mechanism=lambda start: ("PLAIN", plain_response("guest", "gäst"))),
        new_server(authenticate=authenticate),
    )

    assert [("", "guest", "gäst")] == logins


def test_challenge_and_response_open_the_connection() -> None:
    def authenticate(mechanism: str, response: bytes) -> Accepted | Challenge | Refused:
        verdicts: dict[bytes, Accepted | Challenge] = {
            b"": Challenge(b"1+1"),
            b"2": Challenge(b"2+2"),
            b"4": Accepted(),
        }
        return verdicts[response]

    peers = Peers(
        new_client(mechanism=lambda start: ("PLAIN", b"")), new_server(authenticate=authenticate)
    )
    peers.exchange()
    assert Command(0, ConnectionSecureParameters(b"1+1"), None, None) == peers.to_client.pop()
    peers.client.answer_challenge(b"2")
    peers.exchange()
    assert Command(0, ConnectionSecureParameters(b"2+2"), None, None) == peers.to_client.pop()
    peers.client.answer_challenge(b"4")
    peers.exchange()

    assert (RUNNING, RUNNING) == peers.states
    assert [] == peers.to_client


def test_refused_login_is_told_to_a_client_that_announces_it() -> None:
    peers = Peers(
        new_client(client_properties={"capabilities": {"authentication_failure_close": True}}),
        new_server(authenticate=lambda mechanism, response: Refused("not you")),
    )

    peers.exchange()

    assert (CLOSED, CLOSED) == peers.states
    assert peers.client.failure is None
    assert (
        ConnectionCloseParameters(403, "ACCESS_REFUSED - not you", 0, 0)
        == peers.client.close_received
    )


def test_refused_login_is_silence_to_another_client() -> None:
    peers = Peers(server=new_server(authenticate=lambda mechanism, response: Refused("not you")))

    peers.exchange()

    assert (ConnectionState.SECURING, CLOSED) == peers.states
    assert peers.server.login_pause
    assert peers.client.close_received is None


def test_virtual_host_that_does_not_exist_is_told() -> None:
    def refuse(virtualhost: str) -> None:
        raise ProtocolError(ReplyCode.NOT_ALLOWED, f"vhost {virtualhost} not found", (10, 40))

    peers = Peers(server=new_server(open_virtualhost=refuse))

    peers.exchange()

    assert (CLOSED, CLOSED) == peers.states
    assert (
        ConnectionCloseParameters(530, "NOT_ALLOWED - vhost / not found", 10, 40)
        == peers.client.close_received
    )


def test_server_of_another_protocol_ends_it() -> None:
    peers = Peers(server=new_server(accepted_headers={}))

    peers.exchange()

    assert peers.server.state is CLOSED
    assert peers.client.failure is not None


# --- commands ---


@given(st.data())
@pytest.mark.parametrize("frame_max", [4096, 131072])
def test_every_command_arrives_at_the_other_end(frame_max: int, data: st.DataObject) -> None:
    peers = running_peers(client=new_client(frame_max=frame_max))
    sent = data.draw(st.lists(strategies.commands(3), max_size=5))

    send_all(peers.client, sent)
    send_all(peers.server, sent)
    peers.exchange()

    assert sent == peers.to_server
    assert sent == peers.to_client


def test_heartbeats_are_no_commands() -> None:
    peers = running_peers()

    peers.client.send_heartbeat()
    peers.server.send_heartbeat()
    peers.exchange()

    assert peers.to_client == peers.to_server == []
    assert (RUNNING, RUNNING) == peers.states


def test_blocked_reaches_the_client() -> None:
    peers = running_peers()

    peers.server.send(0, ConnectionBlockedParameters("low on memory"))
    peers.exchange()

    assert [Command(0, ConnectionBlockedParameters("low on memory"), None, None)] == peers.to_client


# --- closing ---


@pytest.mark.parametrize("which", ["client", "server"])
def test_close_by_either_ends_both(which: str) -> None:
    peers = running_peers()
    closer, other = (
        (peers.client, peers.server) if which == "client" else (peers.server, peers.client)
    )

    closer.close(320, "CONNECTION_FORCED - bye")
    peers.exchange()

    assert (CLOSED, CLOSED) == peers.states
    assert closer.close_sent == other.close_received
    assert closer.close_received is other.close_sent is None
    assert closer.failure is other.failure is None


def test_closes_that_cross_end_both() -> None:
    peers = running_peers()

    peers.client.close(200, "bye")
    peers.server.close(320, "CONNECTION_FORCED - bye")
    crossing = peers.client.data_to_send(), peers.server.data_to_send()
    peers.server.receive_data(crossing[0])
    peers.client.receive_data(crossing[1])
    peers.exchange()

    assert (CLOSED, CLOSED) == peers.states
    assert peers.client.close_received == peers.server.close_sent
    assert peers.server.close_received == peers.client.close_sent


def test_closing_frames_of_both_arrive() -> None:
    """What was queued before a close, and what answers commands in front of the peer's."""
    peers = running_peers()

    peers.client.send(1, ACK)
    peers.client.close()
    peers.to_server += named(peers.server.receive_data(peers.client.data_to_send()))
    peers.server.send(1, ACK)
    octets = peers.server.data_to_send()
    peers.to_client += named(peers.client.receive_data(octets))

    assert [Command(1, ACK, None, None)] == peers.to_server
    assert encode_method(ACK) in octets
    assert [] == peers.to_client  # it has closed, and wants nothing more
    assert (CLOSED, CLOSING) == peers.states


def test_fault_of_the_client_is_told_behind_the_answers_to_its_good_commands() -> None:
    peers = running_peers()

    peers.client.send(1, ChannelOpenParameters())
    peers.client.send_method(1, bytes((0, 60, 0, 80, 1)))
    peers.client.send(1, ACK)
    peers.to_server += named(peers.server.receive_data(peers.client.data_to_send()))
    peers.server.send(1, ChannelOpenOkParameters())
    peers.exchange()

    assert [Command(1, ChannelOpenParameters(), None, None)] == peers.to_server
    assert [Command(1, ChannelOpenOkParameters(), None, None)] == peers.to_client
    assert (CLOSED, CLOSED) == peers.states
    assert peers.client.close_received == ConnectionCloseParameters(
        501, "FRAME_ERROR - cannot decode <<1>>", *method_of(ACK).id
    )
    assert peers.client.failure is None


@pytest.mark.parametrize("which", ["client", "server"])
def test_peer_that_pipelines_on_behind_its_fault_is_closed_cleanly(which: str) -> None:
    """A content is cut off by a method, and more contents follow, sent before the fault is known."""
    peers = running_peers()
    culprit = peers.client if which == "client" else peers.server
    publish = encode_method(BasicPublishParameters("", "q"))

    culprit.send_method(1, publish)
    culprit.send(1, ACK)
    send_all(
        culprit, [Command(1, BasicPublishParameters("", "q"), NO_PROPERTIES, bytearray(4))] * 5
    )
    peers.exchange()

    assert (CLOSED, CLOSED) == peers.states
    assert culprit.failure is None
    assert culprit.close_received is not None
    assert 505 == culprit.close_received.reply_code


# --- channels ---


def test_channel_closed_by_the_server_drops_what_the_client_had_sent() -> None:
    peers = running_peers()
    close = ChannelCloseParameters(404, "NOT_FOUND - no queue", 60, 40)
    peers.client.send_content(
        1, encode_method(BasicPublishParameters("", "q")), NO_PROPERTIES, b"x"
    )
    peers.client.send(2, ACK)
    under_way = peers.client.data_to_send()

    peers.server.send(1, close)
    peers.to_server += named(peers.server.receive_data(under_way))
    peers.exchange()

    assert [Command(2, ACK, None, None)] == peers.to_server
    assert [Command(1, close, None, None)] == peers.to_client
    assert peers.server.is_channel_closing(1)
    peers.client.send(1, ChannelCloseOkParameters())
    peers.exchange()
    assert not peers.server.is_channel_closing(1)


def test_closes_of_a_channel_that_cross_are_settled_without_the_shells() -> None:
    peers = running_peers()

    peers.client.send(1, ChannelCloseParameters())
    peers.server.send(1, ChannelCloseParameters(404, "NOT_FOUND - no queue", 60, 40))
    peers.exchange()

    close_ok = Command(1, ChannelCloseOkParameters(), None, None)
    assert peers.to_client == peers.to_server == [close_ok]
    assert not peers.client.is_channel_closing(1)
    assert not peers.server.is_channel_closing(1)


@pytest.mark.parametrize("size", [0, 1, 5000])
def test_deliveries_to_a_channel_that_the_client_closes_are_dropped(size: int) -> None:
    peers = running_peers(client=new_client(frame_max=4096))
    deliver = encode_method(BasicDeliverParameters("tag", 1, False, "", "q"))
    close_ok = ChannelCloseOkParameters()

    peers.client.send(1, ChannelCloseParameters())
    peers.server.send_content(1, deliver, NO_PROPERTIES, b"x" * size)
    peers.server.send_content(2, deliver, NO_PROPERTIES, b"y")
    peers.server.send(1, close_ok)
    peers.exchange()

    assert [2, 1] == [command.channel_number for command in peers.to_client]
    assert Command(1, close_ok, None, None) == peers.to_client[1]


# --- whatever happens ---

Step = Callable[[Peers], object]
steps: st.SearchStrategy[Step] = st.sampled_from(
    [
        lambda peers: peers.client.send(1, ACK),
        lambda peers: peers.server.send(1, ACK),
        lambda peers: peers.client.send(1, ChannelCloseParameters()),
        lambda peers: peers.server.send(1, ChannelCloseParameters()),
        lambda peers: peers.client.send_heartbeat(),
        lambda peers: peers.server.send_heartbeat(),
        lambda peers: peers.client.send_method(1, b"\x00\x3c\x00\x50"),
        lambda peers: peers.server.send_method(1, b"\x00\x3c\x00\x50"),
        lambda peers: peers.client.send_content(
            1, encode_method(BasicPublishParameters()), NO_PROPERTIES, b"x"
        ),
        lambda peers: peers.server.receive_data(peers.client.data_to_send()),
        lambda peers: peers.client.receive_data(peers.server.data_to_send()),
        lambda peers: peers.client.close(),
        lambda peers: peers.server.close(),
    ]
)


@given(st.lists(steps, max_size=30))
def test_both_are_closed_in_the_end_whatever_they_say_and_when(program: list[Step]) -> None:
    peers = running_peers()

    deque((step(peers) for step in program), maxlen=0)
    peers.client.close()
    peers.exchange()

    assert (CLOSED, CLOSED) == peers.states
    assert CLOSING not in peers.states
