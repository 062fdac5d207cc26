"""The state of a broker at one moment, as a test sees it.

A `Look` reads the node, in the broker's thread. `FakeBroker` looks once for each of its methods;
`FakeBroker.look` keeps the whole state: all parts of such a look are of the same moment.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from .attribute_names import names_attributes
from .call_checks import checks_arguments
from .node.node import DEFAULT_VIRTUALHOST, Node
from .queues.queue import Queue
from .snapshots import (
    ConnectionSnapshot,
    ExchangeSnapshot,
    MessageSnapshot,
    QueueSnapshot,
    snapshot_connection,
    snapshot_exchange,
    snapshot_message,
    snapshot_queue,
    snapshot_unacked,
)

__all__ = ["Look", "StateQueries", "keep"]

_Result = TypeVar("_Result")
_Found = TypeVar("_Found")

_NAMED = 10
"""The number of queues that an error names."""


@names_attributes
@checks_arguments
class Look:
    """The state of the broker at one moment.

    `FakeBroker.look` returns one, and `FakeBroker.wait_until` passes one to its function.
    """

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def virtualhosts(self) -> tuple[str, ...]:
        """The names of all virtual hosts."""
        return tuple(self._node.virtualhosts)

    @property
    def connections(self) -> tuple[ConnectionSnapshot, ...]:
        """The open connections, oldest first."""
        connections = self._node.connections
        return tuple(snapshot_connection(each) for each in connections if each.is_open)

    def queues(self, virtualhost: str = DEFAULT_VIRTUALHOST) -> dict[str, QueueSnapshot]:
        """Return all queues of a virtual host by name.

        Args:
            virtualhost: The name of the virtual host.

        Raises:
            LookupError: There is no such virtual host.
        """
        queues = self._node.virtualhost(virtualhost).queues
        return {name: snapshot_queue(queue) for name, queue in queues.items()}

    def queue(self, name: str, virtualhost: str = DEFAULT_VIRTUALHOST) -> QueueSnapshot:
        """Return a queue.

        Args:
            name: The name of the queue.
            virtualhost: The name of its virtual host.

        Raises:
            LookupError: There is no such queue, or no such virtual host.
        """
        queues = self._node.virtualhost(virtualhost).queues
        return snapshot_queue(_named(queues, name, virtualhost))

    def messages(
        self,
        queue_name: str,
        virtualhost: str = DEFAULT_VIRTUALHOST,
        *,
        including_unacknowledged: bool = False,
    ) -> list[MessageSnapshot]:
        """Return the messages that are ready in a queue, in order; they stay there.

        Args:
            queue_name: The name of the queue.
            virtualhost: The name of its virtual host.
            including_unacknowledged: Whether to return the messages that clients hold, too, in
                front of those that are ready. False by default.

        Raises:
            LookupError: There is no such queue, or no such virtual host.
        """
        queue = _named(self._node.virtualhost(virtualhost).queues, queue_name, virtualhost)
        ready = [snapshot_message(queued) for queued in queue.ready_messages()]
        return [*self._with_clients(queue), *ready] if including_unacknowledged else ready

    def _with_clients(self, queue: Queue) -> Iterator[MessageSnapshot]:
        """Yield the messages of a queue that clients hold and have not settled."""
        for connection in self._node.connections:
            for channel in connection.all_channels():
                for tag, unacked in channel.all_unacked().items():
                    if unacked.queue is queue:
                        yield snapshot_unacked(unacked, connection, channel.number, tag)

    def exchanges(self, virtualhost: str = DEFAULT_VIRTUALHOST) -> dict[str, ExchangeSnapshot]:
        """Return all exchanges of a virtual host by name.

        Args:
            virtualhost: The name of the virtual host.

        Raises:
            LookupError: There is no such virtual host.
        """
        exchanges = self._node.virtualhost(virtualhost).exchanges
        return {name: snapshot_exchange(exchange) for name, exchange in exchanges.items()}


class _KeptLook(Look):
    """A look that shares no data with the broker: any thread may read it later."""

    def __init__(self, look: Look) -> None:
        names = look.virtualhosts
        self._virtualhosts = names
        self._connections = look.connections
        self._queues = {name: look.queues(name) for name in names}
        self._exchanges = {name: look.exchanges(name) for name in names}
        self._messages = {
            name: {
                queue_name: look.messages(queue_name, name, including_unacknowledged=True)
                for queue_name in queues
            }
            for name, queues in self._queues.items()
        }

    @property
    def virtualhosts(self) -> tuple[str, ...]:
        return self._virtualhosts

    @property
    def connections(self) -> tuple[ConnectionSnapshot, ...]:
        return self._connections

    def queues(self, virtualhost: str = DEFAULT_VIRTUALHOST) -> dict[str, QueueSnapshot]:
        return dict(_of_virtualhost(self._queues, virtualhost))

    def queue(self, name: str, virtualhost: str = DEFAULT_VIRTUALHOST) -> QueueSnapshot:
        return _named(_of_virtualhost(self._queues, virtualhost), name, virtualhost)

    def messages(
        self,
        queue_name: str,
        virtualhost: str = DEFAULT_VIRTUALHOST,
        *,
        including_unacknowledged: bool = False,
    ) -> list[MessageSnapshot]:
        messages = _named(_of_virtualhost(self._messages, virtualhost), queue_name, virtualhost)
        return [each for each in messages if including_unacknowledged or each.connection is None]

    def exchanges(self, virtualhost: str = DEFAULT_VIRTUALHOST) -> dict[str, ExchangeSnapshot]:
        return dict(_of_virtualhost(self._exchanges, virtualhost))


def keep(look: Look) -> Look:
    """Return a look with a copy of the whole state, which any thread may read at any time."""
    return _KeptLook(look)


def _named(queues: Mapping[str, _Found], name: str, virtualhost: str) -> _Found:
    try:
        return queues[name]
    except KeyError:
        names = ", ".join(map(repr, list(queues)[:_NAMED]))
        more = " and others" if len(queues) > _NAMED else ""
        there = f"there are {names}{more}" if queues else "there are no queues"
        raise LookupError(
            f"the broker has no queue {name!r} in virtual host {virtualhost!r}; {there}"
        ) from None


def _of_virtualhost(found: Mapping[str, _Found], name: str) -> _Found:
    try:
        return found[name]
    except KeyError:
        raise LookupError(
            f"the broker has no virtual host {name!r}; FakeBroker.add_virtualhost adds one"
        ) from None


@checks_arguments
class StateQueries(ABC):
    """The methods that look at a broker and change nothing.

    In another thread than the broker's, each first lets the broker execute the commands that clients
    have sent.

    Attributes:
        _node: The node that they look at.
    """

    _node: Node

    @abstractmethod
    def _call(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the broker's thread, and return its result."""

    def look(self) -> Look:
        """Return the whole state of the broker at this moment; the look never changes.

        Two calls of other methods, one after the other, may show a message in two queues, or in none.
        """
        return self._call(lambda: keep(Look(self._node)))

    @property
    def virtualhosts(self) -> tuple[str, ...]:
        """The names of all virtual hosts."""
        return self._call(lambda: Look(self._node).virtualhosts)

    @property
    def connections(self) -> tuple[ConnectionSnapshot, ...]:
        """The open connections, oldest first."""
        return self._call(lambda: Look(self._node).connections)

    def queues(self, virtualhost: str = DEFAULT_VIRTUALHOST) -> dict[str, QueueSnapshot]:
        """Return all queues of a virtual host by name.

        Args:
            virtualhost: The name of the virtual host.

        Raises:
            LookupError: There is no such virtual host.
        """
        return self._call(lambda: Look(self._node).queues(virtualhost))

    def queue(self, name: str, virtualhost: str = DEFAULT_VIRTUALHOST) -> QueueSnapshot:
        """Return a queue.

        Args:
            name: The name of the queue.
            virtualhost: The name of its virtual host.

        Raises:
            LookupError: There is no such queue, or no such virtual host.
        """
        return self._call(lambda: Look(self._node).queue(name, virtualhost))

    def messages(
        self,
        queue_name: str,
        virtualhost: str = DEFAULT_VIRTUALHOST,
        *,
        including_unacknowledged: bool = False,
    ) -> list[MessageSnapshot]:
        """Return the messages that are ready in a queue, in order; they stay there.

        Args:
            queue_name: The name of the queue.
            virtualhost: The name of its virtual host.
            including_unacknowledged: Whether to return the messages that clients hold, too, in
                front of those that are ready. False by default.

        Raises:
            LookupError: There is no such queue, or no such virtual host.
        """
        return self._call(
            lambda: Look(self._node).messages(
                queue_name, virtualhost, including_unacknowledged=including_unacknowledged
            )
        )

    def exchanges(self, virtualhost: str = DEFAULT_VIRTUALHOST) -> dict[str, ExchangeSnapshot]:
        """Return all exchanges of a virtual host by name.

        Args:
            virtualhost: The name of the virtual host.

        Raises:
            LookupError: There is no such virtual host.
        """
        return self._call(lambda: Look(self._node).exchanges(virtualhost))
