"""Dead-lettering: which messages go to x-dead-letter-exchange, and what they look like there.

RabbitMQ: https://www.rabbitmq.com/docs/dlx
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ammoo_wire import (
    BasicNackParameters,
    BasicRejectParameters,
    Int64,
    QueuePurgeParameters,
)
from tests.support.brokers import Broker, Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import Message

Declare = Callable[..., str]


@pytest.fixture
def graveyard(channel: Channel, unique: Unique) -> str:
    """The name of the queue that dead letters end in."""
    return channel.declare_queue(unique("graveyard"))


@pytest.fixture
def declare(channel: Channel, graveyard: str, unique: Unique) -> Declare:
    """Declare a queue whose dead letters go to the graveyard; keywords are its arguments."""

    def make(label: str = "mortal", **arguments: Any) -> str:
        arguments = {
            "x_dead_letter_exchange": "",
            "x_dead_letter_routing_key": graveyard,
        } | arguments
        return channel.declare_queue(unique(label), **arguments)

    return make


def reject_first(channel: Channel, queue_name: str) -> None:
    """Reject the message at the queue's head, for good."""
    message = channel.await_message(queue_name, no_ack=False)
    channel.reject(message.parameters.delivery_tag, requeue=False)


def headers_of(message: Message) -> dict[str, Any]:
    headers = message.properties.headers
    assert headers is not None
    return headers


def deaths_of(message: Message) -> list[dict[str, Any]]:
    """Give x-death without the times."""
    return [
        {name: value for name, value in death.items() if name != "time"}
        for death in headers_of(message)["x-death"]
    ]


# --- reasons ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settling",
    [
        BasicRejectParameters(1, requeue=False),
        BasicNackParameters(1, requeue=False),
        BasicNackParameters(0, multiple=True, requeue=False),
    ],
)
def test_rejected_message(
    channel: Channel, declare: Declare, graveyard: str, settling: Any
) -> None:
    mortal = declare()
    channel.fill(mortal, b"!")
    channel.get_message(mortal, no_ack=False)

    channel.send(settling)

    message = channel.await_message(graveyard)
    assert b"!" == message.body
    assert [("rejected", mortal)] == [
        (death["reason"], death["queue"]) for death in deaths_of(message)
    ]


def test_message_that_is_requeued_does_not_die(
    channel: Channel, declare: Declare, graveyard: str
) -> None:
    mortal = declare()
    channel.fill(mortal, b"!")
    channel.get_message(mortal, no_ack=False)

    channel.reject(1, requeue=True)

    assert [b"!"] == channel.get_bodies(mortal)
    assert channel.get(graveyard) is None


def test_message_expired_by_its_queue(channel: Channel, declare: Declare, graveyard: str) -> None:
    mortal = declare(x_message_ttl=1)

    channel.publish("", mortal, b"!")

    message = channel.await_message(graveyard)
    assert ["expired"] == [death["reason"] for death in deaths_of(message)]


def test_message_expired_by_its_property(
    channel: Channel, declare: Declare, graveyard: str
) -> None:
    mortal = declare()

    channel.publish("", mortal, b"!", expiration="1")

    message = channel.await_message(graveyard)
    assert message.properties.expiration is None
    (death,) = deaths_of(message)
    assert ("expired", "1") == (death["reason"], death["original-expiration"])


def test_message_without_time_to_live(channel: Channel, declare: Declare, graveyard: str) -> None:
    mortal = declare(x_message_ttl=0)

    channel.publish("", mortal, b"!")

    assert b"!" == channel.await_message(graveyard).body


@pytest.mark.parametrize(("overflow", "dead"), [("drop-head", b"1"), ("reject-publish-dlx", b"2")])
def test_message_too_many(
    channel: Channel, declare: Declare, graveyard: str, overflow: str, dead: bytes
) -> None:
    mortal = declare(x_max_length=1, x_overflow=overflow)

    channel.publish("", mortal, b"1")
    channel.publish("", mortal, b"2")

    message = channel.await_message(graveyard)
    assert (dead, ["maxlen"]) == (
        message.body,
        [death["reason"] for death in deaths_of(message)],
    )


def test_refused_publish_does_not_die(channel: Channel, declare: Declare, graveyard: str) -> None:
    mortal = declare(x_max_length=0, x_overflow="reject-publish")

    channel.publish("", mortal, b"!")

    assert channel.get(mortal) is None
    assert channel.get(graveyard) is None


def test_purged_and_deleted_messages_do_not_die(
    channel: Channel, declare: Declare, graveyard: str
) -> None:
    mortal = declare()
    channel.fill(mortal, b"purged")

    channel.call(QueuePurgeParameters(mortal))
    channel.fill(mortal, b"deleted")
    channel.delete_queue(mortal)

    channel.fill(graveyard, b"only this")
    assert [b"only this"] == channel.get_bodies(graveyard)


def test_message_too_many_dies_behind_the_publish_that_pushed_it_out(
    channel: Channel, declare: Declare, graveyard: str, unique: Unique
) -> None:
    exchange = channel.declare_exchange(unique("fanout"), "fanout")
    channel.bind_each([declare(x_max_length=1), graveyard], exchange)

    channel.publish(exchange, "", b"1")
    channel.publish(exchange, "", b"2")

    bodies = [channel.await_message(graveyard).body for _ in range(3)]
    assert [b"1", b"2", b"1"] == bodies


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize(("failures", "redelivered"), [(0, False), (1, True)])
def test_dead_letter_is_redelivered_if_a_delivery_failed(
    channel: Channel, graveyard: str, declare: Declare, failures: int, redelivered: bool
) -> None:
    """It dies by a basic.nack here, which is no failure."""
    mortal = declare()
    channel.fill(mortal, b"!")
    reject_some(channel, mortal, failures)

    message = channel.await_message(mortal, no_ack=False)
    channel.nack(message.parameters.delivery_tag, requeue=False)

    assert redelivered == channel.await_message(graveyard).parameters.redelivered


@pytest.mark.rabbitmq_version(">=4.3")
def test_dead_letter_is_not_redelivered_to_a_consumer_that_takes_it_at_once(
    channel: Channel, graveyard: str, declare: Declare
) -> None:
    mortal = declare()
    channel.fill(mortal, b"!")
    channel.consume(graveyard)

    reject_some(channel, mortal, 1, requeue=False)

    assert not channel.delivery().parameters.redelivered


def reject_some(channel: Channel, queue_name: str, times: int, *, requeue: bool = True) -> None:
    """Let the deliveries of a queue's first message fail."""
    for _ in range(times):
        message = channel.await_message(queue_name, no_ack=False)
        channel.reject(message.parameters.delivery_tag, requeue=requeue)


# --- where they go ----------------------------------------------------------------------------


@pytest.fixture
def dead_letter_exchange(channel: Channel, graveyard: str, unique: Unique) -> str:
    """The name of a topic exchange that everything goes from to the graveyard."""
    name = channel.declare_exchange(unique("dlx"), "topic", internal=True)
    channel.bind(graveyard, name, "#")
    return name


def test_dead_letter_keeps_its_routing_key(
    broker: Broker, channel: Channel, dead_letter_exchange: str, graveyard: str, unique: Unique
) -> None:
    """From 4.3 on a delivery that has failed is shown as redelivered, in another queue too."""
    mortal = channel.declare_queue(unique("mortal"), x_dead_letter_exchange=dead_letter_exchange)
    channel.publish("", mortal, b"!")

    reject_first(channel, mortal)

    parameters = channel.await_message(graveyard).parameters
    redelivered = broker.value_of({"3.10": False, "4.3": True})
    assert (dead_letter_exchange, mortal, redelivered) == (
        parameters.exchange_name,
        parameters.routing_key,
        parameters.redelivered,
    )


def test_dead_letter_gets_a_new_routing_key(
    channel: Channel, dead_letter_exchange: str, graveyard: str, unique: Unique
) -> None:
    mortal = channel.declare_queue(
        unique("mortal"),
        x_dead_letter_exchange=dead_letter_exchange,
        x_dead_letter_routing_key="new.key",
    )
    channel.publish("", mortal, b"!")

    reject_first(channel, mortal)

    parameters = channel.await_message(graveyard).parameters
    assert (dead_letter_exchange, "new.key") == (
        parameters.exchange_name,
        parameters.routing_key,
    )


def test_dead_letter_without_a_way_is_dropped(
    channel: Channel, graveyard: str, unique: Unique
) -> None:
    mortal = channel.declare_queue(unique("mortal"), x_dead_letter_exchange=unique("missing"))
    channel.publish("", mortal, b"!", mandatory=True)

    reject_first(channel, mortal)

    assert [] == channel.arrived()
    assert channel.get(mortal) is None


def test_dead_letter_keeps_its_properties(
    channel: Channel, declare: Declare, graveyard: str
) -> None:
    mortal = declare()
    properties: dict[str, Any] = {
        "delivery_mode": 2,
        "priority": 3,
        "message_id": "1",
        "type_": "t",
    }
    channel.publish("", mortal, b"!", headers={"k": "v"}, **properties)

    reject_first(channel, mortal)

    message = channel.await_message(graveyard)
    assert "v" == headers_of(message)["k"]
    assert properties == {name: getattr(message.properties, name) for name in properties}


# --- the headers ------------------------------------------------------------------------------


def test_headers_of_a_dead_letter(
    broker: Broker, channel: Channel, declare: Declare, graveyard: str, unique: Unique
) -> None:
    exchange = channel.declare_exchange(unique("e"))
    mortal = declare()
    channel.bind(mortal, exchange, "key")
    channel.publish(exchange, "key", b"!")
    began = channel.peer.time.date().replace(microsecond=0)

    reject_first(channel, mortal)

    headers = headers_of(channel.await_message(graveyard))
    (death,) = headers.pop("x-death")
    time = death.pop("time")
    assert began <= time < began + timedelta(hours=1)
    assert {
        "count": 1,
        "reason": "rejected",
        "queue": mortal,
        "exchange": exchange,
        "routing-keys": ["key"],
    } == death
    assert isinstance(death["count"], Int64)
    first = {
        "x-first-death-exchange": exchange,
        "x-first-death-queue": mortal,
        "x-first-death-reason": "rejected",
    }
    last = {name.replace("first", "last"): value for name, value in first.items()}
    assert broker.value_of({"3.10": first, "4.0": first | last}) == headers


def test_routing_keys_include_cc_but_not_bcc(
    channel: Channel, declare: Declare, graveyard: str
) -> None:
    mortal = declare()
    channel.publish("", "nowhere", b"!", headers={"CC": [mortal], "BCC": ["hidden"]})

    reject_first(channel, mortal)

    (death,) = deaths_of(channel.await_message(graveyard))
    assert ["nowhere", mortal] == death["routing-keys"]


def test_key_that_was_in_bcc_stays_hidden_when_it_is_the_dead_letter_routing_key(
    broker: Broker, channel: Channel, declare: Declare, graveyard: str
) -> None:
    second = declare()
    first = channel.declare_queue(
        f"{second}-first", x_dead_letter_exchange="", x_dead_letter_routing_key=second
    )
    channel.publish("", first, b"!", headers={"BCC": [second]})
    reject_first(channel, second)  # the blind copy
    channel.await_message(graveyard)

    reject_first(channel, first)
    reject_first(channel, second)

    death, _ = deaths_of(channel.await_message(graveyard))
    assert broker.value_of({"3.10": [second], "4.0": []}) == death["routing-keys"]


def test_cc_with_a_new_routing_key(
    broker: Broker, channel: Channel, declare: Declare, graveyard: str
) -> None:
    mortal = declare()
    channel.publish("", "nowhere", b"!", headers={"CC": [mortal]})

    reject_first(channel, mortal)

    headers = headers_of(channel.await_message(graveyard))
    assert broker.value_of({"3.10": None, "4.0": [mortal]}) == headers.get("CC")


def test_cc_routes_dead_letters_that_keep_their_key(
    channel: Channel, dead_letter_exchange: str, graveyard: str, unique: Unique
) -> None:
    mortal = channel.declare_queue(unique("mortal"), x_dead_letter_exchange=dead_letter_exchange)
    copied = channel.declare_queue(unique("copied"))
    channel.bind(copied, dead_letter_exchange, copied)
    channel.publish("", mortal, b"!", headers={"CC": [copied]})
    channel.await_message(copied)

    reject_first(channel, mortal)

    message = channel.await_message(copied)
    assert (b"!", [copied]) == (message.body, headers_of(message)["CC"])


def test_second_death_in_the_same_way_is_counted(channel: Channel, unique: Unique) -> None:
    """Its entry moves to the front and keeps what it said of the first one."""
    exchange = channel.declare_exchange(unique("e"))
    ping, pong = unique("ping"), unique("pong")
    channel.declare_queue(ping, x_dead_letter_exchange="", x_dead_letter_routing_key=pong)
    channel.declare_queue(pong, x_dead_letter_exchange="", x_dead_letter_routing_key=ping)
    channel.bind(ping, exchange, "key")
    channel.publish(exchange, "key", b"!")

    reject_first(channel, ping)
    reject_first(channel, pong)
    reject_first(channel, ping)

    assert [
        {
            "count": 2,
            "reason": "rejected",
            "queue": ping,
            "exchange": exchange,
            "routing-keys": ["key"],
        },
        {
            "count": 1,
            "reason": "rejected",
            "queue": pong,
            "exchange": "",
            "routing-keys": [pong],
        },
    ] == deaths_of(channel.await_message(pong))


def test_deaths_that_a_client_made_up_count_up_to_3_10(
    broker: Broker, channel: Channel, declare: Declare, graveyard: str
) -> None:
    mortal = declare()
    channel.publish("", mortal, b"!")
    reject_first(channel, mortal)
    message = channel.await_message(graveyard)

    channel.publish("", mortal, message.body, headers=message.properties.headers)
    reject_first(channel, mortal)

    (death,) = deaths_of(channel.await_message(graveyard))
    assert broker.value_of({"3.10": 2, "4.0": 1}) == death["count"]


@pytest.mark.rabbitmq_version("<4.0")
def test_deaths_that_a_client_made_up_are_grouped_up_to_3_10(
    channel: Channel, graveyard: str, declare: Declare
) -> None:
    """The first of each queue and reason stays, and gets their number unless it has a count."""
    mortal = declare()
    made_up = [
        {"queue": "a", "reason": "expired", "k": 1},
        {"queue": "b", "reason": "expired", "k": 2, "count": 7},
        {"queue": "a", "reason": "expired", "k": 3, "count": 9},
        {"queue": "b", "reason": "expired", "k": 4},
    ]
    channel.publish("", mortal, headers={"x-death": made_up})

    reject_first(channel, mortal)

    _, *others = deaths_of(channel.await_message(graveyard))
    assert [("b", 2, 7), ("a", 1, 2)] == [
        (death["queue"], death["k"], death["count"]) for death in others
    ]


@pytest.mark.rabbitmq_version("<4.0")
@pytest.mark.parametrize("made_up", [["oops"], ["oops", 1], [{"queue": "a"}, "oops"]], ids=str)
def test_message_with_deaths_that_are_no_tables_is_lost_up_to_3_10(
    channel: Channel, connect: Connect, graveyard: str, declare: Declare, made_up: list[Any]
) -> None:
    """Its queue crashes of it, which may cost its consumers' connections."""
    mortal = declare()
    victim = connect().channel()
    victim.publish("", mortal, b"lost", headers={"x-death": made_up})
    delivery_tag = victim.await_message(mortal, no_ack=False).parameters.delivery_tag
    victim.reject(delivery_tag, requeue=False)
    victim.peer.drop()

    channel.fill(graveyard, b"next")

    assert [b"next"] == channel.get_bodies(graveyard)


def test_deaths_are_listed_from_the_last_to_the_first(
    broker: Broker, channel: Channel, declare: Declare, graveyard: str
) -> None:
    second = declare("second")
    first = declare("first", x_message_ttl=1, x_dead_letter_routing_key=second)
    channel.publish("", first, b"!")

    reject_first(channel, second)

    message = channel.await_message(graveyard)
    assert [("rejected", second), ("expired", first)] == [
        (death["reason"], death["queue"]) for death in deaths_of(message)
    ]
    headers = headers_of(message)
    assert ("expired", first) == (
        headers["x-first-death-reason"],
        headers["x-first-death-queue"],
    )
    assert broker.value_of({"3.10": None, "4.0": second}) == headers.get("x-last-death-queue")


def test_x_death_that_is_no_array_is_replaced(
    channel: Channel, declare: Declare, graveyard: str
) -> None:
    mortal = declare()
    channel.publish("", mortal, b"!", headers={"x-death": "what"})

    reject_first(channel, mortal)

    assert 1 == len(deaths_of(channel.await_message(graveyard)))


# --- cycles -----------------------------------------------------------------------------------


def test_cycle_without_a_rejection_is_cut(channel: Channel, unique: Unique) -> None:
    name = unique("cycle")
    channel.declare_queue(
        name, x_message_ttl=1, x_dead_letter_exchange="", x_dead_letter_routing_key=name
    )

    channel.fill(name, b"!")

    channel.await_count(name, 0)
    assert channel.get(name) is None


def test_cycle_with_a_rejection_goes_on(channel: Channel, unique: Unique) -> None:
    name = unique("cycle")
    channel.declare_queue(name, x_dead_letter_exchange="", x_dead_letter_routing_key=name)
    channel.publish("", name, b"!")

    reject_first(channel, name)
    reject_first(channel, name)
    reject_first(channel, name)

    (death,) = deaths_of(channel.await_message(name))
    assert 3 == death["count"]


def test_cycle_that_a_rejection_broke_goes_on(channel: Channel, unique: Unique) -> None:
    """Retry with a delay, the common use: rejected, kept for a moment, and back."""
    work, delay = unique("work"), unique("delay")
    channel.declare_queue(work, x_dead_letter_exchange="", x_dead_letter_routing_key=delay)
    channel.declare_queue(
        delay, x_message_ttl=1, x_dead_letter_exchange="", x_dead_letter_routing_key=work
    )
    channel.publish("", work, b"!")

    reject_first(channel, work)
    reject_first(channel, work)

    message = channel.await_message(work)
    assert [("expired", delay, 2), ("rejected", work, 2)] == [
        (death["reason"], death["queue"], death["count"]) for death in deaths_of(message)
    ]


def test_message_that_dies_on_two_ways_has_the_deaths_of_each(
    channel: Channel, declare: Declare, graveyard: str, unique: Unique
) -> None:
    both = channel.declare_exchange(unique("both"), "fanout")
    left, right = declare("left", x_max_length=0), declare("right", x_max_length=0)
    channel.bind(left, both)
    channel.bind(right, both)
    first = channel.declare_queue(unique("first"), x_max_length=0, x_dead_letter_exchange=both)

    channel.fill(first, b"body")

    dead = [channel.await_message(graveyard) for _ in ("left", "right")]
    names = [{death["queue"] for death in deaths_of(message)} for message in dead]
    assert {first, left} in names
    assert {first, right} in names
