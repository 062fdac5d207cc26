"""The broker's one node."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from ..call import Call, Role, json_response
from ..lists import list_response, with_columns
from ..rates import NODE_STATS
from ..refusals import not_found
from ..route import Route, Routes
from .overview import exchange_types

if TYPE_CHECKING:
    from ..http import Response

__all__ = ["ROUTES", "check_node"]

_MACHINE: Final = {
    "disk_free_limit": 50_000_000,
    "fd_total": 1_048_576,
    "proc_total": 1_048_576,
    "run_queue": 0,
}
"""Limits of a node on Erlang, which are not those of this process; some clients require them."""


def list_nodes(call: Call) -> Response:
    """List the nodes of the cluster: there is one."""
    return list_response([_node_item(call)], call.request.query)


def show_node(call: Call) -> Response:
    """Show the node."""
    check_node(call)
    return json_response(with_columns([_node_item(call)], call.request.query)[0])


def check_node(call: Call) -> None:
    """Check that the path names the node.

    Raises:
        Refusal: 404, it names another one.
    """
    if call.names["node"] != call.node.cluster_name:
        raise not_found()


def _node_item(call: Call) -> dict[str, Any]:
    limit = call.node.limits.memory_limit
    measured = {"mem_used": call.node.memory_size(), **call.statistics.churn_counts()}
    drains = {"being_drained": False} if call.node.profile.api_shows_drains_and_timeouts else {}
    return {
        "disk_free_alarm": False,
        "enabled_plugins": sorted({"rabbitmq_management", *call.node.plugins}),
        "exchange_types": exchange_types(call),
        "mem_alarm": call.node.alarms.reason is not None,
        "mem_limit": 0 if limit is None else limit,
        "name": call.node.cluster_name,
        "os_pid": str(os.getpid()),
        "partitions": [],
        "processors": os.cpu_count() or 1,
        "rates_mode": "basic",
        "running": True,
        "type": "disc",
        "uptime": call.statistics.uptime(),
        **_MACHINE,
        **drains,
        **call.rates.with_details(measured, NODE_STATS),
    }


ROUTES: Routes = {
    "nodes": Route({"GET": list_nodes}, Role.MONITORING),
    "nodes/:node": Route({"GET": show_node}, Role.MONITORING),
}
