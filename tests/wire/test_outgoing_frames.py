"""Frames from commands."""

from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_wire import BasicPublishParameters, EncodeError, encode_method
from ammoo_wire.outgoing_frames import CommandWriter
from tests.wire.peers import HEARTBEAT, body_frame, content_frames, frame

PUBLISH = BasicPublishParameters("", "key")
PAYLOAD = encode_method(PUBLISH)


def test_writer_has_nothing_at_first() -> None:
    assert b"" == CommandWriter(frame_max=4096).take()


def test_method_becomes_a_frame() -> None:
    writer = CommandWriter(frame_max=4096)

    writer.method(3, b"payload")

    assert writer.queued == frame(1, 3, b"payload")


def test_heartbeat_becomes_a_frame_on_channel_0() -> None:
    writer = CommandWriter(frame_max=4096)

    writer.heartbeat()

    assert HEARTBEAT == writer.take()


def test_take_leaves_nothing_and_gives_the_octets_away() -> None:
    writer = CommandWriter(frame_max=4096)
    writer.heartbeat()
    taken = writer.take()

    writer.heartbeat()

    assert HEARTBEAT == taken
    assert HEARTBEAT == writer.take()
    assert b"" == writer.take()


@pytest.mark.parametrize("frame_max", [0, 4096, 8192, 131072])
@pytest.mark.parametrize(
    "size", [0, 1, 4087, 4088, 4089, 4096, 4097, 8176, 8177, 131064, 131065, 300_000]
)
def test_content_is_cut_into_frames(frame_max: int, size: int) -> None:
    writer = CommandWriter(frame_max=frame_max)
    body = bytes(range(256)) * (size // 256 + 1)

    writer.content(7, PAYLOAD, b"\x00\x00", body[:size])

    expected = content_frames(7, PUBLISH, b"\x00\x00", body[:size], frame_max=frame_max or 1 << 20)
    assert writer.take() == b"".join(expected)


@given(st.binary(max_size=5000), st.sampled_from([bytes, bytearray, memoryview]))
def test_body_may_be_any_octets(body: bytes, kind: Any) -> None:
    writer = CommandWriter(frame_max=4096)

    writer.content(7, PAYLOAD, b"\x00\x00", kind(body))

    assert writer.take() == b"".join(content_frames(7, PUBLISH, b"\x00\x00", body))


@pytest.mark.parametrize("size", [4, 3000, 100_000])
def test_body_in_larger_items_is_taken_octet_by_octet(size: int) -> None:
    writer = CommandWriter(frame_max=4096)
    numbers = array("H", range(0x4142, 0x4142 + size % 60_000))

    writer.content(7, PAYLOAD, b"\x00\x00", memoryview(numbers))

    expected = content_frames(7, PUBLISH, b"\x00\x00", numbers.tobytes())
    assert writer.take() == b"".join(expected)


@pytest.mark.parametrize("size", [1, 100_000])
def test_body_of_every_second_octet_is_taken(size: int) -> None:
    writer = CommandWriter(frame_max=4096)
    octets = b"ab" * size

    writer.content(7, PAYLOAD, b"\x00\x00", memoryview(octets)[::2])

    assert writer.take() == b"".join(content_frames(7, PUBLISH, b"\x00\x00", b"a" * size))


@pytest.mark.parametrize(
    "body", ["a", "a" * 10_000, None, 5, ["a"]], ids=["str", "long-str", "None", "int", "list"]
)
def test_body_that_is_no_octets_queues_nothing(body: Any) -> None:
    writer = CommandWriter(frame_max=4096)

    with pytest.raises(TypeError):
        writer.content(7, PAYLOAD, b"\x00\x00", body)

    assert b"" == writer.take()


def test_method_as_large_as_a_frame_goes_out() -> None:
    writer = CommandWriter(frame_max=4096)

    writer.method(1, b"x" * 4088)

    assert 4096 == len(writer.take())


def test_method_larger_than_a_frame_is_refused_and_nothing_queued() -> None:
    writer = CommandWriter(frame_max=4096)

    with pytest.raises(EncodeError) as caught:
        writer.method(1, b"x" * 4089)

    assert (
        "the method with its parameters takes a frame of 4097 octets; the peers have agreed on"
        " at most 4096 (frame_max)"
    ) == (str(caught.value))
    assert b"" == writer.take()


def test_method_of_content_larger_than_a_frame_is_refused_and_nothing_queued() -> None:
    writer = CommandWriter(frame_max=4096)

    with pytest.raises(EncodeError, match=r"^the method with its parameters takes a frame of 4097"):
        writer.content(1, b"\x00\x3c\x00\x28" + b"x" * 4085, b"\x00\x00", b"body")

    assert b"" == writer.take()


def test_properties_as_large_as_a_frame_go_out() -> None:
    writer = CommandWriter(frame_max=4096)

    writer.content(1, PAYLOAD, b"p" * 4076, b"")

    assert writer.take() == frame(1, 1, PAYLOAD) + frame(
        2, 1, b"\x00\x3c" + bytes(10) + b"p" * 4076
    )


def test_properties_larger_than_a_frame_are_refused_and_nothing_queued() -> None:
    writer = CommandWriter(frame_max=4096)

    with pytest.raises(EncodeError) as caught:
        writer.content(1, PAYLOAD, b"p" * 4077, b"body")

    assert (
        "the content header with the message's properties takes a frame of 4097 octets; the peers"
        " have agreed on at most 4096 (frame_max)"
    ) == (str(caught.value))
    assert b"" == writer.take()


def test_no_limit_takes_methods_and_properties_of_any_size() -> None:
    writer = CommandWriter(frame_max=0)

    writer.method(1, b"x" * 200_000)
    writer.content(1, PAYLOAD, b"p" * 200_000, b"b" * 200_000)

    assert len(writer.take()) == 600_000 + len(PAYLOAD) + 12 + 4 * 8


def test_header_is_of_the_methods_class() -> None:
    writer = CommandWriter(frame_max=4096)

    writer.content(1, b"\x01\x02\x00\x28", b"\x00\x00", b"b")

    assert b"\xce\x02\x00\x01\x00\x00\x00\x0e\x01\x02\x00\x00" in writer.take()


def test_frames_stand_in_the_order_of_the_calls() -> None:
    writer = CommandWriter(frame_max=4096)

    writer.method(1, b"aaaa")
    writer.content(2, PAYLOAD, b"\x00\x00", b"b")
    writer.heartbeat()

    assert writer.take() == b"".join(
        [frame(1, 1, b"aaaa"), *content_frames(2, PUBLISH, b"\0\0", b"b"), HEARTBEAT]
    )
    assert body_frame(2, b"b") not in writer.take()


@pytest.mark.parametrize("number", [-1, 65536, "1", None])
def test_channel_that_cannot_be_is_refused_and_nothing_queued(number: Any) -> None:
    writer = CommandWriter(frame_max=4096)

    with pytest.raises(EncodeError) as of_method:
        writer.method(number, PAYLOAD)
    with pytest.raises(EncodeError) as of_content:
        writer.content(number, PAYLOAD, b"\x00\x00", b"body")

    expected = f"channel_number is {number!r}; expected an integer from 0 to 65535"
    assert [expected, expected] == [str(of_method.value), str(of_content.value)]
    assert b"" == writer.take()
