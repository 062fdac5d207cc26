"""What each public name of a broker does before its start, while it is down and after its end.

A call that can have no effect is refused in a sentence. Looks always work; what sets a broker up works
until its end.
"""

import asyncio
from collections.abc import Callable, Iterator
from operator import attrgetter, methodcaller
from typing import Any

import pytest

from ammoo_fakebroker import FakeBroker, ManualClock

Call = Callable[[FakeBroker], Any]

NOT_STARTED = "the broker has not been started; start it first"
STOPPED = "the broker was stopped; call this before its block ends, or use another FakeBroker"


def later(name: str, *arguments: Any, **options: Any) -> Call:
    """Return a function that calls and awaits a method of a broker."""

    async def run(broker: FakeBroker) -> Any:
        return await methodcaller(name, *arguments, **options)(broker)

    return lambda broker: asyncio.run(run(broker))


def restore(broker: FakeBroker) -> None:
    broker.restore(FakeBroker().snapshot())


LOOKS: dict[str, Call] = {
    "acknowledged": methodcaller("acknowledged"),
    "check_functions": methodcaller("check_functions"),
    "check_responders": methodcaller("check_responders"),
    "confirmed": methodcaller("confirmed"),
    "connections": attrgetter("connections"),
    "dead_lettered": methodcaller("dead_lettered"),
    "definitions": methodcaller("definitions"),
    "delivered": methodcaller("delivered"),
    "dropped": methodcaller("dropped"),
    "exchanges": methodcaller("exchanges"),
    "expired": methodcaller("expired"),
    "got": methodcaller("got"),
    "history": methodcaller("history"),
    "host": attrgetter("host"),
    "life_of": methodcaller("life_of", 1),
    "look": methodcaller("look"),
    "mark": methodcaller("mark"),
    "messages": methodcaller("messages", "orders"),
    "nacked": methodcaller("nacked"),
    "published": methodcaller("published"),
    "queue": methodcaller("queue", "orders"),
    "queues": methodcaller("queues"),
    "rejected": methodcaller("rejected"),
    "requeued": methodcaller("requeued"),
    "returned": methodcaller("returned"),
    "settle": later("settle"),
    "snapshot": methodcaller("snapshot"),
    "unblock": methodcaller("unblock"),
    "unroutable": methodcaller("unroutable"),
    "virtualhosts": attrgetter("virtualhosts"),
}
"""What works at any time."""

ADDRESSES: dict[str, Call] = {
    "management_url": attrgetter("management_url"),
    "port": attrgetter("port"),
    "url": attrgetter("url"),
    "url_for": methodcaller("url_for"),
}
"""What exists from the start on."""

CHANGES: dict[str, Call] = {
    "add_user": methodcaller("add_user", "joe", "secret"),
    "add_virtualhost": methodcaller("add_virtualhost", "other"),
    "advance": methodcaller("advance", 1),
    "bind_exchange": methodcaller("bind_exchange", "amq.fanout", "amq.direct"),
    "bind_queue": methodcaller("bind_queue", "orders", "amq.direct"),
    "block": methodcaller("block"),
    "clear_operator_policy": methodcaller("clear_operator_policy", "limit"),
    "clear_permissions": methodcaller("clear_permissions", "guest"),
    "clear_policy": methodcaller("clear_policy", "limit"),
    "clear_topic_permissions": methodcaller("clear_topic_permissions", "guest"),
    "declare_exchange": methodcaller("declare_exchange", "events"),
    "declare_queue": methodcaller("declare_queue", "others"),
    "delete_exchange": methodcaller("delete_exchange", "events"),
    "delete_queue": methodcaller("delete_queue", "orders"),
    "delete_user": methodcaller("delete_user", "guest"),
    "delete_virtualhost": methodcaller("delete_virtualhost", "/"),
    "faults": lambda broker: broker.faults.nack_publishes(),
    "load_definitions": methodcaller("load_definitions", {"queues": []}),
    "publish": methodcaller("publish", "", "orders", b"two"),
    "purge_queue": methodcaller("purge_queue", "orders"),
    "put": methodcaller("put", "orders", b"two"),
    "requeue": methodcaller("requeue", "orders"),
    "respond": methodcaller("respond", "prices", json=1),
    "restore": restore,
    "set_operator_policy": methodcaller("set_operator_policy", "p", ".*", {"max-length": 3}),
    "set_permissions": methodcaller("set_permissions", "guest"),
    "set_policy": methodcaller("set_policy", "p", ".*", {"max-length": 3}),
    "set_topic_permissions": methodcaller("set_topic_permissions", "guest", "amq.topic"),
    "set_user_limits": methodcaller("set_user_limits", "guest", max_channels=1),
    "set_user_tags": methodcaller("set_user_tags", "guest", "management"),
    "set_virtualhost_limits": methodcaller("set_virtualhost_limits", max_queues=1),
}
"""What sets a broker up, until it is stopped."""

CALLS_OF_CLIENTS: dict[str, Call] = {
    "cancel_consumer": methodcaller("cancel_consumer", "tag"),
    "open_transport": later("open_transport", asyncio.Protocol),
}
"""What says by itself that it needs a client, or the broker's event loop."""

EFFECTS: dict[str, Call] = {
    "auto_advance": methodcaller("auto_advance"),
    "close_connection": methodcaller("close_connection", "worker"),
    "close_connections": methodcaller("close_connections"),
    "cut_connections": methodcaller("cut_connections"),
    "restart": methodcaller("restart"),
    "restart_async": later("restart_async"),
    "shut_down": methodcaller("shut_down"),
    "start": methodcaller("start"),
    "wait_for_connections": methodcaller("wait_for_connections"),
    "wait_for_connections_async": later("wait_for_connections_async"),
    "wait_for_consumers": methodcaller("wait_for_consumers", "orders"),
    "wait_for_consumers_async": later("wait_for_consumers_async", "orders"),
    "wait_for_idle": methodcaller("wait_for_idle"),
    "wait_for_idle_async": later("wait_for_idle_async"),
    "wait_for_messages": methodcaller("wait_for_messages", "orders"),
    "wait_for_messages_async": later("wait_for_messages_async", "orders"),
    "wait_until": methodcaller("wait_until", lambda look: look.queues()),
    "wait_until_async": later("wait_until_async", lambda look: look.queues()),
}
"""What needs a broker that runs."""

WAITS_OF_OBJECTS: dict[str, Call] = {
    "events": lambda broker: broker.published(body=b"two").wait(),
    "fault": lambda broker: broker.faults.nack_publishes().wait(),
}


def make_broker() -> FakeBroker:
    broker = FakeBroker(clock=ManualClock(), management_port=0)
    broker.declare_queue("orders", arguments={"x-message-ttl": 60_000})
    broker.put("orders", b"one")
    broker.set_policy("limit", "none", {"max-length": 3})
    broker.set_operator_policy("limit", "none", {"max-length": 3})
    return broker


@pytest.fixture
def new() -> FakeBroker:
    return make_broker()


@pytest.fixture
def down() -> Iterator[FakeBroker]:
    with make_broker() as broker:
        broker.shut_down(keep="all")
        yield broker


@pytest.fixture
def stopped() -> FakeBroker:
    with make_broker() as broker:
        return broker


def test_each_public_name_is_in_one_table() -> None:
    names = [*LOOKS, *ADDRESSES, *CHANGES, *CALLS_OF_CLIENTS, *EFFECTS]

    assert [name for name in dir(FakeBroker) if not name.startswith("_")] == sorted(names)


@pytest.mark.parametrize("name", LOOKS)
def test_looks_work_at_any_time(
    new: FakeBroker, down: FakeBroker, stopped: FakeBroker, name: str
) -> None:
    LOOKS[name](new)
    LOOKS[name](down)
    LOOKS[name](stopped)


@pytest.mark.parametrize("name", ADDRESSES)
def test_addresses_exist_from_the_start_on(
    new: FakeBroker, down: FakeBroker, stopped: FakeBroker, name: str
) -> None:
    with pytest.raises(RuntimeError, match="the broker has no port before it is started; start"):
        ADDRESSES[name](new)
    ADDRESSES[name](down)
    ADDRESSES[name](stopped)


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_refused_when_the_broker_was_stopped(
    new: FakeBroker, down: FakeBroker, stopped: FakeBroker, name: str
) -> None:
    CHANGES[name](new)
    CHANGES[name](down)
    with pytest.raises(RuntimeError, match=STOPPED):
        CHANGES[name](stopped)


@pytest.mark.parametrize("name", EFFECTS)
def test_effects_and_waits_need_a_broker_that_runs(
    new: FakeBroker, stopped: FakeBroker, name: str
) -> None:
    with pytest.raises(RuntimeError, match=NOT_STARTED):
        EFFECTS[name](new)
    with pytest.raises(RuntimeError, match=STOPPED):
        EFFECTS[name](stopped)


@pytest.mark.parametrize("name", WAITS_OF_OBJECTS)
def test_waits_for_events_and_faults_need_a_broker_that_runs(
    new: FakeBroker, stopped: FakeBroker, name: str
) -> None:
    with pytest.raises(RuntimeError, match=NOT_STARTED):
        WAITS_OF_OBJECTS[name](new)
    with pytest.raises(RuntimeError, match=STOPPED):
        WAITS_OF_OBJECTS[name](stopped)


def test_what_was_in_force_ends_without_an_error() -> None:
    with FakeBroker() as broker:
        alarm = broker.block()
        fault = broker.faults.nack_publishes()
        responder = broker.respond("prices", json=1)

    alarm.clear()
    fault.remove()
    broker.faults.clear()
    responder.remove()
    assert (0, 0, ()) == (fault.count, fault.matched, responder.requests)


def test_timers_of_real_time_wait_for_the_start() -> None:
    broker = FakeBroker()
    broker.declare_queue("unused", arguments={"x-expires": 1})
    broker.declare_queue("orders", arguments={"x-message-ttl": 1})
    broker.declare_queue("others", arguments={"x-message-ttl": 1})
    broker.put("orders", b"one")
    broker.put("others", b"one")
    broker.purge_queue("others")

    with broker:
        broker.expired(queue_name="orders").wait(1)
        broker.history(kind="queue_deleted", queue_name="unused").wait(1)

        broker.expired(queue_name="others").assert_none()


def test_snapshot_can_be_restored_before_the_start() -> None:
    with FakeBroker() as other:
        other.declare_queue("orders", arguments={"x-message-ttl": 60_000})
        other.put("orders", b"one")
        seed = other.snapshot()
    broker = FakeBroker()
    requests = broker.respond("prices", json=1)

    broker.restore(seed)
    broker.put("prices", b"pen", reply_to="none")

    assert [b"one"] == [message.body for message in broker.messages("orders")]
    assert [b"pen"] == [request.body for request in requests.requests]
    with broker:
        assert ["orders", "prices"] == sorted(broker.queues())
