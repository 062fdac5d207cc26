"""The heart of the broker: virtual hosts, users, connections and alarms of one node.

It is synchronous and knows neither sockets nor event loops; time is handed in. The shell that
listens (`server.py`) and the object that users hold (`broker.py`) stand around it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from ..auth.login import MECHANISMS
from ..auth.users import Permissions, User, Users, is_reached
from ..clock import Clock
from ..rabbitmq import errors
from ..rabbitmq.profiles import Profile
from .limits import Limits
from .virtual_host import VirtualHost

if TYPE_CHECKING:
    from .ports import Client, ReplyReceiver

__all__ = ["Node"]

DEFAULT_VIRTUALHOST = "/"


class Node:
    """One RabbitMQ node, as far as AMQP 0-9-1 shows it.

    Attributes:
        profile: Which release it stands in for.
        clock: Its time.
        network_clock: The time in which clients are waited for; it is real where a test moves the
            other, for the clients' heartbeats are real as well.
        limits: What it proposes and how long it waits.
        mechanisms: Names of the SASL mechanisms it offers.
        users: Who may log in.
        virtualhosts: By name.
        connections: Those that are alive.
        reply_consumers: The consumers of direct replies, by their generated names.
        alarm: Why publishers are blocked, or None.
    """

    def __init__(
        self,
        profile: Profile,
        clock: Clock,
        *,
        network_clock: Clock | None = None,
        limits: Limits | None = None,
        mechanisms: Collection[str] | None = None,
        cluster_name: str = "rabbit@localhost",
        loopback_users: Collection[str] = ("guest",),
    ) -> None:
        self.profile = profile
        self.clock = clock
        self.network_clock: Clock = network_clock or clock
        self.limits: Limits = limits or Limits(max_message_size=profile.max_message_size)
        self.mechanisms: tuple[str, ...] = tuple(mechanisms or profile.mechanisms)
        unknown = [name for name in self.mechanisms if name not in MECHANISMS]
        if unknown:
            raise ValueError(f"unknown mechanism {unknown[0]!r}; known are {', '.join(MECHANISMS)}")
        self.cluster_name = cluster_name
        self.users: Users = Users(loopback_users)
        self.virtualhosts: dict[str, VirtualHost] = {}
        self.connections: dict[Client, None] = {}
        self.reply_consumers: dict[str, ReplyReceiver] = {}
        self.alarm: str | None = None
        self.users.add("guest", "guest").permissions[DEFAULT_VIRTUALHOST] = Permissions()
        self._add_default_virtualhost()

    # -- virtual hosts and users ---------------------------------------------------------------

    def add_virtualhost(self, name: str, default_queue_type: str | None = None) -> VirtualHost:
        """Create a virtual host, or give the one that exists; nobody may use a new one yet."""
        virtualhost = self.virtualhosts.get(name)
        if virtualhost is None:
            virtualhost = VirtualHost(
                name, self.profile, self.clock, default_queue_type=default_queue_type
            )
            self.virtualhosts[name] = virtualhost
        return virtualhost

    def _add_default_virtualhost(self) -> None:
        virtualhost = self.add_virtualhost(DEFAULT_VIRTUALHOST)
        if self.profile.has_log_exchange:
            virtualhost.create_exchange("amq.rabbitmq.log", "topic", durable=True, internal=True)

    def virtualhost(self, name: str) -> VirtualHost:
        """Give a virtual host.

        Raises:
            LookupError: There is none of that name.
        """
        try:
            return self.virtualhosts[name]
        except KeyError:
            raise LookupError(
                f"the broker has no virtual host {name!r}; FakeBroker.add_virtualhost adds one"
            ) from None

    def delete_virtualhost(self, name: str) -> None:
        """Delete a virtual host with all in it, permissions included; close its connections.

        Raises:
            LookupError: There is none of that name.
        """
        virtualhost = self.virtualhost(name)
        del self.virtualhosts[name]
        self.users.forget_virtualhost(name)
        for queue in list(virtualhost.queues.values()):
            virtualhost.delete_queue(queue)  # first: its consumers are told
        error = errors.virtualhost_deleted(name, self.profile.deleted_virtualhost_word)
        for connection in self._open_connections():
            if connection.virtualhost is virtualhost:
                connection.close(error)

    def delete_user(self, name: str) -> None:
        """Delete a user, and close the user's connections.

        Raises:
            LookupError: There is none of that name.
        """
        user = self.users.remove(name)
        for connection in self._open_connections():
            if connection.user is user:
                connection.close(errors.user_deleted(name))

    def open_virtualhost(self, name: str, user: User) -> VirtualHost:
        """Let a user into a virtual host.

        Raises:
            ProtocolError: 530, there is none of that name, there are too many connections, or
                the user may not enter.
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
        """Whether a user may open no further channel, on whatever connection."""
        if user.limits.max_channels is None:
            return False
        count = sum(len(connection.channels) for connection in self._connections_of(user))
        return is_reached(user.limits.max_channels, count)

    def _connections_of(self, user: User) -> list[Client]:
        return [each for each in self._open_connections() if each.user is user]

    def _connections_to(self, virtualhost: VirtualHost) -> list[Client]:
        return [each for each in self._open_connections() if each.virtualhost is virtualhost]

    # -- what the server starts by itself ------------------------------------------------------

    def raise_alarm(self, reason: str) -> None:
        """Block those who publish, each from its next publish on (connection.blocked)."""
        self.alarm = reason

    def clear_alarm(self) -> None:
        """Let all publishers go on (connection.unblocked)."""
        self.alarm = None
        for connection in list(self.connections):
            connection.unblock()

    def close_connections(self, reason: str) -> None:
        """Close all connections the way an operator does (320)."""
        for connection in list(self.connections):
            connection.close(errors.closed_by_operator(reason))

    def shut_down(self) -> None:
        """Tell the clients that have entered that the node goes down (320), and stop time."""
        for connection in self._open_connections():
            connection.close(errors.shutting_down())
        for virtualhost in self.virtualhosts.values():
            for queue in virtualhost.queues.values():
                queue.stop_timers()
