"""What each fault does to publishes, confirms and deliveries, frame by frame."""

import pytest

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelParameters,
    BasicConsumeParameters,
    BasicGetOkParameters,
    BasicQosParameters,
    ChannelCloseParameters,
    ChannelOpenParameters,
    ConfirmSelectParameters,
    QueueDeclareParameters,
)
from tests.broker.link import Line, deliveries
from tests.broker.scripted import Stage, confirms, names


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def line(stage: Stage) -> Line:
    line = stage.connect()
    line.ask(ConfirmSelectParameters(), QueueDeclareParameters("queue"))
    return line


def ack(number: int, *, multiple: bool = False) -> tuple[str, int, bool]:
    return ("BasicAck", number, multiple)


def nack(number: int) -> tuple[str, int, bool]:
    return ("BasicNack", number, False)


# -- publishes ---------------------------------------------------------------------------------


def test_nacked_publish_is_not_routed(stage: Stage, line: Line) -> None:
    stage.faults.nack_publishes(times=1)

    found = line.publish("queue", b"1") + line.publish("queue", b"2")

    assert [("BasicNack", 1), ("BasicAck", 2)] == [confirm[:2] for confirm in confirms(found)]
    assert [b"2"] == line.get_all("queue")


def test_nacked_publish_is_checked_as_usual(stage: Stage, line: Line) -> None:
    fault = stage.faults.nack_publishes()

    assert ["ChannelClose"] == names(line.publish("queue", exchange="no such"))
    assert 0 == fault.matched


@pytest.mark.parametrize(
    ("mandatory", "answers"), [(True, ["BasicReturn", "BasicAck"]), (False, ["BasicAck"])]
)
def test_returned_publish_is_not_routed(
    stage: Stage, line: Line, mandatory: bool, answers: list[str]
) -> None:
    stage.faults.return_publishes(times=1)

    found = line.publish("queue", b"1", mandatory=mandatory)

    assert answers == names(found)
    assert [] == line.get_all("queue")


def test_returned_publish_without_confirms_has_no_ack(stage: Stage, line: Line) -> None:
    stage.faults.return_publishes()
    other = stage.connect()

    assert ["BasicReturn"] == names(other.publish("queue", mandatory=True))
    assert [] == names(other.publish("queue"))


def test_duplicate_is_redelivered(stage: Stage, line: Line) -> None:
    line.ask(QueueDeclareParameters("other"))
    stage.faults.duplicate_deliveries(queue_name="queue", times=1)
    line.fill("queue", b"1", b"2")
    line.fill("other", b"3")

    found = [line.get("queue") for _ in range(4)]

    assert [(b"1", False), (b"1", True), (b"2", False)] == [
        (bytes(command.body or b""), command.parameters.redelivered)
        for command in found
        if command is not None and isinstance(command.parameters, BasicGetOkParameters)
    ]
    assert [b"3"] == line.get_all("other")


def test_duplicate_goes_to_a_consumer_at_once(stage: Stage, line: Line) -> None:
    line.ask(BasicConsumeParameters("queue", "tag", no_ack=True))
    stage.faults.duplicate_deliveries()

    found = line.publish("queue", b"1")

    assert [("tag", 1, b"1"), ("tag", 2, b"1")] == deliveries(found)


# -- confirms ----------------------------------------------------------------------------------


def test_held_confirms_are_released_in_order(stage: Stage, line: Line) -> None:
    fault = stage.faults.hold_confirms()
    assert [] == line.publish_together("queue", "queue", "queue", "queue")
    assert 4 == fault.held_count

    fault.release(1)
    first = line.run()
    fault.nack(1)
    second = line.run()
    fault.remove()
    rest = line.run()

    assert [[ack(1)], [nack(2)], [ack(3), ack(4)]] == [*map(confirms, (first, second, rest))]
    assert 4 == len(line.get_all("queue"))


def test_confirm_beside_a_held_one_does_not_cover_it(stage: Stage, line: Line) -> None:
    line.ask(QueueDeclareParameters("other"))
    fault = stage.faults.hold_confirms(routing_key="queue")

    beside = line.publish_together("other", "queue", "other", "other")
    fault.release()
    released = line.run()
    after = line.publish_together("other", "other")

    assert [ack(1), ack(3), ack(4)] == confirms(beside)
    assert [ack(2)] == confirms(released)
    assert [ack(6, multiple=True)] == confirms(after)


def test_held_confirm_of_a_closed_channel_is_never_sent(stage: Stage, line: Line) -> None:
    fault = stage.faults.hold_confirms()
    line.publish("queue")
    line.ask(ChannelCloseParameters(200, "", 0, 0))
    line.ask(ChannelOpenParameters())

    assert 0 == fault.held_count
    fault.release()
    assert [] == line.run()


def test_dropped_confirm_stays_lost(stage: Stage, line: Line) -> None:
    with stage.faults.drop_confirms(times=1):
        found = line.publish_together("queue", "queue", "queue")

    after = line.publish_together("queue", "queue")

    assert [ack(2), ack(3), ack(4), ack(5)] == confirms(found + after)


def test_confirms_are_reordered_within_a_window(stage: Stage, line: Line) -> None:
    with stage.faults.reorder_confirms(window=3):
        found = line.publish_together("queue", "queue", "queue", "queue")
    rest = line.run()

    assert [1, 2, 3] == sorted(confirm[1] for confirm in confirms(found))
    assert [ack(1), ack(2), ack(3)] != confirms(found)
    assert [ack(4)] == confirms(rest)


def test_confirms_are_merged(stage: Stage, line: Line) -> None:
    with stage.faults.merge_confirms(count=3):
        found = line.publish("queue") + line.publish("queue") + line.publish("queue")
        found += line.publish("queue")
    rest = line.run()

    assert [ack(3, multiple=True)] == confirms(found)
    assert [ack(4, multiple=True)] == confirms(rest)


def test_confirms_are_not_merged_over_one_that_is_held(stage: Stage, line: Line) -> None:
    line.ask(QueueDeclareParameters("other"))
    stage.faults.merge_confirms(count=2, routing_key="queue")
    stage.faults.hold_confirms(routing_key="other")

    found = line.publish_together("other", "queue", "queue")

    assert [ack(2), ack(3)] == confirms(found)


# -- deliveries --------------------------------------------------------------------------------


def consume(line: Line, *, prefetch: int = 0, no_ack: bool = False) -> None:
    line.ask(BasicQosParameters(0, prefetch, False))
    line.ask(BasicConsumeParameters("queue", "tag", no_ack=no_ack))


@pytest.mark.parametrize("no_ack", [False, True])
def test_held_deliveries_are_released_in_order(stage: Stage, line: Line, no_ack: bool) -> None:
    consume(line, no_ack=no_ack)
    fault = stage.faults.hold_deliveries(queue_name="queue", consumer_tag="tag")
    line.fill("queue", b"1", b"2", b"3")
    assert 3 == fault.held_count

    fault.release(1)
    first = line.run()
    fault.remove()
    rest = line.run()

    assert [("tag", 1, b"1")] == deliveries(first)
    assert [("tag", 2, b"2"), ("tag", 3, b"3")] == deliveries(rest)


def test_held_deliveries_are_unacknowledged_and_count_for_the_prefetch(
    stage: Stage, line: Line
) -> None:
    consume(line, prefetch=2)
    fault = stage.faults.hold_deliveries()
    line.fill("queue", b"1", b"2", b"3")
    queue = stage.node.virtualhosts["/"].queues["queue"]

    assert (2, 1) == (queue.unacked_count, queue.message_count)
    fault.remove()
    assert [1, 2] == [tag for _, tag, _ in deliveries(line.run())]
    acked = [line.ask(BasicAckParameters(number, False)) for number in (1, 2)]
    assert 1 == len(acked[0])
    assert (1, 0) == (queue.unacked_count, queue.message_count)


def test_held_delivery_returns_to_its_queue_with_its_channel(stage: Stage, line: Line) -> None:
    consume(line)
    fault = stage.faults.hold_deliveries()
    line.fill("queue", b"1", b"2")
    line.ask(ChannelCloseParameters(200, "", 0, 0))
    line.ask(ChannelOpenParameters())

    assert 0 == fault.held_count
    fault.remove()
    assert [b"1", b"2"] == line.get_all("queue")
    assert 0 == stage.node.virtualhosts["/"].queues["queue"].unacked_count


def test_held_delivery_returns_to_its_queue_if_its_consumer_is_cancelled(
    stage: Stage, line: Line
) -> None:
    consume(line)
    fault = stage.faults.hold_deliveries()
    line.fill("queue", b"1")
    line.ask(BasicCancelParameters("tag", False))

    fault.remove()

    assert [] == deliveries(line.run())
    assert [b"1"] == line.get_all("queue")


def test_get_is_not_held(stage: Stage, line: Line) -> None:
    line.fill("queue", b"1")
    with stage.faults.hold_deliveries(optional=True):
        assert [b"1"] == line.get_all("queue")


def test_delayed_deliveries_come_when_the_clock_has_moved(stage: Stage, line: Line) -> None:
    consume(line)
    stage.faults.delay_deliveries(seconds=10, times=1)
    line.fill("queue", b"1")
    second = line.publish("queue", b"2")

    stage.advance(9.9)
    early = line.run()
    stage.advance(0.1)
    due = line.run()

    assert [("tag", 1, b"2")] == deliveries(second)
    assert [[], [("tag", 2, b"1")]] == [deliveries(early), deliveries(due)]


def test_delivery_that_was_returned_is_delayed_for_its_whole_time_again(
    stage: Stage, line: Line
) -> None:
    consume(line)
    stage.faults.delay_deliveries(seconds=10)
    line.fill("queue", b"1")
    stage.advance(5)
    line.ask(ChannelCloseParameters(200, "", 0, 0))
    line.ask(ChannelOpenParameters())
    consume(line)

    stage.advance(9.9)
    early = line.run()
    stage.advance(0.1)
    due = line.run()

    assert [[], [("tag", 1, b"1")]] == [deliveries(early), deliveries(due)]


def test_delays_add_up_and_end_with_the_fault(stage: Stage, line: Line) -> None:
    consume(line)
    first = stage.faults.delay_deliveries(seconds=10)
    second = stage.faults.delay_deliveries(seconds=5, times=1)
    line.fill("queue", b"1", b"2")

    stage.advance(10)
    due = line.run()
    second.remove()
    rest = line.run()
    first.remove()

    assert [("tag", 1, b"2")] == deliveries(due)
    assert [("tag", 2, b"1")] == deliveries(rest)
    assert (2, 1) == (first.count, second.count)


@pytest.mark.parametrize("name", ["hold_confirms", "hold_deliveries"])
def test_negative_number_to_release_is_refused(stage: Stage, name: str) -> None:
    fault = stage.faults.add(name)

    with pytest.raises(ValueError, match="count is -1; expected an integer from 0 on"):
        fault.release(-1)  # type: ignore[attr-defined]  # both have it
