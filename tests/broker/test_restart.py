"""A broker that goes down and comes up again: what it still has, and what clients see.

What survives is what RabbitMQ 3.10.8, 4.0.5 and 4.3.6 had after `rabbitmqctl stop_app` and `start_app`.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest

import ammoo
from ammoo.exceptions import AmmooError
from ammoo_fakebroker import FakeBroker, ManualClock

_Connect = Callable[..., pika.BlockingConnection]


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker(clock=ManualClock()) as broker:
        yield broker


@pytest.fixture
def connect(broker: FakeBroker) -> Iterator[_Connect]:
    """Return a function that opens a connection, which is closed in the end."""
    connections = []

    def connect(to: FakeBroker = broker) -> pika.BlockingConnection:
        connection = pika.BlockingConnection(pika.URLParameters(to.url))
        connections.append(connection)
        return connection

    yield connect
    for connection in connections:
        with suppress(pika.exceptions.AMQPError):
            connection.close()


def bodies(broker: FakeBroker, queue_name: str) -> list[tuple[bytes, bool]]:
    return [(message.body, message.redelivered) for message in broker.messages(queue_name)]


def is_refused(broker: FakeBroker) -> bool:
    """Return whether the port refuses a connection."""
    try:
        socket.create_connection((broker.host, broker.port)).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize(
    ("politely", "lost", "text"),
    [
        (True, pika.exceptions.ConnectionClosedByBroker, "broker forced .* 'shutdown'"),
        (False, pika.exceptions.StreamLostError, "reset by peer"),
    ],
)
def test_clients_lose_their_connections_and_find_the_same_port(
    broker: FakeBroker, connect: _Connect, politely: bool, lost: type[Exception], text: str
) -> None:
    connection = connect()
    port = broker.port

    broker.restart(politely=politely)
    with pytest.raises(lost, match=text):
        connection.process_data_events(time_limit=10)

    assert (port, ()) == (broker.port, broker.connections)
    assert connect().is_open


def test_down_broker_refuses_clients_and_shows_what_is_stored(broker: FakeBroker) -> None:
    broker.declare_queue("orders", durable=True)
    broker.put("orders", b"1", delivery_mode=2)

    broker.shut_down()
    refused = [is_refused(broker) for _ in range(50)]

    assert [True] * 50 == refused
    assert ([(b"1", False)], ()) == (bodies(broker, "orders"), broker.connections)
    with pytest.raises(RuntimeError, match="already down"):
        broker.shut_down()
    broker.start()
    with socket.create_connection((broker.host, broker.port)):
        pass


def test_durable_things_and_persistent_messages_survive(broker: FakeBroker) -> None:
    broker.declare_queue("classic", durable=True)
    broker.declare_queue("transient")
    broker.declare_queue("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    broker.declare_queue("stream", durable=True, arguments={"x-queue-type": "stream"})
    broker.declare_exchange("durable", "fanout", durable=True)
    broker.bind_queue("classic", "durable")
    broker.bind_queue("transient", "durable")
    broker.put("classic", b"1", delivery_mode=2)
    broker.put("classic", b"2")
    broker.put("quorum", b"1", delivery_mode=2)
    broker.put("quorum", b"2")
    broker.put("stream", b"1", delivery_mode=2)
    broker.put("stream", b"2")

    broker.restart()

    assert [(b"1", False)] == bodies(broker, "classic")
    assert 2 == len(broker.messages("quorum")) == len(broker.messages("stream"))
    assert ["classic", "quorum", "stream"] == sorted(broker.queues())
    assert ["classic"] == [each.destination for each in broker.exchanges()["durable"].bindings]


@pytest.mark.parametrize(
    ("compatibility", "survivors"),
    [("3.10", ["auto-delete"]), ("4.0", ["auto-delete"]), ("4.3", ["transient"])],
)
def test_exchanges_survive_as_in_the_release(compatibility: str, survivors: list[str]) -> None:
    """An auto-delete exchange loses its only binding, to a queue that is not durable."""
    with FakeBroker(compatibility=compatibility) as broker:
        broker.declare_exchange("transient")
        broker.declare_exchange("auto-delete", durable=True, auto_delete=True)
        broker.declare_queue("queue")
        broker.bind_queue("queue", "auto-delete")

        broker.restart()

        assert survivors == [name for name in broker.exchanges() if name in _DECLARED]


_DECLARED = ("transient", "auto-delete")


@pytest.mark.parametrize(("compatibility", "was_ready"), [("4.0", True), ("4.3", False)])
def test_unacknowledged_messages_are_redelivered(
    connect: _Connect, compatibility: str, was_ready: bool
) -> None:
    """4.3 forgets that a message was delivered that is ready when the node goes down."""
    with FakeBroker(compatibility=compatibility) as broker:
        broker.declare_queue("queue", durable=True)
        broker.declare_queue("other", durable=True)
        broker.put("queue", b"1", delivery_mode=2)
        broker.put("queue", b"2", delivery_mode=2)
        broker.put("queue", b"3", delivery_mode=2)
        channel = connect(broker).channel()
        tags = [channel.basic_get("queue")[0].delivery_tag for _ in range(2)]
        channel.basic_nack(tags[1], requeue=True)

        broker.restart()

        assert [(b"1", True), (b"2", was_ready), (b"3", False)] == bodies(broker, "queue")


def test_no_client_gets_what_another_held(broker: FakeBroker, connect: _Connect) -> None:
    broker.declare_queue("queue", durable=True, arguments={"x-queue-type": "quorum"})
    broker.put("queue", b"1")
    channel, other = connect().channel(), connect().channel()
    channel.basic_get("queue")
    other.basic_consume("queue", lambda *_: None)

    broker.restart()
    _, properties, _ = connect().channel().basic_get("queue")

    assert 1 == properties.headers["x-delivery-count"]


def test_exclusive_queues_and_used_auto_delete_queues_are_gone(
    broker: FakeBroker, connect: _Connect
) -> None:
    channel = connect().channel()
    channel.queue_declare("exclusive", exclusive=True)
    channel.queue_declare("used", durable=True, auto_delete=True)
    channel.queue_declare("unused", durable=True, auto_delete=True)
    channel.basic_consume("used", lambda *_: None)

    broker.restart(keep="all")

    assert ["unused"] == list(broker.queues())


@pytest.mark.parametrize(("keep", "kept"), [("all", ["a", "b"]), ("none", [])])
def test_all_or_nothing_can_be_kept(broker: FakeBroker, keep: str, kept: list[str]) -> None:
    broker.declare_queue("a")
    broker.declare_queue("b", durable=True)
    broker.declare_exchange("exchange", durable=True)
    broker.bind_queue("a", "exchange")
    broker.put("b", b"1")

    broker.restart(keep=keep)  # type: ignore[arg-type]  # one of the three

    assert kept == list(broker.queues())
    assert (len(kept) == 2) == ("exchange" in broker.exchanges())
    assert "amq.topic" in broker.exchanges()
    assert [1] * (len(kept) // 2) == [broker.queue(name).message_count for name in kept[1:]]


def test_time_to_live_goes_on_while_the_broker_is_down(broker: FakeBroker) -> None:
    broker.declare_queue("queue", durable=True, arguments={"x-message-ttl": 20_000})
    broker.put("queue", b"1", delivery_mode=2)

    broker.advance(5)
    broker.shut_down()
    broker.advance(10)
    broker.start()

    broker.advance(4)
    assert 1 == broker.queue("queue").message_count
    broker.advance(1)
    assert 0 == broker.queue("queue").message_count


def test_time_without_use_starts_anew(broker: FakeBroker) -> None:
    broker.declare_queue("queue", durable=True, arguments={"x-expires": 20_000})

    broker.shut_down()
    broker.advance(60)
    broker.start()
    broker.advance(19)
    assert ["queue"] == list(broker.queues())
    broker.advance(1)
    assert [] == list(broker.queues())


def test_responders_go_on(broker: FakeBroker) -> None:
    """The queue of the stub is not durable: it is declared again."""
    broker.declare_queue("answers", durable=True)
    broker.declare_queue("durable", durable=True)
    broker.respond("prices", body="3")
    broker.respond("durable", body="4")

    broker.shut_down()
    broker.put("durable", b"", reply_to="answers", delivery_mode=2)
    assert [] == broker.messages("answers")
    broker.start()
    broker.put("prices", b"", reply_to="answers")

    assert [b"4", b"3"] == [message.body for message in broker.messages("answers")]


def test_faults_and_users_stay(broker: FakeBroker) -> None:
    broker.add_user("other", "secret")
    fault = broker.faults.refuse_connections()
    broker.restart()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((broker.host, broker.port))
    fault.remove()
    pika.BlockingConnection(pika.URLParameters(broker.url_for("other"))).close()


async def test_broker_in_the_event_loop_is_restarted() -> None:
    async with FakeBroker() as broker:
        broker.declare_queue("queue", durable=True)
        connection = await ammoo.connect(broker.url)
        with pytest.raises(AmmooError):
            await restart_inside(broker, connection)
        async with await ammoo.connect(broker.url) as again, again.channel() as channel:
            await channel.declare_queue("queue", durable=True)
        with pytest.raises(RuntimeError, match="await restart_async"):
            broker.restart(down_for=1)


async def restart_inside(broker: FakeBroker, connection: ammoo.Connection) -> None:
    async with connection, connection.channel() as channel:
        await broker.restart_async(down_for=0.001)
        await channel.declare_queue("other")


def test_restarts_are_checked(broker: FakeBroker) -> None:
    with pytest.raises(ValueError, match="keep is 'some'; expected 'durable', 'all' or 'none'"):
        broker.restart(keep="some")  # type: ignore[arg-type]  # what is tested
    with pytest.raises(ValueError, match="down_for is -1; expected a number of seconds"):
        broker.restart(down_for=-1)
    with pytest.raises(RuntimeError, match="is not down; start"):
        broker.start()
    with pytest.raises(RuntimeError, match="has not been started; start it first"):
        FakeBroker().restart()


def test_broker_can_be_stopped_while_it_is_down() -> None:
    with FakeBroker() as broker:
        broker.shut_down()
    with pytest.raises(RuntimeError, match="was stopped"):
        broker.shut_down()


def test_restart_of_a_moment(broker: FakeBroker) -> None:
    broker.restart(down_for=0.001)

    assert not broker.connections


async def test_broker_comes_up_when_its_restart_is_cancelled() -> None:
    async with FakeBroker() as broker:
        restarting = asyncio.create_task(broker.restart_async(down_for=3600))
        await asyncio.sleep(0)  # the restart begins

        restarting.cancel()
        with suppress(asyncio.CancelledError):
            await restarting

        connection = await ammoo.connect(broker.url)
        await connection.close()


async def test_broker_that_is_stopped_during_its_restart_stays_down() -> None:
    async with FakeBroker() as broker:
        restarting = asyncio.create_task(broker.restart_async(down_for=3600))
        await asyncio.sleep(0)  # the restart begins

    restarting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await restarting


def test_keeping_nothing_removes_delayed_messages_and_all_bindings() -> None:
    clock = ManualClock()
    plugins = ["rabbitmq_delayed_message_exchange"]
    with FakeBroker(clock=clock, plugins=plugins) as broker:
        delaying = {"x-delayed-type": "fanout"}
        broker.declare_exchange("later", "x-delayed-message", arguments=delaying)
        broker.bind_exchange("amq.fanout", "amq.topic", "#")
        broker.publish("later", "", b"1", headers={"x-delay": 1000})

        broker.restart(keep="none")
        broker.declare_exchange("later", "x-delayed-message", arguments=delaying)
        broker.declare_queue("orders")
        broker.bind_queue("orders", "later")
        clock.advance(1)

        assert ([], ()) == (broker.messages("orders"), broker.exchanges()["amq.topic"].bindings)


def refuse_connections(broker: FakeBroker) -> None:
    broker.faults.refuse_connections()


@pytest.mark.parametrize("refuse", [FakeBroker.shut_down, refuse_connections])
async def test_client_that_connects_in_the_same_turn_of_the_loop_is_refused(
    refuse: Callable[[FakeBroker], None],
) -> None:
    async with FakeBroker() as broker:
        await asyncio.sleep(0)  # the broker begins to accept clients
        refuse(broker)

        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", broker.port)
