"""Definitions: RabbitMQ's JSON, loaded and returned."""

import json
from pathlib import Path
from typing import Any

import pika  # type: ignore[import-untyped]  # it ships no types
import pytest

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.auth.password_hashes import ALGORITHMS, hash_password

GUEST = {
    "name": "guest",
    "password_hash": "Eu7J/2C0tbXl8qKwmPVsywL4EbzRYyCiKwepJCYAdFysSxN6",
    "hashing_algorithm": "rabbit_password_hashing_sha256",
    "tags": ["administrator"],
    "limits": {},
}
EXPORT: dict[str, Any] = {
    "rabbit_version": "4.3.6",
    "rabbitmq_version": "4.3.6",
    "users": [
        GUEST,
        {
            "name": "shop",
            "password_hash": hash_password("secret", b"salt"),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["management", "monitoring"],
            "limits": {"max-channels": 9},
        },
    ],
    "vhosts": [
        {
            "name": "/",
            "limits": {},
            "metadata": {
                "description": "Default virtual host",
                "tags": [],
                "default_queue_type": "classic",
            },
        },
        {
            "name": "shop",
            "limits": {"max-queues": 7},
            "metadata": {
                "description": "the shop",
                "tags": ["a", "b"],
                "default_queue_type": "quorum",
            },
        },
    ],
    "permissions": [
        {"user": "guest", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
        {"user": "shop", "vhost": "shop", "configure": "^a", "write": ".*", "read": ""},
    ],
    "topic_permissions": [
        {"user": "shop", "vhost": "shop", "exchange": "amq.topic", "write": "^x", "read": "^y"}
    ],
    "global_parameters": [
        {"name": "cluster_name", "value": "rabbit@localhost"},
        {"name": "cluster_tags", "value": []},
    ],
    "parameters": [
        {
            "vhost": "shop",
            "component": "vhost-limits",
            "name": "limits",
            "value": {"max-queues": 7},
        },
        {
            "vhost": "shop",
            "component": "operator_policy",
            "name": "short",
            "value": {
                "pattern": "^d",
                "apply-to": "queues",
                "definition": {"message-ttl": 1000},
                "priority": 0,
            },
        },
    ],
    "policies": [
        {
            "vhost": "/",
            "name": "few",
            "pattern": "^d",
            "apply-to": "queues",
            "definition": {"max-length": 10},
            "priority": 3,
        }
    ],
    "queues": [
        {
            "name": "orders",
            "vhost": "/",
            "type": "quorum",
            "durable": True,
            "auto_delete": False,
            "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 3},
        },
        {
            "name": "mails",
            "vhost": "/",
            "type": "classic",
            "durable": True,
            "auto_delete": False,
            "arguments": {"x-queue-type": "classic"},
        },
    ],
    "exchanges": [
        {
            "name": "news",
            "vhost": "/",
            "type": "topic",
            "durable": True,
            "auto_delete": False,
            "arguments": {"alternate-exchange": "amq.fanout"},
        },
        {
            "name": "inner",
            "vhost": "/",
            "type": "headers",
            "durable": True,
            "auto_delete": False,
            "arguments": {},
            "internal": True,
        },
    ],
    "bindings": [
        {
            "source": "news",
            "vhost": "/",
            "destination": "orders",
            "destination_type": "queue",
            "routing_key": "orders.#",
            "arguments": {},
        },
        {
            "source": "news",
            "vhost": "/",
            "destination": "inner",
            "destination_type": "exchange",
            "routing_key": "#",
            "arguments": {},
        },
    ],
}


def test_definitions_that_were_loaded_are_returned(fakebroker: FakeBroker) -> None:
    fakebroker.load_definitions(EXPORT)

    returned = fakebroker.definitions()

    assert {**EXPORT, "rabbit_version": "4.3.6"} == {**returned, **_versions(returned)}


def _versions(definitions: dict[str, Any]) -> dict[str, str]:
    """Return the versions of the export, whichever release the fake stands for."""
    assert definitions["rabbit_version"] == definitions["rabbitmq_version"]
    return {"rabbit_version": "4.3.6", "rabbitmq_version": "4.3.6"}


def test_file_is_loaded(fakebroker: FakeBroker, tmp_path: Path) -> None:
    file = tmp_path / "definitions.json"
    file.write_text(json.dumps(EXPORT))

    fakebroker.load_definitions(file)

    assert {"mails", "orders"} == set(fakebroker.queues())
    assert "orders.#" == fakebroker.queue("orders").bindings[0].routing_key
    assert fakebroker.exchanges()["inner"].internal


def test_path_may_be_a_string(fakebroker: FakeBroker, tmp_path: Path) -> None:
    file = tmp_path / "definitions.json"
    file.write_text(json.dumps({"queues": EXPORT["queues"]}))

    fakebroker.load_definitions(str(file))

    assert {"mails", "orders"} == set(fakebroker.queues())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_user_logs_in_with_the_password_of_a_hash(fakebroker: FakeBroker, algorithm: str) -> None:
    user = {
        "name": "shop",
        "password_hash": hash_password("secret", b"salt", algorithm),
        "hashing_algorithm": algorithm,
        "tags": "",
    }
    permission = {"user": "shop", "vhost": "/", "configure": "", "write": "", "read": ""}

    fakebroker.load_definitions({"users": [user], "permissions": [permission]})

    url = fakebroker.url_for("shop", "secret")
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        assert connection.is_open
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        pika.BlockingConnection(pika.URLParameters(fakebroker.url_for("shop", "guess")))


def test_definitions_of_a_broker_fit_another_one(fakebroker: FakeBroker) -> None:
    with pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection:
        channel = connection.channel()
        channel.queue_declare("orders", durable=True, arguments={"x-message-ttl": 1000})
        channel.queue_declare("own", exclusive=True)
        channel.queue_bind("own", "amq.direct", "key")
        channel.queue_bind("orders", "amq.direct", "key")
        definitions = fakebroker.definitions()
    assert ["orders"] == [each["name"] for each in definitions["queues"]]
    assert ["orders"] == [each["destination"] for each in definitions["bindings"]]

    with FakeBroker() as copy:
        copy.load_definitions(definitions)
        assert definitions == copy.definitions()
        with pika.BlockingConnection(pika.URLParameters(copy.url_for("guest", "guest"))) as again:
            channel = again.channel()
            channel.queue_declare("orders", durable=True, arguments={"x-message-ttl": 1000})


def test_definitions_of_a_virtual_host_fit_another_one(fakebroker: FakeBroker) -> None:
    fakebroker.load_definitions(EXPORT)
    fakebroker.add_virtualhost("copy")

    fakebroker.load_definitions(fakebroker.definitions(virtualhost="/"), virtualhost="copy")

    assert fakebroker.definitions(virtualhost="/") == fakebroker.definitions(virtualhost="copy")
    assert {"mails", "orders"} == set(fakebroker.queues("copy"))


def test_what_exists_stays(fakebroker: FakeBroker) -> None:
    fakebroker.load_definitions(EXPORT)
    other = {**EXPORT["queues"][0], "type": "classic", "arguments": {}}

    fakebroker.load_definitions({"queues": [other], "exchanges": [{"name": "news", "vhost": "/"}]})

    assert "quorum" == fakebroker.queue("orders").queue_type


def test_names_that_clients_may_not_choose_are_loaded(fakebroker: FakeBroker) -> None:
    queue = {**EXPORT["queues"][1], "name": "amq.gen-1", "type": "classic", "arguments": {}}
    log = {"name": "amq.rabbitmq.log", "vhost": "/", "type": "topic"}

    fakebroker.load_definitions({"queues": [queue], "exchanges": [log]})

    assert {"amq.gen-1"} == set(fakebroker.queues())


def test_what_nothing_follows_is_ignored(fakebroker: FakeBroker) -> None:
    before = fakebroker.definitions()

    fakebroker.load_definitions(
        {
            "parameters": [{"vhost": "/", "component": "shovel", "name": "s", "value": {}}],
            "product_name": "RabbitMQ",
        }
    )

    assert before == fakebroker.definitions()


def test_lists_of_pairs_and_tags_in_one_string_are_read(fakebroker: FakeBroker) -> None:
    """rabbitmqctl of 3.10 writes them."""
    virtualhost = {
        "name": "shop",
        "limits": [["max-queues", 7]],
        "metadata": {"description": "the shop", "tags": "a, b"},
    }

    fakebroker.load_definitions({"vhosts": [virtualhost]})

    (_, shop) = fakebroker.definitions()["vhosts"]
    assert ({"max-queues": 7}, ["a", "b"]) == (shop["limits"], shop["metadata"]["tags"])


QUEUE = {"name": "q", "vhost": "/", "durable": True}


@pytest.mark.parametrize(
    ("definitions", "text"),
    [
        ({"queues": [{"vhost": "/"}]}, "queues[0]: member 'name' is missing"),
        (
            {"queues": [QUEUE, {"name": 5, "vhost": "/"}]},
            "queues[1] (5): name is 5; expected a string",
        ),
        ({"queues": [{**QUEUE, "vhost": "no"}]}, "queues[0] ('q'): there is no virtual host 'no'"),
        ({"queues": [{"name": "q"}]}, "queues[0] ('q'): member 'vhost' is missing"),
        (
            {"queues": [{**QUEUE, "durable": "yes"}]},
            "queues[0] ('q'): durable is 'yes'; expected true or false",
        ),
        (
            {"queues": [{**QUEUE, "arguments": {"x-max-length": "5"}}]},
            (
                "queues[0] ('q'): PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'q' in"
                " vhost '/': \"expected integer, got longstr\""
            ),
        ),
        (
            {"queues": [{**QUEUE, "arguments": [1]}]},
            "queues[0] ('q'): arguments is [1]; expected an object",
        ),
        (
            {"exchanges": [{"name": "x", "vhost": "/", "type": "x-no"}]},
            "exchanges[0] ('x'): PRECONDITION_FAILED - unknown exchange type 'x-no'",
        ),
        (
            {
                "bindings": [
                    {
                        "source": "amq.direct",
                        "vhost": "/",
                        "destination": "q",
                        "destination_type": "queue",
                        "routing_key": "k",
                    }
                ]
            },
            "bindings[0]: NOT_FOUND - no queue 'q' in vhost '/'",
        ),
        (
            {"users": [{"name": "u", "hashing_algorithm": "rot13"}]},
            (
                "users[0] ('u'): hashing_algorithm is 'rot13'; expected one of"
                " rabbit_password_hashing_sha256, rabbit_password_hashing_sha512,"
                " rabbit_password_hashing_md5"
            ),
        ),
        (
            {"users": [{"name": "u", "limits": {"max-cars": 1}}]},
            (
                "users[0] ('u'): limit 'max-cars' is unknown; expected some of max-connections,"
                " max-channels"
            ),
        ),
        (
            {"users": [{"name": "u", "limits": {"max-channels": "1"}}]},
            "users[0] ('u'): limit 'max-channels' is '1'; expected an integer",
        ),
        (
            {"users": [{"name": "u", "tags": 5}]},
            "users[0] ('u'): tags is 5; expected a list of strings",
        ),
        (
            {
                "permissions": [
                    {"user": "nobody", "vhost": "/", "configure": "", "write": "", "read": ""}
                ]
            },
            "permissions[0] ('nobody'): the broker has no user 'nobody'; FakeBroker.add_user adds one",
        ),
        (
            {"policies": [{"name": "p", "vhost": "/", "pattern": "(", "definition": {}}]},
            (
                "policies[0] ('p'): pattern is '('; expected a regular expression: missing ),"
                " unterminated subpattern at position 0"
            ),
        ),
    ],
)
def test_refused_definitions_name_the_entry(
    fakebroker: FakeBroker, definitions: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the whole text is compared
        fakebroker.load_definitions(definitions)

    assert text == str(caught.value)


@pytest.mark.parametrize(
    ("definitions", "text"),
    [
        ([], "the definitions are of type list; expected a mapping, such as a dict"),
        ({"queues": {}}, "queues is {}; expected a list"),
        ({"queues": ["q"]}, "queues[0] is 'q'; expected an object"),
    ],
)
def test_definitions_of_another_shape(fakebroker: FakeBroker, definitions: Any, text: str) -> None:
    with pytest.raises(TypeError) as caught:
        fakebroker.load_definitions(definitions)

    assert text == str(caught.value)


def test_file_that_is_no_json(fakebroker: FakeBroker, tmp_path: Path) -> None:
    file = tmp_path / "definitions.json"
    file.write_text("queues:")

    with pytest.raises(
        ValueError, match=r"definitions\.json: the file is not JSON: Expecting value"
    ):
        fakebroker.load_definitions(file)


def test_unknown_virtual_host(fakebroker: FakeBroker) -> None:
    with pytest.raises(LookupError, match="no virtual host 'shop'"):
        fakebroker.definitions(virtualhost="shop")
    with pytest.raises(LookupError, match="no virtual host 'shop'"):
        fakebroker.load_definitions({}, virtualhost="shop")
