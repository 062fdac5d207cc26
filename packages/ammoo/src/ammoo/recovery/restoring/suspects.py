"""Which entities may have made the server close a connection while they were restored.

A connection.close names a method, but no entity. A suspect is sent last on the next connection, and
apart from other suspects. If the server closes that connection too, the entity is guilty, and is not
sent again until another connection is restored completely.
"""

from collections import Counter
from collections.abc import Container

from ...exceptions.connection import ServerClosedConnection
from ...topology_records import Entity

__all__ = ["Suspects"]


class Suspects:
    """The suspects of one of the caller's connections, over all attempts to restore it."""

    __slots__ = ("_blames", "_errors", "_unanswered")

    def __init__(self) -> None:
        self._blames: Counter[Entity] = Counter()
        self._errors: dict[Entity, ServerClosedConnection] = {}
        self._unanswered: set[Entity] = set()

    def __contains__(self, entity: object) -> bool:
        """Return whether an entity is a suspect, or was not answered on an earlier connection."""
        return entity in self._errors or entity in self._unanswered

    def is_blamed(self, entity: Entity) -> bool:
        """Return whether the server may have closed a connection because of an entity."""
        return entity in self._errors

    def guilt(self, entity: Entity) -> ServerClosedConnection | None:
        """Return with which error an entity has closed two connections; None if it has not."""
        return self._errors[entity] if self._blames[entity] > 1 else None

    def blame(self, entity: Entity, error: ServerClosedConnection) -> None:
        """Record that the server may have closed a connection because of an entity."""
        self._blames[entity] += 1
        self._errors[entity] = error

    def note_unanswered(self, entity: Entity) -> None:
        """Record that the server has not answered; the next attempt sends the entity last."""
        self._unanswered.add(entity)

    def acquit(self, entity: Entity) -> None:
        """Forget an entity that is restored."""
        self._blames.pop(entity, None)
        self._errors.pop(entity, None)
        self._unanswered.discard(entity)

    def acquit_all_but(self, entities: Container[Entity]) -> None:
        """Forget all suspects but some: a connection is open, on which only those are tried."""
        for each in [*self._errors, *self._unanswered]:
            if each not in entities:
                self.acquit(each)
