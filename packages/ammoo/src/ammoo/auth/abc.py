"""The bases of mechanisms and of objects that choose one; ``connect(auth=...)`` accepts both.

A mechanism is one way to log in (SASL, section 2.2.4 of the specification and RFC
4422): a name, a first response, and responses to the server's challenges.
"""

from abc import ABC, abstractmethod

from ..exceptions.connection import NoChallengesAuthenticationError

__all__ = ["Authentication", "AuthenticationMechanism"]


class AuthenticationMechanism(ABC):
    """One way to log in. Subclass it for a mechanism that ammoo does not have."""

    @classmethod
    @abstractmethod
    def name(cls) -> str:
        """Return the name that servers offer the mechanism under, ``PLAIN`` for example."""

    @abstractmethod
    def build_start_ok_response(self, encoding: str, rabbitmq: bool) -> bytes:
        """Return the first response, which is sent with connection.start-ok.

        Args:
            encoding: The encoding of text.
            rabbitmq: Whether the server calls itself RabbitMQ.
        """

    async def challenge(self, challenge: bytes) -> bytes:
        """Return the response to a challenge, which the server sent with connection.secure.

        It may take time: the handshake continues when it returns.

        Args:
            challenge: The challenge.

        Raises:
            NoChallengesAuthenticationError: The mechanism does not answer challenges; the default.
        """
        raise NoChallengesAuthenticationError(self.name())


class Authentication(ABC):
    """Chooses a mechanism among those that the server offers."""

    @abstractmethod
    def select_mechanism(self, server_mechanisms: set[str]) -> AuthenticationMechanism:
        """Return the mechanism to use.

        Args:
            server_mechanisms: The names of the mechanisms that the server offers.

        Raises:
            ServerAuthMechanismsNotSupportedError: None of them is suitable.
        """
