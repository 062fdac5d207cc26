"""Class tx: transactions of publishes and acknowledgements.

See https://www.rabbitmq.com/docs/semantics#tx
"""

from __future__ import annotations

from collections.abc import Callable
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
from ..transaction import Transaction
from .basic import deliver_to_queues, return_unroutable

if TYPE_CHECKING:
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
    """Do all that waits, publishes first; what cannot be routed is returned before the answer."""
    publishes, settlements = _transaction_of(channel).take()
    for message, queues, mandatory in publishes:
        if mandatory and not queues:
            return_unroutable(channel, message)
    awaits_queues = any(publish.queues for publish in publishes)
    if not awaits_queues:
        channel.send(TxCommitOkParameters())  # redeliveries come behind it
    outcomes = [deliver_to_queues(channel, message, queues) for message, queues, _ in publishes]
    for settlement, deliveries in settlements:
        channel.settle(settlement, deliveries)
    if not all(outcomes):
        raise errors.transaction_partly_completed()
    if awaits_queues:
        channel.send(TxCommitOkParameters())


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
