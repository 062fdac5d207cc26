"""What a fault asks of the broker that it is in force in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from ammoo_wire import Command

    from ..connections.connection import Connection
    from ..messages.message import QueuedMessage
    from ..node.node import Node
    from ..queues.consumers import Consumer

__all__ = ["FaultHost"]

_Result = TypeVar("_Result")


class FaultHost(Protocol):
    """What a fault asks of the broker that it is in force in."""

    @property
    def node(self) -> Node:
        """The broker's node."""
        ...

    def call(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the broker's thread, and return its result."""
        ...

    def look(self, function: Callable[[], _Result]) -> _Result:
        """Do the same, when all that clients have sent so far is executed."""
        ...

    def wait_until(
        self, function: Callable[[], bool], timeout: float, failure: Callable[[], str]
    ) -> None:
        """Wait until a function is true; it is called in the broker's thread."""

    def open_connections(self) -> list[Connection]:
        """Return the connections that are open."""
        ...

    def deliver_unstruck(self, consumer: Consumer, queued: QueuedMessage) -> None:
        """Deliver a message that a fault has kept; no fault strikes it again."""

    def execute_unstruck(self, connection: Connection, command: Command) -> None:
        """Execute a command that a fault has kept; no fault strikes it again."""

    def end(self, fault: Any) -> None:
        """Take a fault out of force, in the broker's thread."""

    def struck(self, fault: Any, occasion: Any) -> None:
        """Record that a fault struck."""
