"""Requests that the management API refuses, in RabbitMQ's words, on the fake and on real brokers."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import pytest

from ammoo_fakebroker import FakeBroker
from tests.support.management_api import ManagementApi

BAD = (400, "bad_request")
QUEUE = "queues/{virtualhost}/orders"
PUBLISH = "exchanges/{virtualhost}/amq.topic/publish"
GET = "queues/{virtualhost}/orders/get"
PUBLISHED: Mapping[str, Any] = {
    "routing_key": "k",
    "properties": {},
    "payload": "x",
    "payload_encoding": "string",
}
GOT: Mapping[str, Any] = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
POLICY = "policies/{virtualhost}/shop"
RIGHTS = "permissions/{virtualhost}/{user}"
TOPIC_RIGHTS = "topic-permissions/{virtualhost}/{user}"
ALL_RIGHTS: Mapping[str, Any] = {"configure": ".*", "write": ".*", "read": ".*"}


def missing(*names: str) -> str:
    return f"[{','.join(f'{{key_missing,{name}}}' for name in names)}]"


@pytest.fixture(autouse=True)
def _queue(api: ManagementApi, virtualhost: str) -> None:
    api.put(f"queues/{virtualhost}/orders", {"durable": True})


# -- bodies --------------------------------------------------------------------------------------

ENCODED_TWICE = (
    "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?"
)


@pytest.mark.parametrize("path", [QUEUE, POLICY, RIGHTS, "users/{user}", "cluster-name"])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not_json"),
        (b"[]", "not_json"),
        (b"1", "not_json"),
        (b"\xff", "not_json"),
        (b'"{}"', ENCODED_TWICE),
    ],
)
def test_body_must_be_an_object(
    api: ManagementApi, virtualhost: str, user: str, path: str, body: bytes, reason: str
) -> None:
    reply = api.put(path.format(virtualhost=virtualhost, user=user), body)

    assert (*BAD, reason) == reply.problem


@pytest.mark.parametrize(
    ("method", "path", "members"),
    [
        ("PUT", POLICY, ("pattern", "definition")),
        ("PUT", RIGHTS, ("configure", "write", "read")),
        ("PUT", TOPIC_RIGHTS, ("exchange", "write", "read")),
        ("PUT", "parameters/shovel/{virtualhost}/shop", ("value",)),
        ("POST", GET, ("ackmode", "count", "encoding")),
    ],
)
@pytest.mark.parametrize("body", [{}, None, b"null"])
def test_all_missing_members_are_named(
    api: ManagementApi,
    virtualhost: str,
    user: str,
    method: str,
    path: str,
    members: tuple[str, ...],
    body: Any,
) -> None:
    reply = api.ask(method, path.format(virtualhost=virtualhost, user=user), body)

    assert (*BAD, missing(*members)) == reply.problem


def test_long_list_of_missing_members_is_broken_into_lines(
    api: ManagementApi, virtualhost: str
) -> None:
    reply = api.post(PUBLISH.format(virtualhost=virtualhost), {})

    assert (*BAD, missing(*PUBLISHED).replace("},{", "},\n {")) == reply.problem


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (PUBLISH, {**PUBLISHED, "payload": 1}, "payload_not_string"),
        (PUBLISH, {**PUBLISHED, "payload": None}, "payload_not_string"),
        (PUBLISH, {**PUBLISHED, "properties": {"type": None}}, ["not_string", "type"]),
        (PUBLISH, {**PUBLISHED, "properties": {"expiration": 5}}, ["not_string", "expiration"]),
        (PUBLISH, {**PUBLISHED, "properties": {"timestamp": "now"}}, ["not_int", "timestamp"]),
        (PUBLISH, {**PUBLISHED, "properties": {"headers": {"a": [None]}}}, "null_not_allowed"),
        (GET, {**GOT, "truncate": "x"}, ["not_integer", "x"]),
        (GET, {**GOT, "count": None}, ["not_integer", None]),
    ],
)
def test_wrong_value_in_a_post_is_named(
    api: ManagementApi, virtualhost: str, path: str, body: Any, reason: Any
) -> None:
    reply = api.post(path.format(virtualhost=virtualhost), body)

    assert (*BAD, reason) == reply.problem


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (QUEUE, {"durable": "x"}, ["not_boolean", "x"]),
        (QUEUE, {"durable": True, "arguments": {"x-a": {"b": None}}}, "null_not_allowed"),
        (
            "queues/{virtualhost}/" + "q" * 256,
            {},
            "queue should be less than 255 bytes, actually was 256\n",
        ),
        ("vhosts/{virtualhost}", {"tracing": "x"}, ["not_boolean", "x"]),
        (
            "users/{user}",
            {"tags": "", "password": "a", "password_hash": "YWJj"},
            "both_password_and_password_hash_are_provided",
        ),
        (
            "vhost-limits/{virtualhost}/max-queues",
            {"value": None},
            "Validation failed\n\nmax-queues should be a number, actually was null\n",
        ),
        (
            "user-limits/{user}/max-pets",
            {"value": "5"},
            'Unrecognised terms [{<<"max-pets">>,<<"5">>}] in user-limits',
        ),
    ],
)
def test_wrong_value_in_a_put_is_named(
    api: ManagementApi, virtualhost: str, user: str, path: str, body: Any, reason: Any
) -> None:
    reply = api.put(path.format(virtualhost=virtualhost, user=user), body)

    assert (*BAD, reason) == reply.problem


@pytest.mark.rabbitmq_version(">=4.3")
def test_topic_permission_needs_its_exchange(
    api: ManagementApi, virtualhost: str, user: str
) -> None:
    body = {"exchange": "shop", "write": ".*", "read": ".*"}
    reply = api.put(f"topic-permissions/{virtualhost}/{user}", body)

    assert (*BAD, ["no_such_exchange", "shop"]) == reply.problem


def test_virtual_host_is_reset_by_an_empty_body(api: ManagementApi, virtualhost: str) -> None:
    api.put(f"vhosts/{virtualhost}", {"description": "the shop", "tags": ["a"]})
    api.put(f"vhosts/{virtualhost}", {})

    shown = api.get(f"vhosts/{virtualhost}").json
    assert ("", []) == (shown["description"], shown["tags"])


# -- paths, methods and media types --------------------------------------------------------------


@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("DELETE", 405), ("OPTIONS", 200)])
def test_unknown_path_allows_only_looks(api: ManagementApi, method: str, status: int) -> None:
    reply = api.ask(method, "nowhere")

    assert (status, "HEAD, GET, OPTIONS") == (reply.status, reply.headers["allow"])


@pytest.mark.parametrize("end", ["source", "destination"])
def test_unknown_exchange_has_no_bindings(api: ManagementApi, virtualhost: str, end: str) -> None:
    reply = api.get(f"exchanges/{virtualhost}/nowhere/bindings/{end}")

    assert (200, []) == (reply.status, reply.json)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("application/json; charset=utf-8", 204),
        ("application/x-www-form-urlencoded", 204),  # what curl says of --data
        ("text/plain", 204),
        ("json", 415),
    ],
)
def test_type_of_a_body_is_any(
    api: ManagementApi, virtualhost: str, sent: str, status: int
) -> None:
    reply = api.put(f"queues/{virtualhost}/orders", b'{"durable":true}', content_type=sent)

    assert status == reply.status


@pytest.mark.parametrize(
    ("sent", "status"),
    [("application/json", 204), ("application/x-www-form-urlencoded", 415), ("text/plain", 415)],
)
def test_type_of_definitions_is_json(
    api: ManagementApi, virtualhost: str, sent: str, status: int
) -> None:
    reply = api.post(f"definitions/{virtualhost}", b"{}", content_type=sent)

    assert status == reply.status


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("text/html,*/*;q=0.1", 200),
        ("application/json;q=0.5", 200),
        ("text/html", 406),
        ("json", 400),
    ],
)
def test_answers_are_json_only(api: ManagementApi, accept: str, status: int) -> None:
    assert status == api.get("whoami", accept=accept).status


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("x/weeks", "Invalid expiration value."),
        (
            "1/hours",
            "Time unit not recognised. Supported units: days, weeks, months, years.",
        ),
    ],
)
def test_expiration_is_a_number_of_a_unit(api: ManagementApi, path: str, reason: str) -> None:
    reply = api.get(f"health/checks/certificate-expiration/{path}")

    assert (*BAD, reason) == reply.problem


# -- logins --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", ["Basic", "Basic !!!", "Basic Z3Vlc3Q="])
def test_broken_login_is_a_bad_request(api: ManagementApi, sent: str) -> None:
    reply = api.as_user("", None).get("whoami", authorization=sent)

    assert (400, None) == (reply.status, reply.json)


WRONG_PASSWORDS: Mapping[str, str] = {
    "3.10": "Login failed",
    "4.0": "Not_Authorized",
    "4.3": "Not_Authorized",
}


@pytest.mark.parametrize("sent", ["Bearer x", "Basic Z3Vlc3Q6d3Jvbmc="])
def test_unknown_login_is_refused(api: ManagementApi, broker: Any, sent: str) -> None:
    reply = api.as_user("", None).get("whoami", authorization=sent)

    assert (401, "not_authorized", WRONG_PASSWORDS[broker.version]) == reply.problem


@pytest.mark.rabbitmq_version(">=4.0")
def test_version_needs_no_login(api: ManagementApi, broker: Any) -> None:
    version = api.as_user("", None).get("version").json

    assert version.startswith(broker.version)


# -- roles ---------------------------------------------------------------------------------------

OBJECT = (401, "not_authorised", "User not authorised to access object")
ADMINISTRATOR = (401, "not_authorised", "Not administrator user")
RULE: Mapping[str, Any] = {"pattern": "^a", "definition": {"max-length": 1}}


@pytest.mark.parametrize(
    ("tag", "method", "path", "problem"),
    [
        ("management", "GET", "parameters", OBJECT),
        ("monitoring", "GET", "global-parameters", OBJECT),
        ("management", "PUT", POLICY, OBJECT),
        ("policymaker", "PUT", "operator-policies/{virtualhost}/shop", ADMINISTRATOR),
        ("policymaker", "DELETE", "operator-policies/{virtualhost}/shop", ADMINISTRATOR),
        ("monitoring", "GET", "vhosts/{virtualhost}", ADMINISTRATOR),
        ("monitoring", "GET", "users", ADMINISTRATOR),
        ("management", "GET", "nodes", (401, "not_authorised", "Not monitor user")),
    ],
)
def test_tag_is_not_enough(
    api: ManagementApi,
    virtualhost: str,
    user: str,
    tag: str,
    method: str,
    path: str,
    problem: tuple[Any, ...],
) -> None:
    api.put(f"users/{user}", {"password": "secret", "tags": [tag]})
    api.put(f"permissions/{virtualhost}/{user}", ALL_RIGHTS)

    reply = api.as_user(user, "secret").ask(method, path.format(virtualhost=virtualhost), RULE)

    assert problem == reply.problem


@pytest.mark.rabbitmq_version(">=4.0")
@pytest.mark.parametrize(
    ("tag", "method"), [("management", "GET"), ("management", "DELETE"), ("monitoring", "DELETE")]
)
def test_connections_of_others_are_not_managed(
    api: ManagementApi, user: str, tag: str, method: str
) -> None:
    api.put(f"users/{user}", {"password": "secret", "tags": [tag]})

    reply = api.as_user(user, "secret").ask(method, "connections/username/nobody")

    assert OBJECT == reply.problem


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PUT", QUEUE, {"durable": True}), ("POST", PUBLISH, PUBLISHED), ("POST", GET, GOT)],
)
def test_administrator_needs_permissions_to_use_a_virtual_host(
    api: ManagementApi, virtualhost: str, user: str, method: str, path: str, body: Any
) -> None:
    api.put(f"users/{user}", {"password": "secret", "tags": ["administrator"]})

    reply = api.as_user(user, "secret").ask(method, path.format(virtualhost=virtualhost), body)

    assert (401, "not_authorised", "Access refused.") == reply.problem


@pytest.mark.parametrize(
    ("path", "body", "refusal", "text"),
    [
        (PUBLISH, PUBLISHED, (400, "bad_request"), "403 ACCESS_REFUSED - "),
        (GET, GOT, (401, "not_authorised"), "ACCESS_REFUSED - "),
    ],
)
def test_lack_of_a_permission_is_told_as_amqp_tells_it(
    api: ManagementApi,
    virtualhost: str,
    user: str,
    path: str,
    body: Any,
    refusal: tuple[int, str],
    text: str,
) -> None:
    api.put(f"users/{user}", {"password": "secret", "tags": ["management"]})
    api.put(f"permissions/{virtualhost}/{user}", {"configure": "", "write": "", "read": ""})

    reply = api.as_user(user, "secret").ask("POST", path.format(virtualhost=virtualhost), body)

    status, error, reason = reply.problem
    assert (*refusal, text) == (status, error, reason[: len(text)])
    assert reason.endswith(f" in vhost '{unquote(virtualhost)}' refused for user '{user}'")


@pytest.mark.rabbitmq_version(">=4.3")
def test_name_of_a_topic_exchange_is_a_string(
    api: ManagementApi, virtualhost: str, user: str
) -> None:
    api.put(f"users/{user}", {"password": "secret", "tags": []})
    body = {"exchange": [], "write": ".*", "read": ".*"}

    reply = api.put(f"topic-permissions/{virtualhost}/{user}", body)

    assert (400, "bad_request") == reply.problem[:2]


def test_administrator_sees_a_virtual_host_without_permissions(
    api: ManagementApi, virtualhost: str, user: str
) -> None:
    api.put(f"users/{user}", {"password": "secret", "tags": ["administrator"]})

    shown = api.as_user(user, "secret").get(f"queues/{virtualhost}").json

    assert ["orders"] == [each["name"] for each in shown]


@pytest.mark.rabbitmq_version("<4.3")
@pytest.mark.parametrize("path", ["queues/{virtualhost}", "aliveness-test/{virtualhost}"])
def test_virtual_host_of_others_is_refused_until_4_3(
    api: ManagementApi, virtualhost: str, user: str, path: str
) -> None:
    api.put(f"users/{user}", {"password": "secret", "tags": ["monitoring"]})

    reply = api.as_user(user, "secret").get(path.format(virtualhost=virtualhost))

    assert (
        401,
        "not_authorised",
        "User not authorised to access virtual host",
    ) == reply.problem


# -- errors of the channel -----------------------------------------------------------------------


def test_refused_get_names_the_code(api: ManagementApi, virtualhost: str) -> None:
    arguments = {"x-queue-type": "quorum", "x-single-active-consumer": True}
    api.put(f"queues/{virtualhost}/stock", {"durable": True, "arguments": arguments})

    status, error, reason = api.post(f"queues/{virtualhost}/stock/get", GOT).problem

    assert BAD == (status, error)
    assert reason.startswith("405 RESOURCE_LOCKED - cannot obtain access to locked queue 'stock'")


def test_get_that_ends_the_connection_names_the_code_only() -> None:
    # RabbitMQ answers the same, or 500 if its own connection ends first.
    with FakeBroker(management_port=0) as broker:
        broker.declare_queue("stock", durable=True, arguments={"x-queue-type": "stream"})

        reply = ManagementApi(broker.management_url).post("queues/%2F/stock/get", GOT)

        assert (
            *BAD,
            "540 basic.get not supported by stream queues queue 'stock' in vhost '/'",
        ) == reply.problem


# -- exchanges and queues that are not there -----------------------------------------------------


@pytest.mark.rabbitmq_version(">=4.0")
@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("exchanges/{virtualhost}/nothing/publish", PUBLISHED, "exchange_not_found"),
        ("queues/{virtualhost}/nothing/get", GOT, "queue_not_found"),
    ],
)
def test_target_is_looked_for_first(
    api: ManagementApi, virtualhost: str, path: str, body: Any, reason: str
) -> None:
    reply = api.post(path.format(virtualhost=virtualhost), body)

    assert (404, "not_found", reason) == reply.problem


@pytest.mark.rabbitmq_version("<4.0")
def test_target_is_named_by_the_broker_until_4_0(api: ManagementApi, virtualhost: str) -> None:
    name = api.get(f"vhosts/{virtualhost}").json["name"]

    published = api.post(f"exchanges/{virtualhost}/nothing/publish", PUBLISHED)
    got = api.post(f"queues/{virtualhost}/nothing/get", GOT)

    assert (
        *BAD,
        f"404 NOT_FOUND - no exchange 'nothing' in vhost '{name}'",
    ) == published.problem
    assert (
        404,
        "not_found",
        f"NOT_FOUND - no queue 'nothing' in vhost '{name}'",
    ) == got.problem
