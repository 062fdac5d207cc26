"""The conditions that tests wait for: messages, consumers, connections, events, or a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..history.near_misses import describe_near_misses, describe_other_kinds
from ..history.queries import Found, Query, describe_loss, find, find_of_other_kinds
from ..network.idleness import busy_with
from ..predicates import result_of
from ..state_queries import Look
from .failures import (
    describe_connections,
    describe_queues,
    explain_connections,
    explain_consumers,
    explain_messages,
    summarize_node,
)
from .waiters import PENDING, Impossible

if TYPE_CHECKING:
    from ..history.recorder import Recorder
    from ..network.server import Server
    from ..node.node import Node
    from ..queues.queue import Queue
    from ..snapshots import ConnectionSnapshot, MessageSnapshot, QueueSnapshot

__all__ = [
    "ConnectionsOpen",
    "ConsumersStarted",
    "EventsHappened",
    "FunctionIsTrue",
    "IsIdle",
    "MessagesReady",
]


class _OfQueue:
    """A condition of a queue. The queue need not be declared yet; if it is deleted, the wait fails."""

    def __init__(self, node: Node, queue_name: str, virtualhost: str, count: int) -> None:
        self._node = node
        self._queue_name = queue_name
        self._virtualhost = virtualhost
        self._count = count
        self._was_there = False

    def _queue(self) -> Queue | None:
        """Return the queue, or None if it was not declared yet.

        Raises:
            Impossible: It was deleted.
        """
        queue = self._node.virtualhost(self._virtualhost).queues.get(self._queue_name)
        if queue is None and self._was_there:
            raise Impossible(self._explain("when it was deleted"))
        self._was_there = queue is not None
        return queue

    def explain(self, timeout: float) -> str:
        """Return why the condition is not met after so many seconds."""
        return self._explain(f"after {timeout:g} s")

    def _explain(self, when: str) -> str:
        raise NotImplementedError


class MessagesReady(_OfQueue):
    """At least so many messages are ready in a queue."""

    def check(self) -> list[MessageSnapshot] | object:
        """Return the messages if there are enough."""
        queue = self._queue()
        if queue is None or queue.message_count < self._count:
            return PENDING
        return Look(self._node).messages(self._queue_name, self._virtualhost)

    def _explain(self, when: str) -> str:
        return explain_messages(
            self._node, self._queue_name, self._virtualhost, awaited=self._count, when=when
        )


class ConsumersStarted(_OfQueue):
    """A queue has at least so many consumers."""

    def check(self) -> QueueSnapshot | object:
        """Return the queue if it has enough consumers."""
        queue = self._queue()
        if queue is None or len(queue.consumers) < self._count:
            return PENDING
        return Look(self._node).queue(self._queue_name, self._virtualhost)

    def _explain(self, when: str) -> str:
        return explain_consumers(
            self._node, self._queue_name, self._virtualhost, awaited=self._count, when=when
        )


class ConnectionsOpen:
    """At least so many connections are open."""

    def __init__(self, node: Node, count: int) -> None:
        self._node = node
        self._count = count

    def check(self) -> tuple[ConnectionSnapshot, ...] | object:
        """Return the connections if there are enough."""
        connections = Look(self._node).connections
        return connections if len(connections) >= self._count else PENDING

    def explain(self, timeout: float) -> str:
        """Return why the condition is not met after so many seconds."""
        return explain_connections(self._node, awaited=self._count, timeout=timeout)


class FunctionIsTrue:
    """A function of the test returns something true.

    A LookupError that it raises means that the object it looks for does not exist yet.
    """

    def __init__(self, node: Node, function: Callable[[Look], Any]) -> None:
        self._node = node
        self._function = function
        self._last: object = None

    def check(self) -> Any:
        """Return what the function returns, if that is true."""
        try:
            self._last = result = result_of(self._function, Look(self._node))
        except LookupError as error:
            self._last = error
            return PENDING
        return result or PENDING

    def explain(self, timeout: float) -> str:
        """Return the text of a failure, with the last value of the function."""
        verb = "raised" if isinstance(self._last, LookupError) else "returned"
        name = getattr(self._function, "__name__", repr(self._function))
        name = "the function" if name == "<lambda>" else f"{name}()"
        return (
            f"after {timeout:g} s {name} still {verb} {self._last!r}"
            f"\n  now: {summarize_node(self._node)}{describe_connections(self._node)}"
            f"{describe_queues(self._node)}"
        )


class IsIdle:
    """The broker has been idle for some time.

    Args:
        server: The broker's server.
        quiet_for: How long the broker must be idle, in seconds of the event loop.
        later: Schedules another check in so many seconds.
    """

    def __init__(self, server: Server, quiet_for: float, later: Callable[[float], object]) -> None:
        self._server = server
        self._quiet_for = quiet_for
        self._later = later
        self._activity = server.activity
        self._quiet_since = server.loop.time()
        self._due = 0.0

    def check(self) -> bool | object:
        """Return True if the broker has been idle for long enough; else schedule another check."""
        now = self._server.loop.time()
        activity = self._server.activity
        if activity != self._activity or busy_with(self._server) is not None:
            self._activity, self._quiet_since = activity, now
        remaining = self._quiet_since + self._quiet_for - now
        if remaining <= 0:
            return True
        if self._due <= now:
            self._due = now + remaining
            self._later(remaining)
        return PENDING

    def explain(self, timeout: float) -> str:
        """Return what the broker still does."""
        reason = busy_with(self._server) or "clients are sending"
        return (
            f"the broker was not idle for {self._quiet_for:g} s within {timeout:g} s: {reason}"
            f"\n  now: {summarize_node(self._server.node)}"
        )


class EventsHappened:
    """A query finds at least so many events."""

    def __init__(self, node: Node, recorder: Recorder, query: Query, count: int) -> None:
        self._node = node
        self._recorder = recorder
        self._query = query
        self._count = count
        self._seen = query.since
        self._matching = 0

    def check(self) -> Found | object:
        """Return the events if there are enough; only new ones are compared."""
        since, self._seen = self._seen, self._recorder.total
        for event in self._recorder.events(since, self._query.kinds):
            self._matching += self._query.matches(event)
        return find(self._recorder, self._query) if self._matching >= self._count else PENDING

    def explain(self, timeout: float) -> str:
        """Return which events came closest."""
        found = find(self._recorder, self._query)
        loss = f"\n  others may have matched: {describe_loss(found)}" if found.is_lost else ""
        others = () if self._matching else find_of_other_kinds(self._recorder, self._query)
        return (
            f"{self._query.describe(self._matching)} after {timeout:g} s; {self._count} awaited"
            f"{loss}{describe_other_kinds(others)}{describe_near_misses(found.candidates, self._query)}"
            f"\n  now: {summarize_node(self._node)}"
        )
