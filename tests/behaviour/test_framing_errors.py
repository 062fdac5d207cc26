"""Octets, frames and methods that no broker can accept: each costs the whole connection.

Specification: sections 2.3.7, 4.2.3 and 4.2.6. RabbitMQ's texts show what its frame reader saw,
printed as Erlang terms.
"""

import math
import struct
from collections.abc import Callable
from typing import Any

import pytest

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelParameters,
    BasicConsumeParameters,
    BasicGetEmptyParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    BasicQosParameters,
    BasicRecoverParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ChannelOpenParameters,
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    ConnectionOpenParameters,
    ConnectionStartOkParameters,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    ExchangeBindParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    Float32,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueuePurgeParameters,
    QueueUnbindParameters,
    encode_table,
    method_of,
)
from tests.support.brokers import Connect
from tests.support.channel import Channel
from tests.support.frames import (
    BODY,
    HEADER,
    HEARTBEAT,
    METHOD,
    encode_frame,
    encode_header,
    encode_method,
)
from tests.support.peer import Peer

NO_PROPERTIES = BasicHeaderProperties()
PUBLISH = BasicPublishParameters("", "nowhere")


def connection_close(
    reply_code: int, reply_text: str, class_id: int = 0, method_id: int = 0
) -> ConnectionCloseParameters:
    return ConnectionCloseParameters(reply_code, reply_text, class_id, method_id)


# --- frames that cannot be read ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b"abcd", 'type 9, all octets = <<"abcd">>: unknown_frame'),
        (b"", "type 9, all octets = <<>>: unknown_frame"),
        (b"\x00\x01", "type 9, all octets = <<0,1>>: unknown_frame"),
        (
            b"0123456789abcdefgh",
            'type 9, first 16 octets = <<"0123456789abcdef">>: unknown_frame',
        ),
        (
            b"\x00" * 17,
            "type 9, first 16 octets = <<0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0>>: unknown_frame",
        ),
    ],
)
def test_frame_of_unknown_type(peer: Peer, payload: bytes, shown: str) -> None:
    peer.send_frame(9, 0, payload)

    assert connection_close(501, f"FRAME_ERROR - {shown}") == peer.expect_connection_close()


def test_frame_with_a_wrong_last_octet(peer: Peer) -> None:
    """When the socket is closed after that, see below."""
    peer.send_octets(struct.pack(">BHI", METHOD, 1, 4) + b"\x00\x3c\x00\x0a" + b"\x00")

    assert connection_close(
        501,
        "FRAME_ERROR - type 1, all octets = <<0,60,0,10>>: {invalid_frame_end_marker,0}",
    ) == peer.expect(0, ConnectionCloseParameters)
    peer.drop()


def test_frame_that_announces_more_than_frame_max(peer: Peer) -> None:
    peer.send_octets(struct.pack(">BHI", METHOD, 1, 200_000))

    assert connection_close(
        501, "FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,200000,131064}"
    ) == peer.expect(0, ConnectionCloseParameters)
    peer.drop()


def test_frame_that_announces_more_than_the_negotiated_frame_max(connect: Connect) -> None:
    """RabbitMQ lets 8 octets more pass than it says."""
    peer = connect(frame_max=8192)

    peer.send_octets(struct.pack(">BHI", BODY, 1, 8193))

    assert connection_close(
        501, "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,8193,8184}"
    ) == peer.expect(0, ConnectionCloseParameters)
    peer.drop()


@pytest.mark.parametrize(
    ("octets", "shortest", "longest"),
    [
        (encode_frame(9, 0, b"abcd"), 0, 2),
        (encode_frame(METHOD, 1, struct.pack(">HH", 60, 10)), 0, 2),
        (struct.pack(">BHI", METHOD, 1, 200_000), 2, 6),
        (struct.pack(">BHI", METHOD, 1, 1) + b"xx", 2, 6),
    ],
    ids=["unknown type", "unreadable method", "too large", "wrong last octet"],
)
def test_socket_is_closed_at_once_or_after_a_pause(
    channel: Channel, octets: bytes, shortest: float, longest: float
) -> None:
    """Where the server cannot tell any more where a frame begins, it hears no close-ok either."""
    began = channel.peer.time.now()

    channel.peer.send_octets(octets)

    channel.peer.expect_connection_close()
    assert shortest <= channel.peer.time.now() - began < longest


def test_method_whose_arguments_cannot_be_read(channel: Channel) -> None:
    channel.peer.send_frame(METHOD, 1, struct.pack(">HH", 60, 10) + b"\x00")

    assert connection_close(501, "FRAME_ERROR - cannot decode <<0>>", 60, 10) == channel.fatal()


def test_method_on_channel_0_whose_arguments_cannot_be_read(peer: Peer) -> None:
    peer.send_frame(METHOD, 0, struct.pack(">HH", 10, 50) + b"\x00")

    assert connection_close(541, "INTERNAL_ERROR") == peer.expect_connection_close()


def test_string_on_channel_0_that_is_not_utf_8(peer: Peer) -> None:
    """It is refused in the words of any other channel, and the method is named, whichever it is."""
    peer.send_frame(
        METHOD, 0, struct.pack(">HHH", 50, 10, 0) + b"\x02\xff\xfe\x00" + encode_table({})
    )

    assert (
        connection_close(501, "FRAME_ERROR - Malformed UTF-8 in shortstr", 50, 10)
        == peer.expect_connection_close()
    )


@pytest.mark.parametrize(
    "payload",
    [
        struct.pack(">HHH", 50, 10, 0) + b"\x02\xff\xfe\x00" + encode_table({}),
        struct.pack(">HHH", 40, 10, 0) + b"\x02\xff\xfe\x06direct\x00" + encode_table({}),
    ],
    ids=["queue", "exchange"],
)
def test_name_that_is_not_utf_8(channel: Channel, payload: bytes) -> None:
    channel.peer.send_frame(METHOD, 1, payload)

    close = channel.fatal()

    assert (501, "FRAME_ERROR - Malformed UTF-8 in shortstr") == close[:2]


def test_unknown_method_costs_the_socket(connect: Connect) -> None:
    """RabbitMQ's connection process dies of it, without a close method."""
    peer = connect()
    peer.channel()

    peer.send_frame(METHOD, 1, struct.pack(">HH", 60, 99))

    assert b"" == peer.expect_end_of_stream()
    peer.drop()


def test_field_of_unknown_type_in_headers(channel: Channel) -> None:
    table = b"\x01k" + b"?" + b"1234"
    properties = struct.pack(">H", 0x2000) + struct.pack(">I", len(table)) + table
    channel.send(PUBLISH)

    channel.peer.send_frame(HEADER, 1, struct.pack(">HHQ", 60, 0, 0) + properties)

    close = channel.fatal()
    assert (541, "INTERNAL_ERROR", 0, 0) == close


# --- frames in the wrong place ----------------------------------------------------------------


@pytest.mark.parametrize("channel_number", [1, 2], ids=["idle", "not open"])
@pytest.mark.parametrize(
    ("frame_type", "payload"),
    [(HEADER, encode_header(0, NO_PROPERTIES)), (BODY, b"x")],
    ids=["header", "body"],
)
def test_content_without_a_method(
    channel: Channel, channel_number: int, frame_type: int, payload: bytes
) -> None:
    channel.peer.send_frame(frame_type, channel_number, payload)

    assert (
        connection_close(
            505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead"
        )
        == channel.fatal()
    )


def test_body_on_channel_0(peer: Peer) -> None:
    peer.send_frame(BODY, 0, b"x")

    assert (
        connection_close(505, 'UNEXPECTED_FRAME - type 3, all octets = <<"x">>')
        == peer.expect_connection_close()
    )


def test_heartbeat_on_another_channel(peer: Peer) -> None:
    peer.send_frame(HEARTBEAT, 1, b"")

    assert (
        connection_close(505, "UNEXPECTED_FRAME - type 8, all octets = <<>>")
        == peer.expect_connection_close()
    )


@pytest.mark.parametrize(
    ("frame_type", "payload"),
    [(METHOD, encode_method(BasicQosParameters())), (BODY, b"x")],
    ids=["method", "body"],
)
def test_something_else_than_the_header_after_publish(
    channel: Channel, frame_type: int, payload: bytes
) -> None:
    channel.send(PUBLISH)

    channel.peer.send_frame(frame_type, 1, payload)

    assert (
        connection_close(
            505,
            "UNEXPECTED_FRAME - expected content header for class 60,"
            " got non content header frame instead",
            60,
            40,
        )
        == channel.fatal()
    )


def test_header_of_another_class(channel: Channel) -> None:
    channel.send(PUBLISH)

    channel.peer.send_frame(HEADER, 1, encode_header(0, NO_PROPERTIES, class_id=50))

    assert (
        connection_close(
            505,
            "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead",
            60,
            40,
        )
        == channel.fatal()
    )


def test_method_before_the_body_is_complete(channel: Channel) -> None:
    channel.send(PUBLISH)
    channel.peer.send_frame(HEADER, 1, encode_header(2, NO_PROPERTIES))
    channel.peer.send_frame(BODY, 1, b"x")

    assert connection_close(
        505,
        "UNEXPECTED_FRAME - expected content body, got non content body frame instead",
        60,
        40,
    ) == channel.fatal(BasicQosParameters())


@pytest.mark.rabbitmq_version("<4.3")
def test_body_longer_than_announced_never_completes(channel: Channel) -> None:
    channel.send(PUBLISH)
    channel.peer.send_frame(HEADER, 1, encode_header(2, NO_PROPERTIES))
    channel.peer.send_frame(BODY, 1, b"xyz")

    assert connection_close(
        505,
        "UNEXPECTED_FRAME - expected content body, got non content body frame instead",
        60,
        40,
    ) == channel.fatal(BasicQosParameters())


@pytest.mark.rabbitmq_version(">=4.3")
def test_body_longer_than_announced_is_refused_at_once_by_4_3(channel: Channel) -> None:
    channel.send(PUBLISH)
    channel.peer.send_frame(HEADER, 1, encode_header(2, NO_PROPERTIES))
    channel.peer.send_frame(BODY, 1, b"xyz")

    assert (
        connection_close(
            501, "FRAME_ERROR - content body frame exceeds remaining content size", 60, 40
        )
        == channel.fatal()
    )


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize("size", [536_870_913, 2**40, 2**64 - 1])
def test_body_announced_with_more_than_512_mib_is_refused_at_once_by_4_3(
    channel: Channel, size: int
) -> None:
    channel.send(PUBLISH)
    channel.peer.send_frame(HEADER, 1, encode_header(size, NO_PROPERTIES))

    assert (
        connection_close(
            501,
            f"FRAME_ERROR - content body size {size} exceeds maximum allowed size 536870912",
            60,
            40,
        )
        == channel.fatal()
    )


# --- methods in the wrong place ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        (QueueDeclareParameters("q"), (50, 10)),
        (ChannelCloseParameters(), (20, 40)),
        (ChannelCloseOkParameters(), (20, 41)),
        (BasicAckParameters(1), (60, 80)),
    ],
)
def test_method_on_a_channel_that_is_not_open(
    peer: Peer, parameters: object, ids: tuple[int, int]
) -> None:
    refused = Channel(peer, 5).fatal(parameters)

    assert refused == connection_close(504, "CHANNEL_ERROR - expected 'channel.open'", *ids)


def test_queue_without_a_name_on_a_channel_that_is_not_open(peer: Peer) -> None:
    """RabbitMQ looks for the queue declared last before it looks whether the channel is open."""
    refused = Channel(peer, 5).refusal(QueuePurgeParameters(""))

    assert (404, "NOT_FOUND - no previously declared queue", 50, 30) == refused


def test_opening_an_open_channel(channel: Channel) -> None:
    refused = channel.fatal(ChannelOpenParameters())

    assert refused == connection_close(504, "CHANNEL_ERROR - second 'channel.open' seen", 20, 10)


def test_opening_a_channel_whose_close_was_not_answered(channel: Channel) -> None:
    channel.send(QueueDeclareParameters("no such queue", passive=True))
    channel.expect(ChannelCloseParameters)

    refused = channel.fatal(ChannelOpenParameters())

    assert refused == connection_close(504, "CHANNEL_ERROR - second 'channel.open' seen", 20, 10)


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        (ChannelOpenParameters(), (20, 10)),
        (ConnectionOpenParameters("/"), (10, 40)),
        (ConnectionCloseOkParameters(), (10, 51)),
    ],
)
def test_method_on_channel_0_that_does_not_belong_there(
    peer: Peer, parameters: object, ids: tuple[int, int]
) -> None:
    peer.send(0, parameters)

    assert (
        connection_close(504, "CHANNEL_ERROR - unexpected method in connection state running", *ids)
        == peer.expect_connection_close()
    )


def test_method_on_channel_0_before_the_connection_is_open(dial: Connect) -> None:
    peer = dial()
    peer.begin()
    peer.expect(0, ConnectionTuneParameters)
    peer.send(0, ConnectionTuneOkParameters(2047, 131072, 0))

    peer.send(0, ChannelOpenParameters())

    assert (
        connection_close(
            504, "CHANNEL_ERROR - unexpected method in connection state opening", 20, 10
        )
        == peer.expect_connection_close()
    )


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        (ConnectionOpenParameters("/"), (10, 40)),
        (ConnectionStartOkParameters({}, "PLAIN", b"", "en_US"), (10, 11)),
        (ExchangeDeclareOkParameters(), (40, 11)),
        (QueueDeclareOkParameters("q", 0, 0), (50, 11)),
        (BasicGetEmptyParameters(), (60, 72)),
        (ChannelCloseOkParameters(), (20, 41)),
    ],
)
def test_method_that_clients_do_not_send_on_a_channel(
    channel: Channel, parameters: object, ids: tuple[int, int]
) -> None:
    refused = channel.fatal(parameters)

    assert refused == connection_close(503, "COMMAND_INVALID - unimplemented method", *ids)


# --- what RabbitMQ does not implement ---------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "detail", "ids"),
    [
        (ChannelFlowParameters(False), "active=false", (20, 20)),
        (BasicQosParameters(10, 0, False), "prefetch_size!=0 (10)", (60, 10)),
        (BasicRecoverParameters(False), "requeue=false", (60, 110)),
    ],
)
def test_what_is_not_implemented(
    channel: Channel, parameters: object, detail: str, ids: tuple[int, int]
) -> None:
    refused = channel.fatal(parameters)

    assert refused == connection_close(540, f"NOT_IMPLEMENTED - {detail}", *ids)


def test_immediate_is_refused_once_the_content_is_complete(channel: Channel) -> None:
    channel.send(BasicPublishParameters("", "nowhere", False, True))
    channel.peer.send_frame(HEADER, 1, encode_header(1, NO_PROPERTIES))
    channel.peer.channel(2)  # nothing has been refused up to here

    channel.peer.send_frame(BODY, 1, b"x")

    assert connection_close(540, "NOT_IMPLEMENTED - immediate=true", 60, 40) == channel.fatal()


def test_channel_flow_on_is_answered(channel: Channel) -> None:
    assert ChannelFlowOkParameters(True) == channel.call(ChannelFlowParameters(True))


@pytest.mark.parametrize("no_wait", [False, True])
def test_reuse_of_a_live_consumer_tag(channel: Channel, queue: str, no_wait: bool) -> None:
    channel.consume(queue, "tag")

    refused = channel.fatal(BasicConsumeParameters(queue, "tag", no_wait=no_wait))

    assert refused == connection_close(
        530, "NOT_ALLOWED - attempt to reuse consumer tag 'tag'", 60, 20
    )


# --- closing a channel ------------------------------------------------------------------------


def test_methods_are_swallowed_after_the_server_closed_the_channel(
    channel: Channel, unique: Callable[[str], str]
) -> None:
    name = unique("never-declared")
    channel.send(QueueDeclareParameters("no such queue", passive=True))
    channel.expect(ChannelCloseParameters)

    channel.send(QueueDeclareParameters(name))
    channel.send(BasicCancelParameters("nothing"))
    channel.send(ChannelCloseOkParameters())
    channel.reopen()

    assert [] == channel.arrived()
    assert 404 == channel.refusal(QueueDeclareParameters(name, passive=True)).reply_code


def test_crossing_channel_close_is_answered(channel: Channel) -> None:
    channel.send(QueueDeclareParameters("no such queue", passive=True))
    channel.expect(ChannelCloseParameters)

    channel.send(ChannelCloseParameters(200, "crossing"))

    assert ChannelCloseOkParameters() == channel.receive()
    channel.send(ChannelCloseOkParameters())
    channel.reopen()


def test_channel_number_can_be_reopened_at_once(channel: Channel) -> None:
    channel.close()

    channel.reopen()

    assert [] == channel.arrived()


# --- numbers that Erlang does not have --------------------------------------------------------

NOT_FINITE = {"nan": math.nan, "infinity": math.inf, "minus infinity": -math.inf}
MARK = struct.pack(">d", 1.5)


def without_finite(octets: bytes, value: float) -> bytes:
    """Put a number in the place of 1.5, which no client's encoder would."""
    assert 1 == octets.count(MARK)
    return octets.replace(MARK, struct.pack(">d", value))


@pytest.mark.parametrize("value", NOT_FINITE.values(), ids=NOT_FINITE)
@pytest.mark.parametrize(
    "parameters",
    [
        QueueDeclareParameters("", exclusive=True, arguments={"x-max-length": 1.5}),
        QueueDeclareParameters("", exclusive=True, arguments={"x-foo": [{"a": 1.5}]}),
        ExchangeDeclareParameters("never", "fanout", arguments={"x-foo": 1.5}),
        QueueBindParameters("queue", "amq.headers", "", arguments={"a": 1.5}),
        QueueUnbindParameters("queue", "amq.headers", "", {"a": 1.5}),
        ExchangeBindParameters("amq.fanout", "amq.headers", "", arguments={"a": 1.5}),
        BasicConsumeParameters("queue", arguments={"x-priority": 1.5}),
    ],
    ids=lambda parameters: method_of(parameters).name,
)
@pytest.mark.parametrize("number", [1, 5], ids=["open", "not open"])
def test_number_that_is_not_finite_in_arguments_costs_the_socket(
    channel: Channel, number: int, parameters: object, value: float
) -> None:
    """RabbitMQ's reader dies of it, whatever the channel."""
    frame = encode_frame(METHOD, number, encode_method(parameters))

    channel.peer.send_octets(without_finite(frame, value))

    assert b"" == channel.peer.expect_end_of_stream()
    assert channel.peer.was_reset


def test_float_of_32_bits_that_is_not_finite_costs_the_socket(channel: Channel) -> None:
    arguments = {"x-foo": Float32(1.5)}
    frame = encode_frame(METHOD, 1, encode_method(QueueDeclareParameters("", arguments=arguments)))

    channel.peer.send_octets(frame.replace(struct.pack(">f", 1.5), struct.pack(">f", math.nan)))

    assert b"" == channel.peer.expect_end_of_stream()


def test_value_of_unknown_type_in_arguments_costs_the_socket(channel: Channel) -> None:
    parameters = QueueDeclareParameters("", exclusive=True, arguments={"x-foo": 1.5})
    frame = encode_frame(METHOD, 1, encode_method(parameters))

    channel.peer.send_octets(frame.replace(b"d" + MARK, b"?" + MARK))

    assert b"" == channel.peer.expect_end_of_stream()


def test_number_that_is_not_finite_on_channel_0_is_an_internal_error(channel: Channel) -> None:
    parameters = QueueDeclareParameters("", exclusive=True, arguments={"x-foo": 1.5})
    frame = encode_frame(METHOD, 0, encode_method(parameters))

    channel.peer.send_octets(without_finite(frame, math.nan))

    assert connection_close(541, "INTERNAL_ERROR") == channel.fatal()


@pytest.mark.parametrize("value", NOT_FINITE.values(), ids=NOT_FINITE)
@pytest.mark.parametrize("headers", [{"a": 1.5}, {"a": [{"b": 1.5}]}], ids=["plain", "nested"])
def test_number_that_is_not_finite_in_headers_is_an_internal_error(
    channel: Channel, headers: dict[str, Any], value: float
) -> None:
    header = encode_frame(HEADER, 1, encode_header(0, BasicHeaderProperties(headers=headers)))
    channel.send(PUBLISH)

    channel.peer.send_octets(without_finite(header, value))

    assert connection_close(541, "INTERNAL_ERROR") == channel.fatal()


def test_exchange_is_looked_for_before_the_headers_are_read(channel: Channel) -> None:
    properties = BasicHeaderProperties(headers={"a": 1.5})
    channel.send(BasicPublishParameters("no such exchange", ""))

    channel.peer.send_octets(
        without_finite(encode_frame(HEADER, 1, encode_header(0, properties)), math.nan)
    )

    assert 404 == channel.refusal().reply_code
