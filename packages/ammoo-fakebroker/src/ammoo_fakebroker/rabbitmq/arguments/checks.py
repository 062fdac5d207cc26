"""Checks of single arguments, and the loops that check a whole table.

A check returns what is wrong with a value, in the Erlang notation of RabbitMQ's error. Its caller
names the argument and the queue or consumer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import errors
from ..erlang_terms import is_integer, type_name

__all__ = [
    "MAX_EXPIRY",
    "Arguments",
    "Check",
    "age_milliseconds",
    "check_bool",
    "check_integer",
    "check_names",
    "check_not_negative",
    "check_not_zero",
    "check_positive",
    "check_string",
    "check_values",
    "one_of",
    "supported",
    "validate_exchange_name",
]

MAX_EXPIRY = 315_360_000_000  # ten years in milliseconds

Arguments = Mapping[str, Any]
Check = Callable[[Any, Arguments], str | None]
"""Checks a value, given all arguments; returns what is wrong, in Erlang's notation, or None."""


def check_values(arguments: Arguments, checks: Iterable[tuple[str, Check]], resource: str) -> None:
    """Check the values of the arguments, in the order of the checks.

    Raises:
        ProtocolError: 406, a value is not allowed; the text names the first one.
    """
    for name, check in checks:
        if name in arguments:
            detail = check(arguments[name], arguments)
            if detail is not None:
                raise errors.invalid_argument(name, resource, detail)


def check_names(
    arguments: Arguments, foreign: frozenset[str], resource: str, queue_type: str
) -> None:
    """Check that there is no argument that only other types of queues have.

    Raises:
        ProtocolError: 406, there is such an argument; the text names the first one.
    """
    for name in arguments:
        if name in foreign:
            raise errors.argument_not_for_queue_type(name, resource, queue_type)


def validate_exchange_name(arguments: Arguments, argument: str, resource: str) -> None:
    """Check that the name of an exchange is a string; the exchange need not exist.

    Raises:
        ProtocolError: 406, it is not a string.
    """
    if argument in arguments and not isinstance(arguments[argument], str):
        raise errors.invalid_argument_type(argument, resource, type_name(arguments[argument]))


def check_integer(value: Any, arguments: Arguments) -> str | None:
    """Check that a value is an integer."""
    if not is_integer(value):
        return f'"expected integer, got {type_name(value)}"'
    return None


def check_not_negative(value: Any, arguments: Arguments) -> str | None:
    """Check that a value is an integer from 0 on."""
    detail = check_integer(value, arguments)
    if detail is None and value < 0:
        return f"{{value_negative,{int(value)}}}"
    return detail


def check_positive(value: Any, arguments: Arguments) -> str | None:
    """Check that a value is an integer from 1 on; RabbitMQ checks for 0 before it checks the type."""
    return check_not_zero(value) or check_not_negative(value, arguments)


def check_not_zero(value: Any) -> str | None:
    """Check that a value is not 0."""
    return "{value_zero,0}" if is_integer(value) and value == 0 else None


def check_string(value: Any, arguments: Arguments) -> str | None:
    """Check that a value is a string."""
    return None if isinstance(value, str) else f"{{unacceptable_type,{type_name(value)}}}"


def check_bool(value: Any, arguments: Arguments) -> str | None:
    """Check that a value is a boolean."""
    return None if isinstance(value, bool) else f"{{unacceptable_type,{type_name(value)}}}"


def one_of(words: tuple[str, ...], detail: str) -> Check:
    """Return a check that a value is one of some words.

    Args:
        words: The words.
        detail: What the check returns for other words.
    """

    def check(value: Any, arguments: Arguments) -> str | None:
        return check_string(value, arguments) or (None if value in words else detail)

    return check


def supported(kind: str, words: tuple[str, ...]) -> Check:
    """Return a check that a value is one of some words; the detail names the kind and the value."""

    def check(value: Any, arguments: Arguments) -> str | None:
        detail = check_string(value, arguments)
        if detail is None and value not in words:
            return f"\"unsupported {kind} '{value}'\""
        return detail

    return check


_UNITS = {
    "Y": 365 * 86_400_000,
    "M": 30 * 86_400_000,
    "D": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
}


def age_milliseconds(value: Any) -> int | None:
    """Return an age such as ``7D`` in milliseconds; None if the value is no age."""
    match = re.fullmatch(r"(\d+)([YMDhms])", value) if isinstance(value, str) else None
    if match is None or not int(match[1]):
        return None
    return int(match[1]) * _UNITS[match[2]]
