"""The events of a connection with recovery, each with its time and the number of the connection.

`ammoo.Connection.events` returns a listener to them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..topology_records import Entity
    from .ports import LastingConsumer, UserChannel

__all__ = [
    "Blocked",
    "ChannelReopened",
    "Closed",
    "Connecting",
    "ConsumerLost",
    "Event",
    "GivenUp",
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
        entity: The exchange, queue, binding or consumer, as it was recorded; or the channel.
        error: Why it was not restored. For a binding or consumer that has to wait for another
            entity, the error of that entity.
        is_retried: Whether recovery tries again in the background. Then one event follows:
            `Restored`, `GivenUp`, or `ConsumerLost` for a consumer; or else the connection is lost
            before, or the program deletes the entity.
    """

    entity: "Entity | UserChannel"
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
    """The server accepts no messages (connection.blocked).

    Attributes:
        time: When, as in `Connecting`.
        epoch: The number of the connection.
        reason: The server's reason.
    """

    time: float
    epoch: int
    reason: str


class Unblocked(NamedTuple):
    """The server accepts messages again (connection.unblocked).

    Attributes:
        time: When, as in `Connecting`.
        epoch: The number of the connection.
    """

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
    """A channel is open again; the server had closed it without its connection.

    Attributes:
        time: When, as in `Connecting`.
        epoch: The number of the connection.
        channel: The channel.
        cause: Why the server had closed it.
        not_restored: The channel's consumers that were not started again.
    """

    time: float
    epoch: int
    channel: "UserChannel"
    cause: Exception
    not_restored: tuple[NotRestored, ...] = ()


class ConsumerLost(NamedTuple):
    """A consumer could not be restored; its iteration raises the error.

    Attributes:
        time: When, as in `Connecting`.
        epoch: The number of the connection.
        consumer: The consumer.
        error: Why it could not be restored.
    """

    time: float
    epoch: int
    consumer: "LastingConsumer"
    error: Exception


class Restored(NamedTuple):
    """An entity that was missing is restored.

    It is one of `not_restored`, or a consumer that the server has cancelled and that is started
    again; or the server has deleted it while recovery retried one of its bindings. The event comes
    once for each loss.

    Attributes:
        time: When, as in `Connecting`.
        epoch: The number of the connection.
        entity: The restored entity, as it was recorded.
    """

    time: float
    epoch: int
    entity: "Entity"


class GivenUp(NamedTuple):
    """An exchange, queue or binding that was missing, as in `Restored`, is not retried any more.

    Attributes:
        time: When, as in `Connecting`.
        epoch: The number of the connection.
        entity: The entity, as it was recorded. The next recovery tries it again.
        error: Why.
    """

    time: float
    epoch: int
    entity: "Entity"
    error: Exception


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
    | GivenUp
    | Closed
)
