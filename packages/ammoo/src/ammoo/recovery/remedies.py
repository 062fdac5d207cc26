"""What is done about an entity that the server does not restore at once.

The words are RabbitMQ's: 404 is said of a queue that does not exist, and of one whose node is
down and which will be there again.
"""

from enum import Enum, auto

from ..exceptions.base import OperationTimeout, ServerRefusal
from ..topology import BindingRecord, Entity

__all__ = ["Remedy", "remedy_for"]

TRANSIENT = ("down or inaccessible", "due to timeout", "stopped by supervisor")


class Remedy(Enum):
    """What is done about an error."""

    LOCKED = auto()
    """Retried soon: most likely it is locked by the connection that was lost."""
    TRANSIENT = auto()
    """Retried in the background, as long as the outage may last."""
    REDECLARE = auto()
    """The ends of a binding are declared once more, with all their bindings."""
    POLICY = auto()
    """As `Recovery` says: skip, retry or fail."""


def remedy_for(error: Exception, entity: Entity) -> Remedy:
    """Decide what is done about the error that an entity was refused with."""
    if isinstance(error, OperationTimeout):
        return Remedy.TRANSIENT  # the server may do it yet
    if not isinstance(error, ServerRefusal):
        return Remedy.POLICY
    code, text = error.reply_code, error.reply_text
    if code == 405 or (code == 403 and "exclusive use" in text):
        return Remedy.LOCKED
    if code == 404 and any(clue in text for clue in TRANSIENT):
        return Remedy.TRANSIENT
    if code == 404 and isinstance(entity, BindingRecord):
        is_ours = entity.destination.is_declared or entity.source.is_declared
        return Remedy.REDECLARE if is_ours else Remedy.POLICY
    return Remedy.POLICY
