"""Limits, as the API lists and sets them: those of virtual hosts, and those of users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..erlang_texts import erlang_value
from ..refusals import bad_request

if TYPE_CHECKING:
    from ...auth.users import UserLimits
    from ...node.virtual_host import VirtualHostLimits
    from ..call import Call

__all__ = ["limit_items", "limit_values", "read_limits", "with_limit"]

_Limits = TypeVar("_Limits", "UserLimits", "VirtualHostLimits")


def limit_values(
    limits: UserLimits | VirtualHostLimits, names: Mapping[str, str]
) -> dict[str, int]:
    """Return the limits that are set, by RabbitMQ's names.

    Args:
        limits: The limits.
        names: The fields of the limits by RabbitMQ's names.
    """
    values = limits._asdict()
    return {name: values[field] for name, field in names.items() if values[field] is not None}


def limit_items(
    kind: str, limits: Mapping[str, UserLimits | VirtualHostLimits], names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the API's list of users or virtual hosts that have limits.

    Args:
        kind: The member for the name, ``user`` or ``vhost``.
        limits: The limits by the names of the users or virtual hosts.
        names: See `limit_values`.
    """
    return [
        {"value": values, kind: name}
        for name, each in limits.items()
        if (values := limit_values(each, names))
    ]


def read_limits(
    call: Call, names: Mapping[str, str], component: str, *, validates_parameters: bool
) -> int:
    """Return the value of the limit that a call sets.

    Args:
        call: The call.
        names: See `limit_values`.
        component: RabbitMQ's name for the limits in a refusal.
        validates_parameters: Whether RabbitMQ checks the limit as one of its parameters, which
            changes the text of a refusal.

    Raises:
        Refusal: 400, there is no such limit, or its value is not a number.
    """
    name, value = call.names["limit"], call.body("value")["value"]
    before, after = ("Validation failed\n\n", "\n") if validates_parameters else ("", "")
    if name not in names:
        term = f'[{{<<"{name}">>,{erlang_value(value)}}}]'
        raise bad_request(f"{before}Unrecognised terms {term} in {component}{after}")
    if not isinstance(value, int) or isinstance(value, bool):
        shown = erlang_value(value)
        raise bad_request(f"{before}{name} should be a number, actually was {shown}{after}")
    return value


def with_limit(limits: _Limits, field: str, value: int | None) -> _Limits:
    """Return a copy of limits with another value for one; None removes the limit."""
    return limits._replace(**{field: value})
