"""Class tx: transactions of publishes and acknowledgements.

See https://www.rabbitmq.com/docs/semantics#tx
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from ammoo_wire import (
    TxCommitOkParameters,
    TxCommitParameters,
    TxRollbackOkParameters,
    TxRollbackParameters,
    TxSelectOkParameters,
    TxSelectParameters,
)

from ...rabbitmq import errors
from ..transaction import PendingPublish, Transaction
from .basic import deliver_replies, deliver_to_queues, return_unroutable

if TYPE_CHECKING:
    from ...messages.message import Message
    from ...queues.queue import Queue
    from ..channel import Channel

__all__ = ["HANDLERS"]


def select(channel: Channel, parameters: TxSelectParameters) -> None:
    """Collect publishes and settlements for tx.commit from now on."""
    if channel.confirms is not None:
        raise errors.transaction_on_confirming_channel()
    if channel.transaction is None:
        channel.transaction = Transaction()
    channel.send(TxSelectOkParameters())


def commit(channel: Channel, parameters: TxCommitParameters) -> None:
    """Execute the transaction, publishes first; return unroutable messages before the answer."""
    publishes, settlements = _transaction_of(channel).take()
    if channel.virtualhost.profile.commits_look_queues_up:
        publishes = [_look_up_queues(channel, pending) for pending in publishes]
    recorder = channel.virtualhost.recorder
    for message, queues, mandatory, replies in publishes:
        if mandatory and not (queues or replies):
            return_unroutable(channel, message)
        if recorder is not None:
            recorder.committed(channel, message, queues)
        deliver_replies(message, replies)
    awaits_queues = any(publish.queues for publish in publishes)
    if not awaits_queues:
        channel.send(TxCommitOkParameters())  # before redeliveries
    outcomes = [_deliver(channel, pending.message, pending.queues) for pending in publishes]
    for settlement, deliveries in settlements:
        channel.settle(settlement, deliveries)
    if not all(outcomes):
        raise errors.transaction_partly_completed()
    if awaits_queues:
        channel.send(TxCommitOkParameters())


def _look_up_queues(channel: Channel, pending: PendingPublish) -> PendingPublish:
    """Return a publish with the queues that now have the names which it was routed to.

    Such a release keeps only the names. The default exchange routes to each routing key as a name,
    even if there was no queue of that name.
    """
    message = pending.message
    names = (
        [queue.name for queue in pending.queues] if message.exchange_name else message.routing_keys
    )
    found = (channel.virtualhost.queues.get(name) for name in dict.fromkeys(names))
    return pending._replace(queues=tuple(queue for queue in found if queue is not None))


def _deliver(channel: Channel, message: Message, queues: Collection[Queue]) -> bool:
    """Put a message into the queues that it was routed to, and that still exist.

    Returns:
        Whether all queues accepted it.

    Raises:
        ProtocolError: 506, a queue does not exist any more; only in releases that refuse this.
    """
    virtualhost = channel.virtualhost
    present = [queue for queue in queues if not queue.is_deleted]
    if len(present) < len(queues) and virtualhost.profile.commits_fail_without_queues:
        for queue in queues:
            if queue.name not in virtualhost.queues:
                raise errors.undeliverable(virtualhost.name, queue.name)
    return deliver_to_queues(channel, message, present) and len(present) == len(queues)


def rollback(channel: Channel, parameters: TxRollbackParameters) -> None:
    """Drop the transaction; its settled deliveries are unacknowledged again."""
    _, settlements = _transaction_of(channel).take()
    for pending in settlements:
        channel.restore(pending.deliveries)
    channel.send(TxRollbackOkParameters())


def _transaction_of(channel: Channel) -> Transaction:
    if channel.transaction is None:
        raise errors.channel_not_transactional()
    return channel.transaction


HANDLERS: dict[type, Callable[..., Any]] = {
    TxSelectParameters: select,
    TxCommitParameters: commit,
    TxRollbackParameters: rollback,
}
