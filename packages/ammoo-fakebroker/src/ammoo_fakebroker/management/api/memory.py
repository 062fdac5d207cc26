"""The memory of the node, in the parts that RabbitMQ has.

The broker knows how much its messages take, which RabbitMQ calls binary. The other parts are Erlang's,
and 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..call import Call, Role, json_response
from ..route import Route, Routes
from .nodes import check_node

if TYPE_CHECKING:
    from ..http import Response

__all__ = ["ROUTES"]

_BINARY: Final = "binary"
_PARTS: Final = (
    "connection_readers",
    "connection_writers",
    "connection_channels",
    "connection_other",
    "queue_procs",
    "quorum_queue_procs",
    "quorum_queue_dlx_procs",
    "stream_queue_procs",
    "stream_queue_replica_reader_procs",
    "stream_queue_coordinator_procs",
    "plugins",
    "other_proc",
    "metrics",
    "mgmt_db",
    "mnesia",
    "quorum_ets",
    "other_ets",
    _BINARY,
    "msg_index",
    "code",
    "atom",
    "other_system",
    "allocated_unused",
    "reserved_unallocated",
)
"""The parts that all releases have."""
_NO_TABLES: Final = {"ets_tables_memory": "no_tables"}
_ALL_PERCENT: Final = 100


def show_memory(call: Call) -> Response:
    """Show the octets of each part."""
    check_node(call)
    octets = call.node.memory_size()
    total = {"erlang": octets, "rss": octets, "allocated": octets}
    return json_response(
        {"memory": {**_parts(call, octets), "strategy": "allocated", "total": total}}
    )


def show_relative_memory(call: Call) -> Response:
    """Show the percentage of each part."""
    check_node(call)
    has_messages = call.node.memory_size() > 0
    percent = _ALL_PERCENT if has_messages else 0
    return json_response({"memory": {"total": _ALL_PERCENT, **_parts(call, percent)}})


def _parts(call: Call, of_messages: int) -> dict[str, int]:
    parts = dict.fromkeys((*_PARTS, *call.release.more_memory_parts), 0)
    return parts | {_BINARY: of_messages}


def show_tables(call: Call) -> Response:
    """Answer that there are no tables of Erlang."""
    check_node(call)
    return json_response(_NO_TABLES)


_TABLES = Route({"GET": show_tables}, Role.MONITORING)

ROUTES: Routes = {
    "nodes/:node/memory": Route({"GET": show_memory}, Role.MONITORING),
    "nodes/:node/memory/relative": Route({"GET": show_relative_memory}, Role.MONITORING),
    "nodes/:node/memory/ets": _TABLES,
    "nodes/:node/memory/ets/relative": _TABLES,
    "nodes/:node/memory/ets/:filter": _TABLES,
    "nodes/:node/memory/ets/:filter/relative": _TABLES,
}
