"""Whose turn it is: priorities, exclusiveness, the single active consumer, shared prefetch."""

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicNackParameters,
    BasicQosParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenParameters,
    QueueDeleteParameters,
)
from tests.support.commands import Command

from .link import Line, deliveries, make_node


def tags(received: list[Command]) -> list[str]:
    return [tag for tag, _, _ in deliveries(received)]


def publish(line: Line, count: int) -> list[str]:
    return tags(line.publish_together(*["queue"] * count))


def test_lower_priorities_get_what_the_higher_cannot_take() -> None:
    line = Line(make_node())
    line.declare("queue")
    line.ask(BasicConsumeParameters("queue", "low"), BasicQosParameters(0, 1))
    line.ask(BasicConsumeParameters("queue", "high", arguments={"x-priority": 9}))

    assert ["high", "low", "low"] == publish(line, 3)
    line.ask(BasicAckParameters(1))
    assert ["high"] == publish(line, 1)


def test_exclusive_consumer_tolerates_no_other() -> None:
    line = Line(make_node())
    line.declare("queue")
    line.ask(BasicConsumeParameters("queue", "mine", exclusive=True))
    other = Line(line.node)

    (refusal,) = other.ask(BasicConsumeParameters("queue"))

    assert isinstance(refusal, ChannelCloseParameters)
    assert "ACCESS_REFUSED - queue 'queue' in vhost '/' in exclusive use" == refusal.reply_text
    line.ask(BasicCancelParameters("mine"))
    other.ask(ChannelCloseOkParameters(), ChannelOpenParameters())
    assert [BasicConsumeOkParameters("tag")] == other.ask(BasicConsumeParameters("queue", "tag"))


def test_next_in_line_takes_over_with_what_came_back() -> None:
    line = Line(make_node())
    line.declare("queue", single_active_consumer=True)
    line.ask(BasicConsumeParameters("queue", "first"))
    line.ask(ChannelOpenParameters(), channel=2)
    line.ask(BasicConsumeParameters("queue", "second"), channel=2)
    assert ["first", "first"] == publish(line, 2)

    line.send(ChannelCloseParameters())

    assert ["second", "second"] == tags(line.run())


def test_shared_prefetch_counts_for_all_consumers_of_the_channel() -> None:
    line = Line(make_node("4.0"))
    line.declare("queue")
    line.ask(BasicQosParameters(0, 2, True))
    line.ask(BasicConsumeParameters("queue", "one"), BasicConsumeParameters("queue", "two"))

    assert ["one", "two"] == publish(line, 5)
    line.send(BasicAckParameters(1))
    assert 1 == len(tags(line.run()))
    line.send(BasicQosParameters(0, 0, True))
    assert 2 == len(tags(line.run()))


def test_rejected_message_may_come_straight_back() -> None:
    line = Line(make_node())
    line.declare("queue")
    line.ask(BasicQosParameters(0, 1), BasicConsumeParameters("queue", "tag"))
    publish(line, 1)

    line.send(BasicNackParameters(1))

    assert [("tag", 2, b"")] == deliveries(line.run())


def test_cancelled_consumer_keeps_what_it_has() -> None:
    line = Line(make_node())
    line.declare("queue")
    line.ask(BasicConsumeParameters("queue", "tag"))
    publish(line, 1)
    line.ask(BasicCancelParameters("tag"))

    assert [] == publish(line, 1)
    assert [] == line.ask(BasicAckParameters(1))
    assert 1 == line.node.virtualhosts["/"].queues["queue"].message_count


def test_consumers_hear_that_their_queue_is_gone_if_they_want_to() -> None:
    node = make_node()
    line, deaf = Line(node), Line(node, capabilities=())
    line.declare("queue")
    line.ask(BasicConsumeParameters("queue", "tag"))
    deaf.ask(BasicConsumeParameters("queue", "tag"))

    received = line.ask(QueueDeleteParameters("queue"))

    assert BasicCancelParameters("tag", True) == received[-1]
    assert [] == deaf.run()
