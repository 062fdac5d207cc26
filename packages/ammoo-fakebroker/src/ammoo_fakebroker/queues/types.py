"""The types of queues by their names in x-queue-type.

A new type is a module beside this one that supplies what `queue.py` asks for, a line in the table
below, its arguments in `rabbitmq/arguments/queues.py`, and what policies may decide about it in
`rabbitmq/profiles.py` and `node/policies.py`.
"""

from __future__ import annotations

from ..rabbitmq.profiles import Profile
from .classic import ClassicQueue
from .queue import Queue
from .quorum import QuorumQueue
from .quorum_since_4_3 import QuorumQueueSince43
from .quorum_until_4_2 import QuorumQueueUntil42
from .stream import StreamQueue

__all__ = ["QUEUE_TYPES", "queue_class"]

QUEUE_TYPES: dict[str, type[Queue]] = {
    queue.queue_type: queue for queue in (ClassicQueue, QuorumQueue, StreamQueue)
}


def queue_class(queue_type: str, profile: Profile) -> type[Queue]:
    """Return the class of the queues that a release creates for a queue type."""
    if queue_type == QuorumQueue.queue_type:
        return QuorumQueueSince43 if profile.quorum_queues_retry else QuorumQueueUntil42
    return QUEUE_TYPES[queue_type]
