"""The types of queues, by the names that x-queue-type has for them.

A new type is a module beside this one that supplies what `queue.py` asks for, a line in the table
below, and its arguments in `rabbitmq/arguments/queues.py`.
"""

from __future__ import annotations

from .classic import ClassicQueue
from .queue import Queue
from .quorum import QuorumQueue
from .stream import StreamQueue

__all__ = ["QUEUE_TYPES"]

QUEUE_TYPES: dict[str, type[Queue]] = {
    queue.queue_type: queue for queue in (ClassicQueue, QuorumQueue, StreamQueue)
}
