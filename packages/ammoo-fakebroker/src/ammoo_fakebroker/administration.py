"""Administration of a broker: virtual hosts, users, permissions, limits and policies.

Operators of RabbitMQ use rabbitmqctl; `FakeBroker` has its commands as methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from .auth.users import Permissions, TopicPermissions, UserLimits
from .call_checks import checks_arguments
from .node.node import DEFAULT_VIRTUALHOST, Node
from .node.policies import Policy
from .node.virtual_host import VirtualHostLimits
from .queues.types import QUEUE_TYPES

__all__ = ["Administration"]

_Result = TypeVar("_Result")


@checks_arguments
class Administration(ABC):
    """The methods that change virtual hosts, users, permissions, limits and policies.

    Attributes:
        _node: The broker's node.
    """

    _node: Node

    @abstractmethod
    def _change(self, function: Callable[[], _Result]) -> _Result:
        """Change the broker in its thread, and return the result; raise if it was stopped."""

    # -- virtual hosts -------------------------------------------------------------------------

    def add_virtualhost(
        self,
        name: str,
        *,
        users: Collection[str] = ("guest",),
        default_queue_type: str | None = None,
    ) -> None:
        """Create a virtual host; an existing one keeps its queues and exchanges.

        See https://www.rabbitmq.com/docs/vhosts

        Args:
            name: The name of the virtual host.
            users: The users that get all permissions in the virtual host.
            default_queue_type: The type of queues that are declared without ``x-queue-type``:
                ``"classic"``, ``"quorum"`` or ``"stream"``; None for classic. An exclusive,
                auto-delete or non-durable queue is always classic.

        Raises:
            LookupError: One of the users does not exist; no virtual host was created.
            ValueError: There is no such queue type.
        """
        if default_queue_type not in (None, *QUEUE_TYPES):
            known = " or ".join(map(repr, QUEUE_TYPES))
            raise ValueError(f"default_queue_type is {default_queue_type!r}; expected {known}")

        def add() -> None:
            found = [self._node.users[user] for user in users]
            self._node.add_virtualhost(name, default_queue_type)
            for user in found:
                user.permissions[name] = Permissions()

        self._change(add)

    def delete_virtualhost(self, name: str) -> None:
        """Delete a virtual host and everything in it, and close its connections (320).

        Args:
            name: The name of the virtual host.

        Raises:
            LookupError: There is no such virtual host.
        """
        self._change(lambda: self._node.delete_virtualhost(name))

    def set_virtualhost_limits(
        self,
        name: str = DEFAULT_VIRTUALHOST,
        *,
        max_connections: int | None = None,
        max_queues: int | None = None,
    ) -> None:
        """Limit the connections and queues of a virtual host; existing ones stay.

        See https://www.rabbitmq.com/docs/vhosts#limits

        Args:
            name: The name of the virtual host.
            max_connections: The largest number of connections; None for no limit.
            max_queues: The largest number of queues; None for no limit.

        Raises:
            LookupError: There is no such virtual host.
        """
        limits = VirtualHostLimits(max_connections, max_queues)

        def change() -> None:
            self._node.virtualhost(name).limits = limits

        self._change(change)

    # -- users ---------------------------------------------------------------------------------

    def add_user(
        self,
        name: str,
        password: str | None,
        *,
        virtualhosts: Collection[str] = (DEFAULT_VIRTUALHOST,),
        tags: Collection[str] | None = None,
    ) -> None:
        """Add a user, or change the password and the tags of an existing one.

        See https://www.rabbitmq.com/docs/access-control

        Example::

            broker.add_user("worker", "secret")
            url = broker.url_for("worker")

        Args:
            name: The name of the user.
            password: The password; None for a user that logs in without one (EXTERNAL).
            virtualhosts: The virtual hosts in which the user gets all permissions; see
                `set_permissions` for fewer.
            tags: The tags of the user, such as ``administrator``. Only ``impersonator`` matters to
                AMQP clients: it lets a user publish with the user-id of another user. None, the
                default, leaves the tags of an existing user unchanged; a new user has none.

        Raises:
            LookupError: One of the virtual hosts does not exist; no user was added.
        """

        def add() -> None:
            for virtualhost in virtualhosts:
                self._node.virtualhost(virtualhost)
            user = self._node.users.add(name, password)
            if tags is not None:
                user.tags = tuple(dict.fromkeys(tags))
            for virtualhost in virtualhosts:
                user.permissions[virtualhost] = Permissions()

        self._change(add)

    def set_user_tags(self, name: str, *tags: str) -> None:
        """Set the tags of a user, in place of former ones.

        Args:
            name: The name of the user.
            tags: The tags; see `add_user`.

        Raises:
            LookupError: There is no such user.
        """

        def change() -> None:
            self._node.users[name].tags = tuple(dict.fromkeys(tags))

        self._change(change)

    def delete_user(self, name: str) -> None:
        """Delete a user, and close the user's connections (320).

        Args:
            name: The name of the user.

        Raises:
            LookupError: There is no such user.
        """
        self._change(lambda: self._node.delete_user(name))

    def set_user_limits(
        self, name: str, *, max_connections: int | None = None, max_channels: int | None = None
    ) -> None:
        """Limit the connections and channels of a user; existing ones stay.

        See https://www.rabbitmq.com/docs/user-limits

        Args:
            name: The name of the user.
            max_connections: The largest number of connections; None for no limit.
            max_channels: The largest number of channels on all the user's connections; None for no
                limit.

        Raises:
            LookupError: There is no such user.
        """
        limits = UserLimits(max_connections, max_channels)

        def change() -> None:
            self._node.users[name].limits = limits

        self._change(change)

    def set_permissions(
        self,
        user: str,
        *,
        configure: str = ".*",
        write: str = ".*",
        read: str = ".*",
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> None:
        """Set the permissions of a user in a virtual host.

        A permission is a regular expression. It allows each name in which it matches somewhere;
        an empty one allows no name.
        See https://www.rabbitmq.com/docs/access-control#authorisation

        Example::

            broker.set_permissions("worker", configure="", write="", read="^orders$")

        Args:
            user: The name of the user.
            configure: The queues and exchanges that the user may declare and delete.
            write: The exchanges that the user may publish to, and the queues and exchanges that
                the user may bind.
            read: The queues that the user may consume from, and the exchanges that the user may
                bind queues and exchanges to.
            virtualhost: The name of the virtual host.

        Raises:
            LookupError: There is no such user, or no such virtual host.
            TypeError: A permission is not a string.
            ValueError: A permission is not a regular expression.
        """
        permissions = Permissions(configure, write, read)
        permissions.check()

        def change() -> None:
            self._node.virtualhost(virtualhost)
            self._node.users[user].permissions[virtualhost] = permissions

        self._change(change)

    def clear_permissions(self, user: str, *, virtualhost: str = DEFAULT_VIRTUALHOST) -> None:
        """Remove all permissions of a user in a virtual host; the user can no longer open it.

        Args:
            user: The name of the user.
            virtualhost: The name of the virtual host.

        Raises:
            LookupError: There is no such user, or no such virtual host.
        """

        def clear() -> None:
            self._node.virtualhost(virtualhost)
            self._node.users[user].permissions.pop(virtualhost, None)

        self._change(clear)

    def set_topic_permissions(
        self,
        user: str,
        exchange: str,
        *,
        write: str = ".*",
        read: str = ".*",
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> None:
        """Limit the routing keys that a user may use with a topic exchange.

        `write` and `read` are regular expressions. Each allows a key in which it matches somewhere;
        an empty one allows only the empty key. ``{username}`` and ``{vhost}`` in an expression
        stand for the user's name and the virtual host's.
        See https://www.rabbitmq.com/docs/access-control#topic-authorisation

        Args:
            user: The name of the user.
            exchange: The name of the exchange, which need not exist.
            write: The routing keys that may be published with.
            read: The binding keys that may be bound and unbound with.
            virtualhost: The name of the virtual host.

        Raises:
            LookupError: There is no such user, or no such virtual host.
            TypeError: A permission is not a string.
            ValueError: A permission is not a regular expression.
        """
        permissions = TopicPermissions(write, read)
        permissions.check()

        def change() -> None:
            self._node.virtualhost(virtualhost)
            self._node.users[user].topic_permissions[virtualhost, exchange] = permissions

        self._change(change)

    def clear_topic_permissions(
        self,
        user: str,
        exchange: str | None = None,
        *,
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> None:
        """Allow a user all routing keys of a topic exchange again.

        Args:
            user: The name of the user.
            exchange: The name of the exchange; None for all exchanges of the virtual host.
            virtualhost: The name of the virtual host.

        Raises:
            LookupError: There is no such user, or no such virtual host.
        """

        def clear() -> None:
            self._node.virtualhost(virtualhost)
            self._node.users[user].clear_topic_permissions(virtualhost, exchange)

        self._change(clear)

    # -- policies ------------------------------------------------------------------------------

    def set_policy(
        self,
        name: str,
        pattern: str,
        definition: Mapping[str, Any],
        *,
        priority: int = 0,
        apply_to: str = "all",
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> None:
        """Set optional arguments of queues and exchanges by their names, existing ones included.

        If several policies match a name, the one with the highest priority applies. If a queue
        has an argument of the same meaning, the lower of two numbers applies; for other values
        the key decides whether the argument or the policy applies.
        See https://www.rabbitmq.com/docs/policies

        Example::

            broker.set_policy("limit", "^orders$", {"max-length": 1000})

        Args:
            name: The name of the policy; an existing one is replaced.
            pattern: A regular expression that matches somewhere in the names.
            definition: The arguments, without ``x-``, such as ``{"max-length": 1000}``.
            priority: The priority; the highest one applies.
            apply_to: ``"all"``, ``"queues"`` or ``"exchanges"``; since 4.0 also
                ``"classic_queues"``, ``"quorum_queues"`` and ``"streams"``.
            virtualhost: The name of the virtual host.

        Raises:
            LookupError: There is no such virtual host.
            TypeError: The pattern is not a string.
            ValueError: RabbitMQ would refuse the policy; the text says why.
        """
        policy = Policy(pattern, definition, priority, apply_to)
        self._set_policy(name, policy, virtualhost, by_operator=False)

    def clear_policy(self, name: str, *, virtualhost: str = DEFAULT_VIRTUALHOST) -> None:
        """Remove a policy; its queues and exchanges return to their own arguments.

        Args:
            name: The name of the policy.
            virtualhost: The name of the virtual host.

        Raises:
            LookupError: There is no such policy, or no such virtual host.
        """
        self._clear_policy(name, virtualhost, by_operator=False)

    def set_operator_policy(
        self,
        name: str,
        pattern: str,
        definition: Mapping[str, Any],
        *,
        priority: int = 0,
        apply_to: str = "all",
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> None:
        """Limit queues by their names.

        If an operator policy and a policy set the same limit, the lower one applies.

        See https://www.rabbitmq.com/docs/policies#operator-policies

        Args:
            name: The name of the operator policy; an existing one is replaced.
            pattern, priority, apply_to, virtualhost: As for `set_policy`.
            definition: The limits, such as ``{"max-length": 1000}``. Not every key of a policy is
                allowed.

        Raises:
            LookupError: There is no such virtual host.
            TypeError: The pattern is not a string.
            ValueError: RabbitMQ would refuse the operator policy; the text says why.
        """
        policy = Policy(pattern, definition, priority, apply_to)
        self._set_policy(name, policy, virtualhost, by_operator=True)

    def clear_operator_policy(self, name: str, *, virtualhost: str = DEFAULT_VIRTUALHOST) -> None:
        """Remove an operator policy.

        Args:
            name: The name of the operator policy.
            virtualhost: The name of the virtual host.

        Raises:
            LookupError: There is no such operator policy, or no such virtual host.
        """
        self._clear_policy(name, virtualhost, by_operator=True)

    def _set_policy(
        self, name: str, policy: Policy, virtualhost: str, *, by_operator: bool
    ) -> None:
        policy.check(self._node.profile, by_operator=by_operator)
        self._change(
            lambda: self._node.virtualhost(virtualhost).change_policies(
                lambda policies: policies.set(name, policy, by_operator=by_operator)
            )
        )

    def _clear_policy(self, name: str, virtualhost: str, *, by_operator: bool) -> None:
        self._change(
            lambda: self._node.virtualhost(virtualhost).change_policies(
                lambda policies: policies.clear(name, by_operator=by_operator)
            )
        )
