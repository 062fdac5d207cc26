"""The rounds of an outage: connecting to all hosts in turn until one connection is open.

`delays` decides how long to wait before a round, `hosts` which host is tried next, and `retry_decisions`
what a failed round means. An attempt that fails leaves nothing behind.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..exceptions.connection import ClientClosedConnectionError, RecoveryFailed
from ..live.connection import LiveConnection
from ..parameters import ConnectionParameters
from .connector import FAILURES, Connector, mildest
from .delays import Outage
from .options import Recovery
from .reports import Reports
from .restoring.topology_replay import GaveUp
from .retry_decisions import REFUSED_ROUNDS, RetryDecision, retry_decision_on
from .state import RecoveryState

__all__ = ["Rounds", "recovery_failed"]

log: logging.Logger = logging.getLogger("ammoo")


class Rounds:
    """Connects again after each loss.

    Args:
        state: The connection's state.
        recovery: The user's options.
        connector: Makes live connections.
        restore: Restores everything on a new live connection, and puts it into use.
        reports: Reports each round and each attempt.

    Attributes:
        attempts: How many rounds were made since the last loss.
    """

    def __init__(
        self,
        state: RecoveryState,
        recovery: Recovery,
        connector: Connector,
        restore: Callable[[LiveConnection], Awaitable[None]],
        reports: Reports,
    ) -> None:
        self.attempts: int = 0
        self._state = state
        self._recovery = recovery
        self._connector = connector
        self._restore = restore
        self._reports = reports
        self._outage = Outage(recovery.max_delay, recovery.random)
        self._lost_at = 0.0
        self._last_failure: Exception

    @property
    def outage(self) -> float:
        """For how many seconds the connection has been lost."""
        return self._state.now - self._lost_at

    def opened(self) -> None:
        """Record that a connection is open."""
        self._outage.opened(self._state.now)

    def lost(self, heartbeat_interval: float) -> None:
        """Record that the connection is lost."""
        self._lost_at = self._state.now
        self.attempts = 0
        self._outage.lost(self._lost_at, heartbeat_interval)

    def failed(self, error: Exception) -> RecoveryFailed:
        """Return the error with which recovery ends because of a failure."""
        return recovery_failed(error, self.attempts, self.outage)

    async def run(self, cause: Exception, unknown: int) -> RecoveryFailed | None:
        """Make rounds until the connection is open or closed, or the user's limits are reached.

        Args:
            cause: Why the connection was lost.
            unknown: How many published messages the server had not confirmed then.

        Returns:
            Why recovery gave up; None if it did not.
        """
        self._last_failure = cause
        deadline = self._recovery.deadline
        scope = asyncio.timeout_at(None if deadline is None else self._lost_at + deadline)
        try:
            async with scope:
                error = await self._run(unknown)
        except GaveUp as gave_up:
            error = gave_up.error
        except TimeoutError:
            if not scope.expired():
                raise
            error = self._last_failure
        return None if error is None else self.failed(error)

    async def _run(self, unknown: int) -> Exception | None:
        """Make rounds; return the failure that ends them, or None.

        Raises:
            GaveUp: An entity was refused, and the user wants no connection without it.
        """
        decision, refused = RetryDecision.RETRY, 0
        while self._state.is_recovering:
            slowly = decision in (RetryDecision.SLOWLY, RetryDecision.FEW_ROUNDS)
            delay = self._outage.next_delay(self._state.now, slowly=slowly)
            attempt = self._outage.attempt
            self._reports.recovering(self._last_failure, delay, attempt, unknown)
            unknown = 0
            await asyncio.sleep(delay)
            self.attempts += 1
            failures = await self._round(attempt)
            if not failures:
                return None
            self._last_failure = mildest(failures, has_worked=True)
            decision = retry_decision_on(self._last_failure, has_worked=True)
            log.debug("attempt %d failed: %s", attempt, self._last_failure)
            refused = refused + 1 if decision is RetryDecision.FEW_ROUNDS else 0
            most = self._recovery.max_attempts
            if (
                decision is RetryDecision.FINAL
                or refused >= REFUSED_ROUNDS
                or (most is not None and self.attempts >= most)
            ):
                return self._last_failure
        return None

    async def _round(self, attempt: int) -> list[Exception]:
        """Try all hosts once.

        Returns:
            The failure of each host; empty if the connection is open.
        """
        failures: list[Exception] = []
        for parameters in self._connector.hosts.round():
            self._reports.connecting(parameters.address, attempt)
            try:
                await self._try(parameters)
            except FAILURES as error:
                failures.append(error)
            else:
                return []
        return failures

    async def _try(self, parameters: ConnectionParameters) -> None:
        """Connect to a host, restore everything, and put the new connection into use."""
        live = await self._connector.connect(parameters)
        try:
            await self._restore(live)
        except BaseException as error:
            live.on_end = None
            live.fail(error if isinstance(error, Exception) else ClientClosedConnectionError(error))
            live.transport.abort()
            await live.wait_closed()
            raise


def recovery_failed(error: Exception, attempts: int = 0, outage: float = 0.0) -> RecoveryFailed:
    """Return the error with which recovery ends, or does not begin, because of a failure."""
    failed = RecoveryFailed(error, attempts, outage)
    failed.__cause__ = error
    return failed
