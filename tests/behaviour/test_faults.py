"""What clients see of the faults of the fake broker, and of the same trouble in a RabbitMQ.

Each test is a program with a fault, as users write it. On a RabbitMQ `tests.support.real_faults`
does by the same names what the fault imitates: a queue is full, slow or gone, a process is suspended
or killed, an operator closes a connection. Alarms are in test_operator.py, restarts and nodes that
hang in test_shutdown.py and tests/broker/test_restart_as_rabbitmq.py.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelParameters,
    BasicDeliverParameters,
    BasicNackParameters,
    BasicReturnParameters,
    ChannelCloseParameters,
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
)
from tests.support.brokers import PASSWORD, Broker, Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import METHOD, Frame, encode_frame, encode_method
from tests.support.operator import Operator
from tests.support.peer import CAPABILITIES, Peer
from tests.support.real_faults import AtPort, RealFaults
from tests.support.releases import value_on


@pytest.fixture
def faults(broker: Broker) -> Any:
    """The faults of a fake broker, or what they imitate on a RabbitMQ."""
    return RealFaults(broker.version) if broker.fake is None else broker.fake.faults


@pytest.fixture
def peer(connect: Connect) -> Peer:
    """A connection that is patient: rabbitmqctl takes seconds on a busy machine."""
    return connect(seconds=60)


# --- publishes and confirms -------------------------------------------------------------------


def test_full_queue_nacks_publishes(faults: Any, channel: Channel, queue: str) -> None:
    channel.select_confirm()
    with faults.nack_publishes(routing_key=queue):
        channel.publish("", queue, b"one")
        first = channel.receive()
        channel.publish("", queue, b"two", mandatory=True)
        second = channel.receive()
    channel.publish("", queue, b"three")

    assert [BasicNackParameters(1, True), BasicNackParameters(2, True)] == [first, second]
    assert BasicAckParameters(3, False) == channel.receive()
    assert [b"three"] == channel.get_bodies(queue)


def return_publishes_to(exchange: str, queue: str, broker: Broker, channel: Channel) -> None:
    """Bind a queue, and have a fake return what it would take; a RabbitMQ returns what none takes."""
    if broker.fake is not None:
        channel.bind(queue, exchange)
        broker.fake.faults.return_publishes(exchange_name=exchange)


def test_publish_that_no_queue_takes_is_returned(
    broker: Broker, channel: Channel, queue: str, unique: Unique
) -> None:
    """On a RabbitMQ the queue is not bound, on the fake the fault says so."""
    exchange = channel.declare_exchange(unique("exchange"), "fanout")
    return_publishes_to(exchange, queue, broker, channel)
    channel.select_confirm()

    channel.publish(exchange, "key", b"one", mandatory=True)
    returned, acked = channel.returned(), channel.receive()
    channel.publish(exchange, "key", b"two")

    assert BasicReturnParameters(312, "NO_ROUTE", exchange, "key") == returned.parameters
    assert b"one" == returned.body
    assert [BasicAckParameters(1, False), BasicAckParameters(2, False)] == [
        acked,
        channel.receive(),
    ]
    assert [] == channel.get_bodies(queue)


def test_slow_queue_confirms_late(
    faults: Any, channel: Channel, queue: str, unique: Unique
) -> None:
    """Others' confirms do not wait, and cover none of the late ones."""
    quick = channel.declare_queue(unique("quick"))
    channel.select_confirm()
    with faults.hold_confirms(routing_key=queue):
        channel.publish("", queue, b"one")
        channel.publish("", quick, b"two")
        meanwhile = [channel.receive(), *channel.arrived()]

    assert [BasicAckParameters(2, False)] == meanwhile
    assert BasicAckParameters(1, False) == channel.receive()
    assert [b"one"] == channel.get_bodies(queue)


def test_confirms_of_a_slow_and_a_quick_queue_change_places(
    faults: Any, channel: Channel, queue: str, unique: Unique
) -> None:
    quick = channel.declare_queue(unique("quick"))
    channel.select_confirm()
    with faults.reorder_confirms(window=2, routing_key=re.compile(f"^({queue}|{quick})$")):
        channel.publish("", queue, b"one")
        channel.publish("", quick, b"two")
        first = channel.receive()

    assert [BasicAckParameters(2, False), BasicAckParameters(1, False)] == [
        first,
        channel.receive(),
    ]


def test_confirms_that_come_together_are_one(
    faults: Any, peer: Peer, channel: Channel, queue: str
) -> None:
    channel.select_confirm()
    with faults.merge_confirms(count=3, connection=AtPort(peer.local_port), routing_key=queue):
        channel.publish("", queue, b"one")
        channel.publish("", queue, b"two")
        waiting = channel.arrived()
        channel.publish("", queue, b"three")

    assert [] == waiting
    assert BasicAckParameters(3, True) == channel.receive()
    assert [b"one", b"two", b"three"] == channel.get_bodies(queue)


# --- deliveries -------------------------------------------------------------------------------

_Begin = Callable[[Any, str], Any]


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(lambda faults, name: faults.hold_deliveries(queue_name=name), id="held"),
        pytest.param(
            lambda faults, name: faults.delay_deliveries(seconds=3600, queue_name=name),
            id="delayed",
        ),
    ],
)
def test_slow_queue_delivers_late_and_in_order(
    faults: Any, channel: Channel, queue: str, begin: _Begin
) -> None:
    channel.consume(queue, "tag")
    with begin(faults, queue):
        channel.publish("", queue, b"one")
        channel.publish("", queue, b"two")
        waiting = channel.arrived()

    assert [] == waiting
    deliveries = [channel.delivery(), channel.delivery()]
    assert [(b"one", delivered("tag", 1, queue)), (b"two", delivered("tag", 2, queue))] == [
        (each.body, each.parameters) for each in deliveries
    ]


def delivered(tag: str, number: int, queue: str, *, again: bool = False) -> BasicDeliverParameters:
    return BasicDeliverParameters(tag, number, again, "", queue)


@pytest.fixture
def lose_ack(broker: Broker) -> Callable[[Channel], None]:
    """Let the ack of a delivery be lost; with the fault that copies messages, it may arrive."""

    def lose_ack(channel: Channel) -> None:
        if broker.fake is None:
            channel.peer.drop()
        else:
            channel.cancel("first")
            channel.ack(1)

    return lose_ack


def duplicate_deliveries_of(queue: str, broker: Broker) -> None:
    """Have a fake deliver twice; a RabbitMQ does so by itself when it gets no ack."""
    if broker.fake is not None:
        broker.fake.faults.duplicate_deliveries(routing_key=queue)


def test_message_whose_ack_is_lost_is_delivered_twice(
    broker: Broker, connect: Connect, lose_ack: Callable[[Channel], None], queue: str
) -> None:
    duplicate_deliveries_of(queue, broker)
    first, second = connect(seconds=60).channel(), connect(seconds=60).channel()
    first.qos(1)
    first.consume(queue, "first")
    second.publish("", queue, b"one")
    once = first.delivery()

    lose_ack(first)
    second.consume(queue, "second")

    again = second.delivery()
    assert (b"one", delivered("first", 1, queue)) == (once.body, once.parameters)
    assert (b"one", delivered("second", 1, queue, again=True)) == (again.body, again.parameters)
    second.ack(1)
    assert [] == second.arrived()


def cancel_consumer_of(queue: str, broker: Broker, connect: Connect) -> None:
    """Have a fake cancel the consumer; a RabbitMQ does so when another client deletes the queue."""
    if broker.fake is None:
        connect(seconds=60).channel().delete_queue(queue)
    else:
        broker.fake.cancel_consumer(queue_name=queue)


def test_consumer_is_cancelled_by_the_broker(
    broker: Broker, channel: Channel, connect: Connect, queue: str
) -> None:
    """On a RabbitMQ because its queue is deleted."""
    channel.consume(queue, "tag")

    cancel_consumer_of(queue, broker, connect)

    assert BasicCancelParameters("tag", True) == channel.receive()
    assert [] == channel.arrived()


# --- methods, channels and connections --------------------------------------------------------


def test_method_that_fails_closes_its_channel(
    faults: Any, channel: Channel, unique: Unique
) -> None:
    name = unique("nowhere")
    text = f"NOT_FOUND - no queue '{name}' in vhost '/'"
    with faults.fail_method("queue.declare", 404, text):
        channel.send(QueueDeclareParameters(name, passive=True))
        channel.send(QueueDeclareParameters(unique("later")))
        refused = channel.refusal()

    assert ChannelCloseParameters(404, text, 50, 10) == refused
    channel.reopen()
    assert not channel.has_queue(unique("later"))


def test_method_that_fails_badly_closes_its_connection(
    faults: Any, channel: Channel, queue: str
) -> None:
    text = "NOT_IMPLEMENTED - immediate=true"
    with faults.fail_method("basic.publish", 540, text):
        channel.publish("", queue, b"one", immediate=True)
        closed = channel.fatal()

    assert ConnectionCloseParameters(540, text, 60, 40) == closed


def test_slow_channel_does_all_later_and_in_order(
    faults: Any, peer: Peer, channel: Channel, queue: str
) -> None:
    """Other channels go on."""
    other = peer.channel(2)
    with faults.delay_method(
        "queue.declare", seconds=3600, connection=AtPort(peer.local_port), channel_number=1
    ):
        channel.send(QueueDeclareParameters(queue, passive=True))
        channel.publish("", queue, b"one")
        meanwhile = other.counts(queue)
        has_answered = peer.has_received(1)

    assert QueueDeclareOkParameters(queue, 0, 0) == channel.receive()
    assert ((0, 0), False) == (meanwhile, has_answered)
    assert b"one" == channel.await_message(queue).body


def test_client_that_is_not_read_is_answered_later(
    faults: Any, connect: Connect, queue: str
) -> None:
    """As a publisher during an alarm."""
    peer, bystander = connect(seconds=60), connect(seconds=60).channel()
    channel = peer.channel()
    with faults.stop_reading(connection=AtPort(peer.local_port)):
        channel.publish("", queue, b"one")
        channel.send(QueueDeclareParameters(queue, passive=True))
        meanwhile = bystander.counts(queue)
        has_answered = peer.has_received(1)

    assert queue == channel.expect(QueueDeclareOkParameters).queue_name
    assert ((0, 0), False) == (meanwhile, has_answered)
    assert b"one" == bystander.await_message(queue).body


def test_operator_closes_a_connection(
    faults: Any, connect: Connect, channel: Channel, unique: Unique
) -> None:
    """What the client sends from then on is not done."""
    peer = connect(seconds=60)
    doomed, name = peer.channel(), unique("later")
    with faults.close_connections(
        320, "for a test", method="queue.declare", connection=AtPort(peer.local_port)
    ):
        doomed.send(QueueDeclareParameters(name))
        doomed.send(QueueDeclareParameters(name))
        closed = peer.expect_connection_close()

    assert ConnectionCloseParameters(320, "CONNECTION_FORCED - for a test", 0, 0) == closed
    assert not channel.has_queue(name)


def test_connection_whose_process_is_killed_is_reset(
    faults: Any, connect: Connect, channel: Channel, unique: Unique
) -> None:
    peer = connect(seconds=60)
    doomed, name = peer.channel(), unique("later")
    with faults.cut(reset=True, towards="broker", connection=AtPort(peer.local_port)):
        end = end_of(doomed, QueueDeclareParameters(name))

    assert ([], "reset") == end
    assert not channel.has_queue(name)


def end_of(channel: Channel, parameters: Any) -> tuple[list[Frame], str]:
    """Send a method; return what arrives from then on, and how the socket ends.

    If the reset is there first, the system reports it to the sender.
    """
    try:
        channel.send(parameters)
    except ConnectionResetError:
        channel.peer.drop()
        return [], "reset"
    frames = channel.peer.frames_until_end_of_stream()
    return frames, "reset" if channel.peer.was_reset else "end of stream"


TIMED_OUT = (
    "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: {}"
    " ms. This timeout value can be configured, see consumers doc guide to learn more"
)


@pytest.fixture
def consumer_timeout(broker: Broker, operator: Operator) -> Iterator[str]:
    """Let a channel time out: on a fake by the fault, at the next use of a queue "other".

    From 4.3 on only quorum queues have such a time, and the text does not say how long it is.
    """
    text = TIMED_OUT.format(value_on(broker.version, {"3.10": 1_500, "4.3": -1}))
    if broker.fake is None:
        with operator.consumer_timeout(1_500):
            yield text
    else:
        name = re.compile("[.]other$")
        with broker.fake.faults.close_channels(406, text, queue_name=name, times=1):
            yield text


def test_consumer_timeout_closes_a_channel(
    connect: Connect, consumer_timeout: str, unique: Unique
) -> None:
    """By no method's fault; what the channel held is delivered again."""
    channel = connect(seconds=60).channel()
    quorum = channel.declare_queue(unique("quorum"), durable=True, x_queue_type="quorum")
    channel.fill(quorum, b"one")
    channel.get_message(quorum, no_ack=False)
    channel.send(QueueDeclareParameters(unique("other")))

    closed = channel.refusal()

    channel.reopen()
    message = channel.await_message(quorum)
    assert ChannelCloseParameters(406, consumer_timeout, 0, 0) == closed
    assert (b"one", True) == (message.body, message.parameters.redelivered)


# --- logins -----------------------------------------------------------------------------------


@pytest.fixture
def user_url(broker: Broker, operator: Operator) -> Iterator[str]:
    """A URL with a user of the test's own, whose virtual host has the same name."""
    name = f"user-{uuid.uuid4().hex[:8]}"
    operator.add_tenant(name)
    parts = urlsplit(broker.url)
    yield f"amqp://{name}:{PASSWORD}@{parts.hostname}:{parts.port}/{name}"
    operator.forget_tenant(name)


def test_login_with_an_old_password_is_refused(faults: Any, user_url: str, dial: Connect) -> None:
    client = dial(user_url, seconds=60)
    with faults.fail_logins(user=urlsplit(user_url).username):
        client.begin()
        refused = client.receive(0)

    text = (
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN."
        " For details see the broker logfile."
    )
    assert ConnectionCloseParameters(403, text, 0, 0) == refused
    client.send(0, ConnectionCloseOkParameters())
    assert b"" == client.expect_end_of_stream()


def test_client_that_cannot_be_told_is_hung_up_on(
    faults: Any, user_url: str, dial: Connect
) -> None:
    client = dial(user_url, seconds=60)
    with faults.fail_logins(user=urlsplit(user_url).username):
        client.begin(capabilities=CAPABILITIES | {"authentication_failure_close": False})

        assert b"" == client.expect_end_of_stream()


@pytest.mark.rabbitmq_version(">=4.3")
def test_expired_credentials_close_the_connection_from_4_3_on(
    faults: Any, user_url: str, connect: Connect
) -> None:
    peer = connect(user_url, seconds=60)
    with faults.expire_credentials(urlsplit(user_url).username):
        closed = peer.expect_connection_close()

    assert ConnectionCloseParameters(320, "CONNECTION_FORCED - credential expired", 0, 0) == closed


# --- networks ---------------------------------------------------------------------------------


def send_and_cut(octets: bytes, doomed: Channel, broker: Broker, *, reset: bool) -> None:
    """Send two frames, of which the second is cut: by a fault of the fake, or at the client's end."""
    peer = doomed.peer
    if broker.fake is None:
        peer.send_octets(octets[:-20])
        doomed.expect(QueueDeclareOkParameters)
        peer.cut(reset=reset)
    else:
        broker.fake.faults.cut(
            after_frames=1,
            inside_frame=True,
            towards="broker",
            reset=reset,
            connection=AtPort(peer.local_port),
        )
        peer.send_octets(octets)
        peer.frames_until_end_of_stream()


@pytest.mark.parametrize("reset", [False, True])
def test_frame_that_is_cut_is_not_executed_and_those_before_are(
    broker: Broker, connect: Connect, channel: Channel, unique: Unique, reset: bool
) -> None:
    """On a RabbitMQ the client's own socket ends in the middle of the frame."""
    peer = connect(seconds=60)
    doomed, first, second = peer.channel(), unique("first"), unique("second")
    octets = b"".join(
        encode_frame(METHOD, 1, encode_method(QueueDeclareParameters(name)))
        for name in (first, second)
    )
    send_and_cut(octets, doomed, broker, reset=reset)

    assert [True, False] == [channel.has_queue(first), channel.has_queue(second)]


def send_in_pieces(octets: bytes, size: int, peer: Peer, broker: Broker) -> None:
    """Have octets arrive in pieces: by a fault of the fake, or as the client sends them."""
    if broker.fake is None:
        peer.send_pieces(octets, size)
    else:
        broker.fake.faults.split(size=size, connection=AtPort(peer.local_port))
        peer.send_octets(octets)


@pytest.mark.parametrize("size", [1, 7])
def test_frames_in_pieces_do_what_whole_ones_do(
    broker: Broker, peer: Peer, channel: Channel, queue: str, size: int
) -> None:
    octets = encode_frame(METHOD, 1, encode_method(QueueDeclareParameters(queue, passive=True)))
    send_in_pieces(octets, size, peer, broker)

    assert QueueDeclareOkParameters(queue, 0, 0) == channel.receive()
