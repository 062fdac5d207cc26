"""PLAIN (RFC 4616): login and password; every server offers it."""

from ..abc import AuthenticationMechanism
from ..secrets import encode_secret

__all__ = ["SaslPlainAuth"]


class SaslPlainAuth(AuthenticationMechanism):
    """The mechanism PLAIN.

    Args:
        authcid: The user who logs in.
        passwd: The password.
        authzid: The user to act as; None for the same.

    Raises:
        ValueError: A part holds a NUL character, which separates the parts.
    """

    authcid: str = ""
    authzid: str | None = None

    def __init__(self, authcid: str, passwd: str, authzid: str | None = None) -> None:
        if any("\x00" in part for part in (authcid, passwd, authzid or "")):
            raise ValueError("the mechanism PLAIN takes no NUL character in login or password")
        self.authcid = authcid
        self.authzid = authzid
        self._passwd = passwd

    def __repr__(self) -> str:
        return f"{type(self).__name__}(authcid={self.authcid!r}, authzid={self.authzid!r})"

    @classmethod
    def name(cls) -> str:
        """Return the mechanism's name."""
        return "PLAIN"

    def build_start_ok_response(self, encoding: str, rabbitmq: bool) -> bytes:
        """Return the parts, joined by NUL characters.

        Args:
            encoding: The encoding of the parts.
            rabbitmq: Not used.

        Raises:
            ValueError: A part holds a character that cannot be encoded.
        """
        return b"\x00".join(
            (
                encode_secret(self.authzid or "", "authzid", encoding),
                encode_secret(self.authcid, "authcid", encoding),
                encode_secret(self._passwd, "passwd", encoding),
            )
        )
