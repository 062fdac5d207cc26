"""The same program before and after a restart, on the fake broker and on RabbitMQ; and when it hangs.

Without a RabbitMQ the tests run on the fake alone, and compare it with what was seen. A RabbitMQ
that tests share must not be restarted: AMMOO_TEST_RESTARTS names the nodes of `.ci/rabbitmq` that this
suite may restart. A node of a cluster that has no other nodes is a private one.

    for release in 3.10 4.0 4.3; do .ci/rabbitmq start $release@3; done
    AMMOO_TEST_RESTARTS=3.10@3,4.0@3,4.3@3 … pytest tests/broker/test_restart_as_rabbitmq.py

AMMOO_TEST_DELAYED_RESTARTS names those that have the plugin rabbitmq_delayed_message_exchange, which
RabbitMQ does not ship; this takes a minute and a half. It was seen on 3.10.8 and 4.0.5.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest

from ammoo_fakebroker import FakeBroker, ManualClock
from ammoo_wire import QueueDeclareOkParameters, QueueDeclareParameters
from tests.support.peer import Peer

SCRIPT = Path(__file__).parents[2] / ".ci" / "rabbitmq"
RELEASES = [name for name in os.environ.get("AMMOO_TEST_RESTARTS", "").split(",") if name]
DELAYING = [name for name in os.environ.get("AMMOO_TEST_DELAYED_RESTARTS", "").split(",") if name]
QUEUES = ("classic", "transient", "used", "unused", "quorum", "limited")
EXCHANGES = ("durable", "transient", "auto-delete")


def run(*arguments: str) -> str:
    return subprocess.run(
        [SCRIPT, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def declare(channel: Any) -> None:
    """Declare one of each kind, and publish to some."""
    for name in QUEUES:
        channel.queue_delete(name)
    for name in EXCHANGES:
        channel.exchange_delete(name)
    channel.queue_declare("classic", durable=True)
    channel.queue_declare("transient")
    channel.queue_declare("used", durable=True, auto_delete=True)
    channel.queue_declare("unused", durable=True, auto_delete=True)
    channel.queue_declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_declare("limited", durable=True, arguments={"x-message-ttl": 3_600_000})
    channel.exchange_declare("durable", "fanout", durable=True)
    channel.exchange_declare("transient", "fanout")
    channel.exchange_declare("auto-delete", "fanout", durable=True, auto_delete=True)
    for source in EXCHANGES[:2]:
        channel.queue_bind("classic", source)
    channel.queue_bind("transient", "auto-delete")
    channel.queue_bind("transient", "durable")
    for name, mode in (("classic", 2), ("classic", 1), ("classic", 2), ("classic", 2)):
        publish(channel, name, mode)
    for name, mode in (("quorum", 1), ("quorum", 2), ("limited", 2), ("limited", 1)):
        publish(channel, name, mode)


def publish(channel: Any, queue_name: str, delivery_mode: int) -> None:
    properties = pika.BasicProperties(delivery_mode=delivery_mode)
    channel.basic_publish("", queue_name, b"%d" % delivery_mode, properties)


def hold(connection: Any) -> None:
    """Hold messages, requeue one, and consume from the auto-delete queue."""
    channel = connection.channel()
    tags = [channel.basic_get("classic")[0].delivery_tag for _ in range(3)]
    channel.basic_nack(tags[2], requeue=True)
    channel.basic_get("quorum")
    channel.basic_consume("used", lambda *_: None)


def exists(connection: Any, name: str, declare_passive: str) -> bool:
    try:
        getattr(connection.channel(), declare_passive)(name, passive=True)
    except pika.exceptions.ChannelClosedByBroker:
        return False
    return True


def contents(channel: Any, queue_name: str) -> Iterator[tuple[bytes, bool]]:
    while True:
        method, _, body = channel.basic_get(queue_name, auto_ack=True)
        if method is None:
            return
        yield body, method.redelivered


def observe(url: str, restart: Callable[[], object]) -> dict[str, Any]:
    """Return what a broker has after its restart."""
    parameters = pika.URLParameters(url)
    before = pika.BlockingConnection(parameters)
    channel = before.channel()
    channel.confirm_delivery()
    declare(channel)
    hold(before)
    restart()
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as closed:
        before.process_data_events(time_limit=20)
    with pika.BlockingConnection(parameters) as connection:
        queues = [name for name in QUEUES if exists(connection, name, "queue_declare")]
        found = {
            "queues": queues,
            "exchanges": [
                name for name in EXCHANGES if exists(connection, name, "exchange_declare")
            ],
            "messages": {
                name: list(contents(connection.channel(), name))
                for name in ("classic", "quorum", "limited")
            },
            "text": closed.value.reply_text,
        }
        clean_up(connection)
    return found


def clean_up(connection: Any) -> None:
    channel = connection.channel()
    with suppress(pika.exceptions.ChannelClosedByBroker):
        for name in QUEUES:
            channel.queue_delete(name)
        for name in EXCHANGES:
            channel.exchange_delete(name)


def observe_fake(release: str) -> dict[str, Any]:
    with FakeBroker(compatibility=release) as broker:
        return observe(broker.url, broker.restart)


def restart_app(release: str) -> None:
    run("ctl", release, "stop_app")
    run("ctl", release, "start_app")


if RELEASES:

    @pytest.mark.timeout(120)
    @pytest.mark.parametrize("release", RELEASES)
    def test_restarted_broker_has_what_rabbitmq_has(release: str) -> None:
        url = run("url", release)

        assert observe(url, lambda: restart_app(release)) == observe_fake(release.partition("@")[0])


@pytest.mark.parametrize(("release", "redelivered"), [("3.10", True), ("4.3", False)])
def test_restarted_broker_is_as_observed(release: str, redelivered: bool) -> None:
    """What RabbitMQ had, in short: so that it is seen without one."""
    found = observe_fake(release)

    assert ["classic", "unused", "quorum", "limited"] == found["queues"]
    assert {
        "classic": [(b"2", True), (b"2", redelivered), (b"2", False)],
        "quorum": [(b"1", True), (b"2", False)],
        "limited": [(b"2", False)],
    } == found["messages"]


# --- delayed messages ---------------------------------------------------------------------------


def publish_delayed(channel: Any) -> None:
    """Publish persistent and transient messages to a durable exchange and to one that is not."""
    channel.queue_declare("orders", durable=True)
    for name, durable in (("delaying", True), ("forgotten", False)):
        arguments = {"x-delayed-type": "fanout"}
        channel.exchange_declare(name, "x-delayed-message", durable=durable, arguments=arguments)
        channel.queue_bind("orders", name)
        for mode, seconds in ((1, 20), (1, 60), (2, 20), (2, 60)):
            body = f"{name}, mode {mode}, {seconds} s".encode()
            headers = {"x-delay": seconds * 1000}
            properties = pika.BasicProperties(headers=headers, delivery_mode=mode)
            channel.basic_publish(name, "", body, properties)


def observe_delayed(
    url: str, restart: Callable[[], object], later: Callable[[float], object]
) -> dict[str, list[tuple[bytes, bool]]]:
    """Return what becomes of messages that an exchange delays while the broker goes down.

    Args:
        url: Where the broker listens.
        restart: Takes it down and up; 30 seconds pass meanwhile.
        later: Lets time pass, in seconds.
    """
    parameters = pika.URLParameters(url)
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.confirm_delivery()
    publish_delayed(channel)
    restart()
    with suppress(pika.exceptions.AMQPError):
        connection.close()
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        # RabbitMQ routes what has become due once all plugins are up, a moment after it listens.
        later(5)
        after = list(contents(channel, "orders"))
        later(35)
        found = {"after the restart": after, "later": list(contents(channel, "orders"))}
        channel.queue_delete("orders")
        channel.exchange_delete("delaying")
    return found


def observe_delayed_by_fake(release: str) -> dict[str, list[tuple[bytes, bool]]]:
    clock = ManualClock()
    plugins = ["rabbitmq_delayed_message_exchange"]
    with FakeBroker(compatibility=release, clock=clock, plugins=plugins) as broker:

        def restart() -> None:
            broker.shut_down()
            clock.advance(30)
            broker.start()

        return observe_delayed(broker.url, restart, clock.advance)


def restart_for_30_seconds(release: str) -> None:
    """Take a RabbitMQ down so long that messages become due which were published just before."""
    began = time.monotonic()
    run("ctl", release, "stop_app")
    time.sleep(max(began + 30 - time.monotonic(), 0))  # a RabbitMQ has no clock to move
    run("ctl", release, "start_app")


if DELAYING:

    @pytest.mark.timeout(240)
    @pytest.mark.parametrize("release", DELAYING)
    def test_restarted_broker_delays_as_rabbitmq_does(release: str) -> None:
        url = run("url", release)

        found = observe_delayed(url, lambda: restart_for_30_seconds(release), time.sleep)

        assert found == observe_delayed_by_fake(release.partition("@")[0])


@pytest.mark.parametrize("release", ["3.10", "4.0"])
def test_delayed_messages_survive_a_restart(release: str) -> None:
    """Transient ones as well, and what was due while the broker was down comes at once."""
    assert {
        "after the restart": [
            (b"delaying, mode 1, 20 s", False),
            (b"delaying, mode 2, 20 s", False),
        ],
        "later": [(b"delaying, mode 1, 60 s", False), (b"delaying, mode 2, 60 s", False)],
    } == observe_delayed_by_fake(release)


# --- a node that is killed, or hangs -----------------------------------------------------------


class Node:
    """A RabbitMQ of `.ci/rabbitmq`, which can be killed and stopped."""

    def __init__(self, release: str) -> None:
        self._release = release
        self.url = run("url", release)

    @contextmanager
    def down(self) -> Iterator[None]:
        """Kill it; start it again."""
        run("kill", self._release)
        yield
        run("resume", self._release)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Stop its process, which the system then keeps the connections of."""
        pid = int(run("ctl", self._release, "eval", "list_to_integer(os:getpid())."))
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until_stopped(pid)
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


def wait_until_stopped(pid: int) -> None:
    """Wait until all threads of a process have stopped; one may answer a client meanwhile."""
    deadline = time.monotonic() + 30
    while {state_of(thread) for thread in Path(f"/proc/{pid}/task").iterdir()} != {"T"}:
        assert time.monotonic() < deadline, "the node did not stop"
        time.sleep(0.01)  # Linux tells no other process of it


def state_of(thread: Path) -> str:
    """Return the state of a thread, as Linux abbreviates it; that of one that has ended is T too."""
    try:
        stat = (thread / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "T"
    return stat.rpartition(") ")[2][0]


def test_thread_that_has_ended_has_stopped(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("7 (erl (x) 1) S 1 7")

    assert ["S", "T"] == [state_of(tmp_path), state_of(tmp_path / "ended")]


class Fake:
    """A fake broker that can be killed and stopped."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self.url = broker.url

    @contextmanager
    def down(self) -> Iterator[None]:
        """Take it down, and up again."""
        self._broker.shut_down(politely=False)
        yield
        self._broker.start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Hold what open connections send and get, and ignore new ones."""
        with (
            self._broker.faults.hold(optional=True),
            self._broker.faults.ignore_connections(optional=True),
        ):
            yield


@pytest.fixture(params=["fake", *RELEASES])
def node(request: pytest.FixtureRequest) -> Iterator[Node | Fake]:
    if request.param != "fake":
        yield Node(request.param)
        return
    with FakeBroker() as broker:
        yield Fake(broker)


@pytest.mark.timeout(120)
def test_killed_broker_resets_clients_and_refuses_new_ones(node: Node | Fake) -> None:
    with Peer.connect(node.url, seconds=60) as peer:
        channel = peer.channel()
        channel.consume(channel.declare_queue("", exclusive=True))

        with node.down():
            frames = peer.frames_until_end_of_stream()
            with pytest.raises(ConnectionRefusedError):
                Peer(node.url)

    assert ([], True) == (frames, peer.was_reset)
    with Peer.connect(node.url, seconds=60) as peer:
        peer.close()


def test_broker_that_hangs_accepts_and_says_nothing(node: Node | Fake) -> None:
    with (
        node.hanging(),
        Peer(node.url, seconds=1) as peer,
        pytest.raises(AssertionError, match="waited too long for 7 octets"),
    ):
        peer.begin()


def test_broker_that_hangs_answers_later(node: Node | Fake) -> None:
    with Peer.connect(node.url, seconds=30) as peer:
        channel = peer.channel()
        queue = channel.declare_queue("", exclusive=True)

        with node.hanging():
            channel.publish("", queue, b"one")
            channel.send(QueueDeclareParameters(queue, passive=True))
            readable, _, _ = select.select([peer._socket], [], [], 0.2)

        assert [] == readable
        assert queue == channel.expect(QueueDeclareOkParameters).queue_name
        assert b"one" == channel.await_message(queue).body
        peer.close()
