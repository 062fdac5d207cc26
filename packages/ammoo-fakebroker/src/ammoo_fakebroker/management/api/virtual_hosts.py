"""Virtual hosts, and their limits."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ...queues.types import QUEUE_TYPES
from ..call import Call, Role, boolean, changed, done, json_response, read_tags
from ..lists import list_response, with_columns
from ..rates import DATA_RATES
from ..refusals import Refusal, bad_request
from ..releases import SINCE_4_3
from ..route import Route, Routes
from ..statistics.counts import CHANNEL_GROUPS
from .connections import open_in
from .limits import limit_items, read_limits, with_limit
from .totals import message_stats, queue_totals

if TYPE_CHECKING:
    from ...node.virtual_host import VirtualHost
    from ..http import Response

__all__ = ["ROUTES"]

_LIMITS = {"max-connections": "max_connections", "max-queues": "max_queues"}


# -- looking -----------------------------------------------------------------------------------


def list_virtualhosts(call: Call) -> Response:
    """List the virtual hosts that the user may see."""
    sees_all = Role.MONITORING.includes(call.user)
    items = [
        virtualhost_item(call, virtualhost)
        for name, virtualhost in call.node.virtualhosts.items()
        if sees_all or name in call.user.permissions
    ]
    return list_response(items, call.request.query)


def show_virtualhost(call: Call) -> Response:
    """Show a virtual host; the API's other users see it in the list only."""
    call.require(Role.ADMINISTRATOR)
    item = virtualhost_item(call, call.virtualhost())
    return json_response(with_columns([item], call.request.query)[0])


def virtualhost_item(call: Call, virtualhost: VirtualHost) -> dict[str, Any]:
    """Return the API's object for a virtual host."""
    metadata: dict[str, Any] = {
        "description": virtualhost.description,
        "tags": virtualhost.tags,
        "default_queue_type": virtualhost.default_queue_type or "classic",
    }
    if call.release.protects_virtualhosts:
        metadata["protected_from_deletion"] = virtualhost.is_protected
    counts = call.statistics.of_virtualhost(virtualhost.name).total
    return {
        "cluster_state": {call.node.cluster_name: "running"},
        **metadata,
        "metadata": metadata,
        "name": virtualhost.name,
        "tracing": False,
        **queue_totals(virtualhost.queues.values(), call.rates),
        **message_stats(counts, CHANNEL_GROUPS, call.rates),
        **_octets(call, virtualhost),
    }


def _octets(call: Call, virtualhost: VirtualHost) -> dict[str, Any]:
    """Return the octets of all connections to a virtual host; empty before the first one."""
    counts = call.statistics.of_virtualhost(virtualhost.name)
    if not counts.had_connections:
        return {}
    traffic = [
        each.traffic
        for each in open_in(call.node)
        if each.virtualhost is virtualhost and each.traffic is not None
    ]
    received = sum(each.received_octets for each in traffic)
    sent = sum(each.sent_octets for each in traffic)
    totals = {
        "recv_oct": counts.received_octets + received,
        "send_oct": counts.sent_octets + sent,
    }
    return call.rates.with_details(totals, DATA_RATES)


# -- changing ----------------------------------------------------------------------------------


def create_virtualhost(call: Call) -> Response:
    """Create a virtual host; the user gets all permissions in it."""
    call.require(Role.ADMINISTRATOR)
    name, body = call.names["vhost"], call.body()
    boolean(body, "tracing")
    queue_type = body.get("default_queue_type")
    if queue_type not in (None, *QUEUE_TYPES):
        raise bad_request(f"{queue_type} is not a valid queue type")
    is_new = name not in call.node.virtualhosts
    virtualhost = call.node.add_virtualhost(name, queue_type)
    if queue_type is not None:
        virtualhost.default_queue_type = queue_type
    virtualhost.description = str(body.get("description", ""))
    virtualhost.tags = read_tags(body.get("tags", ""))
    if is_new:
        call.user.grant_all(name)
    return changed(is_new=is_new)


def delete_virtualhost(call: Call) -> Response:
    """Delete a virtual host and everything in it, and close its connections."""
    call.require(Role.ADMINISTRATOR)
    virtualhost = call.virtualhost()
    if virtualhost.is_protected:
        reason = f"Refusing to delete virtual host '{virtualhost.name}' because it is protected"
        raise _precondition_failed(f"{reason} from deletion")
    call.node.delete_virtualhost(virtualhost.name)
    return done()


def _precondition_failed(reason: str) -> Refusal:
    return Refusal(HTTPStatus.PRECONDITION_FAILED, "precondition_failed", reason)


def protect_virtualhost(call: Call) -> Response:
    """Protect a virtual host from deletion."""
    name = call.names["vhost"]
    if name not in call.node.virtualhosts:
        reason = f"Cannot enable deletion protection of virtual host '{name}'"
        raise Refusal(HTTPStatus.NOT_FOUND, "not_found", f"{reason} because it does not exist")
    call.node.virtualhosts[name].is_protected = True
    return done()


def unprotect_virtualhost(call: Call) -> Response:
    """Let a virtual host be deleted again."""
    call.virtualhost().is_protected = False
    return done()


def start_virtualhost(call: Call) -> Response:
    """Do nothing: each virtual host runs on the node."""
    name, node = call.names["vhost"], call.names["node"]
    if node != call.node.cluster_name:
        raise bad_request(call.release.unknown_node.format(node))
    if name not in call.node.virtualhosts:
        reason = f'{{no_such_vhost,<<"{name}">>}}'
        raise bad_request(f"Request to node {node} failed with {reason}")
    return done()


# -- limits ------------------------------------------------------------------------------------


def list_limits(call: Call) -> Response:
    """List the limits of virtual hosts that have any."""
    if "vhost" in call.names:
        virtualhosts = [call.virtualhost(to_look=True)]
    elif Role.MONITORING.includes(call.user):
        virtualhosts = list(call.node.virtualhosts.values())
    else:
        virtualhosts = call.own_virtualhosts()
    limits = {virtualhost.name: virtualhost.limits for virtualhost in virtualhosts}
    return json_response(limit_items("vhost", limits, _LIMITS))


def set_limit(call: Call) -> Response:
    """Set one limit of a virtual host."""
    virtualhost = call.virtualhost(to_look=True)
    value = read_limits(call, _LIMITS, "limits", validates_parameters=True)
    virtualhost.limits = with_limit(virtualhost.limits, _LIMITS[call.names["limit"]], value)
    return done()


def clear_limit(call: Call) -> Response:
    """Remove one limit of a virtual host."""
    virtualhost = call.virtualhost(to_look=True)
    field = _LIMITS.get(call.names["limit"])
    if field is not None:
        virtualhost.limits = with_limit(virtualhost.limits, field, None)
    return done()


ROUTES: Routes = {
    "vhosts": Route({"GET": list_virtualhosts}),
    "vhosts/:vhost": Route(
        {"GET": show_virtualhost, "PUT": create_virtualhost, "DELETE": delete_virtualhost}
    ),
    "vhosts/:vhost/deletion/protection": Route(
        {"POST": protect_virtualhost, "DELETE": unprotect_virtualhost},
        Role.ADMINISTRATOR,
        SINCE_4_3,
    ),
    "vhosts/:vhost/start/:node": Route({"POST": start_virtualhost}, Role.ADMINISTRATOR),
    "vhost-limits": Route({"GET": list_limits}),
    "vhost-limits/:vhost": Route({"GET": list_limits}),
    "vhost-limits/:vhost/:limit": Route(
        {"PUT": set_limit, "DELETE": clear_limit}, Role.ADMINISTRATOR
    ),
}
