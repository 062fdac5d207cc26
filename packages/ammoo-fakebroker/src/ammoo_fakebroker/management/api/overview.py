"""The broker as a whole: its release, its listeners and its totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...exchanges.types import EXCHANGE_TYPES, available_types
from ..call import Call, Role, done, json_response
from ..lists import list_response, with_columns
from ..rates import MESSAGE_RATES, UNSAMPLED
from ..refusals import bad_request
from ..releases import SINCE_4_0
from ..route import Route, Routes
from ..statistics.counts import CHANNEL_GROUPS, DISK, Counts, shown_counts
from .connections import open_connections
from .totals import queue_totals

if TYPE_CHECKING:
    from ...rabbitmq.profiles import Profile
    from ..http import Response

__all__ = ["ROUTES", "exchange_types", "listeners"]

_TRANSIENT_QUEUES = "transient_nonexcl_queues"
_PERMITTED = "permitted_by_default"
_ENABLED = {"state": "enabled", "stability": "stable"}


def show_overview(call: Call) -> Response:
    """Show the broker."""
    version = call.node.profile.version
    queues = [queue for each in call.own_virtualhosts() for queue in each.queues.values()]
    overview = {
        "churn_rates": call.rates.with_details(call.statistics.churn_counts(), UNSAMPLED),
        "cluster_name": call.node.global_parameters["cluster_name"],
        "disable_stats": False,
        "enable_queue_totals": False,
        **_erlang_release(call.node.profile),
        "exchange_types": exchange_types(call),
        "listeners": listeners(call),
        "management_version": version,
        "message_stats": _message_stats(call),
        "node": call.node.cluster_name,
        "object_totals": _object_totals(call),
        "product_name": "RabbitMQ",
        "product_version": version,
        "queue_totals": queue_totals(queues, call.rates),
        "rabbitmq_version": version,
        "rates_mode": "basic",
        "statistics_db_event_queue": 0,
    }
    return json_response(with_columns([overview], call.request.query)[0])


def _erlang_release(profile: Profile) -> dict[str, str]:
    """Return the release of Erlang that the imitated RabbitMQ runs on; some clients require one."""
    version = profile.erlang_version
    return {
        "erlang_full_version": f"Erlang/OTP {version.partition('.')[0]}",
        "erlang_version": version,
    }


def exchange_types(call: Call) -> list[dict[str, Any]]:
    """Return the API's objects for the types that exchanges can have."""
    return [
        {"name": name, "description": EXCHANGE_TYPES[name].description, "enabled": True}
        for name in sorted(available_types(call.node.profile, call.node.plugins))
    ]


def _object_totals(call: Call) -> dict[str, int]:
    connections = open_connections(call)
    virtualhosts = call.own_virtualhosts()
    return {
        "channels": sum(len(connection.channels) for connection in connections),
        "connections": len(connections),
        "consumers": sum(
            len(queue.consumers) for each in virtualhosts for queue in each.queues.values()
        ),
        "exchanges": sum(len(each.exchanges) for each in virtualhosts),
        "queues": sum(len(each.queues) for each in virtualhosts),
    }


def _message_stats(call: Call) -> dict[str, Any]:
    """Return the counts of all virtual hosts that the user may see."""
    total = Counts()
    for each in call.own_virtualhosts():
        total.update(call.statistics.of_virtualhost(each.name).total)
    disk = dict.fromkeys(DISK, 0)
    return call.rates.with_details(disk | shown_counts(total, CHANNEL_GROUPS), MESSAGE_RATES)


def listeners(call: Call) -> list[dict[str, Any]]:
    """Return the API's objects for the sockets that the broker listens on."""
    protocol = "amqp/ssl" if call.host.uses_tls else "amqp"
    return [
        _listener(call, protocol, call.host.port),
        _listener(call, "http", call.host.management_port),
    ]


def _listener(call: Call, protocol: str, port: int) -> dict[str, Any]:
    return {
        "node": call.node.cluster_name,
        "protocol": protocol,
        "ip_address": call.host.address,
        "port": port,
        "socket_opts": {},
    }


# -- names and features -----------------------------------------------------------------------


def show_cluster_name(call: Call) -> Response:
    """Show the name of the cluster."""
    return json_response({"name": call.node.global_parameters["cluster_name"]})


def set_cluster_name(call: Call) -> Response:
    """Set the name of the cluster; the node keeps its own."""
    call.require(Role.ADMINISTRATOR)
    call.node.global_parameters["cluster_name"] = call.body("name")["name"]
    return done()


def list_extensions(call: Call) -> Response:
    """List the extensions of the web interface: there is none."""
    return json_response([])


def list_feature_flags(call: Call) -> Response:
    """List the feature flags of the release: all are enabled."""
    if not call.release.managers_see_feature_flags:
        call.require(Role.ADMINISTRATOR)
    items = [
        {"name": name, "desc": "", "doc_url": "", "provided_by": "rabbit", **_ENABLED}
        for name in sorted(call.node.profile.feature_flags)
    ]
    return list_response(items, call.request.query)


def enable_feature_flag(call: Call) -> Response:
    """Do nothing, because the flag is enabled."""
    if call.names["flag"] not in call.node.profile.feature_flags:
        raise bad_request("unsupported")
    return done()


def list_deprecated_features(call: Call) -> Response:
    """List the deprecated features of the release."""
    profile = call.node.profile
    names = profile.deprecated_features
    return list_response([_deprecated_item(profile, each) for each in names], call.request.query)


def list_used_features(call: Call) -> Response:
    """List the deprecated features in use: the broker knows it of transient queues only."""
    profile = call.node.profile
    is_used = any(
        not queue.durable and queue.owner is None
        for virtualhost in call.node.virtualhosts.values()
        for queue in virtualhost.queues.values()
    )
    items = [_deprecated_item(profile, _TRANSIENT_QUEUES)] if is_used else []
    return list_response(items, call.request.query)


def _deprecated_item(profile: Profile, name: str) -> dict[str, Any]:
    phase = profile.deprecated_features[name]
    item = {"name": name, "desc": "", "doc_url": "", "deprecation_phase": phase}
    if profile.shows_deprecated_states:
        item["state"] = "permitted" if phase == _PERMITTED else "denied"
    return {**item, "provided_by": "rabbit"}


def show_version(call: Call) -> Response:
    """Show the release."""
    return json_response(call.node.profile.version)


def rebalance(call: Call) -> Response:
    """Do nothing: with one node there is nothing to balance."""
    return done()


ROUTES: Routes = {
    "overview": Route({"GET": show_overview}),
    "cluster-name": Route({"GET": show_cluster_name, "PUT": set_cluster_name}),
    "extensions": Route({"GET": list_extensions}),
    "feature-flags": Route({"GET": list_feature_flags}),
    "feature-flags/:flag/enable": Route(
        {"PUT": enable_feature_flag}, Role.ADMINISTRATOR, requires_json=True
    ),
    "deprecated-features": Route({"GET": list_deprecated_features}, releases=SINCE_4_0),
    "deprecated-features/used": Route({"GET": list_used_features}, releases=SINCE_4_0),
    "version": Route({"GET": show_version}, role=None, releases=SINCE_4_0),
    "rebalance/queues": Route({"POST": rebalance}, Role.ADMINISTRATOR),
}
