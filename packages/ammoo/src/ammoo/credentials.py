"""`Credentials`: a login and its password, which a provider returns whenever they are needed.

A provider is the user's async function, which may ask an identity server for a token.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

__all__ = ["Credentials", "CredentialsProvider"]


class Credentials(NamedTuple):
    """A login, its password, and how long they are valid.

    An async function returns it to `connect`::

        async def credentials() -> ammoo.Credentials:
            token = await fetch_token()
            return ammoo.Credentials("", token.text, expires_in=token.seconds)

        async with ammoo.connect("amqps://localhost/", credentials=credentials) as connection:
            ...
    """

    login: str
    """The user; with OAuth 2 RabbitMQ ignores it."""
    password: str
    """The password or token."""
    expires_in: float | None = None
    """How long the password is valid, in seconds; None, the default, for ever."""

    def __repr__(self) -> str:
        return f"Credentials(login={self.login!r}, expires_in={self.expires_in!r})"


CredentialsProvider = Callable[[], Awaitable[Credentials]]
"""Returns credentials. It is called at each connect, and before the credentials expire."""
