"""Faults that strike logins: those that are refused, and credentials that expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..rabbitmq import errors
from .fault import Fault
from .occasions import Occasion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .ports import FaultHost

__all__ = ["ExpireCredentials", "FailLogins", "LoginFault"]


class LoginFault(Fault):
    """A fault that refuses a login with valid credentials."""

    _noun: ClassVar[tuple[str, str]] = ("login", "logins")

    def refusal(self, mechanism: str) -> str:
        """Return the text of the refusal; the wire adds the code 403."""
        return errors.login_refused_text(mechanism)


class FailLogins(LoginFault):
    """See `Faults.fail_logins`."""

    name: ClassVar[str] = "fail_logins"
    _own_options: ClassVar[frozenset[str]] = frozenset(("text",))

    def refusal(self, mechanism: str) -> str:
        text = self.options.get("text")
        if text is None:
            return super().refusal(mechanism)
        return str(text).removeprefix("ACCESS_REFUSED - ")


class ExpireCredentials(LoginFault):
    """See `Faults.expire_credentials`."""

    name: ClassVar[str] = "expire_credentials"

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._user = host.node.users[options["user"]]

    def _begin(self) -> None:
        """Let the credentials expire, and close open connections if the release does so."""
        node = self._host.node
        self._user.expire(int(node.clock.timestamp()))
        for connection in self._host.open_connections():
            if connection.user is self._user:
                self._matcher.matched += 1
                self._strike(Occasion(connection))
                if node.profile.closes_expired_connections:
                    connection.close(errors.credential_expired())

    def _ended(self) -> None:
        self._user.renew()
