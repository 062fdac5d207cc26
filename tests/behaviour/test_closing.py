"""How a connection ends: which close is answered, what is still heard, and how the socket ends.

Specification: section 1.4.2.3 (connection.close). RabbitMQ's reader and its channels are processes
of their own: a fault that the reader sees closes the connection at once, one that a channel sees
does so behind what came in the same read.
"""

import struct
from collections.abc import Callable

import pytest

from ammoo_wire import (
    BasicAckParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    BasicQosOkParameters,
    BasicQosParameters,
    BasicRecoverParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelFlowParameters,
    ChannelOpenParameters,
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    ConnectionOpenParameters,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    plain_response,
)
from tests.support.brokers import Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import (
    BODY,
    HEADER,
    HEARTBEAT,
    METHOD,
    PROTOCOL_HEADER,
    encode_frame,
    encode_header,
    encode_method,
)
from tests.support.peer import CAPABILITIES, Peer

CLOSE = encode_frame(METHOD, 0, encode_method(ConnectionCloseParameters(200, "goodbye")))
CLOSE_OK = encode_frame(METHOD, 0, encode_method(ConnectionCloseOkParameters()))
WITHOUT_END = struct.pack(">BHI", METHOD, 1, 4) + b"\x00\x3c\x00\x0a" + b"\x00"
UNKNOWN_METHOD = struct.pack(">HH", 10, 99)


def on(channel_number: int, parameters: object) -> bytes:
    """Return the frame of a method."""
    return encode_frame(METHOD, channel_number, encode_method(parameters))


def publish(*, immediate: bool = False, expiration: str | None = None) -> bytes:
    """Return the frames of a publish on channel 1 to the default exchange."""
    properties = BasicHeaderProperties(expiration=expiration)
    return (
        on(1, BasicPublishParameters("", "nowhere", immediate=immediate))
        + encode_frame(HEADER, 1, encode_header(1, properties))
        + encode_frame(BODY, 1, b"x")
    )


CHANNEL_FAULTS = {
    "immediate": publish(immediate=True),
    "prefetch_size": on(1, BasicQosParameters(10, 0, False)),
    "flow": on(1, ChannelFlowParameters(False)),
    "recover": on(1, BasicRecoverParameters(False)),
    "second open": on(1, ChannelOpenParameters()),
    "no method for servers": on(1, QueueDeclareOkParameters("q", 0, 0)),
    "channel not open": on(5, BasicAckParameters(1)),
}
"""Faults that cost the connection, and that a channel of RabbitMQ sees."""

READER_FAULTS = {
    "unknown frame type": encode_frame(9, 0, b"abcd"),
    "header without a method": encode_frame(HEADER, 1, encode_header(0, BasicHeaderProperties())),
    "unreadable method": encode_frame(METHOD, 1, struct.pack(">HHB", 60, 10, 0)),
    "channel.open on channel 0": on(0, ChannelOpenParameters()),
}
"""Faults that cost the connection, and that RabbitMQ's reader sees."""


def faults(by_name: dict[str, bytes]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", by_name.values(), ids=by_name)


# --- a close in one piece with something else -------------------------------------------------


@faults(CHANNEL_FAULTS)
def test_fault_of_a_channel_is_told_in_place_of_close_ok(channel: Channel, fault: bytes) -> None:
    channel.peer.send_octets(fault + CLOSE)

    close = channel.peer.expect(0, ConnectionCloseParameters)
    channel.peer.send_octets(CLOSE_OK)

    assert close.reply_code in (503, 504, 540)
    assert b"" == channel.peer.expect_end_of_stream()


@faults(READER_FAULTS)
def test_fault_that_the_reader_sees_is_told_and_the_close_answered(
    channel: Channel, fault: bytes
) -> None:
    channel.peer.send_octets(fault + CLOSE)

    close = channel.peer.expect(0, ConnectionCloseParameters)
    channel.peer.expect(0, ConnectionCloseOkParameters)
    channel.peer.send_octets(CLOSE_OK)

    assert close.reply_code in (501, 504, 505)
    assert b"" == channel.peer.expect_end_of_stream()


@pytest.mark.parametrize(
    "fault",
    [on(1, QueueDeclareParameters("no such queue", passive=True)), publish(expiration="soon")],
    ids=["asked", "published"],
)
def test_error_that_costs_a_channel_is_told_and_the_close_answered(
    channel: Channel, fault: bytes
) -> None:
    channel.peer.send_octets(fault + CLOSE)

    channel.peer.expect(1, ChannelCloseParameters)
    channel.peer.expect(0, ConnectionCloseOkParameters)
    channel.peer.drop()


def test_answer_to_the_close_is_one_to_a_channels_close_as_well(channel: Channel) -> None:
    channel.peer.send_octets(on(1, ChannelCloseParameters()) + CLOSE)

    channel.peer.expect(0, ConnectionCloseOkParameters)
    assert not channel.peer.has_received(1)
    channel.peer.drop()


def test_request_in_front_of_the_close_is_answered(channel: Channel) -> None:
    channel.peer.send_octets(on(1, BasicQosParameters(0, 1, False)) + CLOSE)

    channel.peer.expect(0, ConnectionCloseOkParameters)
    assert channel.peer.has_received(1)
    channel.peer.drop()


@faults(CHANNEL_FAULTS)
def test_other_channels_are_answered_before_a_fault_is_told(
    channel: Channel, unique: Unique, fault: bytes
) -> None:
    name = unique("queue")
    channel.peer.channel(2)

    channel.peer.send_octets(fault + on(2, QueueDeclareParameters(name, exclusive=True)))
    close = channel.fatal()

    assert close.reply_code in (503, 504, 540)
    assert QueueDeclareOkParameters(name, 0, 0) == channel.peer.receive(2)


@faults(CHANNEL_FAULTS)
def test_channel_at_fault_does_nothing_more(channel: Channel, fault: bytes) -> None:
    number = 5 if fault == CHANNEL_FAULTS["channel not open"] else 1

    channel.peer.send_octets(fault + on(number, BasicQosParameters(0, 1, False)))
    close = channel.fatal()

    assert close.reply_code in (503, 504, 540)
    assert not channel.peer.has_received(number)


@faults(READER_FAULTS)
def test_nothing_is_done_behind_a_fault_that_the_reader_sees(
    channel: Channel, fault: bytes
) -> None:
    channel.peer.send_octets(fault + on(1, BasicQosParameters(0, 1, False)))
    close = channel.fatal()

    assert close.reply_code in (501, 504, 505)
    assert not channel.peer.has_received(1)


def test_one_of_two_faults_is_told(channel: Channel) -> None:
    """RabbitMQ's channels are processes of their own: either may be the first."""
    channel.peer.channel(2)

    channel.peer.send_octets(
        on(1, BasicQosParameters(10, 0, False)) + on(2, ChannelFlowParameters(False))
    )

    assert channel.fatal().reply_text in (
        "NOT_IMPLEMENTED - prefetch_size!=0 (10)",
        "NOT_IMPLEMENTED - active=false",
    )


def test_error_that_costs_a_channel_keeps_no_other_one_from_answering(channel: Channel) -> None:
    """RabbitMQ answers the two in either order."""
    channel.peer.channel(2)

    channel.peer.send_octets(
        publish(expiration="soon")
        + on(1, BasicQosParameters(0, 1, False))
        + on(2, BasicQosParameters(0, 1, False))
    )

    channel.peer.expect(2, BasicQosOkParameters)
    channel.expect(ChannelCloseParameters)
    channel.send(ChannelCloseOkParameters())
    assert [] == channel.peer.channel(3).arrived()
    assert not channel.peer.has_received(1)


# --- while a connection is being closed -------------------------------------------------------


def test_each_close_is_answered(channel: Channel) -> None:
    channel.peer.send_octets(CLOSE + CLOSE)
    channel.peer.expect(0, ConnectionCloseOkParameters)
    channel.peer.expect(0, ConnectionCloseOkParameters)

    channel.peer.send_octets(CLOSE)

    channel.peer.expect(0, ConnectionCloseOkParameters)
    channel.peer.drop()


def test_each_close_behind_the_servers_own_is_answered(channel: Channel) -> None:
    channel.send(ChannelOpenParameters())
    channel.peer.expect(0, ConnectionCloseParameters)

    channel.peer.send_octets(CLOSE)
    channel.peer.expect(0, ConnectionCloseOkParameters)
    channel.peer.send_octets(CLOSE)

    channel.peer.expect(0, ConnectionCloseOkParameters)
    channel.peer.drop()


@pytest.mark.parametrize(
    "more",
    [
        on(1, QueueDeclareParameters("", exclusive=True)),
        encode_frame(METHOD, 1, UNKNOWN_METHOD),
        encode_frame(9, 0, b"abcd"),
        on(0, ChannelOpenParameters()),
    ],
    ids=["declare", "unknown method", "unknown frame type", "channel.open on channel 0"],
)
def test_nothing_else_is_answered_behind_close_ok(channel: Channel, more: bytes) -> None:
    channel.peer.send_octets(CLOSE)
    channel.peer.expect(0, ConnectionCloseOkParameters)

    channel.peer.send_octets(more + CLOSE)

    channel.peer.expect(0, ConnectionCloseOkParameters)
    assert not channel.peer.has_received(1)
    channel.peer.drop()


# --- how the socket ends ----------------------------------------------------------------------


def _close_ok_behind_close_ok(channel: Channel) -> None:
    channel.peer.send_octets(CLOSE)
    channel.peer.expect(0, ConnectionCloseOkParameters)
    channel.peer.send_octets(CLOSE_OK)


def _close_ok_to_the_server(channel: Channel) -> None:
    channel.send(ChannelOpenParameters())
    channel.peer.expect(0, ConnectionCloseParameters)
    channel.peer.send_octets(CLOSE_OK)


def _half_close(channel: Channel) -> None:
    channel.peer.end_sending()


def _half_close_behind_close_ok(channel: Channel) -> None:
    channel.peer.send_octets(CLOSE)
    channel.peer.expect(0, ConnectionCloseOkParameters)
    channel.peer.end_sending()


def _unknown_method(channel: Channel) -> None:
    channel.peer.send_frame(METHOD, 1, struct.pack(">HH", 60, 99))


def _unknown_method_on_channel_0_while_closing(channel: Channel) -> None:
    channel.peer.send_octets(CLOSE)
    channel.peer.expect(0, ConnectionCloseOkParameters)
    channel.peer.send_frame(METHOD, 0, UNKNOWN_METHOD)


@pytest.mark.parametrize(
    "end",
    [
        _close_ok_behind_close_ok,
        _close_ok_to_the_server,
        _half_close,
        _half_close_behind_close_ok,
        _unknown_method,
        _unknown_method_on_channel_0_while_closing,
    ],
)
def test_socket_ends_with_a_reset(channel: Channel, end: Callable[[Channel], None]) -> None:
    end(channel)

    assert b"" == channel.peer.expect_end_of_stream()
    assert channel.peer.was_reset


@pytest.mark.parametrize("octets", [b"AMQP\x00\x01\x00\x00", b"GET / HT"])
def test_socket_ends_with_a_reset_behind_the_servers_header(dial: Connect, octets: bytes) -> None:
    peer = dial()

    peer.send_octets(octets)

    assert peer.expect_end_of_stream().startswith(b"AMQP")
    assert peer.was_reset


@pytest.mark.fake_limits(login_pause=0.05)
def test_socket_ends_with_a_reset_when_the_framing_is_lost(connect: Connect) -> None:
    """Some seconds later, whatever is still sent, and whichever side had closed the connection before."""
    at_once, behind_a_fault, behind_close_ok = (connect() for _ in range(3))
    behind_a_fault.channel().send(ChannelOpenParameters())
    behind_a_fault.expect(0, ConnectionCloseParameters)
    behind_close_ok.send_octets(CLOSE)
    behind_close_ok.expect(0, ConnectionCloseOkParameters)
    peers = [at_once, behind_a_fault, behind_close_ok]

    _send_each(peers, [WITHOUT_END + CLOSE_OK] * 3)

    assert 501 == at_once.expect(0, ConnectionCloseParameters).reply_code
    assert [b"", b"", b""] == [peer.expect_end_of_stream() for peer in peers]
    assert [True, True, True] == [peer.was_reset for peer in peers]


@pytest.mark.fake_limits(login_pause=0.05)
def test_refused_login_ends_with_a_reset(dial: Connect) -> None:
    """At once for a client that answers the close, and after some seconds for others."""
    answering, told, not_told = dial(), dial(), dial()
    wrong = plain_response("guest", "wrong")
    answering.begin(response=wrong)
    told.begin(response=wrong)
    not_told.begin(response=wrong, capabilities={})

    answering.expect(0, ConnectionCloseParameters)
    answering.send_octets(CLOSE_OK)
    told.expect(0, ConnectionCloseParameters)
    peers = [answering, told, not_told]

    assert [b"", b"", b""] == [peer.expect_end_of_stream() for peer in peers]
    assert [True, True, True] == [peer.was_reset for peer in peers]


@pytest.mark.timeout(200)
@pytest.mark.fake_limits(closing_timeout=0.05, send_timeout=0.05)
def test_client_that_does_not_act_is_dropped(
    connect: Connect, channel: Channel, queue: str
) -> None:
    """After 30 seconds: it does not read, does not close its socket, or does not answer a close."""
    deaf, closed, unanswering, faulty = (connect(seconds=100) for _ in range(4))
    channel.fill(queue, *[bytes(100_000)] * 400)
    deaf.channel().consume(queue, no_ack=True)
    closed.send_octets(CLOSE)
    closed.expect(0, ConnectionCloseOkParameters)
    unanswering.channel().send(ChannelOpenParameters())
    unanswering.expect(0, ConnectionCloseParameters)
    faulty.send_frame(9, 0, b"abcd")
    faulty.expect(0, ConnectionCloseParameters)

    deaf.await_hang_up()

    peers = [closed, unanswering, faulty]
    assert [b"", b"", b""] == [peer.expect_end_of_stream() for peer in peers]
    assert [True, True, True] == [peer.was_reset for peer in peers]
    deaf.drop()


def test_client_has_no_more_than_a_heartbeats_interval_to_close_its_socket(
    connect: Connect,
) -> None:
    peer = connect(heartbeat=1)
    peer.send_octets(CLOSE)
    peer.expect(0, ConnectionCloseOkParameters)

    rest = peer.frames_until_end_of_stream()

    assert {frame.frame_type for frame in rest} <= {HEARTBEAT}
    assert peer.was_reset


# --- before the connection is open ------------------------------------------------------------

EARLY_FAULTS = [
    encode_frame(9, 0, b"abcd"),
    WITHOUT_END,
    encode_frame(BODY, 0, b"x"),
    encode_frame(HEARTBEAT, 1, b""),
    encode_frame(METHOD, 0, struct.pack(">HHB", 10, 11, 0)),
    on(1, ChannelOpenParameters()),
    on(0, ConnectionOpenParameters("/")),
    on(0, QueueDeclareParameters("q")),
    CLOSE,
    CLOSE_OK,
]


@pytest.fixture
def greeted(dial: Connect) -> list[Peer]:
    """As many sockets as there are early faults, on which the server has said connection.start."""
    peers = [dial() for _ in EARLY_FAULTS]
    for peer in peers:
        peer.greet()
    return peers


@pytest.fixture
def proposed(dial: Connect) -> list[Peer]:
    """As many sockets as there are early faults, on which the server has said connection.tune."""
    peers = [dial() for _ in EARLY_FAULTS]
    for peer in peers:
        peer.begin()
        peer.expect(0, ConnectionTuneParameters)
    return peers


@pytest.mark.fake_limits(login_pause=0.05)
def test_fault_before_login_ends_in_silence(greeted: list[Peer]) -> None:
    """After three seconds, with a reset."""
    _send_each(greeted, EARLY_FAULTS)

    assert [peer.expect_end_of_stream() for peer in greeted] == [b""] * len(greeted)
    assert [peer.was_reset for peer in greeted] == [True] * len(greeted)


@pytest.mark.fake_limits(login_pause=0.05)
def test_fault_before_limits_are_agreed_on_ends_in_silence(proposed: list[Peer]) -> None:
    _send_each(proposed, EARLY_FAULTS)

    assert [peer.expect_end_of_stream() for peer in proposed] == [b""] * len(proposed)
    assert [peer.was_reset for peer in proposed] == [True] * len(proposed)


def _send_each(peers: list[Peer], octets: list[bytes]) -> None:
    for peer, each in zip(peers, octets, strict=True):
        peer.send_octets(each)


@pytest.mark.parametrize("begin", [Peer.greet, Peer.begin])
def test_unknown_method_costs_the_socket_at_any_time(
    dial: Connect, begin: Callable[[Peer], None]
) -> None:
    peer = dial()
    begin(peer)

    peer.send_frame(METHOD, 0, UNKNOWN_METHOD)

    assert encode_method(ConnectionCloseParameters())[:4] not in peer.expect_end_of_stream()
    assert peer.was_reset


@pytest.mark.parametrize(
    ("octets", "ids"), [(CLOSE, (10, 50)), (CLOSE_OK, (10, 51))], ids=["close", "close-ok"]
)
def test_close_before_the_connection_is_open_is_refused(
    dial: Connect, octets: bytes, ids: tuple[int, int]
) -> None:
    peer = dial()
    peer.begin()
    peer.expect(0, ConnectionTuneParameters)
    peer.send(0, ConnectionTuneOkParameters(2047, 131072, 0))

    peer.send_octets(octets + on(0, ConnectionOpenParameters("/")))

    text = "CHANNEL_ERROR - unexpected method in connection state opening"
    assert ConnectionCloseParameters(504, text, *ids) == peer.expect_connection_close()


@pytest.mark.fake_limits(login_pause=0.05)
def test_open_that_cannot_be_read_ends_in_silence(dial: Connect) -> None:
    peer = dial()
    peer.begin(capabilities=CAPABILITIES)
    peer.expect(0, ConnectionTuneParameters)
    peer.send(0, ConnectionTuneOkParameters(2047, 131072, 0))

    peer.send_frame(METHOD, 0, struct.pack(">HHB", 10, 40, 255))

    assert b"" == peer.expect_end_of_stream()
    assert peer.was_reset


@pytest.mark.fake_limits(handshake_timeout=0.05)
def test_silent_client_is_dropped_before_the_connection_is_open(dial: Connect) -> None:
    """After ten seconds."""
    peer = dial()
    peer.send_octets(PROTOCOL_HEADER)

    peer.await_hang_up()

    assert peer.expect_end_of_stream() != b""
    assert peer.was_reset
