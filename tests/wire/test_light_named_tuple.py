"""`LightNamedTuple` does what `typing.NamedTuple` does, which the type checker takes it for."""

import copy
import inspect
import pickle
from typing import Any, NamedTuple

import pytest

from ammoo_wire import QueueDeclareOkParameters
from ammoo_wire.light_named_tuple import LightNamedTuple


class Ours(LightNamedTuple):
    """What is tested."""

    first: int
    second: str = "b"
    third: bool = False


class Theirs(NamedTuple):
    """What it is to be like."""

    first: int
    second: str = "b"
    third: bool = False


BOTH = pytest.mark.parametrize("cls", [Ours, Theirs])


@BOTH
@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ((1,), {}, (1, "b", False)),
        ((1, "c"), {}, (1, "c", False)),
        ((1, "c", True), {}, (1, "c", True)),
        ((), {"first": 1}, (1, "b", False)),
        ((1,), {"third": True}, (1, "b", True)),
        ((), {"third": True, "second": "c", "first": 1}, (1, "c", True)),
    ],
)
def test_call_takes_arguments_by_position_and_name(
    cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    made = cls(*args, **kwargs)

    assert expected == made
    assert type(made) is cls
    assert expected == (made.first, made.second, made.third)


@BOTH
@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((), {"second": "c"}),
        ((1, "c", True, 4), {}),
        ((1,), {"fourth": 4}),
        ((1,), {"first": 1}),
        ((1, "c", True), {"third": False}),
        ((1, "c", True), {"fourth": 4}),
    ],
)
def test_call_refuses_what_does_not_fit(
    cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        cls(*args, **kwargs)


def test_call_names_the_fields_that_there_are() -> None:
    with pytest.raises(TypeError, match="arguments: fourth; its fields are first, second, third"):
        Ours(1, fourth=4)  # type: ignore[call-arg]  # the mistake is the point


@BOTH
def test_fields_are_told(cls: Any) -> None:
    assert cls._fields == cls.__match_args__ == ("first", "second", "third")
    assert {"second": "b", "third": False} == cls._field_defaults


@BOTH
def test_make_takes_an_iterable_of_the_right_length(cls: Any) -> None:
    assert cls._make(iter([1, "c", True])) == cls(1, "c", True)
    with pytest.raises(TypeError):
        cls._make([1])


@BOTH
def test_replace_changes_named_fields_only(cls: Any) -> None:
    assert cls(1)._replace(third=True) == cls(1, "b", True)


@BOTH
def test_replace_refuses_other_names(cls: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        cls(1)._replace(fourth=1)


@BOTH
def test_asdict_has_the_fields_in_order(cls: Any) -> None:
    assert [("first", 1), ("second", "b"), ("third", False)] == list(cls(1)._asdict().items())


@BOTH
def test_repr_names_the_fields(cls: Any) -> None:
    assert f"{cls.__name__}(first=1, second='b', third=False)" == repr(cls(1))


def nested(depth: int) -> Any:
    """Make tables within tables."""
    deep: Any = None
    for _ in range(depth):
        deep = {"": deep}
    return deep


def test_repr_of_what_python_cannot_print() -> None:
    deep = nested(150_000)

    assert "Ours(first=1, second=<a dict nested too deeply to print>, third=False)" == (
        repr(Ours(1, deep))
    )


@BOTH
def test_match_statement_takes_it_apart(cls: Any) -> None:
    match cls(1, third=True):
        case Ours(first, _, third) | Theirs(first, _, third):
            found = (first, third)

    assert (1, True) == found


@BOTH
def test_attributes_cannot_be_set(cls: Any) -> None:
    with pytest.raises(AttributeError):
        cls(1).first = 2
    with pytest.raises(AttributeError):
        cls(1).fourth = 2


def test_copies_are_equal() -> None:
    parameters = QueueDeclareOkParameters("q", 1, 2)

    copies = [copy.copy(parameters), pickle.loads(pickle.dumps(parameters))]

    assert [parameters] * 2 == copies
    assert [QueueDeclareOkParameters] * 2 == list(map(type, copies))


def test_signature_is_that_of_the_fields() -> None:
    parameters = inspect.signature(Ours).parameters

    assert ["first", "second", "third"] == list(parameters)
    assert parameters["first"].default is inspect.Parameter.empty
    assert parameters["third"].default is False
