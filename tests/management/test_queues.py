"""Queues in the management API: what RabbitMQ answers, on the fake and on real brokers."""

from typing import Any

import pytest

from tests.support.management_api import ManagementApi


def get(**body: Any) -> dict[str, Any]:
    """Return the body of a request for messages."""
    return {"count": 10, "ackmode": "ack_requeue_true", "encoding": "auto", **body}


def fill(api: ManagementApi, virtualhost: str, *payloads: str, **properties: Any) -> None:
    """Declare a queue, and publish messages to it."""
    api.put(f"queues/{virtualhost}/orders", {"durable": True})
    body = {"properties": properties, "routing_key": "orders", "payload_encoding": "string"}
    replies = [
        api.post(f"exchanges/{virtualhost}/amq.default/publish", {**body, "payload": payload})
        for payload in payloads
    ]
    assert [{"routed": True}] * len(payloads) == [reply.json for reply in replies]


def payloads(api: ManagementApi, virtualhost: str) -> list[str]:
    """Return the payloads of a queue's messages, which stay in it."""
    messages = api.post(f"queues/{virtualhost}/orders/get", get()).json
    return [message["payload"] for message in messages]


def test_declaring_a_queue_answers_created_and_then_no_content(
    api: ManagementApi, virtualhost: str
) -> None:
    statuses = [api.put(f"queues/{virtualhost}/orders", {"durable": True}).status for _ in "12"]

    assert [201, 204] == statuses


@pytest.mark.parametrize("body", [None, {}, b"", {"durable": "false", "arguments": {}}])
def test_declaration_may_leave_everything_out(
    api: ManagementApi, virtualhost: str, body: object
) -> None:
    api.put(f"queues/{virtualhost}/orders", body)

    queue = api.get(f"queues/{virtualhost}/orders").json

    assert (False, False) == (queue["durable"], queue["auto_delete"])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not_json"),
        (b"[1]", "not_json"),
        ({"durable": "yes"}, ["not_boolean", "yes"]),
    ],
)
def test_unreadable_declaration_is_a_bad_request(
    api: ManagementApi, virtualhost: str, body: object, reason: object
) -> None:
    reply = api.put(f"queues/{virtualhost}/orders", body)

    assert (400, "bad_request", reason) == reply.problem


def test_declaring_a_queue_otherwise_is_refused_as_a_client_is(
    api: ManagementApi, virtualhost: str
) -> None:
    api.put(f"queues/{virtualhost}/orders", {"durable": True})

    status, error, reason = api.put(f"queues/{virtualhost}/orders", {"durable": False}).problem

    assert (400, "bad_request") == (status, error)
    assert reason.startswith("inequivalent arg 'durable' for queue 'orders' in vhost")


def test_reserved_name_is_refused(api: ManagementApi, virtualhost: str) -> None:
    reply = api.put(f"queues/{virtualhost}/amq.orders", {})

    assert (401, "not_authorised", "Access refused.") == reply.problem


def test_node_of_another_cluster_is_a_bad_request(api: ManagementApi, virtualhost: str) -> None:
    status, error, _ = api.put(f"queues/{virtualhost}/orders", {"node": "rabbit@nowhere"}).problem

    assert (400, "bad_request") == (status, error)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "orders"),
        ("DELETE", "orders"),
        ("DELETE", "orders/contents"),
    ],
)
def test_unknown_queue_is_not_found(
    api: ManagementApi, virtualhost: str, method: str, path: str
) -> None:
    reply = api.ask(method, f"queues/{virtualhost}/{path}")

    assert (404, "Object Not Found", "Not Found") == reply.problem


def test_queue_in_an_unknown_virtual_host_is_not_found(api: ManagementApi) -> None:
    assert (404, "Object Not Found", "Not Found") == api.get("queues/nowhere").problem
    assert (404, "not_found", "vhost_not_found") == api.put("queues/nowhere/orders", {}).problem


def test_queue_that_is_not_empty_can_be_kept(api: ManagementApi, virtualhost: str) -> None:
    fill(api, virtualhost, "order 1")

    status, error, reason = api.delete(f"queues/{virtualhost}/orders?if-empty=true").problem

    assert (400, "bad_request") == (status, error)
    assert reason.endswith("not empty")
    assert 204 == api.delete(f"queues/{virtualhost}/orders").status


def test_purged_queue_is_empty(api: ManagementApi, virtualhost: str) -> None:
    fill(api, virtualhost, "order 1", "order 2")

    assert 204 == api.delete(f"queues/{virtualhost}/orders/contents").status
    assert [] == payloads(api, virtualhost)


# -- getting messages --------------------------------------------------------------------------


def test_got_message_is_shown_with_its_properties(api: ManagementApi, virtualhost: str) -> None:
    fill(api, virtualhost, "order 1", delivery_mode=2, headers={"shop": "Ulm", "count": 3})

    assert [
        {
            "payload_bytes": 7,
            "redelivered": False,
            "exchange": "",
            "routing_key": "orders",
            "message_count": 0,
            "properties": {"delivery_mode": 2, "headers": {"shop": "Ulm", "count": 3}},
            "payload": "order 1",
            "payload_encoding": "string",
        }
    ] == api.post(f"queues/{virtualhost}/orders/get", get()).json


def test_message_without_properties_has_an_empty_list(api: ManagementApi, virtualhost: str) -> None:
    fill(api, virtualhost, "order 1")

    assert [] == api.post(f"queues/{virtualhost}/orders/get", get()).json[0]["properties"]


@pytest.mark.parametrize(
    ("ackmode", "left"),
    [
        ("ack_requeue_true", ["order 1", "order 2"]),
        ("reject_requeue_true", ["order 1", "order 2"]),
        ("ack_requeue_false", ["order 2"]),
        ("reject_requeue_false", ["order 2"]),
    ],
)
def test_ackmode_decides_what_stays_in_the_queue(
    api: ManagementApi, virtualhost: str, ackmode: str, left: list[str]
) -> None:
    fill(api, virtualhost, "order 1", "order 2")

    api.post(f"queues/{virtualhost}/orders/get", get(count=1, ackmode=ackmode))

    assert left == payloads(api, virtualhost)


def test_payload_can_be_encoded_and_truncated(api: ManagementApi, virtualhost: str) -> None:
    fill(api, virtualhost, "order 1")

    (message,) = api.post(
        f"queues/{virtualhost}/orders/get", get(encoding="base64", truncate=2)
    ).json

    assert ("b3I=", "base64", 7) == (
        message["payload"],
        message["payload_encoding"],
        message["payload_bytes"],
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"count": 1, "encoding": "auto"}, "[{key_missing,ackmode}]"),
        ({"ackmode": "ack_requeue_true", "encoding": "auto"}, "[{key_missing,count}]"),
        (get(encoding="hex"), "Unsupported encoding. Please use auto or base64."),
    ],
)
def test_incomplete_request_for_messages_is_a_bad_request(
    api: ManagementApi, virtualhost: str, body: object, reason: str
) -> None:
    fill(api, virtualhost)

    assert (400, "bad_request", reason) == api.post(
        f"queues/{virtualhost}/orders/get", body
    ).problem


def test_getting_from_an_unknown_queue_is_not_found(api: ManagementApi, virtualhost: str) -> None:
    status, error, _ = api.post(f"queues/{virtualhost}/orders/get", get()).problem

    assert (404, "not_found") == (status, error)
