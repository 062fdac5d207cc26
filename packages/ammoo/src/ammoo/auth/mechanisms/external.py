"""EXTERNAL (RFC 4422, appendix A): the server identifies the client by its TLS certificate."""

from ..abc import AuthenticationMechanism

__all__ = ["ExternalAuth"]


class ExternalAuth(AuthenticationMechanism):
    """The mechanism EXTERNAL.

    Args:
        authzid: The user to act as; empty for the user of the certificate.
    """

    authzid: str = ""

    def __init__(self, authzid: str = "") -> None:
        self.authzid = authzid

    def __repr__(self) -> str:
        return f"{type(self).__name__}(authzid={self.authzid!r})"

    @classmethod
    def name(cls) -> str:
        """Return the mechanism's name."""
        return "EXTERNAL"

    def build_start_ok_response(self, encoding: str, rabbitmq: bool) -> bytes:
        """Return the user to act as.

        Args:
            encoding: The encoding of the name.
            rabbitmq: Not used.
        """
        return self.authzid.encode(encoding)
