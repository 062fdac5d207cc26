"""Deliveries that their clients have not settled, and the three ways in which one is settled."""

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
    """The client is done with it."""
    REQUEUE = auto()
    """It goes back to its queue."""
    REJECT = auto()
    """It is dead-lettered, or dropped."""


class Unacked(NamedTuple):
    """A delivery that the client has not settled."""

    queue: Queue
    queued: QueuedMessage
    consumer: Consumer | None
    """The consumer that got it; None after basic.get."""
