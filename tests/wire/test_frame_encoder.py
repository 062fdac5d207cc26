"""Octets for others: the same as a peer writes by default, and illegal ones if asked."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_wire import (
    NO_PROPERTIES,
    PROTOCOL_HEADER,
    BasicAckParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    BrokenFrame,
    CommandReader,
    EncodeError,
    FrameReader,
    ReadCommand,
    encode_command,
    encode_content_header,
    encode_frame,
    encode_heartbeat,
    encode_method,
    encode_properties,
    encode_protocol_header,
)
from tests.support.commands import Command
from tests.wire import strategies
from tests.wire.peers import HEARTBEAT, content_frames, frame, header_frame, method_frame

PUBLISH = BasicPublishParameters("e", "k")


def test_frame_is_written_as_the_specification_says() -> None:
    assert encode_frame(1, 2, b"abc") == frame(1, 2, b"abc")


def test_heartbeat_and_protocol_header_are_written() -> None:
    assert HEARTBEAT == encode_heartbeat()
    assert PROTOCOL_HEADER == encode_protocol_header()


@given(strategies.commands(3))
def test_command_is_read_as_it_was_written(command: Command) -> None:
    octets = encode_command(*command, frame_max=4096)

    (read,) = CommandReader().receive_data(octets)

    assert isinstance(read, ReadCommand)
    assert command == tuple(read[:4])


@pytest.mark.parametrize("frame_max", [0, 9, 4096])
def test_body_is_cut_into_frames(frame_max: int) -> None:
    octets = encode_command(1, PUBLISH, NO_PROPERTIES, b"x" * 50, frame_max=frame_max)

    (read,) = CommandReader().receive_data(octets)

    assert ReadCommand(1, PUBLISH, NO_PROPERTIES, b"x" * 50) == read
    assert len(FrameReader().receive_data(octets)) == (2 + 50 if frame_max == 9 else 3)


def test_properties_may_be_values_or_octets() -> None:
    properties = BasicHeaderProperties(priority=3)
    expected = b"".join(content_frames(1, PUBLISH, encode_properties(properties), b"abc"))

    assert expected == encode_command(1, PUBLISH, properties, b"abc")
    assert expected == encode_command(1, PUBLISH, encode_properties(properties), b"abc")


def test_method_that_has_content_gets_an_empty_one_by_default() -> None:
    assert encode_command(1, PUBLISH) == b"".join(content_frames(1, PUBLISH, NO_PROPERTIES, b""))


def test_method_that_has_no_content_gets_none_by_default() -> None:
    ack = BasicAckParameters(1)

    assert encode_command(1, ack) == method_frame(1, ack)


# --- on purpose ---


def test_frame_may_lie_about_its_size_and_its_end() -> None:
    assert b"\x01\x00\x02\x00\x00\x00\x07abc\x00" == encode_frame(1, 2, b"abc", size=7, end=0)


def test_frame_may_have_any_type() -> None:
    assert b"\xff\xff\xff\x00\x00\x00\x00\xce" == encode_frame(255, 65535, b"")


def test_content_header_may_be_of_another_class_and_weigh_something() -> None:
    payload = encode_content_header(5, class_id=50, weight=1)

    assert encode_frame(2, 1, payload) == header_frame(1, 5, class_id=50, weight=1)


def test_command_may_have_content_that_is_not_its_own() -> None:
    (ack, *broken) = CommandReader(skip_broken=True).receive_data(
        encode_command(1, BasicAckParameters(1), None, b"abc")
    )

    assert "basic.ack" == ack.name
    assert [type(each) for each in broken] == [BrokenFrame, BrokenFrame]


def test_command_may_announce_a_body_of_another_size() -> None:
    octets = encode_command(1, PUBLISH, None, b"abc", body_size=2)

    assert octets == encode_frame(1, 1, encode_method(PUBLISH)) + encode_frame(
        2, 1, encode_content_header(2)
    ) + encode_frame(3, 1, b"abc")


def test_protocol_header_may_be_of_any_version() -> None:
    assert b"AMQP\x00\x01\x00\x00" == encode_protocol_header(1, 0, 0)


@pytest.mark.parametrize(
    ("encode", "text"),
    [
        (
            lambda: encode_frame(256, 0, b""),
            "frame_type is 256; expected an integer from 0 to 255",
        ),
        (
            lambda: encode_frame(1, 65536, b""),
            "channel_number is 65536; expected an integer from 0 to 65535",
        ),
        (
            lambda: encode_frame(1, 1, b"", size=-1),
            "size is -1; expected an integer from 0 to 4294967295",
        ),
        (
            lambda: encode_frame(1, 1, b"", end=256),
            "end is 256; expected an integer from 0 to 255",
        ),
        (
            lambda: encode_frame(1, 1, "text"),  # type: ignore[arg-type]  # is the point
            "payload is of type str; expected bytes, bytearray or memoryview",
        ),
        (
            lambda: encode_protocol_header(0, 9, 256),
            "revision is 256; expected an integer from 0 to 255",
        ),
        (
            lambda: encode_content_header(-1),
            "body_size is -1; expected an integer from 0 to 18446744073709551615",
        ),
        (
            lambda: encode_command(1, ("text",)),
            (
                "('text',) is no method's parameters; expected an instance of a class such as"
                " QueueDeclareParameters"
            ),
        ),
        (
            lambda: encode_method("x"),  # type: ignore[arg-type]  # is the point
            (
                "'x' is no method's parameters; expected an instance of a class such as"
                " QueueDeclareParameters"
            ),
        ),
    ],
)
def test_what_does_not_fit_is_named(encode: Callable[[], bytes], text: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode()

    assert text == str(caught.value)


@given(st.integers(0, 255), st.integers(0, 65535), st.binary(max_size=50))
def test_any_frame_is_read_as_it_was_written(kind: int, number: int, payload: bytes) -> None:
    (read,) = FrameReader().receive_data(encode_frame(kind, number, payload))

    assert bytes(read) == encode_frame(kind, number, payload)
