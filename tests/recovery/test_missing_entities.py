"""What is missing when a connection or a channel is open again: it is reported once more, and once.

Each entity of `not_restored` that is retried is restored or given up, on whichever way it comes back.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import ammoo
from ammoo.exceptions import (
    AccessRefused,
    NotFound,
    PreconditionFailed,
    ResourceLocked,
    TooManyChannels,
)
from ammoo.recovery.events import (
    ChannelReopened,
    ConsumerLost,
    GivenUp,
    Open,
    Restored,
)
from ammoo.recovery.listener import EventListener
from ammoo.recovery.restoring.stragglers import Stragglers
from ammoo.recovery.restoring.topology_replay import Replay
from ammoo.topology import Topology
from ammoo.topology_records import BindingRecord, ConsumerRecord, ExchangeRecord, QueueRecord
from ammoo_wire import (
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicQosOkParameters,
    BasicQosParameters,
    ChannelCloseParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    ConnectionBlockedParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    QueueBindOkParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueueDeleteOkParameters,
    QueueDeleteParameters,
    QueueUnbindOkParameters,
    QueueUnbindParameters,
)
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.recovery.until import AT_ONCE, round_trips_until, settle, until
from tests.support.clock import LoopClock

TOLD = (ChannelReopened, Restored, GivenUp, ConsumerLost)
DOWN = ChannelCloseParameters(
    404, "NOT_FOUND - queue 'orders' in vhost '/' is down or inaccessible", 50, 10
)
LOCKED = ChannelCloseParameters(
    405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'orders'", 50, 10
)
NO_REPLICA = ChannelCloseParameters(
    406,
    "PRECONDITION_FAILED - queue 'log' in vhost '/' does not have a replica on the local node",
    60,
    20,
)
DIFFERENT = ChannelCloseParameters(406, "PRECONDITION_FAILED - inequivalent arg", 50, 10)
REFUSED = ChannelCloseParameters(403, "ACCESS_REFUSED - access to queue 'other' refused", 60, 20)
NO_QUEUE = ChannelCloseParameters(404, "NOT_FOUND - no queue 'other' in vhost '/'", 60, 20)
NO_EXCHANGE = ChannelCloseParameters(404, "NOT_FOUND - no exchange 'x' in vhost '/'", 50, 20)
IN_USE = ChannelCloseParameters(406, "PRECONDITION_FAILED - queue 'orders' in use", 50, 40)
WRONG = ChannelCloseParameters(406, "PRECONDITION_FAILED - unknown delivery tag 7", 60, 80)


def declare_ok(request: Any) -> QueueDeclareOkParameters:
    return QueueDeclareOkParameters(request.queue_name, 0, 0)


def named_by_server(number: int) -> QueueDeclareOkParameters:
    return QueueDeclareOkParameters(f"amq.gen-{number}", 0, 0)


def consume_ok(request: Any) -> BasicConsumeOkParameters:
    return BasicConsumeOkParameters(request.consumer_tag)


def recorded(answer: Callable[[Any], Any]) -> tuple[list[str], Callable[[Any], Any]]:
    """Return a list, and what answers as another function does and adds the queue to the list."""
    queues: list[str] = []

    def record(request: Any) -> Any:
        queues.append(request.queue_name)
        return answer(request)

    return queues, record


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A straggler is retried at once, and the gate waits for none."""
    monkeypatch.setattr("ammoo.recovery.restoring.stragglers.FIRST_DELAY", 0.0)
    monkeypatch.setattr("ammoo.recovery.restoring.reviving.FIRST_DELAY", 0.0)
    monkeypatch.setattr("ammoo.recovery.supervisor.GATE_PATIENCE", 0.0)


@pytest.fixture
def scripted(server: ScriptedServer) -> ScriptedServer:
    """A server that answers everything of a topology by itself."""
    server.answers |= {
        ExchangeDeclareParameters: lambda _: ExchangeDeclareOkParameters(),
        QueueDeclareParameters: declare_ok,
        QueueBindParameters: lambda _: QueueBindOkParameters(),
        QueueDeleteParameters: lambda _: QueueDeleteOkParameters(0),
        BasicQosParameters: lambda _: BasicQosOkParameters(),
        BasicConsumeParameters: consume_ok,
        BasicCancelParameters: lambda p: BasicCancelOkParameters(p.consumer_tag),
    }
    return server


async def told(events: EventListener) -> list[str]:
    """Return the kinds of events that tell of what was missing, till the connection was closed."""
    return [type(event).__name__ async for event in events if isinstance(event, TOLD)]


async def answer_next(peer: ScriptedPeer, kind: type[Any], answer: Any) -> None:
    """Answer the next command of a kind, on whichever channel it comes."""
    command = await peer.expect_any(kind)
    peer.send(answer, channel_number=command.channel_number)


async def receive_first(
    peer: ScriptedPeer, channel: ammoo.Channel, consumer: ammoo.Consumer, queue: str = "orders"
) -> ammoo.DeliverMessage:
    """Deliver a message on the caller's channel, and return what the consumer reads."""
    delivery = BasicDeliverParameters(consumer.consumer_tag, 1, False, "", queue)
    peer.send_content(delivery, channel_number=channel.channel_id)
    return await anext(consumer)


# --- consumers, and channels that are opened again ----------------------------------------------


async def lose_with_a_late_consumer(scripted: ScriptedServer, events: EventListener) -> int:
    """Lose the connection, and answer no basic.consume; return the channel of the late one."""
    del scripted.answers[BasicConsumeParameters]
    scripted.peer.abort()
    await until(events, Open)
    await scripted.peer.expect_any(BasicConsumeParameters)  # given up, with its channel
    return (await scripted.peer.expect_any(BasicConsumeParameters)).channel_number


async def test_late_consumer_is_restored_with_its_channel_and_reported_once(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ammoo.recovery.restoring.channels.CONSUMER_STUCK_AFTER", 0.0)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with connection.channel(reopen=True) as channel, channel.consume("orders"):
            number = await lose_with_a_late_consumer(scripted, events)
            monkeypatch.setattr("ammoo.recovery.restoring.channels.CONSUMER_STUCK_AFTER", 30.0)
            scripted.peer.send(WRONG, channel_number=number)
            command = await scripted.peer.expect_any(BasicConsumeParameters)
            answer = consume_ok(command.parameters)
            scripted.peer.send(answer, channel_number=command.channel_number)
            await until(events, Restored)
            await channel.declare_queue("orders")

    assert ["ChannelReopened", "Restored"] == await told(all_events)


async def test_late_consumer_of_a_reopened_channel_is_reported_once(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ammoo.recovery.restoring.channels.CONSUMER_STUCK_AFTER", 0.0)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with connection.channel(reopen=True) as channel, channel.consume("orders"):
            number = await lose_with_a_late_consumer(scripted, events)
            scripted.peer.send(WRONG, channel_number=number)
            reopened = await until(events, ChannelReopened)
            await scripted.peer.expect_any(BasicConsumeParameters)  # given up, with its channel
            command = await scripted.peer.expect_any(BasicConsumeParameters)
            answer = consume_ok(command.parameters)
            scripted.peer.send(answer, channel_number=command.channel_number)
            restored = await until(events, Restored)
            await channel.declare_queue("orders")
            consumes = [type(each.parameters) for each in scripted.peer.received]

    assert ["ChannelReopened", "Restored"] == await told(all_events)
    assert [(restored.entity, True)] == [
        (each.entity, each.is_retried) for each in reopened.not_restored
    ]
    assert BasicConsumeParameters not in consumes


async def test_consumer_follows_its_queue_though_its_channel_is_opened_again(
    scripted: ScriptedServer,
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with connection.channel(reopen=True) as channel:
            await channel.declare_queue("orders")
            async with channel.consume("orders") as consumer:
                del scripted.answers[QueueDeclareParameters]
                scripted.peer.abort()
                await scripted.accepted(2)
                peer = scripted.peer
                await answer_next(peer, QueueDeclareParameters, DOWN)
                await until(events, Open)
                await answer_next(peer, QueueDeclareParameters, DOWN)
                peer.send(WRONG, channel_number=channel.channel_id)
                await until(events, ChannelReopened)
                retried = await peer.expect_any(QueueDeclareParameters)
                peer.answers[QueueDeclareParameters] = declare_ok
                peer.send(declare_ok(retried.parameters), channel_number=retried.channel_number)
                await until(events, Restored)
                await until(events, Restored)
                message = await receive_first(peer, channel, consumer)

    assert b"body" == message.body
    assert ["ChannelReopened", "Restored", "Restored"] == await told(all_events)


def answer_unless_other(refusal: Any) -> Any:
    """Return what refuses consumers of the queue 'other', and starts those of all others."""
    return lambda request: refusal if request.queue_name == "other" else consume_ok(request)


async def is_refused(channel: ammoo.Channel, error: type[Exception]) -> None:
    """Consume from the queue 'other', which closes the channel."""
    with pytest.raises(error):
        await channel.consume("other").__aenter__()


async def test_consumer_that_is_restored_with_its_channel_outlives_the_refusal_of_another(
    scripted: ScriptedServer,
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with (
            connection.channel(reopen=True) as channel,
            channel.consume("orders") as consumer,
        ):
            peer = scripted.peer
            peer.answers[BasicConsumeParameters] = answer_unless_other(REFUSED)
            del peer.answers[QueueDeclareParameters]
            peer.send(BasicCancelParameters(consumer.consumer_tag, True))
            probe = await peer.expect_any(QueueDeclareParameters)
            await is_refused(channel, AccessRefused)
            await until(events, Restored)
            peer.answers[QueueDeclareParameters] = declare_ok
            peer.send(declare_ok(probe.parameters), channel_number=probe.channel_number)
            await channel.declare_queue("orders")
            message = await receive_first(peer, channel, consumer)

    assert b"body" == message.body
    assert ["ChannelReopened", "Restored"] == await told(all_events)


async def test_refusal_ends_one_of_the_consumers_that_are_started_late(
    scripted: ScriptedServer,
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, lost_events = connection.events(), connection.events()
        async with connection.channel(reopen=True) as channel, channel.consume("orders") as second:
            first = await channel.consume("other").__aenter__()
            peer = scripted.peer
            del peer.answers[BasicConsumeParameters]
            peer.send(BasicCancelParameters(first.consumer_tag, True))
            late = await peer.expect_any(BasicConsumeParameters)
            peer.send(BasicCancelParameters(second.consumer_tag, True))
            await channel.declare_queue("orders")
            peer.answers[BasicConsumeParameters] = consume_ok
            peer.send(REFUSED, channel_number=late.channel_number)
            restored = await until(events, Restored)
            lost = await until(lost_events, ConsumerLost)

    assert isinstance(restored.entity, ConsumerRecord)
    assert (first, second) == (lost.consumer, restored.entity.consumer)


async def test_consumer_that_is_started_late_outlives_the_refusal_of_one_before_it(
    scripted: ScriptedServer,
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with (
            connection.channel(reopen=True) as channel,
            channel.consume("orders") as consumer,
        ):
            peer = scripted.peer
            del peer.answers[BasicConsumeParameters]
            refused = asyncio.create_task(is_refused(channel, AccessRefused))
            await peer.expect_any(BasicConsumeParameters)
            peer.send(BasicCancelParameters(consumer.consumer_tag, True))
            late = await peer.expect_any(BasicConsumeParameters)
            peer.answers[BasicConsumeParameters] = consume_ok
            peer.send(REFUSED, channel_number=late.channel_number)
            await refused
            await until(events, Restored)

    assert ["ChannelReopened", "Restored"] == await told(all_events)


async def test_late_consumer_outlives_the_refusal_of_another(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ammoo.recovery.restoring.channels.CONSUMER_STUCK_AFTER", 0.0)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with (
            connection.channel() as other,
            connection.channel(reopen=True) as channel,
            channel.consume("orders"),
        ):
            del scripted.answers[BasicConsumeParameters], scripted.answers[QueueDeclareParameters]
            scripted.peer.abort()
            await until(events, Open)
            peer = scripted.peer
            await peer.expect_any(BasicConsumeParameters)  # given up, with its channel
            probe = await peer.expect_any(QueueDeclareParameters)
            monkeypatch.setattr("ammoo.recovery.restoring.channels.CONSUMER_STUCK_AFTER", 30.0)
            peer.answers |= {
                BasicConsumeParameters: answer_unless_other(NO_QUEUE),
                QueueDeclareParameters: declare_ok,
            }
            del peer.answers[ChannelOpenParameters]
            await is_refused(channel, NotFound)
            peer.send(declare_ok(probe.parameters), channel_number=probe.channel_number)
            await other.declare_queue("others")
            await answer_next(peer, ChannelOpenParameters, ChannelOpenOkParameters())
            await until(events, Restored)

    assert ["ChannelReopened", "Restored"] == await told(all_events)


async def test_consumer_that_the_program_starts_on_a_missing_queue_is_started_with_its_channel(
    scripted: ScriptedServer,
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with connection.channel(reopen=True) as channel:
            await channel.declare_queue("orders")
            del scripted.answers[QueueDeclareParameters]
            scripted.peer.abort()
            await scripted.accepted(2)
            peer = scripted.peer
            await answer_next(peer, QueueDeclareParameters, DOWN)
            await until(events, Open)
            retried = await peer.expect_any(QueueDeclareParameters)
            async with channel.consume("orders") as consumer:
                peer.send(WRONG, channel_number=channel.channel_id)
                await until(events, ChannelReopened)
                peer.answers[QueueDeclareParameters] = declare_ok
                peer.send(declare_ok(retried.parameters), channel_number=retried.channel_number)
                await until(events, Restored)
                message = await receive_first(peer, channel, consumer)

    assert b"body" == message.body
    assert ["ChannelReopened", "Restored"] == await told(all_events)


async def test_stream_whose_replica_does_not_run_yet_is_tried_again_on_private_channels(
    scripted: ScriptedServer,
) -> None:
    """A refused basic.consume closes its channel, which must not be the caller's."""
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with (
            connection.channel(prefetch_count=10) as channel,
            channel.consume("log", arguments={"x-stream-offset": "first"}) as consumer,
        ):
            answers = iter([NO_REPLICA] * 3)
            scripted.answers[BasicConsumeParameters] = lambda p: next(answers, consume_ok(p))
            scripted.peer.abort()
            opened = await until(events, Open)
            await until(events, Restored)
            message = await receive_first(scripted.peer, channel, consumer, "log")

    assert [True] == [each.is_retried for each in opened.not_restored]
    assert b"body" == message.body
    assert ["Restored"] == await told(all_events)


class Delivered(ammoo.Hooks):
    """Notes the routing keys of what is delivered."""

    def __init__(self) -> None:
        self.routing_keys: list[str] = []

    def delivered(self, channel_id: int, message: ammoo.DeliverMessage) -> None:
        self.routing_keys.append(message.routing_key)


async def test_hooks_are_not_called_for_what_is_delivered_on_a_private_channel(
    scripted: ScriptedServer,
) -> None:
    hooks = Delivered()
    async with (
        await ammoo.connect(scripted.url, recovery=AT_ONCE, hooks=hooks) as connection,
        connection.channel(prefetch_count=10) as channel,
        channel.consume("log", arguments={"x-stream-offset": "first"}) as consumer,
    ):
        peer = scripted.peer
        del peer.answers[BasicConsumeParameters]
        peer.send(BasicCancelParameters(consumer.consumer_tag, True))
        probe: Any = await peer.expect_any(BasicConsumeParameters)
        peer.protocol.send(probe.channel_number, consume_ok(probe.parameters))
        delivery = BasicDeliverParameters(probe.parameters.consumer_tag, 1, False, "", "private")
        peer.send_content(delivery, channel_number=probe.channel_number)
        late: Any = await peer.expect_any(BasicConsumeParameters)
        peer.send(consume_ok(late.parameters), channel_number=late.channel_number)
        peer.deliver(late.parameters.consumer_tag, 1)
        message = await anext(consumer)

    assert [message.routing_key] == hooks.routing_keys


@pytest.mark.parametrize(
    "refusal", [DOWN, NO_REPLICA], ids=["its node is down", "its replica does not run"]
)
async def test_cancelled_consumer_waits_for_the_node_of_its_queue(
    scripted: ScriptedServer, refusal: ChannelCloseParameters
) -> None:
    answers = iter([refusal] * 3)
    recovery = ammoo.Recovery(consumer_grace=0.0, random=lambda: 0.0)
    async with await ammoo.connect(scripted.url, recovery=recovery) as connection:
        events, all_events = connection.events(), connection.events()
        async with (
            connection.channel(prefetch_count=10) as channel,
            channel.consume("log", arguments={"x-stream-offset": "first"}) as consumer,
        ):
            peer = scripted.peer
            peer.answers[BasicConsumeParameters] = lambda p: next(answers, consume_ok(p))
            peer.send(BasicCancelParameters(consumer.consumer_tag, True))
            await until(events, Restored)
            await channel.declare_queue("orders")

    assert ["Restored"] == await told(all_events)


async def test_cancelled_consumer_that_is_started_again_is_reported_once(
    scripted: ScriptedServer,
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with connection.channel() as channel, channel.consume("orders") as consumer:
            scripted.peer.send(BasicCancelParameters(consumer.consumer_tag, True))
            restored = await until(events, Restored)
            await channel.declare_queue("orders")

    assert isinstance(restored.entity, ConsumerRecord)
    assert consumer is restored.entity.consumer
    assert ["Restored"] == await told(all_events)


async def test_consumer_that_the_program_starts_on_a_missing_queue_is_not_started_twice(
    scripted: ScriptedServer,
) -> None:
    started, start = recorded(consume_ok)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        async with connection.channel() as channel:
            await channel.declare_queue("orders")
            scripted.answers |= {
                QueueDeclareParameters: lambda _: DOWN,
                BasicConsumeParameters: start,
            }
            scripted.peer.abort()
            await until(events, Open)
            async with channel.consume("orders"):
                scripted.peer.answers[QueueDeclareParameters] = declare_ok
                await until(events, Restored)
                await channel.declare_queue("orders")

    assert ["orders"] == started


async def test_missing_queue_that_the_program_deletes_while_it_is_declared_is_not_recorded_again(
    scripted: ScriptedServer,
) -> None:
    declared, declare = recorded(declare_ok)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with connection.channel() as channel:
            scripted.peer.answers[QueueDeclareParameters] = lambda _: named_by_server(1)
            await channel.declare_queue("", exclusive=True)
            del scripted.answers[QueueDeclareParameters]
            scripted.peer.abort()
            await scripted.accepted(2)
            await answer_next(scripted.peer, QueueDeclareParameters, DOWN)
            await until(events, Open)
            retried = await scripted.peer.expect_any(QueueDeclareParameters)
            await channel.delete_queue("amq.gen-1")
            scripted.peer.send(named_by_server(2), channel_number=retried.channel_number)
            scripted.answers[QueueDeclareParameters] = declare
            scripted.peer.answers[QueueDeclareParameters] = declare_ok
            await channel.declare_queue("others")
            scripted.peer.abort()
            await until(events, Open)

    assert [] == await told(all_events)
    assert ["others"] == declared


async def test_cancelled_consumer_that_cannot_look_for_its_queue_leaves_it_recorded(
    scripted: ScriptedServer,
) -> None:
    """Its connection may have as many channels as were agreed on."""
    declared, declare = recorded(declare_ok)
    recovery = ammoo.Recovery(consumer_grace=0.0, random=lambda: 0.0)
    async with await ammoo.connect(scripted.url, recovery=recovery, channel_max=1) as connection:
        events = connection.events()
        async with connection.channel() as channel:
            await channel.declare_queue("orders")
            consumer = await channel.consume("orders").__aenter__()
            scripted.peer.send(BasicCancelParameters(consumer.consumer_tag, True))
            lost = await until(events, ConsumerLost)
            scripted.answers[QueueDeclareParameters] = declare
            scripted.peer.abort()
            await until(events, Open)

    assert isinstance(lost.error, TooManyChannels)
    assert ["orders"] == declared


# --- what is given up, deleted, or not restored at all -------------------------------------------


async def test_queue_that_is_given_up_is_reported_with_all_that_waits_for_it(
    scripted: ScriptedServer,
) -> None:
    answers = iter([DOWN, DIFFERENT])
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with connection.channel() as channel:
            await channel.declare_queue("orders")
            await channel.bind_queue("orders", "amq.topic", "key")
            consumer = await channel.consume("orders").__aenter__()
            scripted.answers[QueueDeclareParameters] = lambda _: next(answers)
            scripted.peer.abort()
            opened = await until(events, Open)
            given_up = [await until(events, GivenUp) for _ in range(2)]
            lost = await until(events, ConsumerLost)
            with pytest.raises(PreconditionFailed):
                await anext(consumer)

    assert [True] * 3 == [each.is_retried for each in opened.not_restored]
    assert [QueueRecord, BindingRecord, ConsumerRecord] == [
        type(each.entity) for each in opened.not_restored
    ]
    assert [each.entity for each in opened.not_restored[:2]] == [each.entity for each in given_up]
    assert consumer is lost.consumer
    assert ["GivenUp", "GivenUp", "ConsumerLost"] == await told(all_events)


async def test_queue_that_a_blocked_connection_locks_is_retried_without_a_limit(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server notices only after its alarm that a connection is lost."""
    monkeypatch.setattr("ammoo.recovery.restoring.locked_pauses.LOCKED_PATIENCE", -1.0)
    monkeypatch.setattr("ammoo.recovery.restoring.handover.LOCKED_MARGIN", -1.0)
    answers = iter([LOCKED] * 6)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with connection.channel() as channel:
            await channel.declare_queue("orders", exclusive=True)
            scripted.peer.send(ConnectionBlockedParameters("low on memory"), channel_number=0)
            await connection.wait_blocked()
            scripted.answers[QueueDeclareParameters] = lambda p: next(answers, declare_ok(p))
            scripted.peer.abort()
            opened = await until(events, Open)
            await until(events, Restored)

    assert [True] == [each.is_retried for each in opened.not_restored]
    assert ["Restored"] == await told(all_events)


async def test_queue_that_stays_locked_is_given_up(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ammoo.recovery.restoring.locked_pauses.LOCKED_PATIENCE", -1.0)
    monkeypatch.setattr("ammoo.recovery.restoring.handover.LOCKED_MARGIN", -1.0)
    async with (
        await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection,
        connection.channel() as channel,
    ):
        events = connection.events()
        await channel.declare_queue("orders", exclusive=True)
        await channel.bind_queue("orders", "amq.topic", "key")
        scripted.answers[QueueDeclareParameters] = lambda _: LOCKED
        scripted.peer.abort()
        opened = await until(events, Open)

    assert [(QueueRecord, False), (BindingRecord, False)] == [
        (type(each.entity), each.is_retried) for each in opened.not_restored
    ]


async def test_missing_queue_that_the_program_deletes_does_not_come_back(
    scripted: ScriptedServer,
) -> None:
    declared, declare = recorded(declare_ok)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events, all_events = connection.events(), connection.events()
        async with connection.channel() as channel:
            await channel.declare_queue("orders")
            del scripted.answers[QueueDeclareParameters]
            scripted.peer.abort()
            await scripted.accepted(2)
            await answer_next(scripted.peer, QueueDeclareParameters, DOWN)
            await until(events, Open)
            retried = await scripted.peer.expect_any(QueueDeclareParameters)
            await channel.delete_queue("orders")
            scripted.peer.answers[QueueDeclareParameters] = declare
            scripted.peer.send(DOWN, channel_number=retried.channel_number)
            await settle()
            await channel.declare_queue("others")
            await channel.declare_queue("others")

    assert ["others", "others"] == declared
    assert [] == await told(all_events)


# --- what goes missing, or is about to be deleted, while it is retried -----------------------------


async def lose_with_a_missing_queue(
    scripted: ScriptedServer, connection: ammoo.Connection, *keys: str
) -> ScriptedPeer:
    """Bind a queue to an exchange, and lose the connection; the queue is missing, the rest restored.

    Returns:
        The peer that has refused the queue once, and has answered no other queue.declare.
    """
    events = connection.events()
    channel = await connection.channel().__aenter__()
    await channel.declare_exchange("x", "direct", auto_delete=True)
    await channel.declare_queue("orders")
    await asyncio.gather(*(channel.bind_queue("orders", "x", key) for key in keys))
    del scripted.answers[QueueDeclareParameters]
    scripted.peer.abort()
    await scripted.accepted(2)
    await answer_next(scripted.peer, QueueDeclareParameters, DOWN)
    await until(events, Open)
    return scripted.peer


async def restore_queue(peer: ScriptedPeer) -> None:
    """Answer the next queue.declare and all that follow."""
    retried: Any = await peer.expect_any(QueueDeclareParameters)
    peer.answers[QueueDeclareParameters] = declare_ok
    peer.send(declare_ok(retried.parameters), channel_number=retried.channel_number)


async def test_exchange_that_goes_missing_while_its_binding_is_retried_is_retried_too(
    scripted: ScriptedServer,
) -> None:
    """A binding that was restored with it before waits for it, too."""
    bind_answers = iter([NO_EXCHANGE])
    exchange_answers = iter([DOWN] * 3)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        all_events = connection.events()
        channel = await connection.channel().__aenter__()
        await channel.bind_queue("other", "x", "key")
        peer = await lose_with_a_missing_queue(scripted, connection, "key")
        events = connection.events()
        peer.answers |= {
            QueueBindParameters: lambda _: next(bind_answers, QueueBindOkParameters()),
            ExchangeDeclareParameters: lambda _: next(
                exchange_answers, ExchangeDeclareOkParameters()
            ),
        }
        await restore_queue(peer)
        restored = [(await until(events, Restored)).entity for _ in range(4)]

    assert [QueueRecord, ExchangeRecord, BindingRecord, BindingRecord] == [
        type(each) for each in restored
    ]
    assert ["Restored"] * 4 == await told(all_events)


async def test_exchange_that_two_bindings_miss_is_declared_again_once(
    scripted: ScriptedServer,
) -> None:
    bind_answers = iter([NO_EXCHANGE, NO_EXCHANGE])
    declared: list[str] = []

    def declare(request: Any) -> ExchangeDeclareOkParameters:
        declared.append(request.exchange_name)
        return ExchangeDeclareOkParameters()

    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        all_events = connection.events()
        peer = await lose_with_a_missing_queue(scripted, connection, "first", "second")
        events = connection.events()
        peer.answers |= {
            QueueBindParameters: lambda _: next(bind_answers, QueueBindOkParameters()),
            ExchangeDeclareParameters: declare,
        }
        await restore_queue(peer)
        restored = [(await until(events, Restored)).entity for _ in range(3)]

    assert ["x"] == declared
    assert [QueueRecord, BindingRecord, BindingRecord] == [type(each) for each in restored]
    assert ["Restored"] * 3 == await told(all_events)


async def test_binding_that_the_program_removes_while_its_exchange_is_declared_again_stays_removed(
    scripted: ScriptedServer,
) -> None:
    bound, bind = recorded(lambda _: QueueBindOkParameters())
    bind_answers: Any = iter([lambda _: NO_EXCHANGE])
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        channel = await connection.channel().__aenter__()
        await channel.bind_queue("other", "x", "key")
        peer = await lose_with_a_missing_queue(scripted, connection, "key")
        events = connection.events()
        peer.answers |= {
            QueueBindParameters: lambda p: next(bind_answers, bind)(p),
            QueueUnbindParameters: lambda _: QueueUnbindOkParameters(),
        }
        del peer.answers[ExchangeDeclareParameters]
        await restore_queue(peer)
        declaring = await peer.expect_any(ExchangeDeclareParameters)
        await channel.unbind_queue("other", "x", "key")
        peer.send(ExchangeDeclareOkParameters(), channel_number=declaring.channel_number)
        await until(events, Restored)
        await until(events, Restored)
        await channel.declare_queue("others")

    assert ["orders"] == bound


async def test_exchange_that_goes_missing_while_its_binding_is_retried_is_given_up(
    scripted: ScriptedServer,
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        all_events = connection.events()
        peer = await lose_with_a_missing_queue(scripted, connection, "key")
        events = connection.events()
        peer.answers |= {
            QueueBindParameters: lambda _: NO_EXCHANGE,
            ExchangeDeclareParameters: lambda _: DIFFERENT,
        }
        await restore_queue(peer)
        given_up = [(await until(events, GivenUp)).entity for _ in range(2)]

    assert [ExchangeRecord, BindingRecord] == [type(each) for each in given_up]
    assert ["Restored", "GivenUp", "GivenUp"] == await told(all_events)


async def test_binding_that_is_restored_with_another_one_is_reported_at_once(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        all_events = connection.events()
        peer = await lose_with_a_missing_queue(scripted, connection, "first", "second")
        events = connection.events()
        del peer.answers[QueueBindParameters]
        monkeypatch.setattr("ammoo.recovery.restoring.stragglers.FIRST_DELAY", 3600.0)
        monkeypatch.setattr("ammoo.recovery.restoring.stragglers.MAX_DELAY", 3600.0)
        await restore_queue(peer)
        first = await peer.expect_any(QueueBindParameters)
        second = await peer.expect_any(QueueBindParameters)
        peer.send(DOWN, channel_number=second.channel_number)
        peer.send(NO_EXCHANGE, channel_number=first.channel_number)
        peer.answers[QueueBindParameters] = lambda _: QueueBindOkParameters()
        restored = [(await until(events, Restored)).entity for _ in range(3)]

    assert [QueueRecord, BindingRecord, BindingRecord] == [type(each) for each in restored]
    assert ["Restored"] * 3 == await told(all_events)


@pytest.mark.parametrize("answer", [lambda _: DOWN, declare_ok], ids=["refused", "declared"])
async def test_missing_queue_is_retried_when_the_server_refuses_to_delete_it(
    scripted: ScriptedServer, answer: Callable[[Any], Any]
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        all_events = connection.events()
        peer = await lose_with_a_missing_queue(scripted, connection)
        events = connection.events()
        async with connection.channel() as channel:
            del peer.answers[QueueDeleteParameters]
            retried: Any = await peer.expect_any(QueueDeclareParameters)
            deleting = asyncio.create_task(channel.delete_queue("orders", if_unused=True))
            deletion = await peer.expect_any(QueueDeleteParameters)
            peer.send(answer(retried.parameters), channel_number=retried.channel_number)
            peer.answers[QueueDeclareParameters] = declare_ok
            await settle()
            peer.send(IN_USE, channel_number=deletion.channel_number)
            with pytest.raises(PreconditionFailed):
                await deleting
            restored = (await until(events, Restored)).entity

    assert QueueRecord is type(restored)
    assert ["Restored"] == await told(all_events)


async def test_consumer_is_started_once_though_its_queue_goes_missing_again(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange of its binding is missing, so that the queue is declared again, in vain."""
    monkeypatch.setattr("ammoo.recovery.restoring.locked_pauses.LOCKED_PATIENCE", -1.0)
    monkeypatch.setattr("ammoo.recovery.supervisor.GATE_PATIENCE", 0.5)
    started, start = recorded(consume_ok)
    declare_answers = iter([LOCKED, LOCKED, QueueDeclareOkParameters("orders", 0, 0)])
    bind_answers = iter([NO_EXCHANGE])
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        async with connection.channel() as channel:
            await channel.declare_exchange("x", "direct", auto_delete=True)
            await channel.declare_queue("orders", exclusive=True)
            await channel.bind_queue("orders", "x", "key")
            async with channel.consume("orders"):
                scripted.answers |= {
                    QueueDeclareParameters: lambda p: (
                        declare_ok(p) if p.passive else next(declare_answers, DOWN)
                    ),
                    QueueBindParameters: lambda _: next(bind_answers, QueueBindOkParameters()),
                    BasicConsumeParameters: start,
                }
                scripted.peer.abort()
                await until(events, Open)
                scripted.peer.answers[QueueDeclareParameters] = declare_ok
                await until(events, Restored)
                await until(events, Restored)
                await channel.declare_queue("others")
                await channel.declare_queue("others")
                await channel.declare_queue("others")  # a second start would be there by now
                await round_trips_until(lambda: started, channel, "orders")

    assert ["orders"] == started


async def test_binding_that_cannot_be_declared_again_is_retried(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No number is free for a private channel when its exchange has been declared."""
    bound, bind = recorded(lambda _: QueueBindOkParameters())
    bind_answers: Any = iter([lambda _: NO_EXCHANGE])
    scripted.options["channel_max"] = 4
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        all_events = connection.events()
        async with connection.channel() as channel:
            await channel.declare_exchange("x", "direct", auto_delete=True)
            await channel.bind_queue("other", "x", "key")
            peer = await lose_with_a_missing_queue(scripted, connection, "key")
            events = connection.events()
            monkeypatch.setattr("ammoo.recovery.restoring.private_channels.ANSWER_TIMEOUT", 0.0)
            peer.answers[QueueBindParameters] = lambda p: next(bind_answers, bind)(p)
            del peer.answers[ExchangeDeclareParameters]
            await restore_queue(peer)
            declaring = await peer.expect_any(ExchangeDeclareParameters)
            close = peer.answers.pop(ChannelCloseParameters)
            peer.send(ExchangeDeclareOkParameters(), channel_number=declaring.channel_number)
            closing = [await peer.expect_any(ChannelCloseParameters) for _ in range(2)]
            await settle()
            assert [] == bound
            peer.answers[ChannelCloseParameters] = close
            peer.send(close(None), channel_number=closing[0].channel_number)
            peer.send(close(None), channel_number=closing[1].channel_number)
            restored = [(await until(events, Restored)).entity for _ in range(3)]

    assert [QueueRecord, BindingRecord, BindingRecord] == [type(each) for each in restored]
    assert ["orders", "other"] == sorted(bound)
    assert ["Restored"] * 3 == await told(all_events)


async def test_refusal_of_a_binding_whose_queue_the_program_deletes_is_of_no_account(
    scripted: ScriptedServer,
) -> None:
    recovery = ammoo.Recovery(random=lambda: 0.0, on_error="fail")
    async with await ammoo.connect(scripted.url, recovery=recovery) as connection:
        all_events = connection.events()
        peer = await lose_with_a_missing_queue(scripted, connection, "key")
        del peer.answers[QueueBindParameters]
        async with connection.channel() as channel:
            await restore_queue(peer)
            binding = await peer.expect_any(QueueBindParameters)
            await channel.delete_queue("orders")
            peer.send(NO_EXCHANGE, channel_number=binding.channel_number)
            await settle()
            await channel.declare_queue("others")

    assert ["Restored"] == await told(all_events)


async def test_missing_queue_that_the_program_deletes_is_not_declared_on_a_channel_that_opens(
    scripted: ScriptedServer,
) -> None:
    declared, declare = recorded(declare_ok)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        peer = await lose_with_a_missing_queue(scripted, connection)
        async with connection.channel() as channel:
            open_channel = peer.answers.pop(ChannelOpenParameters)
            await answer_next(peer, QueueDeclareParameters, DOWN)
            peer.answers[QueueDeclareParameters] = declare
            opening = await peer.expect_any(ChannelOpenParameters)
            await channel.delete_queue("orders")
            peer.answers[ChannelOpenParameters] = open_channel
            peer.send(ChannelOpenOkParameters(), channel_number=opening.channel_number)
            await settle()
            await channel.declare_queue("others")

    assert ["others"] == declared


async def test_channel_that_is_not_restored_is_reported_with_its_consumers(
    scripted: ScriptedServer,
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        async with connection.channel():
            lost_channel = await connection.channel().__aenter__()
            lost_consumer = await lost_channel.consume("orders").__aenter__()
            scripted.options["channel_max"] = 1
            scripted.peer.abort()
            lost = await until(events, ConsumerLost)
            opened = await until(events, Open)

    assert lost_consumer is lost.consumer
    assert [(lost_channel, False)] == [
        (each.entity, each.is_retried) for each in opened.not_restored
    ]


# --- the rules themselves ------------------------------------------------------------------------


def binding(source: ExchangeRecord, queue: QueueRecord) -> BindingRecord:
    made = BindingRecord(source, queue, "key", {}, (source.name, queue.name))
    source.bindings_from[made] = queue.bindings[made] = None
    return made


def test_each_binding_is_released_by_the_last_of_its_ends_and_once() -> None:
    live: Any = None
    replay = Replay(live, Topology(), AT_ONCE, Counter())
    exchange, here, missing = ExchangeRecord("x"), QueueRecord("here"), QueueRecord("missing")
    first, second = binding(exchange, here), binding(exchange, missing)
    error = NotFound(404, "NOT_FOUND", 50, 10)
    replay.stragglers = {exchange: error, missing: error}
    reply: Any = None

    replay.done(exchange, reply)
    assert [first] == replay.release(exchange, error)
    missing_queue: Any = missing
    replay._done.add(missing_queue)
    del replay.stragglers[missing]
    assert [second] == replay.release(missing, error)
    assert [] == replay.release(exchange, error)


def test_time_out_of_an_entity_names_the_method_that_was_not_answered() -> None:
    live: Any = None
    topology = Topology()
    topology.queue_declared(QueueDeclareParameters("q"), "q")
    topology.exchange_declared(ExchangeDeclareParameters("x", "topic"))
    topology.bound(QueueBindParameters("q", "x", "key", False, {}))
    replay = Replay(live, topology, AT_ONCE, Counter())

    assert ["exchange.declare", "queue.declare", "queue.bind"] == [
        replay.method_for(each)
        for each in topology.plan().entities
        if not isinstance(each, ConsumerRecord)
    ]


def test_started_consumer_does_not_wait_for_its_queue() -> None:
    live: Any = None
    request: Any = None
    queue = QueueRecord("orders")
    first, second = (ConsumerRecord(each, None, queue, request, (0, 0)) for each in "ab")
    queue.consumers |= {first: None, second: None}
    replay = Replay(live, Topology(), AT_ONCE, Counter())

    replay.started.add(first)

    assert [second] == replay.dependents(queue)


class LockedConsumers:
    """Consumers that are refused until a test frees them."""

    def __init__(self, *queues: str) -> None:
        live: Any = None
        request: Any = None
        self.free: set[str] = set()
        self.missing_queues: list[str] = []
        self.restored_queues: list[str] = []
        self.failed_queues: list[str] = []
        replay = Replay(live, Topology(), AT_ONCE, Counter())
        error = ResourceLocked(405, "RESOURCE_LOCKED", 60, 20)
        replay.stragglers = {
            ConsumerRecord(queue, None, QueueRecord(queue), request, (0, 0)): error
            for queue in queues
        }
        self.stragglers = Stragglers(replay, self)

    def locked_for(self) -> float:
        return 10.0

    def is_wanted(self, entity: Any) -> bool:
        return True

    def is_being_deleted(self, entity: Any) -> bool:
        return False

    async def start(self, record: ConsumerRecord) -> bool:
        if record.queue.name not in self.free:
            raise ResourceLocked(405, "RESOURCE_LOCKED", 60, 20)
        return True

    def went_missing(self, entity: Any) -> None:
        self.missing_queues.append(entity.queue.name)

    def restored(self, entity: Any) -> None:
        self.restored_queues.append(entity.queue.name)

    def failed(self, entity: Any, error: Exception) -> None:
        self.failed_queues.append(entity.queue.name)


async def test_entity_that_is_retried_already_is_not_retried_twice() -> None:
    host = LockedConsumers("orders")
    (consumer,) = host.stragglers._replay.stragglers
    async with asyncio.TaskGroup() as tasks:
        before = asyncio.all_tasks()
        host.stragglers._begin(tasks, consumer, 3600.0)
        host.stragglers._begin(tasks, consumer, 3600.0)
        (begun,) = asyncio.all_tasks() - before
        begun.cancel()

    assert begun.cancelled()


async def test_entity_that_goes_missing_again_while_its_task_sleeps_stays_retried() -> None:
    host = LockedConsumers("orders")
    (consumer,) = host.stragglers._replay.stragglers
    error = host.stragglers._replay.stragglers.pop(consumer)
    host.stragglers._retried.add(consumer)
    tasks: Any = None

    host.stragglers._declared_again(tasks, [consumer], {consumer}, error)

    assert {consumer: error} == host.stragglers._replay.stragglers
    assert ["orders"] == host.missing_queues


async def test_nothing_locked_is_given_up_while_the_server_frees_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, consumers = LoopClock(monkeypatch), LockedConsumers("first", "second", "third")
    running = asyncio.create_task(consumers.stragglers.run())

    await clock.advance_repeatedly(1.0, times=8)
    consumers.free.add("first")
    await clock.advance_repeatedly(1.0, times=8)
    consumers.free.add("second")
    await clock.advance_repeatedly(1.0, times=9)
    assert (["first", "second"], []) == (consumers.restored_queues, consumers.failed_queues)
    await clock.advance_repeatedly(1.0, times=6)
    await running

    assert ["third"] == consumers.failed_queues
