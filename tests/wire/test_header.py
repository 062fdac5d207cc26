"""Properties: how they are written into a content header, and read from one.

pamqp, the foreign oracle, leaves an empty string out and has no cluster_id; with tables it has
the differences that test_tables states.
"""

from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pamqp.commands
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_wire import (
    NO_PROPERTIES,
    BasicHeaderProperties,
    EncodeError,
    FieldTable,
    FrameError,
    InternalError,
    PropertyFlag,
    ProtocolError,
    Timestamp,
    WireSyntaxError,
    decode_properties,
    encode_properties,
    encode_property_values,
)
from tests.support.memory import traced
from tests.wire import strategies
from tests.wire.test_tables import pamqp_tables

MOMENT = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)

# Each property by itself: its flag and its octets.
SAMPLES: list[tuple[str, Any, PropertyFlag, bytes]] = [
    ("content_type", "a/b", PropertyFlag.CONTENT_TYPE, b"\x03a/b"),
    ("content_encoding", "gzip", PropertyFlag.CONTENT_ENCODING, b"\x04gzip"),
    ("headers", {"a": True}, PropertyFlag.HEADERS, b"\x00\x00\x00\x04\x01at\x01"),
    ("delivery_mode", 2, PropertyFlag.DELIVERY_MODE, b"\x02"),
    ("priority", 255, PropertyFlag.PRIORITY, b"\xff"),
    ("correlation_id", "c", PropertyFlag.CORRELATION_ID, b"\x01c"),
    ("reply_to", "r", PropertyFlag.REPLY_TO, b"\x01r"),
    ("expiration", "1000", PropertyFlag.EXPIRATION, b"\x041000"),
    ("message_id", "m", PropertyFlag.MESSAGE_ID, b"\x01m"),
    ("timestamp", MOMENT, PropertyFlag.TIMESTAMP, b"\x00\x00\x00\x00\x3b\x9a\xca\x00"),
    ("type_", "t", PropertyFlag.TYPE, b"\x01t"),
    ("user_id", "u", PropertyFlag.USER_ID, b"\x01u"),
    ("app_id", "", PropertyFlag.APP_ID, b"\x00"),
    ("cluster_id", "k", PropertyFlag.CLUSTER_ID, b"\x01k"),
]
IDS = [name for name, _, _, _ in SAMPLES]


def test_fields_are_in_the_documented_order() -> None:
    assert BasicHeaderProperties._fields == tuple(IDS)


def test_flags_are_in_the_order_of_the_fields() -> None:
    assert [flag.value for flag in PropertyFlag] == [0x8000 >> i for i in range(14)]


def test_no_properties_take_their_flags_only() -> None:
    assert encode_properties(BasicHeaderProperties()) == NO_PROPERTIES == b"\x00\x00"
    assert BasicHeaderProperties() == decode_properties(NO_PROPERTIES)


@pytest.mark.parametrize(("name", "value", "flag", "octets"), SAMPLES, ids=IDS)
def test_property_is_written_behind_its_flag(
    name: str, value: Any, flag: PropertyFlag, octets: bytes
) -> None:
    properties = BasicHeaderProperties()._replace(**{name: value})

    assert encode_properties(properties) == flag.to_bytes(2) + octets


@pytest.mark.parametrize(("name", "value", "flag", "octets"), SAMPLES, ids=IDS)
def test_property_is_read_behind_its_flag(
    name: str, value: Any, flag: PropertyFlag, octets: bytes
) -> None:
    properties = decode_properties(flag.to_bytes(2) + octets)

    assert properties == BasicHeaderProperties()._replace(**{name: value})


@pytest.mark.parametrize(("name", "value", "flag", "octets"), SAMPLES, ids=IDS)
def test_property_cut_short_is_a_protocol_error(
    name: str, value: Any, flag: PropertyFlag, octets: bytes
) -> None:
    with pytest.raises((FrameError, WireSyntaxError)):
        decode_properties(flag.to_bytes(2) + octets[:-1])


@given(strategies.properties)
def test_properties_round_trip(properties: BasicHeaderProperties) -> None:
    assert properties == decode_properties(encode_properties(properties))


def test_word_is_written_the_same_again() -> None:
    again = BasicHeaderProperties(content_type="of this test alone")

    assert encode_properties(again) == encode_properties(again)


@given(strategies.properties)
def test_property_values_may_be_given_one_by_one(properties: BasicHeaderProperties) -> None:
    encoded = encode_properties(properties)

    assert encoded == encode_property_values(*properties)
    assert encoded == encode_property_values(**properties._asdict())


def test_properties_are_read_from_a_bytearray_too() -> None:
    properties = BasicHeaderProperties(content_type="a/b", headers={"a": True})

    assert properties == decode_properties(bytearray(encode_properties(properties)))


@given(st.integers(0, 0xFFFF))
def test_any_combination_of_flags_is_read(flags: int) -> None:
    """The last two bits are none."""
    wanted = [(name, octets) for name, _, flag, octets in SAMPLES if flag & flags]

    properties = decode_properties(
        (flags & 0xFFFC).to_bytes(2) + b"".join(octets for _, octets in wanted)
    )

    present = [name for name in IDS if getattr(properties, name) is not None]
    assert present == [name for name, _ in wanted]


@pytest.mark.parametrize("value", [1, {"b": 1}, [1]], ids=["flat", "table", "array"])
def test_headers_of_each_message_are_its_own(value: Any) -> None:
    octets = encode_property_values(headers={"a": value})
    first = decode_properties(octets).headers
    assert first is not None

    first["a"] = first["mine"] = None

    assert {"a": value} == decode_properties(octets).headers


def through_headers(text: str) -> FieldTable | None:
    """Encode a text as a property and in a header, and decode the headers."""
    octets = encode_property_values(content_type=text, headers={"a": text})
    return decode_properties(octets).headers


def test_what_is_remembered_is_bounded() -> None:
    """All of it would take some 4 MB."""
    texts = (f"{number:0200}" for number in range(5000))
    with traced() as memory:
        kept = [text for text in texts if {"a": text} == through_headers(text)]
        count = len(kept)
        del kept

    assert 5000 == count
    assert memory.held < 400_000


def test_large_headers_are_not_remembered() -> None:
    octets = [encode_property_values(headers={"a": f"{n:010000}"}) for n in range(200)]
    with traced() as memory:
        deque(map(decode_properties, octets), maxlen=0)

    assert memory.held < 50_000


def test_timestamp_beyond_datetime_costs_nothing() -> None:
    octets = PropertyFlag.TIMESTAMP.to_bytes(2) + b"\xff" * 8

    properties = decode_properties(octets)

    assert Timestamp((1 << 64) - 1) == properties.timestamp
    assert octets == encode_properties(properties)


def test_string_that_is_not_utf8_goes_out_as_it_came() -> None:
    octets = PropertyFlag.MESSAGE_ID.to_bytes(2) + b"\x03a\xff\xfe"

    assert octets == encode_properties(decode_properties(octets))


# --- errors ---


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("content_type", ["a/b"], "content_type is ['a/b']; expected a str"),
        ("content_type", b"a/b", "content_type is b'a/b'; expected a str"),
        ("headers", [1], "headers is [1]; expected a mapping of str to field values"),
        ("headers", [], "headers is []; expected a mapping of str to field values"),
        (
            "headers",
            {"a": {1}},
            "headers['a'] is {1}, of type set; a field table holds None, bool,",
        ),
        ("delivery_mode", 256, "delivery_mode is 256; expected an integer from 0 to 255"),
        ("priority", -1, "priority is -1; expected an integer from 0 to 255"),
        ("priority", "1", "priority is '1'; expected an integer from 0 to 255"),
        ("expiration", 1000, "expiration is 1000; expected a str"),
        ("timestamp", -1, "timestamp is -1; a timestamp counts the seconds since"),
        ("timestamp", 1.5, "timestamp is 1.5; expected a datetime"),
        ("type_", "t" * 256, "type_ is 256 bytes long in UTF-8; a shortstr holds at most 255"),
        ("app_id", "\ud800", r"app_id cannot be encoded as UTF-8: '\ud800'"),
    ],
)
def test_bad_value_is_named(name: str, value: Any, text: str) -> None:
    properties = BasicHeaderProperties()._replace(**{name: value})

    with pytest.raises(EncodeError) as caught:
        encode_properties(properties)

    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x00", b"\x00\x00x", b"\x00\x01", b"\x00\x02", b"\x10\x00", b"\x20\x00\x00\x00\x00"],
    ids=["none", "half", "more", "continued", "reserved", "no-octet", "no-table"],
)
def test_octets_that_are_no_properties_are_a_frame_error(octets: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        decode_properties(octets)

    assert f"cannot decode the properties of a message, {len(octets)} octets" == (caught.value.text)


def test_header_of_an_unknown_type_is_rabbitmqs_internal_error() -> None:
    with pytest.raises(InternalError):
        decode_properties(b"\x20\x00\x00\x00\x00\x03\x01k?")


def test_string_behind_the_end_is_a_syntax_error() -> None:
    with pytest.raises(WireSyntaxError) as caught:
        decode_properties(b"\x80\x00\x05abc")

    assert "a short string ends behind its frame's payload, at octet 8" == caught.value.text


@given(
    st.binary(max_size=60)
    | strategies.properties.map(encode_properties).flatmap(strategies.mutated)
)
def test_any_octets_make_properties_or_a_protocol_error(octets: bytes) -> None:
    with suppress(ProtocolError):
        again = encode_properties(decode_properties(octets))

        assert again == encode_properties(decode_properties(again))


# --- the foreign oracle ---

some_text = st.none() | strategies.short_strings.filter(bool)
pamqp_properties = st.builds(
    BasicHeaderProperties,
    content_type=some_text,
    content_encoding=some_text,
    headers=st.none() | pamqp_tables,
    delivery_mode=st.none() | st.sampled_from((1, 2)),
    priority=st.none() | strategies.unsigned[8],
    correlation_id=some_text,
    reply_to=some_text,
    expiration=some_text,
    message_id=some_text,
    timestamp=st.none()
    | st.datetimes(datetime(1970, 1, 1), datetime(2106, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    ),
    type_=some_text,
    user_id=some_text,
    app_id=some_text,
    cluster_id=st.none(),
)
PAMQP_NAMES = [name.replace("type_", "message_type") for name in IDS[:-1]]


@given(pamqp_properties)
def test_properties_written_by_pamqp_are_read_the_same(properties: BasicHeaderProperties) -> None:
    arguments: dict[str, Any] = dict(zip(PAMQP_NAMES, properties, strict=False))
    foreign = pamqp.commands.Basic.Properties(**arguments)

    assert properties == decode_properties(foreign.marshal())


@given(pamqp_properties)
def test_properties_are_read_the_same_by_pamqp(properties: BasicHeaderProperties) -> None:
    octets = encode_properties(properties)
    foreign = pamqp.commands.Basic.Properties()

    foreign.unmarshal(int.from_bytes(octets[:2]), octets[2:])

    read = [getattr(foreign, name) for name in PAMQP_NAMES]
    assert read == list(properties[:-1])


class CaseInsensitive(str):
    """A str that is equal to others."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.lower() == other.lower()

    def __hash__(self) -> int:
        return hash(self.lower())


def test_strings_that_equal_others_are_not_taken_for_them() -> None:
    strange = CaseInsensitive("Text/X-STRANGE")
    plain = "text/x-strange"

    encoded = [
        encode_properties(BasicHeaderProperties(content_type=value, headers={value: 1}))
        for value in (strange, plain, strange)
    ]

    assert [True, False, True] == [b"Text/X-STRANGE" in each for each in encoded]
    assert 2 == encoded[1].count(plain.encode())


def test_string_without_a_hash_is_encoded_too() -> None:
    class Unhashable(str):
        __slots__ = ()
        __hash__ = None  # type: ignore[assignment]  # on purpose

    encoded = encode_properties(BasicHeaderProperties(content_type=Unhashable("text/plain")))

    assert "text/plain" == decode_properties(encoded).content_type
