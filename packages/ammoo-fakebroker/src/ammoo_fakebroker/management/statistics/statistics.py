"""A recorder that counts the events of the broker's core, and passes them on to the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ammoo_wire import ReplyCode

from ...connections.connection import Connection
from ...connections.methods.direct_reply_to import PSEUDO_QUEUE
from .counts import CHURN, Counts, VirtualHostCounts
from .logins import Logins

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ...history.ports import (
        NamedQueue,
        PublishingChannel,
        RecordedChannel,
        RecordedConnection,
    )
    from ...history.recorder import Recorder
    from ...messages.message import Message

__all__ = ["Statistics"]

_AMQP = "amqp091"
"""RabbitMQ's name for the protocol where it counts logins."""


class Statistics:
    """The counts of one broker.

    Args:
        history: What gets all events as well; None if history is off.
        now: Returns the time in seconds since 1970.

    Attributes:
        now: Returns the time in seconds since 1970.
        logins: How often clients have logged in.
    """

    def __init__(self, history: Recorder | None, now: Callable[[], float]) -> None:
        self.now: Callable[[], float] = now
        self.logins: Logins = Logins()
        self._started_at = now()
        self._churn = Counts()
        self._history = history
        self._actor: RecordedChannel | None = None
        self._command_at = 0.0  # when the command of the actor began
        self._channels: WeakKeyDictionary[RecordedChannel, Counts] = WeakKeyDictionary()
        self._open_channels: WeakKeyDictionary[RecordedConnection, int] = WeakKeyDictionary()
        self._virtualhosts: dict[str, VirtualHostCounts] = {}
        # The channel of the last event, and its counts: most events come on the same one, and
        # looking these up would cost as much as counting.
        self._channel: RecordedChannel | None = None
        self._own = Counts()
        self._home = VirtualHostCounts()

    # -- reading -------------------------------------------------------------------------------

    def of_channel(self, channel: RecordedChannel) -> Counts:
        """Return the counts of a channel."""
        counts = self._channels.get(channel)
        if counts is None:
            counts = self._channels[channel] = Counts()
        return counts

    def of_virtualhost(self, name: str) -> VirtualHostCounts:
        """Return the counts of a virtual host."""
        home = self._virtualhosts.get(name)
        if home is None:
            home = self._virtualhosts[name] = VirtualHostCounts()
        return home

    def churn_counts(self) -> dict[str, int]:
        """Return how many connections, channels and queues have come and gone."""
        return {name: self._churn[name] for name in CHURN}

    def uptime(self) -> int:
        """Return for how long the broker has been up, in milliseconds."""
        return int((self.now() - self._started_at) * 1000)

    # -- what the core calls -------------------------------------------------------------------

    @property
    def actor(self) -> RecordedChannel | None:
        """The channel whose command is being executed."""
        return self._actor

    @actor.setter
    def actor(self, channel: RecordedChannel | None) -> None:
        self._actor = channel
        if self._history is not None:
            self._history.actor = channel
        if channel is not None:
            self._turn_to(channel)
            self._command_at = self._own.active_at = self.now()

    def record(
        self,
        kind: str,
        *,
        channel: RecordedChannel | None = None,
        connection: RecordedConnection | None = None,
        message: Message | None = None,
        **details: Any,
    ) -> None:
        """Count an event, if it is of a kind that is counted."""
        if self._history is not None:
            self._history.record(
                kind, channel=channel, connection=connection, message=message, **details
            )
        name = details.get("virtualhost") or _virtualhost_of(channel, connection)
        if name is None:
            self._count_refused_login(kind, details)
            return
        home = self.of_virtualhost(name)
        self._count_change(kind, home, details)
        if channel is not None:
            self._count_on_channel(kind, home, channel, details)
        elif isinstance(connection, Connection):
            self._count_connection(kind, home, connection)
        queue = home.queues.get(details.get("queue_name", ""))
        if queue is not None:
            queue.active_at = self._time()

    def record_change(self, kind: str, **details: Any) -> None:
        """Count a change that was caused by the command of the `actor`."""
        self.record(kind, channel=self._actor, **details)

    def published(
        self, channel: PublishingChannel | None, message: Message, queues: Collection[NamedQueue]
    ) -> None:
        """Count a publish; one of a transaction is counted when it is committed."""
        if self._history is not None:
            self._history.published(channel, message, queues)
        if channel is not None and channel.transaction is None:
            self._count_publish(channel, message, queues)

    def committed(
        self, channel: RecordedChannel, message: Message, queues: Collection[NamedQueue]
    ) -> None:
        """Count a publish of a transaction."""
        self._count_publish(channel, message, queues)

    def delivered(
        self,
        channel: RecordedChannel,
        message: Message,
        queue_name: str,
        consumer_tag: str,
        delivery_tag: int,
        redelivered: bool,
        no_ack: bool,
    ) -> None:
        """Count a delivery; RabbitMQ does not count direct replies."""
        if self._history is not None:
            self._history.delivered(
                channel, message, queue_name, consumer_tag, delivery_tag, redelivered, no_ack
            )
        if not queue_name.startswith(PSEUDO_QUEUE):
            name = "deliver_no_ack" if no_ack else "deliver"
            self._count_delivery(channel, queue_name, name, redelivered=redelivered)

    def found_empty(self, channel: RecordedChannel, queue_name: str) -> None:
        """Count a basic.get that found no message."""
        self._count(channel, queue_name, "get_empty")

    def settled(
        self,
        kind: str,
        channel: RecordedChannel,
        message: Message,
        queue_name: str,
        delivery_tag: int,
    ) -> None:
        """Count an acknowledgement; RabbitMQ does not count rejections."""
        if self._history is not None:
            self._history.settled(kind, channel, message, queue_name, delivery_tag)
        if kind == "acknowledged":
            self._count(channel, queue_name, "ack")
        else:
            self._count(channel, queue_name)

    def confirmed(
        self, channel: RecordedChannel, message: Message, sequence_number: int, accepted: bool
    ) -> None:
        """Count a confirm; RabbitMQ does not count those that say no (basic.nack)."""
        if self._history is not None:
            self._history.confirmed(channel, message, sequence_number, accepted)
        if accepted:
            self._turn_to(channel)
            self._own["confirm"] += 1
            self._home.total["confirm"] += 1

    def virtualhost_deleted(self, name: str) -> None:
        """Forget the counts of a virtual host."""
        self._virtualhosts.pop(name, None)
        self._channel = None

    def restarted(self) -> None:
        """Begin to count anew: RabbitMQ keeps no statistics over a restart."""
        self._channel = None
        self._churn.clear()
        self.logins.clear()
        self._started_at = self.now()
        queues = {name: list(home.queues) for name, home in self._virtualhosts.items()}
        self._virtualhosts.clear()
        for virtualhost, names in queues.items():
            for name in names:
                self._add_queue(self.of_virtualhost(virtualhost), name)

    # -- counting ------------------------------------------------------------------------------

    def _time(self) -> float:
        """Return the time; during a command that at which it began, which costs less."""
        return self.now() if self._actor is None else self._command_at

    def _turn_to(self, channel: RecordedChannel) -> None:
        """Make `_own` and `_home` the counts of a channel and of its virtual host."""
        if channel is not self._channel:
            self._channel = channel
            self._own = self.of_channel(channel)
            self._home = self.of_virtualhost(channel.connection.identity.virtualhost or "")

    def _add_queue(self, home: VirtualHostCounts, name: str) -> None:
        counts = home.queues[name] = Counts()
        counts.active_at = self._time()

    def _count_publish(
        self, channel: RecordedChannel, message: Message, queues: Collection[NamedQueue]
    ) -> None:
        self._turn_to(channel)
        home = self._home
        home.total["publish"] += 1
        self._own["publish"] += 1
        exchange = home.exchanges.get(message.exchange_name)
        if exchange is None:
            exchange = home.exchanges[message.exchange_name] = Counts()
        exchange["publish_in"] += 1
        if not queues:
            return
        exchange["publish_out"] += len(queues)
        time = self._time()
        for each in queues:
            queue = home.queues.get(each.name)
            if queue is not None:
                queue["publish"] += 1
                queue.active_at = time

    def _count_delivery(
        self, channel: RecordedChannel, queue_name: str, name: str, *, redelivered: bool
    ) -> None:
        if redelivered:
            self._count(channel, queue_name, "deliver_get", name, "redeliver")
        else:
            self._count(channel, queue_name, "deliver_get", name)

    def _count(self, channel: RecordedChannel, queue_name: str, *names: str) -> None:
        """Count something for a queue, its virtual host and a channel."""
        self._turn_to(channel)
        own, total = self._own, self._home.total
        queue = self._home.queues.get(queue_name)
        if queue is None:  # it is deleted, and its deliveries are settled now
            queue = Counts()
        queue.active_at = self._time()
        for name in names:
            own[name] += 1
            total[name] += 1
            queue[name] += 1

    def _count_on_channel(
        self,
        kind: str,
        home: VirtualHostCounts,
        channel: RecordedChannel,
        details: dict[str, Any],
    ) -> None:
        if kind == "got":
            name = "get_no_ack" if details["no_ack"] else "get"
            redelivered: bool = details["redelivered"]
            self._count_delivery(channel, details["queue_name"], name, redelivered=redelivered)
        elif kind == "returned" or (
            kind in ("unroutable", "delayed") and details.get("mandatory") is False
        ):
            name = "return_unroutable" if kind == "returned" else "drop_unroutable"
            home.total[name] += 1
            self.of_channel(channel)[name] += 1
        elif kind == "channel_opened":
            self._churn["channel_created"] += 1
            self._count_open_channels(channel.connection, 1)
            self.of_channel(channel).active_at = self._time()
        elif kind == "channel_closed":
            self._churn["channel_closed"] += 1
            self._count_open_channels(channel.connection, -1)

    def _count_open_channels(self, connection: RecordedConnection, change: int) -> None:
        self._open_channels[connection] = self._open_channels.get(connection, 0) + change

    def _count_connection(self, kind: str, home: VirtualHostCounts, connection: Connection) -> None:
        if kind == "connection_opened":
            self._churn["connection_created"] += 1
            self.logins.count(_AMQP, succeeded=True)
            home.had_connections = True
        elif kind == "connection_closed":
            self._churn["connection_closed"] += 1
            # No event says that a channel ends with its connection.
            self._churn["channel_closed"] += self._open_channels.pop(connection, 0)
            if connection.traffic is not None:
                home.received_octets += connection.traffic.received_octets
                home.sent_octets += connection.traffic.sent_octets

    def _count_refused_login(self, kind: str, details: dict[str, Any]) -> None:
        """Count a connection that the broker has closed before it was opened, for its login."""
        if kind == "connection_closed" and details.get("code") == ReplyCode.ACCESS_REFUSED:
            self.logins.count(_AMQP, succeeded=False)

    def _count_change(self, kind: str, home: VirtualHostCounts, details: dict[str, Any]) -> None:
        """Count a change of a queue or an exchange, and forget the counts of one that is deleted."""
        if kind == "queue_declared":
            self._churn["queue_declared"] += 1
            if not details.get("existed"):
                self._churn["queue_created"] += 1
                self._add_queue(home, details["queue_name"])
        elif kind == "queue_deleted":
            self._churn["queue_deleted"] += 1
            home.queues.pop(details["queue_name"], None)
        elif kind in ("exchange_declared", "exchange_deleted"):
            home.exchanges.pop(details["exchange_name"], None)


def _virtualhost_of(
    channel: RecordedChannel | None, connection: RecordedConnection | None
) -> str | None:
    """Return the name of the virtual host in which an event has happened; None for no such."""
    if channel is not None:
        return channel.connection.identity.virtualhost
    return None if connection is None else connection.identity.virtualhost
