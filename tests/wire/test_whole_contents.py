"""The fast path of receiving must make the very commands that the general path makes.

Octets that arrive frame by frame never take the fast path, for it wants three frames at once.
"""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ammoo_wire
from ammoo_wire import (
    NO_PROPERTIES,
    BasicAckParameters,
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicNackParameters,
    BasicPublishParameters,
    BasicReturnParameters,
    Parameters,
    ProtocolError,
)
from ammoo_wire.incoming_frames import CommandAssembler
from ammoo_wire.whole_contents import WholeContents
from tests.support.commands import Command, named
from tests.support.memory import traced
from tests.wire import strategies
from tests.wire.peers import HEARTBEAT, body_frame, content_frames, header_frame, method_frame
from tests.wire.test_incoming_frames import new_assembler, read

DELIVER = BasicDeliverParameters("tag", 1, False, "e", "k")
PUBLISH = BasicPublishParameters("e", "k")
GET_OK = BasicGetOkParameters(1, False, "e", "k", 5)
RETURN = BasicReturnParameters(312, "NO_ROUTE", "e", "k")
ALL = pytest.mark.parametrize(
    "parameters",
    [DELIVER, PUBLISH, GET_OK, RETURN],
    ids=lambda parameters: type(parameters).__name__,
)


def outcome(assembler: CommandAssembler, pieces: list[bytes]) -> tuple[list[Command], str]:
    """Give the commands that octets make, and the fault that ends them if one does."""
    commands: list[ammoo_wire.Command] = []
    try:
        for piece in pieces:
            read(assembler, piece)
            while assembler.assemble(commands):
                pass
    except ProtocolError as error:
        return named(commands), f"{error.reply_code.name} - {error.text}"
    return named(commands), ""


def frames_with(parameters: Parameters, body: bytes = b"abc") -> list[bytes]:
    return content_frames(1, parameters, NO_PROPERTIES, body)


@ALL
def test_whole_content_is_a_command_with_parts_of_its_own(parameters: Parameters) -> None:
    assembler = new_assembler()

    (command,), _ = outcome(assembler, [b"".join(frames_with(parameters))])
    read(assembler, b"\xff" * 100)

    assert command == Command(1, parameters, NO_PROPERTIES, bytearray(b"abc"))
    assert [type(part) for part in command] == [int, type(parameters), bytes, bytearray]


shapes = st.builds(
    lambda number, parameters, properties, body: content_frames(
        number, parameters, b"\x00\x00" + properties, body
    ),
    number=st.sampled_from((1, 2, 65535)),
    parameters=st.builds(
        BasicDeliverParameters,
        consumer_tag=strategies.names,
        delivery_tag=strategies.unsigned[64],
        redelivered=st.booleans(),
        exchange_name=strategies.names,
        routing_key=strategies.names,
    )
    | st.builds(
        BasicPublishParameters,
        exchange_name=strategies.names,
        routing_key=strategies.names,
        mandatory=st.booleans(),
        immediate=st.booleans(),
    )
    | st.builds(
        BasicGetOkParameters,
        delivery_tag=strategies.unsigned[64],
        redelivered=st.booleans(),
        exchange_name=strategies.names,
        routing_key=strategies.names,
        message_count=strategies.unsigned[32],
    )
    | st.builds(
        BasicReturnParameters,
        reply_code=strategies.unsigned[16],
        reply_text=strategies.names,
        exchange_name=strategies.names,
        routing_key=strategies.names,
    ),
    properties=st.binary(max_size=10),
    body=st.binary(max_size=20),
)
acks = st.builds(
    lambda number, tag, multiple: [method_frame(number, BasicAckParameters(tag, multiple))],
    number=st.sampled_from((1, 2, 65535)),
    tag=strategies.unsigned[64],
    multiple=st.booleans(),
)
commands_of_all_kinds = st.lists(shapes | acks | st.just([HEARTBEAT]), max_size=8)


@given(commands_of_all_kinds)
def test_any_contents_are_the_same_on_both_paths(contents: list[list[bytes]]) -> None:
    frames = [frame for content in contents for frame in content]

    expected = outcome(new_assembler(), frames)

    assert expected == outcome(new_assembler(), [b"".join(frames)])


@given(st.data(), st.lists(shapes | acks, min_size=1, max_size=4))
def test_any_fault_is_the_same_on_both_paths(
    data: st.DataObject, contents: list[list[bytes]]
) -> None:
    octets = data.draw(
        strategies.mutated(b"".join(frame for content in contents for frame in content))
    )
    one_by_one = [bytes((octet,)) for octet in octets]

    expected = outcome(new_assembler(max_body_size=15), one_by_one)

    assert expected == outcome(new_assembler(max_body_size=15), [octets])


def paths_differ(octets: bytes) -> bool:
    """Tell whether the fast path makes something else of octets than the general one."""
    frame_by_frame = [octets[i : i + 1] for i in range(len(octets))]
    return outcome(new_assembler(), [octets]) != outcome(new_assembler(), frame_by_frame)


@ALL
@pytest.mark.parametrize("octet", [0x00, 0x01, 0xFF])
def test_every_octet_of_a_content_is_looked_at(parameters: Parameters, octet: int) -> None:
    """A good content goes first, so that the shape of the second is known."""
    good = b"".join(frames_with(parameters))

    overlooked = [
        place
        for place in range(len(good))
        if paths_differ(good + good[:place] + bytes((octet,)) + good[place + 1 :] + good)
    ]

    assert [] == overlooked


@pytest.mark.parametrize("octet", [0x00, 0x02, 0xFF])
def test_every_octet_of_an_ack_is_looked_at(octet: int) -> None:
    good = method_frame(1, BasicAckParameters(1, True))

    overlooked = [
        place
        for place in range(len(good))
        if paths_differ(good + good[:place] + bytes((octet,)) + good[place + 1 :] + good)
    ]

    assert [] == overlooked


@ALL
def test_empty_body_frame_behind_an_empty_content_is_a_fault(parameters: Parameters) -> None:
    """A content without a body ends with its header."""
    good, empty = b"".join(frames_with(parameters)), b"".join(frames_with(parameters, b""))

    commands, fault = outcome(new_assembler(), [good + empty + body_frame(1, b"")])

    assert [command.body for command in commands] == [bytearray(b"abc"), bytearray()]
    assert "expected method frame, got non method frame" in fault


@ALL
def test_contents_of_many_channels_and_header_sizes_take_turns(parameters: Parameters) -> None:
    frames = [
        frame
        for number in range(1, 50)
        for frame in content_frames(number, parameters, bytes(number % 5 + 2), b"abc")
    ]

    commands, fault = outcome(new_assembler(), [b"".join(frames)])

    assert [command.channel_number for command in commands] == list(range(1, 50))
    assert [len(command.properties or b"") for command in commands] == [
        number % 5 + 2 for number in range(1, 50)
    ]
    assert "" == fault


@ALL
def test_content_may_end_with_what_was_read_or_one_octet_later(parameters: Parameters) -> None:
    octets = b"".join(frames_with(parameters)) * 3
    expected = [Command(1, parameters, NO_PROPERTIES, bytearray(b"abc"))] * 3

    cuts = [[octets[:cut], octets[cut:]] for cut in range(len(octets) + 1)]

    assert [] == [cut for cut in cuts if (expected, "") != outcome(new_assembler(), cut)]


@ALL
def test_content_may_begin_where_the_buffer_ends(parameters: Parameters) -> None:
    """The shape is known by then, and reaches beyond the buffer."""
    last = b"".join(frames_with(parameters))
    room = len(new_assembler().get_buffer())
    large = room - len(last + b"".join(frames_with(parameters, b"")) + body_frame(1, b""))

    def sizes_of_bodies(size: int) -> list[int]:
        contents = content_frames(1, parameters, NO_PROPERTIES, b"x" * size, frame_max=room)
        octets = b"".join([last, *contents, last])
        commands, _ = outcome(new_assembler(frame_max=0), [octets[:room], octets[room:]])
        return [len(command.body or b"") for command in commands]

    sizes = [large - cut for cut in range(len(last))]
    assert [[3, size, 3] for size in sizes] == list(map(sizes_of_bodies, sizes))


def test_consumer_tag_that_is_larger_than_its_method_is_a_fault() -> None:
    good = b"".join(frames_with(DELIVER))
    bad = good[:11] + b"\x14" + good[12:]

    commands, fault = outcome(new_assembler(), [bad])

    assert [] == commands
    assert "cannot decode" in fault


@ALL
def test_contents_on_a_channel_with_one_under_way_are_faults(parameters: Parameters) -> None:
    octets = method_frame(1, parameters) + b"".join(frames_with(parameters))

    commands, fault = outcome(new_assembler(), [octets])

    assert [] == commands
    assert "expected content header for class 60, got non content header frame" in fault


@ALL
def test_contents_between_the_frames_of_another_channels_are_taken(parameters: Parameters) -> None:
    octets = (
        method_frame(2, parameters)
        + b"".join(frames_with(parameters))
        + header_frame(2, 1)
        + b"".join(frames_with(parameters))
        + body_frame(2, b"x")
    )

    commands, fault = outcome(new_assembler(), [octets])

    assert [1, 1, 2] == [command.channel_number for command in commands]
    assert "" == fault


@pytest.mark.parametrize(
    "make",
    [
        lambda name: BasicPublishParameters("", name),
        lambda name: BasicDeliverParameters("tag", 1, False, "", name),
        lambda name: BasicDeliverParameters(name, 1, False, "", "q"),
        lambda name: BasicGetOkParameters(1, False, "", name, 0),
        lambda name: BasicReturnParameters(312, "NO_ROUTE", "", name),
    ],
    ids=["published-names", "delivered-names", "tags", "got-names", "returned-names"],
)
def test_what_is_remembered_of_the_peers_choices_is_bounded(
    make: Callable[[str], Parameters],
) -> None:
    """All of 3000 names and 3000 shapes would take some 4 MB."""
    assembler = new_assembler()

    def is_received(number: int) -> bool:
        name, properties = f"{number:0{number % 49 + 200}}", bytes(number % 60 + 2)
        frames = content_frames(number % 999 + 1, make(name), properties, b"abc")
        return outcome(assembler, [b"".join(frames)])[0][0].parameters == make(name)

    with traced() as memory:
        are_received = all(map(is_received, range(3000)))

    assert are_received
    assert memory.held < 2_000_000


# --- what is taken at once ---
#
# Whatever the fast path leaves is made by the general path, so commands alone do not tell whether
# it works. Two of its comparisons cannot be told from outside at all, for they save time and no
# more: whether a shape is looked up again for a key that is the same (the look-up finds the same
# one), and whether the shape of a header that has not come whole is learned (the content is left
# for the octets that are to come, in either case).


def taken(*frames: bytes) -> tuple[int, int]:
    """Give how many octets the fast path takes of frames, and how many commands these are."""
    octets = bytearray(b"".join(frames))
    commands: list[ammoo_wire.Command] = []
    ids = int.from_bytes(octets[7:11])
    stop = WholeContents().take(ids, octets + bytes(4), 0, len(octets), 4096, commands)
    return stop, len(commands)


def test_acks_are_taken_at_once_whatever_their_channels() -> None:
    acks = [
        method_frame(number, BasicAckParameters(tag, tag == 3))
        for number, tag in ((1, 1), (1, 2), (65535, 3), (1, 4))
    ]

    assert (len(b"".join(acks)), 4) == taken(*acks)


@pytest.mark.parametrize(
    "other",
    [
        method_frame(1, BasicNackParameters(1)),
        method_frame(0, BasicAckParameters(1)),
        method_frame(1, BasicAckParameters(1))[:-1] + b"\x00",
        b"\x03" + method_frame(1, BasicAckParameters(1))[1:],
        method_frame(1, BasicAckParameters(1))[:-1],
    ],
    ids=["nack", "channel 0", "end", "type", "cut"],
)
def test_acks_are_taken_up_to_what_is_none(other: bytes) -> None:
    ack = method_frame(1, BasicAckParameters(1))

    assert (2 * len(ack), 2) == taken(ack, ack, other, ack)


@ALL
def test_contents_are_taken_at_once(parameters: Parameters) -> None:
    frames = frames_with(parameters) * 3

    assert (len(b"".join(frames)), 3) == taken(*frames)


def test_contents_of_other_shapes_and_channels_are_taken_at_once() -> None:
    contents = [
        content_frames(1, DELIVER, NO_PROPERTIES, b"abc"),
        content_frames(2, DELIVER._replace(consumer_tag="another"), NO_PROPERTIES, b"abc"),
        content_frames(2, PUBLISH, b"\x08\x00\x05", b"abcd"),
        content_frames(1, DELIVER, b"\x08\x00\x05", b"abc"),
        content_frames(1, DELIVER, NO_PROPERTIES, b"abc"),
        content_frames(1, GET_OK, NO_PROPERTIES, b"abc"),
    ]
    frames = [frame for content in contents for frame in content]

    assert (len(b"".join(frames)), 6) == taken(*frames)


@ALL
@pytest.mark.parametrize("missing", [1, 2, 8, 11, 12, 20, 30])
def test_content_that_is_cut_is_left_for_later(parameters: Parameters, missing: int) -> None:
    whole = b"".join(frames_with(parameters))

    assert (len(whole), 1) == taken(whole, whole[:-missing])


def test_acks_behind_contents_are_left_for_the_general_path() -> None:
    content = b"".join(frames_with(DELIVER))

    assert (len(content), 1) == taken(content, method_frame(1, BasicAckParameters(1)))
