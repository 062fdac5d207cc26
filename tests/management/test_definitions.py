"""Definitions of a RabbitMQ, loaded into a fake broker, are the same when the fake returns them."""

import json
from typing import Any
from urllib.parse import unquote

from ammoo_fakebroker import FakeBroker
from tests.support.brokers import Broker
from tests.support.management_api import ManagementApi

KINDS = ("queues", "exchanges", "bindings", "policies", "parameters")


def exported(broker: Broker, api: ManagementApi, virtualhost: str) -> dict[str, Any]:
    if broker.fake is not None:
        return broker.fake.definitions(virtualhost=unquote(virtualhost))
    definitions: dict[str, Any] = api.get(f"definitions/{virtualhost}").json
    return definitions


def canonical(definitions: dict[str, Any]) -> dict[str, list[str]]:
    """Return definitions in an order, without what only some releases say of each entry."""
    return {
        kind: sorted(
            json.dumps(_without_defaults(kind, each), sort_keys=True) for each in definitions[kind]
        )
        for kind in KINDS
    }


def _without_defaults(kind: str, entry: dict[str, Any]) -> dict[str, Any]:
    left_out = {"vhost", "type"} if kind == "queues" else {"vhost"}
    if not entry.get("internal"):
        left_out.add("internal")
    return {name: value for name, value in entry.items() if name not in left_out}


def test_definitions_of_a_broker_are_returned_by_a_fake_that_loaded_them(
    broker: Broker, api: ManagementApi, virtualhost: str
) -> None:
    api.put(f"queues/{virtualhost}/q1", {"durable": True, "arguments": {"x-message-ttl": 60000}})
    quorum = {"durable": True, "arguments": {"x-queue-type": "quorum"}}
    api.put(f"queues/{virtualhost}/q2", quorum)
    api.put(f"exchanges/{virtualhost}/x1", {"type": "topic", "durable": True})
    alternate = {"alternate-exchange": "x1"}
    api.put(
        f"exchanges/{virtualhost}/x2", {"type": "direct", "durable": True, "arguments": alternate}
    )
    api.ask(
        "POST", f"bindings/{virtualhost}/e/x1/q/q1", {"routing_key": "a.#", "arguments": {"k": 1}}
    )
    api.ask("POST", f"bindings/{virtualhost}/e/x1/e/x2", {"routing_key": "b"})
    policy = {"pattern": "^q", "definition": {"max-length": 9}, "apply-to": "queues", "priority": 2}
    api.put(f"policies/{virtualhost}/p1", policy)
    definitions = exported(broker, api, virtualhost)
    assert 2 == len(definitions["queues"]) == len(definitions["exchanges"])

    with FakeBroker(compatibility=broker.version) as copy:
        copy.add_virtualhost("copy")
        copy.load_definitions(definitions, virtualhost="copy")

        assert canonical(definitions) == canonical(copy.definitions(virtualhost="copy"))
