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
    from ..queues.queue import Queue
    from .channel import Unacknowledged

__all__ = ["PendingPublish", "PendingSettlement", "Transaction"]


class PendingPublish(NamedTuple):
    """A publish that waits for the commit."""

    message: Message
    queues: Collection[Queue]
    mandatory: bool


class PendingSettlement(NamedTuple):
    """An acknowledgement or a rejection that waits for the commit."""

    verb: str
    """acknowledge, requeue or reject."""
    deliveries: dict[int, Unacknowledged]


class Transaction:
    """What has happened on a channel since tx.select or the last commit or rollback."""

    def __init__(self) -> None:
        self._publishes: list[PendingPublish] = []
        self._settlements: list[PendingSettlement] = []

    def publish(self, pending: PendingPublish) -> None:
        """Note a publish."""
        self._publishes.append(pending)

    def settle(self, verb: str, deliveries: dict[int, Unacknowledged]) -> None:
        """Note a settlement."""
        self._settlements.append(PendingSettlement(verb, deliveries))

    def take(self) -> tuple[list[PendingPublish], list[PendingSettlement]]:
        """Give everything, and begin anew."""
        publishes, self._publishes = self._publishes, []
        settlements, self._settlements = self._settlements, []
        return publishes, settlements

    @property
    def settled(self) -> Mapping[int, Unacknowledged]:
        """The deliveries of all settlements, by delivery tag, which have not happened yet."""
        return {
            tag: delivery
            for settlement in self._settlements
            for tag, delivery in settlement.deliveries.items()
        }
