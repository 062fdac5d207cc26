"""Asking for credentials at each connect, and again before they expire."""

import asyncio
from asyncio import AbstractEventLoop, Task, TimerHandle
from collections.abc import Callable
from typing import Final

from ..auth.password import PasswordAuthentication
from ..credentials import Credentials, CredentialsProvider
from ..exceptions.base import AmmooError
from ..exceptions.connection import ConnectionClosed, CredentialsUnavailable
from ..live.connection import LiveConnection
from ..parameters import ConnectionParameters
from ..running_loop import new_task

__all__ = ["CredentialsKeeper"]

REFRESH_AT: Final = 0.8
"""The share of the lifetime after which the keeper asks again; jitter makes it up to 10 % less."""
RETRY_AFTER: Final = 0.1
"""The share of the remaining lifetime after which a failed refresh is repeated; at least 1 s."""


class CredentialsKeeper:
    """Asks the provider, and keeps the credentials of the live connection fresh.

    Args:
        loop: The event loop.
        provider: The user's function.
        random: Returns a number from 0 up to 1, for jitter.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        provider: CredentialsProvider,
        random: Callable[[], float],
    ) -> None:
        self._loop = loop
        self._provider = provider
        self._random = random
        self._expires_in: float | None = None
        self._expires_at = 0.0
        self._live: LiveConnection | None = None
        self._timer: TimerHandle | None = None
        self._task: Task[None] | None = None

    async def complete(self, parameters: ConnectionParameters) -> ConnectionParameters:
        """Ask for credentials, and return parameters that log in with them.

        Raises:
            CredentialsUnavailable: The provider failed.
            TypeError: The provider returned something else.
        """
        credentials = await self._ask()
        self._note_expiry(credentials)
        auth = PasswordAuthentication(credentials.login, credentials.password)
        return parameters._replace(auth=auth)

    def keep_fresh(self, live: LiveConnection) -> None:
        """Send new credentials to the server each time before those of a connection expire."""
        self.stop()
        self._live = live
        self._schedule()

    def stop(self) -> None:
        """Refresh no more."""
        self._live = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Refresh no more, and wait until the task has ended."""
        task = self._task
        self.stop()
        if task is not None:
            await asyncio.wait({task})

    async def _ask(self) -> Credentials:
        try:
            credentials = await self._provider()
        except Exception as error:
            raise CredentialsUnavailable(error) from error
        if not all(hasattr(credentials, name) for name in Credentials._fields):
            # A mistake of the program, which no further attempt mends. The text does not show the
            # value, which may hold a password.
            kind = type(credentials).__name__
            raise TypeError(f"credentials returned an object of type {kind}; expected Credentials")
        return credentials

    def _note_expiry(self, credentials: Credentials) -> None:
        self._expires_in = credentials.expires_in
        self._expires_at = self._loop.time() + (credentials.expires_in or 0.0)

    def _schedule(self) -> None:
        if self._expires_in is not None:
            share = REFRESH_AT * (1 - 0.1 * self._random())
            self._begin_in(self._expires_at - self._loop.time() - (1 - share) * self._expires_in)

    def _begin_in(self, seconds: float) -> None:
        self._timer = self._loop.call_later(max(0.0, seconds), self._begin)

    def _begin(self) -> None:
        self._timer = None
        if self._live is not None and self._live.closing_exc is None:
            self._task = new_task(self._loop, self._refresh(self._live))
            self._task.add_done_callback(self._ended)

    def _ended(self, task: "Task[None]") -> None:
        if task is self._task:
            self._task = None

    async def _refresh(self, live: LiveConnection) -> None:
        """Send new credentials to the server; repeat a failure until the old ones expire."""
        try:
            credentials = await self._ask()
            await live.update_secret(credentials.password, "the credentials expire")
        except ConnectionClosed as error:
            if not isinstance(error, CredentialsUnavailable):
                return  # the next connection asks for its own
            self._try_again()
        except AmmooError:
            self._try_again()
        except TypeError as error:  # of the provider; the next answer may be right
            message = "the credentials cannot be renewed"
            self._loop.call_exception_handler({"message": message, "exception": error})
            self._try_again()
        else:
            self._note_expiry(credentials)
            if live is self._live:
                self._schedule()

    def _try_again(self) -> None:
        left = self._expires_at - self._loop.time()
        if left > 0 and self._live is not None:
            self._begin_in(max(1.0, RETRY_AFTER * left))
