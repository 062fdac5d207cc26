"""Writing definitions: users, virtual hosts, policies, queues, exchanges and bindings as JSON.

The format is that of ``rabbitmqctl export_definitions`` and of the management API, with the members
of RabbitMQ 4. It contains no exclusive queues, because they belong to connections. It contains neither
exchanges whose names begin with ``amq.`` nor bindings of the default exchange, because each virtual
host has them.
See https://www.rabbitmq.com/docs/definitions
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ..auth.password_hashes import SHA_256, hash_password
from .limit_names import USER_LIMITS, VIRTUALHOST_LIMITS

if TYPE_CHECKING:
    from ..auth.users import User
    from ..exchanges.exchange import Binding
    from ..node.node import Node
    from ..node.policies import Policy
    from ..node.virtual_host import VirtualHost

__all__ = ["export_definitions", "virtualhost_item"]


def export_definitions(node: Node, virtualhost: VirtualHost | None = None) -> dict[str, Any]:
    """Return the definitions of a broker, or those of one virtual host.

    Args:
        node: The broker's node.
        virtualhost: The virtual host; its definitions do not name it, and can be loaded into
            another one. None for the whole broker.
    """
    version = node.profile.version
    versions = {"rabbit_version": version, "rabbitmq_version": version}
    if virtualhost is not None:
        parts = _parts([virtualhost])
        for item in (item for items in parts.values() for item in items):
            del item["vhost"]
        return {**versions, **parts}
    users = sorted(node.users, key=lambda user: user.name)
    return {
        **versions,
        "users": [_user(user) for user in users],
        "vhosts": [virtualhost_item(each) for each in node.virtualhosts.values()],
        "permissions": [item for user in users for item in _permissions(user)],
        "topic_permissions": [item for user in users for item in _topic_permissions(user)],
        "global_parameters": [
            {"name": name, "value": value} for name, value in node.global_parameters.items()
        ],
        **_parts(node.virtualhosts.values()),
    }


def _parts(virtualhosts: Iterable[VirtualHost]) -> dict[str, list[dict[str, Any]]]:
    """Return the members of definitions that belong to virtual hosts."""
    parts = {
        "parameters": _parameters,
        "policies": _policies,
        "queues": _queues,
        "exchanges": _exchanges,
        "bindings": _bindings,
    }
    each = list(virtualhosts)
    return {name: [item for host in each for item in of(host)] for name, of in parts.items()}


# -- users -----------------------------------------------------------------------------------------


def _user(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "password_hash": _hash_of(user),
        "hashing_algorithm": user.hashing_algorithm if user.password_hash else SHA_256,
        "tags": list(user.tags),
        "limits": _set_limits(user.limits._asdict(), USER_LIMITS),
    }


def _hash_of(user: User) -> str:
    """Return the hash of a user's password; a plain password always has the same hash."""
    if user.password_hash is not None:
        return user.password_hash
    if user.password is None:
        return ""
    return hash_password(user.password, sha256(user.name.encode()).digest()[:4])


def _permissions(user: User) -> Iterator[dict[str, Any]]:
    for virtualhost, permissions in user.permissions.items():
        yield {"user": user.name, "vhost": virtualhost, **permissions._asdict()}


def _topic_permissions(user: User) -> Iterator[dict[str, Any]]:
    for (virtualhost, exchange), permissions in user.topic_permissions.items():
        resource = {"user": user.name, "vhost": virtualhost, "exchange": exchange}
        yield {**resource, **permissions._asdict()}


# -- virtual hosts ---------------------------------------------------------------------------------


def virtualhost_item(virtualhost: VirtualHost) -> dict[str, Any]:
    """Return what definitions say of a virtual host itself."""
    return {
        "name": virtualhost.name,
        "limits": _set_limits(virtualhost.limits._asdict(), VIRTUALHOST_LIMITS),
        "metadata": {
            "description": virtualhost.description,
            "tags": list(virtualhost.tags),
            "default_queue_type": virtualhost.default_queue_type or "classic",
        },
    }


def _set_limits(values: dict[str, int | None], names: dict[str, str]) -> dict[str, int]:
    """Return the limits that are set, by RabbitMQ's names."""
    limits = {name: values[field] for name, field in names.items()}
    return {name: value for name, value in limits.items() if value is not None}


def _parameters(virtualhost: VirtualHost) -> Iterator[dict[str, Any]]:
    limits = _set_limits(virtualhost.limits._asdict(), VIRTUALHOST_LIMITS)
    if limits:
        yield _parameter(virtualhost, "vhost-limits", "limits", limits)
    for name, policy in virtualhost.policies.by_name(by_operator=True).items():
        yield _parameter(virtualhost, "operator_policy", name, _policy(policy))


def _parameter(
    virtualhost: VirtualHost, component: str, name: str, value: dict[str, Any]
) -> dict[str, Any]:
    return {"vhost": virtualhost.name, "component": component, "name": name, "value": value}


def _policies(virtualhost: VirtualHost) -> Iterator[dict[str, Any]]:
    for name, policy in virtualhost.policies.by_name(by_operator=False).items():
        yield {"vhost": virtualhost.name, "name": name, **_policy(policy)}


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "pattern": policy.pattern,
        "apply-to": policy.apply_to,
        "definition": dict(policy.definition),
        "priority": policy.priority,
    }


# -- queues, exchanges, bindings -------------------------------------------------------------------


def _queues(virtualhost: VirtualHost) -> Iterator[dict[str, Any]]:
    names_type = virtualhost.profile.queues_have_type_arguments
    for queue in virtualhost.queues.values():
        typed = {"x-queue-type": queue.queue_type} if names_type else {}
        if queue.owner is None:
            yield {
                "name": queue.name,
                "vhost": virtualhost.name,
                "type": queue.queue_type,
                "durable": queue.durable,
                "auto_delete": queue.auto_delete,
                "arguments": {**typed, **queue.arguments},
            }


def _exchanges(virtualhost: VirtualHost) -> Iterator[dict[str, Any]]:
    for exchange in virtualhost.exchanges.values():
        if exchange.name and not exchange.name.startswith("amq."):
            yield {
                "name": exchange.name,
                "vhost": virtualhost.name,
                "type": exchange.type,
                "durable": exchange.durable,
                "auto_delete": exchange.auto_delete,
                "arguments": dict(exchange.arguments),
                **({"internal": True} if exchange.internal else {}),
            }


def _bindings(virtualhost: VirtualHost) -> Iterator[dict[str, Any]]:
    for exchange in virtualhost.exchanges.values():
        for binding in exchange.bindings.values():
            destination = virtualhost.queues.get(binding.destination.name)
            is_to_queue = destination is binding.destination
            if not (is_to_queue and destination is not None and destination.owner is not None):
                yield _binding(virtualhost, binding, "queue" if is_to_queue else "exchange")


def _binding(virtualhost: VirtualHost, binding: Binding, kind: str) -> dict[str, Any]:
    return {
        "source": binding.source.name,
        "vhost": virtualhost.name,
        "destination": binding.destination.name,
        "destination_type": kind,
        "routing_key": binding.routing_key,
        "arguments": dict(binding.arguments),
    }
