"""The readers for onlookers: all that was written comes out, in any pieces, and what is broken."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_wire import (
    DEFAULT_FRAME_MAX,
    NO_PROPERTIES,
    BasicAckParameters,
    BasicDeliverParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    BrokenFrame,
    CommandReader,
    ConnectionTuneOkParameters,
    Frame,
    FrameError,
    FrameReader,
    FrameType,
    FramingLost,
    OversizedContent,
    ProtocolHeader,
    ReadCommand,
    UnexpectedFrame,
    UnknownMethod,
    encode_frame,
    encode_method,
    encode_properties,
    encode_protocol_header,
)
from tests.wire import strategies
from tests.wire.peers import (
    HEARTBEAT,
    body_frame,
    content_frames,
    frame,
    header_frame,
    method_frame,
    new_client,
    new_server,
)

ACK = BasicAckParameters(7)
PUBLISH = BasicPublishParameters("e", "k")
DELIVER = BasicDeliverParameters("tag", 1, False, "e", "k")
HEADER = b"AMQP\x00\x00\x09\x01"
NO_LIMIT = 0
Reader = FrameReader | CommandReader


def read(reader: Reader, *pieces: bytes) -> list[Any]:
    """Give what a reader makes of octets, read piece by piece."""
    return [item for piece in pieces for item in reader.receive_data(piece)]


def places(items: list[Any]) -> list[tuple[int, str]]:
    """Give where items began, and their names."""
    return [(item.offset, item.name) for item in items]


def one_by_one(octets: bytes) -> list[bytes]:
    return [bytes((octet,)) for octet in octets]


def peak_of(reader: Reader, octets: bytes, *, times: int) -> int:
    """Tell how much memory it takes at most to read octets again and again, in octets."""
    tracemalloc.start()
    try:
        for _ in range(times):
            reader.receive_data(octets)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- frames ---


def test_frame_reader_returns_each_frame_with_where_it_began() -> None:
    octets = HEADER + method_frame(0, ConnectionTuneOkParameters(0, 4096, 0)) + HEARTBEAT
    payload = encode_method(ConnectionTuneOkParameters(0, 4096, 0))

    assert [
        ProtocolHeader(HEADER, 0),
        Frame(FrameType.METHOD, 0, payload, 8),
        Frame(FrameType.HEARTBEAT, 0, b"", 8 + len(payload) + 8),
    ] == read(FrameReader(), octets)


def test_frame_reader_takes_any_order_of_frames() -> None:
    octets = body_frame(3, b"abc") + header_frame(2, 5) + frame(9, 1, b"x")

    assert [3, 2, 9] == [frame.type for frame in read(FrameReader(), octets)]


@given(strategies.streams(), st.data())
def test_frames_are_the_same_however_the_octets_are_cut(
    stream: strategies.Stream, data: st.DataObject
) -> None:
    whole = read(FrameReader(), stream.octets)

    assert whole == read(FrameReader(), *data.draw(strategies.cuts(stream.octets)))
    assert b"".join(map(bytes, whole)) == stream.octets


@pytest.mark.parametrize(
    ("octets", "name", "parameters"),
    [
        (method_frame(1, ACK), "basic.ack", ACK),
        (header_frame(1, 5), "content header", None),
        (body_frame(1, b"a"), "content body", None),
        (HEARTBEAT, "heartbeat", None),
        (frame(1, 1, b"\x00\x3c\x00\x63"), "method", None),
        (frame(1, 1, b"\x00\x3c"), "method", None),
        (frame(9, 1, b""), "frame of type 9", None),
    ],
)
def test_frame_knows_its_name_and_its_methods_parameters(
    octets: bytes, name: str, parameters: object
) -> None:
    (item,) = read(FrameReader(), octets)

    assert name == item.name
    assert parameters == item.parameters


def test_frame_whose_parameters_cannot_be_decoded_says_so_when_it_is_asked() -> None:
    (item,) = read(FrameReader(), frame(1, 1, b"\x00\x3c\x00\x50abc"))

    with pytest.raises(FrameError, match=r"basic\.ack: its 3 octets of parameters are cut short"):
        _ = item.parameters


def test_frame_reader_takes_frames_up_to_its_limit() -> None:
    reader = FrameReader(frame_max=4096)

    (item,) = read(reader, frame(3, 1, bytes(4097)))

    assert isinstance(item, BrokenFrame)
    assert (
        "FRAME_ERROR - a content body frame on channel 1 announces 4097 octets of payload;"
        " frame_max 4096 allows 4088"
    ) == (str(item.error))


def test_frame_reader_without_a_limit_takes_any_frame() -> None:
    reader = FrameReader(frame_max=NO_LIMIT)

    assert [1 << 20] == [len(item.payload) for item in read(reader, frame(3, 1, bytes(1 << 20)))]


def test_announced_size_costs_no_memory() -> None:
    reader = FrameReader(frame_max=NO_LIMIT)
    read(reader, b"\x03\x00\x01\x7f\xff\xff\xff")

    assert peak_of(reader, bytes(1000), times=10) < 200_000


# --- protocol headers ---


@pytest.mark.parametrize("reader_type", [FrameReader, CommandReader])
def test_protocol_header_is_taken_in_any_pieces(reader_type: type[Reader]) -> None:
    octets = HEADER + HEARTBEAT

    assert [
        ProtocolHeader(HEADER, 0),
        Frame(FrameType.HEARTBEAT, 0, b"", 8),
    ] == read(reader_type(), *one_by_one(octets))


def test_protocol_header_may_come_between_frames() -> None:
    """As in a file that holds one connection behind another."""
    octets = HEARTBEAT + HEADER + HEARTBEAT

    assert [0, 8, 16] == [item.offset for item in read(CommandReader(), octets)]


@pytest.mark.parametrize(
    ("octets", "version"),
    [
        (HEADER, (0, 9, 1)),
        (b"AMQP\x01\x01\x00\x09", (0, 9)),
        (b"AMQP\x00\x01\x00\x00", (1, 0, 0)),
        (b"AMQP\x03\x01\x00\x00", (1, 0, 0)),
    ],
)
def test_protocol_header_tells_its_version(octets: bytes, version: tuple[int, ...]) -> None:
    (header,) = read(FrameReader(), octets)

    assert version == header.version
    assert 0 == header.channel_number
    assert octets == bytes(header)


# --- commands ---


@given(strategies.streams(), st.data())
def test_commands_are_those_that_a_peer_reads_however_the_octets_are_cut(
    stream: strategies.Stream, data: st.DataObject
) -> None:
    items = read(CommandReader(), *data.draw(strategies.cuts(stream.octets)))

    assert [item[:4] for item in items] == stream.commands


@given(strategies.streams(), st.data())
def test_command_tells_where_its_first_frame_began(
    stream: strategies.Stream, data: st.DataObject
) -> None:
    begins = {
        item.offset: item.name for item in read(FrameReader(), stream.octets) if item.type == 1
    }

    items = read(CommandReader(), *data.draw(strategies.cuts(stream.octets)))

    assert {item.offset: item.name for item in items} == begins


def test_commands_that_stand_whole_tell_where_they_began_too() -> None:
    """They come by the fast path, many in one read."""
    content = b"".join(content_frames(1, DELIVER, NO_PROPERTIES, b"abc"))
    ack = method_frame(1, ACK)

    items = read(CommandReader(), content + content + ack + ack + content)

    sizes = [len(content), len(content), len(ack), len(ack)]
    assert [item.offset for item in items] == [sum(sizes[:count]) for count in range(5)]


def test_openings_heartbeats_and_closes_are_included() -> None:
    client, server = new_client(), new_server()
    reader = CommandReader()
    read(reader, first := bytes(client.data_to_send()))
    server.receive_data(first)
    client.receive_data(server.data_to_send())
    read(reader, second := bytes(client.data_to_send()))
    server.receive_data(second)
    client.receive_data(server.data_to_send())
    read(reader, third := bytes(client.data_to_send()))
    server.receive_data(third)
    client.receive_data(server.data_to_send())
    client.send_heartbeat()
    client.close()

    items = read(CommandReader(), first + second + third + bytes(client.data_to_send()))

    assert [
        "protocol header",
        "connection.start-ok",
        "connection.tune-ok",
        "connection.open",
        "heartbeat",
        "connection.close",
    ] == [item.name for item in items]


def test_command_gives_its_method_and_its_properties() -> None:
    encoded = encode_properties(BasicHeaderProperties(priority=3))
    octets = b"".join(content_frames(1, PUBLISH, encoded, b"abc"))

    (command,) = read(CommandReader(), octets)

    assert command == ReadCommand(1, PUBLISH, encoded, bytearray(b"abc"), 0)
    assert "basic.publish" == command.name
    assert (60, 40) == command.method.id
    assert BasicHeaderProperties(priority=3) == command.properties


def test_command_without_content_has_no_properties() -> None:
    (command,) = read(CommandReader(), method_frame(1, ACK))

    assert command.properties is None
    assert command.body is None


def test_body_that_is_too_large_is_told_and_not_kept() -> None:
    octets = b"".join(content_frames(1, PUBLISH, NO_PROPERTIES, bytes(5000)))

    items = read(CommandReader(max_body_size=4999), octets + method_frame(1, ACK))

    assert [OversizedContent(PUBLISH, 5000, 4999), ACK] == [item.parameters for item in items]
    assert "basic.publish" == items[0].name


@pytest.mark.parametrize(
    ("frame_max", "limit"), [(0, 1_000_008), (200_000, 200_000), (2**32 - 1, 1_000_008)]
)
def test_limit_of_frames_follows_what_the_peers_agree_on(frame_max: int, limit: int) -> None:
    """But a frame never costs more memory than the largest body does."""
    reader = CommandReader(frame_max=4096, max_body_size=1_000_000)
    tune_ok = method_frame(0, ConnectionTuneOkParameters(0, frame_max, 0))
    content = b"".join(content_frames(1, PUBLISH, NO_PROPERTIES, bytes(150_000), frame_max=200_000))

    assert [
        "connection.tune-ok",
        "basic.publish",
    ] == [item.name for item in read(reader, tune_ok + content)]
    assert limit == reader.frame_max


def test_limit_of_frames_that_no_peer_may_agree_on_is_not_followed() -> None:
    reader = CommandReader()

    read(reader, method_frame(0, ConnectionTuneOkParameters(0, 100, 0)))

    assert 131072 == reader.frame_max


# --- what is broken ---

BROKEN_END = method_frame(1, ACK)[:-1] + b"\x00"
TOO_LARGE = b"\x01\x00\x01\xff\xff\xff\xff"


@pytest.mark.parametrize("reader_type", [FrameReader, CommandReader])
@pytest.mark.parametrize("broken", [BROKEN_END, TOO_LARGE])
def test_first_broken_frame_ends_the_reading(reader_type: type[Reader], broken: bytes) -> None:
    reader = reader_type()

    items = read(reader, HEARTBEAT + broken + HEARTBEAT, HEARTBEAT)

    assert ["heartbeat", "broken frame"] == [item.name for item in items]
    assert 8 == items[1].offset
    assert isinstance(reader.failure, FramingLost)
    assert items[1].error is reader.failure


@pytest.mark.parametrize("reader_type", [FrameReader, CommandReader])
@pytest.mark.parametrize("broken", [BROKEN_END, TOO_LARGE, b"\xce" * 20, b"garbage, no frame"])
def test_reader_goes_on_behind_a_broken_frame_if_asked(
    reader_type: type[Reader], broken: bytes
) -> None:
    reader = reader_type(skip_broken=True)

    items = read(reader, method_frame(1, ACK) + broken + HEARTBEAT + method_frame(2, ACK))

    assert ["basic.ack", "broken frame", "heartbeat", "basic.ack"] == [item.name for item in items]
    assert [0, 2] == [item.channel_number for item in items[2:]]
    assert broken == bytes(items[1])


def test_broken_frame_says_what_is_wrong_in_plain_english() -> None:
    (item,) = read(FrameReader(), BROKEN_END)

    assert (
        "FRAME_ERROR - a method frame on channel 1 with 13 octets of payload ends with the octet"
        " 0x00; expected 0xce"
    ) == (str(item.error))
    assert 1 == item.channel_number


@pytest.mark.parametrize(
    ("octets", "error_type", "text"),
    [
        (
            frame(1, 1, b"\x00\x3c\x00\x63"),
            UnknownMethod,
            "COMMAND_INVALID - unknown method 99 of class 60",
        ),
        (
            frame(9, 1, b"x"),
            FrameError,
            (
                "FRAME_ERROR - a frame of type 9 on channel 1 has a type that AMQP does not have;"
                " 1, 2, 3 and 8 exist"
            ),
        ),
        (
            body_frame(1, b"x"),
            UnexpectedFrame,
            (
                "UNEXPECTED_FRAME - a content body frame on channel 1 follows no method that has"
                " content"
            ),
        ),
        (
            frame(8, 1, b""),
            UnexpectedFrame,
            (
                "UNEXPECTED_FRAME - a heartbeat on channel 1 has no place there: heartbeats belong to"
                " channel 0"
            ),
        ),
        (
            frame(8, 0, b"x"),
            FrameError,
            "FRAME_ERROR - a heartbeat on channel 0 has 1 octets of payload; expected none",
        ),
    ],
)
def test_frame_that_has_no_place_is_broken_and_the_next_one_is_read(
    octets: bytes, error_type: type[Exception], text: str
) -> None:
    items = read(CommandReader(skip_broken=True), octets + method_frame(2, ACK))

    assert [type(item) for item in items] == [BrokenFrame, ReadCommand]
    assert octets == bytes(items[0])
    assert isinstance(items[0].error, error_type)
    assert text == str(items[0].error)


def test_method_in_the_midst_of_a_content_ends_the_content_and_is_read() -> None:
    octets = method_frame(1, PUBLISH) + header_frame(1, 3) + body_frame(1, b"a")

    items = read(CommandReader(skip_broken=True), HEARTBEAT, octets + method_frame(1, ACK))

    assert ["heartbeat", "broken frame", "basic.ack"] == [item.name for item in items]
    assert 8 == items[1].offset
    assert (
        "UNEXPECTED_FRAME - expected 2 more octets of the body of basic.publish on channel 1, got"
        " basic.ack"
    ) == (str(items[1].error))


def test_body_that_is_longer_than_announced_is_named_as_that() -> None:
    octets = method_frame(1, PUBLISH) + header_frame(1, 2) + body_frame(1, b"abcde")

    items = read(CommandReader(skip_broken=True), octets + method_frame(1, ACK))

    assert (
        "UNEXPECTED_FRAME - the body of basic.publish on channel 1 is longer than its content"
        " header announced, by 3 octets"
    ) == (str(items[0].error))
    assert ACK == items[1].parameters


def test_content_header_of_another_class_ends_the_content() -> None:
    octets = method_frame(1, PUBLISH) + header_frame(1, 2, class_id=50)

    items = read(CommandReader(skip_broken=True), octets + method_frame(1, ACK))

    assert ["broken frame", "basic.ack"] == [item.name for item in items]
    assert (
        "UNEXPECTED_FRAME - the content header behind basic.publish on channel 1 has class 50 and"
        " weight 0; expected class 60 and weight 0"
    ) == (str(items[0].error))


def test_lost_framing_ends_the_contents_under_way() -> None:
    octets = method_frame(1, PUBLISH) + TOO_LARGE + HEARTBEAT + method_frame(1, ACK)

    items = read(CommandReader(skip_broken=True), octets)

    assert ["broken frame", "heartbeat", "basic.ack"] == [item.name for item in items]


@pytest.mark.parametrize("reader_type", [FrameReader, CommandReader])
@given(octets=strategies.garbage, data=st.data())
def test_any_octets_at_all_are_read(
    reader_type: type[Reader], octets: bytes, data: st.DataObject
) -> None:
    """And in the same way, however they are cut, until something is broken."""
    reader = reader_type()

    items = read(reader, *data.draw(strategies.cuts(octets)))

    assert places(items) == places(read(reader_type(), octets))


@pytest.mark.parametrize("reader_type", [FrameReader, CommandReader])
@given(stream=strategies.streams(), data=st.data())
def test_octets_that_were_changed_are_read_past(
    reader_type: type[Reader], stream: strategies.Stream, data: st.DataObject
) -> None:
    octets = data.draw(strategies.mutated(stream.octets))
    reader = reader_type(skip_broken=True)

    read(reader, *data.draw(strategies.cuts(octets)))
    reader.frame_max = DEFAULT_FRAME_MAX  # a connection.tune may have set it to any size
    read(reader, bytes(140_000))  # more than any frame that is under way may want
    found = read(reader, encode_frame(8, 0, b"") * 3)

    assert "heartbeat" == found[-1].name


def test_reading_past_garbage_costs_no_memory() -> None:
    reader = CommandReader(skip_broken=True)

    assert peak_of(reader, b"\xce\x01" * 30_000, times=20) < 40_000_000


def test_header_that_is_encoded_is_read() -> None:
    (header,) = read(CommandReader(), encode_protocol_header(1, 0, 0))

    assert (1, 0, 0) == header.version


@pytest.mark.parametrize(
    "rest",
    [
        b"\x01\x00\x01\xff\xff",
        method_frame(1, ACK)[:9],
        method_frame(1, ACK)[:3],
    ],
    ids=["too large", "cut in the payload", "cut in the head"],
)
def test_frame_that_is_cut_short_may_begin_behind_the_end_of_another(rest: bytes) -> None:
    reader = FrameReader(skip_broken=True)
    broken, whole = TOO_LARGE + b"\xce", method_frame(1, ACK)

    items = read(reader, broken + rest, whole[len(rest) :] + HEARTBEAT)

    assert "broken frame" == items[0].name
    assert "heartbeat" == items[-1].name


def test_broken_frame_in_front_of_a_protocol_header_is_told() -> None:
    items = read(CommandReader(skip_broken=True), frame(9, 0, b"") + HEADER)

    assert [(0, "broken frame"), (8, "protocol header")] == places(items)


def test_limit_of_frames_may_be_changed() -> None:
    reader = FrameReader(frame_max=4096)

    reader.frame_max = 8192

    assert 8192 == reader.frame_max
    assert [5000] == [len(item.payload) for item in read(reader, frame(3, 1, bytes(5000)))]
