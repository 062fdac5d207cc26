"""Exchanges: where a message goes, by the type of exchange it was published to.

An exchange knows its bindings and which of their destinations a message matches, nothing about
what happens there. Following a message through exchanges that are bound to exchanges, and through
alternate exchanges, is the virtual host's work (`virtual_host.py`).
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ammoo_wire import encode_table

from ..messages.message import Message
from ..rabbitmq import errors
from ..rabbitmq.arguments import CLASSIC
from ..rabbitmq.erlang_terms import comparable, print_term, type_name
from .topic_trie import TopicTrie

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ..queues.queue import Queue

__all__ = [
    "EXCHANGE_TYPES",
    "Binding",
    "DirectExchange",
    "Exchange",
    "FanoutExchange",
    "HeadersExchange",
    "LocalRandomExchange",
    "TopicExchange",
    "create_exchange",
]


class BindingKey(NamedTuple):
    """What makes two bindings of an exchange the same one."""

    destination: Exchange | Queue
    routing_key: str
    arguments: bytes


class Binding:
    """A rule that takes messages from an exchange to a queue or another exchange."""

    __slots__ = ("arguments", "destination", "key", "routing_key", "source")

    def __init__(
        self,
        source: Exchange,
        destination: Exchange | Queue,
        routing_key: str,
        arguments: Mapping[str, Any],
    ) -> None:
        self.source = source
        self.destination = destination
        self.routing_key = routing_key
        self.arguments = dict(arguments)
        ordered = {name: arguments[name] for name in sorted(arguments)}
        self.key = BindingKey(destination, routing_key, encode_table(ordered))


class Exchange(ABC):
    """What all types of exchanges have in common; as it is, the base of the five.

    Attributes:
        name: Its name; empty for the default exchange.
        durable, auto_delete, internal, arguments: As declared.
        alternate_exchange: The exchange that gets what this one cannot route; its virtual host
            says so, by argument or policy.
        bindings: Those that have it as their source.
        incoming: Those that have it as their destination.
    """

    type: ClassVar[str]
    routes_by_key_only: ClassVar[bool] = True
    """Whether the routing keys decide alone, so that a route can be remembered."""

    def __init__(
        self,
        name: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.durable = durable
        self.auto_delete = auto_delete
        self.internal = internal
        self.arguments = dict(arguments or {})
        self.alternate_exchange: str | None = None
        self.bindings: dict[BindingKey, Binding] = {}
        self.incoming: dict[Binding, None] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def validate_binding(  # noqa: B027  most take any
        self, destination: Exchange | Queue, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        """Check a binding before there is one.

        Raises:
            ProtocolError: 406, this type of exchange cannot use them.
        """

    def add_binding(self, binding: Binding) -> None:
        """Take a new binding up."""
        self.bindings[binding.key] = binding

    def remove_binding(self, binding: Binding) -> None:
        """Forget a binding."""
        del self.bindings[binding.key]

    @abstractmethod
    def matching(self, message: Message) -> Iterable[Binding]:
        """Find the bindings that a message matches; one may come more than once."""


class DirectExchange(Exchange):
    """Routes to the bindings whose routing key is the message's."""

    type = "direct"

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._by_key: dict[str, dict[Binding, None]] = {}

    def add_binding(self, binding: Binding) -> None:
        super().add_binding(binding)
        self._by_key.setdefault(binding.routing_key, {})[binding] = None

    def remove_binding(self, binding: Binding) -> None:
        super().remove_binding(binding)
        with_same_key = self._by_key[binding.routing_key]
        del with_same_key[binding]
        if not with_same_key:
            del self._by_key[binding.routing_key]

    def matching(self, message: Message) -> Iterable[Binding]:
        for routing_key in message.routing_keys:
            yield from self._by_key.get(routing_key, ())


class FanoutExchange(Exchange):
    """Routes to all its bindings."""

    type = "fanout"

    def matching(self, message: Message) -> Iterable[Binding]:
        return self.bindings.values()


class TopicExchange(Exchange):
    """Routes to the bindings whose pattern the message's routing key matches."""

    type = "topic"

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._patterns: TopicTrie[Binding] = TopicTrie()

    def add_binding(self, binding: Binding) -> None:
        super().add_binding(binding)
        self._patterns.add(binding.routing_key, binding)

    def remove_binding(self, binding: Binding) -> None:
        super().remove_binding(binding)
        self._patterns.remove(binding.routing_key, binding)

    def matching(self, message: Message) -> Iterable[Binding]:
        for routing_key in message.routing_keys:
            yield from self._patterns.matches(routing_key)


class HeadersExchange(Exchange):
    """Routes to the bindings whose arguments the message's headers match.

    See https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-headers
    """

    type = "headers"
    routes_by_key_only = False

    def __init__(self, name: str, *, numbers_by_value: bool = False, **options: Any) -> None:
        super().__init__(name, **options)
        self._numbers_by_value = numbers_by_value
        self._matchers: dict[Binding, _HeadersMatcher] = {}

    def validate_binding(
        self, destination: Exchange | Queue, routing_key: str, arguments: Mapping[str, Any]
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
        # From 4.0 on a message's timestamps count milliseconds and a binding's seconds.
        seconds = 1 if self._numbers_by_value else 1000
        headers = {
            name: comparable(value, numbers_by_value=self._numbers_by_value, seconds=seconds)
            for name, value in message.headers.items()
        }
        return [binding for binding, matcher in self._matchers.items() if matcher.matches(headers)]


class _HeadersMatcher:
    """One binding's arguments, made ready for comparison."""

    def __init__(self, arguments: Mapping[str, Any], numbers_by_value: bool) -> None:
        mode = arguments.get("x-match", "all")
        self._any = mode in ("any", "any-with-x")
        with_x = mode in ("all-with-x", "any-with-x")
        names = [name for name in arguments if name != "x-match" and (with_x or name[:2] != "x-")]
        self._present = [name for name in names if arguments[name] is None]
        self._equal = [
            (name, comparable(arguments[name], numbers_by_value=numbers_by_value))
            for name in names
            if arguments[name] is not None
        ]

    def matches(self, headers: Mapping[str, Hashable]) -> bool:
        missing = object()
        outcomes = [name in headers for name in self._present]
        outcomes += [headers.get(name, missing) == value for name, value in self._equal]
        return any(outcomes) if self._any else all(outcomes)


class LocalRandomExchange(Exchange):
    """Routes to one of its queues, whichever: https://www.rabbitmq.com/docs/local-random-exchange"""

    type = "x-local-random"
    routes_by_key_only = False

    def validate_binding(
        self, destination: Exchange | Queue, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        if routing_key:
            raise errors.binding_with_key(routing_key)
        if isinstance(destination, Exchange):
            raise errors.binding_without_queue()
        if destination.queue_type != CLASSIC:
            raise errors.binding_to_queue_of_type(destination.queue_type)

    def matching(self, message: Message) -> Iterable[Binding]:
        return (random.choice(list(self.bindings.values())),) if self.bindings else ()


EXCHANGE_TYPES: dict[str, type[Exchange]] = {
    exchange.type: exchange
    for exchange in (
        DirectExchange,
        FanoutExchange,
        TopicExchange,
        HeadersExchange,
        LocalRandomExchange,
    )
}


def create_exchange(
    exchange_type: str, name: str, *, numbers_by_value: bool = False, **options: Any
) -> Exchange:
    """Make an exchange of a known type.

    Args:
        exchange_type: direct, fanout, topic or headers.
        name: Its name.
        numbers_by_value: Whether a headers exchange holds 1 and 1.0 to be equal.
        options: The flags and arguments that `Exchange` takes.
    """
    if exchange_type == HeadersExchange.type:
        return HeadersExchange(name, numbers_by_value=numbers_by_value, **options)
    return EXCHANGE_TYPES[exchange_type](name, **options)
