"""Figures of queues and of the node, logins, and virtual hosts under protection."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pika  # type: ignore[import-untyped]  # it has no types
import pytest

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.messages import message
from ammoo_wire import BasicHeaderProperties, decode_properties
from tests.support.brokers import Broker
from tests.support.management_api import ManagementApi, segment

# -- queues --------------------------------------------------------------------------------------

SINGLE_ACTIVE: Mapping[str, Any] = {"x-single-active-consumer": True}


def test_consumers_wait_for_the_single_active_one(
    api: ManagementApi, virtualhost: str, connection: pika.BlockingConnection
) -> None:
    channel = connection.channel()
    channel.queue_declare("orders", exclusive=True, arguments=SINGLE_ACTIVE)
    channel.basic_consume("orders", lambda *_: None, consumer_tag="first")
    channel.basic_consume("orders", lambda *_: None, consumer_tag="second")

    items = api.get_when(f"consumers/{virtualhost}", lambda found: len(found) == 2)
    queue = api.get_when(f"queues/{virtualhost}/orders", lambda found: found.get("consumers"))

    assert {"first": (True, "single_active"), "second": (False, "waiting")} == {
        item["consumer_tag"]: (item["active"], item["activity_status"]) for item in items
    }
    assert "first" == queue["single_active_consumer_tag"]


def test_persistent_messages_and_the_oldest_are_shown(
    api: ManagementApi, virtualhost: str, connection: pika.BlockingConnection
) -> None:
    channel = connection.channel()
    channel.queue_declare("orders", durable=True)
    published_at = int(datetime(2026, 5, 4, tzinfo=UTC).timestamp())
    first = pika.BasicProperties(timestamp=published_at, delivery_mode=2)
    channel.basic_publish("", "orders", b"first", first)
    channel.basic_publish("", "orders", b"2")

    queue = api.get_when(
        f"queues/{virtualhost}/orders", lambda found: found.get("messages_persistent")
    )

    assert (1, 5, published_at) == (
        queue["messages_persistent"],
        queue["message_bytes_persistent"],
        queue["head_message_timestamp"],
    )


def publish_at(channel: Any, *timestamps: int | None) -> None:
    """Publish a message to the queue "orders" with each of the timestamps."""
    for timestamp in timestamps:
        channel.basic_publish("", "orders", b"order", pika.BasicProperties(timestamp=timestamp))


@pytest.mark.parametrize(("timestamps", "shown"), [((None, 100, 50), 100), ((100, 50, 20), 50)])
def test_head_is_the_older_of_the_first_unsettled_and_the_first_ready_message(
    api: ManagementApi,
    virtualhost: str,
    connection: pika.BlockingConnection,
    timestamps: Sequence[int | None],
    shown: int | None,
) -> None:
    channel = connection.channel()
    channel.queue_declare("orders", durable=True)
    publish_at(channel, *timestamps)
    channel.basic_get("orders")

    queue = api.get_when(
        f"queues/{virtualhost}/orders",
        lambda found: found.get("messages_unacknowledged_ram") == 1,
    )

    assert shown == queue["head_message_timestamp"]


def test_head_among_unsettled_messages_is_the_first_in_the_queue() -> None:
    with FakeBroker(management_port=0) as broker:
        api = ManagementApi(broker.management_url)
        earlier = pika.BlockingConnection(pika.URLParameters(broker.url))
        later = pika.BlockingConnection(pika.URLParameters(broker.url))
        channel = later.channel()
        channel.queue_declare("orders")
        publish_at(channel, 100, 50)

        channel.basic_get("orders")
        earlier.channel().basic_get("orders")

        assert 100 == api.get("queues/%2F/orders").json["head_message_timestamp"]
        earlier.close()
        later.close()


def test_list_of_queues_decodes_only_the_first_message_of_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoded = []

    def decode(properties: bytes) -> BasicHeaderProperties:
        decoded.append(properties)
        return decode_properties(properties)

    with FakeBroker(management_port=0) as broker:
        broker.declare_queue("orders", durable=True)
        broker.put("orders", b"first", message_id="1", delivery_mode=2)
        broker.put("orders", b"second", message_id="2", delivery_mode=2)
        broker.put("orders", b"third", message_id="3", delivery_mode=1)
        monkeypatch.setattr(message, "decode_properties", decode)

        (queue,) = ManagementApi(broker.management_url).get("queues").json

        assert (2, ["1"]) == (
            queue["messages_persistent"],
            [decode_properties(octets).message_id for octets in decoded],
        )


def test_dead_letter_stays_persistent() -> None:
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    with FakeBroker(management_port=0) as broker:
        broker.declare_queue("dead", durable=True)
        broker.declare_queue("orders", arguments={**arguments, "x-message-ttl": 0})
        broker.put("orders", b"order", delivery_mode=2)

        queue = ManagementApi(broker.management_url).get("queues/%2F/dead").json

        assert 1 == queue["messages_persistent"]


def test_each_message_of_a_quorum_queue_is_persistent() -> None:
    with FakeBroker(management_port=0) as broker:
        broker.declare_queue("orders", durable=True, arguments={"x-queue-type": "quorum"})
        broker.put("orders", b"order")

        queue = ManagementApi(broker.management_url).get("queues/%2F/orders").json

        assert (1, 5) == (queue["messages_persistent"], queue["message_bytes_persistent"])


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize(("argument", "shown"), [(7, 7), (-1, "unlimited")])
def test_delivery_limit_of_a_quorum_queue_is_shown(
    api: ManagementApi, virtualhost: str, argument: int, shown: Any
) -> None:
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": argument}
    api.put(f"queues/{virtualhost}/orders", {"durable": True, "arguments": arguments})

    queue = api.get_when(f"queues/{virtualhost}/orders", lambda found: "delivery_limit" in found)

    assert shown == queue["delivery_limit"]


def test_consumers_at_their_limit_are_not_ready() -> None:
    with FakeBroker(management_port=0) as broker:
        api = ManagementApi(broker.management_url)
        connection = pika.BlockingConnection(pika.URLParameters(broker.url))
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        channel.queue_declare("orders")
        channel.basic_consume("orders", lambda *_: None)
        before = api.get("queues/%2F/orders").json["consumer_utilisation"]

        channel.basic_publish("", "orders", b"order")
        connection.process_data_events()

        assert (1.0, 0.0) == (before, api.get("queues/%2F/orders").json["consumer_utilisation"])
        connection.close()


# -- the node ------------------------------------------------------------------------------------


@pytest.fixture
def node(api: ManagementApi) -> str:
    """The name of the broker's node, ready for a path."""
    return segment(api.get("overview").json["node"])


def test_memory_is_shown_in_parts(broker: Broker, api: ManagementApi, node: str) -> None:
    memory = api.get(f"nodes/{node}/memory").json["memory"]
    relative = api.get(f"nodes/{node}/memory/relative").json["memory"]

    assert {"erlang": int, "rss": int, "allocated": int} == {
        name: type(value) for name, value in memory["total"].items()
    }
    assert memory.keys() - {"strategy"} == relative.keys()
    assert MEMORY_OF_RELEASE[broker.version] <= memory.keys()
    assert 100 == relative["total"]


MEMORY_OF_RELEASE: Mapping[str, frozenset[str]] = {
    "3.10": frozenset(("binary", "mnesia", "queue_procs", "queue_slave_procs")),
    "4.0": frozenset(("binary", "mnesia", "queue_procs", "metadata_store", "metadata_store_ets")),
    "4.3": frozenset(("binary", "mnesia", "queue_procs", "metadata_store", "metadata_store_ets")),
}


def test_no_table_has_an_unknown_name(api: ManagementApi, node: str) -> None:
    tables = api.get(f"nodes/{node}/memory/ets/nothing").json

    assert {"ets_tables_memory": "no_tables"} == tables


def test_memory_of_messages_is_counted() -> None:
    with FakeBroker(management_port=0) as broker:
        api = ManagementApi(broker.management_url)
        path = f"nodes/{segment(api.get('overview').json['node'])}/memory"
        broker.declare_queue("orders")
        broker.put("orders", b"x" * 1000)

        memory = api.get(path).json["memory"]

        assert memory["binary"] == memory["total"]["erlang"] >= 1000
        assert 100 == api.get(f"{path}/relative").json["memory"]["binary"]


@pytest.mark.parametrize(
    "path",
    ["nodes/nowhere/memory", "healthchecks/node/nowhere", "auth/attempts/nowhere"],
)
def test_other_node_is_not_found(api: ManagementApi, path: str) -> None:
    assert (404, "Object Not Found", "Not Found") == api.get(path).problem


@pytest.mark.rabbitmq_version(">=4.0")  # 3.10 asks each queue, also those that others delete
def test_named_node_is_healthy(api: ManagementApi, node: str) -> None:
    assert {"status": "ok"} == api.get(f"healthchecks/node/{node}").json


# -- features ------------------------------------------------------------------------------------


@pytest.mark.rabbitmq_version(">=4.0")
def test_transient_queue_is_a_deprecated_feature_in_use(
    api: ManagementApi, virtualhost: str
) -> None:
    api.put(f"queues/{virtualhost}/orders", {"durable": False})

    used = api.get("deprecated-features/used").json

    assert "transient_nonexcl_queues" in [each["name"] for each in used]


def test_exclusive_queue_is_no_deprecated_feature() -> None:
    with FakeBroker(management_port=0) as broker:
        connection = pika.BlockingConnection(pika.URLParameters(broker.url))
        connection.channel().queue_declare("orders", exclusive=True)

        assert [] == ManagementApi(broker.management_url).get("deprecated-features/used").json
        connection.close()


# -- logins --------------------------------------------------------------------------------------

FORM = "application/x-www-form-urlencoded"


@pytest.mark.rabbitmq_version(">=4.3")
def test_login_is_answered_with_the_user(api: ManagementApi) -> None:
    body = b"username=guest&password=guest"
    answer = api.as_user("", None).post("login", body, content_type=FORM).json

    assert {"type": "basic", "value": "Z3Vlc3Q6Z3Vlc3Q="} == answer["token"]
    assert ("guest", ["administrator"]) == (answer["user"]["name"], answer["user"]["tags"])


@pytest.mark.rabbitmq_version("<4.3")
def test_login_is_answered_with_a_cookie_until_4_3(api: ManagementApi) -> None:
    body = b"username=guest&password=guest"
    reply = api.as_user("", None).post("login", body, content_type=FORM)

    assert (200, "ok") == (reply.status, reply.json)
    assert "auth=Z3Vlc3Q6Z3Vlc3Q=" == reply.headers["set-cookie"].partition(";")[0]


@pytest.mark.parametrize("body", [b"username=guest&password=wrong", b"username=nobody&password=x"])
def test_wrong_login_is_refused(api: ManagementApi, body: bytes) -> None:
    status, error, _ = api.as_user("", None).post("login", body, content_type=FORM).problem

    assert (401, "not_authorized") == (status, error)


def test_logins_are_counted(broker: Broker, api: ManagementApi, node: str) -> None:
    path = f"auth/attempts/{node}"
    before = {each["protocol"]: each for each in api.get(path).json}["http"]
    api.as_user("guest", "wrong").get("whoami")

    after = {each["protocol"]: each for each in api.get(path).json}["http"]

    assert after["auth_attempts_failed"] > before["auth_attempts_failed"]
    assert after["auth_attempts"] >= before["auth_attempts"] + 2
    assert [] == api.get(f"{path}/source").json


def test_logins_by_amqp_are_counted_and_forgotten() -> None:
    with FakeBroker(management_port=0, login_pause=0) as broker:
        api = ManagementApi(broker.management_url)
        path = f"auth/attempts/{segment(api.get('overview').json['node'])}"
        pika.BlockingConnection(pika.URLParameters(broker.url)).close()
        wrong = pika.URLParameters(broker.url.replace("amqp://", "amqp://guest:wrong@"))
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            pika.BlockingConnection(wrong)

        counts = {each["protocol"]: each for each in api.get(path).json}["amqp091"]
        cleared = api.delete(path).status

        assert (2, 1, 1) == (
            counts["auth_attempts"],
            counts["auth_attempts_failed"],
            counts["auth_attempts_succeeded"],
        )
        assert (204, ["http"]) == (cleared, [each["protocol"] for each in api.get(path).json])


# -- virtual hosts -------------------------------------------------------------------------------


@pytest.mark.rabbitmq_version(">=4.3")
def test_protected_virtual_host_is_not_deleted(api: ManagementApi, virtualhost: str) -> None:
    protection = f"vhosts/{virtualhost}/deletion/protection"
    name = api.get(f"vhosts/{virtualhost}").json["name"]

    statuses = [api.post(protection).status]
    refused = api.delete(f"vhosts/{virtualhost}")
    shown = api.get(f"vhosts/{virtualhost}").json
    statuses += [api.delete(protection).status, api.delete(f"vhosts/{virtualhost}").status]

    assert (
        412,
        "precondition_failed",
        f"Refusing to delete virtual host '{name}' because it is protected from deletion",
    ) == refused.problem
    assert (True, True) == (
        shown["protected_from_deletion"],
        shown["metadata"]["protected_from_deletion"],
    )
    assert [204, 204, 204] == statuses


@pytest.mark.rabbitmq_version(">=4.3")
def test_missing_virtual_host_cannot_be_protected(api: ManagementApi) -> None:
    reply = api.post("vhosts/nowhere/deletion/protection")

    assert (
        404,
        "not_found",
        "Cannot enable deletion protection of virtual host 'nowhere' because it does not exist",
    ) == reply.problem


@pytest.mark.rabbitmq_version(">=4.0")  # 3.10 asks all virtual hosts, also those in making
def test_virtual_host_is_started(api: ManagementApi, virtualhost: str, node: str) -> None:
    assert 204 == api.post(f"vhosts/{virtualhost}/start/{node}").status


UNKNOWN_NODES: Mapping[str, str] = {
    "3.10": "Request to node nowhere failed with nodedown",
    "4.0": "Request to node nowhere failed with nodedown",
    "4.3": "Unknown node: nowhere",
}


def test_virtual_host_is_not_started_on_another_node(
    broker: Broker, api: ManagementApi, virtualhost: str
) -> None:
    reply = api.post(f"vhosts/{virtualhost}/start/nowhere")

    assert (400, "bad_request", UNKNOWN_NODES[broker.version]) == reply.problem


# -- paths of a release --------------------------------------------------------------------------


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize("place", ["all-vhosts", "vhost/%2F", "all-vhosts/pattern/%5Eq"])
def test_each_quorum_queue_has_a_leader(api: ManagementApi, place: str) -> None:
    check = api.get(f"health/checks/quorum-queues-without-elected-leaders/{place}")

    assert {"status": "ok"} == check.json


@pytest.mark.rabbitmq_version("<4.0")
@pytest.mark.parametrize(
    "path", ["version", "auth/hash_password/x", "health/checks/is-in-service", "queues/detailed"]
)
def test_early_release_lacks_later_paths(api: ManagementApi, path: str) -> None:
    assert (404, "Object Not Found", "Not Found") == api.get(path).problem


@pytest.mark.rabbitmq_version("<4.0")
def test_early_release_checks_mirrors(api: ManagementApi) -> None:
    answer = api.get("health/checks/node-is-mirror-sync-critical").json

    assert {"status": "ok", "reason": "single node cluster"} == answer


WEB_LOGINS: Mapping[str, Any] = {
    "3.10": {"enable_uaa": False, "uaa_client_id": "", "uaa_location": ""},
    "4.0": {"oauth_enabled": False},
}


@pytest.mark.rabbitmq_version("<4.3")
def test_web_interface_asks_how_users_log_in(broker: Broker, api: ManagementApi) -> None:
    assert WEB_LOGINS[broker.version] == api.as_user("", None).get("auth").json


def test_definitions_have_an_older_path(api: ManagementApi) -> None:
    assert api.get("definitions").json.keys() == api.get("all-configuration").json.keys()
