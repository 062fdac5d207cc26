"""Policies, parameters, permissions, and what belongs to a connection or a user."""

from collections.abc import Mapping
from typing import Any

import pika  # type: ignore[import-untyped]  # it has no types
import pytest

from ammoo_fakebroker import FakeBroker
from tests.support.brokers import Broker
from tests.support.management_api import ManagementApi, segment

NOT_FOUND = (404, "Object Not Found", "Not Found")

# -- policies and parameters ---------------------------------------------------------------------

KINDS = ["policies", "operator-policies"]
RULE = {"pattern": "^orders$", "definition": {"max-length": 5}, "priority": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_policy_is_set_listed_and_removed(api: ManagementApi, virtualhost: str, kind: str) -> None:
    path = f"{kind}/{virtualhost}/short"

    statuses = [api.put(path, RULE).status, api.put(path, RULE).status]
    shown = api.get(path).json
    listed = api.get(f"{kind}/{virtualhost}").json
    removed = api.delete(path).status

    assert [201, 204, 204] == [*statuses, removed]
    assert [shown] == listed
    assert ("short", "^orders$", {"max-length": 5}, 2) == (
        shown["name"],
        shown["pattern"],
        shown["definition"],
        shown["priority"],
    )
    assert [] == api.get(f"{kind}/{virtualhost}").json


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_unknown_policy_is_not_found(
    api: ManagementApi, virtualhost: str, kind: str, method: str
) -> None:
    assert NOT_FOUND == api.ask(method, f"{kind}/{virtualhost}/nothing").problem


@pytest.mark.parametrize("kind", KINDS)
def test_invalid_policy_is_refused(api: ManagementApi, virtualhost: str, kind: str) -> None:
    status, error, reason = api.put(f"{kind}/{virtualhost}/short", {**RULE, "pattern": "("}).problem

    assert (400, "bad_request") == (status, error)
    assert reason.startswith("Validation failed\n\npattern ")


def test_limits_and_operator_policies_are_parameters(api: ManagementApi, virtualhost: str) -> None:
    api.put(f"operator-policies/{virtualhost}/short", RULE)
    api.put(f"vhost-limits/{virtualhost}/max-queues", {"value": 9})

    limits = api.get(f"parameters/vhost-limits/{virtualhost}").json
    rules = api.get(f"parameters/operator_policy/{virtualhost}").json
    one = api.get(f"parameters/operator_policy/{virtualhost}/short").json

    assert [("limits", {"max-queues": 9})] == [(each["name"], each["value"]) for each in limits]
    assert [one] == rules
    assert {"max-length": 5} == one["value"]["definition"]
    assert one in api.get("parameters").json


def test_unknown_parameter_is_not_found(api: ManagementApi, virtualhost: str) -> None:
    assert NOT_FOUND == api.get(f"parameters/operator_policy/{virtualhost}/nothing").problem


def test_policies_of_others_are_not_listed(api: ManagementApi, virtualhost: str, user: str) -> None:
    api.put(f"users/{user}", {"password": "secret", "tags": ["policymaker"]})
    api.put(f"policies/{virtualhost}/short", RULE)

    assert [] == api.as_user(user, "secret").get("policies").json


# -- permissions ---------------------------------------------------------------------------------

RIGHTS = {"configure": "^a", "write": "^b", "read": ""}


def test_permissions_are_set_listed_and_removed(
    api: ManagementApi, virtualhost: str, user: str
) -> None:
    path = f"permissions/{virtualhost}/{user}"

    statuses = [api.put(path, RIGHTS).status, api.put(path, RIGHTS).status]
    shown = api.get(path).json
    of_user = api.get(f"users/{user}/permissions").json
    of_virtualhost = api.get(f"vhosts/{virtualhost}/permissions").json
    removed = api.delete(path).status

    assert [201, 204, 204] == [*statuses, removed]
    assert RIGHTS == {name: shown[name] for name in RIGHTS}
    assert [shown] == of_user
    assert shown in of_virtualhost
    assert NOT_FOUND == api.get(path).problem


@pytest.mark.parametrize("kind", ["permissions", "topic-permissions"])
def test_permissions_need_user_and_virtual_host(
    api: ManagementApi, virtualhost: str, kind: str
) -> None:
    body = {**RIGHTS, "exchange": "amq.topic"}
    reply = api.put(f"{kind}/{virtualhost}/nobody", body)

    assert (400, "bad_request", "vhost_or_user_not_found") == reply.problem
    assert NOT_FOUND == api.get("users/nobody/permissions").problem


def test_topic_permissions_are_set_listed_and_removed(
    api: ManagementApi, virtualhost: str, user: str
) -> None:
    path = f"topic-permissions/{virtualhost}/{user}"

    status = api.put(path, {"exchange": "amq.topic", "write": "^a", "read": "^b"}).status
    shown = api.get(path).json
    of_user = api.get(f"users/{user}/topic-permissions").json
    of_virtualhost = api.get(f"vhosts/{virtualhost}/topic-permissions").json
    removed = [api.delete(path).status, api.delete(path).status]

    assert (201, [204, 404]) == (status, removed)
    assert shown == of_user == of_virtualhost
    assert [("amq.topic", "^a", "^b")] == [
        (each["exchange"], each["write"], each["read"]) for each in shown
    ]


def test_user_who_may_open_nothing_is_listed_as_such(api: ManagementApi, user: str) -> None:
    names = [each["name"] for each in api.get("users/without-permissions").json]

    assert user in names
    assert "guest" not in names


def test_changed_user_keeps_the_permissions(
    api: ManagementApi, virtualhost: str, user: str
) -> None:
    api.put(f"permissions/{virtualhost}/{user}", RIGHTS)

    api.put(f"users/{user}", {"password": "other", "tags": "monitoring"})

    assert [RIGHTS["write"]] == [
        each["write"] for each in api.get(f"users/{user}/permissions").json
    ]


# -- connections ---------------------------------------------------------------------------------


@pytest.fixture
def name(api: ManagementApi, virtualhost: str, connection: pika.BlockingConnection) -> str:
    """The name of a client's connection with one channel and one consumer, ready for a path."""
    channel = connection.channel()
    channel.queue_declare("orders", exclusive=True)
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    items = api.get_when(
        f"vhosts/{virtualhost}/connections", lambda found: found and found[0].get("channels")
    )
    return segment(items[0]["name"])


def test_channels_and_queues_of_a_connection_are_shown(
    api: ManagementApi, virtualhost: str, name: str
) -> None:
    (listed,) = api.get_when(f"connections/{name}/channels", lambda found: len(found) == 1)
    shown = api.get_when(
        f"channels/{segment(listed['name'])}", lambda found: found.get("consumer_details")
    )

    assert ["worker"] == [each["consumer_tag"] for each in shown["consumer_details"]]
    assert ([], []) == (shown["deliveries"], shown["publishes"])
    queue = api.get_when(
        f"queues/{virtualhost}/orders", lambda found: found.get("owner_pid_details")
    )
    assert name == segment(queue["owner_pid_details"]["name"])


def test_unknown_channel_is_not_found(api: ManagementApi) -> None:
    assert NOT_FOUND == api.get("channels/nothing").problem


def test_connections_of_a_user_are_listed_and_closed(broker: Broker) -> None:
    with FakeBroker(compatibility=broker.version, management_port=0) as fake:
        api = ManagementApi(fake.management_url)
        fake.add_user("worker", "secret", virtualhosts=["/"], tags=["management"])
        url = fake.url.replace("guest:guest@", "worker:secret@")
        connection = pika.BlockingConnection(pika.URLParameters(url))
        own = api.as_user("worker", "secret")

        listed = [each["user"] for each in own.get("connections/username/worker").json]
        closed = own.delete("connections/username/worker").status

        assert (["worker"], 204) == (listed, closed)
        assert [] == api.get("connections/username/worker").json
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker):
            connection.channel()


def test_connection_of_another_user_is_not_shown() -> None:
    with FakeBroker(management_port=0) as fake:
        fake.add_user("visitor", "secret", tags=["management"])
        connection = pika.BlockingConnection(pika.URLParameters(fake.url))
        api = ManagementApi(fake.management_url)
        path = f"connections/{segment(api.get('connections').json[0]['name'])}"

        reply = api.as_user("visitor", "secret").get(path)

        assert (401, "not_authorised", "Not_Authorized") == reply.problem
        connection.close()


# -- values of AMQP that JSON does not have ------------------------------------------------------


def test_octets_and_times_in_arguments_are_shown() -> None:
    with FakeBroker(management_port=0) as fake:
        connection = pika.BlockingConnection(pika.URLParameters(fake.url))
        arguments = {"x-octets": b"abc", "x-table": {"a": 1}}
        connection.channel().queue_declare("orders", arguments=arguments)

        shown = ManagementApi(fake.management_url).get("queues/%2F/orders").json["arguments"]

        assert ("abc", {"a": 1}) == (shown["x-octets"], shown["x-table"])
        connection.close()


# -- refusals of policies ------------------------------------------------------------------------

TARGETS = "'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'"


def refused_policy(api: ManagementApi, virtualhost: str, **changes: Any) -> Any:
    """Return the lines of the refusal of an operator policy, which no release escapes."""
    body = {**RULE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    status, error, reason = api.put(f"operator-policies/{virtualhost}/short", body).problem
    assert (400, "bad_request") == (status, error)
    return reason.removeprefix("Validation failed\n\n").removesuffix("\n")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pattern": 1}, "pattern should be a binary but was 1"),
        ({"pattern": ["a"]}, 'pattern should be a binary but was [<<"a">>]'),
        ({"definition": {}}, "no policy provided"),
        ({"definition": {"nox": 1}}, '[{<<"nox">>,1}] are not recognised policy settings'),
        ({"priority": "5"}, 'priority should be a number, actually was <<"5">>'),
        ({"priority": True}, "priority should be a number, actually was true"),
        (
            {"definition": {}, "pattern": None, "priority": None},
            (
                "no policy provided\npattern should be a binary but was null"
                "\npriority should be a number, actually was null"
            ),
        ),
        (
            {"definition": {"nox": [1, "a", {"b": 1}], "noy": True, "noz": None, "now": 1.5}},
            (
                '[{<<"now">>,1.5},\n {<<"nox">>,[1,<<"a">>,#{<<"b">> => 1}]},\n {<<"noy">>,true},'
                '\n {<<"noz">>,null}] are not recognised policy settings'
            ),
        ),
    ],
)
def test_mistakes_in_a_policy_are_named(
    api: ManagementApi, virtualhost: str, changes: Any, reason: str
) -> None:
    assert reason == refused_policy(api, virtualhost, **changes)


@pytest.mark.rabbitmq_version(">=4.0")
def test_policy_applies_to_known_kinds(api: ManagementApi, virtualhost: str) -> None:
    reason = refused_policy(api, virtualhost, apply_to="pets")

    assert f"apply-to 'pets' unrecognised; should be one of: {TARGETS}" == reason


@pytest.mark.rabbitmq_version("<4.0")
def test_policy_applies_to_few_kinds_until_4_0(api: ManagementApi, virtualhost: str) -> None:
    reason = refused_policy(api, virtualhost, apply_to="pets")

    assert "apply-to 'pets' unrecognised; should be 'queues', 'exchanges' or 'all'" == reason


SHOWN: Mapping[str, str] = {
    "3.10": '&lt;&lt;"5"&gt;&gt;',
    "4.0": '&lt;&lt;"5"&gt;&gt;',
    "4.3": '<<"5">>',
}


def test_refusal_of_a_policy_is_escaped_in_early_releases(
    broker: Broker, api: ManagementApi, virtualhost: str
) -> None:
    _, _, reason = api.put(f"policies/{virtualhost}/short", {**RULE, "priority": "5"}).problem

    assert reason.endswith(f"actually was {SHOWN[broker.version]}\n")
