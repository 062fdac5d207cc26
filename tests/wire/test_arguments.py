"""What a caller passes by mistake: refused at once, with its name, and nothing is written.

A value of a type that is nearly right (a subclass, an array, a class in place of its instance)
is either taken for what it is, or refused; never for something else.
"""

from array import array
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from mmap import mmap
from typing import Any

import pytest

from ammoo_wire import (
    DEFAULT_FRAME_MAX,
    NO_PROPERTIES,
    PROTOCOL_HEADER,
    Accepted,
    BasicAckParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    ClientProtocol,
    CommandReader,
    CommandWriter,
    ConnectionSecureParameters,
    ConnectionStartOkParameters,
    ConnectionTuneParameters,
    Conversation,
    EncodedValue,
    EncodeError,
    Float32,
    Frame,
    FrameReader,
    FrameType,
    Heartbeat,
    Int8,
    Int64,
    LongString,
    ProtocolError,
    QueueDeclareParameters,
    ReplyCode,
    ServerProtocol,
    Timestamp,
    decode_properties,
    decode_table,
    encode_command,
    encode_content_header,
    encode_frame,
    encode_heartbeat,
    encode_method,
    encode_properties,
    encode_property_values,
    encode_protocol_header,
    encode_table,
    field_type,
    method_of,
)
from tests.wire.peers import new_client, new_server

PUBLISH = BasicPublishParameters("", "orders")
HUGE = 10**5000  # Python refuses to print it
TABLE = encode_table({"retries": 3, "text": "abc", "inner": {"list": [1, 2]}})


class Index:
    """An integer for Python's own functions, as NumPy's are, and no `int`."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"Index({self.value})"


class NoZone(tzinfo):
    """A time zone that does not say how far from UTC it is."""

    def utcoffset(self, dt: datetime | None) -> None:
        return None

    dst = tzname = utcoffset


class Retries(Int8):
    """A subclass, as a program may make of any of the named types."""


class Token(LongString):
    """See above."""


class Until(Timestamp):
    """See above."""


class Raw(EncodedValue):
    """See above."""


class Ratio(Float32):
    """See above."""


class Count(Int64):
    """See above."""


# --- field tables --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "letter"),
    [
        (Retries(5), "b"),
        (Token(b"abc"), "S"),
        (Until(5), "T"),
        (Raw(b"V"), "V"),
        (Ratio(0.5), "f"),
        (Count(5), "l"),
    ],
)
def test_subclass_of_a_named_type_goes_out_as_that_type(value: Any, letter: str) -> None:
    assert letter == field_type(value)
    assert letter == chr(encode_table({"k": value})[6])


def test_object_that_says_it_is_a_string_goes_out_as_one() -> None:
    """As the lazy strings of web frameworks do."""

    class Lazy:
        __class__ = str  # type: ignore[assignment]  # is the point

        def encode(self) -> bytes:
            return b"abc"

    value: Any = Lazy()
    assert encode_table({"k": "abc"}) == encode_table({"k": value})


@pytest.mark.parametrize("octets", [b"", b"Zabc"])
def test_type_of_octets_that_are_no_value_is_refused(octets: bytes) -> None:
    with pytest.raises(EncodeError, match=r"^the value is b'.*expected the letter of a FieldType$"):
        field_type(EncodedValue(octets))


def test_datetime_of_a_zone_without_an_offset_means_utc() -> None:
    moment = datetime(2026, 11, 28, 12, tzinfo=NoZone())

    encoded = encode_property_values(timestamp=moment)

    assert datetime(2026, 11, 28, 12, tzinfo=UTC) == decode_properties(encoded).timestamp


# --- octets that are decoded ---------------------------------------------------------------


def test_table_is_decoded_from_a_memoryview() -> None:
    assert decode_table(TABLE) == decode_table(memoryview(TABLE))


def test_table_is_decoded_from_mapped_memory() -> None:
    with mmap(-1, len(TABLE)) as mapped:
        mapped[:] = TABLE

        assert decode_table(TABLE) == decode_table(mapped)  # type: ignore[arg-type]  # works too


def test_properties_are_decoded_from_a_memoryview() -> None:
    encoded = encode_property_values(content_type="text/plain", headers={"k": "v"})

    assert decode_properties(encoded) == decode_properties(memoryview(encoded))


@pytest.mark.parametrize(
    "parameters",
    [
        QueueDeclareParameters("orders", durable=True, arguments={"x-max-length": 1000}),
        ConnectionSecureParameters(b"a challenge"),
        BasicAckParameters(7, True),
    ],
)
def test_method_is_decoded_from_a_memoryview(parameters: Any) -> None:
    octets = memoryview(b"??" + encode_method(parameters) + b"!!")

    assert parameters == method_of(parameters).decode(octets, 6, len(octets) - 2)


def test_method_that_is_cut_short_in_a_memoryview_is_the_peers_fault() -> None:
    with pytest.raises(ProtocolError, match=r"basic\.ack: its 3 octets"):
        method_of(BasicAckParameters).decode(memoryview(b"abc"), 0, 3)


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2]])
@pytest.mark.parametrize(
    "decode",
    [decode_table, decode_properties, CommandReader().receive_data],
    ids=["table", "properties", "commands"],
)
def test_what_has_no_octets_is_not_decoded(decode: Callable[[Any], object], data: object) -> None:
    with pytest.raises(TypeError, match="a bytes-like object is required"):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        array("b", [8, 0, 0, 0, 0, 0, 0, -50]),
        memoryview(encode_heartbeat()).cast("I"),
        memoryview(encode_heartbeat()).cast("B", (2, 4)),
        memoryview(bytes(each for octet in encode_heartbeat() for each in (octet, 1)))[::2],
    ],
    ids=["signed", "integers", "rows", "every other"],
)
def test_received_octets_may_lie_in_memory_as_they_like(data: Any) -> None:
    reader, client = FrameReader(), new_client()

    assert [Frame(FrameType.HEARTBEAT, 0, b"")] == reader.receive_data(data)
    assert [] == client.receive_data(data)
    assert client.failure is None


# --- frames and commands -------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [array("H", [1, 2]), memoryview(bytes(range(6)))[::2], memoryview(bytes(6)).cast("B", (2, 3))],
    ids=["integers", "every other", "rows"],
)
def test_size_of_a_frame_is_counted_in_octets(payload: Any) -> None:
    octets = memoryview(payload).tobytes()

    assert encode_frame(3, 1, octets) == encode_frame(3, 1, payload)
    assert encode_command(1, PUBLISH, None, octets) == encode_command(1, PUBLISH, None, payload)


@pytest.mark.parametrize(
    "encoded", [bytearray(b"\0\0"), memoryview(b"\0\0")], ids=["array", "view"]
)
def test_content_header_takes_encoded_properties_from_any_octets(encoded: Any) -> None:
    assert encode_content_header(8) == encode_content_header(8, encoded)


@pytest.mark.parametrize(
    ("encode", "text"),
    [
        (lambda: encode_command(1, PUBLISH, None, "text"), "body is of type str; expected bytes"),  # type: ignore[arg-type]  # on purpose
        (lambda: encode_frame(1, 1, 5), "payload is of type int; expected bytes"),  # type: ignore[arg-type]  # on purpose
        (lambda: encode_frame(Index(1), 70000, b""), "channel_number is 70000; expected an"),  # type: ignore[arg-type]  # on purpose
        (lambda: encode_frame(1, 1, b"", end="x"), "end is 'x'; expected an integer from 0"),  # type: ignore[arg-type]  # on purpose
        (lambda: encode_protocol_header(HUGE), "major is a value of type int too large to print"),
        (lambda: encode_content_header(HUGE), "body_size is a value of type int too large"),
        (lambda: encode_content_header(1, {"a": 1}), "properties is {'a': 1}; expected a Basic"),  # type: ignore[arg-type]  # on purpose
        (lambda: encode_properties({"content_type": "a"}), "properties is {'content_type': 'a'}"),  # type: ignore[arg-type]  # on purpose
        (lambda: encode_properties("abc"), "properties is 'abc'; expected a BasicHeaderProp"),  # type: ignore[arg-type]  # on purpose
        (lambda: encode_method(BasicAckParameters), "basic.ack: the parameters are a class or"),  # type: ignore[arg-type]  # on purpose
        (
            lambda: encode_method(tuple.__new__(BasicAckParameters, (7,))),
            "expected an instance of BasicAckParameters with all its fields",
        ),
        (
            lambda: encode_method(ConnectionTuneParameters(Index(1), -1, 0)),  # type: ignore[arg-type]  # on purpose
            "connection.tune: frame_max is -1; expected an integer from 0 to 4294967295",
        ),
        (lambda: encode_command(1, PUBLISH, frame_max=8), "frame_max is 8; expected at least 9"),
        (lambda: encode_command(1, PUBLISH, frame_max=-1), "frame_max is -1; expected a number"),
        (lambda: bytes(Frame(300, 1, b"")), "frame_type is 300; expected an integer from 0 to 255"),
        (lambda: bytes(Frame(1, 70000, b"")), "channel_number is 70000; expected an integer"),
        (lambda: CommandWriter(frame_max=1.5), "frame_max is 1.5; expected a number of octets"),  # type: ignore[arg-type]  # on purpose
        (
            lambda: CommandWriter(frame_max=4096).method(HUGE, b"\0\0\0\0"),
            "channel_number is a value of type int too large to print",
        ),
        (lambda: FrameReader(frame_max=-1), "frame_max is -1; expected a number of octets"),
        (lambda: CommandReader(max_body_size=Decimal(5)), "max_body_size is Decimal('5'); expec"),  # type: ignore[arg-type]  # on purpose
        (lambda: new_client(frame_max="big"), "frame_max is 'big'; expected a number of octets"),
        (lambda: new_client(client_properties=5), "client_properties is 5; expected a mapping"),
        (lambda: new_server(smallest_frame_max="4096"), "smallest_frame_max is '4096'; expe"),
        (lambda: new_server(mechanisms="PLAIN"), "mechanisms is 'PLAIN'; expected a sequence of"),
        (lambda: new_server(mechanisms=[1]), "mechanisms is [1]; expected a sequence of names"),
    ],
)
def test_argument_that_cannot_be_used_is_named(encode: Callable[[], object], text: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode()

    assert text in str(caught.value)


def test_number_may_be_anything_that_python_takes_for_an_integer() -> None:
    channel_number: Any = Index(7)

    assert encode_frame(8, 7, b"") == encode_frame(8, channel_number, b"")


@pytest.mark.parametrize("frame_max", [9, 10, 4096, DEFAULT_FRAME_MAX, 0])
def test_no_body_frame_is_larger_than_asked(frame_max: int) -> None:
    body = bytes(100) * 50

    frames = FrameReader(frame_max=0).receive_data(
        encode_command(1, PUBLISH, None, body, frame_max=frame_max)
    )

    bodies = [
        frame for frame in frames if isinstance(frame, Frame) and FrameType.BODY == frame.type
    ]
    assert body == b"".join(frame.payload for frame in bodies)
    assert max(len(bytes(frame)) for frame in bodies) <= (frame_max or 5008)


@pytest.mark.parametrize("channel_number", [0, 1, 65535])
def test_any_channel_number_of_16_bits_is_written(channel_number: int) -> None:
    (frame,) = FrameReader().receive_data(encode_frame(FrameType.METHOD, channel_number, b"1234"))

    assert channel_number == frame.channel_number


# --- peers ---------------------------------------------------------------------------------


def test_method_with_content_is_not_sent_without_it() -> None:
    client = new_client()
    client.data_to_send()

    with pytest.raises(EncodeError, match=r"^basic\.publish has content, which must follow it"):
        client.send(1, PUBLISH)

    assert b"" == client.data_to_send()


@pytest.mark.parametrize("verdict", [True, None, "guest"])
def test_verdict_on_a_login_is_one_of_three(verdict: Any) -> None:
    start_ok = ConnectionStartOkParameters({}, "PLAIN", b"", "en_US")
    server = new_server(authenticate=lambda mechanism, response: verdict)
    octets = PROTOCOL_HEADER + encode_command(0, start_ok)

    with pytest.raises(TypeError, match=r"^authenticate returned .*; expected Accepted\(\)"):
        server.receive_data(octets)


@pytest.mark.parametrize("option", ["mechanism", "authenticate", "open_virtualhost"])
def test_function_of_a_peer_must_be_one(option: str) -> None:
    functions: dict[str, Any] = {
        "mechanism": lambda start: ("PLAIN", b""),
        "authenticate": lambda mechanism, response: Accepted(),
        "open_virtualhost": lambda virtualhost: None,
    }
    functions[option] = "PLAIN"

    with pytest.raises(TypeError, match=f"^{option} is 'PLAIN'; expected a function$"):
        new_pair(**functions)


def new_pair(mechanism: Any, authenticate: Any, open_virtualhost: Any) -> None:
    """Make a client and a server with these functions."""
    ClientProtocol(mechanism=mechanism, client_properties={})
    ServerProtocol(
        server_properties={},
        mechanisms=["PLAIN"],
        authenticate=authenticate,
        open_virtualhost=open_virtualhost,
    )


def test_peer_of_a_conversation_is_one_of_two() -> None:
    peer: Any = "Client"

    with pytest.raises(ValueError, match=r"^peer is 'Client'; expected 'client' or 'server'$"):
        Conversation().receive_data(peer, encode_heartbeat())


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
def test_heartbeats_need_an_interval(interval: float) -> None:
    with pytest.raises(ValueError, match=r"^interval is .*; expected seconds above 0"):
        Heartbeat(interval, now=0)


def test_reply_code_may_be_a_plain_number() -> None:
    code: Any = 404

    error = ProtocolError(code, "no queue 'orders' in vhost '/'")

    assert ReplyCode.NOT_FOUND is error.reply_code
    assert "NOT_FOUND - no queue 'orders' in vhost '/'" == error.reply_text


def test_writer_cuts_bodies_of_any_items_by_their_octets() -> None:
    body: Any = array("I", range(2000))
    writer = CommandWriter(frame_max=4096)

    writer.content(1, encode_method(PUBLISH), NO_PROPERTIES, body)

    assert encode_command(1, PUBLISH, None, body.tobytes(), frame_max=4096) == writer.take()


def test_properties_of_a_subclass_are_encoded() -> None:
    properties = BasicHeaderProperties(content_type="text/plain")

    assert encode_property_values("text/plain") == encode_properties(properties)
