"""The headers exchange: it compares the message's headers with the arguments of bindings.

See https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-headers
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from ..messages.message import Message
from ..rabbitmq import errors
from ..rabbitmq.erlang_terms import comparable, print_term, type_name
from .exchange import Binding, Destination, Exchange

__all__ = ["HeadersExchange"]


class HeadersExchange(Exchange):
    """Routes to the bindings whose arguments the message's headers match.

    Args:
        name: Its name.
        numbers_by_value: Whether 1 and 1.0 are equal.
        options: The flags and arguments that `Exchange` takes.
    """

    type = "headers"
    description = "AMQP headers exchange, as per the AMQP specification"
    routes_by_key_only = False

    def __init__(self, name: str, *, numbers_by_value: bool = False, **options: Any) -> None:
        super().__init__(name, **options)
        self._numbers_by_value = numbers_by_value
        self._matchers: dict[Binding, _HeadersMatcher] = {}

    def validate_binding(
        self, destination: Destination, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        if "x-match" not in arguments:
            return
        value = arguments["x-match"]
        if not isinstance(value, str):
            raise errors.invalid_x_match_type(type_name(value), print_term(value))
        if value not in ("all", "any", "all-with-x", "any-with-x"):
            raise errors.invalid_x_match_value(print_term(value))

    def add_binding(self, binding: Binding) -> None:
        super().add_binding(binding)
        self._matchers[binding] = _HeadersMatcher(binding.arguments, self._numbers_by_value)

    def remove_binding(self, binding: Binding) -> None:
        super().remove_binding(binding)
        del self._matchers[binding]

    def matching(self, message: Message) -> Iterable[Binding]:
        # Since 4.0 a timestamp is in milliseconds in a message, and in seconds in a binding.
        seconds = 1 if self._numbers_by_value else 1000
        headers = {
            name: _comparable(value, self._numbers_by_value, seconds)
            for name, value in message.headers.items()
        }
        return [binding for binding, matcher in self._matchers.items() if matcher.matches(headers)]


def _comparable(value: Any, numbers_by_value: bool, seconds: int = 1) -> Hashable:
    """Return a value as it is compared; releases that compare numbers by value ignore the sign of 0."""
    return comparable(
        value,
        numbers_by_value=numbers_by_value,
        seconds=seconds,
        signed_zeros=not numbers_by_value,
    )


class _HeadersMatcher:
    """The arguments of a binding, in the form in which they are compared."""

    def __init__(self, arguments: Mapping[str, Any], numbers_by_value: bool) -> None:
        mode = arguments.get("x-match", "all")
        self._any = mode in ("any", "any-with-x")
        with_x = mode in ("all-with-x", "any-with-x")
        names = [name for name in arguments if name != "x-match" and (with_x or name[:2] != "x-")]
        self._present = [name for name in names if arguments[name] is None]
        self._equal = [
            (name, _comparable(arguments[name], numbers_by_value))
            for name in names
            if arguments[name] is not None
        ]

    def matches(self, headers: Mapping[str, Hashable]) -> bool:
        missing = object()
        outcomes = [name in headers for name in self._present]
        outcomes += [headers.get(name, missing) == value for name, value in self._equal]
        return any(outcomes) if self._any else all(outcomes)
