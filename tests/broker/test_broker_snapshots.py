"""Snapshots of a broker: what is in them, and what a broker has that restores one."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest

import ammoo
from ammoo.exceptions import ConnectionForced
from ammoo_fakebroker import BrokerSnapshot, FakeBroker, ManualClock
from ammoo_wire import ChannelCloseParameters, QueueDeclareParameters
from tests.support.peer import Peer

_Connect = Callable[[FakeBroker], Any]
_QUORUM = {"x-queue-type": "quorum"}
_STREAM = {"x-queue-type": "stream"}
_DELAYED = "rabbitmq_delayed_message_exchange"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["3.10", "4.0", "4.3"])
def release(request: pytest.FixtureRequest) -> str:
    compatibility: str = request.param
    return compatibility


@pytest.fixture
def broker(release: str, clock: ManualClock) -> Iterator[FakeBroker]:
    with FakeBroker(compatibility=release, clock=clock, plugins=[_DELAYED]) as broker:
        yield broker


@pytest.fixture
def other(release: str) -> Iterator[FakeBroker]:
    """Yield a broker whose clock shows another time."""
    clock = ManualClock(timestamp=1_800_000_000.0)
    clock.advance(77)
    with FakeBroker(compatibility=release, clock=clock, plugins=[_DELAYED]) as broker:
        yield broker


@pytest.fixture
def connect() -> Iterator[_Connect]:
    """Return a function that opens a channel; its connection is closed in the end."""
    connections = []

    def connect(to: FakeBroker) -> Any:
        connections.append(pika.BlockingConnection(pika.URLParameters(to.url)))
        return connections[-1].channel()

    yield connect
    for connection in connections:
        with suppress(pika.exceptions.AMQPError):
            connection.close()


def messages(broker: FakeBroker, queue_name: str) -> list[tuple[bytes, bool]]:
    return [(message.body, message.redelivered) for message in broker.messages(queue_name)]


def fill(broker: FakeBroker) -> None:
    """Declare something of each kind."""
    broker.add_virtualhost("tests", default_queue_type="quorum")
    broker.set_virtualhost_limits("tests", max_queues=5)
    broker.add_user("ann", "secret", tags=["monitoring"], virtualhosts=["/", "tests"])
    broker.set_policy("short", "^short", {"max-length": 1})
    broker.set_policy("other", "^amq.direct", {"alternate-exchange": "rest"}, apply_to="exchanges")
    broker.declare_exchange("rest", "fanout", durable=True)
    broker.declare_exchange("inner", "topic", internal=True, arguments={"x": 1})
    broker.declare_queue("short", durable=True)
    broker.declare_queue("transient")
    broker.bind_queue("short", "rest")
    broker.bind_queue("transient", "amq.topic", "a.*")
    broker.bind_queue("transient", "amq.topic", "a.*", arguments={"x": True})
    broker.bind_exchange("amq.fanout", "amq.topic", "#")


def test_definitions_are_restored_by_another_broker(broker: FakeBroker, other: FakeBroker) -> None:
    fill(broker)

    other.restore(broker.snapshot())

    assert broker.definitions() == other.definitions()
    assert other.exchanges() == broker.exchanges()
    assert other.url_for("ann").startswith("amqp://ann:secret@")
    assert ("short",) == other.publish("amq.direct", "unbound", b"by the policy's exchange")


def test_what_came_later_is_gone(broker: FakeBroker) -> None:
    seed = broker.snapshot()
    before = broker.definitions()
    fill(broker)

    broker.restore(seed)

    assert (before, ("/",)) == (broker.definitions(), broker.virtualhosts)


@pytest.mark.parametrize("arguments", [{}, {"x-max-priority": 5}, _QUORUM, _STREAM])
def test_messages_are_restored_in_their_order(
    broker: FakeBroker, other: FakeBroker, arguments: dict[str, Any]
) -> None:
    broker.declare_queue("orders", durable=True, arguments=arguments)
    broker.put("orders", b"0", priority=0, message_id="m0")
    broker.put("orders", b"1", priority=3)
    broker.put("orders", b"2", priority=9)
    broker.put("orders", b"3", priority=3)

    other.restore(broker.snapshot())

    assert broker.queues() == other.queues()
    assert 4 == len(other.messages("orders"))
    assert messages(broker, "orders") == messages(other, "orders")
    assert {"m0", None} == {each.properties.message_id for each in other.messages("orders")}


@pytest.mark.parametrize("arguments", [{}, _QUORUM], ids=["classic", "quorum"])
def test_messages_that_clients_hold_are_ready_and_redelivered(
    broker: FakeBroker, connect: _Connect, arguments: dict[str, Any]
) -> None:
    broker.declare_queue("orders", durable=True, arguments=arguments)
    broker.put("orders", b"1")
    broker.put("orders", b"2")
    holder = connect(broker)
    holder.basic_get("orders")

    seed = broker.snapshot()

    assert [(b"2", False)] == messages(broker, "orders")
    assert 1 == broker.queue("orders").unacknowledged_count
    broker.restore(seed)
    assert [(b"1", True), (b"2", False)] == messages(broker, "orders")
    assert 0 == broker.queue("orders").unacknowledged_count


@pytest.mark.parametrize("arguments", [{}, _QUORUM], ids=["classic", "quorum"])
def test_messages_of_a_channel_that_the_client_has_not_closed_are_ready(
    broker: FakeBroker, arguments: dict[str, Any]
) -> None:
    """After an error, a channel keeps them until its client has answered."""
    broker.declare_queue("orders", durable=True, arguments=arguments)
    broker.put("orders", b"1")
    with Peer.connect(broker.url) as peer:
        channel = peer.channel()
        channel.get_unacked("orders", 1)
        channel.send(QueueDeclareParameters("missing", passive=True))
        channel.expect(ChannelCloseParameters)

        seed = broker.snapshot()

    broker.restore(seed)
    assert [(b"1", True)] == messages(broker, "orders")
    assert 0 == broker.queue("orders").unacknowledged_count


def test_held_messages_over_the_delivery_limit_are_dead_lettered(
    broker: FakeBroker, connect: _Connect
) -> None:
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    broker.declare_queue("dead")
    broker.declare_queue(
        "orders", durable=True, arguments={**_QUORUM, **dead, "x-delivery-limit": 0}
    )
    broker.put("orders", b"1")
    connect(broker).basic_get("orders")

    broker.restore(broker.snapshot())

    assert ([], [b"1"]) == (broker.messages("orders"), [m.body for m in broker.messages("dead")])


def test_connections_are_closed_and_exclusive_queues_are_gone(
    broker: FakeBroker, connect: _Connect
) -> None:
    channel = connect(broker)
    channel.queue_declare("mine", exclusive=True)
    channel.queue_bind("mine", "amq.fanout")

    broker.restore(broker.snapshot())

    with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="shutdown"):
        channel.connection.process_data_events(time_limit=10)
    assert ({}, ()) == (broker.queues(), broker.exchanges()["amq.fanout"].bindings)
    assert connect(broker).is_open


def test_a_snapshot_is_restored_any_number_of_times(broker: FakeBroker, other: FakeBroker) -> None:
    broker.declare_queue("orders")
    broker.put("orders", b"1")
    seed = broker.snapshot()

    other.restore(seed)
    other.purge_queue("orders")
    broker.delete_queue("orders")
    other.restore(seed)
    broker.restore(seed)

    assert [(b"1", False)] == messages(broker, "orders") == messages(other, "orders")


def test_the_rest_of_the_time_to_live_is_restored(
    broker: FakeBroker, other: FakeBroker, clock: ManualClock
) -> None:
    broker.declare_queue("orders", arguments={"x-dead-letter-exchange": "amq.fanout"})
    broker.declare_queue("dead")
    broker.bind_queue("dead", "amq.fanout")
    broker.put("orders", b"1", expiration="10000")
    clock.advance(4)
    seed = broker.snapshot()
    clock.advance(100)

    broker.restore(seed)
    other.restore(seed)
    clock.advance(5.5)
    before = messages(broker, "orders")
    clock.advance(0.5)

    assert ([(b"1", False)], [], [(b"1", False)]) == (
        before,
        messages(broker, "orders"),
        messages(broker, "dead"),
    )
    assert [(b"1", False)] == messages(other, "orders")


def test_unused_queues_have_their_whole_time_again(broker: FakeBroker, clock: ManualClock) -> None:
    broker.declare_queue("unused", arguments={"x-expires": 10_000})
    clock.advance(9)

    broker.restore(broker.snapshot())
    clock.advance(9)
    there = list(broker.queues())
    clock.advance(1)

    assert (["unused"], []) == (there, list(broker.queues()))


def test_delayed_messages_wait_for_the_rest_of_their_delay(
    broker: FakeBroker, clock: ManualClock
) -> None:
    broker.declare_exchange("later", "x-delayed-message", arguments={"x-delayed-type": "fanout"})
    broker.declare_queue("orders")
    broker.bind_queue("orders", "later")
    broker.publish("later", "", b"1", headers={"x-delay": 10_000})
    clock.advance(4)

    broker.restore(broker.snapshot())
    clock.advance(5.5)
    before = messages(broker, "orders")
    clock.advance(0.5)

    assert ([], [(b"1", False)]) == (before, messages(broker, "orders"))
    life = broker.life_of(broker.messages("orders")[0])
    assert ("restored", "routed") == life.kinds
    assert "restored from a snapshot to exchange 'later', where it waits: b'1'" in str(life)


def test_age_and_offsets_of_a_stream_are_restored(
    broker: FakeBroker, other: FakeBroker, clock: ManualClock, connect: _Connect
) -> None:
    broker.declare_queue("stream", durable=True, arguments={**_STREAM, "x-max-age": "1h"})
    broker.put("stream", b"1")
    clock.advance(60)
    broker.put("stream", b"2")

    other.restore(broker.snapshot())
    channel = connect(other)
    channel.basic_qos(prefetch_count=10)
    inbox = channel.consume("stream", arguments={"x-stream-offset": "30s"}, inactivity_timeout=10)
    _, properties, body = next(inbox)

    assert (b"2", {"x-stream-offset": 1}) == (body, properties.headers)


def test_lives_of_restored_messages_begin_with_the_snapshot(
    broker: FakeBroker, other: FakeBroker
) -> None:
    broker.declare_queue("first")
    broker.declare_queue("second")
    broker.bind_queue("first", "amq.fanout")
    broker.bind_queue("second", "amq.fanout")
    other.declare_queue("own")
    other.put("own", b"number 1 of the other broker")
    broker.publish("amq.fanout", "", b"both")

    other.restore(broker.snapshot())
    other.purge_queue("second")
    (message,) = other.messages("first")

    assert 2 == message.message_number
    assert ("restored", "restored", "purged") == other.life_of(message).kinds
    assert "restored from a snapshot to 'first': b'both'" in str(other.life_of(message))


def test_copies_of_one_message_still_have_one_number(broker: FakeBroker, connect: _Connect) -> None:
    """A message that comes back to a quorum queue is copied, because its headers state counts."""
    broker.declare_queue("quorum", durable=True, arguments=_QUORUM)
    broker.declare_queue("classic")
    broker.bind_queue("quorum", "amq.fanout")
    broker.bind_queue("classic", "amq.fanout")
    broker.publish("amq.fanout", "", b"both")
    broker.publish("amq.fanout", "", b"another")
    channel = connect(broker)
    method, _, _ = channel.basic_get("quorum")
    channel.basic_nack(method.delivery_tag)
    broker.wait_until(lambda look: look.queue("quorum").unacknowledged_count == 0)

    broker.restore(broker.snapshot())

    numbers = {message.body: message.message_number for message in broker.messages("classic")}
    assert numbers == {
        message.body: message.message_number for message in broker.messages("quorum")
    }
    assert 2 == len(set(numbers.values()))


def test_snapshot_keeps_its_arguments_when_those_of_the_broker_change(broker: FakeBroker) -> None:
    arguments = {"x": [1]}
    broker.declare_exchange("events", arguments=arguments)
    broker.declare_queue("orders")
    broker.bind_queue("orders", "events", arguments=arguments)
    seed = broker.snapshot()

    arguments["x"].append(2)
    broker.restore(seed)

    assert {"x": [1]} == broker.exchanges()["events"].arguments
    assert {"x": [1]} == broker.queue("orders").bindings[-1].arguments


def test_snapshot_keeps_its_global_parameters(broker: FakeBroker) -> None:
    value = [1]
    broker.load_definitions({"global_parameters": [{"name": "x", "value": value}]})
    before = broker.definitions()
    seed = broker.snapshot()

    value.append(2)
    broker.restore(seed)

    assert before == broker.definitions()


def test_changes_of_exported_definitions_leave_the_broker_as_it_is(broker: FakeBroker) -> None:
    broker.load_definitions({"global_parameters": [{"name": "x", "value": [1]}]})
    broker.declare_queue("orders", arguments={"x": [1]})
    before = broker.definitions()

    changed = broker.definitions()
    changed["global_parameters"][-1]["value"].append(2)
    changed["queues"][0]["arguments"]["x"].append(2)

    assert {"name": "x", "value": [1]} == before["global_parameters"][-1]
    assert before == broker.definitions()


def test_a_broker_without_history_restores_too(broker: FakeBroker, release: str) -> None:
    broker.declare_queue("orders")
    broker.put("orders", b"1")

    with FakeBroker(compatibility=release, history=0, plugins=[_DELAYED]) as other:
        other.restore(broker.snapshot())

        assert [(b"1", False)] == messages(other, "orders")


def test_responders_go_on(broker: FakeBroker, connect: _Connect) -> None:
    seed = broker.snapshot()
    with broker.respond("prices", json={"eur": 3}) as prices:
        broker.restore(seed)
        channel = connect(broker)
        channel.basic_publish("", "prices", b"pen", pika.BasicProperties(reply_to="nowhere"))

        assert [b"pen"] == [
            request.body for request in broker.wait_until(lambda _: prices.requests)
        ]


def test_responders_of_a_virtual_host_that_is_gone_end(broker: FakeBroker) -> None:
    seed = broker.snapshot()
    broker.add_virtualhost("tests")

    with broker.respond("prices", json={"eur": 3}, virtualhost="tests"):
        broker.restore(seed)

        assert ("/",) == broker.virtualhosts


def test_credentials_that_a_fault_has_expired_stay_expired(broker: FakeBroker) -> None:
    seed = broker.snapshot()

    with broker.faults.expire_credentials("guest", optional=True):
        during = broker.snapshot()
        broker.restore(seed)
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            pika.BlockingConnection(pika.URLParameters(broker.url))
    broker.restore(during)

    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        assert connection.is_open


def test_a_broker_that_is_down_stays_down(broker: FakeBroker, connect: _Connect) -> None:
    seed = broker.snapshot()
    broker.declare_queue("orders")
    broker.shut_down()

    broker.restore(seed)

    with pytest.raises(pika.exceptions.AMQPConnectionError):
        connect(broker)
    broker.start()
    assert ({}, True) == (broker.queues(), connect(broker).is_open)


@pytest.mark.parametrize("release", ["4.3"], indirect=True)
def test_retries_are_delayed_for_the_rest_of_their_time(
    broker: FakeBroker, clock: ManualClock, connect: _Connect
) -> None:
    retry = {"x-delayed-retry-type": "all", "x-delayed-retry-min": 10_000}
    broker.declare_queue("orders", durable=True, arguments={**_QUORUM, **retry})
    broker.put("orders", b"1")
    channel = connect(broker)
    method, _, _ = channel.basic_get("orders")
    channel.basic_nack(method.delivery_tag)
    broker.wait_until(lambda look: look.queue("orders").unacknowledged_count == 0)
    clock.advance(4)

    broker.restore(broker.snapshot())
    clock.advance(5.5)
    before = messages(broker, "orders")
    clock.advance(0.5)

    assert ([], [(b"1", True)]) == (before, messages(broker, "orders"))
    life = broker.life_of(broker.messages("orders")[0])
    assert ("restored",) == life.kinds
    assert "restored from a snapshot to 'orders': b'1'" in str(life)


@pytest.mark.parametrize("release", ["4.3"], indirect=True)
def test_deliveries_that_the_queue_has_taken_back_are_there_once(
    broker: FakeBroker, clock: ManualClock, connect: _Connect
) -> None:
    broker.declare_queue(
        "orders", durable=True, arguments={**_QUORUM, "x-consumer-timeout": 60_000}
    )
    broker.put("orders", b"1")
    connect(broker).basic_consume("orders", lambda *_: None)
    broker.wait_until(lambda look: look.queue("orders").unacknowledged_count == 1)
    clock.advance(61)

    broker.restore(broker.snapshot())

    assert [(b"1", True)] == messages(broker, "orders")


@pytest.mark.parametrize("release", ["4.0", "4.3"], indirect=True)
def test_dead_letters_that_have_not_arrived_are_sent_again(
    broker: FakeBroker, clock: ManualClock
) -> None:
    """They are dead-lettered at least once; their exchange had no binding yet."""
    at_least_once = {
        "x-dead-letter-exchange": "amq.fanout",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-message-ttl": 1000,
    }
    broker.declare_queue("orders", durable=True, arguments={**_QUORUM, **at_least_once})
    broker.declare_queue("dead", durable=True, arguments=_QUORUM)
    broker.put("orders", b"1")
    clock.advance(1)
    seed = broker.snapshot()

    broker.restore(seed)
    broker.bind_queue("dead", "amq.fanout")
    clock.advance(180)

    (message,) = broker.messages("dead")
    assert b"1" == message.body
    assert ("restored",) == broker.life_of(message).kinds


def test_snapshots_of_another_release_are_refused_and_nothing_changes(
    broker: FakeBroker, release: str
) -> None:
    broker.declare_queue("orders")
    unlike = {"3.10": "4.3", "4.0": "3.10", "4.3": "4.0"}[release]
    with FakeBroker(compatibility=unlike) as other:
        seed = other.snapshot()

    with pytest.raises(ValueError, match="restore it on FakeBroker") as refused:
        broker.restore(seed)

    assert f"FakeBroker(compatibility={unlike!r})" in str(refused.value)
    assert ["orders"] == list(broker.queues())


@pytest.mark.parametrize("release", ["4.3"], indirect=True)
def test_missing_plugins_are_named(broker: FakeBroker) -> None:
    with (
        FakeBroker() as plain,
        pytest.raises(ValueError, match=r"plugins=\['rabbitmq_delayed_message_exchange'\]"),
    ):
        plain.restore(broker.snapshot())


async def restore_while_connected(broker: FakeBroker, seed: BrokerSnapshot) -> None:
    async with ammoo.connect(broker.url) as connection:
        broker.restore(seed)
        await connection.wait_closed()


async def test_a_broker_in_the_loop_takes_and_restores_snapshots() -> None:
    async with FakeBroker() as broker:
        broker.declare_queue("orders")
        broker.put("orders", b"1")
        seed = broker.snapshot()
        broker.purge_queue("orders")

        with pytest.raises(ConnectionForced):
            await restore_while_connected(broker, seed)

        assert [(b"1", False)] == messages(broker, "orders")


def test_a_snapshot_says_what_is_in_it(broker: FakeBroker, release: str) -> None:
    broker.declare_queue("orders")
    broker.put("orders", b"1")

    seed: BrokerSnapshot = broker.snapshot()

    assert f"<BrokerSnapshot of {release}: 1 queues, 1 messages>" == repr(seed)


def test_what_operators_say_of_a_virtual_host_is_in_a_snapshot(
    broker: FakeBroker, other: FakeBroker
) -> None:
    broker.add_virtualhost("tests", default_queue_type="quorum")
    virtualhost = broker._node.virtualhosts["tests"]
    virtualhost.description, virtualhost.tags = "for tests", ("quick",)
    virtualhost.is_protected = True

    other.restore(broker.snapshot())

    found = other._node.virtualhosts["tests"]
    assert ("for tests", ("quick",)) == (found.description, found.tags)
    assert ("quorum", True) == (found.default_queue_type, found.is_protected)
    other.restore(FakeBroker(compatibility=other._node.profile.name).snapshot())
    assert ("/",) == other.virtualhosts
