"""Property equivalence: compares a re-declaration with the existing queue or exchange.

The arguments are compared in RabbitMQ's order.

See https://www.rabbitmq.com/docs/queues#property-equivalence
"""

from __future__ import annotations

from typing import Any

from .. import errors
from ..erlang_terms import comparable, print_bare, type_name
from ..profiles import Profile
from .checks import Arguments
from .queues import CLASSIC, arguments_of_type, queue_type_of

__all__ = [
    "assert_argument_equivalent",
    "assert_field_equivalent",
    "assert_queue_arguments_equivalent",
]

_ABSENT = object()


def assert_field_equivalent(field: str, resource: str, received: Any, current: Any) -> None:
    """Compare a flag or the type of a re-declaration with the existing one.

    Raises:
        ProtocolError: 406, they differ.
    """
    if received != current:
        raise errors.inequivalent_argument(field, resource, _quoted(received), _quoted(current))


def assert_queue_arguments_equivalent(
    received: Arguments, current: Arguments, resource: str, profile: Profile
) -> None:
    """Compare the arguments of a queue's re-declaration with those that it was declared with.

    Only the arguments of its queue type are compared.

    Raises:
        ProtocolError: 406, an argument differs; the text names the first one.
    """
    for name in arguments_of_type(queue_type_of(current), profile):
        types = [received.get(name, CLASSIC), current.get(name, CLASSIC)]
        if name == "x-queue-type" and types == [CLASSIC, CLASSIC]:
            continue
        assert_argument_equivalent(name, received, current, resource)


def assert_argument_equivalent(
    name: str, received: Arguments, current: Arguments, resource: str
) -> None:
    """Compare one argument of a re-declaration with the existing one.

    Raises:
        ProtocolError: 406, they differ.
    """
    new, old = received.get(name, _ABSENT), current.get(name, _ABSENT)
    if new is _ABSENT and old is _ABSENT:
        return
    if new is _ABSENT or old is _ABSENT:
        raise errors.inequivalent_argument(name, resource, _described(new), _described(old))
    if comparable(new) != comparable(old):
        raise errors.inequivalent_argument(name, resource, _quoted(new), _quoted(old))


def _quoted(value: Any) -> str:
    return "none" if value is None else f"'{print_bare(value)}'"


def _described(value: Any) -> str:
    if value is _ABSENT:
        return "none"
    return f"the value '{print_bare(value)}' of type '{type_name(value)}'"
