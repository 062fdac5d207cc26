"""Transactions: publishes and settlements that wait for tx.commit.

A publish is routed at once, and enqueued at the commit. The deliveries that a transaction settles are
not unacknowledged while it is open, and become unacknowledged again with tx.rollback.
See https://www.rabbitmq.com/docs/semantics#tx
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..messages.message import MESSAGE_SIZE

if TYPE_CHECKING:
    from ..messages.message import Message
    from ..node.ports import ReplyReceiver
    from ..queues.delivery import Settlement, Unacked
    from ..queues.queue import Queue

__all__ = ["PendingPublish", "PendingSettlement", "Transaction"]


class PendingPublish(NamedTuple):
    """A publish that waits for the commit."""

    message: Message
    queues: Collection[Queue]
    mandatory: bool
    replies: Collection[ReplyReceiver | None] = ()
    """The consumers of direct replies that it goes to; None for each that is gone."""


class PendingSettlement(NamedTuple):
    """An acknowledgement or a rejection that waits for the commit."""

    settlement: Settlement
    deliveries: dict[int, Unacked]


class Transaction:
    """The publishes and settlements of a channel since tx.select, tx.commit or tx.rollback."""

    def __init__(self) -> None:
        self._publishes: list[PendingPublish] = []
        self._settlements: list[PendingSettlement] = []

    def publish(self, pending: PendingPublish) -> None:
        """Add a publish."""
        self._publishes.append(pending)

    def settle(self, settlement: Settlement, deliveries: dict[int, Unacked]) -> None:
        """Add a settlement."""
        self._settlements.append(PendingSettlement(settlement, deliveries))

    @property
    def publish_count(self) -> int:
        """How many publishes wait for the commit."""
        return len(self._publishes)

    def memory_size(self) -> int:
        """Return how much memory the publishes take, in octets."""
        return sum(MESSAGE_SIZE + len(pending.message.body) for pending in self._publishes)

    def take(self) -> tuple[list[PendingPublish], list[PendingSettlement]]:
        """Return all publishes and settlements, and remove them."""
        publishes, self._publishes = self._publishes, []
        settlements, self._settlements = self._settlements, []
        return publishes, settlements

    @property
    def settled(self) -> Mapping[int, Unacked]:
        """The deliveries of all settlements that wait for the commit, by delivery tag."""
        return {
            tag: delivery
            for pending in self._settlements
            for tag, delivery in pending.deliveries.items()
        }
