"""What a connection with recovery reports, each with its time and the number of the connection.

`ammoo.Connection.events` returns a listener to them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..topology import Entity
    from .ports import LastingConsumer, UserChannel

__all__ = [
    "Blocked",
    "ChannelReopened",
    "Closed",
    "Connecting",
    "ConsumerLost",
    "Event",
    "NotRestored",
    "Open",
    "Recovering",
    "Restored",
    "Unblocked",
]


class Connecting(NamedTuple):
    """An attempt begins.

    Attributes:
        time: When, by the event loop's clock, in seconds.
        epoch: The number of the last connection that was open; 0 before the first.
        address: The server's address, as a URL without user and password.
        attempt: The number of the round since the connection was last stable, counted from 1.
    """

    time: float
    epoch: int
    address: str
    attempt: int


class NotRestored(NamedTuple):
    """An entity that was not restored.

    Attributes:
        entity: The exchange, queue, binding or consumer, as it was recorded.
        error: Why it was not restored.
        is_retried: Whether recovery tries again in the background; `Restored` reports success.
    """

    entity: "Entity"
    error: Exception
    is_retried: bool


class Open(NamedTuple):
    """The connection is open, with its channels, topology and consumers.

    Attributes:
        time: When, as in `Connecting`.
        epoch: The number of the connection; the first has 1.
        address: The server's address, as in `Connecting`.
        outage: How long the connection was down, in seconds; 0 for the first.
        attempts: How many rounds it took.
        restored: How many entities, channels included, were restored.
        not_restored: The entities that were not restored.
        renamed: Old and new names of queues that the server named.
    """

    time: float
    epoch: int
    address: str
    outage: float
    attempts: int
    restored: int
    not_restored: tuple[NotRestored, ...]
    renamed: Mapping[str, str]


class Blocked(NamedTuple):
    """The server accepts no messages (connection.blocked)."""

    time: float
    epoch: int
    reason: str


class Unblocked(NamedTuple):
    """The server accepts messages again (connection.unblocked)."""

    time: float
    epoch: int


class Recovering(NamedTuple):
    """The connection was lost, or an attempt failed; the next round comes after a delay.

    Attributes:
        time: When, as in `Connecting`.
        epoch: The number of the connection that was lost.
        cause: Why it was lost, or why the attempt failed.
        delay: For how many seconds the client waits before the next round.
        attempt: The number of the next round, as in `Connecting`.
        unknown: How many publishes have no known outcome because of the loss; 0 when an attempt
            failed.
    """

    time: float
    epoch: int
    cause: Exception
    delay: float
    attempt: int
    unknown: int


class ChannelReopened(NamedTuple):
    """A channel is open again; the server had closed it without its connection."""

    time: float
    epoch: int
    channel: "UserChannel"
    cause: Exception


class ConsumerLost(NamedTuple):
    """A consumer could not be restored; its iteration raises the error."""

    time: float
    epoch: int
    consumer: "LastingConsumer"
    error: Exception


class Restored(NamedTuple):
    """An entity of `Open.not_restored` was restored after all."""

    time: float
    epoch: int
    entity: "Entity"


class Closed(NamedTuple):
    """The connection is closed for good; the last event.

    Attributes:
        time: When, as in `Connecting`.
        epoch: The number of the last connection that was open.
        error: The exception that closed the connection; `ClientClosedConnectionOK` after a clean
            close.
    """

    time: float
    epoch: int
    error: Exception


Event = (
    Connecting
    | Open
    | Blocked
    | Unblocked
    | Recovering
    | ChannelReopened
    | ConsumerLost
    | Restored
    | Closed
)
