"""Definitions in the management API, on the fake and on real brokers."""

import pytest

from tests.support.management_api import ManagementApi, segment


def test_definitions_of_a_virtual_host_can_be_loaded_into_another(
    api: ManagementApi, virtualhost: str
) -> None:
    queue = {"name": "orders", "durable": True, "auto_delete": False, "arguments": {}}
    exchange = {**queue, "name": "shop", "type": "topic", "internal": False}
    binding = {
        "source": "shop",
        "destination": "orders",
        "destination_type": "queue",
        "routing_key": "created",
        "arguments": {},
    }
    body = {"queues": [queue], "exchanges": [exchange], "bindings": [binding]}

    assert 204 == api.post(f"definitions/{virtualhost}", body).status

    exported = api.get(f"definitions/{virtualhost}").json
    assert ["orders"] == [each["name"] for each in exported["queues"]]
    assert ["shop"] == [each["name"] for each in exported["exchanges"]]
    assert [("shop", "orders", "created")] == [
        (each["source"], each["destination"], each["routing_key"]) for each in exported["bindings"]
    ]
    assert 204 == api.post(f"definitions/{virtualhost}", exported).status


def test_definitions_of_the_broker_name_virtual_hosts_and_users(
    api: ManagementApi, virtualhost: str, user: str
) -> None:
    definitions = api.get("definitions").json

    assert virtualhost in [segment(each["name"]) for each in definitions["vhosts"]]
    assert user in [each["name"] for each in definitions["users"]]
    assert {"permissions", "topic_permissions", "parameters", "policies"} <= definitions.keys()


def test_definitions_of_an_unknown_virtual_host_are_a_bad_request(api: ManagementApi) -> None:
    assert (400, "bad_request", "vhost_not_found") == api.get("definitions/nowhere").problem


@pytest.mark.parametrize(
    "body", [b"{", {"queues": [{"name": "orders", "vhost": "management-nowhere"}]}]
)
def test_invalid_definitions_are_a_bad_request(api: ManagementApi, body: object) -> None:
    status, error, _ = api.post("definitions", body).problem

    assert (400, "bad_request") == (status, error)


def test_definitions_say_what_they_are_of(api: ManagementApi) -> None:
    definitions = api.get("definitions").json

    assert "RabbitMQ" == definitions["product_name"]
    assert definitions["rabbitmq_version"] == definitions["product_version"]


@pytest.mark.rabbitmq_version(">=4.0")
def test_definitions_of_a_virtual_host_say_how_it_is_described(
    api: ManagementApi, virtualhost: str
) -> None:
    api.put(f"vhosts/{virtualhost}", {"description": "orders", "tags": "shop,test"})
    whole = api.get("definitions").json
    definitions = api.get(f"definitions/{virtualhost}").json

    assert ("cluster", "single_virtual_host") == (
        whole["rabbitmq_definition_format"],
        definitions["rabbitmq_definition_format"],
    )
    assert virtualhost == segment(definitions["original_vhost_name"])
    assert ("orders", ["shop", "test"]) == (
        definitions["metadata"]["description"],
        definitions["metadata"]["tags"],
    )


def test_global_parameters_are_loaded(api: ManagementApi, user: str) -> None:
    parameter = {"name": user, "value": {"a": 1}}

    api.post("definitions", {"global_parameters": [parameter]})

    assert parameter == api.get(f"global-parameters/{user}").json
    api.delete(f"global-parameters/{user}")
