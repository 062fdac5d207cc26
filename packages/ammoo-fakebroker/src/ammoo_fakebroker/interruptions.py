"""Blocking, closing and cutting a broker's connections at once, as an operator or a network does.

Each call takes effect at once; a fault of `faults/` waits for traffic.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Self, TypeVar

from .call_checks import checks_arguments
from .faults.occasions import is_chosen
from .faults.options import check_scope
from .function_errors import ErrorsPassedTo
from .network.server import Server
from .node.node import MEMORY_LIMIT, Node
from .rabbitmq import errors
from .snapshots import ConnectionSnapshot

if TYPE_CHECKING:
    from types import TracebackType

    from .faults.options import ConnectionChoice
    from .network.client_socket import ClientSocket

__all__ = ["Alarm", "Interruptions"]

_Result = TypeVar("_Result")
_numbers = count(1)


class Alarm:
    """An alarm; `FakeBroker.block` returns it. As a context manager it is cleared at the end."""

    def __init__(self, clear: Callable[[], None]) -> None:
        self._clear = clear

    def clear(self) -> None:
        """Clear the alarm; without any alarm, connections are unblocked (connection.unblocked)."""
        self._clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._clear()


@checks_arguments
class Interruptions(ABC):
    """The methods that block, close and cut connections at once.

    Attributes:
        _node: The broker's node.
        _server: The broker's server.
        _alarm_errors: What functions that choose connections for an alarm have raised.
    """

    _node: Node
    _server: Server
    _alarm_errors: dict[str, None]

    @abstractmethod
    def _call(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the broker's thread, and return its result."""

    @abstractmethod
    def _change(self, function: Callable[[], _Result]) -> _Result:
        """Do the same with a function that changes the broker; raise if the broker was stopped."""

    @abstractmethod
    def _check_running(self) -> None:
        """Raise a RuntimeError if the broker does not run."""

    def block(
        self, reason: str = "low on memory", *, connection: ConnectionChoice | None = None
    ) -> Alarm:
        """Raise an alarm: connections that publish are blocked (connection.blocked).

        Several alarms can be in force at once, as RabbitMQ's memory and disk alarms can; a blocked
        connection gets only the first reason.
        See https://www.rabbitmq.com/docs/connection-blocked

        Example::

            with broker.block():
                ...  # publishers wait

        Args:
            reason: The reason in connection.blocked; RabbitMQ's are ``low on memory`` and
                ``low on disk``, and ``low on disk & memory`` when both are in force.
            connection: Which connections to block: a name of RabbitMQ's or the client's, a compiled
                regular expression for a name, a snapshot, or a function that is called with a
                snapshot. None, the default, for all, as RabbitMQ does.

        Returns:
            The alarm, in force until its block ends, or until `Alarm.clear` or `unblock`.
        """

        check_scope({"connection": connection})

        source = f"block {next(_numbers)}"
        concerns = None if connection is None else partial(self._blocks, choice=connection)
        self._change(lambda: self._node.raise_alarm(reason, source=source, concerns=concerns))
        return Alarm(lambda: self._call(lambda: self._node.clear_alarm(source)))

    def _blocks(self, client: object, choice: ConnectionChoice) -> bool:
        """Return whether an alarm concerns a connection; not if a function of the test raises."""

        def record(error: BaseException) -> None:
            name = getattr(choice, "__name__", repr(choice))
            self._alarm_errors[
                f"the function {name} of block() raised {type(error).__name__}: {error}"
            ] = None

        with ErrorsPassedTo(record):
            return is_chosen(client, choice)
        return False

    def unblock(self, reason: str | None = None) -> None:
        """Clear alarms; without any alarm, connections are unblocked (connection.unblocked).

        Args:
            reason: The reason with which an alarm was raised; None for all alarms of `block`.
        """
        self._call(lambda: self._clear_alarms(reason))

    def _clear_alarms(self, reason: str | None) -> None:
        for source in self._node.alarms.sources_of(reason):
            if source != MEMORY_LIMIT:
                self._node.clear_alarm(source)

    def close_connection(self, name: str, reason: str = "closed by the test") -> None:
        """Close the connections of a name as an operator does (320, CONNECTION_FORCED).

        Args:
            name: The `name` of a connection's snapshot in `connections`, which is unique, or the
                ``connection_name`` among the client's properties, which several connections can
                share.
            reason: The reply text of connection.close.

        Raises:
            LookupError: No open connection has that name.
            RuntimeError: The broker does not run.
        """
        self._check_running()
        self._call(lambda: self._node.close_connection(name, reason))

    def close_connections(
        self,
        reason: str = "closed by the test",
        *,
        connection: ConnectionChoice | None = None,
    ) -> None:
        """Close connections as an operator does (320, CONNECTION_FORCED).

        Args:
            reason: The reply text of connection.close.
            connection: Which connections, as for `block`; None for all.

        Raises:
            LookupError: `connection` chooses none of the open connections.
            RuntimeError: The broker does not run.
        """
        check_scope({"connection": connection})
        self._check_running()
        if connection is None:
            self._call(lambda: self._node.close_connections(reason))
        else:
            self._call(lambda: self._close_chosen(reason, connection))

    def _close_chosen(self, reason: str, choice: ConnectionChoice) -> None:
        clients = [each for each in self._server.clients if each.connection.is_open]
        for client in self._chosen(choice, clients):
            client.connection.close(errors.closed_by_operator(reason))

    def _chosen(
        self, choice: ConnectionChoice, clients: Iterable[ClientSocket]
    ) -> list[ClientSocket]:
        """Return those of some clients whose connections a test has chosen.

        Raises:
            LookupError: There is none: with a misspelt name, nothing would happen.
        """
        chosen = [client for client in clients if is_chosen(client.connection, choice)]
        if not chosen:
            raise LookupError(
                f"the broker has no connection {_described(choice)};"
                f" {self._node.describe_connections()}"
            )
        return chosen

    def cut_connections(self, *, connection: ConnectionChoice | None = None) -> None:
        """Close sockets without a connection.close, as a failing network does.

        Example::

            broker.cut_connections(connection="worker")

        Args:
            connection: Which connections, as for `block`; None for all.

        Raises:
            LookupError: `connection` chooses none of the open connections.
            RuntimeError: The broker does not run.
        """
        check_scope({"connection": connection})
        self._check_running()
        self._call(lambda: self._cut(connection))

    def _cut(self, choice: ConnectionChoice | None) -> None:
        clients = list(self._server.clients)
        for client in clients if choice is None else self._chosen(choice, clients):
            client.abort()


def _described(choice: ConnectionChoice) -> str:
    """Return which connection a test has chosen, for the text of an error."""
    if isinstance(choice, str):
        return repr(choice)
    if isinstance(choice, re.Pattern):
        return f"with a name that matches {choice.pattern!r}"
    if isinstance(choice, ConnectionSnapshot):
        return f"{choice.name!r} any more"
    return "that the function accepts"
