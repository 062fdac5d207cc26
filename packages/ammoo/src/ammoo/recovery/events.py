"""What a connection with recovery reports, each with its time and the number of the connection.

`ammoo.Connection.events` returns a listener to them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..topology import Entity
    from .ports import LastingChannel, LastingConsumer

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
        address: Where to.
        attempt: Which round since the connection was stable; 1 for the first.
    """

    time: float
    epoch: int
    address: str
    attempt: int


class NotRestored(NamedTuple):
    """An entity that is not back.

    Attributes:
        entity: The exchange, queue, binding or consumer, as it was recorded.
        error: Why.
        is_retried: Whether it is still tried in the background; `Restored` reports success.
    """

    entity: "Entity"
    error: Exception
    is_retried: bool


class Open(NamedTuple):
    """The connection is open, with its channels, topology and consumers.

    Attributes:
        time: When.
        epoch: The number of the connection; the first has 1.
        address: Where to.
        outage: For how many seconds it was not; 0 for the first.
        attempts: How many rounds it took.
        restored: How many entities, channels included, were restored.
        not_restored: What is not back.
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
    """The server takes no messages (connection.blocked)."""

    time: float
    epoch: int
    reason: str


class Unblocked(NamedTuple):
    """The server takes messages again."""

    time: float
    epoch: int


class Recovering(NamedTuple):
    """The connection was lost, or an attempt failed; the next round comes after a delay.

    Attributes:
        time: When.
        epoch: The number of the connection that was lost.
        cause: Why it was lost, or why the attempt failed.
        delay: For how many seconds the client waits before the next round.
        attempt: Which round that is.
        unknown: How many publishes have no known outcome because of this; 0 for an attempt.
    """

    time: float
    epoch: int
    cause: Exception
    delay: float
    attempt: int
    unknown: int


class ChannelReopened(NamedTuple):
    """A channel that was closed alone is open again."""

    time: float
    epoch: int
    channel: "LastingChannel"
    cause: Exception


class ConsumerLost(NamedTuple):
    """A consumer could not be restored; it raises the error."""

    time: float
    epoch: int
    consumer: "LastingConsumer"
    error: Exception


class Restored(NamedTuple):
    """An entity is back that was in `Open.not_restored`."""

    time: float
    epoch: int
    entity: "Entity"


class Closed(NamedTuple):
    """The connection is closed for good. The last event.

    Attributes:
        time: When.
        epoch: The number of the last connection that was open.
        error: What closed it; `ClientClosedConnectionOK` after a clean close.
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
