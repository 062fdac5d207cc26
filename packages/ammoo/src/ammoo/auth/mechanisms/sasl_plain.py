"""PLAIN (RFC 4616): login and password, as every server takes them."""

from ..abc import AuthenticationMechanism

__all__ = ["SaslPlainAuth"]


class SaslPlainAuth(AuthenticationMechanism):
    """The mechanism PLAIN.

    Args:
        authcid: Who logs in.
        passwd: The password.
        authzid: Whom to act as; None for the same.

    Raises:
        ValueError: A part holds a NUL character, which separates them.
    """

    def __init__(self, authcid: str, passwd: str, authzid: str | None = None) -> None:
        if "\x00" in authcid + passwd + (authzid or ""):
            raise ValueError("the mechanism PLAIN takes no NUL character in login or password")
        self.authcid = authcid
        self.authzid = authzid
        self._passwd = passwd

    def __repr__(self) -> str:
        return f"{type(self).__name__}(authcid={self.authcid!r}, authzid={self.authzid!r})"

    @classmethod
    def name(cls) -> str:
        """Give the mechanism's name."""
        return "PLAIN"

    def build_start_ok_response(self, encoding: str, rabbitmq: bool) -> bytes:
        """Join the parts."""
        return "\x00".join((self.authzid or "", self.authcid, self._passwd)).encode(encoding)
