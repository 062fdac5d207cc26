"""The codec beside three others: every type at its limits, octet for octet.

- amqplib, a client in JavaScript: the vectors that its suite publishes (test/codec.test.js at
  f7503e5, MIT), which were made by RabbitMQ's own generator;
- pamqp: reads what we write;
- RabbitMQ itself: tests/behaviour/test_publishing.py, where a value goes through a broker.

What stands at the end says where encoding does not give the octets that were decoded.
"""

import math
import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pamqp.decode
import pytest

from ammoo_wire import (
    BasicAckParameters,
    BasicConsumeParameters,
    FieldValue,
    Float32,
    Int8,
    Int16,
    Int64,
    LongString,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
    decode_table,
    encode_method,
    encode_table,
    method_of,
)


def sized(octets: bytes | list[int]) -> bytes:
    """Put the size of a table in front of its fields."""
    return len(octets).to_bytes(4) + bytes(octets)


# --- amqplib -------------------------------------------------------------------------------

AMQPLIB = {
    "byte": (Int8(112), [4, 98, 121, 116, 101, 98, 112]),
    "byte max value": (Int8(127), [4, 98, 121, 116, 101, 98, 127]),
    "byte min value": (Int8(-128), [4, 98, 121, 116, 101, 98, 128]),
    "short -129": (Int16(-129), [5, 115, 104, 111, 114, 116, 115, 255, 127]),
    "short 128": (Int16(128), [5, 115, 104, 111, 114, 116, 115, 0, 128]),
    "short max": (Int16(0x7FFF), [5, 115, 104, 111, 114, 116, 115, 127, 255]),
    "short min": (Int16(-0x8000), [5, 115, 104, 111, 114, 116, 115, 128, 0]),
    "int 2^15": (0x8000, [3, 105, 110, 116, 73, 0, 0, 128, 0]),
    "int -2^15-1": (-0x8001, [3, 105, 110, 116, 73, 255, 255, 127, 255]),
    "int max": (0x7FFFFFFF, [3, 105, 110, 116, 73, 127, 255, 255, 255]),
    "int min": (-0x80000000, [3, 105, 110, 116, 73, 128, 0, 0, 0]),
    "long 2^31": (0x80000000, [4, 108, 111, 110, 103, 108, 0, 0, 0, 0, 128, 0, 0, 0]),
    "long -2^31-1": (
        -0x80000001,
        [4, 108, 111, 110, 103, 108, 255, 255, 255, 255, 127, 255, 255, 255],
    ),
    "float value": (0.5, [6, 100, 111, 117, 98, 108, 101, 100, 63, 224, 0, 0, 0, 0, 0, 0]),
    "negative float value": (
        -0.5,
        [6, 100, 111, 117, 98, 108, 101, 100, 191, 224, 0, 0, 0, 0, 0, 0],
    ),
    "string": ("boop", [6, 115, 116, 114, 105, 110, 103, 83, 0, 0, 0, 4, 98, 111, 111, 112]),
    "byte array": (
        b"\x01\x02\x03\x04",
        [5, 98, 121, 116, 101, 115, 120, 0, 0, 0, 4, 1, 2, 3, 4],
    ),
    "true": (True, [4, 98, 111, 111, 108, 116, 1]),
    "false": (False, [4, 98, 111, 111, 108, 116, 0]),
    "null": (None, [4, 118, 111, 105, 100, 86]),
    "array": (
        [Int8(6), True, "foo"],
        [5, 97, 114, 114, 97, 121, 65, 0, 0, 0, 12, 98, 6, 116, 1, 83, 0, 0, 0, 3, 102, 111, 111],
    ),
    "object": (
        {"foo": "bar", "baz": Int8(12)},
        [
            6,
            111,
            98,
            106,
            101,
            99,
            116,
            70,
            0,
            0,
            0,
            18,
            3,
            102,
            111,
            111,
            83,
            0,
            0,
            0,
            3,
            98,
            97,
            114,
            3,
            98,
            97,
            122,
            98,
            12,
        ],
    ),
    "timestamp": (
        Timestamp(1357212277527),
        [9, 116, 105, 109, 101, 115, 116, 97, 109, 112, 84, 0, 0, 1, 60, 0, 39, 219, 23],
    ),
    "decimal": (Decimal("23.45"), [7, 100, 101, 99, 105, 109, 97, 108, 68, 2, 0, 0, 9, 41]),
    "float": (Float32(0.1), [5, 102, 108, 111, 97, 116, 102, 61, 204, 204, 205]),
    "unsignedbyte": (
        UInt8(255),
        [12, 117, 110, 115, 105, 103, 110, 101, 100, 98, 121, 116, 101, 66, 255],
    ),
    "unsignedshort": (
        UInt16(65535),
        [13, 117, 110, 115, 105, 103, 110, 101, 100, 115, 104, 111, 114, 116, 117, 255, 255],
    ),
    "unsignedint": (
        UInt32(4294967295),
        [11, 117, 110, 115, 105, 103, 110, 101, 100, 105, 110, 116, 105, 255, 255, 255, 255],
    ),
}
"""By the vectors' names: the value, and the field as amqplib writes it."""


@pytest.mark.parametrize(("value", "field"), AMQPLIB.values(), ids=AMQPLIB)
def test_amqplibs_vectors_are_written(value: FieldValue, field: list[int]) -> None:
    name = bytes(field[1 : 1 + field[0]]).decode()

    assert encode_table({name: value}) == sized(field)


@pytest.mark.parametrize(("value", "field"), AMQPLIB.values(), ids=AMQPLIB)
def test_amqplibs_vectors_are_read_and_written_again(value: FieldValue, field: list[int]) -> None:
    (decoded,) = decode_table(sized(field)).values()

    assert type(decoded) is type(value)
    assert encode_table(decode_table(sized(field))) == sized(field)


# --- pamqp ---------------------------------------------------------------------------------

LIMITS: list[Any] = [
    Int8(-128),
    Int8(127),
    UInt8(0),
    UInt8(255),
    Int16(-32768),
    Int16(32767),
    UInt16(0),
    UInt16(65535),
    -(1 << 31),
    (1 << 31) - 1,
    UInt32(0),
    UInt32((1 << 32) - 1),
    -(1 << 63),
    (1 << 63) - 1,
    Int64(0),
    True,
    False,
    None,
    Float32(-3.4028234663852886e38),
    Float32(1.401298464324817e-45),
    5e-324,
    1.7976931348623157e308,
    "",
    "x" * 70_000,
    "\U0010ffff",
    b"",
    bytes(range(256)),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC),
    Decimal(0),
    Decimal((1 << 31) - 1),
    Decimal(f"{(1 << 31) - 1}E-255"),
    [],
    {},
    {"n" * 255: None},
]


@pytest.mark.parametrize("value", LIMITS, ids=lambda value: f"{type(value).__name__} {value!r:.20}")
def test_pamqp_reads_each_type_at_its_limits(value: Any) -> None:
    octets = encode_table({"k": value})

    assert (len(octets), {"k": value}) == pamqp.decode.field_table(octets)


@pytest.mark.parametrize(
    "value",
    [*LIMITS, LongString(b"\xff"), Timestamp((1 << 64) - 1), Decimal(f"{-(1 << 31)}E-255")],
    ids=lambda value: f"{type(value).__name__} {value!r:.20}",
)
def test_each_type_comes_out_the_same_at_its_limits(value: Any) -> None:
    octets = encode_table({"k": value})

    assert {"k": value} == decode_table(octets)
    assert octets == encode_table(decode_table(octets))


# --- where the promise ends ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "again"),
    [
        (b"\x01kt\x02", b"\x01kt\x01"),
        (b"\x01kL" + bytes(7) + b"\x01", b"\x01kl" + bytes(7) + b"\x01"),
        (b"\x01kt\x00\x01kt\x01", b"\x01kt\x01"),
    ],
    ids=["bool above 1", "the letter L", "a name that comes twice"],
)
def test_two_spellings_of_a_field_become_one(fields: bytes, again: bytes) -> None:
    """As in RabbitMQ (3.10, 4.0), which writes what it has understood, except for the last."""
    assert encode_table(decode_table(sized(fields))) == sized(again)


@pytest.mark.parametrize(
    ("parameters", "payload", "again"),
    [
        (BasicAckParameters, bytes(8) + b"\xff", bytes(8) + b"\x01"),
        (
            BasicConsumeParameters,
            b"\x00\x07\x01q\x00\xf0" + bytes(4),
            b"\x00\x00\x01q\x00\x00" + bytes(4),
        ),
    ],
    ids=["bits that mean nothing", "a ticket of AMQP 0-8"],
)
def test_what_means_nothing_in_a_method_becomes_0(
    parameters: type[tuple[Any, ...]], payload: bytes, again: bytes
) -> None:
    decoded = method_of(parameters).decode(payload, 0, len(payload))

    assert again == encode_method(decoded)[4:]


def test_number_that_is_not_finite_is_read_and_not_written() -> None:
    """See test_tables.py for what is said."""
    (value,) = decode_table(sized(b"\x01kd" + struct.pack(">d", math.nan))).values()

    assert math.isnan(value)
