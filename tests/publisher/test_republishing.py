"""A publisher on a connection that is lost and recovered, and on a channel that is reopened."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import ammoo
from ammoo.exceptions import (
    MethodNotImplemented,
    NotFound,
    NotSent,
    PublishNack,
    PublishNotSent,
    PublishRefused,
    PublishReturned,
    PublishUnknown,
    RecoveryFailed,
)
from ammoo.publisher import Confirmation, Publication, Publisher
from ammoo.recovery.events import Open, Recovering
from ammoo.recovery.listener import EventListener
from ammoo_wire import BasicAckParameters, BasicPublishParameters
from tests.client.brokers import Name
from tests.client.script import ScriptedServer
from tests.recovery.network import Network
from tests.recovery.until import AT_ONCE, bring_down, settle, until
from tests.support.operator import Operator


@pytest.fixture
async def queue(broker_channel: ammoo.Channel, name: Name) -> str:
    """A durable queue, declared by a connection that is not lost."""
    return (await broker_channel.declare_queue(name("orders"), durable=True)).queue_name


async def publish(publisher: Publisher, queue: str, *bodies: str, **options: Any) -> None:
    for body in bodies:
        await publisher.publish("", queue, body, **options)


async def messages(channel: ammoo.Channel, queue: str) -> list[ammoo.GetMessage]:
    """Take all messages out of a queue."""
    taken = []
    while (await channel.assert_queue_exists(queue)).message_count:
        taken.append(await channel.get(queue, no_ack=True))
    return taken


async def bodies(channel: ammoo.Channel, queue: str) -> list[str]:
    return [each.decode() for each in await messages(channel, queue)]


async def test_what_is_published_while_the_connection_is_down_is_sent_by_itself(
    network: Network,
    channel: ammoo.Channel,
    broker_channel: ammoo.Channel,
    events: EventListener,
    queue: str,
) -> None:
    async with channel.publisher() as publisher:
        await bring_down(network, events)
        await publish(publisher, queue, "1", "2", "3")
        assert (3, 3) == (publisher.sent, publisher.in_flight)
        network.go_up()

    assert (3, 3, 0) == (publisher.sent, publisher.confirmed, publisher.failed)
    assert ["1", "2", "3"] == await bodies(broker_channel, queue)


async def test_what_was_in_flight_is_unknown_and_is_not_sent_again(
    network: Network,
    channel: ammoo.Channel,
    broker_channel: ammoo.Channel,
    events: EventListener,
    queue: str,
) -> None:
    async with channel.publisher() as publisher:
        network.hold()
        lost = await publisher.publish("", queue, "1")
        await settle()
        network.cut()
        network.release()
        with pytest.raises(PublishUnknown) as caught:
            await lost
        await caught.value.recovered()
        await publish(publisher, queue, "2")

    assert "2" == (await bodies(broker_channel, queue))[-1]
    assert (2, 1, 1) == (publisher.sent, publisher.confirmed, publisher.failed)
    assert 1 == caught.value.publish_sequence_number


async def test_lost_messages_are_sent_again_in_their_order_before_newer_ones(
    network: Network,
    channel: ammoo.Channel,
    broker_channel: ammoo.Channel,
    events: EventListener,
    queue: str,
) -> None:
    async with channel.publisher(republish=True) as publisher:
        network.hold()
        await publish(publisher, queue, "1", "2", "3")
        await settle()
        network.go_down()
        network.release()
        await until(events, Recovering)
        await publish(publisher, queue, "4")
        network.go_up()
        await publisher.flush()
    arrived = await messages(broker_channel, queue)

    assert ["1", "2", "3", "4"] == [each.decode() for each in arrived][-4:]
    assert (4, 4, 0) == (publisher.sent, publisher.confirmed, publisher.failed)
    ids = {each.decode(): each.properties.message_id for each in arrived}
    assert 4 == len(set(ids.values()))
    assert all(ids[each.decode()] == each.properties.message_id for each in arrived)


async def test_lost_messages_are_sent_to_the_next_host(
    broker_url: str, broker_channel: ammoo.Channel, queue: str
) -> None:
    async with (
        Network(broker_url) as one,
        Network(broker_url) as two,
        await ammoo.connect([one.url, two.url], recovery=AT_ONCE) as connection,
        connection.channel() as channel,
        channel.publisher(republish=True) as publisher,
    ):
        first, second = sorted((one, two), key=lambda each: not each.attempts)
        first.hold()
        await publish(publisher, queue, "1", "2")
        await settle()
        first.go_down()
        await publish(publisher, queue, "3")
        await publisher.flush()

    assert ["1", "2", "3"] == (await bodies(broker_channel, queue))[-3:]
    assert (3, 3, 0) == (publisher.sent, publisher.confirmed, publisher.failed)
    assert (1, 1) == (first.attempts, second.attempts)


async def test_message_id_of_the_caller_is_kept(
    channel: ammoo.Channel, broker_channel: ammoo.Channel, queue: str
) -> None:
    async with channel.publisher(republish=True) as publisher:
        await publish(publisher, queue, "1", message_id="mine")

    assert ["mine"] == [
        each.properties.message_id for each in await messages(broker_channel, queue)
    ]


@pytest.fixture
async def full(broker_channel: ammoo.Channel, name: Name) -> str:
    """A queue that refuses each message."""
    declared = await broker_channel.declare_queue(
        name("full"), durable=True, max_length=0, overflow="reject-publish"
    )
    return declared.queue_name


async def publish_twice(
    publisher: Publisher, network: Network, routing_key: str, **options: Any
) -> PublishUnknown:
    """Publish a message, lose the connection, and return the outcome of the second copy."""
    network.hold()
    confirmation = await publisher.publish("", routing_key, "1", **options)
    await settle()
    network.cut()
    network.release()
    with pytest.raises(PublishUnknown) as caught:
        await confirmation
    return caught.value


async def test_nack_of_a_second_copy_tells_nothing_of_the_first(
    network: Network, channel: ammoo.Channel, full: str
) -> None:
    async with channel.publisher(republish=True) as publisher:
        error = await publish_twice(publisher, network, full)

    assert PublishNack is type(error.exc)
    text = (
        f"message 1 to exchange '' with routing key '{full}' was sent and not confirmed;"
        f" it is not known whether the server has it: {error.exc}"
    )
    assert text == str(error)
    assert (1, 0, 1) == (publisher.sent, publisher.confirmed, publisher.failed)


async def test_return_of_a_second_copy_tells_nothing_of_the_first(
    network: Network, channel: ammoo.Channel
) -> None:
    async with channel.publisher(republish=True) as publisher:
        error = await publish_twice(publisher, network, "nowhere", mandatory=True)

    assert isinstance(error.exc, PublishReturned)
    assert (1, 0, 1) == (publisher.sent, publisher.confirmed, publisher.failed)


async def test_refusal_of_a_second_copy_tells_nothing_of_the_first(
    network: Network, channel: ammoo.Channel, name: Name
) -> None:
    exchange = name("events")
    async with channel.publisher(republish=True) as publisher:
        network.hold()
        confirmation = await publisher.publish(exchange, "key", "1")
        await settle()
        network.cut()
        network.release()
        with pytest.raises(PublishUnknown) as caught:
            await confirmation

    refused = caught.value.exc
    assert isinstance(refused, PublishRefused)
    assert isinstance(refused.exc, NotFound)
    assert (exchange, "key") == (caught.value.exchange_name, caught.value.routing_key)


async def publish_and_lose(
    publisher: Publisher,
    queue: str,
    bodies: list[str],
    network: Network,
    events: EventListener,
) -> None:
    """Publish, and lose the connection when all but the last fourteen are confirmed."""
    confirmations = [await publisher.publish("", queue, body) for body in bodies]
    await confirmations[-15]
    network.cut()
    await until(events, Open)


async def test_messages_that_are_lost_again_and_again_keep_their_order(
    network: Network,
    channel: ammoo.Channel,
    broker_channel: ammoo.Channel,
    events: EventListener,
    queue: str,
) -> None:
    numbers = [str(number) for number in range(200)]
    async with channel.publisher(max_in_flight=20, republish=True) as publisher:
        await publish_and_lose(publisher, queue, numbers[:61], network, events)
        await publish_and_lose(publisher, queue, numbers[61:101], network, events)
        await publish_and_lose(publisher, queue, numbers[101:141], network, events)
        await publish(publisher, queue, *numbers[141:])

    arrived = await bodies(broker_channel, queue)
    last_places = {body: place for place, body in enumerate(arrived)}
    assert numbers == sorted(last_places, key=last_places.__getitem__)
    assert (200, 200, 0) == (publisher.sent, publisher.confirmed, publisher.failed)


async def test_message_that_the_server_closes_the_channel_for_is_found_and_alone_refused(
    channel: ammoo.Channel, broker_channel: ammoo.Channel, queue: str
) -> None:
    publisher = channel.publisher(republish=True)
    numbers = [str(number) for number in range(20)]

    async with publisher:
        await publish(publisher, queue, *numbers[:7])
        await publisher.publish("no such exchange", queue, "poison")
        await publish(publisher, queue, *numbers[7:])
        with pytest.raises(ExceptionGroup) as caught:
            await publisher.flush()

    (refused,) = caught.value.exceptions
    assert isinstance(refused, PublishRefused)
    assert isinstance(refused.exc, NotFound)
    assert ("no such exchange", queue, 8) == (
        refused.exchange_name,
        refused.routing_key,
        refused.publish_sequence_number,
    )
    arrived = await bodies(broker_channel, queue)
    assert numbers == sorted(set(arrived), key=int)
    assert numbers[7:] == arrived[-13:]
    assert (21, 20, 1) == (publisher.sent, publisher.confirmed, publisher.failed)


async def test_recovery_that_gives_up_settles_everything(
    network: Network, broker_url: str, name: Name
) -> None:
    recovery = ammoo.Recovery(random=lambda: 0.0, max_attempts=1)
    async with (
        await ammoo.connect(network.url, recovery=recovery) as connection,
        connection.channel() as channel,
        channel.publisher(republish=True) as publisher,
    ):
        network.hold()
        await publish(publisher, "nowhere", "1")
        await settle()
        network.go_down()
        await until(connection.events(), Recovering)
        await publish(publisher, "nowhere", "2")
        with pytest.raises(ExceptionGroup) as caught:
            await publisher.flush()
        with pytest.raises(PublishNotSent):
            await publish(publisher, "nowhere", "3")

    assert [PublishUnknown, PublishNotSent] == [type(each) for each in caught.value.exceptions]
    assert isinstance(caught.value.exceptions[1].__cause__, RecoveryFailed)
    assert (2, 0, 2, 0) == (
        publisher.sent,
        publisher.confirmed,
        publisher.failed,
        publisher.in_flight,
    )


async def test_publisher_can_be_left_by_cancellation_while_the_connection_is_down(
    network: Network, channel: ammoo.Channel, events: EventListener
) -> None:
    published: asyncio.Queue[Confirmation] = asyncio.Queue()

    async def work() -> None:
        async with channel.publisher() as publisher:
            await bring_down(network, events)
            published.put_nowait(await publisher.publish("", "nowhere", "1"))

    task = asyncio.create_task(work())
    confirmation = await published.get()
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert isinstance(confirmation.exception(), PublishNotSent)


async def test_time_of_a_message_counts_while_the_connection_is_down(
    network: Network, channel: ammoo.Channel, events: EventListener
) -> None:
    async with channel.publisher(timeout=0.01) as publisher:
        await bring_down(network, events)
        confirmation = await publisher.publish("", "nowhere", "1")

        with pytest.raises(PublishNotSent) as caught:
            await confirmation

    assert 1 == caught.value.publish_sequence_number
    network.go_up()


async def test_publish_and_publish_nowait_raise_the_same_when_recovery_has_given_up(
    network: Network, broker_url: str
) -> None:
    recovery = ammoo.Recovery(random=lambda: 0.0, max_attempts=1)
    async with (
        await ammoo.connect(network.url, recovery=recovery) as connection,
        connection.channel() as channel,
    ):
        network.go_down()
        await connection.wait_closed()

        with pytest.raises(PublishNotSent) as caught:
            await channel.publish("", "nowhere", b"body")
        with pytest.raises(PublishNotSent) as caught_at_once:
            channel.publish_nowait("", "nowhere", b"body")

    assert str(caught.value.__cause__) == str(caught_at_once.value.__cause__)
    assert isinstance(caught_at_once.value.__cause__, RecoveryFailed)


async def test_message_that_the_server_closes_the_connection_for_is_refused(
    channel: ammoo.Channel, broker_channel: ammoo.Channel, queue: str
) -> None:
    """RabbitMQ does not implement `immediate`, and closes the connection."""
    async with channel.publisher(republish=True) as publisher:
        await publish(publisher, queue, "1", "2")
        poison = await publisher.publish("", queue, b"poison", immediate=True)
        await publish(publisher, queue, "3")
        with pytest.raises(PublishRefused) as caught:
            await poison

    assert isinstance(caught.value.exc, MethodNotImplemented)
    assert {"1", "2", "3"} == set(await bodies(broker_channel, queue))
    assert (4, 3, 1) == (publisher.sent, publisher.confirmed, publisher.failed)


async def test_publish_alone_that_closes_a_channel_that_is_opened_again_is_refused(
    channel: ammoo.Channel,
) -> None:
    await channel.select_confirm()

    with pytest.raises(PublishRefused, match="no exchange 'no such exchange'") as caught:
        await channel.publish("no such exchange", "key", b"body")

    await caught.value.recovered()
    assert ("no such exchange", "key", 1) == (
        caught.value.exchange_name,
        caught.value.routing_key,
        caught.value.publish_sequence_number,
    )
    await channel.publish("amq.fanout", "key", b"body")


async def test_message_that_was_returned_before_the_loss_is_returned(
    server: ScriptedServer,
) -> None:
    """Its confirm would say nothing more; it is not sent again."""
    async with (
        await ammoo.connect(server.url, recovery=AT_ONCE) as connection,
        connection.channel() as channel,
        channel.publisher(republish=True) as publisher,
    ):
        returned = await publisher.publish("", "a", b"body", mandatory=True, message_id="1")
        lost = await publisher.publish("", "b", b"body", mandatory=True, message_id="2")
        first = server.peer
        properties = (await first.expect_command(BasicPublishParameters)).properties
        await first.expect(BasicPublishParameters)
        assert properties is not None
        first.returned("a", properties=properties)
        await first.synchronise(channel)
        first.abort()
        await server.accepted(2)
        again = await server.peer.expect(BasicPublishParameters)
        server.peer.send(BasicAckParameters(1, False))
        await lost
        with pytest.raises(PublishReturned):
            await returned

    assert "b" == again.routing_key


async def test_publisher_waits_at_a_gate_that_is_full(network: Network, broker_url: str) -> None:
    """Its own window bounds what waits."""
    recovery = ammoo.Recovery(random=lambda: 0.0, max_waiting=1)
    async with (
        await ammoo.connect(network.url, recovery=recovery) as connection,
        connection.channel() as channel,
        channel.publisher() as publisher,
    ):
        events = connection.events()
        await bring_down(network, events)
        declaring = asyncio.create_task(
            channel.declare_exchange("amq.fanout", "fanout", durable=True)
        )
        await settle()
        with pytest.raises(NotSent):
            await channel.qos(prefetch_count=1)
        await publisher.publish("amq.fanout", "", b"body")
        network.go_up()
        await declaring

    assert 1 == publisher.confirmed


class InterruptedSource:
    """Fifty messages for a queue, and something that happens before the twenty-first.

    Attributes:
        taken: How many were taken.
        was_interrupted: Set when it has happened.
        is_closed: Whether the iteration has ended.
    """

    def __init__(self, queue: str, interrupt: Callable[[], Awaitable[None]]) -> None:
        self.taken = 0
        self.was_interrupted = asyncio.Event()
        self.is_closed = False
        self._queue = queue
        self._interrupt = interrupt

    async def publications(self) -> AsyncIterator[Publication]:
        try:
            for number in range(50):
                self.taken += 1
                if number == 20:
                    await self._interrupt()
                    self.was_interrupted.set()
                yield "", self._queue, str(number)
        finally:
            self.is_closed = True


async def test_asynchronous_source_is_paused_by_an_outage_and_closed_in_the_end(
    network: Network,
    channel: ammoo.Channel,
    broker_channel: ammoo.Channel,
    events: EventListener,
    queue: str,
) -> None:
    async def lose() -> None:
        await bring_down(network, events)

    source = InterruptedSource(queue, lose)
    async with channel.publisher(max_in_flight=10, republish=True) as publisher:
        feeding = asyncio.create_task(publisher.publish_many(source.publications()))
        await source.was_interrupted.wait()
        await settle()
        assert 31 > source.taken
        network.go_up()

        assert 50 == await feeding

    assert source.is_closed
    assert {str(number) for number in range(50)} == set(await bodies(broker_channel, queue))


async def test_messages_wait_while_the_broker_has_an_alarm_and_arrive_in_order(
    broker_connection: ammoo.Connection,
    broker_channel: ammoo.Channel,
    operator: Operator,
    queue: str,
) -> None:
    async with (
        broker_connection.channel() as channel,
        channel.publisher(max_in_flight=20) as publisher,
    ):
        operator.raise_alarm()
        await publish(publisher, queue, "0")  # RabbitMQ tells at the first publish
        await broker_connection.wait_blocked()
        await publish(publisher, queue, *(str(number) for number in range(1, 20)))
        assert (20, 20) == (publisher.sent, publisher.in_flight)
        operator.clear_alarm()
        await publish(publisher, queue, "20")

    assert (21, 21) == (publisher.sent, publisher.confirmed)
    assert [str(number) for number in range(21)] == await bodies(broker_channel, queue)
