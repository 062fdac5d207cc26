"""Values as Erlang prints and compares them; the expectations were seen in RabbitMQ's texts."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ammoo_fakebroker.rabbitmq.erlang_terms import comparable, print_term, type_class, type_name
from ammoo_wire import Float32, Int8, Int64, LongString


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("5", 5),
        ("5", Int8(5)),
        ("true", True),
        ("undefined", None),
        ("0.0", 0.0),
        ("1.5", 1.5),
        ("-1.5", -1.5),
        ("100.0", 100.0),
        ("1.0e3", 1000.0),
        ("123456.0", 123456.0),
        ("1.1e-5", 1.1e-5),
        ("0.1", 0.1),
        ("0.01", 0.01),
        ("1.0e22", 1e22),
        ('<<"text">>', "text"),
        ('<<"say \\"hi\\"">>', 'say "hi"'),
        ("<<>>", ""),
        ("<<1,2>>", b"\x01\x02"),
        ("1700000000", datetime.fromtimestamp(1_700_000_000, UTC)),
        ("{2,314}", Decimal("3.14")),
        ("{0,300}", Decimal("3E2")),
        ('[{signedint,1},{longstr,<<"a">>}]', [1, "a"]),
        ('[{<<"a">>,signedint,1}]', {"a": 1}),
        ("[]", {}),
        ("[]", []),
        ("[{array,[]},{table,[]},{bool,true}]", [[], {}, True]),
        (
            '[{<<"a">>,array,[{array,[{void,undefined}]},{table,[{<<"b">>,bool,true}]}]}]',
            {"a": [[None], {"b": True}]},
        ),
    ],
)
def test_terms_are_printed_as_erlang_prints_them(printed: str, value: Any) -> None:
    assert printed == print_term(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, Int64(1)),
        ("text", b"text"),
        ("text", LongString(b"text")),
        (1.5, Float32(1.5)),
        ([1, "a"], [1, "a"]),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_values_are_equal(one: Any, other: Any) -> None:
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (1, "1"),
        (0, False),
        (None, False),
        ([1], [1.0]),
        ({"a": 1}, {"b": 1}),
        ([[]], [{}]),
        ([[1], 2], [[1, 2]]),
        ([[[]], []], [[[], []]]),
        ({"a": {"b": 1}, "c": 2}, {"a": {"b": 1, "c": 2}}),
        ({"a": ["b"]}, {"a": {"b": "b"}}),
    ],
)
def test_values_differ(one: Any, other: Any) -> None:
    assert comparable(one) != comparable(other)


def test_integers_and_floats_may_be_compared_by_value() -> None:
    one = comparable(1, numbers_by_value=True)

    assert one == comparable(1.0, numbers_by_value=True)
    assert one != comparable(True, numbers_by_value=True)


def test_types_have_their_names_and_classes() -> None:
    assert ["signedint", "byte", "longstr", "double"] == [
        type_name(value) for value in (1, Int8(1), "a", 1.0)
    ]
    assert ["int", "int", "longstr", "float"] == [
        type_class(value) for value in (1, Int8(1), "a", 1.0)
    ]
