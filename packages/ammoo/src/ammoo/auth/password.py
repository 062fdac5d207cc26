"""Login and password, by a mechanism that the server offers."""

from collections.abc import Sequence

from ..exceptions.connection import ServerAuthMechanismsNotSupportedError
from .abc import Authentication, AuthenticationMechanism
from .mechanisms.amqplain import AMQPlainAuth
from .mechanisms.external import ExternalAuth
from .mechanisms.sasl_plain import SaslPlainAuth

__all__ = ["PasswordAuthentication"]


class PasswordAuthentication(Authentication):
    """Logs in with a password: by AMQPLAIN if the server offers it, else by PLAIN.

    Args:
        login: The user's name.
        password: The password.
        mechanisms: The mechanisms that may be used, the preferred one first: AMQPLAIN, PLAIN or
            EXTERNAL.

    Raises:
        ValueError: A mechanism is none of these.
    """

    login: str = ""

    def __init__(
        self, login: str, password: str, *, mechanisms: Sequence[str] = ("AMQPLAIN", "PLAIN")
    ) -> None:
        self.login = login
        self._password = password
        self._names = tuple(name.upper() for name in mechanisms)
        unknown = set(self._names) - {"AMQPLAIN", "PLAIN", "EXTERNAL"}
        if unknown:
            raise ValueError(
                f"unknown mechanism {min(unknown)!r}; expected AMQPLAIN, PLAIN or EXTERNAL,"
                " or an auth= of your own"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(login={self.login!r})"

    def with_password(self, password: str) -> "PasswordAuthentication":
        """Return a copy with another password.

        Args:
            password: The password.
        """
        return PasswordAuthentication(self.login, password, mechanisms=self._names)

    def select_mechanism(self, server_mechanisms: set[str]) -> AuthenticationMechanism:
        """Return the first of the mechanisms that the server offers.

        Args:
            server_mechanisms: The names of the mechanisms that the server offers.

        Raises:
            ServerAuthMechanismsNotSupportedError: The server offers none of them.
        """
        for name in self._names:
            if name in server_mechanisms:
                return self._mechanism(name)
        raise ServerAuthMechanismsNotSupportedError(frozenset(server_mechanisms), self._names)

    def _mechanism(self, name: str) -> AuthenticationMechanism:
        if name == "EXTERNAL":
            return ExternalAuth()
        mechanism = AMQPlainAuth if name == "AMQPLAIN" else SaslPlainAuth
        return mechanism(self.login, self._password)
