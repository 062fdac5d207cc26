"""Health checks: 200 if all is well, 503 if not.

See https://www.rabbitmq.com/docs/monitoring#health-checks
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..call import Call, json_response
from ..refusals import bad_request
from ..releases import ONLY_3_10, SINCE_4_3
from ..route import Route, Routes
from .nodes import check_node
from .overview import listeners

if TYPE_CHECKING:
    from ..http import Response

__all__ = ["ROUTES"]


_PROTOCOLS = {
    **dict.fromkeys(("amqp", "amqp091", "amqp0.9.1", "amqp0-9-1"), "amqp"),
    "amqps": "amqp/ssl",
}
"""Other words for the protocols of listeners."""
_TIME_UNITS = ("days", "weeks", "months", "years")


def check_nothing(call: Call) -> Response:
    """Answer that all is well."""
    return json_response({"status": "ok"})


def check_alarms(call: Call) -> Response:
    """Check that no alarm is in force."""
    reason = call.node.alarms.reason
    if reason is None:
        return json_response({"status": "ok"})
    name = call.node.cluster_name
    resources = reason.removeprefix("low on ").split(" & ")
    alarms = [{"node": name, "resource": resource} for resource in resources]
    return _failed(reason="There are alarms in effect in the cluster", alarms=alarms)


def check_quorum(call: Call) -> Response:
    """Answer that no queue would lose its quorum or a mirror: there is one node."""
    return json_response({"status": "ok", "reason": "single node cluster"})


def check_port(call: Call) -> Response:
    """Check that the broker listens on a port."""
    try:
        port = int(call.names["port"])
    except ValueError:
        raise bad_request("Invalid port") from None
    ports = [listener["port"] for listener in listeners(call)]
    if port not in ports:
        return _failed(reason="No active listener", missing=port, ports=ports)
    return json_response({"status": "ok", "port": port})


def check_protocol(call: Call) -> Response:
    """Check that the broker speaks a protocol."""
    protocols = [listener["protocol"] for listener in listeners(call)]
    wanted = call.names["protocol"]
    is_spoken = _PROTOCOLS.get(wanted.lower(), wanted) in protocols
    if not call.release.checks_several_protocols:
        if is_spoken:
            return json_response({"status": "ok", "protocol": wanted})
        return _failed(reason="No active listener", missing=wanted, protocols=protocols)
    if not is_spoken:
        return _failed(reason="No active listener", missing=[wanted], protocols=protocols)
    return json_response({"status": "ok", "protocols": protocols})


def check_expiration(call: Call) -> Response:
    """Answer that no certificate expires, if the time is one."""
    if call.names["unit"] not in _TIME_UNITS:
        raise bad_request(f"Time unit not recognised. Supported units: {', '.join(_TIME_UNITS)}.")
    try:
        int(call.names["within"])
    except ValueError:
        raise bad_request("Invalid expiration value.") from None
    return json_response({"status": "ok"})


def check_aliveness(call: Call) -> Response:
    """Answer that messages pass through a virtual host, if the user may use it."""
    with call.direct_channel(call.virtualhost()):
        return json_response({"status": "ok"})


def check_named_node(call: Call) -> Response:
    """Answer that all is well, if there is a node of that name."""
    check_node(call)
    return json_response({"status": "ok"})


def _failed(**details: Any) -> Response:
    return json_response({"status": "failed", **details}, HTTPStatus.SERVICE_UNAVAILABLE)


_SINCE_4_3 = Route({"GET": check_nothing}, releases=SINCE_4_3)
_LEADERS = "health/checks/quorum-queues-without-elected-leaders"

ROUTES: Routes = {
    "health/checks/alarms": Route({"GET": check_alarms}),
    "health/checks/local-alarms": Route({"GET": check_alarms}),
    "health/checks/virtual-hosts": Route({"GET": check_nothing}),
    "health/checks/metadata-store/initialized": _SINCE_4_3,
    "health/checks/metadata-store/initialized/with-data": _SINCE_4_3,
    "health/checks/is-in-service": _SINCE_4_3,
    "health/checks/ready-to-serve-clients": _SINCE_4_3,
    "health/checks/below-node-connection-limit": _SINCE_4_3,
    "health/checks/reached-target-cluster-size": _SINCE_4_3,
    "health/checks/certificate-expiration/:within/:unit": Route({"GET": check_expiration}),
    f"{_LEADERS}/all-vhosts": _SINCE_4_3,
    f"{_LEADERS}/all-vhosts/pattern/:pattern": _SINCE_4_3,
    f"{_LEADERS}/vhost/:vhost": _SINCE_4_3,
    f"{_LEADERS}/vhost/:vhost/pattern/:pattern": _SINCE_4_3,
    "health/checks/node-is-mirror-sync-critical": Route({"GET": check_quorum}, releases=ONLY_3_10),
    "health/checks/node-is-quorum-critical": Route({"GET": check_quorum}),
    "health/checks/port-listener/:port": Route({"GET": check_port}),
    "health/checks/protocol-listener/:protocol": Route({"GET": check_protocol}),
    "healthchecks/node": Route({"GET": check_nothing}),
    "healthchecks/node/:node": Route({"GET": check_named_node}),
    "aliveness-test/:vhost": Route({"GET": check_aliveness}),
}
