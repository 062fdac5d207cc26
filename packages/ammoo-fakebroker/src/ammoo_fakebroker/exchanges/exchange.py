"""What all exchanges have in common, and the bindings that lead away from them.

An exchange knows its bindings, and finds those that a message matches. It does not know what a
destination does with a message. `node/routing.py` follows a message through
exchanges that are bound to exchanges, and through alternate exchanges.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from ammoo_wire import encode_table

if TYPE_CHECKING:
    from ..messages.copying import Copying
    from ..messages.message import Message
    from .ports import ExchangeHost

__all__ = ["Binding", "Destination", "Exchange", "FindType"]

FindType = Callable[[str], "type[Exchange]"]
"""Returns the class of a type of exchanges; raises ProtocolError if there is no such type."""


class Destination:
    """A queue or an exchange, to which a binding can lead.

    Attributes:
        name: Its name.
        queue_type: Its type if it is a queue; empty for an exchange.
        incoming: The bindings that lead to it.
    """

    name: str
    queue_type: ClassVar[str] = ""
    incoming: dict[Binding, None]


class BindingKey(NamedTuple):
    """The identity of a binding: an exchange has one binding for each key."""

    destination: Destination
    routing_key: str
    arguments: bytes


class Binding:
    """A rule that takes messages from an exchange to a queue or another exchange."""

    __slots__ = ("arguments", "destination", "key", "routing_key", "source")

    def __init__(
        self,
        source: Exchange,
        destination: Destination,
        routing_key: str,
        arguments: Mapping[str, Any],
    ) -> None:
        self.source: Exchange = source
        self.destination: Destination = destination
        self.routing_key: str = routing_key
        self.arguments: dict[str, Any] = dict(arguments)
        ordered = {name: arguments[name] for name in sorted(arguments)}
        self.key: BindingKey = BindingKey(destination, routing_key, encode_table(ordered))


class Exchange(Destination, ABC):
    """The base of all types of exchanges.

    Attributes:
        name: Its name; empty for the default exchange.
        durable, auto_delete, internal, arguments: As declared.
        alternate_exchange: The exchange that gets what this one cannot route; the virtual host
            sets it, from an argument or a policy.
        bindings: The bindings that lead away from it, by key.
        incoming: The bindings that lead to it.
    """

    type: ClassVar[str]
    description: ClassVar[str]
    """The description of the type in RabbitMQ's management API."""
    routes_by_key_only: bool = True
    """Whether only the routing keys decide, so that a route can be remembered."""

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
        self.arguments: dict[str, Any] = dict(arguments or {})
        self.alternate_exchange: str | None = None
        self.bindings: dict[BindingKey, Binding] = {}
        self.incoming: dict[Binding, None] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @property
    def delayed_count(self) -> int:
        """How many messages wait in it."""
        return 0

    def delayed_messages(self) -> Iterable[Message]:
        """Return the messages that wait in it."""
        return ()

    @classmethod
    def validate_arguments(cls, arguments: Mapping[str, Any], find_type: FindType) -> None:
        """Check the arguments of an exchange that is about to be created.

        Args:
            arguments: The arguments.
            find_type: Returns the class of a type; raises ProtocolError if there is no such type.

        Raises:
            ProtocolError: An argument is missing or invalid.
        """

    def attach(self, host: ExchangeHost) -> None:
        """Set the virtual host that the exchange belongs to."""

    def copy_messages(self, source: Self, copying: Copying) -> None:
        """Take copies of the messages that wait in another exchange of the same type."""

    def stop_timers(self) -> None:
        """Cancel all timers: the broker stops."""

    def validate_binding(
        self, destination: Destination, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        """Check a binding that is about to be created.

        Raises:
            ProtocolError: 406, this type of exchange cannot use the binding.
        """

    def add_binding(self, binding: Binding) -> None:
        """Add a new binding."""
        self.bindings[binding.key] = binding

    def remove_binding(self, binding: Binding) -> None:
        """Remove a binding."""
        del self.bindings[binding.key]

    @abstractmethod
    def matching(self, message: Message) -> Iterable[Binding]:
        """Find the bindings that a message matches; a binding may be found more than once."""
