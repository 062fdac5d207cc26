"""What Hypothesis draws: field values, a method's arguments, properties, streams of commands.

Everything here is valid AMQP; the tests make it invalid where they need that.
"""

from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st

from ammoo_wire import (
    BasicHeaderProperties,
    FieldTable,
    Float32,
    Int8,
    Int16,
    Int64,
    LongString,
    Method,
    Parameters,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
    encode_properties,
    methods,
)
from ammoo_wire.fields import WireType
from tests.support.commands import Command
from tests.wire.peers import content_frames, method_frame

ALL_METHODS = methods()

few_examples = settings(max_examples=settings().max_examples // 6)
"""For a test that is parametrised over all methods."""

text = st.text(max_size=30)
short_strings = st.text(max_size=255).map(lambda s: s.encode()[:255].decode(errors="ignore"))
names = st.text(max_size=20)
unsigned = {bits: st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32, 64)}
signed = {bits: st.integers(-1 << (bits - 1), (1 << (bits - 1)) - 1) for bits in (8, 16, 32, 64)}

moments = st.datetimes(
    min_value=datetime(1970, 1, 1),
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))
timestamps = moments | st.integers(253402300800, (1 << 64) - 1).map(Timestamp)


def _decimal(unscaled: int, places: int) -> Decimal:
    return Decimal((int(unscaled < 0), tuple(map(int, str(abs(unscaled)))), -places))


decimals = st.builds(_decimal, signed[32], unsigned[8])
not_utf8 = st.binary(max_size=20).map(lambda octets: LongString(octets + b"\xff"))
typed_numbers = st.one_of(
    signed[8].map(Int8),
    unsigned[8].map(UInt8),
    signed[16].map(Int16),
    unsigned[16].map(UInt16),
    unsigned[32].map(UInt32),
    signed[32].map(Int64),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(Float32),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    signed[32],
    signed[64],
    st.floats(allow_nan=False, allow_infinity=False),
    text,
    st.binary(max_size=30),
    timestamps,
    decimals,
    not_utf8,
    typed_numbers,
)
field_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
tables: st.SearchStrategy[FieldTable] = st.dictionaries(names, field_values, max_size=5)

_ARGUMENTS: dict[WireType, st.SearchStrategy[Any]] = {
    WireType.SHORTSTR: short_strings,
    WireType.LONGSTR: st.binary(max_size=300),
    WireType.OCTET: unsigned[8],
    WireType.SHORT: unsigned[16],
    WireType.LONG: unsigned[32],
    WireType.LONGLONG: unsigned[64],
    WireType.BIT: st.booleans(),
    WireType.TABLE: tables,
}


def parameters_of(method: Method) -> st.SearchStrategy[Parameters]:
    """Draw a method's arguments."""
    arguments = {name: _ARGUMENTS[wire_type] for name, wire_type in method.fields}
    return st.builds(method.parameters, **arguments)


properties = st.builds(
    BasicHeaderProperties,
    content_type=st.none() | short_strings,
    content_encoding=st.none() | short_strings,
    headers=st.none() | tables,
    delivery_mode=st.none() | unsigned[8],
    priority=st.none() | unsigned[8],
    correlation_id=st.none() | short_strings,
    reply_to=st.none() | short_strings,
    expiration=st.none() | short_strings,
    message_id=st.none() | short_strings,
    timestamp=st.none() | timestamps,
    type_=st.none() | short_strings,
    user_id=st.none() | short_strings,
    app_id=st.none() | short_strings,
    cluster_id=st.none() | short_strings,
)

body_sizes = st.integers(0, 50) | st.integers(0, 50_000)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a body; its size is drawn, and not each of its octets."""
    pattern = draw(st.binary(min_size=1, max_size=7))
    size = draw(body_sizes)
    return (pattern * (size // len(pattern) + 1))[:size]


class Stream(NamedTuple):
    """Octets, and the commands that they make."""

    octets: bytes
    commands: list[Command]


@st.composite
def commands(draw: st.DrawFn, channel_number: int) -> Command:
    """Draw a command."""
    method = draw(st.sampled_from(ALL_METHODS))
    parameters = draw(parameters_of(method))
    if not method.has_content:
        return Command(channel_number, parameters, None, None)
    encoded = encode_properties(draw(properties))
    return Command(channel_number, parameters, encoded, bytearray(draw(bodies())))


@st.composite
def streams(draw: st.DrawFn, frame_max: int = 4096) -> Stream:
    """Draw commands on several channels, their frames in any order that keeps each channel's."""
    frames: dict[int, deque[tuple[bytes, Command | None]]] = {}
    for channel_number in draw(st.lists(st.integers(1, 65535), max_size=3, unique=True)):
        queue = frames[channel_number] = deque()
        for command in draw(st.lists(commands(channel_number), max_size=4)):
            *others, last = _frames_of(command, frame_max)
            queue.extend((frame, None) for frame in others)
            queue.append((last, command))
    order = draw(st.permutations([number for number, queue in frames.items() for _ in queue]))
    merged = [frames[channel_number].popleft() for channel_number in order]
    return Stream(
        b"".join(frame for frame, _ in merged),
        [command for _, command in merged if command is not None],
    )


def _frames_of(command: Command, frame_max: int) -> list[bytes]:
    if command.body is None or command.properties is None:
        return [method_frame(command.channel_number, command.parameters)]
    return content_frames(
        command.channel_number,
        command.parameters,
        command.properties,
        bytes(command.body),
        frame_max=frame_max,
    )


@st.composite
def cuts(draw: st.DrawFn, octets: bytes) -> list[bytes]:
    """Cut octets into pieces, none of them empty."""
    places = sorted(draw(st.sets(st.integers(1, max(len(octets) - 1, 1)), max_size=12)))
    edges = [0, *places, len(octets)]
    pieces = [octets[start:stop] for start, stop in pairwise(edges)]
    return [piece for piece in pieces if piece]


@st.composite
def mutated(draw: st.DrawFn, octets: bytes) -> bytes:
    """Change, drop or insert a few octets."""
    changed = bytearray(octets)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(changed)))
        length = draw(st.integers(0, 4))
        changed[place : place + length] = draw(st.binary(max_size=4))
    return bytes(changed)


plausible_frames = st.builds(
    lambda kind, number, payload, end: (
        bytes((kind,)) + number.to_bytes(2) + len(payload).to_bytes(4) + payload + end
    ),
    kind=st.sampled_from((1, 1, 1, 2, 3, 8, 4)),
    number=st.sampled_from((0, 0, 1, 1, 2, 65535)),
    payload=st.builds(
        lambda method, rest: method.class_id.to_bytes(2) + method.method_id.to_bytes(2) + rest,
        st.sampled_from(ALL_METHODS),
        st.binary(max_size=40),
    )
    | st.binary(max_size=40),
    end=st.sampled_from((b"\xce", b"\xce", b"\xce", b"\xce", b"\x00", b"")),
)
garbage = st.binary(max_size=200) | st.lists(plausible_frames, max_size=6).map(b"".join)
