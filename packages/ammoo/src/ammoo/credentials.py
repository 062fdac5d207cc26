"""`Credentials`: what logs in, where it is asked for whenever it is needed.

A provider is an async function of the user's, which may ask an identity server for a token.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

__all__ = ["Credentials", "CredentialsProvider"]


class Credentials(NamedTuple):
    """What logs in."""

    login: str
    """The user; with OAuth 2 RabbitMQ ignores it."""
    password: str
    """The password or token."""
    expires_in: float | None = None
    """For how many seconds it is valid; None for ever."""

    def __repr__(self) -> str:
        return f"Credentials(login={self.login!r}, expires_in={self.expires_in!r})"


CredentialsProvider = Callable[[], Awaitable[Credentials]]
"""Returns credentials; asked at each connect, and before they expire."""
