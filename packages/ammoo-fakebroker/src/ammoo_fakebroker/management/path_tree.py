"""A tree of paths, segment by segment, with a value at each path.

A segment that begins with a colon is a variable. A segment that a path spells out comes before a
variable, so ``users/bulk-delete`` is not the user of that name.
"""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["PathTree"]

_Found = TypeVar("_Found")


class PathTree(Generic[_Found]):
    """The values at paths that begin with the same segments."""

    def __init__(self) -> None:
        self._branches: dict[str, PathTree[_Found]] = {}
        self._variables: dict[str, PathTree[_Found]] = {}
        self._found: _Found | None = None

    def add(self, path: str, found: _Found) -> None:
        """Add the value at a path such as ``queues/:vhost/:queue``."""
        branch = self
        for segment in path.split("/") if path else []:
            kind = branch._variables if segment.startswith(":") else branch._branches
            branch = kind.setdefault(segment.removeprefix(":"), PathTree())
        branch._found = found

    def find(self, segments: tuple[str, ...]) -> tuple[_Found, dict[str, str]] | None:
        """Return the value at a path, and the path's segments by the names of the variables."""
        if not segments:
            return None if self._found is None else (self._found, {})
        first, rest = segments[0], segments[1:]
        spelled_out = self._branches[first].find(rest) if first in self._branches else None
        if spelled_out is not None:
            return spelled_out
        for name, branch in self._variables.items():
            behind = branch.find(rest)
            if behind is not None:
                found, names = behind
                return found, {name: first, **names}
        return None
