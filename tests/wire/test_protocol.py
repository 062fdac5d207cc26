"""What both peers do with octets and commands once the connection is open.

Clients and servers run through the same tests where they behave alike.
"""

import tracemalloc
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ammoo_wire
from ammoo_wire import (
    NO_PROPERTIES,
    PROTOCOL_HEADER,
    BasicAckParameters,
    BasicDeliverParameters,
    BasicPublishParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelFlowParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    ConnectionBlockedParameters,
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    ConnectionOpenOkParameters,
    ConnectionOpenParameters,
    ConnectionSecureParameters,
    ConnectionStartOkParameters,
    ConnectionStartParameters,
    ConnectionState,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    EncodeError,
    FrameError,
    FramingLost,
    OversizedContent,
    Protocol,
    QueueDeclareParameters,
    encode_method,
)
from tests.support.commands import Command, named
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
    receive_into_buffer,
    running_client,
    running_peers,
    running_server,
)

RUNNING = pytest.mark.parametrize("new", [running_client, running_server], ids=["client", "server"])
STARTING = pytest.mark.parametrize("new", [new_client, new_server], ids=["client", "server"])
RECEIVERS = pytest.mark.parametrize(
    "receive", [Protocol.receive_data, receive_into_buffer], ids=["data", "buffer"]
)
New = Callable[..., Protocol]
Receive = Callable[[Protocol, bytes], list[Command] | list[ammoo_wire.Command]]

ACK = BasicAckParameters(1)
CLOSE_CHANNEL = ChannelCloseParameters(404, "NOT_FOUND - no queue", 50, 10)
UNKNOWN_FRAME = frame(9, 0, b"abcd")


def receive_all(protocol: Protocol, pieces: list[bytes], receive: Receive) -> list[Command]:
    """Give the commands that pieces make."""
    return [command for piece in pieces for command in named(receive(protocol, piece))]


def fate_of(protocol: Protocol) -> tuple[object, ...]:
    """Tell what became of a protocol, in what its user can see."""
    failure = protocol.failure
    return (
        protocol.state,
        failure and (type(failure), str(failure), failure.class_id, failure.method_id),
        protocol.close_sent,
        protocol.close_received,
        protocol.data_to_send(),
    )


# --- any octets ---


@given(st.data(), strategies.streams())
@RECEIVERS
@RUNNING
def test_any_cuts_give_the_same_commands(
    new: New, receive: Receive, data: st.DataObject, stream: strategies.Stream
) -> None:
    protocol = new()
    pieces = data.draw(strategies.cuts(stream.octets))

    assert receive_all(protocol, pieces, receive) == stream.commands
    assert protocol.failure is None
    assert protocol.state is ConnectionState.RUNNING


@pytest.mark.parametrize("size", [1000, 4096, 65535, 65536, 65537, 131072, 1_000_000])
@pytest.mark.parametrize("frame_max", [4096, 131072, 0])
@RECEIVERS
def test_large_bodies_come_whole_through_reads_of_any_size(
    receive: Receive, frame_max: int, size: int
) -> None:
    body = bytes(range(251)) * 2000
    parameters = BasicDeliverParameters("tag", 1, False, "", "q")
    octets = b"".join(
        content_frames(1, parameters, NO_PROPERTIES, body, frame_max=frame_max or 1 << 30)
    )
    client = running_peers(new_client(frame_max=frame_max), new_server(frame_max=frame_max)).client

    pieces = [octets[i : i + size] for i in range(0, len(octets), size)]
    (command,) = receive_all(client, pieces, receive)

    assert command.body == bytearray(body)


@given(st.data(), strategies.garbage)
@RECEIVERS
@pytest.mark.parametrize("new", [running_client, running_server, new_client, new_server])
def test_any_octets_give_commands_or_a_failure(
    new: New, receive: Receive, data: st.DataObject, octets: bytes
) -> None:
    protocol = new()
    pieces = data.draw(strategies.cuts(octets))

    commands = receive_all(protocol, pieces, receive)

    assert all(isinstance(command.parameters, tuple) for command in commands)
    assert protocol.failure is None or protocol.state in (
        ConnectionState.CLOSING,
        ConnectionState.CLOSED,
    )


@given(st.data(), strategies.streams())
@RUNNING
def test_mutated_streams_give_commands_or_a_failure_however_they_are_cut(
    new: New, data: st.DataObject, stream: strategies.Stream
) -> None:
    octets = data.draw(strategies.mutated(stream.octets))
    whole, cut = new(), new()

    expected = whole.receive_data(octets)
    commands = receive_all(cut, data.draw(strategies.cuts(octets)), Protocol.receive_data)

    assert expected == commands
    assert fate_of(cut) == fate_of(whole)


@given(st.data(), strategies.garbage, strategies.streams())
@pytest.mark.parametrize("new", [running_client, running_server, new_client, new_server])
def test_any_octets_mean_the_same_however_they_are_cut(
    new: New, data: st.DataObject, octets: bytes, stream: strategies.Stream
) -> None:
    octets = stream.octets + octets
    whole, cut = new(), new()

    expected = whole.receive_data(octets)
    commands = receive_all(cut, data.draw(strategies.cuts(octets)), Protocol.receive_data)

    assert expected == commands
    assert fate_of(cut) == fate_of(whole)


# What each peer hears while a connection is opened, with a command behind it.
HEARD_BY_CLIENT = b"".join(
    [
        method_frame(0, ConnectionStartParameters(0, 9, {"product": "x"}, b"PLAIN", b"en_US")),
        method_frame(0, ConnectionSecureParameters(b"who?")),
        method_frame(0, ConnectionTuneParameters(2047, 131072, 60)),
        method_frame(0, ConnectionOpenOkParameters()),
        method_frame(0, ConnectionBlockedParameters("low on memory")),
        method_frame(1, ChannelOpenOkParameters()),
    ]
)
HEARD_BY_SERVER = PROTOCOL_HEADER + b"".join(
    [
        method_frame(0, ConnectionStartOkParameters({"k": [1]}, "PLAIN", b"\0g\0g", "en_US")),
        method_frame(0, ConnectionTuneOkParameters(2047, 131072, 60)),
        method_frame(0, ConnectionOpenParameters("/")),
        method_frame(1, ChannelOpenParameters()),
    ]
)


@given(st.data())
@pytest.mark.parametrize(
    ("new", "heard"),
    [(new_client, HEARD_BY_CLIENT), (new_server, HEARD_BY_SERVER)],
    ids=["client", "server"],
)
def test_mutated_openings_mean_the_same_however_they_are_cut(
    new: New, heard: bytes, data: st.DataObject
) -> None:
    octets = data.draw(st.just(heard) | strategies.mutated(heard))
    whole, cut = new(), new()

    expected = whole.receive_data(octets)
    commands = receive_all(cut, data.draw(strategies.cuts(octets)), receive_into_buffer)

    assert expected == commands
    assert fate_of(cut) == fate_of(whole)
    assert octets != heard or whole.state is ConnectionState.RUNNING


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@RUNNING
def test_octets_may_come_in_any_kind_of_buffer(new: New, kind: type[bytes]) -> None:
    assert 1 == len(new().receive_data(kind(method_frame(1, ACK))))


@RUNNING
def test_no_octets_change_nothing(new: New) -> None:
    protocol = new()

    assert protocol.receive_data(b"") == protocol.buffer_updated(0) == []
    assert protocol.state is ConnectionState.RUNNING


# --- sending ---


@RUNNING
def test_send_queues_a_method(new: New) -> None:
    protocol = new()

    protocol.send(3, ACK)

    assert (True, 8 + 4 + 9) == (protocol.has_data_to_send, protocol.queued_size)
    assert protocol.data_to_send() == method_frame(3, ACK)
    assert (False, 0) == (protocol.has_data_to_send, protocol.queued_size)
    assert b"" == protocol.data_to_send()


@RUNNING
def test_send_method_queues_what_is_encoded_already(new: New) -> None:
    protocol = new()

    protocol.send_method(3, encode_method(ACK))

    assert protocol.data_to_send() == method_frame(3, ACK)


@RUNNING
def test_send_content_queues_all_of_it(new: New) -> None:
    protocol = new(frame_max=4096)
    publish = BasicPublishParameters("", "q")

    protocol.send_content(1, encode_method(publish), NO_PROPERTIES, b"x" * 5000)

    assert protocol.data_to_send() == b"".join(
        content_frames(1, publish, NO_PROPERTIES, b"x" * 5000)
    )


@RUNNING
@pytest.mark.parametrize("properties", [NO_PROPERTIES, b"\x08\x00\x05"])
@pytest.mark.parametrize("body", [b"", b"x", bytearray(b"x"), b"x" * 4096, b"x" * 5000])
def test_send_content_behind_does_as_send_content(
    new: New, properties: bytes, body: bytes | bytearray
) -> None:
    protocol = new(frame_max=4096)
    publish = BasicPublishParameters("", "q")
    head = protocol.content_head(7, encode_method(publish))
    expected = b"".join(content_frames(7, publish, properties, bytes(body)))

    sizes = [protocol.send_content_behind(head, properties, body) for _ in range(2)]

    assert [len(expected), 2 * len(expected)] == sizes
    assert expected * 2 == protocol.data_to_send()


@RUNNING
def test_what_a_writer_of_ones_own_has_made_is_sent_when_it_is_due(new: New) -> None:
    protocol = new(frame_max=4096)
    writer = protocol.new_writer()
    writer.method(1, encode_method(ACK))
    with pytest.raises(EncodeError, match="at most 4096"):
        writer.method(1, bytes(5000))

    protocol.send(2, ACK)
    protocol.send_written(writer.take())

    assert protocol.data_to_send() == method_frame(2, ACK) + method_frame(1, ACK)


@RUNNING
def test_send_heartbeat_queues_one(new: New) -> None:
    protocol = new()

    protocol.send_heartbeat()

    assert HEARTBEAT == protocol.data_to_send()


@RUNNING
def test_what_cannot_be_encoded_queues_nothing(new: New) -> None:
    protocol = new()

    with pytest.raises(EncodeError, match=r"^basic\.ack: delivery_tag is -1"):
        protocol.send(1, BasicAckParameters(-1))
    with pytest.raises(EncodeError, match=r"^channel\.close: reply_text is 300 bytes long"):
        protocol.send(1, ChannelCloseParameters(200, "x" * 300))
    with pytest.raises(EncodeError, match="takes a frame of"):
        protocol.send_method(1, bytes(200_000))
    with pytest.raises(EncodeError, match="takes a frame of"):
        protocol.send_content(1, bytes(4), bytes(200_000), b"")
    with pytest.raises(EncodeError, match="takes a frame of"):
        protocol.content_head(1, bytes(200_000))
    with pytest.raises(EncodeError, match="takes a frame of"):
        protocol.send_content_behind(protocol.content_head(1, bytes(4)), bytes(200_000), b"")
    with pytest.raises(TypeError):
        protocol.send_content_behind(protocol.content_head(1, bytes(4)), NO_PROPERTIES, "x")  # type: ignore[arg-type]  # on purpose

    assert not protocol.has_data_to_send
    assert not protocol.is_channel_closing(1)


# --- closing the connection ---


@RUNNING
def test_close_goes_behind_all_that_is_queued_even_later(new: New) -> None:
    protocol = new()
    protocol.send(1, ACK)

    protocol.close(320, "CONNECTION_FORCED - bye", 1, 2)
    protocol.send(2, ACK)

    close = ConnectionCloseParameters(320, "CONNECTION_FORCED - bye", 1, 2)
    assert protocol.state is ConnectionState.CLOSING
    assert close == protocol.close_sent
    assert protocol.has_data_to_send
    assert protocol.data_to_send() == (
        method_frame(1, ACK) + method_frame(2, ACK) + method_frame(0, close)
    )


@RUNNING
def test_nothing_goes_behind_a_close_that_was_taken(new: New) -> None:
    protocol = new()
    protocol.close()
    protocol.data_to_send()

    protocol.send(1, ACK)
    protocol.send_method(1, encode_method(ACK))
    protocol.send_content(1, encode_method(BasicPublishParameters()), NO_PROPERTIES, b"body")
    head = protocol.content_head(1, encode_method(BasicPublishParameters()))
    protocol.send_content_behind(head, NO_PROPERTIES, b"body")
    protocol.send_written(method_frame(1, ACK))
    protocol.send_heartbeat()

    assert not protocol.has_data_to_send


@RUNNING
def test_close_says_goodbye_by_default(new: New) -> None:
    protocol = new()

    protocol.close()

    assert ConnectionCloseParameters(200, "", 0, 0) == protocol.close_sent


@RUNNING
def test_close_cuts_its_text_to_a_short_string(new: New) -> None:
    protocol = new()

    protocol.close(320, "ö" * 300)

    assert ConnectionCloseParameters(320, "ö" * 126 + "...", 0, 0) == protocol.close_sent


@RUNNING
def test_close_a_second_time_does_nothing(new: New) -> None:
    protocol = new()
    protocol.close(320, "first")
    first = protocol.data_to_send()

    protocol.close(200, "second")

    assert first
    assert ConnectionCloseParameters(320, "first", 0, 0) == protocol.close_sent
    assert not protocol.has_data_to_send


@RUNNING
def test_close_that_cannot_be_encoded_changes_nothing(new: New) -> None:
    protocol = new()

    with pytest.raises(EncodeError, match=r"^connection\.close: reply_code is 70000"):
        protocol.close(70000)

    assert protocol.close_sent is None
    assert protocol.state is ConnectionState.RUNNING
    assert not protocol.has_data_to_send


@RUNNING
def test_close_ok_ends_a_connection_that_we_closed(new: New) -> None:
    protocol = new()
    protocol.close()

    commands = protocol.receive_data(method_frame(0, ConnectionCloseOkParameters()))

    assert [] == commands
    assert protocol.state is ConnectionState.CLOSED
    assert protocol.failure is None
    assert protocol.close_received is None


@RUNNING
def test_all_but_the_answer_is_dropped_while_closing(new: New) -> None:
    protocol = new()
    protocol.close()
    protocol.data_to_send()

    commands = protocol.receive_data(
        method_frame(1, ACK)
        + b"".join(content_frames(2, BasicPublishParameters(), NO_PROPERTIES, b"abc"))
        + HEARTBEAT
        + method_frame(3, ChannelCloseParameters())
        + method_frame(0, QueueDeclareParameters())
    )

    assert [] == commands
    assert not protocol.has_data_to_send
    assert protocol.failure is None
    protocol.receive_data(method_frame(0, ConnectionCloseOkParameters()))
    assert protocol.state is ConnectionState.CLOSED


def test_crossing_close_is_answered_and_ends_the_connection() -> None:
    protocol = running_client()
    protocol.close()
    ours = protocol.data_to_send()
    theirs = ConnectionCloseParameters(320, "CONNECTION_FORCED - bye")

    commands = protocol.receive_data(method_frame(0, theirs))

    assert ours
    assert [] == commands
    assert protocol.state is ConnectionState.CLOSED
    assert theirs == protocol.close_received
    assert protocol.data_to_send() == method_frame(0, ConnectionCloseOkParameters())


@RUNNING
def test_peers_close_is_answered_behind_all_that_is_queued(new: New) -> None:
    protocol = new()
    protocol.send(1, ACK)
    close = ConnectionCloseParameters(320, "CONNECTION_FORCED - bye", 0, 0)

    commands = protocol.receive_data(
        method_frame(1, ACK) + method_frame(0, close) + method_frame(2, ACK)
    )
    protocol.send(3, ACK)

    assert [Command(1, ACK, None, None)] == commands
    assert protocol.state is not ConnectionState.RUNNING
    assert close == protocol.close_received
    assert protocol.close_sent is None
    assert protocol.failure is None
    assert protocol.data_to_send() == (
        method_frame(1, ACK) + method_frame(3, ACK) + method_frame(0, ConnectionCloseOkParameters())
    )


@RUNNING
def test_nothing_is_received_once_closed(new: New) -> None:
    protocol = new()
    protocol.receive_data(method_frame(0, ConnectionCloseParameters()))
    protocol.data_to_send()

    assert [] == protocol.receive_data(method_frame(1, ACK) + UNKNOWN_FRAME)
    assert protocol.failure is None
    protocol.close()
    assert protocol.close_sent is None
    assert not protocol.has_data_to_send


@STARTING
def test_end_of_the_octets_closes(new: New) -> None:
    protocol = new()

    protocol.receive_eof()

    assert protocol.state is ConnectionState.CLOSED
    assert [] == protocol.receive_data(HEARTBEAT)


@RUNNING
def test_end_of_the_octets_after_the_end_of_the_connection_changes_nothing(new: New) -> None:
    protocol = new()
    protocol.receive_data(method_frame(0, ConnectionCloseParameters()))

    protocol.receive_eof()

    assert protocol.state is ConnectionState.CLOSED
    assert protocol.data_to_send() == method_frame(0, ConnectionCloseOkParameters())


@RUNNING
def test_end_of_the_octets_drops_what_is_incomplete(new: New) -> None:
    protocol = new()
    deliver = BasicDeliverParameters("tag", 1, False, "exchange", "key")
    content = content_frames(1, deliver, b"\x00\x00", bytes(1_100_000), frame_max=131072)
    tracemalloc.start()
    assert [] == protocol.receive_data(b"".join(content)[:-1])
    received, _ = tracemalloc.get_traced_memory()

    protocol.receive_eof()

    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert received - kept > 900_000
    assert protocol.state is ConnectionState.CLOSED


@RUNNING
def test_end_of_the_octets_leaves_what_is_queued(new: New) -> None:
    protocol = new()
    protocol.send(1, ACK)

    protocol.receive_eof()

    assert protocol.data_to_send() == method_frame(1, ACK)


# --- the peer's faults ---


@RUNNING
def test_fault_closes_the_connection_behind_the_answers_to_good_commands(new: New) -> None:
    protocol = new()

    commands = protocol.receive_data(method_frame(1, ACK) + UNKNOWN_FRAME)
    protocol.send(1, ACK)

    text = 'FRAME_ERROR - type 9, all octets = <<"abcd">>: unknown_frame'
    close = ConnectionCloseParameters(501, text, 0, 0)
    assert [Command(1, ACK, None, None)] == commands
    assert isinstance(protocol.failure, FrameError)
    assert text == protocol.failure.reply_text
    assert close == protocol.close_sent
    assert protocol.state is ConnectionState.CLOSING
    assert protocol.data_to_send() == method_frame(1, ACK) + method_frame(0, close)


@RUNNING
def test_fault_names_its_method_in_the_close(new: New) -> None:
    protocol = new()

    protocol.receive_data(frame(1, 1, b"\x00\x3c\x00\x50abc"))

    assert (
        ConnectionCloseParameters(501, 'FRAME_ERROR - cannot decode <<"abc">>', 60, 80)
        == protocol.close_sent
    )


@RUNNING
def test_content_on_channel_0_is_a_fault(new: New) -> None:
    protocol = new()
    publish = BasicPublishParameters("", "q")

    commands = protocol.receive_data(
        b"".join(content_frames(0, publish, NO_PROPERTIES, b"abc")) + method_frame(1, ACK)
    )

    assert [] == commands
    assert protocol.close_sent is not None
    assert (60, 40) == protocol.close_sent[2:]
    assert protocol.state is ConnectionState.CLOSING


@RUNNING
def test_close_ok_behind_a_fault_is_recognised(new: New) -> None:
    protocol = new()
    protocol.receive_data(frame(1, 1, b"\x00\x3c\x00\x50abc") + method_frame(1, ACK))

    protocol.receive_data(method_frame(2, ACK) + method_frame(0, ConnectionCloseOkParameters()))

    assert protocol.state is ConnectionState.CLOSED


@RUNNING
def test_what_the_peer_had_sent_before_it_heard_of_its_fault_costs_no_second_one(new: New) -> None:
    """A content is left unfinished; what follows on its channel would be out of place."""
    protocol = new()
    publish = method_frame(1, BasicPublishParameters())
    protocol.receive_data(publish + method_frame(1, ACK))

    protocol.receive_data(publish + header_frame(1, 3) + body_frame(1, b"abcd") + HEARTBEAT)
    protocol.receive_data(method_frame(0, ConnectionCloseOkParameters()))

    assert protocol.state is ConnectionState.CLOSED
    assert protocol.failure is not None
    assert 505 == protocol.failure.reply_code


@RUNNING
@pytest.mark.parametrize("cut", [0, 1, 10_000], ids=["one by one", "octets", "at once"])
def test_faults_behind_the_first_do_not_hide_the_answer_to_our_close(new: New, cut: int) -> None:
    """A content on channel 0 is a fault three times over."""
    protocol = new()
    frames = [
        *content_frames(0, BasicPublishParameters(), NO_PROPERTIES, b"body"),
        frame(9, 0, b"of an unknown type"),
        method_frame(0, ConnectionCloseOkParameters()),
    ]
    octets = b"".join(frames)
    reads = [octets[i : i + cut] for i in range(0, len(octets), cut)] if cut else frames

    deque(map(protocol.receive_data, reads), maxlen=0)

    assert protocol.state is ConnectionState.CLOSED
    assert protocol.close_received is None
    assert protocol.failure is not None
    assert 40 == protocol.failure.method_id


@RUNNING
@pytest.mark.parametrize(
    "octets", [b"\x01\0\0\x7f\0\0\0", b"\x01\0\0\0\0\0\1ab"], ids=["too large", "wrong end"]
)
def test_nothing_is_read_behind_a_frame_without_an_end(new: New, octets: bytes) -> None:
    protocol = new()

    protocol.receive_data(octets)
    protocol.receive_data(method_frame(0, ConnectionCloseOkParameters()))

    assert isinstance(protocol.failure, FramingLost)
    assert protocol.state is ConnectionState.CLOSING


@RUNNING
def test_peers_close_right_behind_its_fault_is_answered(new: New) -> None:
    protocol = new()
    theirs = ConnectionCloseParameters(320, "CONNECTION_FORCED - bye")

    protocol.receive_data(frame(1, 1, b"\x00\x3c\x00\x50abc") + method_frame(0, theirs))

    assert protocol.failure is not None
    assert theirs == protocol.close_received
    assert protocol.state is not ConnectionState.RUNNING
    assert protocol.data_to_send().endswith(method_frame(0, ConnectionCloseOkParameters()))


@RUNNING
def test_second_fault_makes_deaf(new: New) -> None:
    """When the ends of frames cannot be told, no answer will be recognised."""
    protocol = new()
    protocol.receive_data(UNKNOWN_FRAME)
    first = protocol.failure

    protocol.receive_data(b"\x01\xff\xff\xff\xff\xff\xff\xff" * 2)

    assert [] == protocol.receive_data(method_frame(0, ConnectionCloseOkParameters()))
    assert protocol.failure is first
    assert protocol.state is ConnectionState.CLOSING


@RUNNING
def test_content_that_is_too_large_is_a_command(new: New) -> None:
    protocol = new(max_body_size=10)
    publish = BasicPublishParameters()

    commands = protocol.receive_data(
        b"".join(content_frames(1, publish, NO_PROPERTIES, b"x" * 11)) + method_frame(1, ACK)
    )

    assert [
        Command(1, OversizedContent(publish, 11, 10), None, None),
        Command(1, ACK, None, None),
    ] == commands
    assert protocol.failure is None


# --- closing a channel ---


@RUNNING
def test_close_of_a_channel_drops_what_comes_on_it(new: New) -> None:
    protocol = new()
    protocol.send(1, CLOSE_CHANNEL)

    commands = protocol.receive_data(
        method_frame(1, ACK)
        + method_frame(2, ACK)
        + b"".join(content_frames(1, BasicPublishParameters(), NO_PROPERTIES, b"abc"))
        + method_frame(1, ChannelFlowParameters(True))
    )

    assert [Command(2, ACK, None, None)] == commands
    assert protocol.is_channel_closing(1)
    assert not protocol.is_channel_closing(2)


@RUNNING
def test_answer_to_a_channels_close_frees_its_number(new: New) -> None:
    protocol = new()
    protocol.send(1, CLOSE_CHANNEL)

    commands = protocol.receive_data(
        method_frame(1, ACK)
        + method_frame(1, ChannelCloseOkParameters())
        + method_frame(1, ChannelOpenOkParameters())
    )

    assert [
        Command(1, ChannelCloseOkParameters(), None, None),
        Command(1, ChannelOpenOkParameters(), None, None),
    ] == commands
    assert not protocol.is_channel_closing(1)


@RUNNING
def test_crossing_close_of_a_channel_is_answered_and_ours_still_open(new: New) -> None:
    protocol = new()
    protocol.send(1, CLOSE_CHANNEL)
    protocol.data_to_send()

    commands = protocol.receive_data(method_frame(1, ChannelCloseParameters()))

    assert [] == commands
    assert protocol.data_to_send() == method_frame(1, ChannelCloseOkParameters())
    assert protocol.is_channel_closing(1)
    assert {1: ChannelCloseParameters()} == protocol.crossed_closes
    assert [Command(1, ChannelCloseOkParameters(), None, None)] == protocol.receive_data(
        method_frame(1, ChannelCloseOkParameters())
    )


@RUNNING
def test_what_comes_before_the_answer_to_our_open_is_of_the_former_channel(new: New) -> None:
    protocol = new()
    protocol.send(1, ChannelOpenParameters())
    late = content_frames(1, BasicPublishParameters(), NO_PROPERTIES, b"late", frame_max=4096)

    commands = protocol.receive_data(
        b"".join(late) + method_frame(1, ChannelOpenOkParameters()) + b"".join(late)
    )

    assert [ChannelOpenOkParameters, BasicPublishParameters] == [
        type(parameters) for _, parameters, _, _ in commands
    ]


@RUNNING
def test_refusal_of_our_open_is_given(new: New) -> None:
    protocol = new()
    protocol.send(1, ChannelOpenParameters())

    assert [Command(1, CLOSE_CHANNEL, None, None)] == protocol.receive_data(
        method_frame(1, CLOSE_CHANNEL)
    )


@RUNNING
def test_open_on_a_closing_channel_is_given_for_it_is_a_fault(new: New) -> None:
    protocol = new()
    protocol.send(1, CLOSE_CHANNEL)

    assert [Command(1, ChannelOpenParameters(), None, None)] == protocol.receive_data(
        method_frame(1, ChannelOpenParameters())
    )


@RUNNING
def test_peers_close_of_a_channel_is_given(new: New) -> None:
    protocol = new()

    assert [Command(1, CLOSE_CHANNEL, None, None)] == protocol.receive_data(
        method_frame(1, CLOSE_CHANNEL)
    )
    assert not protocol.has_data_to_send
    assert not protocol.is_channel_closing(1)


@pytest.mark.parametrize("seen", [0, 1, 2, 3])
@RUNNING
def test_content_under_way_on_a_closing_channel_is_dropped_whole(new: New, seen: int) -> None:
    protocol = new()
    frames = content_frames(1, BasicPublishParameters(), NO_PROPERTIES, b"x" * 5000, frame_max=4096)
    protocol.receive_data(b"".join(frames[:seen]))
    protocol.send(1, CLOSE_CHANNEL)

    commands = protocol.receive_data(b"".join(frames[seen:]))

    assert [] == commands
    assert protocol.failure is None


# --- the base by itself ---


def test_protocol_by_itself_is_no_peer() -> None:
    base: Any = Protocol

    with pytest.raises(TypeError, match="abstract"):
        base(receive_frame_max=0, send_frame_max=0, max_body_size=0)


def test_octets_of_incomplete_bodies_are_counted() -> None:
    client = running_client()

    client.receive_data(
        method_frame(1, BasicPublishParameters("e", "k"))
        + header_frame(1, 9)
        + body_frame(1, b"abc")
    )

    assert 3 == client.unfinished_size
