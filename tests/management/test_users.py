"""Users, permissions, limits and policies in the management API, on fake and real brokers."""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

import pytest

from ammoo_fakebroker import FakeBroker
from tests.support.management_api import ManagementApi


def test_new_user_is_created_and_then_changed(api: ManagementApi, user: str) -> None:
    api.delete(f"users/{user}")
    statuses = [
        api.put(f"users/{user}", {"password": "secret", "tags": tags}).status
        for tags in ("monitoring,shop", ["management"])
    ]

    assert [201, 204] == statuses
    assert ["management"] == api.get(f"users/{user}").json["tags"]


def test_user_without_tags_is_a_bad_request(api: ManagementApi, user: str) -> None:
    reply = api.put(f"users/{user}", {"password": "secret"})

    assert (400, "bad_request", "tags_not_present") == reply.problem


def test_hash_of_a_password_is_verified(api: ManagementApi, user: str) -> None:
    salt = b"salt"
    hashed = b64encode(salt + sha256(salt + b"hidden").digest()).decode()

    api.put(f"users/{user}", {"password_hash": hashed, "tags": "management"})

    assert hashed == api.get(f"users/{user}").json["password_hash"]
    assert 200 == api.as_user(user, "hidden").get("whoami").status
    assert 401 == api.as_user(user, "secret").get("whoami").status


def test_shown_hash_is_that_of_the_password(api: ManagementApi, user: str) -> None:
    shown = api.get(f"users/{user}").json["password_hash"]

    api.put(f"users/{user}", {"password_hash": shown, "tags": "management"})

    assert 200 == api.as_user(user, "secret").get("whoami").status


def test_deleted_user_is_not_found(api: ManagementApi, user: str) -> None:
    statuses = [api.delete(f"users/{user}").status for _ in "12"]

    assert [204, 404] == statuses


@pytest.mark.rabbitmq_version(">=4.0")
def test_users_are_deleted_in_bulk(api: ManagementApi, user: str) -> None:
    assert 204 == api.post("users/bulk-delete", {"users": [user, "nobody-of-this-name"]}).status
    assert 404 == api.get(f"users/{user}").status


# -- permissions -------------------------------------------------------------------------------


def test_permissions_are_created_and_then_changed(
    api: ManagementApi, user: str, virtualhost: str
) -> None:
    path = f"permissions/{virtualhost}/{user}"

    statuses = [
        api.put(path, {"configure": "", "write": "", "read": read}).status for read in ("a", "b")
    ]

    assert [201, 204] == statuses
    assert "b" == api.get(path).json["read"]
    assert [204, 404] == [api.delete(path).status for _ in "12"]


def test_permissions_are_complete(api: ManagementApi, user: str, virtualhost: str) -> None:
    reply = api.put(f"permissions/{virtualhost}/{user}", {"configure": "", "write": ""})

    assert (400, "bad_request", "[{key_missing,read}]") == reply.problem


def test_permissions_need_a_user_and_a_virtual_host(
    api: ManagementApi, user: str, virtualhost: str
) -> None:
    body = {"configure": "", "write": "", "read": ""}

    without_virtualhost = api.put(f"permissions/nowhere/{user}", body)
    without_user = api.put(f"permissions/{virtualhost}/nobody", body)

    problem = (400, "bad_request", "vhost_or_user_not_found")
    assert (problem, problem) == (without_virtualhost.problem, without_user.problem)


def test_topic_permissions_are_a_list(api: ManagementApi, user: str, virtualhost: str) -> None:
    path = f"topic-permissions/{virtualhost}/{user}"
    body = {"exchange": "amq.topic", "write": "^shop", "read": ""}

    assert [201, 204] == [api.put(path, body).status for _ in "12"]
    (item,) = api.get(path).json
    assert body == {name: item[name] for name in body}
    assert [204, 404] == [api.delete(path).status for _ in "12"]


# -- virtual hosts and limits ------------------------------------------------------------------


def test_creator_of_a_virtual_host_has_all_permissions(
    api: ManagementApi, virtualhost: str
) -> None:
    (item,) = api.get(f"vhosts/{virtualhost}/permissions").json

    assert ("guest", ".*", ".*", ".*") == (
        item["user"],
        item["configure"],
        item["write"],
        item["read"],
    )


def test_virtual_host_keeps_its_description(api: ManagementApi, virtualhost: str) -> None:
    body = {"description": "the shop", "tags": "test,shop"}

    assert 204 == api.put(f"vhosts/{virtualhost}", body).status
    shown = api.get(f"vhosts/{virtualhost}").json
    assert ("the shop", ["test", "shop"]) == (shown["description"], shown["tags"])


@pytest.mark.parametrize("limit", ["max-connections", "max-queues"])
def test_limit_of_a_virtual_host_is_set_and_removed(
    api: ManagementApi, virtualhost: str, limit: str
) -> None:
    path = f"vhost-limits/{virtualhost}"

    assert 204 == api.put(f"{path}/{limit}", {"value": 7}).status
    assert [{limit: 7}] == [item["value"] for item in api.get(path).json]
    assert 204 == api.delete(f"{path}/{limit}").status
    assert [] == api.get(path).json


def test_limit_of_a_user_is_set_and_removed(api: ManagementApi, user: str) -> None:
    path = f"user-limits/{user}"

    assert 204 == api.put(f"{path}/max-channels", {"value": 7}).status
    assert [{"user": user, "value": {"max-channels": 7}}] == api.get(path).json
    assert {"max-channels": 7} == api.get(f"users/{user}").json["limits"]
    assert 204 == api.delete(f"{path}/max-channels").status


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [
        (
            "max-connections",
            "a",
            'Validation failed\n\nmax-connections should be a number, actually was <<"a">>\n',
        ),
        (
            "max-friends",
            5,
            'Validation failed\n\nUnrecognised terms [{<<"max-friends">>,5}] in limits\n',
        ),
    ],
)
def test_unsuitable_limit_is_a_bad_request(
    api: ManagementApi, virtualhost: str, limit: str, value: object, reason: str
) -> None:
    reply = api.put(f"vhost-limits/{virtualhost}/{limit}", {"value": value})

    assert (400, "bad_request", reason) == reply.problem


# -- policies ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["policies", "operator-policies"])
def test_policy_is_created_changed_and_deleted(
    api: ManagementApi, virtualhost: str, kind: str
) -> None:
    path = f"{kind}/{virtualhost}/short"
    body = {"pattern": "^a", "definition": {"max-length": 5}, "priority": 2, "apply-to": "queues"}

    assert [201, 204] == [api.put(path, body).status for _ in "12"]
    shown = api.get(path).json
    assert body == {name: shown[name] for name in body}
    assert [204, 404] == [api.delete(path).status for _ in "12"]


def test_policy_applies_to_all_unless_the_body_says_otherwise(
    api: ManagementApi, virtualhost: str
) -> None:
    path = f"policies/{virtualhost}/short"
    api.put(path, {"pattern": "", "definition": {"max-length": 5}})

    shown = api.get(path).json

    assert (0, "all") == (shown["priority"], shown["apply-to"])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"pattern": ""}, "[{key_missing,definition}]"),
        ({"definition": {"max-length": 5}}, "[{key_missing,pattern}]"),
    ],
)
def test_policy_is_complete(
    api: ManagementApi, virtualhost: str, body: object, reason: str
) -> None:
    reply = api.put(f"policies/{virtualhost}/short", body)

    assert (400, "bad_request", reason) == reply.problem


@pytest.mark.parametrize(
    "change", [{"definition": {"nope": 1}}, {"pattern": "["}, {"priority": "x"}, {"apply-to": "x"}]
)
def test_invalid_policy_fails_validation(
    api: ManagementApi, virtualhost: str, change: dict[str, object]
) -> None:
    body = {"pattern": "", "definition": {"max-length": 5}, **change}

    status, error, reason = api.put(f"policies/{virtualhost}/short", body).problem

    assert (400, "bad_request") == (status, error)
    assert reason.startswith("Validation failed")


def test_policy_is_among_what_a_queue_shows(api: ManagementApi, virtualhost: str) -> None:
    api.put(f"queues/{virtualhost}/orders", {"durable": True})
    body = {"pattern": "^orders$", "definition": {"max-length": 5}}
    api.put(f"policies/{virtualhost}/short", body)

    queue = api.get_when(f"queues/{virtualhost}/orders", lambda shown: shown.get("policy"))

    assert ("short", {"max-length": 5}) == (queue["policy"], queue["effective_policy_definition"])


@pytest.mark.rabbitmq_version(">=4.0")
def test_hash_of_a_password_makes_a_user_with_it(api: ManagementApi, user: str) -> None:
    password_hash = api.get("auth/hash_password/secret-2").json["ok"]

    api.put(f"users/{user}", {"password_hash": password_hash, "tags": "management"})

    assert user == api.as_user(user, "secret-2").get("whoami").json["name"]


def test_tags_stay_in_their_order(api: ManagementApi, user: str) -> None:
    api.put(f"users/{user}", {"password": "secret", "tags": "policymaker,management,policymaker"})

    assert ["policymaker", "management"] == api.get(f"users/{user}").json["tags"][:2]


@pytest.mark.rabbitmq_version(">=4.0")
def test_topic_permission_of_one_exchange_is_removed(
    api: ManagementApi, user: str, virtualhost: str
) -> None:
    path = f"topic-permissions/{virtualhost}/{user}"
    api.put(path, {"exchange": "amq.topic", "write": ".*", "read": ".*"})
    api.put(path, {"exchange": "amq.direct", "write": ".*", "read": ".*"})

    assert 204 == api.delete(f"{path}/amq.direct").status
    assert ["amq.topic"] == [each["exchange"] for each in api.get(path).json]


def test_global_parameter_is_set_shown_and_removed(api: ManagementApi, user: str) -> None:
    path = f"global-parameters/{user}"

    statuses = [api.put(path, {"value": value}).status for value in ({"a": 1}, [2])]
    shown = api.get(path).json
    exported = api.get("definitions").json["global_parameters"]

    assert [201, 204] == statuses
    assert {"name": user, "value": [2]} == shown
    assert shown in exported
    assert shown in api.get("global-parameters").json
    assert (400, "bad_request", "[{key_missing,value}]") == api.put(path, {}).problem
    assert [204, 404, 404] == [
        api.delete(path).status,
        api.delete(path).status,
        api.get(path).status,
    ]


def test_cluster_gets_another_name(make_fakebroker: Callable[..., FakeBroker]) -> None:
    api = ManagementApi(make_fakebroker(management_port=0).management_url)

    assert 204 == api.put("cluster-name", {"name": "shop@test"}).status
    assert {"name": "shop@test"} == api.get("cluster-name").json
    assert "shop@test" == api.get("overview").json["cluster_name"]
    assert (400, "bad_request", "[{key_missing,name}]") == api.put("cluster-name", {}).problem
    api.delete("global-parameters/cluster_name")
    assert {"name": "rabbit@localhost"} == api.get("cluster-name").json
