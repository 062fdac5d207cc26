"""The section about a broker in the report of a failing test, within its bounds."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pika  # type: ignore[import-untyped]  # it ships no types
from pika.adapters.blocking_connection import (  # type: ignore[import-untyped]  # as above
    BlockingChannel,
)

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.history.last_octets import CONNECTIONS_LIMIT, LastOctets
from ammoo_fakebroker.testing.reports import MAX_LINES, MAX_OCTETS, describe_broker
from ammoo_wire import ConnectionStartOkParameters, QueueDeclareParameters
from tests.support.frames import METHOD, encode_frame, encode_method

DECLARE = encode_frame(METHOD, 1, encode_method(QueueDeclareParameters("orders")))


def publish_to_queues_of_their_own(channel: BlockingChannel, bodies: list[bytes]) -> None:
    """Declare a queue for each message, and publish to it."""
    for number, body in enumerate(bodies):
        channel.queue_declare(f"queue {number}")
        channel.basic_publish("", f"queue {number}", body)


def wrote_each(octets: LastOctets, pieces: list[bytes]) -> None:
    """Let a client write pieces."""
    for piece in pieces:
        octets.buffer = memoryview(piece)
        octets.client_wrote(len(piece))


@contextmanager
def connected(broker: FakeBroker, count: int) -> Iterator[list[pika.BlockingConnection]]:
    """Open several connections, and close them at the end."""
    with ExitStack() as stack:
        parameters = pika.URLParameters(broker.url)
        yield [stack.enter_context(pika.BlockingConnection(parameters)) for _ in range(count)]


def declare_each(channel: BlockingChannel, names: list[str]) -> None:
    for name in names:
        channel.queue_declare(name)


def declare_by_turns(channel: BlockingChannel, names: list[str]) -> None:
    """Declare queues, every second of them durable."""
    for number, name in enumerate(names):
        channel.queue_declare(name, durable=bool(number % 2))


def test_report_is_bounded(fakebroker: FakeBroker) -> None:
    with pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection:
        channel = connection.channel()
        publish_to_queues_of_their_own(channel, [bytes([number]) * 5000 for number in range(40)])

        text = describe_broker(fakebroker)

    assert len(text.splitlines()) <= MAX_LINES
    assert len(text.encode()) <= MAX_OCTETS
    assert "… and 25 more queues that are not empty" in text or "lines are left out" in text
    assert "(5,000 octets)" in text


def test_equal_events_are_one_line(fakebroker: FakeBroker) -> None:
    with pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection:
        channel = connection.channel()
        channel.queue_declare("orders")
        channel.queue_declare("orders")
        channel.queue_declare("orders")
        channel.queue_declare("orders")

        text = describe_broker(fakebroker)

    assert "queue declared: 'orders' (it existed) (x3)" in text


def beat(broker: FakeBroker, count: int) -> None:
    """Publish heartbeats of different sizes, and let them go."""
    for number in range(count):
        broker.put("heartbeats", f"{number}" * number)
        broker.purge_queue("heartbeats")


def test_repeats_leave_room_for_what_happened_once(fakebroker: FakeBroker) -> None:
    """As the heartbeats that Celery's workers publish, between which a consumer is cancelled."""
    fakebroker.declare_queue("heartbeats")
    fakebroker.declare_queue("orders")
    beat(fakebroker, 100)
    fakebroker.put("orders", b"one")

    text = describe_broker(fakebroker)

    assert "the last of 304 events, repeats in one line:" in text
    assert "queue declared: 'orders'" in text
    assert "purged 'heartbeats' of 1 (the last of 100)" in text
    assert "key 'orders': b'one'" in text
    assert len(text.splitlines()) < 15


def test_report_without_history_says_so() -> None:
    with FakeBroker(history=0) as broker:
        assert "history is off" in describe_broker(broker)


# -- frames ------------------------------------------------------------------------------------


def test_last_frames_of_each_connection_are_shown_without_passwords(fakebroker: FakeBroker) -> None:
    fakebroker.add_user("ann", "top-secret")
    with pika.BlockingConnection(pika.URLParameters(fakebroker.url_for("ann", "top-secret"))):
        connection = pika.BlockingConnection(pika.URLParameters(fakebroker.url))
        channel = connection.channel()
        channel.queue_declare("orders")
        channel.basic_publish("", "orders", b"one")
        connection.close()

        text = describe_broker(fakebroker)

    assert "response=<15 octets>" in text
    assert "top-secret" not in text
    lines = text.splitlines()
    assert 2 == sum(line.startswith("the last frames of connection ") for line in lines)
    assert lines[-1] == "← connection.close-ok"
    assert "→ channel 1 queue.declare queue_name='orders'" in lines
    assert "→ channel 1 basic.publish routing_key='orders' body 3: b'one'" in lines
    assert any(line.endswith("(closed):") for line in lines)


def test_frames_are_shown_whose_beginning_was_not_kept(fakebroker: FakeBroker) -> None:
    """A large body is not kept, and of many pieces the last ones."""
    with pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection:
        channel = connection.channel()
        channel.basic_publish("", "nowhere", bytes(300_000))
        declare_each(channel, [f"queue {number}" for number in range(60)])

        text = describe_broker(fakebroker)

    lines = text.splitlines()
    assert "→ channel 1 queue.declare queue_name='queue 59'" in lines
    assert lines[-1].startswith("← channel 1 queue.declare-ok queue_name='queue 59'")
    assert "broken frame" not in text


def test_frames_are_shown_behind_a_text_whose_middle_was_not_kept() -> None:
    """What is kept of it looks like a frame of a gigabyte."""
    octets = LastOctets(frame_max=131_072)
    wrote_each(octets, [b"n" * 72_000, b"n" * 3_000, DECLARE])

    assert "→ channel 1 queue.declare queue_name='orders'" == octets.frames(20)[-1]


def test_nothing_is_shown_of_a_login_whose_beginning_was_dropped() -> None:
    octets = LastOctets(frame_max=131_072)
    login = encode_method(ConnectionStartOkParameters({}, "PLAIN", b"\0ann\0" + b"secret" * 30, ""))
    frame = encode_frame(METHOD, 0, login)
    wrote_each(octets, [frame[at : at + 3] for at in range(0, len(frame), 3)])

    assert [] == octets.frames(20)


def test_connections_beyond_the_last_ones_keep_no_octets() -> None:
    with FakeBroker() as broker, connected(broker, CONNECTIONS_LIMIT) as connections:
        oldest = broker._server.last_octets()[0]
        before = oldest.frames(1)
        with pika.BlockingConnection(pika.URLParameters(broker.url)):
            connections[0].channel()
            after = oldest.frames(1)

    assert ["← connection.open-ok"] == before
    assert [] == after


def test_report_has_few_frames_where_there_is_little_room(fakebroker: FakeBroker) -> None:
    parameters = pika.URLParameters(fakebroker.url)
    with (
        pika.BlockingConnection(parameters) as one,
        pika.BlockingConnection(parameters) as two,
        pika.BlockingConnection(parameters) as three,
    ):
        declare_by_turns(one.channel(), [f"queue 1 {number}" for number in range(30)])
        declare_by_turns(two.channel(), [f"queue 2 {number}" for number in range(30)])
        declare_by_turns(three.channel(), [f"queue 3 {number}" for number in range(30)])

        text = describe_broker(fakebroker)

    assert len(text.splitlines()) <= MAX_LINES
    assert len(text.encode()) <= MAX_OCTETS
    assert 3 == text.count("the last frames of connection ")
