"""Short strings, timestamps, and the types that remember what a value was on the wire."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_wire import EncodeError, Timestamp
from ammoo_wire.fields import encode_short_string, encode_timestamp, timestamp_from_wire
from tests.wire import strategies


@given(strategies.short_strings)
def test_short_string_is_its_octets_behind_their_number(value: str) -> None:
    octets = value.encode()

    assert encode_short_string(value, "name") == bytes((len(octets),)) + octets


@given(st.binary(max_size=255))
def test_short_string_may_be_any_octets(octets: bytes) -> None:
    value = octets.decode(errors="surrogateescape")

    assert encode_short_string(value, "name") == bytes((len(octets),)) + octets


def test_short_string_says_how_long_it_may_be() -> None:
    with pytest.raises(EncodeError) as caught:
        encode_short_string("ö" * 128, "routing_key")

    assert str(caught.value) == (
        "routing_key is 256 bytes long in UTF-8; a shortstr holds at most 255: " + repr("ö" * 128)
    )


@pytest.mark.parametrize("value", [b"bytes", 5, None, 1.5])
def test_short_string_must_be_a_str(value: object) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_short_string(value, "routing_key")

    assert f"routing_key is {value!r}; expected a str" == str(caught.value)


def test_short_string_refuses_surrogates_that_are_no_octets() -> None:
    with pytest.raises(EncodeError) as caught:
        encode_short_string("a\ud800", "routing_key")

    assert r"routing_key cannot be encoded as UTF-8: 'a\ud800'" == str(caught.value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC), 1_000_000_000),
        (datetime(2001, 9, 9, 1, 46, 40, 999_999, tzinfo=UTC), 1_000_000_000),
        (datetime(2001, 9, 9, 1, 46, 40), 1_000_000_000),
        (datetime(2001, 9, 9, 3, 46, 40, tzinfo=timezone(timedelta(hours=2))), 1_000_000_000),
        (datetime.max, 253402300799),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))), 253402304399),
        (7, 7),
        (Timestamp((1 << 64) - 1), (1 << 64) - 1),
    ],
    ids=["epoch", "aware", "cut", "naive", "zone", "last", "beyond", "int", "largest"],
)
def test_timestamp_counts_seconds(value: datetime | int, seconds: int) -> None:
    assert seconds == encode_timestamp(value, "timestamp")


@pytest.mark.parametrize(
    "value",
    [datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), datetime.min, -1, 1 << 64, Timestamp(-1)],
)
def test_timestamp_out_of_range_is_refused(value: datetime | int) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_timestamp(value, "timestamp")

    assert (
        f"timestamp is {value!r}; a timestamp counts the seconds since 1970-01-01 in 64 bits,"
        " without a sign"
    ) == (str(caught.value))


@pytest.mark.parametrize("value", [True, 1.5, "now", None])
def test_timestamp_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_timestamp(value, "timestamp")

    expected = "a datetime, or the seconds since 1970 as an int"
    assert f"timestamp is {value!r}; expected {expected}" == str(caught.value)


@given(strategies.unsigned[64])
def test_timestamp_from_wire_gives_every_second_back(seconds: int) -> None:
    assert seconds == encode_timestamp(timestamp_from_wire(seconds), "timestamp")


def test_timestamp_from_wire_is_a_datetime_up_to_the_year_9999() -> None:
    last = timestamp_from_wire(253402300799)
    first_beyond = timestamp_from_wire(253402300800)

    assert last == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert type(first_beyond) is Timestamp
    assert 253402300800 == first_beyond
