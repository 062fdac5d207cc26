"""What happened in a broker, asked for as events."""

import json
import re
from collections.abc import Iterator

import pika  # type: ignore[import-untyped]  # it ships no types
import pytest
from pika.adapters.blocking_connection import (  # type: ignore[import-untyped]  # as above
    BlockingChannel,
)

from ammoo_fakebroker import FakeBroker, HistoryLost, ManualClock, exactly


@pytest.fixture
def channel(fakebroker: FakeBroker) -> Iterator[BlockingChannel]:
    parameters = pika.URLParameters(fakebroker.url)
    parameters.client_properties = {"connection_name": "api"}
    connection = pika.BlockingConnection(parameters)
    yield connection.channel()
    if connection.is_open:
        connection.close()


def publish(
    times: int, channel: BlockingChannel, exchange_name: str, routing_key: str, body: bytes
) -> None:
    for _ in range(times):
        channel.basic_publish(exchange_name, routing_key, body)


def kinds(broker: FakeBroker, since: int = 0) -> list[str]:
    return [event.kind for event in broker.history(since=since)]


def failure_of_count(broker: FakeBroker, count: int, **criteria: object) -> str:
    with pytest.raises(AssertionError) as caught:
        broker.published(**criteria).assert_count(count)  # type: ignore[arg-type]  # any of them
    return str(caught.value)


# -- what is recorded --------------------------------------------------------------------------


def test_events_of_a_message(fakebroker: FakeBroker, channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.confirm_delivery()
    mark = fakebroker.mark()

    properties = pika.BasicProperties(content_type="application/json", headers={"shop": "s"})
    channel.basic_publish("", "orders", b'{"id": 7}', properties)
    method, _, _ = channel.basic_get("orders")
    channel.basic_nack(method.delivery_tag)
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    channel.basic_ack(2)

    assert [
        *("published", "routed", "confirmed", "got", "requeued"),
        *("consumer_started", "delivered", "acknowledged"),
    ] == kinds(fakebroker, mark)
    (published,) = fakebroker.published()
    assert ("api", "guest", "/", 1) == (
        published.connection,
        published.user,
        published.virtualhost,
        published.channel_number,
    )
    assert ("", "orders", b'{"id": 7}', 9) == (
        published.exchange_name,
        published.routing_key,
        published.body,
        published.body_size,
    )
    assert ({"id": 7}, "application/json", {"shop": "s"}) == (
        published.json(),
        published.properties.content_type,
        published.headers,
    )
    (delivered,) = fakebroker.delivered(queue_name="orders")
    assert ("worker", 2, True) == (
        delivered.consumer_tag,
        delivered.delivery_tag,
        delivered.redelivered,
    )
    assert {published.message_number} == {
        event.message_number for event in fakebroker.history(routing_key="orders")
    }


def test_events_of_what_reaches_no_queue(fakebroker: FakeBroker, channel: BlockingChannel) -> None:
    channel.basic_publish("amq.direct", "nowhere", b"dropped")
    channel.basic_publish("amq.direct", "nowhere", b"returned", mandatory=True)

    fakebroker.unroutable(mandatory=False, body=b"dropped").assert_count(1)
    fakebroker.unroutable(mandatory=True, body=b"returned").assert_count(1)
    fakebroker.returned(code=312, text="NO_ROUTE", body=b"returned").assert_count(1)


def test_events_of_a_message_that_dies(fakebroker: FakeBroker, channel: BlockingChannel) -> None:
    channel.queue_declare("dead")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    channel.queue_declare("orders", arguments={**arguments, "x-max-length": 1})
    channel.basic_publish("", "orders", b"one")
    channel.basic_publish("", "orders", b"two")
    method, _, _ = channel.basic_get("orders")
    channel.basic_reject(method.delivery_tag, requeue=False)

    fakebroker.dropped(queue_name="orders", reason="maxlen", body=b"one").assert_count(1)
    fakebroker.rejected(queue_name="orders", body=b"two").assert_count(1)
    letters = fakebroker.dead_lettered(queue_name="orders", queue_names=("dead",))
    assert [("maxlen", b"one"), ("rejected", b"two")] == [
        (event.reason, event.body) for event in letters
    ]


def test_events_of_expiry() -> None:
    clock = ManualClock()
    with FakeBroker(clock=clock) as broker:
        with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
            channel = connection.channel()
            channel.queue_declare("orders", arguments={"x-message-ttl": 1000})
            channel.basic_publish("", "orders", b"one")
            broker.advance(1)

        broker.expired(queue_name="orders", body=b"one").assert_count(1)


def test_publish_that_a_full_queue_refuses(
    fakebroker: FakeBroker, channel: BlockingChannel
) -> None:
    arguments = {"x-max-length": 0, "x-overflow": "reject-publish"}
    channel.queue_declare("orders", arguments=arguments)
    channel.confirm_delivery()

    with pytest.raises(pika.exceptions.NackError):
        channel.basic_publish("", "orders", b"one")

    fakebroker.nacked(body=b"one").assert_count(1)
    fakebroker.dropped(body=b"one", reason="maxlen").assert_count(1)
    fakebroker.confirmed().assert_none()


def test_events_of_queues_exchanges_and_bindings(
    fakebroker: FakeBroker, channel: BlockingChannel
) -> None:
    mark = fakebroker.mark()
    channel.exchange_declare("orders", "topic")
    channel.exchange_declare("orders", "topic")
    channel.queue_declare("orders")
    channel.queue_declare("orders")
    channel.queue_bind("orders", "orders", "a.#")
    channel.exchange_bind("amq.fanout", "orders", "b.#")
    channel.queue_unbind("orders", "orders", "a.#")
    channel.queue_purge("orders")
    channel.queue_delete("orders")
    channel.exchange_delete("orders")

    assert [
        *("exchange_declared", "exchange_declared", "queue_declared", "queue_declared"),
        *("bound", "bound", "unbound", "purged", "queue_deleted", "exchange_deleted"),
    ] == kinds(fakebroker, mark)
    bound = fakebroker.history(kind="bound", connection="api", exchange_name="orders")
    assert [("a.#", "orders", None), ("b.#", None, "amq.fanout")] == [
        (each.routing_key, each.queue_name, each.details.get("destination")) for each in bound
    ]
    declared = fakebroker.history(kind=("queue_declared", "exchange_declared"), existed=True)
    assert ["orders", "orders"] == [each.queue_name or each.exchange_name for each in declared[0:2]]


def test_events_of_connections_and_channels(fakebroker: FakeBroker) -> None:
    with pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection:
        connection.channel().close()
        channel = connection.channel()
        channel.queue_declare("orders")
        channel.basic_publish("", "orders", b"one")
        channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")
        with pytest.raises(pika.exceptions.ChannelClosedByBroker):
            channel.queue_declare("missing", passive=True)

    closed = fakebroker.history(kind="channel_closed")
    assert [("client", None), ("broker", 404)] == [(each.by, each.code) for each in closed]
    (end,) = fakebroker.history(kind="connection_closed")
    assert ("client", 200) == (end.by, end.code)
    cancelled = fakebroker.history(kind="consumer_cancelled", reason="channel closed")
    assert ["worker"] == [each.consumer_tag for each in cancelled]
    fakebroker.requeued(reason="channel closed", queue_name="orders").assert_count(1)


def test_events_of_a_cut_and_of_an_alarm(fakebroker: FakeBroker) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(fakebroker.url))
    channel = connection.channel()
    fakebroker.block("low on memory")
    channel.basic_publish("", "orders", b"one")
    fakebroker.history(kind="connection_blocked", reason="low on memory").wait()
    fakebroker.unblock()
    fakebroker.history(kind="connection_unblocked").wait()
    fakebroker.cut_connections()

    fakebroker.history(kind="connection_closed", by="network").wait()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        connection.process_data_events(time_limit=None)


# -- queries -----------------------------------------------------------------------------------


@pytest.fixture
def publish_order(channel: BlockingChannel) -> None:
    properties = pika.BasicProperties(headers={"shop": "s", "tries": 1}, priority=3)
    channel.basic_publish("amq.topic", "a.b", b'{"id": 7, "of": {"a": 1, "b": 2}}', properties)


@pytest.mark.usefixtures("publish_order")
@pytest.mark.parametrize(
    "criteria",
    [
        {"routing_key": re.compile("^a")},
        {"routing_key": str.islower},
        {"body": re.compile("id")},
        {"body": re.compile(b"id")},
        {"json": {"of": {"b": 2}}},
        {"json": exactly({"id": 7, "of": {"a": 1, "b": 2}})},
        {"json": lambda body: body["id"] == 7},
        {"headers": {"shop": "s"}},
        {"priority": 3},
    ],
)
def test_criteria_that_an_event_meets(fakebroker: FakeBroker, criteria: dict[str, object]) -> None:
    fakebroker.published(**criteria).assert_count(1)  # type: ignore[arg-type]  # any of them


@pytest.mark.usefixtures("publish_order")
@pytest.mark.parametrize(
    "criteria",
    [
        {"routing_key": re.compile("^b")},
        {"routing_key": str.isupper},
        {"json": {"of": {"b": True}}},
        {"json": {"id": "7"}},
        {"json": exactly({"id": 7})},
        {"headers": {"shop": "t"}},
        {"headers": exactly({"shop": "s"})},
        {"priority": 4},
    ],
)
def test_criteria_that_an_event_fails(fakebroker: FakeBroker, criteria: dict[str, object]) -> None:
    fakebroker.published(**criteria).assert_none()  # type: ignore[arg-type]  # any of them


def test_misspelt_criteria_and_kinds_are_refused(fakebroker: FakeBroker) -> None:
    with pytest.raises(TypeError, match=r"published\(\) has no keyword 'exchange'; did you mean"):
        fakebroker.published(exchange="orders")  # type: ignore[call-arg]  # that is the test
    with pytest.raises(ValueError, match="kind is 'publish'; did you mean 'published'"):
        fakebroker.history(kind="publish")


def test_failed_count_shows_near_misses(fakebroker: FakeBroker, channel: BlockingChannel) -> None:
    channel.basic_publish("amq.topic", "created", b'{"id": "7", "sum": 3}')
    channel.basic_publish("amq.fanout", "created", b'{"id": 7}')
    channel.basic_publish("amq.topic", "paid", b"no JSON")

    text = failure_of_count(
        fakebroker, 1, exchange_name="amq.topic", routing_key="created", json={"id": 7}
    )

    first, second, *rest = text.splitlines()
    assert first == (
        "0 published events match exchange_name='amq.topic', routing_key='created',"
        " json ⊇ {'id': 7}; expected 1"
    )
    assert "  3 published events do not match. Nearest:" == second
    assert ["      ✓ exchange_name, routing_key", "      ✓ routing_key, json"] == rest[1:5:3]
    assert "      ✗ json ['id'] is '7' (str), not 7 (int)" == rest[2]
    assert "      ✗ exchange_name is 'amq.fanout', not 'amq.topic'" == rest[5]
    assert "message 1 published to exchange 'amq.topic', key 'created'" in rest[0]
    assert rest[-1].startswith("      ✗ json is missing, because the body is not JSON: ")


def test_failed_count_shows_what_is_too_much(
    fakebroker: FakeBroker, channel: BlockingChannel
) -> None:
    publish(7, channel, "amq.topic", "created", b"x" * 300)

    text = failure_of_count(fakebroker, 0, routing_key="created")

    assert "7 published events match routing_key='created'; expected 0" in text
    assert "(300 octets)" in text
    assert text.endswith("  … and 2 more")
    with pytest.raises(AssertionError, match="7 published events; expected 0"):
        fakebroker.published().assert_none()


def test_events_are_a_sequence_that_explains_itself(
    fakebroker: FakeBroker, channel: BlockingChannel
) -> None:
    channel.basic_publish("amq.topic", "created", b"one")
    events = fakebroker.published(routing_key="paid")

    assert 0 == len(events)
    assert "nearest #3: routing_key is 'created', not 'paid'" in repr(events)
    with pytest.raises(IndexError, match="match routing_key='paid'; nearest #3: routing_key is"):
        events[0]
    assert fakebroker.published() == fakebroker.published()
    assert "published to exchange 'amq.topic'" in repr(fakebroker.published()[0])
    channel.basic_publish("amq.topic", "paid", b"two")
    events.assert_count(1)
    assert 1 == len(events.wait(1))
    assert 0 == len(events)


def test_failed_wait_shows_near_misses(fakebroker: FakeBroker, channel: BlockingChannel) -> None:
    channel.basic_publish("amq.topic", "created", b"one")

    with pytest.raises(AssertionError) as caught:
        fakebroker.published(routing_key="paid").wait(timeout=0.02)

    assert "0 published events match routing_key='paid' after 0.02 s; 1 awaited" in str(
        caught.value
    )
    assert "✗ routing_key is 'created', not 'paid'" in str(caught.value)


def test_mark_leaves_out_what_was_before(fakebroker: FakeBroker, channel: BlockingChannel) -> None:
    channel.basic_publish("amq.topic", "created", b"one")
    mark = fakebroker.mark()
    channel.basic_publish("amq.topic", "created", b"two")

    assert [b"two"] == [event.body for event in fakebroker.published(since=mark)]


def test_events_are_plain_json(fakebroker: FakeBroker, channel: BlockingChannel) -> None:
    properties = pika.BasicProperties(headers={"a": [b"\xff", 2, None]}, timestamp=1)
    channel.basic_publish("amq.topic", "created", b"\xff", properties)

    (event,) = fakebroker.published()
    read = json.loads(json.dumps(event.as_dict()))

    assert {"base64": "/w=="} == read["body"]
    assert [{"base64": "/w=="}, 2, None] == read["properties"]["headers"]["a"]
    assert "created" == read["routing_key"]
    json.dumps([each.as_dict() for each in fakebroker.history()])


# -- bounds ------------------------------------------------------------------------------------


def test_what_was_dropped_is_never_counted_as_missing() -> None:
    with (
        FakeBroker(history=5) as broker,
        pika.BlockingConnection(pika.URLParameters(broker.url)) as connection,
    ):
        channel = connection.channel()
        publish(5, channel, "amq.topic", "created", b"one")
        mark = broker.mark()
        channel.basic_publish("amq.topic", "created", b"two")

        lost = broker.published(body=b"three")
        with pytest.raises(HistoryLost, match="the history holds only the last 5 of 14 events"):
            len(lost)
        with pytest.raises(HistoryLost, match=r"keep more with FakeBroker\(history=…\), or "):
            lost.assert_none()
        with pytest.raises(HistoryLost):
            any(event.body == b"three" for event in lost)
        with pytest.raises(
            AssertionError, match="others may have matched: the history holds only the last"
        ):
            lost.wait(timeout=0.01)
        assert 1 == len(broker.published(since=mark))
        assert b"two" == broker.published()[-1].body
        broker.published().wait(1)


def test_history_holds_a_limited_size_of_bodies(fakebroker: FakeBroker) -> None:
    with pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection:
        channel = connection.channel()
        publish(20, channel, "amq.topic", "created", bytes(1_048_576))

        recorder = fakebroker._node.history
        assert recorder is not None
        assert fakebroker.published()[0].number > 10
        assert recorder._octets <= 16_777_216


def test_history_can_be_off() -> None:
    with (
        FakeBroker(history=0) as broker,
        pytest.raises(RuntimeError, match="history is off; FakeBroker"),
    ):
        broker.published()


@pytest.mark.parametrize(("history", "error"), [(-1, ValueError), (True, TypeError)])
def test_limit_of_the_history_is_checked(history: int, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"expected an integer from 0 \(no history\) on"):
        FakeBroker(history=history)


# -- lives -------------------------------------------------------------------------------------


def test_life_of_a_message_goes_on_in_other_queues(
    fakebroker: FakeBroker, channel: BlockingChannel
) -> None:
    channel.queue_declare("dead")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    channel.queue_declare("orders", arguments=arguments)
    channel.basic_publish("", "orders", b"one")
    channel.basic_publish("", "orders", b"other")
    method, _, _ = channel.basic_get("orders")
    channel.basic_reject(method.delivery_tag, requeue=False)
    (message,) = fakebroker.messages("dead")
    channel.queue_purge("orders")
    channel.queue_delete("dead")

    life = fakebroker.life_of(fakebroker.published(body=b"one")[0])

    assert (
        *("published", "routed", "got", "rejected", "dead_lettered", "queue_deleted"),
    ) == life.kinds
    assert life.kinds == fakebroker.life_of(message).kinds
    assert "published → routed → got" in repr(life)
    assert "dead-lettered from 'orders' (rejected) to exchange '', key 'dead'" in str(life)
    assert ("published", "routed", "purged") == fakebroker.life_of(2).kinds
    with pytest.raises(LookupError, match="the history holds no event of message 99"):
        fakebroker.life_of(99)
    with pytest.raises(ValueError, match="has no message number"):
        fakebroker.life_of(fakebroker.history(kind="connection_opened")[0])


def test_large_messages_that_faults_strike_leave_the_history_in_good_order() -> None:
    with (
        FakeBroker(history=10) as broker,
        pika.BlockingConnection(pika.URLParameters(broker.url)) as connection,
    ):
        channel = connection.channel()
        broker.faults.return_publishes()
        publish(15, channel, "", "orders", bytes(2000))
        mark = broker.mark()
        channel.basic_publish("", "orders", b"last")

        assert ["fault_struck", "published", "unroutable"] == kinds(broker, mark)


def test_nothing_is_lost_before_the_first_event(fakebroker: FakeBroker) -> None:
    fakebroker.declare_queue("orders")

    with pytest.raises(ValueError, match=r"since is 7, and \d events have happened; expected what"):
        fakebroker.published(since=7)
    fakebroker.published(since=-1).assert_none()
    assert 1 == len(fakebroker.history(since=-1))


def test_life_whose_beginning_was_dropped_says_so() -> None:
    with FakeBroker(history=3) as broker:
        broker.declare_queue("orders")
        broker.publish("", "orders", b"one")
        broker.purge_queue("orders")
        broker.publish("", "orders", b"two")

        whole = broker.life_of(2)
        with pytest.raises(LookupError, match="no event of message 1 in the last 3 of"):
            broker.life_of(1)
        broker.declare_queue("others")
        broker.purge_queue("orders")
        rest = broker.life_of(2)

    assert (True, ("published", "routed")) == (whole.is_whole, whole.kinds)
    assert (False, ("routed", "purged")) == (rest.is_whole, rest.kinds)
    assert "earlier events" in str(rest)
    assert "(forgotten) → routed → purged" in repr(rest)


def test_failed_count_shows_what_happened_instead(
    fakebroker: FakeBroker, channel: BlockingChannel
) -> None:
    channel.queue_declare("orders")
    channel.basic_publish("", "orders", b'{"id": 7}')
    method, _, _ = channel.basic_get("orders")
    channel.basic_reject(method.delivery_tag, requeue=False)
    acknowledged = fakebroker.acknowledged(queue_name="orders", json={"id": 7})

    with pytest.raises(AssertionError) as counted:
        acknowledged.assert_count(1)
    with pytest.raises(AssertionError) as waited:
        acknowledged.wait(timeout=0.01)

    assert [
        "0 acknowledged events match queue_name='orders', json ⊇ {'id': 7}; expected 1",
        "  2 events of other kinds match:",
        "message 1 got from 'orders' (basic.get)",
        "message 1 rejected from 'orders'",
        "  there are no other acknowledged events",
    ] == [line.rpartition("channel 1: ")[2] for line in str(counted.value).splitlines()]
    assert "message 1 rejected from 'orders'" in str(waited.value)


def test_near_miss_with_the_key_comes_before_one_without(
    fakebroker: FakeBroker, channel: BlockingChannel
) -> None:
    channel.basic_publish("", "orders", b'{"id": 8, "sum": 3}')
    channel.basic_publish("", "orders", b'{"id": 8, "sum": 2}')
    channel.basic_publish("", "orders", b'{"number": 7}')
    channel.basic_publish("", "orders", b"no JSON")

    found = fakebroker.published(json={"id": 7, "sum": 3})

    assert "json ['id'] is 8, not 7" in repr(found)
    with pytest.raises(AssertionError) as failed:
        found.assert_count(1)
    bodies = re.findall(r"b'(.*)'", str(failed.value))
    assert ['{"id": 8, "sum": 3}', '{"id": 8, "sum": 2}', "no JSON"] == bodies


def test_life_of_a_message_of_another_broker_is_refused(fakebroker: FakeBroker) -> None:
    fakebroker.put(fakebroker.declare_queue("here"), b"ours")
    with FakeBroker() as other:
        other.put(other.declare_queue("there"), b"theirs")
        (event,) = other.published()

    with pytest.raises(
        ValueError, match=r"published to .*b'theirs'> is an event of another broker"
    ):
        fakebroker.life_of(event)


def test_failing_assertion_explains_frequent_mistakes(fakebroker: FakeBroker) -> None:
    fakebroker.declare_queue("order.created")
    fakebroker.publish("", "order.created", b"1")

    assert (
        "✗ routing_key is 'order.created', not 'order.*'; a string must be equal, so for a pattern"
        " pass re.compile(…)"
    ) in failure_of_count(fakebroker, 1, routing_key="order.*")
    assert (
        "✗ queue_name is None (NoneType), not 'order.created' (str); published events have no queue:"
        " history(kind='routed', queue_names=…) shows where messages went"
    ) in failure_of_count(fakebroker, 1, queue_name="order.created")
    assert "re.compile" not in failure_of_count(fakebroker, 1, routing_key="order")
