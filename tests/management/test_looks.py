"""Connections, channels, consumers and the broker: the fields of answers, and their types.

A shape says of each field which types it may have. The fake has exactly these fields; RabbitMQ has
them, with values of these types, and more.
"""

import re
from collections.abc import Mapping
from typing import Any

import pika  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.support.brokers import Broker
from tests.support.management_api import ManagementApi, Reply, segment

Shape = Mapping[str, Any]

RATE: Shape = {"rate": float}
COUNTS: Shape = {
    "messages": int,
    "messages_details": RATE,
    "messages_ready": int,
    "messages_ready_details": RATE,
    "messages_unacknowledged": int,
    "messages_unacknowledged_details": RATE,
}
PEER: Shape = {"name": str, "peer_host": str, "peer_port": int}
CONNECTION: Shape = {
    "auth_mechanism": str,
    "channel_max": int,
    "channels": int,
    "client_properties": dict,
    "connected_at": int,
    "frame_max": int,
    "host": str,
    "node": str,
    "port": int,
    "protocol": str,
    "recv_cnt": int,
    "recv_oct": int,
    "recv_oct_details": RATE,
    "send_cnt": int,
    "send_oct": int,
    "send_oct_details": RATE,
    "send_pend": int,
    "ssl": bool,
    "state": str,
    "timeout": int,
    "type": str,
    "user": str,
    "user_provided_name": str,
    "user_who_performed_action": str,
    "vhost": str,
    **PEER,
}
CHANNEL: Shape = {
    "acks_uncommitted": int,
    "confirm": bool,
    "connection_details": PEER,
    "consumer_count": int,
    "idle_since": str,
    "message_stats": dict,
    "messages_unacknowledged": int,
    "messages_uncommitted": int,
    "messages_unconfirmed": int,
    "name": str,
    "node": str,
    "number": int,
    "prefetch_count": int,
    "state": str,
    "transactional": bool,
    "user": str,
    "user_who_performed_action": str,
    "vhost": str,
}
CONSUMER: Shape = {
    "ack_required": bool,
    "active": bool,
    "activity_status": str,
    "arguments": dict,
    "channel_details": {
        "connection_name": str,
        "node": str,
        "number": int,
        "user": str,
        **PEER,
    },
    "consumer_tag": str,
    "exclusive": bool,
    "prefetch_count": int,
    "queue": {"name": str, "vhost": str},
}
QUEUE: Shape = {
    "arguments": dict,
    "auto_delete": bool,
    "consumers": int,
    "durable": bool,
    "effective_policy_definition": dict,
    "exclusive": bool,
    "memory": int,
    "consumer_capacity": int,
    "consumer_utilisation": int,
    "message_bytes": int,
    "message_bytes_persistent": int,
    "message_bytes_ready": int,
    "message_bytes_unacknowledged": int,
    "messages_persistent": int,
    "name": str,
    "node": str,
    "operator_policy": None,
    "policy": None,
    "state": str,
    "type": str,
    "vhost": str,
    **COUNTS,
}
CLASSIC: Shape = {
    "exclusive_consumer_tag": None,
    "head_message_timestamp": None,
    "idle_since": str,
    "message_bytes_ram": int,
    "messages_ram": int,
    "messages_ready_ram": int,
    "messages_unacknowledged_ram": int,
    "single_active_consumer_tag": None,
}
"""What is shown of a classic queue beside."""
REPLICAS: Shape = {"leader": str, "members": list, "online": list}
EXCHANGE: Shape = {
    "arguments": dict,
    "auto_delete": bool,
    "durable": bool,
    "internal": bool,
    "name": str,
    "type": str,
    "user_who_performed_action": str,
    "vhost": str,
}
CHURN: Shape = {
    name: kind
    for counted in (
        "channel_closed",
        "channel_created",
        "connection_closed",
        "connection_created",
        "queue_created",
        "queue_declared",
        "queue_deleted",
    )
    for name, kind in ((counted, int), (f"{counted}_details", RATE))
}
OVERVIEW: Shape = {
    "churn_rates": CHURN,
    "cluster_name": str,
    "disable_stats": bool,
    "enable_queue_totals": bool,
    "erlang_full_version": str,
    "erlang_version": str,
    "exchange_types": list,
    "listeners": list,
    "management_version": str,
    "message_stats": dict,
    "node": str,
    "object_totals": dict.fromkeys(
        ("channels", "connections", "consumers", "exchanges", "queues"), int
    ),
    "product_name": str,
    "product_version": str,
    "queue_totals": dict,
    "rabbitmq_version": str,
    "rates_mode": str,
    "statistics_db_event_queue": int,
}
NODE: Shape = {
    **CHURN,
    "disk_free_alarm": bool,
    "disk_free_limit": int,
    "enabled_plugins": list,
    "exchange_types": list,
    "fd_total": int,
    "mem_alarm": bool,
    "mem_limit": int,
    "mem_used": int,
    "mem_used_details": RATE,
    "name": str,
    "os_pid": str,
    "partitions": list,
    "proc_total": int,
    "processors": int,
    "rates_mode": str,
    "run_queue": int,
    "running": bool,
    "type": str,
    "uptime": int,
}
QUEUES: Mapping[tuple[str, str], Shape] = {
    ("4.0", "classic"): {"message_bytes_paged_out": int, "messages_paged_out": int},
    ("4.3", "quorum"): {"delivery_limit": int},
}
"""What is shown of a queue beside, by release and type."""
DRAINS: Mapping[str, Shape] = {
    "3.10": {},
    "4.0": {"being_drained": bool},
    "4.3": {"being_drained": bool},
}
"""What is shown of a node beside, by release."""
TIMEOUTS: Mapping[str, Shape] = {
    "3.10": {},
    "4.0": {"consumer_timeout": int},
    "4.3": {"consumer_timeout": int},
}
"""What is shown of a consumer beside, by release."""
USER: Shape = {
    "hashing_algorithm": str,
    "limits": dict,
    "name": str,
    "password_hash": str,
    "tags": list,
}


UTC_TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"


def shape_of(value: Any, expected: Any) -> Any:
    """Return the shape of a value, with the fields of an expected shape only."""
    if isinstance(expected, Mapping):
        return {name: shape_of(value[name], expected[name]) for name in expected if name in value}
    if value is None:
        return None
    number = isinstance(value, int) and not isinstance(value, bool)
    return float if expected is float and number else type(value)


def is_complete(item: Any, expected: Shape) -> bool:
    """Return whether an item and its parts have all fields of a shape.

    RabbitMQ counts seconds later, in steps; until then a part may be an empty list.
    """
    return isinstance(item, Mapping) and all(
        name in item and (not isinstance(part, Mapping) or is_complete(item[name], part))
        for name, part in expected.items()
    )


@pytest.mark.parametrize("churn", [[], {}, {"channel_closed_details": {}}])
def test_item_whose_parts_lack_fields_is_not_complete(churn: Any) -> None:
    assert not is_complete(
        {"churn_rates": churn}, {"churn_rates": {"channel_closed_details": RATE}}
    )


def check(broker: Broker, item: Any, expected: Shape) -> None:
    """Check the types of the fields and, on the fake, that there are no other fields."""
    assert expected == shape_of(item, expected)
    assert broker.fake is None or sorted(expected) == sorted(item)


def check_each(broker: Broker, items: list[Any], expected: Shape) -> None:
    assert items, "none to check"
    for item in items:
        check(broker, item, expected)


@pytest.fixture
def channel(connection: pika.BlockingConnection) -> Any:
    """A channel in confirm mode with a consumer of the queue orders, which holds a message."""
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_qos(prefetch_count=7)
    channel.queue_declare("orders", durable=True)
    channel.basic_publish("", "orders", b"order 1")
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    return channel


def in_virtualhost(virtualhost: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in items if segment(item.get("vhost", "")) == virtualhost]


def test_connection_is_listed(
    broker: Broker, api: ManagementApi, virtualhost: str, channel: Any
) -> None:
    items = api.get_when("connections", lambda found: in_virtualhost(virtualhost, found))
    (listed,) = in_virtualhost(virtualhost, items)
    shown = api.get_when(
        f"connections/{segment(listed['name'])}",
        lambda found: found.get("channels") and is_complete(found, CONNECTION),
    )

    check(broker, shown, CONNECTION)
    assert ("worker", "guest", 1, "running", "PLAIN") == (
        shown["user_provided_name"],
        shown["user"],
        shown["channels"],
        shown["state"],
        shown["auth_mechanism"],
    )


def test_channel_is_listed(
    broker: Broker, api: ManagementApi, virtualhost: str, channel: Any
) -> None:
    (item,) = api.get_when(
        f"vhosts/{virtualhost}/channels",
        lambda found: (
            found and found[0].get("messages_unacknowledged") and is_complete(found[0], CHANNEL)
        ),
    )

    check(broker, item, CHANNEL)
    assert re.fullmatch(UTC_TIME, item["idle_since"])
    assert (1, True, 1, 7, 1) == (
        item["number"],
        item["confirm"],
        item["consumer_count"],
        item["prefetch_count"],
        item["messages_unacknowledged"],
    )


def test_consumer_is_listed(
    broker: Broker, api: ManagementApi, virtualhost: str, channel: Any
) -> None:
    expected = {**CONSUMER, **TIMEOUTS[broker.version]}

    (item,) = api.get_when(
        f"consumers/{virtualhost}", lambda found: found and is_complete(found[0], expected)
    )

    check(broker, item, expected)
    assert ("worker", True, "orders", 7) == (
        item["consumer_tag"],
        item["ack_required"],
        item["queue"]["name"],
        item["prefetch_count"],
    )


@pytest.mark.rabbitmq_version(">=4.0")  # 3.10 counts a new queue's messages seconds later
def test_queue_is_listed_with_its_messages(
    broker: Broker, api: ManagementApi, virtualhost: str, channel: Any
) -> None:
    (item,) = api.get_when(
        f"queues/{virtualhost}",
        lambda found: (
            found and found[0].get("consumers") and found[0].get("messages_unacknowledged")
        ),
    )

    assert (7, 0, 7) == (
        item["message_bytes"],
        item["message_bytes_ready"],
        item["message_bytes_unacknowledged"],
    )
    assert (1, 0, 1, 1, "running", "classic") == (
        item["messages"],
        item["messages_ready"],
        item["messages_unacknowledged"],
        item["consumers"],
        item["state"],
        item["type"],
    )


@pytest.mark.parametrize(("queue_type", "more"), [("classic", CLASSIC), ("quorum", REPLICAS)])
@pytest.mark.rabbitmq_version(">=4.0")
def test_queue_is_shown(
    broker: Broker, api: ManagementApi, virtualhost: str, queue_type: str, more: Shape
) -> None:
    arguments = {"x-queue-type": queue_type}
    api.put(f"queues/{virtualhost}/orders", {"durable": True, "arguments": arguments})
    more = {**more, **QUEUES.get((broker.version, queue_type), {})}
    expected = {**QUEUE, **more, "consumer_details": list, "deliveries": list, "incoming": list}

    shown = api.get_when(f"queues/{virtualhost}/orders", lambda found: is_complete(found, expected))

    check(broker, shown, expected)


@pytest.mark.rabbitmq_version(">=4.0")
def test_queues_are_listed_in_detail(api: ManagementApi, virtualhost: str) -> None:
    api.put(f"queues/{virtualhost}/orders")

    items = api.get_when("queues/detailed", lambda found: in_virtualhost(virtualhost, found))

    assert ["orders"] == [item["name"] for item in in_virtualhost(virtualhost, items)]


def test_exchange_is_listed(broker: Broker, api: ManagementApi, virtualhost: str) -> None:
    check_each(broker, api.get(f"exchanges/{virtualhost}").json, EXCHANGE)


def test_broker_is_shown(broker: Broker, api: ManagementApi) -> None:
    overview = api.get_when("overview", lambda found: is_complete(found, OVERVIEW))

    check(broker, overview, OVERVIEW)
    assert overview["rabbitmq_version"].startswith(f"{broker.version}.")
    assert "amqp" in [listener["protocol"] for listener in overview["listeners"]]


def test_node_is_shown(broker: Broker, api: ManagementApi) -> None:
    (item,) = api.get_when("nodes", lambda found: is_complete(found[0], NODE))

    check(broker, item, {**NODE, **DRAINS[broker.version]})
    assert (True, "disc") == (item["running"], item["type"])
    assert item["name"] == api.get(f"nodes/{segment(item['name'])}").json["name"]


def test_user_is_shown(broker: Broker, api: ManagementApi, user: str) -> None:
    check(broker, api.get(f"users/{user}").json, USER)


# -- closing connections -----------------------------------------------------------------------


def test_closed_connection_is_told_the_reason(
    api: ManagementApi, virtualhost: str, connection: pika.BlockingConnection
) -> None:
    items = api.get_when("connections", lambda found: in_virtualhost(virtualhost, found))
    (item,) = in_virtualhost(virtualhost, items)

    reply = api.delete(f"connections/{segment(item['name'])}", x_reason="maintenance")

    assert 204 == reply.status
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="maintenance"):
        connection.channel().queue_declare("orders")


def test_unknown_connection_is_not_found(api: ManagementApi) -> None:
    assert (404, "Object Not Found", "Not Found") == api.delete("connections/nowhere").problem


# -- lists -------------------------------------------------------------------------------------


@pytest.fixture
def five_queues(api: ManagementApi, virtualhost: str) -> str:
    """The path of a list of the queues a1 to a5."""
    for number in "53142":
        api.put(f"queues/{virtualhost}/a{number}")
    return f"queues/{virtualhost}"


def names(reply: Reply) -> list[str]:
    items = reply.json["items"] if isinstance(reply.json, dict) else reply.json
    return [item["name"] for item in items]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["a1", "a2", "a3", "a4", "a5"]),
        ("sort=name&sort_reverse=true", ["a5", "a4", "a3", "a2", "a1"]),
        ("page=2&page_size=2", ["a3", "a4"]),
        ("page=3&page_size=2", ["a5"]),
        ("page=1&name=A3", ["a3"]),
        ("page=1&name=%5Ea%5B12%5D&use_regex=true", ["a1", "a2"]),
    ],
)
def test_list_is_sorted_filtered_and_cut_into_pages(
    api: ManagementApi, five_queues: str, query: str, expected: list[str]
) -> None:
    assert expected == names(api.get(f"{five_queues}?{query}"))


def test_page_says_how_much_there_is(api: ManagementApi, five_queues: str) -> None:
    page = api.get(f"{five_queues}?page=1&page_size=2&name=a&columns=name").json

    assert {
        "filtered_count": 5,
        "item_count": 2,
        "items": [{"name": "a1"}, {"name": "a2"}],
        "page": 1,
        "page_count": 3,
        "page_size": 2,
        "total_count": 5,
    } == page


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("page=9&page_size=2", "page_out_of_range"),
        ("page=0", "invalid_pagination_parameters"),
        ("page=1&page_size=501", "invalid_pagination_parameters"),
    ],
)
def test_page_that_does_not_exist_is_a_bad_request(
    api: ManagementApi, five_queues: str, query: str, error: str
) -> None:
    reply = api.get(f"{five_queues}?{query}")

    assert (400, error) == (reply.status, reply.json["error"])


def test_columns_do_not_reach_into_arguments(api: ManagementApi, virtualhost: str) -> None:
    api.put(f"queues/{virtualhost}/a", {"arguments": {"x-max-length": 5, "x-max-priority": 3}})

    (item,) = api.get(f"queues/{virtualhost}?columns=name,arguments.x-max-length,nothing").json

    assert ["arguments", "name"] == sorted(item)
    assert (5, 3) == (item["arguments"]["x-max-length"], item["arguments"]["x-max-priority"])


# -- health ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "health/checks/alarms",
        "health/checks/local-alarms",
        "health/checks/virtual-hosts",
        "aliveness-test/%2F",
    ],
)
def test_healthy_broker_says_ok_and_nothing_else(api: ManagementApi, path: str) -> None:
    # Not at once on a RabbitMQ in which another test is making a virtual host.
    answer = api.get_when(path, lambda found: found["status"] == "ok")

    assert {"status": "ok"} == answer


def test_port_is_checked(broker: Broker, api: ManagementApi) -> None:
    port = int(broker.url.split("/")[2].rpartition(":")[2])

    listening = api.get(f"health/checks/port-listener/{port}")
    silent = api.get("health/checks/port-listener/1")

    assert (200, {"status": "ok", "port": port}) == (listening.status, listening.json)
    assert (503, "failed", "No active listener", 1) == (
        silent.status,
        silent.json["status"],
        silent.json["reason"],
        silent.json["missing"],
    )
    assert (400, "bad_request", "Invalid port") == api.get(
        "health/checks/port-listener/amqp"
    ).problem


def test_protocol_is_checked(api: ManagementApi) -> None:
    path = "health/checks/protocol-listener"

    assert [200, 200, 200] == [
        api.get(f"{path}/{word}").status for word in ("amqp", "amqp091", "AMQP0-9-1")
    ]
    assert (503, "failed") == (
        api.get(f"{path}/gopher").status,
        api.get(f"{path}/gopher").json["status"],
    )


# -- feature flags -----------------------------------------------------------------------------


def test_feature_flags_are_those_of_the_release(broker: Broker, api: ManagementApi) -> None:
    items = api.get("feature-flags").json
    flags = {item["name"]: item["state"] for item in items}

    assert ("enabled", "enabled") == (flags["quorum_queue"], flags["stream_queue"])
    assert (broker.version != "3.10") == ("message_containers" in flags)
    assert (broker.version == "4.3") == ("rabbitmq_4.3.0" in flags)


def test_enabled_feature_flag_can_be_enabled(api: ManagementApi) -> None:
    assert 204 == api.put("feature-flags/quorum_queue/enable", {}).status


@pytest.mark.rabbitmq_version(">=4.3")
def test_unknown_feature_flag_cannot_be_enabled(api: ManagementApi) -> None:
    assert (400, "bad_request", "unsupported") == api.put(
        "feature-flags/no_such_flag/enable", {}
    ).problem


@pytest.mark.rabbitmq_version(">=4.3")
def test_deprecated_features_say_whether_they_are_permitted(api: ManagementApi) -> None:
    features = {each["name"]: each for each in api.get("deprecated-features").json}

    assert ("denied_by_default", "denied") == (
        features["global_qos"]["deprecation_phase"],
        features["global_qos"]["state"],
    )
    assert "permitted" == features["transient_nonexcl_queues"]["state"]


@pytest.mark.rabbitmq_version("<4.0")
def test_early_release_has_no_list_of_deprecated_features(api: ManagementApi) -> None:
    assert 404 == api.get("deprecated-features").status


def test_unknown_parameter_cannot_be_removed(api: ManagementApi, virtualhost: str) -> None:
    assert 404 == api.delete(f"parameters/federation-upstream/{virtualhost}/nowhere").status
