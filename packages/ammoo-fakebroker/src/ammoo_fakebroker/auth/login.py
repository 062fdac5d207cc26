"""The server's side of SASL: the mechanisms with which a client logs in.

A mechanism is an object for one login. It takes the client's responses one after the other, and answers
each with a user, a challenge or a refusal.
See https://www.rabbitmq.com/docs/access-control#mechanisms
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from ammoo_wire import Accepted, Challenge, Refused, parse_amqplain, parse_plain

from ..rabbitmq import errors
from .users import User, Users

__all__ = ["MECHANISMS", "Login", "Peer", "Verdict", "is_loopback"]

Verdict = Accepted | Challenge | Refused


def is_loopback(host: str) -> bool:
    """Return whether an address is one of this machine's own, such as ``127.0.0.1``."""
    return host.startswith("127.") or host in ("::1", "::ffff:127.0.0.1")


class Peer(NamedTuple):
    """The address that a client connects from, and the user name in its certificate."""

    host: str = "127.0.0.1"
    port: int = 0
    is_loopback: bool = True
    certificate_name: str | None = None
    """The user name in the client's TLS certificate; None without a certificate."""
    broker_address: str = "127.0.0.1:0"
    """The address and the port that the client has connected to."""

    @property
    def connection_name(self) -> str:
        """The name that RabbitMQ gives to the connection: both its ends."""
        return f"{self.host}:{self.port} -> {self.broker_address}"


class Mechanism(ABC):
    """A SASL mechanism, during one login.

    Args:
        users: The users that can log in.
        peer: The address of the client.
    """

    name: ClassVar[str]

    def __init__(self, users: Users, peer: Peer) -> None:
        self.users = users
        self.peer = peer

    @abstractmethod
    def respond(self, response: bytes) -> User | bytes | None:
        """Take the client's next response.

        Returns:
            The user, a challenge, or None if the login is refused.

        Raises:
            ValueError: The response is not in the mechanism's format.
        """


class Plain(Mechanism):
    """PLAIN (RFC 4616): the user name and the password in clear."""

    name = "PLAIN"

    def respond(self, response: bytes) -> User | bytes | None:
        _, login, password = parse_plain(response)
        return self.users.authenticate(login, password, from_loopback=self.peer.is_loopback)


class AmqPlain(Mechanism):
    """AMQPLAIN: the user name and the password in a field table."""

    name = "AMQPLAIN"

    def respond(self, response: bytes) -> User | bytes | None:
        login, password = parse_amqplain(response)
        return self.users.authenticate(login, password, from_loopback=self.peer.is_loopback)


class Anonymous(Mechanism):
    """ANONYMOUS: every client is the user guest (offered since 4.0)."""

    name = "ANONYMOUS"

    def respond(self, response: bytes) -> User | bytes | None:
        return self.users.find("guest", from_loopback=self.peer.is_loopback)


class External(Mechanism):
    """EXTERNAL: the user that the client's TLS certificate names."""

    name = "EXTERNAL"

    def respond(self, response: bytes) -> User | bytes | None:
        name = self.peer.certificate_name
        if name is None:
            return None
        return self.users.find(name, from_loopback=self.peer.is_loopback)


class ChallengeResponseDemo(Mechanism):
    """RABBIT-CR-DEMO: RabbitMQ's example of a mechanism that challenges the client."""

    name = "RABBIT-CR-DEMO"
    _PREFIX: ClassVar[bytes] = b"My password is "

    _login: str | None = None

    def respond(self, response: bytes) -> User | bytes | None:
        if self._login is None:
            self._login = response.decode()
            return b"Please tell me your password"
        if not response.startswith(self._PREFIX):
            raise ValueError(f"the response begins with {response[:16]!r}")
        password = response.removeprefix(self._PREFIX).decode()
        return self.users.authenticate(self._login, password, from_loopback=self.peer.is_loopback)


MECHANISMS: dict[str, type[Mechanism]] = {
    mechanism.name: mechanism
    for mechanism in (Plain, AmqPlain, Anonymous, External, ChallengeResponseDemo)
}


class Login:
    """The login of one connection.

    Attributes:
        user: The user that has logged in; None before that.
    """

    def __init__(self, users: Users, peer: Peer) -> None:
        self._users = users
        self._peer = peer
        self._mechanism: Mechanism | None = None
        self.user: User | None = None

    @property
    def mechanism_name(self) -> str:
        """The mechanism that the client has chosen; empty before that."""
        return "" if self._mechanism is None else self._mechanism.name

    def answer(self, mechanism_name: str, response: bytes) -> Verdict:
        """Return the answer to a response of the client.

        Args:
            mechanism_name: The mechanism that the client has chosen.
            response: The response.
        """
        if self._mechanism is None:
            self._mechanism = MECHANISMS[mechanism_name](self._users, self._peer)
        try:
            outcome = self._mechanism.respond(response)
        except ValueError:
            return Refused(None)
        if isinstance(outcome, bytes):
            return Challenge(outcome)
        if outcome is None:
            return Refused(errors.login_refused_text(mechanism_name))
        self.user = outcome
        return Accepted()
