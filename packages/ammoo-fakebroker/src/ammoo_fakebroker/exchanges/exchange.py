"""What all exchanges have in common, and the bindings that lead away from them.

An exchange knows its bindings and which of their destinations a message matches. It does not know
what a destination does with a message: following messages through exchanges bound to exchanges,
and through alternate exchanges, is the virtual host's work (`node/virtual_host.py`).
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
"""Returns the type of exchanges of a name, or raises the ProtocolError that there is none."""


class Destination:
    """What a binding can lead to: a queue or another exchange.

    Attributes:
        name: Its name.
        queue_type: Its type if it is a queue; empty for an exchange.
        incoming: The bindings that lead to it.
    """

    name: str
    queue_type: ClassVar[str] = ""
    incoming: dict[Binding, None]


class BindingKey(NamedTuple):
    """What makes two bindings of an exchange the same one."""

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
        bindings: Those that have it as their source.
        incoming: Those that have it as their destination.
    """

    type: ClassVar[str]
    description: ClassVar[str]
    """What RabbitMQ's management API says of the type."""
    routes_by_key_only: bool = True
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

    @classmethod
    def validate_arguments(cls, arguments: Mapping[str, Any], find_type: FindType) -> None:
        """Check the arguments of an exchange that is about to be created.

        Args:
            arguments: The arguments.
            find_type: Returns the type of a name, or raises that there is none.

        Raises:
            ProtocolError: An argument is missing or invalid.
        """

    def attach(self, host: ExchangeHost) -> None:
        """Belong to a virtual host from now on."""

    def copy_messages(self, source: Self, copying: Copying) -> None:
        """Take copies of the messages that wait in another exchange of the same type."""

    def stop_timers(self) -> None:
        """Stop all timers: the broker stops."""

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
