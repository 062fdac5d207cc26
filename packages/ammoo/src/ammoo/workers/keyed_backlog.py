"""Messages that wait while another one with the same key is being handled.

Messages with the same key are handled one at a time, in their order. This module knows keys and
items; the caller starts the handlers, and reports their beginnings and ends.
"""

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["KeyedBacklog"]

T = TypeVar("T")


class KeyedBacklog(Generic[T]):
    """The items that wait, by the key that is being handled."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[T]] = {}

    def begin(self, key: Hashable, item: T) -> bool:
        """Begin a key with an item, or let the item wait if the key is being handled.

        Returns:
            Whether the item is to be handled now.
        """
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = deque()
            return True
        waiting.append(item)
        return False

    def next(self, key: Hashable) -> T | None:
        """Return the next item of a key; end the key if there is none."""
        waiting = self._waiting[key]
        if waiting:
            return waiting.popleft()
        del self._waiting[key]
        return None

    def take_all(self) -> list[T]:
        """Remove and return all items that wait; the keys in progress stay."""
        taken = [item for waiting in self._waiting.values() for item in waiting]
        for waiting in self._waiting.values():
            waiting.clear()
        return taken
