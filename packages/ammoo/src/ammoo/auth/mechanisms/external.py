"""EXTERNAL (RFC 4422, appendix A): the server knows us already, by our TLS certificate."""

from ..abc import AuthenticationMechanism

__all__ = ["ExternalAuth"]


class ExternalAuth(AuthenticationMechanism):
    """The mechanism EXTERNAL.

    Args:
        authzid: Whom to act as; empty for whom the certificate names.
    """

    authzid: str = ""

    def __init__(self, authzid: str = "") -> None:
        self.authzid = authzid

    def __repr__(self) -> str:
        return f"{type(self).__name__}(authzid={self.authzid!r})"

    @classmethod
    def name(cls) -> str:
        """Give the mechanism's name."""
        return "EXTERNAL"

    def build_start_ok_response(self, encoding: str, rabbitmq: bool) -> bytes:
        """Give whom to act as."""
        return self.authzid.encode(encoding)
