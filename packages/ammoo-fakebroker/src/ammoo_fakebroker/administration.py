"""What an operator decides for a broker: virtual hosts, users, permissions, limits and policies.

RabbitMQ's operators do it with rabbitmqctl; here they are methods of `FakeBroker`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from .auth.users import Permissions, UserLimits
from .node.node import DEFAULT_VIRTUALHOST, Node
from .node.policies import Policy
from .node.virtual_host import VirtualHostLimits
from .queues.types import QUEUE_TYPES

__all__ = ["Administration"]

_Result = TypeVar("_Result")


class Administration(ABC):
    """A broker's virtual hosts and users, and what they may do.

    Attributes:
        _node: What is administered.
    """

    _node: Node

    @abstractmethod
    def _call(self, function: Callable[[], _Result]) -> _Result:
        """Have something done where the broker runs."""

    # -- virtual hosts -------------------------------------------------------------------------

    def add_virtualhost(
        self,
        name: str,
        *,
        users: Collection[str] = ("guest",),
        default_queue_type: str | None = None,
    ) -> None:
        """Create a virtual host.

        Args:
            name: Its name.
            users: Who may do everything in it.
            default_queue_type: What queues are that are declared without ``x-queue-type``:
                ``"classic"``, ``"quorum"`` or ``"stream"``. What cannot be that is classic.

        Raises:
            LookupError: There is no user of one of these names; no virtual host was created.
            ValueError: There are no queues of that type.
        """
        if default_queue_type not in (None, *QUEUE_TYPES):
            known = " or ".join(map(repr, QUEUE_TYPES))
            raise ValueError(f"default_queue_type is {default_queue_type!r}; expected {known}")

        def add() -> None:
            found = [self._node.users[user] for user in users]
            self._node.add_virtualhost(name, default_queue_type)
            for user in found:
                user.permissions[name] = Permissions()

        self._call(add)

    def delete_virtualhost(self, name: str) -> None:
        """Delete a virtual host with all in it; its connections are closed.

        Raises:
            LookupError: There is none of that name.
        """
        self._call(lambda: self._node.delete_virtualhost(name))

    def set_virtualhost_limits(
        self,
        name: str = DEFAULT_VIRTUALHOST,
        *,
        max_connections: int | None = None,
        max_queues: int | None = None,
    ) -> None:
        """Limit what there may be in a virtual host; what is more than that already stays.

        See https://www.rabbitmq.com/docs/vhosts#limits

        Args:
            name: The virtual host.
            max_connections: How many connections; any number if None.
            max_queues: How many queues; any number if None.

        Raises:
            LookupError: There is none of that name.
        """
        limits = VirtualHostLimits(max_connections, max_queues)

        def change() -> None:
            self._node.virtualhost(name).limits = limits

        self._call(change)

    # -- users ---------------------------------------------------------------------------------

    def add_user(
        self,
        name: str,
        password: str | None,
        *,
        virtualhosts: Collection[str] = (DEFAULT_VIRTUALHOST,),
    ) -> None:
        """Add a user, or change a user's password.

        Args:
            name: The login.
            password: The password; None for a user who logs in otherwise (EXTERNAL).
            virtualhosts: Where the user may do everything; see `set_permissions` for less.

        Raises:
            LookupError: There is no virtual host of one of these names; no user was added.
        """

        def add() -> None:
            for virtualhost in virtualhosts:
                self._node.virtualhost(virtualhost)
            user = self._node.users.add(name, password)
            for virtualhost in virtualhosts:
                user.permissions[virtualhost] = Permissions()

        self._call(add)

    def delete_user(self, name: str) -> None:
        """Delete a user; the user's connections are closed.

        Raises:
            LookupError: There is none of that name.
        """
        self._call(lambda: self._node.delete_user(name))

    def set_user_limits(
        self, name: str, *, max_connections: int | None = None, max_channels: int | None = None
    ) -> None:
        """Limit what a user may have at a time; what is more than that already stays.

        See https://www.rabbitmq.com/docs/user-limits

        Args:
            name: The login.
            max_connections: How many connections; any number if None.
            max_channels: How many channels on all of them; any number if None.

        Raises:
            LookupError: There is no user of that name.
        """
        limits = UserLimits(max_connections, max_channels)

        def change() -> None:
            self._node.users[name].limits = limits

        self._call(change)

    def set_permissions(
        self,
        user: str,
        *,
        configure: str = ".*",
        write: str = ".*",
        read: str = ".*",
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> None:
        """Let a user do things in a virtual host, by regular expressions over names.

        An expression allows the names in which it matches somewhere; an empty one allows none.
        See https://www.rabbitmq.com/docs/access-control#authorisation

        Args:
            user: The login.
            configure: What may be declared and deleted.
            write: What may be published to, and bound.
            read: What may be consumed, and bound from.
            virtualhost: Where.

        Raises:
            LookupError: There is no user, or no virtual host, of that name.
            ValueError: What was given is no regular expression.
        """
        permissions = Permissions(configure, write, read)
        permissions.check()

        def change() -> None:
            self._node.virtualhost(virtualhost)
            self._node.users[user].permissions[virtualhost] = permissions

        self._call(change)

    def clear_permissions(self, user: str, *, virtualhost: str = DEFAULT_VIRTUALHOST) -> None:
        """Close a virtual host to a user.

        Raises:
            LookupError: There is no user, or no virtual host, of that name.
        """

        def clear() -> None:
            self._node.virtualhost(virtualhost)
            self._node.users[user].permissions.pop(virtualhost, None)

        self._call(clear)

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
        """Decide something for queues and exchanges by their names; those that exist go by it too.

        Of several policies the one of the highest priority applies. Whether it wins against an
        argument of the same meaning depends on what it is about; of numbers the lower one counts.
        See https://www.rabbitmq.com/docs/policies

        Args:
            name: Which policy; one that exists is replaced.
            pattern: A regular expression that matches somewhere in the names.
            definition: What is decided, such as ``{"max-length": 1000}``.
            priority: Against other policies.
            apply_to: ``"all"``, ``"queues"`` or ``"exchanges"``; the newer release has
                ``"classic_queues"``, ``"quorum_queues"`` and ``"streams"`` as well.
            virtualhost: Where.

        Raises:
            LookupError: There is no virtual host of that name.
            TypeError: The pattern is no string.
            ValueError: Something is not as RabbitMQ wants it.
        """
        policy = Policy(pattern, definition, priority, apply_to)
        self._set_policy(name, policy, virtualhost, by_operator=False)

    def clear_policy(self, name: str, *, virtualhost: str = DEFAULT_VIRTUALHOST) -> None:
        """Take a policy back.

        Raises:
            LookupError: There is no policy, or no virtual host, of that name.
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
        """Limit queues by their names, whatever policies there are; the lower limit counts.

        Args:
            name: Which operator policy; one that exists is replaced.
            pattern, priority, apply_to, virtualhost: As for `set_policy`.
            definition: What is decided; fewer keys are known.

        Raises:
            LookupError: There is no virtual host of that name.
            TypeError: The pattern is no string.
            ValueError: Something is not as RabbitMQ wants it.
        """
        policy = Policy(pattern, definition, priority, apply_to)
        self._set_policy(name, policy, virtualhost, by_operator=True)

    def clear_operator_policy(self, name: str, *, virtualhost: str = DEFAULT_VIRTUALHOST) -> None:
        """Take an operator policy back.

        Raises:
            LookupError: There is no operator policy, or no virtual host, of that name.
        """
        self._clear_policy(name, virtualhost, by_operator=True)

    def _set_policy(
        self, name: str, policy: Policy, virtualhost: str, *, by_operator: bool
    ) -> None:
        policy.check(self._node.profile, by_operator=by_operator)
        self._call(
            lambda: self._node.virtualhost(virtualhost).change_policies(
                lambda policies: policies.set(name, policy, by_operator=by_operator)
            )
        )

    def _clear_policy(self, name: str, virtualhost: str, *, by_operator: bool) -> None:
        self._call(
            lambda: self._node.virtualhost(virtualhost).change_policies(
                lambda policies: policies.clear(name, by_operator=by_operator)
            )
        )
