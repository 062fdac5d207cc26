"""What is declared, opened and consumed again: order, arguments, renames, refusals."""

import asyncio
import re
import uuid

import pytest

import ammoo
from ammoo import Recovery
from ammoo.exceptions import ConnectionLost, NotFound, PreconditionFailed, RecoveryFailed
from ammoo.recovery.events import ConsumerLost, Open, Recovering, Restored
from ammoo.recovery.listener import EventListener
from ammoo.topology_records import ConsumerRecord, Entity, QueueRecord
from tests.client.brokers import Name
from tests.recovery.network import Network
from tests.recovery.until import until, until_consumers


def exclusive_name() -> str:
    """Make a name for a queue that goes with its connection."""
    return f"exclusive.{uuid.uuid4().hex[:12]}"


async def lose(network: Network, events: EventListener) -> Open:
    network.cut()
    return await until(events, Open)


async def publish_times(times: int, channel: ammoo.Channel, exchange: str, key: str) -> None:
    for _ in range(times):
        await channel.publish(exchange, key, b"body")


async def test_temporary_entities_of_all_kinds_come_back_with_their_arguments(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    shop, audit, queue = name("shop"), name("audit"), exclusive_name()
    await channel.declare_exchange(shop, "topic", auto_delete=True)
    await channel.declare_exchange(audit, "headers", auto_delete=True)
    await channel.bind_exchange(audit, shop, "#")
    await channel.declare_queue(queue, exclusive=True, max_length=3)
    await channel.bind_queue(queue, audit, {"x-match": "all", "kind": "paid"})
    await channel.bind_queue(queue, shop, "paid.*")

    opened = await lose(network, events)

    assert () == opened.not_restored
    await channel.select_confirm()
    await publish_times(5, channel, shop, "paid.now")
    await channel.declare_queue(queue, exclusive=True, max_length=3)
    await channel.publish(audit, {"kind": "paid"}, b"by header")
    assert 3 == (await channel.assert_queue_exists(queue)).message_count


async def test_server_named_queue_is_renamed_everywhere(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    exchange = name("direct")
    await channel.declare_exchange(exchange, "direct", durable=True)
    first = (await channel.declare_queue("", exclusive=True)).queue_name
    await channel.bind_queue(first, exchange, "news")
    await channel.bind_queue(first, exchange, first)
    await channel.select_confirm()
    async with channel.consume(first) as consumer:
        once, twice = await lose(network, events), await lose(network, events)
        third = (await channel.assert_queue_exists(first)).queue_name
        await channel.bind_queue(first, exchange, "more")
        await channel.publish(exchange, "news", b"news")
        await channel.publish(exchange, third, third.encode())
        await channel.publish(exchange, "more", b"more")
        received = [bytes((await anext(consumer)).body) for _ in range(3)]
        assert third == consumer.queue_name
        await channel.delete_queue(first)

    second = once.renamed[first]
    assert {first: second} == dict(once.renamed)
    assert {second: third} == dict(twice.renamed)
    assert 3 == len({first, second, third})
    assert [b"news", third.encode(), b"more"] == received


async def test_unique_name_of_the_clients_stays_the_same(
    network: Network, channel: ammoo.Channel, events: EventListener
) -> None:
    named = await channel.declare_queue("inbox.", exclusive=True, unique_name=True)
    unnamed = await channel.declare_queue("", exclusive=True, unique_name=True)
    async with channel.consume(named.queue_name) as consumer:
        opened = await lose(network, events)
        await channel.publish("", named.queue_name, b"body")
        message = await anext(consumer)

    assert re.fullmatch(r"inbox\.[0-9a-f]{32}", named.queue_name)
    assert re.fullmatch(r"ammoo\.gen-[0-9a-f]{32}", unnamed.queue_name)
    assert {} == dict(opened.renamed)
    assert b"body" == message.body


async def test_empty_name_means_the_queue_that_was_declared_last(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)
    await lose(network, events)

    await channel.bind_queue("", "amq.direct", "")

    await channel.select_confirm()
    await channel.publish("amq.direct", queue, b"body")
    assert b"body" == (await channel.get("", no_ack=True)).body
    await channel.unbind_queue("", "amq.direct", "")


async def test_auto_delete_queue_whose_last_consumer_left_stays_gone(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    exchange, queue = name("source"), name("temporary")
    await channel.declare_exchange(exchange, "fanout", auto_delete=True, durable=True)
    await channel.declare_queue(queue, auto_delete=True, durable=True)
    await channel.bind_queue(queue, exchange, "")
    async with channel.consume(queue):
        pass

    opened = await lose(network, events)

    assert 1 == opened.restored  # the channel
    with pytest.raises(NotFound):
        await broker_channel.assert_queue_exists(queue)


async def test_binding_that_was_undone_stays_undone_and_the_other_comes_back(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    exchange, queue = name("headers"), exclusive_name()
    await channel.declare_exchange(exchange, "headers", durable=True)
    await channel.declare_queue(queue, exclusive=True)
    await channel.bind_queue(queue, exchange, {"kind": "a"})
    await channel.bind_queue(queue, exchange, {"kind": "b"})
    await channel.unbind_queue(queue, exchange, {"kind": "a"})

    await lose(network, events)

    await channel.select_confirm()
    await channel.publish(exchange, {"kind": "a"}, b"a")
    await channel.publish(exchange, {"kind": "b"}, b"b")
    assert b"b" == (await channel.get(queue, no_ack=True)).body
    assert 0 == (await channel.assert_queue_exists(queue)).message_count


async def test_refused_entity_is_skipped_and_reported_and_the_rest_is_restored(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queues = [name(f"q{number}") for number in range(60)]
    await asyncio.gather(*(channel.declare_queue(queue, durable=True) for queue in queues))
    network.go_down()
    await until(events, Recovering)
    await delete_all(broker_channel, queues)
    await broker_channel.declare_queue(queues[31], durable=True, max_length=1)

    network.go_up()
    opened = await until(events, Open)

    (missing,) = opened.not_restored
    assert isinstance(missing.entity, QueueRecord)
    assert (missing.entity.name, missing.is_retried) == (queues[31], False)
    assert isinstance(missing.error, PreconditionFailed)
    assert 60 == opened.restored  # 59 queues and the channel
    await asyncio.gather(*(channel.assert_queue_exists(queue) for queue in queues))


async def delete_all(channel: ammoo.Channel, queues: list[str]) -> None:
    for queue in queues:
        await channel.delete_queue(queue)


async def redeclare_differently(channel: ammoo.Channel, queue: str) -> None:
    await channel.delete_queue(queue)
    await channel.declare_queue(queue, durable=True, max_length=1)


async def test_refused_entity_ends_the_connection_if_asked(
    network: Network, name: Name, broker_channel: ammoo.Channel
) -> None:
    recovery = Recovery(on_error="fail", random=lambda: 0.0)
    async with (
        await ammoo.connect(network.url, recovery=recovery) as connection,
        connection.channel() as channel,
    ):
        queue = name("orders")
        await channel.declare_queue(queue, durable=True)
        events = connection.events()
        network.go_down()
        await until(events, Recovering)
        await redeclare_differently(broker_channel, queue)
        network.go_up()
        await connection.wait_closed()

    assert isinstance(connection.closing_exc, RecoveryFailed)
    assert isinstance(connection.closing_exc.exc, PreconditionFailed)
    assert "on_error='fail'" in "".join(connection.closing_exc.exc.__notes__)


async def test_refused_entity_is_retried_in_the_background_if_asked(
    network: Network, name: Name, broker_channel: ammoo.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ammoo.recovery.supervisor.GATE_PATIENCE", 0.0)
    monkeypatch.setattr("ammoo.recovery.restoring.stragglers.FIRST_DELAY", 0.001)
    recovery = Recovery(on_error="retry", random=lambda: 0.0)
    async with (
        await ammoo.connect(network.url, recovery=recovery) as connection,
        connection.channel() as channel,
    ):
        exchange, queue = name("source"), name("orders")
        await channel.declare_exchange(exchange, "fanout", durable=True)
        await channel.declare_queue(queue, durable=True)
        await channel.bind_queue(queue, exchange, "")
        async with channel.consume(queue) as consumer:
            events = connection.events()
            network.go_down()
            await until(events, Recovering)
            await redeclare_differently(broker_channel, queue)
            network.go_up()
            opened = await until(events, Open)
            await broker_channel.delete_queue(queue)
            restored = [await until(events, Restored) for _ in range(3)]
            await broker_channel.publish(exchange, "", b"body")
            message = await anext(consumer)

    assert [True] * 3 == [each.is_retried for each in opened.not_restored]
    assert [
        "QueueRecord",
        "BindingRecord",
        "ConsumerRecord",
    ] == [type(each.entity).__name__ for each in opened.not_restored]
    assert {each.entity for each in opened.not_restored} == {each.entity for each in restored}
    assert b"body" == message.body


async def test_what_the_user_does_not_want_is_left_out(
    network: Network, name: Name, broker_channel: ammoo.Channel
) -> None:
    kept, left = name("kept"), name("left")

    def is_wanted(entity: Entity) -> bool:
        return not (isinstance(entity, QueueRecord) and entity.name == left)

    recovery = Recovery(restore=is_wanted, random=lambda: 0.0)
    async with (
        await ammoo.connect(network.url, recovery=recovery) as connection,
        connection.channel() as channel,
    ):
        await channel.declare_queue(kept, durable=True)
        await channel.declare_queue(left, durable=True)
        events = connection.events()
        network.go_down()
        await until(events, Recovering)
        await delete_all(broker_channel, [kept, left])
        network.go_up()
        opened = await until(events, Open)

    assert () == opened.not_restored
    assert 0 == (await broker_channel.assert_queue_exists(kept)).message_count
    with pytest.raises(NotFound):
        await broker_channel.assert_queue_exists(left)


async def test_consumer_that_the_user_does_not_want_restored_raises_the_loss(
    network: Network, name: Name
) -> None:
    recovery = Recovery(
        restore=lambda entity: not isinstance(entity, ConsumerRecord), random=lambda: 0.0
    )
    async with (
        await ammoo.connect(network.url, recovery=recovery) as connection,
        connection.channel() as channel,
    ):
        events = connection.events()
        queue = (await channel.declare_queue(name("orders"), durable=True)).queue_name
        consumer = await channel.consume(queue).__aenter__()
        network.cut()
        lost = await until(events, ConsumerLost)
        with pytest.raises(ConnectionLost) as caught:
            await anext(consumer)

    assert (consumer, caught.value) == (lost.consumer, lost.error)


@pytest.mark.parametrize("count", [1, 2])
async def test_all_channels_come_back_that_the_connection_may_have(
    network: Network, name: Name, count: int
) -> None:
    """Declaring the entities again takes channels too, which are closed again in time."""
    async with await ammoo.connect(
        network.url, recovery=Recovery(random=lambda: 0.0), channel_max=count
    ) as connection:
        events = connection.events()
        channels = [await connection.channel().__aenter__() for _ in range(count)]
        exchange, queue = name("source"), name("orders")
        await channels[0].declare_exchange(exchange, "fanout")
        await channels[0].declare_queue(queue, durable=True)
        await channels[0].bind_queue(queue, exchange, "")
        consumer = await channels[-1].consume(queue).__aenter__()
        network.cut()
        opened = await until(events, Open)
        await channels[0].publish(exchange, "", b"body")
        message = await anext(consumer)
        await channels[0].delete_exchange(exchange)

    assert (4 + count, ()) == (opened.restored, opened.not_restored)
    assert b"body" == message.body


async def test_exclusive_queue_that_a_ghost_holds_is_restored_when_it_is_free(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name, broker_url: str
) -> None:
    queue = exclusive_name()
    await channel.declare_queue(queue, exclusive=True)
    network.go_down()
    await until(events, Recovering)
    async with await ammoo.connect(broker_url) as ghost, ghost.channel() as its_channel:
        await declare_when_free(ghost, queue)
        network.go_up()
        recovering = asyncio.create_task(until(events, Open))
        await its_channel.declare_queue("", exclusive=True)  # the attempt is on its way
    opened = await recovering

    assert ((), 2) == (opened.not_restored, opened.restored)
    await channel.declare_queue(queue, exclusive=True)


async def declare_when_free(connection: ammoo.Connection, queue: str) -> None:
    """Declare an exclusive queue, as soon as the server has noticed that its owner is gone."""
    while True:
        try:
            async with connection.channel() as channel:
                await channel.declare_queue(queue, exclusive=True)
            return
        except ammoo.exceptions.ResourceLocked:
            pass


async def test_restoring_that_is_cut_begins_anew_and_is_done_once(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queues = [exclusive_name() for _ in range(30)]
    await asyncio.gather(*(channel.declare_queue(queue, exclusive=True) for queue in queues))
    async with channel.consume(queues[0]):
        network.cut_after(1200)  # octets of the broker's on the next connection
        network.cut()
        opened = await until(events, Open)
        counts = [(await channel.assert_queue_exists(queues[0])).consumer_count]

    assert (2, 32, ()) == (opened.attempts, opened.restored, opened.not_restored)
    assert [1] == counts


async def test_entity_declared_on_a_closed_channel_comes_back(
    network: Network, connection: ammoo.Connection, events: EventListener, name: Name
) -> None:
    queue = exclusive_name()
    async with connection.channel() as closed:
        await closed.declare_queue(queue, exclusive=True)

    await lose(network, events)

    async with connection.channel() as channel:
        assert queue == (await channel.assert_queue_exists(queue)).queue_name


async def test_only_what_was_declared_last_and_done_is_declared_again(
    network: Network,
    connection: ammoo.Connection,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue, failed = name("orders"), name("failed")
    await broker_channel.declare_queue(failed, durable=True)
    async with connection.channel() as channel:
        await channel.declare_queue(queue, durable=True)
        await channel.delete_queue(queue)
        await channel.declare_queue(queue, durable=True, max_length=2)
        await channel.assert_queue_exists(failed)
    async with connection.channel() as channel:
        with pytest.raises(PreconditionFailed):
            await channel.declare_queue(failed, durable=True, max_length=1)
    await broker_channel.delete_queue(queue)
    await broker_channel.delete_queue(failed)

    opened = await lose(network, events)

    assert (1, ()) == (opened.restored, opened.not_restored)
    await broker_channel.declare_queue(queue, durable=True, max_length=2)


async def test_refused_deletion_leaves_the_queue_recorded(
    network: Network,
    connection: ammoo.Connection,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue = name("orders")
    await broker_channel.declare_queue(queue, durable=True)
    await broker_channel.publish("", queue, b"body")
    async with connection.channel() as channel:
        await channel.declare_queue(queue, durable=True)
        with pytest.raises(PreconditionFailed):
            await channel.delete_queue(queue, if_empty=True)
    await broker_channel.delete_queue(queue)

    await lose(network, events)

    assert 0 == (await broker_channel.assert_queue_exists(queue)).message_count


async def test_consumer_whose_queue_is_not_there_any_more_raises_and_others_go_on(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    gone, there = name("gone"), name("there")
    await broker_channel.declare_queue(gone, durable=True)
    await broker_channel.declare_queue(there, durable=True)
    async with channel.consume(gone) as lost, channel.consume(there) as kept:
        network.go_down()
        await until(events, Recovering)
        await broker_channel.delete_queue(gone)
        network.go_up()
        opened = await until(events, Open)
        with pytest.raises(NotFound):
            await anext(lost)
        await broker_channel.publish("", there, b"body")
        message = await anext(kept)

    (missing,) = opened.not_restored
    assert isinstance(missing.entity, ConsumerRecord)
    assert b"body" == message.body


async def test_each_consumer_has_the_prefetch_limit_that_it_was_made_with(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    one, two = name("one"), name("two")
    await channel.declare_queue(one, durable=True)
    await channel.declare_queue(two, durable=True)
    await channel.select_confirm()
    await channel.qos(prefetch_count=1)
    async with channel.consume(one) as first:
        await channel.qos(prefetch_count=2)
        async with channel.consume(two) as second:
            await lose(network, events)
            await until_consumers(channel, one, 1)
            await until_consumers(channel, two, 1)
            await publish_times(4, channel, "", one)
            await publish_times(4, channel, "", two)
            left = [
                (await channel.assert_queue_exists(queue)).message_count for queue in (one, two)
            ]
            assert (None, None) == (first.closing_exc, second.closing_exc)

    assert [3, 2] == left


async def test_transactions_come_back_and_one_that_was_cut_raises_at_its_end(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)

    async def transaction_that_is_cut() -> None:
        async with channel.transaction():
            await channel.publish("", queue, b"lost")
            await lose(network, events)
            await channel.publish("", queue, b"half")

    with pytest.raises(ammoo.exceptions.ConnectionLost):
        await transaction_that_is_cut()
    await channel.rollback()

    async with channel.transaction():
        await channel.publish("", queue, b"whole")

    assert b"whole" == (await channel.get(queue, no_ack=True)).body
    assert 0 == (await channel.assert_queue_exists(queue)).message_count


async def test_hundreds_of_channels_come_back(
    network: Network, connection: ammoo.Connection, events: EventListener, name: Name
) -> None:
    queue = name("orders")
    async with connection.channel() as channel:
        await channel.declare_queue(queue, durable=True)
    channels = [connection.channel(prefetch_count=number + 1) for number in range(300)]
    await asyncio.gather(*(each.__aenter__() for each in channels))
    await asyncio.gather(*(each.select_confirm() for each in channels))
    consumers = [each.consume(queue) for each in channels]
    await asyncio.gather(*(each.__aenter__() for each in consumers))

    opened = await lose(network, events)

    assert (601, ()) == (opened.restored, opened.not_restored)
    await until_consumers(channels[0], queue, 300)
    await asyncio.gather(*(each.publish("", queue, b"body") for each in channels))


async def test_channel_that_an_error_closed_stays_closed(
    network: Network, connection: ammoo.Connection, events: EventListener, name: Name
) -> None:
    async with connection.channel() as channel:
        with pytest.raises(NotFound) as caught:
            await channel.assert_queue_exists(name("nowhere"))
        await channel.wait_closed()

        await lose(network, events)

        with pytest.raises(NotFound) as again:
            await channel.declare_queue(name("orders"), durable=True)

    assert caught.value is again.value
    assert not caught.value.recoverable
