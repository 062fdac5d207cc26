"""Criteria: comparing events with the keywords of a query.

A keyword names the attribute that it compares. A plain value must be equal; a compiled regular
expression must be found; a function decides. A mapping for the JSON body or the headers must be
contained in it; with `exactly` it must be equal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypedDict

from ammoo_wire import BasicHeaderProperties

from ..predicates import check_is_not_async, decides
from ..similar_names import similar_name

if TYPE_CHECKING:
    from .events import Event

__all__ = [
    "Criteria",
    "Exactly",
    "check_names",
    "describe_criteria",
    "exactly",
    "mismatch",
    "nearness",
]


class Criteria(TypedDict, total=False):
    """The keywords of `FakeBroker.published` and similar methods; `Event` documents each."""

    body: object
    json: object
    headers: object
    exchange_name: object
    routing_key: object
    queue_name: object
    queue_names: object
    message_number: object
    redelivered: object
    virtualhost: object
    connection: object
    user: object
    channel_number: object
    consumer_tag: object
    delivery_tag: object
    reason: object
    by: object
    code: object
    text: object
    content_type: object
    content_encoding: object
    delivery_mode: object
    priority: object
    correlation_id: object
    reply_to: object
    expiration: object
    message_id: object
    timestamp: object
    type_: object
    user_id: object
    app_id: object
    mandatory: object
    sequence_number: object
    queue_type: object
    exchange_type: object
    existed: object
    destination: object
    message_count: object
    no_ack: object
    fault: object
    fault_number: object


_PARTS: Final = ("json", "headers")
"""The criteria for which a mapping need only be contained."""
_PROPERTIES: Final = frozenset(BasicHeaderProperties._fields)


_WITHOUT_QUEUE: Final = ("published", "delayed", "unroutable", "returned", "confirmed", "nacked")
_WILDCARDS: Final = frozenset("*#?")


class Exactly:
    """A value that must be equal, not only contained; see `exactly`."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"exactly({self.value!r})"


def exactly(value: object) -> Exactly:
    """Require a JSON body or headers to be equal to a mapping, not only to contain it.

    Example::

        broker.published(json=exactly({"id": 7})).assert_count(1)

    Args:
        value: The value that the whole body or all headers must be equal to.

    Returns:
        A value for a keyword of a query.
    """
    return Exactly(value)


def check_names(criteria: Mapping[str, object], caller: str) -> None:
    """Check the names of the keywords of a query, and that no value is an async function.

    Raises:
        TypeError: There is no such keyword (the text names a similar one), or its value is an
            async function.
    """
    __tracebackhide__ = True
    known = Criteria.__optional_keys__
    for name, expected in criteria.items():
        if name not in known:
            close = similar_name(name, known)
            hint = f"did you mean {close!r}?" if close else f"it has {', '.join(sorted(known))}"
            raise TypeError(f"{caller}() has no keyword {name!r}; {hint}")
        check_is_not_async(name, expected)


def describe_criteria(criteria: Mapping[str, object]) -> str:
    """Return criteria as text; ⊇ means that a value must be contained."""
    return ", ".join(_describe(name, expected) for name, expected in criteria.items())


def _describe(name: str, expected: object) -> str:
    if name in _PARTS and isinstance(expected, Mapping):
        return f"{name} ⊇ {dict(expected)!r}"
    if isinstance(expected, re.Pattern):
        return f"{name} ~ {expected.pattern!r}"
    if callable(expected):
        return f"{name}={getattr(expected, '__name__', repr(expected))}"
    return f"{name}={expected!r}"


def mismatch(event: Event, name: str, expected: object) -> str | None:
    """Return how an event fails a criterion; None if it meets it."""
    try:
        found = _value_of(event, name)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return f"is missing, because the body is not JSON: {error}"
    except ValueError as error:
        return f"is missing: {error}"
    if isinstance(expected, Exactly):
        return _difference(found, expected.value, is_part=False)
    if isinstance(expected, re.Pattern):
        return _pattern_difference(found, expected)
    if callable(expected):
        return (
            None if decides(expected, found) else f"is {found!r}, which {_named(expected)} refuses"
        )
    difference = _difference(found, expected, is_part=name in _PARTS)
    return None if difference is None else difference + _hint(event, name, expected, found)


def _hint(event: Event, name: str, expected: object, found: object) -> str:
    """Return what to add to the reason why an event fails a criterion, if it is a known mistake."""
    if name == "queue_name" and found is None and event.kind in _WITHOUT_QUEUE:
        return (
            f"; {event.kind} events have no queue: history(kind='routed', queue_names=…) shows where"
            " messages went"
        )
    if isinstance(expected, str) and isinstance(found, str) and not _WILDCARDS.isdisjoint(expected):
        return "; a string must be equal, so for a pattern pass re.compile(…)"
    return ""


def nearness(event: Event, name: str, expected: object) -> int:
    """Return how much an event has of a mapping that it does not match.

    A key that is there counts, and counts twice with the value that is expected.
    """
    expected = expected.value if isinstance(expected, Exactly) else expected
    try:
        found = _value_of(event, name)
    except ValueError:
        return 0
    if not isinstance(expected, Mapping) or not isinstance(found, Mapping):
        return 0
    shared = [key for key in expected if key in found]
    return len(shared) + sum(bool(found[key] == expected[key]) for key in shared)


def _named(function: Callable[..., object]) -> str:
    name = getattr(function, "__name__", repr(function))
    return "the function" if name == "<lambda>" else f"{name}()"


def _value_of(event: Event, name: str) -> Any:
    if name == "json":
        return event.json()
    if name in _PROPERTIES and name != "headers":
        return getattr(event.properties, name)
    if hasattr(event, name):
        return getattr(event, name)
    return event.details.get(name)


def _pattern_difference(found: object, pattern: re.Pattern[Any]) -> str | None:
    if isinstance(pattern.pattern, str) and isinstance(found, bytes):
        found = found.decode(errors="replace")
    if isinstance(found, type(pattern.pattern)) and pattern.search(found):
        return None
    return f"is {found!r}, in which {pattern.pattern!r} is not found"


def _difference(found: object, expected: object, *, is_part: bool, path: str = "") -> str | None:
    """Return the first difference of two values, with the path to it."""
    if is_part and isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key, value in expected.items():
            inner = f"{path}[{key!r}]"
            if key not in found:
                return f"{inner} is missing"
            difference = _difference(found[key], value, is_part=True, path=inner)
            if difference is not None:
                return difference
        return None
    is_equal = found == expected and isinstance(found, bool) == isinstance(expected, bool)
    if is_equal:
        return None
    start = f"{path} is" if path else "is"
    if type(found) is type(expected):
        return f"{start} {found!r}, not {expected!r}"
    types = f"{type(found).__name__}", f"{type(expected).__name__}"
    return f"{start} {found!r} ({types[0]}), not {expected!r} ({types[1]})"
