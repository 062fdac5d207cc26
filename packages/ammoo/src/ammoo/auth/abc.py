"""What a mechanism is, and what chooses one: the two things that ``connect(auth=...)`` takes.

A mechanism is one way to log in (SASL, section 2.2.4 of the specification and
RFC 4422): a name, a first response, and answers to the server's challenges.
"""

from abc import ABC, abstractmethod

from ..exceptions.connection import NoChallengesAuthenticationError

__all__ = ["Authentication", "AuthenticationMechanism"]


class AuthenticationMechanism(ABC):
    """One way to log in. Subclass it for one that is not here."""

    @classmethod
    @abstractmethod
    def name(cls) -> str:
        """Give the name that servers offer it under, ``PLAIN`` for example."""

    @abstractmethod
    def build_start_ok_response(self, encoding: str, rabbitmq: bool) -> bytes:
        """Make the first response, sent with connection.start-ok.

        Args:
            encoding: How text becomes octets.
            rabbitmq: Whether the server calls itself RabbitMQ.
        """

    async def challenge(self, challenge: bytes) -> bytes:
        """Answer a challenge, sent by the server with connection.secure.

        It may take its time: the opening goes on when it returns.

        Args:
            challenge: What the server sent.

        Raises:
            NoChallengesAuthenticationError: The mechanism knows no challenges; the default.
        """
        raise NoChallengesAuthenticationError(self.name())


class Authentication(ABC):
    """Chooses a mechanism among those that the server offers."""

    @abstractmethod
    def select_mechanism(self, server_mechanisms: set[str]) -> AuthenticationMechanism:
        """Choose one.

        Args:
            server_mechanisms: The names of those that the server offers.

        Raises:
            ServerAuthMechanismsNotSupportedError: None of them will do.
        """
