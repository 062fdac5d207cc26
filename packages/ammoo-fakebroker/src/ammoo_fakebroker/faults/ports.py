"""What a fault asks of its broker."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from ammoo_wire import Command

    from ..connections.connection import Connection
    from ..connections.octet_path import OctetPath
    from ..messages.message import QueuedMessage
    from ..node.node import Node
    from ..queues.consumers import Consumer

__all__ = ["FaultHost", "FaultyClient", "FaultyNetwork"]

_Result = TypeVar("_Result")


class FaultyClient(Protocol):
    """What a fault asks of a client's socket."""

    @property
    def connection(self) -> Connection:
        """The connection of the client."""
        ...

    @property
    def path(self) -> OctetPath:
        """The path of the client's octets."""
        ...

    def leave_path(self) -> None:
        """Move octets directly again, if no fault stands on their path."""

    def stop_reading(self, *, is_stopped: bool) -> None:
        """Read nothing from the socket, or read again."""

    def cut(self, *, reset: bool) -> None:
        """Write the queued octets and close the socket, without a connection.close."""


class FaultyNetwork(Protocol):
    """What faults ask of the server."""

    refuses_connections: bool
    """Whether a fault has stopped it from listening."""

    @property
    def clients(self) -> Collection[FaultyClient]:
        """The clients whose sockets are open."""
        ...


class FaultHost(Protocol):
    """What a fault asks of its broker."""

    @property
    def node(self) -> Node:
        """The broker's node."""
        ...

    def call(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the broker's thread, and return its result."""
        ...

    def wait_until(
        self, function: Callable[[], bool], timeout: float, failure: Callable[[], str]
    ) -> None:
        """Wait until a function is true; it is called in the broker's thread."""

    async def wait_until_async(
        self, function: Callable[[], bool], seconds: float, failure: Callable[[], str]
    ) -> None:
        """Do the same without stopping the event loop."""

    def clients(self) -> list[FaultyClient]:
        """Return the clients whose sockets are open."""
        ...

    def stop_listening(self) -> None:
        """Refuse clients, and keep the port."""

    def listen(self) -> None:
        """Accept clients again, unless another fault or the broker refuses them."""

    def open_connections(self) -> list[Connection]:
        """Return the connections that are open."""
        ...

    def deliver_unstruck(self, consumer: Consumer, queued: QueuedMessage) -> None:
        """Deliver a message that a fault has kept; no fault strikes it again."""

    def execute_unstruck(self, connection: Connection, command: Command) -> None:
        """Execute a command that a fault has kept; no fault strikes it again."""

    def end(self, fault: Any) -> None:
        """End a fault, in the broker's thread."""

    def struck(self, fault: Any, occasion: Any) -> None:
        """Record that a fault struck."""

    def failed(self, fault: Any) -> None:
        """Record that a function of a fault has raised an error."""
