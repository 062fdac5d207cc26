"""Routes: the declaration of a path in a module of handlers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .call import Call, Role
from .http import Response

__all__ = ["Handler", "Route", "Routes"]

Handler = Callable[[Call], Response]


class Route(NamedTuple):
    """A path, with a handler for each of its methods."""

    handlers: Mapping[str, Handler]
    role: Role = Role.MANAGEMENT
    """The role that each method needs; a handler may ask for more."""


Routes = Mapping[str, Route]
"""Routes by path below ``/api``; a segment that begins with a colon stands for any name."""
