"""How a channel's requests change the topology: recording, forgetting and renaming entities.

This module knows parameters of methods; it sends nothing.
"""

from typing import Any

from ammoo_wire import (
    ExchangeBindParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteParameters,
    ExchangeUnbindParameters,
    QueueBindParameters,
    QueueDeclareParameters,
    QueueDeleteParameters,
    QueueUnbindParameters,
)

from ..topology import Topology
from ..topology_records import Forgotten

__all__ = ["Deletion", "forget", "record_bound_or_declared", "with_current_names"]

Deletion = (
    ExchangeDeleteParameters
    | ExchangeUnbindParameters
    | QueueDeleteParameters
    | QueueUnbindParameters
)
Declaration = ExchangeDeclareParameters | ExchangeBindParameters | QueueBindParameters


def record_bound_or_declared(topology: Topology, request: Declaration) -> None:
    """Record an exchange or a binding that the server has made."""
    if isinstance(request, ExchangeDeclareParameters):
        topology.exchange_declared(request)
    else:
        topology.bound(request)


def forget(topology: Topology, request: Deletion) -> Forgotten:
    """Forget the entities that a request deletes, and those that the server deletes with them."""
    if isinstance(request, QueueDeleteParameters):
        return topology.forget_queue(request.queue_name)
    if isinstance(request, ExchangeDeleteParameters):
        return topology.forget_exchange(request.exchange_name)
    return topology.forget_binding(request)


def with_current_names(topology: Topology, request: Any, last_queue: str) -> Any:
    """Return a request with the present names of queues that the server names.

    Args:
        topology: The record of names.
        request: The parameters of any method.
        last_queue: The queue that the channel declared last: an empty name stands for it.
    """
    if isinstance(request, QueueDeclareParameters) and not request.queue_name:
        return request  # the server names it
    changes = {}
    if hasattr(request, "queue_name"):
        changes["queue_name"] = topology.current_name(request.queue_name or last_queue)
    if hasattr(request, "routing_key"):
        is_implied = changes and not (request.queue_name or request.routing_key)
        key = changes["queue_name"] if is_implied else request.routing_key
        changes["routing_key"] = topology.current_name(key)
    return request._replace(**changes)
