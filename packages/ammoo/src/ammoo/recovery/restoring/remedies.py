"""What recovery does about an entity that the server does not restore at once.

The code is not enough to decide: RabbitMQ answers 404 for a queue that does not exist, and also
for one whose node is down and which will return. Its texts distinguish the two cases.
"""

from enum import Enum, auto

from ...exceptions.base import OperationTimeout, ServerRefusal
from ...exceptions.connection import TooManyChannels
from ...topology_records import BindingRecord, Entity

__all__ = ["Remedy", "remedy_for"]

TRANSIENT = (
    "down or inaccessible",
    "due to timeout",
    "stopped by supervisor",
    # A stream whose node is starting, or whose replica is on other nodes (406):
    "replica on the local node",
    "failed consuming from stream",
)


class Remedy(Enum):
    """What recovery does about an error."""

    LOCKED = auto()
    """Retry soon: most likely the lost connection still locks it."""
    TRANSIENT = auto()
    """Retry in the background, until the connection ends."""
    REDECLARE = auto()
    """Declare the ends of a binding once more, with all their bindings."""
    POLICY = auto()
    """Do as `Recovery.on_error` says: skip, retry or fail."""


def remedy_for(error: Exception, entity: Entity) -> Remedy:
    """Decide what recovery does about the error with which the server refused an entity."""
    if isinstance(error, OperationTimeout | TooManyChannels):
        return Remedy.TRANSIENT  # the server may do it yet, or a channel may be closed
    if not isinstance(error, ServerRefusal):
        return Remedy.POLICY
    code, text = error.reply_code, error.reply_text
    if code == 405 or (code == 403 and "exclusive use" in text):
        return Remedy.LOCKED
    if code in (404, 406) and any(clue in text for clue in TRANSIENT):
        return Remedy.TRANSIENT
    if code == 404 and isinstance(entity, BindingRecord):
        is_ours = entity.destination.is_declared or entity.source.is_declared
        return Remedy.REDECLARE if is_ours else Remedy.POLICY
    return Remedy.POLICY
