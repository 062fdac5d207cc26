"""The types of queues, by the names that x-queue-type has for them.

A new type is a module beside this one that supplies what `queue.py` asks for, a line in the table
below, its arguments in `rabbitmq/arguments/queues.py`, and what policies may decide about it in
`rabbitmq/profiles.py` and `node/policies.py`.
"""

from __future__ import annotations

from ..rabbitmq.profiles import Profile
from .classic import ClassicQueue
from .early_quorum import EarlyQuorumQueue
from .queue import Queue
from .quorum import QuorumQueue
from .retrying_quorum import RetryingQuorumQueue
from .stream import StreamQueue

__all__ = ["QUEUE_TYPES", "queue_class"]

QUEUE_TYPES: dict[str, type[Queue]] = {
    queue.queue_type: queue for queue in (ClassicQueue, QuorumQueue, StreamQueue)
}


def queue_class(queue_type: str, profile: Profile) -> type[Queue]:
    """Return what a release creates for a type of queue."""
    if queue_type == QuorumQueue.queue_type:
        return RetryingQuorumQueue if profile.quorum_queues_retry else EarlyQuorumQueue
    return QUEUE_TYPES[queue_type]
