"""The broker's core by itself: no event loop, no socket, and time that a test moves by hand."""

from ammoo_fakebroker.clocks.clock import ManualClock
from ammoo_fakebroker.connections.connection import Connection
from ammoo_wire import (
    BasicAckParameters,
    BasicConsumeParameters,
    BasicGetParameters,
    BasicNackParameters,
    BasicQosParameters,
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ChannelOpenParameters,
    ConfirmSelectParameters,
    ConnectionBlockedParameters,
    ConnectionUnblockedParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
)

from .link import Line, Transport, deliveries, make_node

HEARTBEAT = b"\x08\0\0\0\0\0\0\xce"
FLOW = b"\x01\0\x01\0\0\0\5\0\x14\0\x14\1\xce"  # channel.flow, active


def advance(line: Line, seconds: float) -> None:
    assert isinstance(line.node.clock, ManualClock)
    line.node.clock.advance(seconds)


def test_publish_is_routed_delivered_and_confirmed_in_one_call_stack() -> None:
    line = Line(make_node())
    line.declare("orders")
    line.ask(ConfirmSelectParameters(), BasicConsumeParameters("orders", "tag", no_ack=True))

    received = line.publish("orders", b"one")

    assert [("tag", 1, b"one")] == deliveries(received)
    assert BasicAckParameters(1, False) == received[-1].parameters


def test_confirms_of_one_read_come_as_one() -> None:
    line = Line(make_node())
    line.ask(ConfirmSelectParameters())

    received = line.publish_together(*["nowhere"] * 3)

    assert [BasicAckParameters(3, True)] == [command.parameters for command in received]


def test_confirms_name_what_was_refused() -> None:
    line = Line(make_node())
    line.declare("full", max_length=1, overflow="reject-publish")
    line.ask(ConfirmSelectParameters())

    answers = line.publish_together("full", "full", "nowhere")
    received = [command.parameters for command in answers]

    assert [
        BasicAckParameters(1, True),
        BasicAckParameters(3, False),
        BasicNackParameters(2, False, True),
    ] == received


def test_methods_behind_one_that_closes_the_channel_are_dropped() -> None:
    line = Line(make_node())

    (close,) = line.ask(BasicConsumeParameters("missing"), ChannelFlowParameters(True))

    assert isinstance(close, ChannelCloseParameters)
    assert (404, 60, 20) == (close.reply_code, close.class_id, close.method_id)


# -- time --------------------------------------------------------------------------------------


def test_message_expires_when_the_clock_is_moved() -> None:
    line = Line(make_node())
    line.declare("short", message_ttl=1000)
    line.publish("short", b"gone")

    advance(line, 1.5)

    assert line.get("short") is None


def test_message_that_has_not_expired_keeps_those_behind_it() -> None:
    line = Line(make_node())
    line.declare("queue")
    line.publish("queue", b"long", expiration="60000")
    line.publish("queue", b"short", expiration="10")

    advance(line, 1)

    (ok,) = line.ask(QueueDeclareParameters("queue", True))
    assert QueueDeclareOkParameters("queue", 2, 0) == ok
    assert [b"long"] == line.get_all("queue")


def test_each_message_expires_at_its_own_time() -> None:
    line = Line(make_node())
    line.declare("queue", dead_letter_exchange="", dead_letter_routing_key="dead")
    line.declare("dead")
    line.publish("queue", b"100", expiration="100")
    line.publish("queue", b"200", expiration="200")
    line.publish("queue", b"300", expiration="300")

    advance(line, 0.25)

    assert [b"100", b"200"] == line.get_all("dead")
    assert [b"300"] == line.get_all("queue")


def test_unused_queue_expires() -> None:
    line = Line(make_node())
    line.declare("idle", expires=5000)

    advance(line, 4)
    line.ask(QueueDeclareParameters("idle", True))
    advance(line, 4)
    assert "idle" in line.node.virtualhosts["/"].queues
    advance(line, 2)

    assert "idle" not in line.node.virtualhosts["/"].queues


def test_delivery_must_be_acknowledged_in_time() -> None:
    line = Line(make_node("4.0", consumer_timeout=1_800_000))
    line.declare("queue")
    line.publish("queue")
    line.get("queue", no_ack=False)

    advance(line, 1_700)
    assert not line.run()
    advance(line, 240)
    (close,) = [command.parameters for command in line.run()]

    assert isinstance(close, ChannelCloseParameters)
    assert "delivery acknowledgement on channel 1 timed out" in close.reply_text


def test_client_that_never_opens_is_hung_up_on() -> None:
    node = make_node(handshake_timeout=10)
    transport = Transport()
    connection = Connection(node, transport)
    connection.receive_data(b"AMQP\x00\x00\x09\x01")

    assert isinstance(node.clock, ManualClock)
    node.clock.advance(9)
    assert not transport.is_aborted
    node.clock.advance(2)

    assert transport.is_aborted


def test_heartbeats_are_sent_and_a_silent_client_is_dropped() -> None:
    """At the third look, once an interval, if nothing came since the first."""
    line = Line(make_node(), heartbeat=10)

    advance(line, 10)
    assert HEARTBEAT == line.connection.data_to_send()
    advance(line, 19)
    assert not line.transport.is_aborted
    advance(line, 1)

    assert line.transport.is_aborted


def test_traffic_counts_up_to_the_next_look() -> None:
    line = Line(make_node(), heartbeat=10)
    advance(line, 11)
    line.connection.receive_data(HEARTBEAT)

    advance(line, 28)
    assert not line.transport.is_aborted
    advance(line, 1)

    assert line.transport.is_aborted


def test_heartbeat_is_sent_each_half_interval_in_which_nothing_else_was() -> None:
    line = Line(make_node(), heartbeat=10)
    advance(line, 5)
    behind_opening = line.connection.data_to_send()
    advance(line, 5)
    first = line.connection.data_to_send()
    advance(line, 4)
    line.connection.receive_data(FLOW)
    answer = line.connection.data_to_send()

    advance(line, 1)
    silence = line.connection.data_to_send()
    advance(line, 5)

    assert (b"", HEARTBEAT, b"") == (behind_opening, first, silence)
    assert answer
    assert HEARTBEAT == line.connection.data_to_send()


# -- settling ----------------------------------------------------------------------------------


def test_messages_come_back_to_their_places() -> None:
    line = Line(make_node())
    line.declare("queue")
    line.fill("queue", b"1", b"2", b"3", b"4")
    line.fetch("queue", 3)

    line.ask(BasicNackParameters(2), BasicNackParameters(1), BasicNackParameters(3))

    assert [b"1", b"2", b"3", b"4"] == line.get_all("queue")


def test_acknowledging_multiple_takes_what_is_left() -> None:
    line = Line(make_node())
    line.declare("queue")
    line.fill("queue", *[b""] * 6)
    line.fetch("queue", 6)

    line.ask(BasicAckParameters(2), BasicAckParameters(4, True), BasicAckParameters(6, True))

    assert 0 == line.node.virtualhosts["/"].queues["queue"].unacked_count
    assert not line.connection.channels[1].unacked


def test_dead_letters_may_go_further_than_a_call_stack_is_deep() -> None:
    line = Line(make_node())
    names = [f"queue-{number}" for number in range(301)]
    line.declare_chain(*names)

    line.publish(names[0], b"traveller")

    assert [b"traveller"] == line.get_all(names[-1])


def test_what_a_publish_pushes_out_comes_behind_it_everywhere() -> None:
    line = Line(make_node())
    line.declare("small", max_length=1, dead_letter_exchange="", dead_letter_routing_key="large")
    line.declare("large")
    line.publish("small", b"first")

    line.publish("small", b"second", headers={"CC": ["large"]})

    assert [b"second", b"first"] == line.get_all("large")


# -- clients that do not read ------------------------------------------------------------------


def test_consumer_that_does_not_read_gets_no_more_than_a_little() -> None:
    node = make_node()
    publisher, consumer = Line(node), Line(node)
    publisher.declare("queue")
    consumer.ask(BasicConsumeParameters("queue", "slow", no_ack=True))

    publisher.fill("queue", *[bytes(100_000)] * 100)

    waiting = node.virtualhosts["/"].queues["queue"].message_count
    assert 95 < waiting < 100
    assert waiting + len(deliveries(consumer.run())) > 100 - 1
    assert 0 == node.virtualhosts["/"].queues["queue"].message_count


def test_client_that_asks_and_does_not_read_is_not_listened_to() -> None:
    line = Line(make_node())
    line.declare("queue")
    line.fill("queue", *[bytes(1_000_000)] * 30)

    line.send(*[BasicGetParameters("queue", True)] * 30)
    line.connection.receive_data(bytes(line.client.data_to_send()))

    assert not line.transport.is_reading
    assert line.node.virtualhosts["/"].queues["queue"].message_count > 20
    assert 30 == len(line.run())
    assert line.transport.is_reading


def test_paused_transport_stops_deliveries_until_it_resumes() -> None:
    line = Line(make_node())
    line.declare("queue")
    line.ask(BasicConsumeParameters("queue", "tag", no_ack=True))

    line.connection.pause_writing()
    assert [] == deliveries(line.publish("queue", b"later"))
    line.connection.resume_writing()

    assert [("tag", 1, b"later")] == deliveries(line.run())


def test_publisher_is_blocked_at_its_first_publish_during_an_alarm() -> None:
    node = make_node()
    line, other = Line(node), Line(node)
    line.declare("queue")

    node.raise_alarm("low on memory", source="test")
    assert [ChannelFlowOkParameters(True)] == line.ask(ChannelFlowParameters(True))
    blocked = line.publish("queue")
    assert [] == line.ask(ChannelFlowParameters(True))
    assert [ChannelFlowOkParameters(True)] == other.ask(ChannelFlowParameters(True))

    assert [ConnectionBlockedParameters("low on memory")] == [c.parameters for c in blocked]
    assert 0 == node.virtualhosts["/"].queues["queue"].message_count
    node.clear_alarm("test")
    after = [command.parameters for command in line.run()]
    assert [ConnectionUnblockedParameters(), ChannelFlowOkParameters(True)] == after
    assert 1 == node.virtualhosts["/"].queues["queue"].message_count


# -- turns -------------------------------------------------------------------------------------


def test_consumers_take_turns() -> None:
    line = Line(make_node())
    line.declare("queue")
    line.ask(*(BasicConsumeParameters("queue", tag, no_ack=True) for tag in "abc"))

    received = deliveries(line.publish_together(*["queue"] * 4))

    assert ["a", "b", "c", "a"] == [tag for tag, _, _ in received]


def test_exhausted_consumer_is_passed_over_until_it_acknowledges() -> None:
    line = Line(make_node())
    line.declare("queue")
    line.ask(BasicQosParameters(0, 1), BasicConsumeParameters("queue", "one"))
    line.ask(BasicQosParameters(0, 0), BasicConsumeParameters("queue", "any", no_ack=True))

    first = deliveries(line.publish_together(*["queue"] * 3))
    line.ask(BasicAckParameters(1))
    second = deliveries(line.publish_together(*["queue"] * 2))

    assert ["one", "any", "any"] == [tag for tag, _, _ in first]
    assert {"one", "any"} == {tag for tag, _, _ in second}


def test_channel_max_counts_channels_and_not_their_numbers() -> None:
    line = Line(make_node(channel_max=2))

    line.ask(ChannelOpenParameters(), channel=7)
    line.ask(ChannelOpenParameters(), channel=9)

    assert line.client.close_received is not None
    assert (
        "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)"
        == line.client.close_received.reply_text
    )
