"""Who may do what: users with their passwords, and their permissions in each virtual host.

A permission is a regular expression; a name is allowed if the expression matches somewhere in it,
and an empty expression allows nothing but the empty name (RabbitMQ's rule).
See https://www.rabbitmq.com/docs/access-control
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NamedTuple

__all__ = ["Permissions", "User", "UserLimits", "Users", "check_pattern", "is_reached"]

_EVERYTHING = ".*"


def is_reached(limit: int, count: int) -> bool:
    """Whether there may not be one more than there are; a negative number limits nothing."""
    return 0 <= limit <= count


def check_pattern(name: str, pattern: Any) -> None:
    """Check that what goes by a name is a regular expression, as Python's `re` understands them.

    Raises:
        TypeError: It is no string.
        ValueError: It is no regular expression.
    """
    if not isinstance(pattern, str):
        raise TypeError(f"{name} is {pattern!r}; expected a regular expression as a string")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"{name} is {pattern!r}, which is no regular expression: {error}"
        ) from None


class Permissions(NamedTuple):
    """What a user may do in one virtual host: three regular expressions over names."""

    configure: str = _EVERYTHING
    write: str = _EVERYTHING
    read: str = _EVERYTHING

    def check(self) -> None:
        """Check that all three are regular expressions.

        Raises:
            TypeError: One is no string.
            ValueError: One is no regular expression.
        """
        for verb, pattern in self._asdict().items():
            check_pattern(verb, pattern)

    def allows(self, verb: str, name: str) -> bool:
        """Whether a resource of that name may be configured, written or read."""
        pattern: str = getattr(self, verb)
        if pattern == _EVERYTHING:
            return True
        return re.search(pattern or "^$", name) is not None


class UserLimits(NamedTuple):
    """How much a user may have at a time; None and negative numbers limit nothing.

    See https://www.rabbitmq.com/docs/user-limits
    """

    max_connections: int | None = None
    max_channels: int | None = None


class User:
    """Somebody who can log in.

    Attributes:
        name: The login.
        password: In clear, this being a test's broker; None if no password will do.
        permissions: By virtual host; without an entry the virtual host stays closed.
        limits: How many connections and channels the user may have.
    """

    def __init__(self, name: str, password: str | None) -> None:
        self.name = name
        self.password = password
        self.tags: Collection[str] = ()
        self.permissions: dict[str, Permissions] = {}
        self.limits: UserLimits = UserLimits()

    def __repr__(self) -> str:
        return f"<User {self.name!r}>"

    def may(self, verb: str, name: str, virtualhost: str) -> bool:
        """Whether the user may do something to a resource.

        Args:
            verb: configure, write or read.
            name: The resource's name; the default exchange goes by ``amq.default``.
            virtualhost: Where it is.
        """
        permissions = self.permissions.get(virtualhost)
        return permissions is not None and permissions.allows(verb, name)


class Users:
    """All users of a broker, and the check of their passwords.

    Args:
        loopback_only: Names of users that can log in from this machine only.
    """

    def __init__(self, loopback_only: Collection[str] = ("guest",)) -> None:
        self._users: dict[str, User] = {}
        self._loopback_only = frozenset(loopback_only)

    def __getitem__(self, name: str) -> User:
        try:
            return self._users[name]
        except KeyError:
            raise LookupError(
                f"the broker has no user {name!r}; FakeBroker.add_user adds one"
            ) from None

    def add(self, name: str, password: str | None) -> User:
        """Add a user, or give an existing one a new password."""
        user = self._users.get(name)
        if user is None:
            user = self._users[name] = User(name, password)
        user.password = password
        return user

    def remove(self, name: str) -> User:
        """Forget a user, and give it.

        Raises:
            LookupError: There is none of that name.
        """
        return self._users.pop(self[name].name)

    def forget_virtualhost(self, name: str) -> None:
        """Take away all permissions in a virtual host that is no more."""
        for user in self._users.values():
            user.permissions.pop(name, None)

    def find(self, name: str, *, from_loopback: bool) -> User | None:
        """Find a user who may log in from where the connection comes from."""
        user = self._users.get(name)
        if user is None or (name in self._loopback_only and not from_loopback):
            return None
        return user

    def authenticate(self, name: str, password: str, *, from_loopback: bool) -> User | None:
        """Find the user whose password it is, or None."""
        user = self.find(name, from_loopback=from_loopback)
        if user is None or user.password is None or user.password != password:
            return None
        return user
