"""Exchanges and bindings in the management API, on the fake and on real brokers."""

from collections.abc import Callable
from typing import Any

import pytest

from ammoo_fakebroker import FakeBroker, ManualClock
from tests.support.management_api import ManagementApi


def message(**body: Any) -> dict[str, Any]:
    """Return the body of a publish."""
    usual = {"properties": {}, "routing_key": "created", "payload": "order 1"}
    return {**usual, "payload_encoding": "string", **body}


@pytest.fixture
def bound(api: ManagementApi, virtualhost: str) -> str:
    """A virtual host in which the queue orders is bound to the topic exchange shop, by created."""
    api.put(f"exchanges/{virtualhost}/shop", {"type": "topic", "durable": True})
    api.put(f"queues/{virtualhost}/orders", {"durable": True})
    api.post(f"bindings/{virtualhost}/e/shop/q/orders", {"routing_key": "created"})
    return virtualhost


# -- exchanges ---------------------------------------------------------------------------------


def test_declaring_an_exchange_answers_created_and_then_no_content(
    api: ManagementApi, virtualhost: str
) -> None:
    statuses = [api.put(f"exchanges/{virtualhost}/shop", {"type": "topic"}).status for _ in "12"]

    assert [201, 204] == statuses


def test_exchange_is_a_direct_one_unless_the_body_says_otherwise(
    api: ManagementApi, virtualhost: str
) -> None:
    api.put(f"exchanges/{virtualhost}/shop", {})

    assert "direct" == api.get(f"exchanges/{virtualhost}/shop").json["type"]


def test_unknown_exchange_type_is_refused(api: ManagementApi, virtualhost: str) -> None:
    status, error, reason = api.put(f"exchanges/{virtualhost}/shop", {"type": "nope"}).problem

    assert (400, "bad_request") == (status, error)
    assert "nope" in reason


@pytest.mark.parametrize(
    ("method", "name"),
    [("PUT", "amq.default"), ("DELETE", "amq.default"), ("DELETE", "amq.direct")],
)
def test_predeclared_exchange_cannot_be_changed(
    api: ManagementApi, virtualhost: str, method: str, name: str
) -> None:
    reply = api.ask(method, f"exchanges/{virtualhost}/{name}", {"type": "fanout"})

    assert (401, "not_authorised", "Access refused.") == reply.problem


def test_default_exchange_has_no_name_in_answers(api: ManagementApi, virtualhost: str) -> None:
    listed = api.get(f"exchanges/{virtualhost}?columns=name,type").json

    assert {"name": "", "type": "direct"} in listed
    assert "" == api.get(f"exchanges/{virtualhost}/amq.default").json["name"]


def test_used_exchange_can_be_kept(api: ManagementApi, bound: str) -> None:
    status, error, reason = api.delete(f"exchanges/{bound}/shop?if-unused=true").problem

    assert (400, "bad_request") == (status, error)
    assert reason.endswith("in use")


# -- publishing --------------------------------------------------------------------------------


def test_publish_says_whether_the_message_was_routed(api: ManagementApi, bound: str) -> None:
    replies = [
        api.post(f"exchanges/{bound}/shop/publish", message(routing_key=key)).json
        for key in ("created", "deleted")
    ]

    assert [{"routed": True}, {"routed": False}] == replies


def test_payload_may_come_in_base64(api: ManagementApi, bound: str) -> None:
    body = message(payload="AP8=", payload_encoding="base64")

    api.post(f"exchanges/{bound}/shop/publish", body)

    request = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}
    (got,) = api.post(f"queues/{bound}/orders/get", request).json
    assert ("AP8=", "base64") == (got["payload"], got["payload_encoding"])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"routing_key": "", "payload": "", "properties": {}}, "[{key_missing,payload_encoding}]"),
        (message(payload_encoding="hex"), ["unsupported_encoding", "hex"]),
        (message(payload="!", payload_encoding="base64"), ["not_base64", "!"]),
        (message(properties={"priority": "x"}), ["not_int", "priority"]),
        (
            message(properties={"user_id": "root"}),
            (
                "406 PRECONDITION_FAILED - user_id property set to 'root' but authenticated user was"
                " 'guest'"
            ),
        ),
    ],
)
def test_invalid_publish_is_a_bad_request(
    api: ManagementApi, bound: str, body: object, reason: object
) -> None:
    reply = api.post(f"exchanges/{bound}/shop/publish", body)

    assert (400, "bad_request", reason) == reply.problem


@pytest.mark.rabbitmq_version(">=4.0")
def test_publish_to_an_unknown_exchange_is_not_found(api: ManagementApi, virtualhost: str) -> None:
    status, error, _ = api.post(f"exchanges/{virtualhost}/shop/publish", message()).problem

    assert (404, "not_found") == (status, error)


# -- bindings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("routing_key", "location"),
    [("", "orders/~"), ("created", "orders/created"), ("a b#", "orders/a%2Bb%2523")],
)
def test_created_binding_has_a_location(
    api: ManagementApi, virtualhost: str, routing_key: str, location: str
) -> None:
    api.put(f"queues/{virtualhost}/orders")
    path = f"bindings/{virtualhost}/e/amq.topic/q/orders"

    reply = api.post(path, {"routing_key": routing_key})

    assert (201, location) == (reply.status, reply.headers["location"])
    shown = api.get(f"bindings/{virtualhost}/e/amq.topic/q/{location}").json
    assert routing_key == shown["routing_key"]


def test_binding_is_listed_from_all_sides(api: ManagementApi, bound: str) -> None:
    binding = {
        "source": "shop",
        "destination": "orders",
        "destination_type": "queue",
        "routing_key": "created",
        "arguments": {},
        "properties_key": "created",
    }

    between = api.get(f"bindings/{bound}/e/shop/q/orders").json
    virtualhost = between[0].pop("vhost")

    assert [binding] == between
    full = {**binding, "vhost": virtualhost}
    assert full in api.get(f"bindings/{bound}").json
    assert full in api.get(f"exchanges/{bound}/shop/bindings/source").json
    assert ["", "shop"] == [
        each["source"] for each in api.get(f"queues/{bound}/orders/bindings").json
    ]


def test_binding_with_arguments_is_deleted_by_its_key(api: ManagementApi, virtualhost: str) -> None:
    api.put(f"queues/{virtualhost}/orders")
    path = f"bindings/{virtualhost}/e/amq.headers/q/orders"
    body = {"routing_key": "created", "arguments": {"x-match": "all", "shop": "Ulm"}}
    location = api.post(path, body).headers["location"]
    (binding,) = api.get(path).json

    assert location.endswith(binding["properties_key"])
    assert 204 == api.delete(f"{path}/{binding['properties_key']}").status
    assert [] == api.get(path).json


def test_exchange_is_bound_to_an_exchange(api: ManagementApi, bound: str) -> None:
    path = f"bindings/{bound}/e/amq.fanout/e/shop"

    assert 201 == api.post(path, {"routing_key": "created"}).status
    assert [("amq.fanout", "shop", "exchange")] == [
        (each["source"], each["destination"], each["destination_type"])
        for each in api.get(f"exchanges/{bound}/shop/bindings/destination").json
    ]
    assert 204 == api.delete(f"{path}/created").status


def test_unknown_binding_is_not_found(api: ManagementApi, bound: str) -> None:
    path = f"bindings/{bound}/e/shop/q/orders/deleted"

    assert (404, "Object Not Found", "Not Found") == api.get(path).problem
    assert (404, "Object Not Found", "Not Found") == api.delete(path).problem


def test_unknown_end_of_a_binding_is_named(api: ManagementApi, bound: str) -> None:
    status, error, reason = api.post(f"bindings/{bound}/e/nowhere/q/orders", {}).problem

    assert (404, "not_found") == (status, error)
    assert reason.startswith("no exchange 'nowhere' in vhost")


def test_nothing_can_be_bound_to_the_default_exchange(api: ManagementApi, bound: str) -> None:
    reply = api.post(f"bindings/{bound}/e/amq.default/q/orders", {})

    assert (401, "not_authorised", "Access refused.") == reply.problem


def test_delayed_exchange_says_how_many_messages_wait(
    make_fakebroker: Callable[..., FakeBroker],
) -> None:
    broker = make_fakebroker(
        management_port=0, plugins=["rabbitmq_delayed_message_exchange"], clock=ManualClock()
    )
    api = ManagementApi(broker.management_url)
    api.put(
        "exchanges/%2F/later",
        {"type": "x-delayed-message", "arguments": {"x-delayed-type": "fanout"}},
    )
    message = {
        "properties": {"headers": {"x-delay": 60_000}},
        "routing_key": "",
        "payload": "late",
        "payload_encoding": "string",
    }

    api.post("exchanges/%2F/later/publish", message)

    assert 1 == api.get("exchanges/%2F/later").json["messages_delayed"]


def test_types_of_exchanges_are_those_that_can_be_declared(
    make_fakebroker: Callable[..., FakeBroker],
) -> None:
    plain = ManagementApi(make_fakebroker(management_port=0).management_url)
    plugin = "rabbitmq_consistent_hash_exchange"
    richer = ManagementApi(make_fakebroker(management_port=0, plugins=[plugin]).management_url)

    assert "x-consistent-hash" not in [
        each["name"] for each in plain.get("overview").json["exchange_types"]
    ]
    assert {
        "name": "x-consistent-hash",
        "description": "Consistent Hashing Exchange",
        "enabled": True,
    } in richer.get("overview").json["exchange_types"]
    assert [plugin, "rabbitmq_management"] == richer.get("nodes").json[0]["enabled_plugins"]
