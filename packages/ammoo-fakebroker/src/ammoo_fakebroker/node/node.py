"""The node: the virtual hosts, users, connections and alarms of one broker.

It is synchronous, and knows neither sockets nor event loops; its clocks are passed to it.
`network/` listens for it; `broker.py` is the object that users hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from ..auth.login import MECHANISMS
from ..auth.users import User, Users, is_reached
from ..clocks.clock import Clock
from ..exchanges.plugins import check_plugins
from ..rabbitmq import errors
from ..rabbitmq.profiles import Profile
from .alarms import Alarms
from .limits import Limits
from .memory_alarm import MemoryWatch
from .virtual_host import VirtualHost

if TYPE_CHECKING:
    from ..history.ports import EventRecorder
    from ..history.recorder import Recorder
    from ..queues.queue import Queue
    from .ports import Client, ReplyReceiver

__all__ = ["MEMORY_LIMIT", "Node"]

MEMORY_LIMIT = "memory limit"
"""The source of the alarm that the node raises itself."""

DEFAULT_VIRTUALHOST = "/"


class Node:
    """One RabbitMQ node, as far as AMQP 0-9-1 shows it.

    Attributes:
        profile: The RabbitMQ release that it imitates.
        clock: The time in which messages and queues expire.
        network_clock: The time of heartbeats and connection time-outs. It is real by default, even
            if a test moves `clock`, because clients send heartbeats in real time.
        limits: What it proposes to clients, and how long it waits for them.
        mechanisms: The names of the SASL mechanisms that it offers.
        plugins: The names of the plugins that are enabled.
        users: The users that can log in.
        virtualhosts: The virtual hosts by name.
        connections: The connections whose sockets are open.
        reply_consumers: The consumers of direct replies, by their generated names.
        is_down: Whether it is between two starts, and serves no client.
        alarms: The reasons why publishers are blocked.
        memory: The count of the memory that messages take; it raises the memory alarm.
        recorder: What records events: the history, statistics or both; None for neither.
        history: The history, for those who read it; None if it is off.
        counts_octets: Whether connections count their octets, for statistics.
    """

    def __init__(
        self,
        profile: Profile,
        clock: Clock,
        *,
        network_clock: Clock | None = None,
        real_clock: Clock | None = None,
        limits: Limits | None = None,
        mechanisms: Collection[str] | None = None,
        cluster_name: str = "rabbit@localhost",
        loopback_users: Collection[str] = ("guest",),
        plugins: Collection[str] = (),
        recorder: EventRecorder | None = None,
        history: Recorder | None = None,
        counts_octets: bool = False,
    ) -> None:
        self.profile = profile
        self.recorder: EventRecorder | None = recorder
        self.history: Recorder | None = history
        self.counts_octets: bool = counts_octets
        self.clock = clock
        self.network_clock: Clock = network_clock or clock
        self.limits: Limits = limits or Limits(max_message_size=profile.max_message_size)
        if isinstance(mechanisms, str):
            raise TypeError(f"mechanisms is {mechanisms!r}; expected a list of names")
        self.mechanisms: tuple[str, ...] = tuple(mechanisms or profile.mechanisms)
        unknown = [name for name in self.mechanisms if name not in MECHANISMS]
        if unknown:
            raise ValueError(
                f"mechanisms has {unknown[0]!r}; expected some of {', '.join(MECHANISMS)}"
            )
        self.cluster_name = cluster_name
        self.users: Users = Users(loopback_users)
        self.plugins: frozenset[str] = check_plugins(plugins)
        self.virtualhosts: dict[str, VirtualHost] = {}
        self.connections: dict[Client, None] = {}
        self.reply_consumers: dict[str, ReplyReceiver] = {}
        self.global_parameters: dict[str, Any] = {"cluster_name": cluster_name}
        if profile.clusters_have_tags:
            self.global_parameters["cluster_tags"] = []
        self.is_down: bool = False
        self.alarms: Alarms = Alarms()
        self.memory: MemoryWatch = MemoryWatch(
            self.limits.memory_limit,
            real_clock or self.network_clock,
            count=self.memory_size,
            raise_alarm=lambda: self.raise_alarm("low on memory", source=MEMORY_LIMIT),
            clear_alarm=lambda: self.clear_alarm(MEMORY_LIMIT),
        )
        guest = self.users.add("guest", "guest")
        guest.grant_all(DEFAULT_VIRTUALHOST)
        guest.tags = ("administrator",)
        self._add_default_virtualhost()

    # -- virtual hosts and users ---------------------------------------------------------------

    def add_virtualhost(self, name: str, default_queue_type: str | None = None) -> VirtualHost:
        """Create a virtual host, without permissions, or return the existing one."""
        virtualhost = self.virtualhosts.get(name)
        if virtualhost is None:
            virtualhost = VirtualHost(
                name,
                self.profile,
                self.clock,
                default_queue_type=default_queue_type,
                consumer_timeout=lambda: self.limits.consumer_timeout,
                recorder=self.recorder,
                plugins=self.plugins,
            )
            self.virtualhosts[name] = virtualhost
        return virtualhost

    def _add_default_virtualhost(self) -> None:
        virtualhost = self.add_virtualhost(DEFAULT_VIRTUALHOST)
        virtualhost.description = "Default virtual host"
        if self.profile.has_log_exchange:
            virtualhost.create_exchange("amq.rabbitmq.log", "topic", durable=True, internal=True)

    def virtualhost(self, name: str) -> VirtualHost:
        """Return a virtual host.

        Raises:
            LookupError: There is no such virtual host.
        """
        try:
            return self.virtualhosts[name]
        except KeyError:
            raise LookupError(
                f"the broker has no virtual host {name!r}; FakeBroker.add_virtualhost adds one"
            ) from None

    def delete_virtualhost(self, name: str) -> None:
        """Delete a virtual host, all that is in it, and its permissions; close its connections.

        Raises:
            LookupError: There is no such virtual host.
        """
        virtualhost = self.virtualhost(name)
        del self.virtualhosts[name]
        self.users.forget_virtualhost(name)
        for queue in list(virtualhost.queues.values()):
            virtualhost.delete_queue(queue)  # before the close, because it notifies consumers
        error = errors.virtualhost_deleted(name, self.profile.deleted_virtualhost_word)
        for connection in self._open_connections():
            if connection.virtualhost is virtualhost:
                connection.close(error)
        if self.recorder is not None:
            self.recorder.virtualhost_deleted(name)

    def delete_user(self, name: str) -> None:
        """Delete a user, and close the user's connections.

        Raises:
            LookupError: There is no such user.
        """
        user = self.users.remove(name)
        for connection in self._open_connections():
            if connection.user is user:
                connection.close(errors.user_deleted(name))

    def open_virtualhost(self, name: str, user: User) -> VirtualHost:
        """Return the virtual host that a user opens (connection.open).

        Raises:
            ProtocolError: 530, there is no such virtual host, there are too many connections, or
                the user has no permissions in it.
        """
        virtualhost = self.virtualhosts.get(name)
        if virtualhost is None:
            raise errors.virtualhost_not_found(name)
        self._check_connection_limits(virtualhost, user)
        if name not in user.permissions:
            raise errors.virtualhost_refused(name, user.name)
        return virtualhost

    def _open_connections(self) -> list[Client]:
        return [connection for connection in self.connections if connection.is_open]

    def _check_connection_limits(self, virtualhost: VirtualHost, user: User) -> None:
        limit = virtualhost.limits.max_connections
        if limit is not None and is_reached(limit, len(self._connections_to(virtualhost))):
            raise errors.too_many_connections_to_virtualhost(virtualhost.name, user.name, limit)
        limit = user.limits.max_connections
        if limit is not None and is_reached(limit, len(self._connections_of(user))):
            raise errors.too_many_connections_of_user(user.name, limit)

    def has_reached_max_channels(self, user: User) -> bool:
        """Return whether a user has as many channels, on all connections together, as allowed."""
        if user.limits.max_channels is None:
            return False
        count = sum(len(connection.channels) for connection in self._connections_of(user))
        return is_reached(user.limits.max_channels, count)

    def _connections_of(self, user: User) -> list[Client]:
        return [each for each in self._open_connections() if each.user is user]

    def _connections_to(self, virtualhost: VirtualHost) -> list[Client]:
        return [each for each in self._open_connections() if each.virtualhost is virtualhost]

    # -- alarms and the end --------------------------------------------------------------------

    def raise_alarm(
        self,
        reason: str,
        *,
        source: str,
        concerns: Callable[[object], bool] | None = None,
    ) -> None:
        """Block connections that publish (connection.blocked).

        Args:
            reason: The reason in connection.blocked.
            source: The name by which the alarm is cleared. Alarms of other sources are independent.
            concerns: Returns whether the alarm concerns a connection; None for all connections.
        """
        self.alarms.raise_(source, reason, concerns)

    def clear_alarm(self, source: str) -> None:
        """Clear an alarm; unblock the connections that no other alarm concerns."""
        was_raised = self.alarms.reason is not None
        self.alarms.clear(source)
        if was_raised:
            for connection in list(self.connections):
                if self.alarms.reason_for(connection) is None:
                    connection.unblock()

    def memory_size(self) -> int:
        """Return about how much memory the node's messages take, in octets."""
        queues = sum(
            queue.memory_size()
            for virtualhost in self.virtualhosts.values()
            for queue in virtualhost.queues.values()
        )
        return queues + sum(client.memory_size() for client in self.connections)

    def close_connection(self, name: str, reason: str) -> None:
        """Close the connections of a name as an operator does (320).

        Args:
            name: The name that RabbitMQ gives to the connection, or the client's own name for it (its
                property ``connection_name``).
            reason: The reply text.

        Raises:
            LookupError: No open connection has that name.
        """
        named = [
            connection
            for connection in self._open_connections()
            if name in (connection.peer.connection_name, _own_name(connection))
        ]
        if not named:
            raise LookupError(
                f"the broker has no connection {name!r}; {self.describe_connections()}"
            )
        for connection in named:
            connection.close(errors.closed_by_operator(reason))

    def describe_connections(self) -> str:
        """Return the names of the open connections, for the text of an error."""
        known = ", ".join(map(_names, self._open_connections()))
        return f"it has {known}" if known else "no connection is open"

    def close_connections(self, reason: str) -> None:
        """Close all connections as an operator does (320)."""
        for connection in list(self.connections):
            connection.close(errors.closed_by_operator(reason))

    def go_down(self, *, politely: bool) -> None:
        """Close all connections: the node goes down, and will come up again.

        Args:
            politely: Whether open connections are closed with 320; else they end without a close.
        """
        self.is_down = True
        for queue in self._queues():
            queue.go_down()
        for connection in self.connections:
            connection.stop_deliveries()
        for connection in list(self.connections):
            if politely and connection.is_open:
                connection.close(errors.shutting_down())
            elif not politely:
                connection.disconnected()

    def come_up(self) -> None:
        """Serve clients again."""
        self.is_down = False
        for queue in self._queues():
            queue.come_up()
        if self.recorder is not None:
            self.recorder.restarted()

    def _queues(self) -> list[Queue]:
        return [
            queue
            for virtualhost in self.virtualhosts.values()
            for queue in virtualhost.queues.values()
        ]

    def shut_down(self) -> None:
        """Close all open connections (320) and cancel all timers: the node stops."""
        for connection in self._open_connections():
            connection.close(errors.shutting_down())
        self.memory.stop()
        for virtualhost in self.virtualhosts.values():
            virtualhost.stop_timers()


def _own_name(connection: Client) -> object:
    """Return the client's own name for its connection; None if there is none."""
    return connection.client_properties.get("connection_name")


def _names(connection: Client) -> str:
    """Return the names by which a connection can be closed, for the text of an error."""
    own = _own_name(connection)
    name = repr(connection.peer.connection_name)
    return name if own is None else f"{own!r} ({name})"
