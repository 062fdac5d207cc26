"""Deliveries that their clients have not settled, and the ways in which one is settled."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..messages.message import QueuedMessage
    from .consumers import Consumer
    from .queue import Queue

__all__ = ["Settlement", "Unacked"]


class Settlement(Enum):
    """What a client does with a delivery."""

    ACKNOWLEDGE = auto()
    """The client has processed it."""
    REQUEUE = auto()
    """It goes back to its queue (basic.nack, basic.recover)."""
    REQUEUE_FAILED = auto()
    """It goes back to its queue, and its delivery has failed (basic.reject)."""
    REJECT = auto()
    """It is dead-lettered, or dropped (basic.nack)."""
    REJECT_FAILED = auto()
    """It is dead-lettered, or dropped, and its delivery has failed (basic.reject)."""

    @property
    def is_failure(self) -> bool:
        """Whether RabbitMQ counts a failed delivery (since 4.3; before, it made no difference)."""
        return self in (Settlement.REQUEUE_FAILED, Settlement.REJECT_FAILED)

    @property
    def past_tense(self) -> str:
        """The kind of event that the history records."""
        if self is Settlement.ACKNOWLEDGE:
            return "acknowledged"
        return "requeued" if self.requeues else "rejected"

    @property
    def requeues(self) -> bool:
        """Whether the delivery goes back to its queue."""
        return self in (Settlement.REQUEUE, Settlement.REQUEUE_FAILED)


class Unacked(NamedTuple):
    """A delivery that the client has not settled."""

    queue: Queue
    queued: QueuedMessage
    consumer: Consumer | None
    """The consumer that got it; None after basic.get."""
