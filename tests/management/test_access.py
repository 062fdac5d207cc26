"""Who may do what with the management API, on the fake and on real brokers."""

import pytest

from tests.support.management_api import ManagementApi


@pytest.fixture
def visitor(api: ManagementApi, user: str) -> ManagementApi:
    """The API for a user who may log in to it, and has no permissions in any virtual host."""
    api.put(f"users/{user}", {"password": "secret", "tags": ["management"]})
    return api.as_user(user, "secret")


def test_request_without_login_is_challenged(api: ManagementApi) -> None:
    reply = api.as_user("guest", None).get("overview")

    assert (401, 'Basic realm="RabbitMQ Management"') == (
        reply.status,
        reply.headers["www-authenticate"],
    )


def test_wrong_password_is_refused(api: ManagementApi) -> None:
    status, error, _ = api.as_user("guest", "wrong").get("overview").problem

    assert (401, "not_authorized") == (status, error)


def test_user_without_tags_may_not_even_look(api: ManagementApi, user: str) -> None:
    reply = api.as_user(user, "secret").get("whoami")

    assert (401, "not_authorised", "Not management user") == reply.problem


def test_who_am_i_names_user_and_tags(visitor: ManagementApi, user: str) -> None:
    answer = visitor.get("whoami").json

    assert (user, ["management"]) == (answer["name"], answer["tags"])


@pytest.mark.parametrize(
    ("path", "reason"),
    [("users", "Not administrator user"), ("nodes", "Not monitor user")],
)
def test_role_is_needed(visitor: ManagementApi, path: str, reason: str) -> None:
    assert (401, "not_authorised", reason) == visitor.get(path).problem


def test_only_an_administrator_names_the_cluster(visitor: ManagementApi) -> None:
    reply = visitor.put("cluster-name", {"name": "shop@test"})

    assert (401, "not_authorised", "Not administrator user") == reply.problem


@pytest.mark.rabbitmq_version(">=4.0")
def test_every_user_of_the_interface_lists_deprecated_features(visitor: ManagementApi) -> None:
    assert 200 == visitor.get("deprecated-features").status


@pytest.mark.parametrize("path", ["queues", "exchanges", "bindings", "vhosts", "connections"])
def test_lists_show_what_the_user_has_permissions_for(visitor: ManagementApi, path: str) -> None:
    reply = visitor.get(path)

    assert (200, []) == (reply.status, reply.json)


@pytest.mark.rabbitmq_version(">=4.3")
def test_virtual_host_of_others_is_not_found(visitor: ManagementApi, virtualhost: str) -> None:
    assert (404, "not_found", "Not Found") == visitor.get(f"queues/{virtualhost}").problem
    assert (404, "not_found", "Not Found") == visitor.put(f"queues/{virtualhost}/orders").problem


def test_permissions_count_for_what_the_user_declares(
    api: ManagementApi, visitor: ManagementApi, user: str, virtualhost: str
) -> None:
    rights = {"configure": "^mine", "write": "", "read": ""}
    api.put(f"permissions/{virtualhost}/{user}", rights)

    assert 201 == visitor.put(f"queues/{virtualhost}/mine").status
    assert (401, "not_authorised", "Access refused.") == visitor.put(
        f"queues/{virtualhost}/yours"
    ).problem


def test_unknown_path_is_not_found(api: ManagementApi) -> None:
    assert (404, "Object Not Found", "Not Found") == api.get("nowhere").problem


def test_unsuitable_method_is_not_allowed(api: ManagementApi) -> None:
    reply = api.post("overview", {})

    assert (405, "HEAD, GET, OPTIONS") == (reply.status, reply.headers["allow"])
