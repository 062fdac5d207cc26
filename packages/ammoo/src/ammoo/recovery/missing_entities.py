"""The entities that a connection has reported as missing, and the replay that brings each back.

An entity that could not be restored at once may come back in several ways: its own retries succeed,
or a channel is opened again and its consumers with it. One replay is responsible for it at any time,
and it is reported once: as restored or as given up.
"""

from collections.abc import Iterable

from ..topology_records import Entity

__all__ = ["MissingEntities"]


class MissingEntities:
    """The entities that were reported as missing, and that recovery still tries to restore."""

    __slots__ = ("_replays",)

    def __init__(self) -> None:
        self._replays: dict[Entity, object] = {}

    def clear(self) -> None:
        """Forget all: another connection is open, and its report says what is missing."""
        self._replays.clear()

    def add(self, entities: Iterable[Entity], replay: object) -> None:
        """Record reported entities; from now on this replay is responsible for them.

        Args:
            entities: The missing entities.
            replay: The replay that retries them.
        """
        self._replays.update(dict.fromkeys(entities, replay))

    def is_left_to(self, replay: object, entity: Entity) -> bool:
        """Return whether an entity is missing, and a replay is responsible for it."""
        return self._replays.get(entity) is replay

    def follows(self, entity: Entity, other: Entity) -> bool:
        """Return whether two entities are missing, and one replay is responsible for both."""
        return other in self and self.is_left_to(self._replays[other], entity)

    def __contains__(self, entity: Entity) -> bool:
        """Return whether an entity is missing."""
        return entity in self._replays

    def remove(self, entity: Entity) -> bool:
        """Remove an entity that is restored or given up; return whether it was missing."""
        return self._replays.pop(entity, None) is not None
