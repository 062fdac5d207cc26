"""Definitions: exporting and loading everything that a broker or a virtual host has, as JSON."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ...definitions.exporting import export_definitions, virtualhost_item
from ...definitions.importing import import_definitions
from ..call import Call, Role, done, json_response
from ..refusals import Refusal, bad_request
from ..route import Route, Routes

if TYPE_CHECKING:
    from ...node.virtual_host import VirtualHost
    from ..http import Response

__all__ = ["ROUTES"]


def show_definitions(call: Call) -> Response:
    """Export the definitions of the broker, or of one virtual host."""
    virtualhost = _virtualhost(call)
    about = _about_cluster(call) if virtualhost is None else _about_virtualhost(call, virtualhost)
    return json_response({**about, **export_definitions(call.node, virtualhost)})


def _about_cluster(call: Call) -> dict[str, Any]:
    product = {"product_name": "RabbitMQ", "product_version": call.node.profile.version}
    if not call.release.describes_definitions:
        return product
    name = call.node.global_parameters["cluster_name"]
    return {
        **product,
        "rabbitmq_definition_format": "cluster",
        "original_cluster_name": name,
        "explanation": f"Definitions of cluster '{name}'",
    }


def _about_virtualhost(call: Call, virtualhost: VirtualHost) -> dict[str, Any]:
    if not call.release.describes_definitions:
        return {}
    item = virtualhost_item(virtualhost)
    return {
        "product_name": "RabbitMQ",
        "product_version": call.node.profile.version,
        "rabbitmq_definition_format": "single_virtual_host",
        "original_vhost_name": virtualhost.name,
        "explanation": f"Definitions of virtual host '{virtualhost.name}'",
        "description": virtualhost.description,
        "metadata": item["metadata"],
        "limits": item["limits"],
    }


def load_definitions(call: Call) -> Response:
    """Load definitions into the broker, or into one virtual host."""
    virtualhost = _virtualhost(call)
    try:
        import_definitions(call.node, _read(call.request.body or b"{}"), virtualhost)
    except (LookupError, TypeError, ValueError) as error:
        raise bad_request(str(error)) from None
    return done()


def _read(body: bytes) -> dict[str, Any]:
    try:
        decoded = json.loads(body)
    except (ValueError, RecursionError):
        raise bad_request("failed_to_parse_json") from None
    if not isinstance(decoded, dict):
        raise bad_request("failed_to_parse_json")
    return decoded


def _virtualhost(call: Call) -> VirtualHost | None:
    if "vhost" not in call.names:
        return None
    virtualhost = call.node.virtualhosts.get(call.names["vhost"])
    if virtualhost is None:
        raise _no_virtualhost(call)
    return virtualhost


def _no_virtualhost(call: Call) -> Refusal:
    if call.release.hides_virtualhosts and call.request.method == "POST":
        return Refusal(HTTPStatus.NOT_FOUND, "not_found", "vhost_not_found")
    return bad_request("vhost_not_found")


_BOTH = Route(
    {"GET": show_definitions, "POST": load_definitions}, Role.ADMINISTRATOR, requires_json=True
)

ROUTES: Routes = {
    "definitions": _BOTH,
    "definitions/:vhost": _BOTH,
    "all-configuration": _BOTH,
}
