"""Field tables: that what goes in comes out, that what comes out goes in again, and the errors.

pamqp is the foreign oracle. It cannot represent all of it: its floats are of 32 bits, it takes
no bytes but a bytearray, it makes an integer as narrow as it will go, it reads decimals as
unsigned, and takes a timestamp above the year 2106 for milliseconds.
"""

import decimal
import math
import struct
import sys
from collections import OrderedDict, UserList
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import reduce
from types import MappingProxyType
from typing import Any

import pamqp.decode
import pamqp.encode
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ammoo_wire import (
    EncodedValue,
    EncodeError,
    FieldTable,
    FieldType,
    FieldValue,
    Float32,
    FrameError,
    FrameType,
    Int8,
    Int16,
    Int64,
    InternalError,
    LongString,
    ProtocolError,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
    decode_table,
    encode_table,
    field_type,
)
from tests.wire import strategies

MOMENT = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


def nested(value: FieldValue, depth: int) -> FieldValue:
    """Put a value into arrays within arrays."""
    for _ in range(depth):
        value = [value]
    return value


def innermost_of(table: FieldTable, depth: int) -> FieldTable:
    """Take the innermost of tables within tables."""
    for _ in range(depth - 1):
        table = table[""]
    return table


def around(array: list[Any]) -> list[list[Any]]:
    """Take what stands around the inner array, for each level."""
    found = []
    while array:
        found.append(array[::2])
        array = array[1]
    return found


def sized(octets: bytes) -> bytes:
    """Put their size in front of octets."""
    return struct.pack(">I", len(octets)) + octets


def cut_short(letter: bytes, depth: int) -> bytes:
    """Make tables or arrays within each other, the innermost of which lacks an octet."""
    name = {b"F": b"\x00", b"A": b""}[letter]
    inner = name + letter + b"\x00\x00\x00\x02" + b"V"
    for _ in range(depth):
        inner = name + letter + sized(inner)
    return sized(inner) if letter == b"F" else table_of(inner)


def fault_of(octets: bytes) -> str:
    """Give the fault that octets are as a table."""
    with pytest.raises(FrameError) as caught:
        decode_table(octets)
    return str(caught.value)


# One of each type, with its octets: the letter and what is behind it.
SAMPLES: list[tuple[FieldValue, FieldType, bytes]] = [
    ("ö", FieldType.LONGSTR, b"S\x00\x00\x00\x02\xc3\xb6"),
    (LongString(b"\xff"), FieldType.LONGSTR, b"S\x00\x00\x00\x01\xff"),
    (-1, FieldType.SIGNEDINT, b"I\xff\xff\xff\xff"),
    (0x7FFF_FFFF, FieldType.SIGNEDINT, b"I\x7f\xff\xff\xff"),
    (0x8000_0000, FieldType.LONG, b"l\x00\x00\x00\x00\x80\x00\x00\x00"),
    (-0x8000_0001, FieldType.LONG, b"l\xff\xff\xff\xff\x7f\xff\xff\xff"),
    (Int64(1), FieldType.LONG, b"l\x00\x00\x00\x00\x00\x00\x00\x01"),
    (Int8(-1), FieldType.BYTE, b"b\xff"),
    (UInt8(255), FieldType.UNSIGNEDBYTE, b"B\xff"),
    (Int16(-2), FieldType.SHORT, b"s\xff\xfe"),
    (UInt16(65535), FieldType.UNSIGNEDSHORT, b"u\xff\xff"),
    (UInt32(0xFFFF_FFFF), FieldType.UNSIGNEDINT, b"i\xff\xff\xff\xff"),
    (True, FieldType.BOOL, b"t\x01"),
    (False, FieldType.BOOL, b"t\x00"),
    (1.5, FieldType.DOUBLE, b"d\x3f\xf8\x00\x00\x00\x00\x00\x00"),
    (Float32(1.5), FieldType.FLOAT, b"f\x3f\xc0\x00\x00"),
    (Decimal("-1.23"), FieldType.DECIMAL, b"D\x02\xff\xff\xff\x85"),
    (datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), FieldType.TIMESTAMP, b"T" + bytes(7) + b"\x01"),
    (Timestamp((1 << 64) - 1), FieldType.TIMESTAMP, b"T" + b"\xff" * 8),
    (b"\x00\xff", FieldType.BINARY, b"x\x00\x00\x00\x02\x00\xff"),
    (None, FieldType.VOID, b"V"),
    ({"a": None}, FieldType.TABLE, b"F\x00\x00\x00\x03\x01aV"),
    ({}, FieldType.TABLE, b"F\x00\x00\x00\x00"),
    ([None, True], FieldType.ARRAY, b"A\x00\x00\x00\x03Vt\x01"),
    ([], FieldType.ARRAY, b"A\x00\x00\x00\x00"),
]
IDS = [f"{value!r}" for value, _, _ in SAMPLES]


def table_of(value: bytes, name: bytes = b"\x01k") -> bytes:
    """Make the octets of a table that holds one value, given as letter and octets."""
    return struct.pack(">I", len(name) + len(value)) + name + value


def with_types(value: Any) -> Any:
    """Show the type of every part of a value, for 1, True, 1.0 and Int8(1) are equal."""
    if isinstance(value, dict):
        return {name: with_types(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_types(inner) for inner in value]
    return type(value), str(value) if isinstance(value, Decimal) else value


# --- values and octets ---


@pytest.mark.parametrize(("value", "kind", "octets"), SAMPLES, ids=IDS)
def test_value_is_written_as_its_type_says(
    value: FieldValue, kind: FieldType, octets: bytes
) -> None:
    assert encode_table({"k": value}) == table_of(octets)


@pytest.mark.parametrize(("value", "kind", "octets"), SAMPLES, ids=IDS)
def test_value_is_read_as_it_was_written(value: FieldValue, kind: FieldType, octets: bytes) -> None:
    assert with_types(decode_table(table_of(octets))) == with_types({"k": value})


@pytest.mark.parametrize(("value", "kind", "octets"), SAMPLES, ids=IDS)
def test_field_type_tells_what_is_written(
    value: FieldValue, kind: FieldType, octets: bytes
) -> None:
    assert field_type(value) is kind


@given(strategies.tables)
def test_decoding_what_was_encoded_gives_the_same_values(table: FieldTable) -> None:
    assert with_types(decode_table(encode_table(table))) == with_types(table)


@given(strategies.tables)
def test_encoding_what_was_decoded_gives_the_same_octets(table: FieldTable) -> None:
    octets = encode_table(table)

    assert octets == encode_table(decode_table(octets))


@pytest.mark.parametrize(
    ("octets", "value"),
    [(b"L" + bytes(7) + b"\x01", Int64(1)), (b"t\x02", True)],
    ids=["L", "bool-2"],
)
def test_what_rabbitmq_reads_otherwise_too_is_read(octets: bytes, value: FieldValue) -> None:
    assert with_types(decode_table(table_of(octets))) == with_types({"k": value})


def test_a_name_that_comes_twice_keeps_its_last_value() -> None:
    assert {"k": True} == decode_table(b"\x00\x00\x00\x08\x01kt\x00\x01kt\x01")


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_of_32_bits_comes_out_the_same(value: float) -> None:
    octets = table_of(b"f" + struct.pack(">f", value))

    assert octets == encode_table(decode_table(octets))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float_of_64_bits_comes_out_the_same(value: float) -> None:
    octets = table_of(b"d" + struct.pack(">d", value))

    assert octets == encode_table(decode_table(octets))


@pytest.mark.parametrize("value", [-0.0, 5e-324, sys.float_info.max])
def test_extreme_floats_come_out_the_same(value: float) -> None:
    (decoded,) = decode_table(encode_table({"k": value})).values()

    assert math.copysign(1, decoded) == math.copysign(1, value)
    assert decoded == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", [float, Float32])
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda value: value, "['k']"),
        (lambda value: [1, {"a": value}], "['k'][1]['a']"),
        (lambda value: {"deep": nested(value, 50)}, "['k']['deep']" + "[0]" * 50),
    ],
    ids=["plain", "inner", "deep"],
)
def test_float_that_is_not_finite_is_refused_where_it_stands(
    value: float, kind: type[float], wrap: Callable[[float], Any], path: str
) -> None:
    """RabbitMQ (3.10, 4.0, 4.3) fails to parse it, and closes the connection with 541."""
    with pytest.raises(EncodeError) as caught:
        encode_table({"k": wrap(kind(value))})

    assert (
        f"table{path} is {value}; a number in a field table must be finite: RabbitMQ reads no other"
        == (str(caught.value))
    )


@pytest.mark.parametrize("letter", ["d", "f"])
def test_float_that_is_not_finite_is_read_all_the_same(letter: str) -> None:
    """An onlooker wants to see what a peer has sent."""
    octets = letter.encode() + struct.pack(f">{letter}", math.nan)

    assert math.isnan(decode_table(table_of(octets))["k"])


@given(st.text(st.characters(categories=["Cs"])))
def test_string_of_surrogates_goes_out_as_octets_or_is_refused(value: str) -> None:
    with suppress(EncodeError):
        octets = encode_table({"k": value})

        assert {"k": value.encode(errors="surrogateescape") or ""} == decode_table(octets)


def test_surrogates_that_stand_for_octets_become_a_long_string() -> None:
    assert {"k": (LongString, b"a\xff")} == with_types(decode_table(encode_table({"k": "a\udcff"})))


def test_long_string_in_an_array_that_is_not_utf8_stays_one() -> None:
    value: list[Any] = [LongString(b"a\xff"), "b"]

    decoded = decode_table(encode_table({"k": value}))["k"]

    assert [(LongString, b"a\xff"), (str, "b")] == with_types(decoded)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (bytearray(b"ab"), b"x\x00\x00\x00\x02ab"),
        (memoryview(b"ab"), b"x\x00\x00\x00\x02ab"),
        (memoryview(b"abcd").cast("H"), b"x\x00\x00\x00\x04abcd"),
        ((True,), b"A\x00\x00\x00\x02t\x01"),
        (UserList([True]), b"A\x00\x00\x00\x02t\x01"),
        (range(1), b"A\x00\x00\x00\x05I\x00\x00\x00\x00"),
        (OrderedDict(a=None), b"F\x00\x00\x00\x03\x01aV"),
        (MappingProxyType({"a": None}), b"F\x00\x00\x00\x03\x01aV"),
        (FrameType.METHOD, b"I\x00\x00\x00\x01"),
        (FieldType.LONGSTR, b"S\x00\x00\x00\x01S"),
        (datetime(1970, 1, 1, 0, 0, 1), b"T" + bytes(7) + b"\x01"),
        (type("Price", (Decimal,), {})("0"), b"D\x00\x00\x00\x00\x00"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_relatives_of_the_natural_types_are_written_as_those(
    value: FieldValue, octets: bytes
) -> None:
    assert encode_table({"k": value}) == table_of(octets)
    assert field_type(value).encode() == octets[:1]


def test_table_itself_may_be_any_mapping() -> None:
    assert encode_table(MappingProxyType({"k": True})) == table_of(b"t\x01")


def test_table_may_be_read_from_a_bytearray() -> None:
    table = decode_table(bytearray(table_of(b"x\x00\x00\x00\x01a")))

    assert {"k": (bytes, b"a")} == with_types(table)


# --- decimals ---


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        ("0", b"\x00\x00\x00\x00\x00"),
        ("-0", b"\x00\x00\x00\x00\x00"),
        ("0.00", b"\x02\x00\x00\x00\x00"),
        ("1.10", b"\x02\x00\x00\x00\x6e"),
        ("2147483647", b"\x00\x7f\xff\xff\xff"),
        ("-2147483648", b"\x00\x80\x00\x00\x00"),
        ("1E+9", b"\x00\x3b\x9a\xca\x00"),
        ("0E+999999", b"\x00\x00\x00\x00\x00"),
        ("1E-255", b"\xff\x00\x00\x00\x01"),
    ],
)
def test_decimal_is_written_as_places_and_digits(value: str, octets: bytes) -> None:
    encoded = encode_table({"k": Decimal(value)})

    assert encoded == table_of(b"D" + octets)
    assert Decimal(value) == decode_table(encoded)["k"]


def test_decimal_keeps_its_places() -> None:
    assert "1.100" == str(decode_table(encode_table({"k": Decimal("1.100")}))["k"])


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_decimal_must_be_finite(value: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_table({"k": Decimal(value)})

    assert (
        f"table['k'] is Decimal('{value}'); a number in a field table must be finite:"
        " RabbitMQ reads no other"
    ) == (str(caught.value))


@pytest.mark.parametrize(
    "value",
    [
        "2147483648",
        "-2147483649",
        "1E+10",
        "1E+999999",
        "1E-256",
        "0E-256",
        "1" * 5000,
        "0." + "1" * 5000,
    ],
)
def test_decimal_must_fit(value: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_table({"k": Decimal(value)})

    assert str(caught.value).startswith(f"table['k'] is Decimal('{value[:200]}")
    assert str(caught.value).endswith(
        "; a decimal has at most 255 places and, without its point, 32 bits with its sign"
    )


@given(strategies.signed[32], strategies.unsigned[8])
@example(12345, 2)
def test_decimal_does_not_depend_on_the_context(unscaled: int, places: int) -> None:
    octets = table_of(b"D" + struct.pack(">Bi", places, unscaled))
    narrow = decimal.Context(prec=2, Emin=-1, Emax=1, traps=[decimal.Inexact, decimal.Underflow])

    with decimal.localcontext(narrow):
        table = decode_table(octets)
        again = encode_table(table)

    assert -places == table["k"].as_tuple().exponent
    assert again == octets


def test_decimal_need_not_have_been_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "decimal")

    table: Any = {"k": object()}

    with pytest.raises(EncodeError, match="a field table holds None, bool"):
        encode_table(table)


# --- what cannot be encoded ---

EXPECTED = (
    "a field table holds None, bool, int, float, str, bytes, Decimal, datetime, mappings and"
    " sequences of these"
)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"k": 1 + 2j}, f"table['k'] is (1+2j), of type complex; {EXPECTED}"),
        ({"k": {"l": [1, {2}]}}, f"table['k']['l'][1] is {{2}}, of type set; {EXPECTED}"),
        (
            {"k": 1 << 63},
            (
                "table['k'] is 9223372036854775808; an integer in a field table has at most 64 bits"
                " with its sign"
            ),
        ),
        (
            {"k": [-(1 << 63) - 1]},
            (
                "table['k'][0] is -9223372036854775809; an integer in a field table has at most 64"
                " bits with its sign"
            ),
        ),
        ({"k": Int8(128)}, "table['k'] is 128; expected a signed 8-bit integer"),
        ({"k": UInt8(-1)}, "table['k'] is -1; expected an unsigned 8-bit integer"),
        ({"k": Int16(32768)}, "table['k'] is 32768; expected a signed 16-bit integer"),
        ({"k": UInt16(65536)}, "table['k'] is 65536; expected an unsigned 16-bit integer"),
        ({"k": UInt32(-1)}, "table['k'] is -1; expected an unsigned 32-bit integer"),
        (
            {"k": Int64(1 << 63)},
            "table['k'] is 9223372036854775808; expected a signed 64-bit integer",
        ),
        ({"k": Float32(1e300)}, "table['k'] is 1e+300; expected a float of 32 bits"),
        (
            {"k": datetime(1969, 1, 1, tzinfo=UTC)},
            (
                f"table['k'] is {datetime(1969, 1, 1, tzinfo=UTC)!r}; a timestamp counts the seconds"
                " since 1970-01-01 in 64 bits, without a sign"
            ),
        ),
        ({"k": "a\ud800"}, r"table['k'] cannot be encoded as UTF-8: 'a\ud800'"),
        ({1: "v"}, "table has a name that is 1; expected a str"),
        ({"k": {None: "v"}}, "table['k'] has a name that is None; expected a str"),
        (
            {"n" * 256: 1},
            "table has a name that is 256 bytes long in UTF-8; a shortstr holds at most 255: "
            + repr("n" * 256),
        ),
        ([("k", 1)], "table is [('k', 1)]; expected a mapping of str to field values"),
        ("text", "table is 'text'; expected a mapping of str to field values"),
        ([], "table is []; expected a mapping of str to field values"),
        (None, "table is None; expected a mapping of str to field values"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_encoded_is_named_with_its_place(table: Any, text: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_table(table)

    assert text == str(caught.value)


def test_table_may_be_called_by_another_name() -> None:
    with pytest.raises(EncodeError) as caught:
        encode_table({"k": UInt8(-1)}, "arguments")

    assert "arguments['k'] is -1; expected an unsigned 8-bit integer" == str(caught.value)


@pytest.mark.parametrize("value", [10**5000, [10**5000], Int8(10**5000)], ids=["int", "in", "Int8"])
def test_integer_too_large_to_print_is_refused_all_the_same(value: FieldValue) -> None:
    """Python itself raises ValueError for the repr of so many digits."""
    with pytest.raises(
        EncodeError, match=r"^table\['k'\].* is a value of type .*nt.* too large to print; "
    ):
        encode_table({"k": value})


def test_value_is_shown_cut_short_if_it_is_long() -> None:
    table: Any = {"k": {"x" * 100_000}}

    with pytest.raises(EncodeError) as caught:
        encode_table(table)

    assert len(str(caught.value)) < 1000


def test_field_type_of_what_is_none_is_refused() -> None:
    value: Any = {1}

    with pytest.raises(EncodeError, match=r"^the value is \{1\}, of type set; a field table holds"):
        field_type(value)


class Unruly(Mapping[str, Any]):
    """A mapping whose own code fails."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(["k"])

    def __len__(self) -> int:
        return 1


def test_error_of_the_callers_own_mapping_is_left_alone() -> None:
    with pytest.raises(RuntimeError):
        encode_table(Unruly())


def test_more_names_are_encoded_than_are_remembered() -> None:
    names = [f"name {number}" for number in range(2000)]
    table = dict.fromkeys(names, True)

    assert table == decode_table(encode_table(table))
    assert table == decode_table(encode_table(table))


# --- nesting ---


def tables_nested(depth: int, innermost: FieldTable) -> FieldTable:
    """Make tables of which each but the innermost holds the next."""
    table = innermost
    for _ in range(depth - 1):
        table = {"": table}
    return table


def octets_nested(depth: int, letters: bytes = b"F", names: bytes = b"\x00") -> bytes:
    """Make the octets of a table that holds empty ones, one within the other."""
    octets = b""
    for _ in range(depth - 1):
        octets = names + letters + struct.pack(">I", len(octets)) + octets
    return struct.pack(">I", len(octets)) + octets


def depth_of(table: FieldTable) -> int:
    """Count the tables within each other; Python does not compare very deep ones."""
    depth = 1
    while list(table) == [""]:
        table, depth = table[""], depth + 1
    return depth


DEPTHS = [30, 31, 32, 33, 34, 128, 129, 20_000]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(
    "innermost",
    [{}, {"k": 1}, {"k": []}, {"a": 1, "b": [1, [2, {"c": "d"}]], "e": {}, "f": "g"}],
    ids=["empty", "value", "array", "many"],
)
def test_tables_round_trip_however_deep(innermost: FieldTable, depth: int) -> None:
    table = tables_nested(depth, innermost)

    octets = encode_table(table)

    decoded = decode_table(octets)
    assert octets == encode_table(decoded)
    assert depth == depth_of(decoded)
    assert innermost == innermost_of(decoded, depth)


@pytest.mark.parametrize("depth", DEPTHS)
def test_tables_have_the_same_octets_however_deep(depth: int) -> None:
    octets = octets_nested(depth)

    assert octets == encode_table(tables_nested(depth, {}))
    assert octets == encode_table(decode_table(octets))


@pytest.mark.parametrize("depth", DEPTHS)
def test_arrays_round_trip_however_deep(depth: int) -> None:
    array: list[Any] = reduce(lambda inner, number: [number, inner, None], range(depth), [])

    octets = encode_table({"k": array})

    decoded = decode_table(octets)
    assert octets == encode_table(decoded)
    assert [[number, None] for number in reversed(range(depth))] == around(decoded["k"])


def test_the_same_table_twice_is_fine_however_deep() -> None:
    twice = {"k": 1}
    table = tables_nested(100, {"a": twice, "b": [twice, twice]})

    decoded = decode_table(encode_table(table))

    assert decoded == table


def test_array_that_holds_itself_is_not_encoded() -> None:
    array: list[Any] = []
    array.append(array)

    with pytest.raises(EncodeError, match=r"^table\['k'\](\[0\])+ holds itself$"):
        encode_table({"k": array})


def test_table_that_holds_itself_is_not_encoded() -> None:
    table: dict[str, Any] = {"a": 1}
    table["b"] = {"c": table}

    with pytest.raises(EncodeError, match=r"^table\['b'\]\['c'\].* holds itself$"):
        encode_table(table)


@pytest.mark.parametrize(
    ("innermost", "complaint"),
    [
        ({"k": 1 << 63}, r"\['k'\] is 9223372036854775808; an integer in"),
        ({"k": [0, 1 << 63]}, r"\['k'\]\[1\] is 9223372036854775808; an integer in"),
        ({"k": object()}, r"\['k'\] is <object object at"),
        ({"k": 1, 5: 2}, r"\[''\] has a name that is 5; expected a str"),
    ],
)
def test_path_to_a_bad_value_is_told_however_deep(innermost: Any, complaint: str) -> None:
    with pytest.raises(EncodeError, match=rf"^table(\[''\])+{complaint}"):
        encode_table(tables_nested(40, innermost))


def test_very_long_path_is_cut() -> None:
    with pytest.raises(EncodeError, match=r"…(.*)\['k'\] is 9223372036854775808; ") as caught:
        encode_table(tables_nested(20_000, {"k": 1 << 63}))

    assert len(str(caught.value)) < 500


def test_too_deep_to_be_printed_is_told_by_its_type() -> None:
    class Bottomless:
        def __repr__(self) -> str:  # as lists do that are nested deeply, from where differs
            raise RecursionError

    with pytest.raises(EncodeError, match=r"^table\['k'\] is a value of type Bottomless too large"):
        encode_table({"k": Bottomless()})  # type: ignore[dict-item]  # the mistake is the point


@pytest.mark.parametrize("depth", [33, 2_000])
@pytest.mark.parametrize("letters", [b"F", b"A"], ids=["table", "array"])
def test_deep_table_cut_short_is_no_table(depth: int, letters: bytes) -> None:
    octets = cut_short(letters, depth)

    with pytest.raises(FrameError, match="a field table is cut short"):
        decode_table(octets)


@pytest.mark.parametrize("value", [b"\x09kV", b"\x01k", b"\x01k?", b"\x01kt", b"\x01kF\x00\x00"])
@pytest.mark.parametrize("depth", [2, 40])
def test_deep_table_with_a_bad_field_is_no_table(depth: int, value: bytes) -> None:
    octets = reduce(lambda inner, _: b"\x00F" + sized(inner), range(depth), value)

    with pytest.raises(ProtocolError):
        decode_table(struct.pack(">I", len(octets)) + octets)


@given(strategies.field_values, st.integers(1, 40))
def test_what_is_deep_is_coded_as_what_is_shallow(value: FieldValue, depth: int) -> None:
    shallow = encode_table({"": value})

    octets = encode_table(tables_nested(depth, {"": value}))

    assert octets.endswith(shallow[4:])
    assert len(octets) == len(shallow) + 6 * (depth - 1)
    assert shallow == encode_table(innermost_of(decode_table(octets), depth))


# --- what cannot be decoded ---


@pytest.mark.parametrize(("value", "kind", "octets"), SAMPLES, ids=IDS)
def test_value_cut_short_is_no_table(value: FieldValue, kind: FieldType, octets: bytes) -> None:
    whole = table_of(octets)

    cuts = [whole[:end] for end in range(len(whole))]

    assert ["FRAME_ERROR - a field table is cut short"] * len(cuts) == list(map(fault_of, cuts))


@pytest.mark.parametrize(("value", "kind", "octets"), SAMPLES, ids=IDS)
def test_value_that_goes_on_behind_its_table_is_no_table(
    value: FieldValue, kind: FieldType, octets: bytes
) -> None:
    """The octets are there, but they are not the table's."""
    lies = [struct.pack(">I", size) + b"\x01k" + octets for size in range(1, len(octets) + 2)]

    assert [] == [lie for lie in lies if not fault_of(lie).startswith("FRAME_ERROR")]


@pytest.mark.parametrize("octets", [b"", b"ab", b"abc"])
def test_string_that_goes_on_behind_its_array_is_no_table(octets: bytes) -> None:
    array = b"S\x00\x00\x00\x04" + octets

    with pytest.raises(FrameError, match="a field table is cut short"):
        decode_table(table_of(b"A" + struct.pack(">I", len(array)) + array + b"\x01kt\x01"))


def test_name_without_a_value_is_cut_short_whatever_follows() -> None:
    with pytest.raises(FrameError, match="a field table is cut short"):
        decode_table(b"\x00\x00\x00\x02\x01k" + b"?")


def test_octets_behind_a_table_are_refused() -> None:
    with pytest.raises(FrameError) as caught:
        decode_table(b"\x00\x00\x00\x00ab")

    assert "2 octets follow a field table; expected none" == caught.value.text


@pytest.mark.parametrize("letter", [b"?", b"\xff", b"\x00", b"U"])
def test_value_of_an_unknown_type_is_refused(letter: bytes) -> None:
    with pytest.raises(InternalError) as caught:
        decode_table(table_of(letter + bytes(8)))

    assert f"a field table holds a value of the unknown type {chr(letter[0])!r}" == (
        caught.value.text
    )


@pytest.mark.parametrize("letter", [b"S", b"x", b"F", b"A"])
def test_size_of_four_gib_is_cut_short(letter: bytes) -> None:
    with pytest.raises(FrameError, match="a field table is cut short"):
        decode_table(table_of(letter + b"\xff\xff\xff\xff"))


@given(st.binary(max_size=100) | strategies.tables.map(encode_table).flatmap(strategies.mutated))
def test_any_octets_make_a_table_or_a_protocol_error(octets: bytes) -> None:
    with suppress(ProtocolError):
        again = encode_table(decode_table(octets))

        assert again == encode_table(decode_table(again))


# --- the foreign oracle ---

pamqp_values = st.recursive(
    st.none()
    | st.booleans()
    | strategies.signed[64]
    | st.floats(width=32, allow_nan=False, allow_infinity=False)
    | strategies.text
    | st.binary(max_size=20).map(bytearray)
    | st.datetimes(datetime(1970, 1, 1), datetime(2106, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    )
    | st.decimals(min_value=0, max_value=20_000_000, places=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(strategies.names, inner, max_size=3)
    ),
    max_leaves=8,
)
pamqp_tables = st.dictionaries(strategies.names, pamqp_values, max_size=4)


@given(pamqp_tables)
def test_table_written_by_pamqp_is_read_the_same(table: FieldTable) -> None:
    assert table == decode_table(pamqp.encode.field_table(table))


@given(pamqp_tables)
def test_table_is_read_the_same_by_pamqp(table: FieldTable) -> None:
    octets = encode_table(table)

    assert (len(octets), table) == pamqp.decode.field_table(octets)


def test_value_that_is_encoded_already_is_written_as_it_is() -> None:
    encoded = EncodedValue(b"A\x00\x00\x00\x05I\x00\x00\x00\x07")

    table = encode_table({"a": encoded, "b": [encoded]})

    assert {"a": [7], "b": [[7]]} == decode_table(table)
