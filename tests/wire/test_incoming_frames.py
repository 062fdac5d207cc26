"""Commands from octets: the general path, its errors in RabbitMQ's words, and its memory."""

from collections.abc import Iterable

import pytest

import ammoo_wire
from ammoo_wire import (
    NO_PROPERTIES,
    BasicAckParameters,
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicPublishParameters,
    ChannelOpenParameters,
    ConnectionBlockedParameters,
    FrameError,
    InternalError,
    OversizedContent,
    ProtocolError,
    UnexpectedFrame,
    UnknownMethod,
    encode_method,
    method_of,
)
from ammoo_wire.incoming_frames import MAX_ANNOUNCED_SIZE, CommandAssembler
from tests.support.commands import Command, named
from tests.support.memory import traced
from tests.wire.peers import (
    HEARTBEAT,
    body_frame,
    content_frames,
    frame,
    header_frame,
    method_frame,
)

ACK = BasicAckParameters(1)
GET_OK = BasicGetOkParameters(1, False, "e", "k", 0)
PUBLISH = BasicPublishParameters("e", "k")
DELIVER = BasicDeliverParameters("tag", 1, False, "e", "k")
BLOCKED = ConnectionBlockedParameters("memory")


def new_assembler(
    *,
    frame_max: int = 4096,
    max_body_size: int = 1 << 20,
    takes_channels: bool = True,
    checks_body_sizes: bool = False,
) -> CommandAssembler:
    assembler = CommandAssembler(
        frame_max=frame_max, max_body_size=max_body_size, checks_body_sizes=checks_body_sizes
    )
    assembler.takes_channels = takes_channels
    return assembler


def read(assembler: CommandAssembler, octets: bytes) -> None:
    """Put octets into an assembler's buffer."""
    while octets:
        room = assembler.get_buffer()
        count = min(len(room), len(octets))
        room[:count] = octets[:count]
        assembler.buffer_updated(count)
        octets = octets[count:]


def assemble(assembler: CommandAssembler, *pieces: bytes) -> list[Command]:
    """Give the commands that octets make, read piece by piece."""
    commands: list[ammoo_wire.Command] = []
    for piece in pieces:
        read(assembler, piece)
        while assembler.assemble(commands):
            pass
    return named(commands)


def failure_of(assembler: CommandAssembler, octets: bytes) -> ProtocolError:
    """Give the error that octets make."""
    with pytest.raises(ProtocolError) as caught:
        assemble(assembler, octets)
    return caught.value


def peak_of(assembler: CommandAssembler, octets: bytes, times: int = 1) -> int:
    """Tell how much memory it takes at most to assemble octets, in octets."""
    with traced() as memory:
        for _ in range(times):
            assemble(assembler, octets)
    return memory.peak


def nested_tables(depth: int) -> bytes:
    """Give the octets of tables within tables, the innermost empty."""
    table = bytes(4)
    for _ in range(depth):
        inner = b"\x00F" + table
        table = len(inner).to_bytes(4) + inner
    return table


def one_by_one(octets: bytes) -> Iterable[bytes]:
    return (bytes((octet,)) for octet in octets)


# --- commands ---


def test_method_is_a_command_without_content() -> None:
    assert [Command(3, ACK, None, None)] == assemble(new_assembler(), method_frame(3, ACK))


@pytest.mark.parametrize("parameters", [PUBLISH, DELIVER, GET_OK], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("size", [0, 1, 4088, 4089, 20_000])
def test_content_is_put_together_however_it_is_cut(
    parameters: tuple[object, ...], size: int
) -> None:
    octets = b"".join(content_frames(3, parameters, b"\x08\x00\x05", b"x" * size))
    expected = [Command(3, parameters, b"\x08\x00\x05", bytearray(b"x" * size))]

    assert expected == assemble(new_assembler(), octets)
    assert expected == assemble(new_assembler(), *one_by_one(octets))


@pytest.mark.parametrize("parameters", [PUBLISH, DELIVER, GET_OK], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("size", [0, 5])
def test_content_has_parts_of_its_own(parameters: tuple[object, ...], size: int) -> None:
    """They must not change when the buffer is read into again."""
    assembler = new_assembler()
    octets = b"".join(content_frames(3, parameters, b"\x08\x00\x05", b"x" * size))

    (first,) = assemble(assembler, octets)
    assemble(assembler, b"\xff" * 6)

    assert type(first.properties) is bytes
    assert type(first.body) is bytearray
    assert b"x" * size == first.body


def test_body_may_come_in_frames_of_any_size() -> None:
    octets = (
        method_frame(1, GET_OK)
        + header_frame(1, 6)
        + body_frame(1, b"")
        + body_frame(1, b"abc")
        + body_frame(1, b"")
        + body_frame(1, b"def")
    )

    (command,) = assemble(new_assembler(), octets)

    assert command.body == bytearray(b"abcdef")


def test_frames_of_several_channels_may_alternate() -> None:
    octets = (
        method_frame(1, GET_OK)
        + method_frame(2, PUBLISH)
        + header_frame(2, 2)
        + header_frame(1, 1)
        + method_frame(3, ACK)
        + body_frame(2, b"c")
        + body_frame(1, b"a")
        + body_frame(2, b"d")
    )

    assert [
        Command(3, ACK, None, None),
        Command(1, GET_OK, NO_PROPERTIES, bytearray(b"a")),
        Command(2, PUBLISH, NO_PROPERTIES, bytearray(b"cd")),
    ] == assemble(new_assembler(), octets)


def test_heartbeats_may_come_anywhere() -> None:
    octets = HEARTBEAT.join(content_frames(1, GET_OK, NO_PROPERTIES, b"ab"))

    assert 1 == len(assemble(new_assembler(), HEARTBEAT + octets + HEARTBEAT))


def test_methods_on_channel_0_come_one_at_a_time() -> None:
    assembler = new_assembler()
    read(assembler, method_frame(1, ACK) + method_frame(0, BLOCKED) + method_frame(2, ACK))
    commands: list[ammoo_wire.Command] = []

    assert assembler.assemble(commands) is True
    assert [1, 0] == [channel_number for channel_number, *_ in commands]
    assert assembler.assemble(commands) is False
    assert [1, 0, 2] == [channel_number for channel_number, *_ in commands]


def test_take_gives_octets_that_are_no_frame_once_there_are_enough() -> None:
    assembler = new_assembler()
    read(assembler, b"AMQP")

    assert assembler.take(8) is None
    read(assembler, b"\x00\x00\x09\x01" + method_frame(3, ACK))
    assert b"AMQP\x00\x00\x09\x01" == assembler.take(8)
    assert [] == assemble(assembler)
    assert [Command(3, ACK, None, None)] == assemble(assembler, b"\x08")


def test_discard_drops_what_was_not_assembled() -> None:
    assembler = new_assembler()
    read(assembler, method_frame(3, ACK)[:-1])

    assembler.discard()

    assert [Command(4, ACK, None, None)] == assemble(assembler, method_frame(4, ACK))


# --- faults ---


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (
            b"\x01\x00\x01\x00\x00\x00\x04abcd\xcd",
            'type 1, all octets = <<"abcd">>: {invalid_frame_end_marker,205}',
        ),
        (
            b"\x03\x00\x01\x00\x00\x00\x11" + b"0123456789abcdef\x00" + b"\x00",
            'type 3, first 16 octets = <<"0123456789abcdef">>: {invalid_frame_end_marker,0}',
        ),
        (frame(9, 0, b"abcd"), 'type 9, all octets = <<"abcd">>: unknown_frame'),
        (frame(0, 1, b""), "type 0, all octets = <<>>: unknown_frame"),
        (frame(8, 0, b"a"), 'type 8, all octets = <<"a">>: unknown_frame'),
        (frame(1, 0, b"\x00\x3c\x00"), "type 1, all octets = <<0,60,0>>: unknown_frame"),
        (
            b"\x01\x00\x00\x00\x00\x10\x01",
            "type 1, all octets = <<>>: {frame_too_large,4097,4088}",
        ),
        (
            b"\x03\x00\x01\xff\xff\xff\xff",
            "type 3, all octets = <<>>: {frame_too_large,4294967295,4088}",
        ),
    ],
)
def test_octets_that_make_no_frame_are_a_frame_error(octets: bytes, text: str) -> None:
    failure = failure_of(new_assembler(), octets)

    assert isinstance(failure, FrameError)
    assert text == failure.text
    assert (0, 0) == (failure.class_id, failure.method_id)


def test_frame_that_is_too_large_is_known_by_its_head() -> None:
    assert 501 == failure_of(new_assembler(), b"\x01\x00\x00\x00\x00\x10\x01").reply_code


def test_frame_as_large_as_may_be_is_taken() -> None:
    octets = b"".join(content_frames(1, GET_OK, NO_PROPERTIES, b"x" * 5000))

    assert 1 == len(assemble(new_assembler(), octets))


@pytest.mark.parametrize(
    ("octets", "text", "method"),
    [
        (header_frame(0, 1), "type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,1,0,0>>", (0, 0)),
        (body_frame(0, b"abc"), 'type 3, all octets = <<"abc">>', (0, 0)),
        (frame(8, 1, b""), "type 8, all octets = <<>>", (0, 0)),
        (header_frame(1, 1), "expected method frame, got non method frame instead", (0, 0)),
        (body_frame(1, b""), "expected method frame, got non method frame instead", (0, 0)),
        (
            method_frame(1, PUBLISH) + method_frame(1, ACK),
            "expected content header for class 60, got non content header frame instead",
            (60, 40),
        ),
        (
            method_frame(1, PUBLISH) + body_frame(1, b"a"),
            "expected content header for class 60, got non content header frame instead",
            (60, 40),
        ),
        (
            method_frame(1, PUBLISH) + header_frame(1, 1, class_id=50),
            "expected content header for class 60, got one for class 50 instead",
            (60, 40),
        ),
        (
            method_frame(1, GET_OK) + header_frame(1, 1) + header_frame(1, 1),
            "expected content body, got non content body frame instead",
            (60, 71),
        ),
        (
            method_frame(1, GET_OK) + header_frame(1, 1) + method_frame(1, ACK),
            "expected content body, got non content body frame instead",
            (60, 71),
        ),
    ],
)
def test_frame_out_of_place_is_unexpected(
    octets: bytes, text: str, method: tuple[int, int]
) -> None:
    failure = failure_of(new_assembler(), octets)

    assert isinstance(failure, UnexpectedFrame)
    assert text == failure.text
    assert (failure.class_id, failure.method_id) == method


def test_content_header_with_a_weight_is_refused() -> None:
    octets = method_frame(1, PUBLISH) + header_frame(1, 1, weight=1) + body_frame(1, b"a")

    assert isinstance(failure_of(new_assembler(), octets), UnexpectedFrame)


@pytest.mark.parametrize("size", [0, 11, 12, 13])
@pytest.mark.parametrize("parameters", [PUBLISH, DELIVER, GET_OK], ids=lambda p: type(p).__name__)
def test_content_header_without_all_its_fields_is_a_frame_error(
    parameters: tuple[object, ...], size: int
) -> None:
    header = frame(2, 1, (b"\x00\x3c" + bytes(9) + b"\x01" + bytes(2))[:size])

    failure = failure_of(
        new_assembler(), method_frame(1, parameters) + header + body_frame(1, b"a")
    )

    assert isinstance(failure, FrameError)
    assert failure.text.endswith(": unknown_frame")


@pytest.mark.parametrize("parameters", [PUBLISH, DELIVER, GET_OK], ids=lambda p: type(p).__name__)
def test_body_that_is_longer_than_announced_is_never_complete(
    parameters: tuple[object, ...],
) -> None:
    """As in RabbitMQ (3.10, 4.0); the fault is what comes next on the channel."""
    assembler = new_assembler()
    octets = method_frame(1, parameters) + header_frame(1, 2) + body_frame(1, b"abc") * 2

    commands = assemble(assembler, octets + method_frame(2, ACK))

    assert [Command(2, ACK, None, None)] == commands
    failure = failure_of(assembler, method_frame(1, ACK))
    assert isinstance(failure, UnexpectedFrame)
    assert "expected content body, got non content body frame instead" == failure.text


@pytest.mark.parametrize("parameters", [PUBLISH, DELIVER, GET_OK], ids=lambda p: type(p).__name__)
def test_body_that_is_longer_than_announced_is_a_frame_error_where_sizes_are_checked(
    parameters: tuple[object, ...],
) -> None:
    """As in RabbitMQ 4.3."""
    assembler = new_assembler(checks_body_sizes=True)

    failure = failure_of(
        assembler, method_frame(1, parameters) + header_frame(1, 2) + body_frame(1, b"abc")
    )

    assert isinstance(failure, FrameError)
    assert "content body frame exceeds remaining content size" == failure.text
    assert (failure.class_id, failure.method_id) == method_of(parameters).id


@pytest.mark.parametrize("parameters", [PUBLISH, DELIVER, GET_OK], ids=lambda p: type(p).__name__)
def test_body_announced_with_more_than_512_mib_is_a_frame_error_where_sizes_are_checked(
    parameters: tuple[object, ...],
) -> None:
    """As in RabbitMQ 4.3."""
    assembler = new_assembler(checks_body_sizes=True)

    failure = failure_of(
        assembler, method_frame(1, parameters) + header_frame(1, MAX_ANNOUNCED_SIZE + 1)
    )

    assert isinstance(failure, FrameError)
    assert "content body size 536870913 exceeds maximum allowed size 536870912" == failure.text
    assert (failure.class_id, failure.method_id) == method_of(parameters).id


def test_body_announced_with_512_mib_is_only_too_large() -> None:
    assembler = new_assembler(checks_body_sizes=True)

    commands = assemble(assembler, method_frame(1, PUBLISH) + header_frame(1, MAX_ANNOUNCED_SIZE))

    assert OversizedContent(PUBLISH, MAX_ANNOUNCED_SIZE, 1 << 20) == commands[0].parameters


def test_body_far_longer_than_announced_costs_no_memory() -> None:
    assembler = new_assembler()
    assemble(assembler, method_frame(1, PUBLISH) + header_frame(1, 2))
    chunk = body_frame(1, b"x" * 4000)

    assert peak_of(assembler, chunk, times=500) < 50_000


@pytest.mark.parametrize("parameters", [PUBLISH, DELIVER, GET_OK], ids=lambda p: type(p).__name__)
def test_content_header_larger_than_a_frame_may_be_is_a_frame_error(
    parameters: tuple[object, ...],
) -> None:
    """In the second content, too: the first one of a read is looked at more closely."""
    good = b"".join(content_frames(1, parameters, NO_PROPERTIES, b"abc"))
    long = b"".join(content_frames(1, parameters, b"\x00\x00" + bytes(5000), b"abc"))

    failure = failure_of(new_assembler(), good + long)

    assert "type 2, all octets = <<>>: {frame_too_large,5014,4088}" == failure.text


def test_method_that_does_not_exist_is_unknown() -> None:
    failure = failure_of(new_assembler(), frame(1, 1, bytes((0, 60, 0, 99))))

    assert isinstance(failure, UnknownMethod)
    assert "unknown method 99 of class 60" == failure.text
    assert (60, 99) == (failure.class_id, failure.method_id)


@pytest.mark.parametrize("octets", [method_frame(1, ACK), frame(1, 1, b"\x00\x3c\x00\x63")])
def test_method_on_a_channel_is_unexpected_before_there_are_channels(octets: bytes) -> None:
    failure = failure_of(new_assembler(takes_channels=False), octets)

    assert isinstance(failure, UnexpectedFrame)
    assert failure.text.startswith("type 1, all octets = <<0,60,0,")


def test_contents_are_unexpected_before_there_are_channels() -> None:
    octets = b"".join(content_frames(1, PUBLISH, NO_PROPERTIES, b"abc"))

    failure = failure_of(new_assembler(takes_channels=False), octets)

    assert isinstance(failure, UnexpectedFrame)


def test_arguments_that_cannot_be_decoded_are_told_with_their_method() -> None:
    failure = failure_of(new_assembler(), frame(1, 1, b"\x00\x3c\x00\x50abc"))

    assert 'cannot decode <<"abc">>' == failure.text
    assert (60, 80) == (failure.class_id, failure.method_id)


def test_arguments_on_channel_0_that_cannot_be_decoded_are_rabbitmqs_internal_error() -> None:
    failure = failure_of(new_assembler(), frame(1, 0, b"\x00\x0a\x00\x3cabc"))

    assert isinstance(failure, InternalError)
    assert "INTERNAL_ERROR" == failure.reply_text
    assert 'cannot decode <<"abc">>' == failure.text


def test_string_on_channel_0_that_is_not_utf_8_is_told_with_its_method() -> None:
    failure = failure_of(new_assembler(), frame(1, 0, b"\x00\x0a\x00\x28\x01\xff\x00\x00"))

    assert isinstance(failure, FrameError)
    assert "Malformed UTF-8 in shortstr" == failure.text
    assert (10, 40) == (failure.class_id, failure.method_id)


@pytest.mark.parametrize("parameters", [PUBLISH, DELIVER, GET_OK], ids=lambda p: type(p).__name__)
def test_method_with_content_on_channel_0_is_given_for_its_receiver_to_refuse(
    parameters: tuple[object, ...],
) -> None:
    assembler = new_assembler()
    commands: list[ammoo_wire.Command] = []
    read(assembler, b"".join(content_frames(0, parameters, NO_PROPERTIES, b"abc")))

    assert assembler.assemble(commands) is True

    assert [Command(0, parameters, None, None)] == commands


def test_good_commands_in_front_of_a_fault_are_given() -> None:
    assembler = new_assembler()
    read(assembler, method_frame(1, ACK) + method_frame(2, ACK) + frame(9, 0, b""))
    commands: list[ammoo_wire.Command] = []

    with pytest.raises(FrameError):
        assembler.assemble(commands)

    assert [1, 2] == [channel_number for channel_number, *_ in commands]


# --- sizes ---


@pytest.mark.parametrize("parameters", [PUBLISH, DELIVER, GET_OK], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("cut", [False, True])
def test_body_above_the_limit_is_told_and_dropped(
    parameters: tuple[object, ...], cut: bool
) -> None:
    assembler = new_assembler(max_body_size=10)
    octets = b"".join(content_frames(1, parameters, NO_PROPERTIES, b"x" * 11))
    pieces = one_by_one(octets) if cut else [octets]

    commands = assemble(assembler, *pieces, method_frame(1, ACK))

    assert [
        Command(1, OversizedContent(parameters, 11, 10), None, None),
        Command(1, ACK, None, None),
    ] == commands


@pytest.mark.parametrize("parameters", [PUBLISH, DELIVER, GET_OK], ids=lambda p: type(p).__name__)
def test_body_as_large_as_the_limit_is_taken(parameters: tuple[object, ...]) -> None:
    assembler = new_assembler(max_body_size=10)

    (command,) = assemble(
        assembler, b"".join(content_frames(1, parameters, NO_PROPERTIES, b"x" * 10))
    )

    assert command.body == bytearray(b"x" * 10)


def test_body_of_2_to_the_63_is_told_at_once() -> None:
    commands = assemble(new_assembler(), method_frame(1, PUBLISH) + header_frame(1, 1 << 63))

    assert OversizedContent(PUBLISH, 1 << 63, 1 << 20) == commands[0].parameters


@pytest.mark.parametrize("frame_max", [0, 131072])
def test_frames_larger_than_the_buffer_are_taken(frame_max: int) -> None:
    body = bytes(range(256)) * 2000
    octets = b"".join(
        content_frames(1, DELIVER, NO_PROPERTIES, body, frame_max=frame_max or 1 << 20)
    )

    (command,) = assemble(new_assembler(frame_max=frame_max), octets)

    assert command.body == bytearray(body)


@pytest.mark.parametrize(
    "octets",
    [
        b"\x01\x00\x01\x80\x00\x00\x00" + b"\x00\x3c\x00\x28",
        method_frame(1, PUBLISH) + header_frame(1, (1 << 20) - 1) + body_frame(1, b"abc"),
        method_frame(1, PUBLISH) + header_frame(1, 1 << 63) + body_frame(1, b"abc"),
    ],
    ids=["frame-2-GiB", "body-1-MiB", "body-2-to-the-63"],
)
def test_announced_sizes_cost_no_memory(octets: bytes) -> None:
    assemble(new_assembler(), b"".join(content_frames(1, PUBLISH, NO_PROPERTIES, b"")))

    assert peak_of(new_assembler(frame_max=0), octets) < 100_000


def test_table_announced_with_2_gib_costs_no_memory() -> None:
    payload = b"\x00\x32\x00\x0a" + bytes(3) + b"\x00" + b"\x7f\xff\xff\xff"
    failure_of(new_assembler(), frame(1, 1, payload))
    assembler = new_assembler(frame_max=0)
    with traced() as memory:
        failure_of(assembler, frame(1, 1, payload))

    assert memory.peak < 100_000


def test_dropped_bodies_cost_no_memory() -> None:
    assembler = new_assembler(max_body_size=10)
    assemble(assembler, method_frame(1, PUBLISH) + header_frame(1, 1 << 40))
    chunk = body_frame(1, b"x" * 4000)

    assert peak_of(assembler, chunk, times=500) < 50_000


def test_buffer_follows_what_was_received_and_not_what_was_announced() -> None:
    assembler = new_assembler(frame_max=0)
    read(assembler, b"\x03\x00\x01\x7f\xff\xff\xff" + bytes(100))

    assert 0 < len(assembler.get_buffer()) <= 65536


def test_buffer_gives_room_whatever_stands_in_it() -> None:
    assembler = new_assembler(frame_max=0)
    read(assembler, b"\x03\x00\x01\x7f\xff\xff\xff")

    def room() -> int:
        size = len(assembler.get_buffer())
        read(assembler, bytes(20_000))
        return size

    assert min(room() for _ in range(40)) >= 32768 - 20_000 > 0


def test_methods_are_found_behind_a_frame_that_filled_the_buffer() -> None:
    assembler = new_assembler(frame_max=0)
    octets = b"".join(content_frames(1, GET_OK, NO_PROPERTIES, b"x" * 300_000, frame_max=1 << 20))

    first = assemble(assembler, octets[:250_000], octets[250_000:])
    second = assemble(assembler, method_frame(1, ChannelOpenParameters()))

    assert len(first) == len(second) == 1


def test_table_as_deep_as_a_frame_can_hold_is_taken() -> None:
    payload = b"\x00\x32\x00\x0a" + bytes(4) + nested_tables((131_072 - 100) // 6)

    (command,) = assemble(new_assembler(frame_max=131_072), frame(1, 1, payload))

    assert payload == encode_method(command.parameters)
