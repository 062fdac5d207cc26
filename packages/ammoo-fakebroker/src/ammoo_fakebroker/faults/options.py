"""The options of faults by their names: what they strike, and how often.

The scope's names are those of the attributes that they are compared with, as in `MessageSnapshot`.
A plain value must be equal, a compiled regular expression must match somewhere, and a function
decides.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypedDict, TypeVar

from ..predicates import check_is_not_async, decides
from ..similar_names import similar_name
from ..snapshots import ConnectionSnapshot, MessageSnapshot

__all__ = [
    "ConnectionRule",
    "DeliveryRule",
    "LimitRule",
    "LoginRule",
    "MethodRule",
    "OptionalRule",
    "PublishRule",
    "check_scope",
    "matches",
    "unknown_option",
    "with_options_of",
]

_Method = TypeVar("_Method", bound=Callable[..., Any])

Text: TypeAlias = str | re.Pattern[str] | Callable[[str], bool]
"""A name: a string that must be equal, a regular expression, or a function that decides."""
Number: TypeAlias = int | Callable[[int], bool]
ConnectionChoice: TypeAlias = (
    str | re.Pattern[str] | ConnectionSnapshot | Callable[[ConnectionSnapshot], bool]
)
"""A connection's name, its own or the client's; a snapshot of it; or a function that decides."""


class OptionalRule(TypedDict, total=False):
    """The option of all faults."""

    optional: bool
    """Whether a ``with`` block may end without a strike; by default it raises AssertionError."""


class LimitRule(OptionalRule, total=False):
    """The options that say how often a fault strikes."""

    skip: int
    """How many matches the fault lets pass first; by default 0."""
    every: int
    """After those, it strikes the first of every so many matches; by default 1."""
    times: int | None
    """How many matches it strikes at most; by default any number."""
    probability: float
    """The chance that it strikes a match; each fault has its own random numbers. 1 by default."""


class LoginRule(LimitRule, total=False):
    """The options of faults that strike logins."""

    user: Text
    """The name of the user that has logged in."""


class ConnectionRule(LimitRule, total=False):
    """The options of faults that strike connections."""

    connection: ConnectionChoice
    """The name of the connection, RabbitMQ's or the client's own; or a snapshot of it."""
    user: Text
    """The name of the user that has logged in."""
    virtualhost: Text
    """The name of the virtual host."""


class PublishRule(ConnectionRule, total=False):
    """The options of faults that strike what clients publish."""

    channel_number: Number
    exchange_name: Text
    routing_key: Text
    message: Callable[[MessageSnapshot], bool]
    """A function that decides by the message."""


class DeliveryRule(PublishRule, total=False):
    """The options of faults that strike deliveries to consumers."""

    queue_name: Text
    consumer_tag: Text


class MethodRule(ConnectionRule, total=False):
    """The options of faults that strike methods as they arrive."""

    channel_number: Number
    exchange_name: Text
    routing_key: Text
    queue_name: Text
    consumer_tag: Text


def matches(wanted: object, value: object) -> bool:
    """Return whether a value is equal to a plain value, found by a pattern, or accepted."""
    if isinstance(wanted, re.Pattern):
        return isinstance(value, str) and wanted.search(value) is not None
    if callable(wanted):
        return value is not None and decides(wanted, value)
    return wanted == value


def unknown_option(owner: str, name: str, known: list[str]) -> str:
    """Return the text of the error for an unknown option; an option of other faults resembles none."""
    close = None if name in DeliveryRule.__annotations__ else similar_name(name, known)
    hint = f"did you mean {close!r}?" if close else f"its options are {', '.join(known)}"
    return f"{owner} has no option {name!r}; {hint}"


def check_scope(options: Mapping[str, Any]) -> None:
    """Check the types of a scope's values, of ``message``, of texts and of booleans.

    Raises:
        TypeError: A value is of a wrong type.
    """
    for name, value in options.items():
        types, expected = _EXPECTED.get(name, (object, ""))
        if value is not None and not isinstance(value, types) and not _may_be_called(name, value):
            raise TypeError(f"{name} is {value!r}; expected {expected}")
        check_is_not_async(name, value)


def _may_be_called(name: str, value: object) -> bool:
    return name not in _NEVER_FUNCTIONS and callable(value)


_NEVER_FUNCTIONS = {"inside_frame", "optional", "reset", "text"}
_NAME: tuple[tuple[type, ...], str] = (
    (str, re.Pattern),
    "a string, a compiled regular expression or a function",
)
_EXPECTED: Mapping[str, tuple[tuple[type, ...] | type, str]] = {
    "connection": (
        (str, re.Pattern, ConnectionSnapshot),
        "a connection's name, a compiled regular expression, a snapshot or a function",
    ),
    "user": _NAME,
    "virtualhost": _NAME,
    "exchange_name": _NAME,
    "routing_key": _NAME,
    "queue_name": _NAME,
    "consumer_tag": _NAME,
    "channel_number": (int, "an integer or a function"),
    "message": ((), "a function of a MessageSnapshot"),
    "optional": (bool, "True or False"),
    "inside_frame": (bool, "True or False"),
    "reset": (bool, "True or False"),
    "text": (str, "a string"),
}

_DESCRIBED = "\n\nThe options that faults share, such as ``times``, are described in `Faults`.\n"

_DEFAULTS: Mapping[str, Any] = {
    "skip": 0,
    "every": 1,
    "times": None,
    "probability": 1.0,
    "optional": False,
}


def with_options_of(rule: type) -> Callable[[_Method], _Method]:
    """Decorate a method that takes the options of a rule: `help` then shows each of them.

    Its docstring then also says where they are described.
    """

    def decorate(method: _Method) -> _Method:
        if method.__doc__ is not None:  # it is None under python -OO
            method.__doc__ = inspect.cleandoc(method.__doc__) + _DESCRIBED
        written = inspect.signature(method)
        own = [
            parameter
            for parameter in written.parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=_DEFAULTS.get(name),
                annotation=_annotation(rule, name),
            )
            for name in sorted(rule.__annotations__, key=lambda name: name in _DEFAULTS)
        ]
        # Python's own errors then name the method without its base class, which users do not know.
        method.__qualname__ = method.__name__
        method.__signature__ = written.replace(  # type: ignore[attr-defined]  # inspect reads it
            parameters=[*own, *options]
        )
        return method

    return decorate


def _annotation(rule: type, name: str) -> str:
    annotation = rule.__annotations__[name]
    return str(getattr(annotation, "__forward_arg__", annotation))
