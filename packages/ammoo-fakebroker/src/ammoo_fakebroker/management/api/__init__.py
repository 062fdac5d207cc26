"""The paths below `/api`: a module of handlers for each kind of object, and all their routes."""

from __future__ import annotations

from . import (
    bindings,
    connections,
    consumers,
    definitions,
    exchanges,
    health,
    logins,
    memory,
    nodes,
    overview,
    permissions,
    policies,
    queues,
    users,
    virtual_hosts,
)

__all__ = ["ALL_ROUTES"]

_MODULES = (
    overview,
    nodes,
    memory,
    health,
    logins,
    virtual_hosts,
    users,
    permissions,
    policies,
    connections,
    consumers,
    exchanges,
    queues,
    bindings,
    definitions,
)

ALL_ROUTES = [module.ROUTES for module in _MODULES]
