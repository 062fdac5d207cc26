"""Reporting the events of a connection to the log, to listeners and to the user's hooks.

The hooks are the only code of the user's that runs here, and `call_hook` guards them. Events go to
listeners, which other tasks read.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Final
from weakref import WeakSet

from ..instrumentation.hooks import Hooks, call_hook
from ..topology_records import Entity
from .events import (
    Blocked,
    ChannelReopened,
    Closed,
    Connecting,
    ConsumerLost,
    Event,
    GivenUp,
    NotRestored,
    Open,
    Recovering,
    Restored,
    Unblocked,
)
from .listener import EventListener
from .ports import LastingConsumer, UserChannel
from .state import RecoveryState

__all__ = ["Reports"]

log: logging.Logger = logging.getLogger("ammoo")

MOST_LISTED: Final = 10
"""How many entities a line of the log names."""


class Reports:
    """Reports what happens to one connection.

    Args:
        state: The connection's state, for the time and the number in each event.
        hooks: The user's functions, or None.

    Attributes:
        address: The server that the connection is open to, or was before it was lost.
    """

    __slots__ = ("_hooks", "_listeners", "_state", "address")

    def __init__(self, state: RecoveryState, hooks: Hooks | None) -> None:
        self.address: str = ""
        self._state = state
        self._hooks = hooks
        self._listeners: WeakSet[EventListener] = WeakSet()

    def listen(self) -> EventListener:
        """Return a listener to all events from now on."""
        listener = EventListener()
        self._listeners.add(listener)
        state = self._state
        if state.final is not None:
            listener.put(Closed(state.now, state.epoch, state.final), is_last=True)
        return listener

    def _emit(self, event: Event) -> None:
        """Pass an event to all listeners."""
        for listener in list(self._listeners):
            listener.put(event, is_last=isinstance(event, Closed))

    # --- the connection ---

    def opened(self) -> None:
        """Report that the first connection is open."""
        log.info("connected to %s", self.address)
        self._emit(Open(self._state.now, self._state.epoch, self.address, 0.0, 1, 0, (), {}))

    def blocked_changed(self, reason: str | None) -> None:
        """Report that the server accepts no messages, or accepts them again."""
        state = self._state
        if reason is None:
            log.info("%s accepts messages again", self.address)
            self._emit(Unblocked(state.now, state.epoch))
        else:
            log.warning("%s accepts no messages: %s", self.address, reason)
            self._emit(Blocked(state.now, state.epoch, reason))

    def ended(self, error: Exception) -> None:
        """Call the user's hook: a live connection has ended."""
        if self._hooks is not None:
            call_hook(self._state.loop, self._hooks.lost, error)

    def lost(self, error: Exception, channels: int, consumers: int) -> None:
        """Report that recovery begins, and how much it has to restore."""
        log.warning(
            "lost %s: %s; recovering %d channels, %d consumers",
            self.address,
            error,
            channels,
            consumers,
        )

    def recovering(self, cause: Exception, delay: float, attempt: int, unknown: int) -> None:
        """Report that a round of connecting begins after a delay; see `events.Recovering`."""
        state = self._state
        self._emit(Recovering(state.now, state.epoch, cause, delay, attempt, unknown))

    def connecting(self, address: str, attempt: int) -> None:
        """Report that recovery connects to a host."""
        self._emit(Connecting(self._state.now, self._state.epoch, address, attempt))
        log.debug("connecting to %s", address)

    def recovered(
        self,
        outage: float,
        attempts: int,
        restored: int,
        not_restored: tuple[NotRestored, ...],
        renamed: Mapping[str, str],
    ) -> None:
        """Report that the connection is open again; see `events.Open`."""
        state, address = self._state, self.address
        self._emit(
            Open(
                state.now,
                state.epoch,
                address,
                outage,
                attempts,
                restored,
                not_restored,
                renamed,
            )
        )
        log.info(
            "recovered on %s after %.1f s, %d attempts; not restored: %s",
            address,
            outage,
            attempts,
            _listed(not_restored),
        )
        if self._hooks is not None:
            call_hook(state.loop, self._hooks.recovered, address, outage, attempts)

    def gave_up(self, error: Exception) -> None:
        """Report that recovery has ended without success."""
        log.error("%s: %s", self.address, error)

    def closed(self, error: Exception) -> None:
        """Report that the connection is closed for good."""
        self._emit(Closed(self._state.now, self._state.epoch, error))

    # --- channels, consumers and entities ---

    def restored(self, entity: Entity) -> None:
        """Report that an entity was restored after the connection was open again."""
        self._emit(Restored(self._state.now, self._state.epoch, entity))

    def given_up(self, entity: Entity, error: Exception) -> None:
        """Report that an exchange, queue or binding is not retried any more."""
        log.debug("gave up restoring %r: %s", entity, error)
        self._emit(GivenUp(self._state.now, self._state.epoch, entity, error))

    def channel_reopened(
        self,
        number: int,
        channel: UserChannel,
        cause: Exception,
        not_restored: tuple[NotRestored, ...],
    ) -> None:
        """Report that a channel is open again after the server had closed it."""
        log.info("channel %d was opened again: %s", number, cause)
        state = self._state
        self._emit(ChannelReopened(state.now, state.epoch, channel, cause, not_restored))

    def consumer_lost(self, consumer: LastingConsumer, error: Exception) -> None:
        """Report that a consumer has ended because it cannot be restored."""
        self._emit(ConsumerLost(self._state.now, self._state.epoch, consumer, error))


def _listed(not_restored: Sequence[NotRestored]) -> str:
    listed = [f"{each.entity!r} ({each.error})" for each in not_restored[:MOST_LISTED]]
    if len(not_restored) > MOST_LISTED:
        listed.append(f"{len(not_restored) - MOST_LISTED} more")
    return ", ".join(listed) or "nothing"
