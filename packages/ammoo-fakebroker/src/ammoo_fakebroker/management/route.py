"""Routes: the declaration of a path in a module of handlers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .call import Call, Role
from .http import Response
from .releases import EVERY_RELEASE

__all__ = ["Handler", "Route", "Routes"]

Handler = Callable[[Call], Response]


class Route(NamedTuple):
    """A path, with a handler for each of its methods."""

    handlers: Mapping[str, Handler]
    role: Role | None = Role.MANAGEMENT
    """The role that each method needs, None for no login; a handler may ask for more."""
    releases: frozenset[str] = EVERY_RELEASE
    """The releases of RabbitMQ that have the path."""
    requires_json: bool = False
    """Whether a body must be said to be JSON."""


Routes = Mapping[str, Route]
"""Routes by path below ``/api``; a segment that begins with a colon stands for any name."""
