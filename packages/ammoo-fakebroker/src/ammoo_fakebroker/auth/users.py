"""Users: their passwords, and their permissions in each virtual host.

A permission is a regular expression. It allows a name if it matches somewhere in the name; an empty
expression allows only the empty name (RabbitMQ's rule).
See https://www.rabbitmq.com/docs/access-control
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

__all__ = [
    "Permissions",
    "TopicPermissions",
    "User",
    "UserLimits",
    "Users",
    "check_pattern",
    "is_reached",
]

_EVERYTHING = ".*"


def is_reached(limit: int, count: int) -> bool:
    """Return whether a count has reached its limit; a negative limit means no limit."""
    return 0 <= limit <= count


def check_pattern(name: str, pattern: Any) -> None:
    """Check that a pattern is a regular expression for Python's `re`.

    Args:
        name: The name of the parameter, for the text of the error.
        pattern: The pattern.

    Raises:
        TypeError: The pattern is not a string.
        ValueError: The pattern is not a regular expression.
    """
    if not isinstance(pattern, str):
        raise TypeError(f"{name} is {pattern!r}; expected a regular expression as a string")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{name} is {pattern!r}; expected a regular expression: {error}") from None


class Permissions(NamedTuple):
    """A user's permissions in one virtual host: three regular expressions over names."""

    configure: str = _EVERYTHING
    write: str = _EVERYTHING
    read: str = _EVERYTHING

    def check(self) -> None:
        """Check that all three are regular expressions.

        Raises:
            TypeError: A permission is not a string.
            ValueError: A permission is not a regular expression.
        """
        for verb, pattern in self._asdict().items():
            check_pattern(verb, pattern)

    def allows(self, verb: str, name: str) -> bool:
        """Return whether a resource of that name may be configured, written or read."""
        pattern: str = getattr(self, verb)
        if pattern == _EVERYTHING:
            return True
        return re.search(pattern or "^$", name) is not None


class TopicPermissions(NamedTuple):
    """The routing keys that a user may use with one topic exchange: two regular expressions.

    ``{username}`` and ``{vhost}`` in them stand for the user's name and the virtual host's.
    """

    write: str = _EVERYTHING
    read: str = _EVERYTHING

    def check(self) -> None:
        """Check that both are regular expressions.

        Raises:
            TypeError: A permission is not a string.
            ValueError: A permission is not a regular expression.
        """
        for verb, pattern in self._asdict().items():
            check_pattern(verb, pattern)


class UserLimits(NamedTuple):
    """The limits of a user; None and negative numbers mean no limit.

    See https://www.rabbitmq.com/docs/user-limits
    """

    max_connections: int | None = None
    max_channels: int | None = None


class User:
    """A user of the broker.

    Attributes:
        name: The name that the user logs in with.
        password: The password in plain text; None if the user cannot log in with a password, or if
            only the hash of the password is known.
        password_hash: The hash of a password whose plain text is not known; None if there is none.
        hashing_algorithm: RabbitMQ's name of the algorithm of that hash.
        tags: The tags of the user; ``impersonator`` lets it publish with any user-id.
        permissions: The permissions by virtual host; without an entry the user cannot open it.
        topic_permissions: The permissions on routing keys, by virtual host and exchange; without
            an entry the user may use all routing keys.
        limits: The limits of the user's connections and channels.
        expired_at: When the user's credentials expired, in seconds since 1970; None if they have not.
    """

    def __init__(self, name: str, password: str | None) -> None:
        self.name = name
        self.password = password
        self.password_hash: str | None = None
        self.hashing_algorithm: str = "rabbit_password_hashing_sha256"
        self.tags: tuple[str, ...] = ()
        self.permissions: dict[str, Permissions] = {}
        self.topic_permissions: dict[tuple[str, str], TopicPermissions] = {}
        self.limits: UserLimits = UserLimits()
        self.expired_at: int | None = None
        self._renewable: dict[str, Permissions] = {}

    def __repr__(self) -> str:
        return f"<User {self.name!r}>"

    def copy_from(self, other: User) -> None:
        """Have the password, tags, permissions and limits of another user; expired ones stay expired."""
        self.password, self.password_hash = other.password, other.password_hash
        self.hashing_algorithm, self.tags = other.hashing_algorithm, other.tags
        self.limits, self.topic_permissions = other.limits, dict(other.topic_permissions)
        permissions = dict(other.permissions if other.expired_at is None else other._renewable)
        if self.expired_at is None:
            self.permissions = permissions
        else:
            self._renewable = permissions

    def expire(self, now: int) -> None:
        """Let the credentials expire: the user has no permissions until `renew` is called."""
        self.expired_at = now
        self._renewable, self.permissions = self.permissions, {}

    def renew(self) -> None:
        """Renew expired credentials: the user has its former permissions again."""
        if self.expired_at is not None:
            self.expired_at = None
            self.permissions = self._renewable

    def has_password(self, password: str) -> bool:
        """Return whether the user logs in with a password."""
        if self.password_hash is not None:
            from .password_hashes import is_password_of  # here, because hashlib is slow to import

            return is_password_of(self.password_hash, password, self.hashing_algorithm)
        return self.password is not None and self.password == password

    def grant_all(self, virtualhost: str) -> None:
        """Grant the user all permissions in a virtual host."""
        self.permissions[virtualhost] = Permissions()

    def may(self, verb: str, name: str, virtualhost: str) -> bool:
        """Return whether the user has a permission on a resource.

        Args:
            verb: configure, write or read.
            name: The name of the resource; ``amq.default`` for the default exchange.
            virtualhost: The name of the virtual host.
        """
        permissions = self.permissions.get(virtualhost)
        return permissions is not None and permissions.allows(verb, name)

    def clear_topic_permissions(self, virtualhost: str, exchange_name: str | None = None) -> None:
        """Remove the topic permission for an exchange, or all of a virtual host."""
        for key in list(self.topic_permissions):
            if key[0] == virtualhost and exchange_name in (None, key[1]):
                del self.topic_permissions[key]

    def may_use_topic(
        self, verb: str, routing_key: str, exchange_name: str, virtualhost: str
    ) -> bool:
        """Return whether the user has a permission on a routing key of a topic exchange.

        Args:
            verb: write or read.
            routing_key: The routing key.
            exchange_name: The name of the exchange.
            virtualhost: The name of the virtual host.
        """
        permissions = self.topic_permissions.get((virtualhost, exchange_name))
        if permissions is None:
            return True
        pattern: str = getattr(permissions, verb)
        pattern = pattern.replace("{username}", self.name).replace("{vhost}", virtualhost)
        return re.search(pattern or "^$", routing_key) is not None


class Users:
    """The users of a broker.

    Args:
        loopback_only: The names of the users that can log in from this machine only.
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

    def __iter__(self) -> Iterator[User]:
        return iter(self._users.values())

    def __contains__(self, name: str) -> bool:
        return name in self._users

    def add(self, name: str, password: str | None) -> User:
        """Add a user, or change the password of an existing one."""
        user = self._users.get(name)
        if user is None:
            user = self._users[name] = User(name, password)
        user.password = password
        user.password_hash = None
        return user

    def remove(self, name: str) -> User:
        """Remove a user, and return it.

        Raises:
            LookupError: There is no such user.
        """
        return self._users.pop(self[name].name)

    def copy_from(self, others: Users) -> None:
        """Have the users of another broker, and no others."""
        own, self._users = self._users, {}
        for other in others:
            self._users[other.name] = own.get(other.name) or User(other.name, None)
            self._users[other.name].copy_from(other)

    def forget_virtualhost(self, name: str) -> None:
        """Remove all permissions in a virtual host."""
        for user in self._users.values():
            user.permissions.pop(name, None)
            user.clear_topic_permissions(name)

    def find(self, name: str, *, from_loopback: bool) -> User | None:
        """Return the user of that name, or None if it cannot log in from that address."""
        user = self._users.get(name)
        if user is None or (name in self._loopback_only and not from_loopback):
            return None
        return user

    def authenticate(self, name: str, password: str, *, from_loopback: bool) -> User | None:
        """Return the user of that name and password, or None."""
        user = self.find(name, from_loopback=from_loopback)
        return user if user is not None and user.has_password(password) else None
