"""A channel: what one client's session remembers between methods.

Deliveries that await acknowledgement, consumers, prefetch, confirms, a transaction, the queue
declared last. What the methods mean is written in `methods/`; they work on the state kept here.
See https://www.rabbitmq.com/docs/channels
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from ammoo_wire import (
    BasicCancelParameters,
)

from ..queues.delivery import Settlement, Unacked
from ..queues.limiter import Limiter
from ..rabbitmq import errors
from .confirms import Confirms
from .transaction import Transaction

if TYPE_CHECKING:
    from ..messages.message import QueuedMessage
    from ..node.virtual_host import VirtualHost
    from ..queues.consumers import Consumer
    from ..queues.queue import Queue
    from .ports import ChannelConnection, DirectReplyConsumer

__all__ = ["Channel"]


class _Group(NamedTuple):
    """What is settled in one go: a consumer's deliveries, or what one basic.get fetched."""

    queue: Queue
    fetched: int
    """The delivery tag if it was fetched, 0 if a consumer got it."""
    consumer: Consumer | None

    def names(self) -> tuple[str, bool, int, str]:
        """Give the names by which RabbitMQ sorts: a basic.get has a number for its name."""
        tag = "" if self.consumer is None else self.consumer.tag
        return self.queue.name, self.consumer is not None, self.fetched, tag


class Channel:
    """One open channel.

    Attributes:
        number: Its number on the connection.
        connection: Whose it is.
        consumers: By tag.
        unacked: Deliveries that await settlement, by delivery tag, oldest first.
        limiter: The prefetch that all its consumers share.
        prefetch_count: What the next consumer gets for itself.
        confirms: Since confirm.select.
        transaction: Since tx.select.
        last_delivery_tag: The number of the last delivery; 0 before the first one.
        last_queue_name: The queue declared last, which an empty name stands for.
        reply_consumer: Who gets direct replies.
        registered_with: The queues that have registered it as an enqueuer.
    """

    def __init__(self, number: int, connection: ChannelConnection) -> None:
        self.number = number
        self.connection = connection
        self.consumers: dict[str, Consumer] = {}
        self.unacked: dict[int, Unacked] = {}
        self.limiter: Limiter = Limiter()
        self.prefetch_count = 0
        self.confirms: Confirms | None = None
        self.transaction: Transaction | None = None
        self.last_queue_name = ""
        self.reply_consumer: DirectReplyConsumer | None = None
        self.registered_with: WeakSet[Queue] = WeakSet()
        self.last_delivery_tag: int = 0
        self._settled_below = 1  # no smaller tag is unacknowledged
        self._delivered_by: deque[tuple[float, int]] = deque()

    def __repr__(self) -> str:
        return f"<Channel {self.number} of {self.connection!r}>"

    @property
    def virtualhost(self) -> VirtualHost:
        """Where its methods work."""
        return self.connection.virtualhost

    def send(self, parameters: tuple[Any, ...]) -> None:
        """Send a method to the client."""
        self.connection.send(self.number, parameters)

    # -- deliveries ----------------------------------------------------------------------------

    def next_delivery_tag(self) -> int:
        """Number a delivery that needs no acknowledgement."""
        self.last_delivery_tag += 1
        return self.last_delivery_tag

    def await_acknowledgement(
        self, queue: Queue, queued: QueuedMessage, consumer: Consumer | None
    ) -> int:
        """Number a delivery, and remember it until it is settled."""
        self.last_delivery_tag = delivery_tag = self.last_delivery_tag + 1
        self.unacked[delivery_tag] = Unacked(queue, queued, consumer)
        return delivery_tag

    # -- settlements ---------------------------------------------------------------------------

    def take(self, delivery_tag: int, *, multiple: bool) -> dict[int, Unacked]:
        """Take what a settlement is about out of the unacknowledged deliveries.

        Args:
            delivery_tag: The delivery's, or the last one's.
            multiple: Whether all older ones are meant as well; 0 then stands for all.

        Raises:
            ProtocolError: 406, there is no such delivery; nothing was taken.
        """
        unacked = self.unacked
        if not multiple:
            delivery = unacked.pop(delivery_tag, None)
            if delivery is None:
                raise errors.unknown_delivery_tag(delivery_tag)
            return {delivery_tag: delivery}
        if delivery_tag == 0:
            return self.take_all()
        if delivery_tag not in unacked:
            raise errors.unknown_delivery_tag(delivery_tag)
        return {tag: unacked.pop(tag) for tag in self._tags_up_to(delivery_tag)}

    def take_all(self) -> dict[int, Unacked]:
        """Take all unacknowledged deliveries, oldest first."""
        everything, self.unacked = self.unacked, {}
        return everything

    def restore(self, deliveries: dict[int, Unacked]) -> None:
        """Put back what was taken: a transaction was rolled back."""
        everything = {**self.unacked, **deliveries}
        self.unacked = {tag: everything[tag] for tag in sorted(everything)}
        self._settled_below = 1

    def _tags_up_to(self, delivery_tag: int) -> list[int]:
        """List the unacknowledged tags up to one.

        Walking the numbers from the lowest that can be unacknowledged costs each number once in
        the channel's life. Walking the dictionary would meet all the holes that former
        settlements left at its front, again and again.
        """
        unacked = self.unacked
        numbers: Iterable[int] = range(self._settled_below, delivery_tag + 1)
        if delivery_tag - self._settled_below > 2 * len(unacked):
            numbers = list(unacked)
        self._settled_below = delivery_tag + 1
        return [tag for tag in numbers if tag in unacked and tag <= delivery_tag]

    def acknowledge_one(self, delivery_tag: int) -> None:
        """Take one delivery out of the unacknowledged ones, and tell its queue that it arrived.

        What most settlements are costs a tenth less in this form than as a set of one.

        Raises:
            ProtocolError: 406, there is no such delivery.
        """
        delivery = self.unacked.pop(delivery_tag, None)
        if delivery is None:
            raise errors.unknown_delivery_tag(delivery_tag)
        queue, queued, consumer = delivery
        queue.acknowledge(queued)
        if consumer is not None:
            self._return_credit(consumer)

    def settle(self, settlement: Settlement, deliveries: Mapping[int, Unacked]) -> None:
        """Tell queues what became of deliveries, a queue and a consumer at a time.

        RabbitMQ takes them in the order of their names. Each time the queue does all that follows
        for it, such as to deliver again, before the next consumer has its credit back.
        """
        groups: dict[_Group, list[QueuedMessage]] = {}
        for delivery_tag, (queue, queued, consumer) in deliveries.items():
            group = _Group(queue, delivery_tag if consumer is None else 0, consumer)
            groups.setdefault(group, []).append(queued)
        shared = self.limiter
        shared.release(sum(len(groups[group]) for group in groups if group.consumer is not None))
        if shared.limit:
            self._unblock(self.consumers.values())
        for group in sorted(groups, key=_Group.names):
            queue, _, consumer = group
            queue.settle(settlement, groups[group], consumer)
        if shared.limit:
            self.wake_consumers()

    def _unblock(self, consumers: Iterable[Consumer]) -> None:
        """Let consumers have their turn again; who has waited longest comes first."""
        for consumer in sorted(consumers, key=lambda consumer: consumer.blocked_at):
            if consumer in consumer.queue.consumers:
                consumer.queue.consumers.unblock(consumer)

    def _wake(self, consumers: Iterable[Consumer]) -> None:
        """Let consumers look for messages; who has waited longest comes first."""
        by_queue: dict[Queue, list[Consumer]] = {}
        for consumer in sorted(consumers, key=lambda consumer: consumer.blocked_at):
            by_queue.setdefault(consumer.queue, []).append(consumer)
        for queue, waiting in by_queue.items():
            queue.wake(*waiting)

    def _return_credit(self, consumer: Consumer) -> None:
        """Give back the credit of one delivery, and deliver what it makes room for."""
        own, shared = consumer.limiter, self.limiter
        own_was_exhausted, shared_was_exhausted = own.is_exhausted, shared.is_exhausted
        own.outstanding -= 1
        shared.release(1)
        if shared_was_exhausted and not shared.is_exhausted:
            self.wake_consumers()
        elif consumer.queue.consumers.is_handing_over:
            consumer.queue.hand_over(requeued=False)
        elif own_was_exhausted and not own.is_exhausted:
            consumer.queue.wake(consumer)

    def wake_consumers(self) -> None:
        """Let all consumers that can take messages look for them again.

        The others do not get back into their rounds: each has its place behind those who are in
        them when it can take some itself.
        """
        self._wake([consumer for consumer in self.consumers.values() if consumer.can_take()])

    # -- consumers -----------------------------------------------------------------------------

    def notify_cancelled(self, consumer: Consumer) -> None:
        """Forget a consumer whose queue is gone, and tell the client if it wants to know."""
        if self.consumers.pop(consumer.tag, None) is None:
            return
        if self.connection.client_can("consumer_cancel_notify"):
            self.send(BasicCancelParameters(consumer.tag, True))

    # -- the end -------------------------------------------------------------------------------

    def exceeded_consumer_timeout(self, now: float, default: int | None) -> int | None:
        """Note which deliveries there have been by now, and look at the oldest unsettled one.

        Deliveries carry no time of their own; a look once a minute is all that RabbitMQ takes.

        Args:
            now: The time, in seconds.
            default: Milliseconds in which it must be settled unless its queue says otherwise;
                None for as long as you like.

        Returns:
            Those milliseconds, if they are over.
        """
        seen = self._delivered_by
        oldest = next(iter(self.unacked), None)
        if oldest is None:
            seen.clear()
            return None
        seen.append((now, self.last_delivery_tag))
        while seen[0][1] < oldest:
            seen.popleft()
        own = self.unacked[oldest].queue.settings.consumer_timeout
        timeout = default if own is None else own
        return timeout if timeout is not None and seen[0][0] <= now - timeout / 1000 else None

    def flush_confirms(self) -> None:
        """Send the acks and nacks that are due."""
        assert self.confirms is not None
        for payload in self.confirms.take():
            self.connection.send_method(self.number, payload)

    def close(self) -> None:
        """Give everything back: consumers leave, unacknowledged messages return."""
        self._cancel_reply_consumer()
        self._leave_classic_queues()
        self._leave({consumer.queue for consumer in self.consumers.values()} | self._held_queues())

    def start_closing(self) -> None:
        """Give back what is given back before the client knows that the channel is closed.

        RabbitMQ's channel then tells the classic queues that it consumes from, and no others:
        what came by basic.get, or from a quorum queue, returns once the client has answered.
        """
        self._cancel_reply_consumer()
        self._leave_classic_queues()
        for consumer in self.consumers.values():
            consumer.queue.detach((consumer,))

    def _cancel_reply_consumer(self) -> None:
        if self.reply_consumer is not None:
            self.reply_consumer.cancel()

    def _leave_classic_queues(self) -> None:
        """Take leave of the classic queues that it consumes from, one after the other.

        RabbitMQ begins with the newest. What dies of that may come back by an older one.
        """
        queues = {consumer.queue for consumer in self.consumers.values()}
        classic = [queue for queue in queues if not queue.is_replicated]
        for queue in sorted(classic, key=lambda queue: queue.age, reverse=True):
            self._leave((queue,))

    def _leave(self, queues: Collection[Queue]) -> None:
        """Take leave of queues: give each its consumers and its deliveries back at once.

        What dies of that in one of them finds no consumer of the channel in another.
        """
        unacked = self.all_unacked()
        with self.virtualhost.dead_letters.deferred():
            for queue in sorted(queues, key=lambda queue: queue.name):
                queue.detach_channel(
                    [consumer for consumer in self.consumers.values() if consumer.queue is queue],
                    {tag: delivery for tag, delivery in unacked.items() if delivery.queue is queue},
                )
            self.consumers = {tag: c for tag, c in self.consumers.items() if c.queue not in queues}
            self.transaction = None  # what was settled in it has not happened
            self.unacked = {tag: d for tag, d in unacked.items() if d.queue not in queues}

    def _held_queues(self) -> set[Queue]:
        return {delivery.queue for delivery in self.all_unacked().values()}

    def all_unacked(self) -> dict[int, Unacked]:
        """Give all that no queue knows to be settled, be it so in an open transaction."""
        if self.transaction is None:
            return self.unacked
        return dict(sorted({**self.unacked, **self.transaction.settled}.items()))
