"""Transactions: publishes and settlements that wait for tx.commit.

Publishes are routed when they come, and stored at the commit. A settled delivery is unacknowledged
no longer while the transaction is open, and is so again after tx.rollback.
See https://www.rabbitmq.com/docs/semantics#tx
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..messages.message import Message
    from ..queues.delivery import Settlement, Unacked
    from ..queues.queue import Queue

__all__ = ["PendingPublish", "PendingSettlement", "Transaction"]


class PendingPublish(NamedTuple):
    """A publish that waits for the commit."""

    message: Message
    queues: Collection[Queue]
    mandatory: bool


class PendingSettlement(NamedTuple):
    """An acknowledgement or a rejection that waits for the commit."""

    settlement: Settlement
    deliveries: dict[int, Unacked]


class Transaction:
    """What has happened on a channel since tx.select or the last commit or rollback."""

    def __init__(self) -> None:
        self._publishes: list[PendingPublish] = []
        self._settlements: list[PendingSettlement] = []

    def publish(self, pending: PendingPublish) -> None:
        """Note a publish."""
        self._publishes.append(pending)

    def settle(self, settlement: Settlement, deliveries: dict[int, Unacked]) -> None:
        """Note a settlement."""
        self._settlements.append(PendingSettlement(settlement, deliveries))

    def take(self) -> tuple[list[PendingPublish], list[PendingSettlement]]:
        """Give everything, and begin anew."""
        publishes, self._publishes = self._publishes, []
        settlements, self._settlements = self._settlements, []
        return publishes, settlements

    @property
    def settled(self) -> Mapping[int, Unacked]:
        """The deliveries of all settlements, by delivery tag, which have not happened yet."""
        return {
            tag: delivery
            for pending in self._settlements
            for tag, delivery in pending.deliveries.items()
        }
