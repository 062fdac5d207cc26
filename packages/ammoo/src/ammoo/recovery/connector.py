"""Connecting to one of several servers: rounds through all of them, and the first connect.

The order of the hosts is shuffled once, so that the clients of a cluster spread over its
nodes. A round begins behind the host that was connected last, because that host is most likely
down.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from ..auth.password import PasswordAuthentication
from ..exceptions.base import AmmooError
from ..exceptions.connection import RecoveryFailed
from ..live.connection import LiveConnection
from ..parameters import ConnectionParameters
from .delays import Outage
from .handshake_slots import slots_of
from .options import Recovery
from .verdicts import Verdict, verdict_on

__all__ = ["FAILURES", "Connector", "mildest"]

FAILURES: Final = (OSError, AmmooError)
"""The exceptions of a failed attempt; any other is a fault of the program, and is raised."""

Prepare = Callable[[ConnectionParameters], Awaitable[ConnectionParameters]]
"""Adds credentials to parameters; called for each attempt, so that they are new."""
Make = Callable[[ConnectionParameters], LiveConnection]


class Connector:
    """Makes live connections to any of several hosts.

    Args:
        hosts: Where to connect to, and how; at least one.
        recovery: The user's options; None for a connection without recovery.
        make: Makes a live connection, which has no socket yet.
        prepare: Completes the parameters before each attempt; None if they are complete.

    Attributes:
        hosts: The hosts in their order.
    """

    def __init__(
        self,
        hosts: Sequence[ConnectionParameters],
        recovery: Recovery | None,
        make: Make,
        prepare: Prepare | None = None,
    ) -> None:
        self.hosts: list[ConnectionParameters] = list(hosts)
        self._recovery = recovery
        self._make = make
        self._prepare = prepare
        self._next = 0
        self._slots = slots_of(asyncio.get_running_loop())
        if len(self.hosts) > 1:
            self._shuffle(recovery)
        self._first_round = iter(self.hosts)
        self._failures: list[Exception] = []
        self._outage: Outage | None = None

    def _shuffle(self, recovery: Recovery | None) -> None:
        from random import Random, random

        seed = random() if recovery is None else recovery.random()
        Random(seed).shuffle(self.hosts)

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
        self._next = 1 + next(
            index for index, host in enumerate(self.hosts) if host.address == parameters.address
        )
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

    def change_password(self, password: str) -> None:
        """Use another password from now on, for each host whose mechanism uses a password."""
        for index, host in enumerate(self.hosts):
            if isinstance(host.auth, PasswordAuthentication):
                self.hosts[index] = host._replace(auth=host.auth.with_password(password))

    def round(self) -> Iterator[ConnectionParameters]:
        """Return each host once, beginning behind the one that was connected last."""
        begin = self._next
        for index in range(len(self.hosts)):
            yield self.hosts[(begin + index) % len(self.hosts)]

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
                    self._failures.append(error)
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
                self._failures.append(error)
                live = await self.first_socket()
            else:
                return live

    async def _begin_another_round(self) -> None:
        """Wait before another round, or raise the failure of the last round."""
        error = mildest(self._failures, has_worked=False)
        recovery = self._recovery
        verdict = verdict_on(error, has_worked=False)
        if recovery is None or not recovery.retry_first or verdict is Verdict.FINAL:
            raise error
        loop = asyncio.get_running_loop()
        if self._outage is None:
            self._outage = Outage(recovery.max_delay, recovery.random)
            self._outage.lost(loop.time())
        attempts, age = self._outage.attempt, self._outage.age(loop.time())
        most, deadline = recovery.max_attempts, recovery.deadline
        if (most is not None and attempts >= most) or (deadline is not None and age >= deadline):
            raise RecoveryFailed(error, attempts + 1, age) from error
        slowly = verdict is Verdict.SLOWLY
        await asyncio.sleep(self._outage.next_delay(loop.time(), slowly=slowly))
        self._failures.clear()
        self._first_round = self.round()


def mildest(failures: Sequence[Exception], *, has_worked: bool) -> Exception:
    """Return the failure that decides about a round: the one that is most likely temporary."""
    return min(failures, key=lambda error: verdict_on(error, has_worked=has_worked))
