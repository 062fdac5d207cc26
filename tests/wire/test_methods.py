"""The 66 declarations, against the specification's numbers and two oracles.

The oracles are `tests.wire.oracle`, which walks over our declarations, and pamqp, which knows
nothing of them. pamqp has no class access, takes a longlong for signed, wants its long strings to be str, has a bit where
connection.open ends in a reserved octet, and the tables that test_tables describes.
"""

import importlib
from typing import Any

import pamqp.commands
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ammoo_wire
import ammoo_wire.frames.method
from ammoo_wire import Method, Parameters, method_of, method_with_id, methods
from ammoo_wire.fields import WireType
from tests.wire import oracle, strategies
from tests.wire.test_tables import pamqp_tables

IDS = {
    "connection": (10, (10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61, 70, 71)),
    "channel": (20, (10, 11, 20, 21, 40, 41)),
    "access": (30, (10, 11)),
    "exchange": (40, (10, 11, 20, 21, 30, 31, 40, 51)),
    "queue": (50, (10, 11, 20, 21, 30, 31, 40, 41, 50, 51)),
    "basic": (60, (10, 11, 20, 21, 30, 31, 40, 50, 60, 70, 71, 72, 80, 90, 100, 110, 111, 120)),
    "confirm": (85, (10, 11)),
    "tx": (90, (10, 11, 20, 21, 30, 31)),
}
ALL = methods()
NAMES = [method.name for method in ALL]
KNOWN_TO_PAMQP = [method for method in ALL if method.class_id != 30]


def test_methods_are_the_66_of_the_specification_and_rabbitmq() -> None:
    expected = [(class_id, number) for class_id, numbers in IDS.values() for number in numbers]

    assert expected == [method.id for method in ALL]
    assert 66 == len(ALL)


@pytest.mark.parametrize("method", ALL, ids=NAMES)
def test_method_has_the_name_of_its_class_and_is_found_by_all_of_its_names(method: Method) -> None:
    class_name = method.name.partition(".")[0]
    module = importlib.import_module(f"ammoo_wire.frames.method.{class_name}")
    type_name = method.parameters.__name__

    assert IDS[class_name][0] == method.class_id
    assert getattr(module, type_name) is method.parameters
    assert getattr(ammoo_wire, type_name) is method.parameters
    assert type_name in module.__all__
    assert type_name in ammoo_wire.__all__
    assert method_of(method.parameters) is method
    assert method_with_id(method.class_id << 16 | method.method_id) is method


def test_methods_are_explained() -> None:
    assert [] == [method.name for method in ALL if not method.parameters.__doc__]


def test_contents_follow_the_methods_of_the_specification() -> None:
    assert [
        "basic.publish",
        "basic.return",
        "basic.deliver",
        "basic.get-ok",
    ] == [method.name for method in ALL if method.has_content]


def test_every_ok_is_the_reply_to_its_method() -> None:
    replies = {(method.name, reply) for method in ALL for reply in method.replies}

    oks = {(name.removesuffix("-ok"), name) for name in NAMES if name.endswith("-ok")}
    assert replies == oks | {("basic.get", "basic.get-empty")}


@strategies.few_examples
@given(st.data())
@pytest.mark.parametrize("method", ALL, ids=NAMES)
def test_encode_agrees_with_the_oracle(method: Method, data: st.DataObject) -> None:
    parameters = data.draw(strategies.parameters_of(method))

    assert method.encode(*parameters) == oracle.encode(method, parameters)


@strategies.few_examples
@given(st.data())
@pytest.mark.parametrize("method", ALL, ids=NAMES)
def test_decode_agrees_with_the_oracle(method: Method, data: st.DataObject) -> None:
    octets = oracle.encode(method, data.draw(strategies.parameters_of(method)))
    around = data.draw(st.binary(max_size=3))

    decoded = method.decode(around + octets + around, len(around) + 4, len(around + octets))

    assert decoded == oracle.decode(method, octets)
    assert type(decoded) is method.parameters


# --- the foreign oracle ---

_FOREIGN: dict[WireType, st.SearchStrategy[Any]] = {
    WireType.SHORTSTR: strategies.short_strings,
    WireType.LONGSTR: strategies.text,
    WireType.OCTET: strategies.unsigned[8],
    WireType.SHORT: strategies.unsigned[16],
    WireType.LONG: strategies.unsigned[32],
    WireType.LONGLONG: st.integers(0, (1 << 63) - 1),
    WireType.BIT: st.booleans(),
    WireType.TABLE: pamqp_tables,
}


def foreign_arguments(method: Method) -> st.SearchStrategy[list[Any]]:
    """Draw arguments as pamqp takes them: in the order of the wire, the old ticket included."""
    ticket = [st.just(0)] if method.reserved_short else []
    reserved = [st.just(0)] if method.id == (10, 40) else []  # a bit, where we have an octet
    fields = method.fields[: len(method.fields) - len(reserved)]
    return st.tuples(*ticket, *(_FOREIGN[kind] for _, kind in fields), *reserved).map(list)


def as_ours(method: Method, arguments: list[Any]) -> Parameters:
    """Make our parameters of pamqp's arguments."""
    values = arguments[1:] if method.reserved_short else arguments
    return tuple.__new__(
        method.parameters,
        [
            value.encode() if kind is WireType.LONGSTR else value
            for (_, kind), value in zip(method.fields, values, strict=True)
        ],
    )


def new_foreign(method: Method) -> Any:
    """Make an empty method of pamqp's, without its own rules for names and reserved fields."""
    cls = pamqp.commands.INDEX_MAPPING[method.class_id << 16 | method.method_id]
    unchecked = type(cls.__name__, (cls,), {"validate": lambda self: None})
    return object.__new__(unchecked)


@strategies.few_examples
@given(st.data())
@pytest.mark.parametrize("method", KNOWN_TO_PAMQP, ids=lambda method: method.name)
def test_arguments_are_read_the_same_by_pamqp(method: Method, data: st.DataObject) -> None:
    arguments = data.draw(foreign_arguments(method))
    foreign = new_foreign(method)

    foreign.unmarshal(method.encode(*as_ours(method, arguments))[4:])

    assert [getattr(foreign, name) for name in foreign.attributes()] == arguments


def marshalled(foreign: Any, arguments: Any) -> bytes:
    """Have pamqp write a method with these arguments."""
    for name, value in zip(foreign.attributes(), arguments, strict=True):
        setattr(foreign, name, value)
    octets: bytes = foreign.marshal()
    return octets


@strategies.few_examples
@given(st.data())
@pytest.mark.parametrize("method", KNOWN_TO_PAMQP, ids=lambda method: method.name)
def test_arguments_written_by_pamqp_are_read_the_same(method: Method, data: st.DataObject) -> None:
    arguments = data.draw(foreign_arguments(method))

    octets = marshalled(new_foreign(method), arguments)

    assert method.decode(octets, 0, len(octets)) == as_ours(method, arguments)
