"""Connecting: one attempt at one host, and the first connect, which tries several.

`hosts` decides which host is tried next, `delays` how long to wait before another round.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ..exceptions.base import AmmooError
from ..exceptions.connection import RecoveryFailed
from ..live.connection import LiveConnection
from ..parameters import ConnectionParameters
from .delays import Outage
from .handshake_slots import slots_of
from .hosts import Hosts
from .options import Recovery
from .retry_decisions import RetryDecision, retry_decision_on

__all__ = ["FAILURES", "Connector", "mildest"]

FAILURES: Final = (OSError, AmmooError)
"""The exceptions of a failed attempt; any other is a fault of the program, and is raised."""

Prepare = Callable[[ConnectionParameters], Awaitable[ConnectionParameters]]
"""Adds credentials to parameters; called for each attempt, so that they are new."""
Make = Callable[[ConnectionParameters], LiveConnection]


class Connector:
    """Makes live connections to any of several hosts.

    Args:
        hosts: Where to connect to, and how.
        recovery: The user's options; None for a connection without recovery.
        make: Makes a live connection, which has no socket yet.
        prepare: Completes the parameters before each attempt; None if they are complete.

    Attributes:
        hosts: As passed.
    """

    def __init__(
        self,
        hosts: Hosts,
        recovery: Recovery | None,
        make: Make,
        prepare: Prepare | None = None,
    ) -> None:
        self.hosts: Hosts = hosts
        self._recovery = recovery
        self._make = make
        self._prepare = prepare
        self._slots = slots_of(asyncio.get_running_loop())
        self._first_round = hosts.round()
        self._failures: list[tuple[str, Exception]] = []  # of this round, with addresses
        self._outage: Outage | None = None

    # --- one host ---

    async def _open_socket(self, parameters: ConnectionParameters) -> LiveConnection:
        """Connect the socket to a host, and send nothing yet.

        Raises:
            OSError: It cannot be connected.
        """
        if self._prepare is not None:
            parameters = await self._prepare(parameters)
        live = self._make(parameters)
        await live.open_socket(tries_each_address=True)
        self.hosts.connected(parameters.address)
        return live

    async def connect(self, parameters: ConnectionParameters) -> LiveConnection:
        """Connect to a host, the handshake included.

        Raises:
            OSError: The socket cannot be connected.
            ConnectionClosed: The server refused, or does not speak AMQP.
        """
        async with self._slots.slot():
            live = await self._open_socket(parameters)
            try:
                await live.open()
            except BaseException:
                await live.wait_closed()  # its socket is aborted, and closed in the next turn
                raise
        return live

    # --- the first connect ---

    async def first_socket(self) -> LiveConnection:
        """Connect a socket to the first host that accepts it; call again if its handshake fails.

        Raises:
            Exception: No host accepted a socket, and recovery does not retry the failure.
        """
        while True:
            for parameters in self._first_round:
                try:
                    async with self._slots.slot():
                        return await self._open_socket(parameters)
                except FAILURES as error:
                    self._failures.append((parameters.address, error))
            await self._begin_another_round()

    async def first_handshake(self, live: LiveConnection) -> LiveConnection:
        """Do the handshake on a socket; if it fails, connect to the next hosts in turn.

        Raises:
            Exception: No host opened the connection, and recovery does not retry the failure.
        """
        while True:
            try:
                async with self._slots.slot():
                    await live.open()
            except FAILURES as error:
                self._failures.append((live.address, error))
                live = await self.first_socket()
            else:
                return live

    async def _begin_another_round(self) -> None:
        """Wait before another round, or raise the failure of the last round."""
        error = mildest([each for _, each in self._failures], has_worked=False)
        recovery = self._recovery
        decision = retry_decision_on(error, has_worked=False)
        if recovery is None or not recovery.retry_first or decision is RetryDecision.FINAL:
            self._note_the_others_at(error)
            raise error
        loop = asyncio.get_running_loop()
        if self._outage is None:
            self._outage = Outage(recovery.max_delay, recovery.random)
            self._outage.lost(loop.time())
        attempts, age = self._outage.attempt, self._outage.age(loop.time())
        most, deadline = recovery.max_attempts, recovery.deadline
        if (most is not None and attempts >= most) or (deadline is not None and age >= deadline):
            self._note_the_others_at(error)
            raise RecoveryFailed(error, attempts + 1, age) from error
        slowly = decision is RetryDecision.SLOWLY
        await asyncio.sleep(self._outage.next_delay(loop.time(), slowly=slowly))
        self._failures.clear()
        self._first_round = self.hosts.round()

    def _note_the_others_at(self, error: Exception) -> None:
        """Add the failures of the other hosts as notes: the one that is raised hides them."""
        for address, other in self._failures:
            if other is not error:
                error.add_note(f"{address} failed, too: {other}")


def mildest(failures: Sequence[Exception], *, has_worked: bool) -> Exception:
    """Return the failure that decides about a round: the one that is most likely temporary."""
    return min(failures, key=lambda error: retry_decision_on(error, has_worked=has_worked))
