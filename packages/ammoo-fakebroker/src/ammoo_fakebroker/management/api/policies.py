"""Policies, operator policies and parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...node.policies import Policy
from ..call import Call, Role, changed, done, json_response
from ..lists import list_response
from ..policy_refusals import check_policy
from ..refusals import bad_request, not_found
from ..route import Handler, Route, Routes
from .limits import limit_values

if TYPE_CHECKING:
    from ...node.virtual_host import VirtualHost
    from ..http import Response

__all__ = ["ROUTES", "policy_items"]

_OPERATOR = "operator-policies"
_VIRTUALHOST_LIMITS = {"max-connections": "max_connections", "max-queues": "max_queues"}


def _is_by_operator(call: Call) -> bool:
    return call.request.path[1] == _OPERATOR


def _require_author(call: Call) -> None:
    """Check that the user may write policies of this kind."""
    call.require(Role.ADMINISTRATOR if _is_by_operator(call) else Role.POLICYMAKER)


# -- policies ----------------------------------------------------------------------------------


def list_policies(call: Call) -> Response:
    """List the policies, or the operator policies, of one virtual host or of all."""
    items = [
        item
        for virtualhost in call.own_virtualhosts()
        for item in policy_items(virtualhost, by_operator=_is_by_operator(call))
    ]
    return list_response(items, call.request.query)


def policy_items(virtualhost: VirtualHost, *, by_operator: bool) -> Iterator[dict[str, Any]]:
    """Return the API's objects for the policies of a virtual host."""
    for name, policy in virtualhost.policies.by_name(by_operator=by_operator).items():
        yield {"vhost": virtualhost.name, "name": name, **_policy_value(policy)}


def _policy_value(policy: Policy) -> dict[str, Any]:
    return {
        "pattern": policy.pattern,
        "apply-to": policy.apply_to,
        "definition": dict(policy.definition),
        "priority": policy.priority,
    }


def show_policy(call: Call) -> Response:
    """Show a policy."""
    virtualhost = call.virtualhost()
    items = policy_items(virtualhost, by_operator=_is_by_operator(call))
    found = [item for item in items if item["name"] == call.names["policy"]]
    if not found:
        raise not_found()
    return json_response(found[0])


def put_policy(call: Call) -> Response:
    """Set a policy."""
    _require_author(call)
    virtualhost = call.virtualhost()
    body, name = call.body("pattern", "definition"), call.names["policy"]
    by_operator = _is_by_operator(call)
    policy = Policy(
        body["pattern"], body["definition"], body.get("priority", 0), body.get("apply-to", "all")
    )
    check_policy(call, policy, by_operator=by_operator)
    is_new = name not in virtualhost.policies.by_name(by_operator=by_operator)
    virtualhost.change_policies(
        lambda policies: policies.set(name, policy, by_operator=by_operator)
    )
    return changed(is_new=is_new)


def delete_policy(call: Call) -> Response:
    """Remove a policy."""
    _require_author(call)
    virtualhost = call.virtualhost()
    name, by_operator = call.names["policy"], _is_by_operator(call)
    if name not in virtualhost.policies.by_name(by_operator=by_operator):
        raise not_found()
    virtualhost.change_policies(lambda policies: policies.clear(name, by_operator=by_operator))
    return done()


# -- parameters --------------------------------------------------------------------------------


def list_parameters(call: Call) -> Response:
    """List the parameters: the limits of virtual hosts and the operator policies are some."""
    component = call.names.get("component")
    items = [
        item
        for virtualhost in call.own_virtualhosts()
        for item in _parameter_items(virtualhost)
        if component in (None, item["component"])
    ]
    return list_response(items, call.request.query)


def _parameter_items(virtualhost: VirtualHost) -> Iterator[dict[str, Any]]:
    limits = limit_values(virtualhost.limits, _VIRTUALHOST_LIMITS)
    if limits:
        yield _parameter_item(virtualhost, "vhost-limits", "limits", limits)
    for name, policy in virtualhost.policies.by_name(by_operator=True).items():
        yield _parameter_item(virtualhost, "operator_policy", name, _policy_value(policy))


def _parameter_item(
    virtualhost: VirtualHost, component: str, name: str, value: dict[str, Any]
) -> dict[str, Any]:
    return {"value": value, "vhost": virtualhost.name, "component": component, "name": name}


def show_parameter(call: Call) -> Response:
    """Show a parameter."""
    wanted = call.names["component"], call.names["parameter"]
    for item in _parameter_items(call.virtualhost()):
        if (item["component"], item["name"]) == wanted:
            return json_response(item)
    raise not_found()


def refuse_parameter(call: Call) -> Response:
    """Refuse to set a parameter: it would belong to a plugin, and the fake broker has none of these."""
    call.virtualhost()
    call.body("value")
    raise bad_request(f"Validation failed\n\ncomponent {call.names['component']} not found\n")


def delete_parameter(call: Call) -> Response:
    """Refuse to remove a parameter: those that can be set belong to plugins that are not here."""
    raise not_found()


def list_global_parameters(call: Call) -> Response:
    """List the parameters of the whole broker."""
    parameters = call.node.global_parameters.items()
    items = [{"name": name, "value": value} for name, value in parameters]
    return list_response(items, call.request.query)


def show_global_parameter(call: Call) -> Response:
    """Show a parameter of the whole broker."""
    name = _global_parameter(call)
    return json_response({"name": name, "value": call.node.global_parameters[name]})


def put_global_parameter(call: Call) -> Response:
    """Set a parameter of the whole broker; only the cluster's name has an effect."""
    name, parameters = call.names["parameter"], call.node.global_parameters
    value = call.body("value")["value"]
    is_new = name not in parameters
    parameters[name] = value
    return changed(is_new=is_new)


def delete_global_parameter(call: Call) -> Response:
    """Remove a parameter of the whole broker; the cluster gets its first name again."""
    name, parameters = _global_parameter(call), call.node.global_parameters
    del parameters[name]
    parameters.setdefault("cluster_name", call.node.cluster_name)
    return done()


def _global_parameter(call: Call) -> str:
    name = call.names["parameter"]
    if name not in call.node.global_parameters:
        raise not_found()
    return name


_ONE: dict[str, Handler] = {"GET": show_policy, "PUT": put_policy, "DELETE": delete_policy}

ROUTES: Routes = {
    "policies": Route({"GET": list_policies}),
    "policies/:vhost": Route({"GET": list_policies}),
    "policies/:vhost/:policy": Route(_ONE),
    _OPERATOR: Route({"GET": list_policies}),
    f"{_OPERATOR}/:vhost": Route({"GET": list_policies}),
    f"{_OPERATOR}/:vhost/:policy": Route(_ONE),
    "parameters": Route({"GET": list_parameters}, Role.POLICYMAKER),
    "parameters/:component": Route({"GET": list_parameters}, Role.POLICYMAKER),
    "parameters/:component/:vhost": Route({"GET": list_parameters}, Role.POLICYMAKER),
    "parameters/:component/:vhost/:parameter": Route(
        {"GET": show_parameter, "PUT": refuse_parameter, "DELETE": delete_parameter},
        Role.POLICYMAKER,
    ),
    "global-parameters": Route({"GET": list_global_parameters}, Role.POLICYMAKER),
    "global-parameters/:parameter": Route(
        {
            "GET": show_global_parameter,
            "PUT": put_global_parameter,
            "DELETE": delete_global_parameter,
        },
        Role.POLICYMAKER,
    ),
}
