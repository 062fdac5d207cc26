"""The memory limit: publishers are blocked above it, and go on when consumers have made room."""

import pytest

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.clocks.clock import ManualClock
from ammoo_fakebroker.node.alarms import Alarms
from ammoo_fakebroker.queues.classic import ClassicQueue
from ammoo_wire import (
    BasicAckParameters,
    BasicConsumeParameters,
    BasicGetParameters,
    BasicPublishParameters,
    ChannelOpenParameters,
    ConnectionBlockedParameters,
    ConnectionUnblockedParameters,
    QueueBindParameters,
    QueueDeclareParameters,
    QueuePurgeParameters,
    TxCommitParameters,
    TxSelectParameters,
    method_of,
)

from .link import Line, make_node

MIB = 1 << 20
BLOCKED = ConnectionBlockedParameters("low on memory")
UNBLOCKED = ConnectionUnblockedParameters()


def limited_line() -> Line:
    """Return a client, with a queue, of a node whose messages may take 20 MiB."""
    line = Line(make_node(memory_limit=20 * MIB))
    line.declare("queue")
    return line


def advance(line: Line) -> list[tuple[object, ...]]:
    """Let the node count its memory again; return what the client is told."""
    assert isinstance(line.node.clock, ManualClock)
    line.node.clock.advance(0.1)
    return [command.parameters for command in line.run()]


def fill(line: Line, size: int = MIB, most: int = 40, **options: object) -> int:
    """Publish messages until the client is blocked; return how many went in."""
    for number in range(most):
        told = [command.parameters for command in line.publish("queue", bytes(size), **options)]
        if BLOCKED in told:
            return number
    return most


def test_publisher_is_blocked_above_the_limit() -> None:
    line = limited_line()

    assert 20 == fill(line)
    assert line.connection.is_blocked
    assert not line.transport.is_reading


def test_publisher_goes_on_when_there_is_room() -> None:
    line = limited_line()
    fill(line)
    consumer = Line(line.node)

    still_blocked = advance(line)
    consumer.ask(QueuePurgeParameters("queue"))
    unblocked = advance(line)

    assert [] == still_blocked
    assert [UNBLOCKED] == unblocked
    assert not line.connection.is_blocked
    assert line.transport.is_reading


def test_messages_with_a_consumer_count_until_they_are_acked() -> None:
    line = limited_line()
    consumer = Line(line.node)
    consumer.ask(BasicConsumeParameters("queue", "tag"))
    before = fill(line)
    consumer.run()

    still_blocked = advance(line)
    consumer.ask(BasicAckParameters(0, multiple=True))

    assert 19 == before  # what waits to be read by the consumer counts as well
    assert [] == still_blocked
    assert [UNBLOCKED] == advance(line)


def test_messages_that_are_not_committed_count() -> None:
    line = limited_line()
    line.ask(TxSelectParameters())

    assert 20 == fill(line)
    Line(line.node).ask(TxSelectParameters(), TxCommitParameters())
    assert [] == advance(line)


def test_stream_counts() -> None:
    line = Line(make_node(memory_limit=20 * MIB))
    line.ask(QueueDeclareParameters("queue", durable=True, arguments={"x-queue-type": "stream"}))

    assert 20 == fill(line)


def is_blocked_behind(line: Line, octets: bytes) -> bool:
    """Let octets arrive, and return whether the client is blocked then."""
    line.connection.receive_data(octets)
    return line.connection.is_blocked


def test_bodies_that_are_not_complete_count_and_wait() -> None:
    line = limited_line()
    line.client.send_method(1, method_of(BasicPublishParameters).encode("", "queue", False, False))
    line.run()
    header = b"\x02\0\1\0\0\0\x0e\0\x3c\0\0" + (30 * MIB).to_bytes(8, "big") + b"\0\0\xce"
    line.connection.receive_data(header)

    part = b"\x03\0\1\0\1\0\0" + bytes(65_536) + b"\xce"

    was_blocked = [is_blocked_behind(line, part) for _ in range(400)]

    assert (False, True) == (was_blocked[200], was_blocked[-1])
    assert [BLOCKED] == [command.parameters for command in line.run()]


def test_nothing_is_held_for_a_client_that_is_gone() -> None:
    """Neither the half of a message that it sent nor the answers that it did not read."""
    line = limited_line()
    line.publish("queue", bytes(MIB))
    line.send(BasicGetParameters("queue", no_ack=True))
    line.client.send_method(1, method_of(BasicPublishParameters).encode("", "queue", False, False))
    line.connection.receive_data(line.client.data_to_send())
    line.connection.receive_data(b"\x02\0\1\0\0\0\x0e\0\x3c\0\0\0\0\0\0\0\1\0\0\0\0\xce")
    line.connection.receive_data(b"\x03\0\1\0\0\xff\xff" + bytes(65_535) + b"\xce")
    held = line.connection.memory_size()

    line.connection.disconnected()

    assert held > MIB + 65_000
    assert 0 == line.connection.memory_size()


def test_many_copies_of_one_message_are_noticed() -> None:
    """Each publish goes to a thousand queues: what is received is a hundredth of the growth."""
    line = Line(make_node(memory_limit=20 * MIB))
    names = [f"q{number}" for number in range(1000)]
    line.ask(*(QueueDeclareParameters(name) for name in names))
    line.ask(*(QueueBindParameters(name, "amq.fanout", "") for name in names))

    published = fill(line, 10_000, 400, exchange="amq.fanout")

    assert published < 30
    assert line.connection.is_blocked


def test_small_messages_count_for_more_than_their_bodies() -> None:
    node = make_node()
    line = Line(node)
    line.declare("queue")

    line.fill("queue", *[b""] * 100)

    assert 51_200 == node.memory_size()


def test_counting_is_rare_where_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(make_node())
    line.declare("queue")
    counts: list[int] = []
    memory_size = ClassicQueue.memory_size

    def count(queue: ClassicQueue) -> int:
        counts.append(memory_size(queue))
        return counts[-1]

    monkeypatch.setattr(ClassicQueue, "memory_size", count)

    line.fill("queue", *[bytes(MIB)] * 200)

    assert 3 < len(counts) < 20


def test_no_limit_limits_nothing() -> None:
    line = Line(make_node(memory_limit=None))
    line.declare("queue")

    assert 40 == fill(line)


def test_clients_that_do_not_publish_go_on_above_the_limit() -> None:
    line = limited_line()
    fill(line)

    assert "low on memory" == line.node.alarms.reason
    other = Line(line.node)
    assert other.ask(ChannelOpenParameters(), channel=2)
    assert other.get("queue") is not None


# --- alarms -----------------------------------------------------------------------------------


def test_alarms_add_up() -> None:
    alarms = Alarms()

    alarms.raise_("a", "low on memory")
    alarms.raise_("b", "low on disk")
    both = alarms.reason
    alarms.clear("a")
    one = alarms.reason
    alarms.clear("b")
    alarms.clear("never raised")

    assert ("low on disk & memory", "low on disk", None) == (both, one, alarms.reason)


def test_reason_of_ones_own_is_told_first() -> None:
    alarms = Alarms()

    alarms.raise_("a", "because")
    alarms.raise_("b", "low on disk")

    assert "because" == alarms.reason


def test_operator_clears_one_alarm_or_all() -> None:
    broker = FakeBroker()

    broker.block("low on memory")
    broker.block("low on disk")
    broker.unblock("low on memory")
    left = broker._node.alarms.reason
    broker.block("low on memory")
    broker.unblock()

    assert ("low on disk", None) == (left, broker._node.alarms.reason)
