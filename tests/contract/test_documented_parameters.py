"""Each documented parameter on a broker, and the effect that its documentation promises.

Passing an argument and seeing no error proves nothing: every test here observes what the
argument is for.
"""

import asyncio
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

import ammoo
from ammoo.arguments import StreamOffset
from ammoo.auth.mechanisms.amqplain import AMQPlainAuth
from ammoo.auth.mechanisms.sasl_plain import SaslPlainAuth
from ammoo.auth.password import PasswordAuthentication
from ammoo.exceptions import UnknownDelivery
from ammoo.exceptions.channel import (
    AccessRefused,
    NotFound,
    PreconditionFailed,
    PublishNack,
    ResourceLocked,
    ServerClosedChannel,
)
from ammoo.exceptions.connection import (
    LoginRefused,
    MethodNotImplemented,
    NotAllowed,
    ServerClosedConnection,
)
from ammoo_wire import FieldValue
from tests.client.brokers import Name
from tests.contract.queues import arrived, drain, publish, until_gone
from tests.support.operator import Operator

# --- connect ---


async def test_connect_by_keywords(broker_url: str) -> None:
    url = urlsplit(broker_url)

    async with await ammoo.connect(
        "amqp://nobody:nothing@nowhere:1/none",
        host=url.hostname,
        port=url.port,
        virtualhost="/",
        login=url.username or "guest",
        password=url.password or "guest",
        loop=asyncio.get_running_loop(),
    ) as connection:
        assert connection.entered


async def test_connect_virtualhost(broker_url: str) -> None:
    connection = await ammoo.connect(broker_url, virtualhost="no such")

    with pytest.raises(NotAllowed, match="vhost no such not found"):
        await connection.__aenter__()


@pytest.mark.parametrize(
    "auth", [AMQPlainAuth, SaslPlainAuth, PasswordAuthentication], ids=lambda cls: cls.__name__
)
async def test_connect_auth(broker_url: str, auth: Any) -> None:
    async with await ammoo.connect(broker_url, auth=auth("guest", "guest")) as connection:
        assert connection.entered
    refused = await ammoo.connect(broker_url, auth=auth("guest", "wrong"))
    with pytest.raises(LoginRefused, match="ACCESS_REFUSED - Login was refused"):
        await refused.__aenter__()


@pytest.mark.parametrize("keyword", [{"password": "wrong"}, {"login": "nobody"}])
async def test_connect_login_and_password(broker_url: str, keyword: dict[str, str]) -> None:
    connection = await ammoo.connect(broker_url, **keyword)  # type: ignore[arg-type]  # all are str

    with pytest.raises(LoginRefused) as caught:
        await connection.__aenter__()
    assert "AMQPLAIN" == caught.value.mechanism


async def test_connect_limits(broker_url: str, name: Name) -> None:
    async with (
        await ammoo.connect(broker_url, heartbeat_interval=3, frame_max=8192) as connection,
        connection.channel() as channel,
    ):
        assert (3, 8192) == (connection.heartbeat_interval, connection.frame_max)
        queue = (await channel.declare_queue(name("queue"), exclusive=True)).queue_name
        await channel.publish("", queue, bytes(100_000))
        async with channel.consume(queue) as consumer:
            assert 100_000 == len((await anext(consumer)).body)
    async with await ammoo.connect(broker_url) as connection:
        assert (60, 131072, 2047) == (
            connection.heartbeat_interval,
            connection.frame_max,
            connection.channel_max,
        )


class Mine(ammoo.Connection):
    pass


async def test_connect_connection_factory(broker_url: str) -> None:
    async with await ammoo.connect(broker_url, connection_factory=Mine) as connection:
        assert isinstance(connection, Mine)


@pytest.mark.parametrize("make", [lambda p: Mine, lambda p: Mine(p)], ids=["class", "instance"])
async def test_connect_connection_factory_may_be_a_function(broker_url: str, make: Any) -> None:
    async with await ammoo.connect(broker_url, connection_factory=make) as connection:
        assert isinstance(connection, Mine)


async def test_connect_by_query(broker_url: str) -> None:
    base = f"{broker_url.rstrip('/')}/%2f" if urlsplit(broker_url).path in ("", "/") else broker_url
    query = "heartbeat=7&channel_max=9&frame_max=8192&connection_timeout=30000"

    async with await ammoo.connect(f"{base}?{query}", frame_max=16384) as connection:
        assert (7, 9, 16384) == (
            connection.heartbeat_interval,
            connection.channel_max,
            connection.frame_max,
        )
    refused = await ammoo.connect(f"{base}?auth_mechanism=plain", password="wrong")
    with pytest.raises(LoginRefused) as caught:
        await refused.__aenter__()
    assert "PLAIN" == caught.value.mechanism


async def test_connect_tells_who_we_are(broker_url: str, operator: Operator) -> None:
    name, property_ = f"name {uuid.uuid4()}", f"property {uuid.uuid4()}"

    async with await ammoo.connect(
        broker_url, connection_name=name, client_properties={"mine": property_}
    ):
        assert operator.sees(name)
        assert operator.sees(property_)
    assert not operator.sees("nobody has this name")


async def test_connect_entered_at_once(broker_url: str) -> None:
    async with ammoo.connect(broker_url) as connection:
        assert connection.entered

    assert connection.closing


async def test_connect_in_a_task(broker_url: str) -> None:
    connection = await asyncio.create_task(ammoo.connect(broker_url))

    assert not connection.entered
    await connection.close()


async def test_connection_and_channel_opened_without_a_block(broker_url: str) -> None:
    connection = await ammoo.connect(broker_url)
    assert connection is await connection.open()
    channel = connection.channel()
    assert channel is await channel.open()

    await channel.select_confirm()

    await channel.close()
    await connection.close()
    assert (True, True) == (channel.closing, connection.closing)


async def test_connect_entered_at_once_raises_what_connect_raises() -> None:
    with pytest.raises(ValueError, match="amqps://"):
        await ammoo.connect("http://localhost").__aenter__()


async def test_update_secret(broker_connection: ammoo.Connection) -> None:
    await broker_connection.update_secret("guest", "a test")


# --- channels ---


async def test_channel_prefetch_count(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, queue: str
) -> None:
    await publish(broker_channel, queue, "1", "2", "3")

    async with (
        broker_connection.channel(prefetch_count=2) as channel,
        channel.consume(queue) as consumer,
    ):
        first, _ = await anext(consumer), await anext(consumer)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(consumer), 0.1)
        await first.ack()
        assert "3" == (await anext(consumer)).decode()


async def test_qos_prefetch_count(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    await publish(broker_channel, queue, "1", "2", "3")
    await other_channel.qos(prefetch_count=1, prefetch_size=0)

    async with other_channel.consume(queue) as consumer:
        first = await anext(consumer)
        declared = await broker_channel.assert_queue_exists(queue)  # behind whatever was sent
        assert 2 == declared.message_count
        await first.ack()
        assert "2" == (await anext(consumer)).decode()


@pytest.mark.parametrize(
    "call",
    [
        lambda channel: channel.qos(prefetch_size=10),
        lambda channel: channel.recover(requeue=False),
        lambda channel: channel.flow(False),
    ],
)
async def test_what_rabbitmq_does_not_implement(broker_url: str, call: Any) -> None:
    async with await ammoo.connect(broker_url) as connection, connection.channel() as channel:
        with pytest.raises(MethodNotImplemented) as caught:
            await call(channel)

    assert 540 == caught.value.reply_code
    assert connection.closing_exc is caught.value


async def test_publish_immediate(broker_url: str) -> None:
    async with await ammoo.connect(broker_url) as connection, connection.channel() as channel:
        await channel.select_confirm()
        with pytest.raises(ServerClosedConnection, match="immediate=true"):
            await channel.publish("", "anywhere", b"", immediate=True)


async def test_channel_prefetch_size(broker_url: str) -> None:
    async with await ammoo.connect(broker_url) as connection:
        with pytest.raises(MethodNotImplemented):
            await connection.channel(prefetch_size=10).__aenter__()


@pytest.mark.rabbitmq_version(">=4.3")
async def test_qos_global_warns_that_it_is_each_consumers_own_from_4_3_on(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, queue: str
) -> None:
    await publish(broker_channel, queue, "1", "2", "3")
    async with broker_connection.channel() as channel:
        with pytest.warns(RuntimeWarning, match=r"treats qos\(global_=True\) as global_=False"):
            await channel.qos(prefetch_count=1, global_=True)
        async with channel.consume(queue) as one, channel.consume(queue) as two:
            bodies = [(await anext(consumer)).body for consumer in (one, two)]

    assert [b"1", b"2"] == bodies


@pytest.mark.rabbitmq_version("<4.3")
async def test_qos_global(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, queue: str
) -> None:
    await publish(broker_channel, queue, "1", "2", "3")
    async with broker_connection.channel() as channel:
        await channel.qos(prefetch_count=1, global_=True)
        async with channel.consume(queue) as one, channel.consume(queue) as two:
            waiting = {asyncio.ensure_future(anext(one)), asyncio.ensure_future(anext(two))}
            done, pending = await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
            more, _ = await asyncio.wait(pending, timeout=0.1)
            assert (1, 0) == (len(done), len(more))
            (delivered,), (waiting_on,) = done, pending
            waiting_on.cancel()
            await asyncio.wait({waiting_on})
            assert delivered.exception() is None


async def test_flow_active(broker_channel: ammoo.Channel) -> None:
    await broker_channel.flow(True)


async def test_error_of_a_channel_ends_that_channel_alone(
    broker_connection: ammoo.Connection, other_channel: ammoo.Channel, queue: str
) -> None:
    """Everybody who waits on it gets the same object, and so does whoever comes later."""
    async with broker_connection.channel() as channel:
        outcomes = await asyncio.gather(
            channel.get("no such"),
            channel.get_next_returned_message(),
            channel.declare_queue(queue),
            return_exceptions=True,
        )
        with pytest.raises(NotFound) as caught:
            await channel.publish("", queue, b"")
    # Caught within the block, it does not leave it.

    assert {id(caught.value)} == {id(each) for each in (*outcomes, channel.closing_exc)}
    assert (404, 60, 70) == (
        caught.value.reply_code,
        caught.value.class_id,
        caught.value.method_id,
    )
    assert "NOT_FOUND - no queue 'no such' in vhost '/'" == caught.value.reply_text
    assert queue == (await other_channel.declare_queue(queue)).queue_name


async def test_error_of_a_channel_leaves_the_blocks_if_it_is_not_caught(broker_url: str) -> None:
    async def use() -> None:
        async with await ammoo.connect(broker_url) as connection, connection.channel() as channel:
            await channel.assert_queue_exists("no such")

    with pytest.raises(NotFound, match="no queue 'no such'"):
        await use()


# --- exchanges ---


@pytest.mark.parametrize(
    ("exchange_type", "binding", "other_route", "expected"),
    [
        ("direct", "a.b.c", "b", ["hit"]),
        ("fanout", "key", "b", ["hit", "other"]),
        ("topic", "a.*.#", "b", ["hit"]),
        ("headers", {"x-match": "any", "a": 1}, {"b": 2}, ["hit"]),
    ],
)
async def test_exchange_types_route(
    broker_channel: ammoo.Channel,
    queue: str,
    name: Name,
    exchange_type: str,
    binding: str | dict[str, FieldValue],
    other_route: str | dict[str, FieldValue],
    expected: list[str],
) -> None:
    exchange = name("exchange")
    await broker_channel.declare_exchange(exchange, exchange_type)
    await broker_channel.bind_queue(queue, exchange, binding)
    await broker_channel.select_confirm()

    await broker_channel.publish(exchange, "a.b.c", "hit", headers={"a": 1, "b": 2})
    await broker_channel.publish(exchange, other_route, "other")

    assert expected == await drain(broker_channel, queue)


@pytest.mark.parametrize("difference", [{"durable": True}, {"auto_delete": True}])
async def test_declare_exchange_flags_are_part_of_it(
    broker_channel: ammoo.Channel, name: Name, difference: dict[str, bool]
) -> None:
    exchange = name("exchange")
    await broker_channel.declare_exchange(exchange, "direct", **difference)  # type: ignore[arg-type]  # all are bool
    await broker_channel.declare_exchange(exchange, "direct", **difference)  # type: ignore[arg-type]  # all are bool

    with pytest.raises(PreconditionFailed, match="inequivalent arg"):
        await broker_channel.declare_exchange(exchange, "direct")


async def test_declare_exchange_auto_delete(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    exchange = name("exchange")
    await broker_channel.declare_exchange(exchange, "direct", auto_delete=True)
    await broker_channel.bind_queue(queue, exchange, "key")
    await broker_channel.assert_exchange_exists(exchange)

    await broker_channel.unbind_queue(queue, exchange, "key")

    with pytest.raises(NotFound, match="no exchange"):
        await broker_channel.assert_exchange_exists(exchange)


async def test_declare_exchange_alternate_exchange_name(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    exchange, alternate = name("exchange"), name("alternate")
    await broker_channel.declare_exchange(alternate, "fanout")
    await broker_channel.declare_exchange(exchange, "direct", alternate_exchange_name=alternate)
    await broker_channel.bind_queue(queue, alternate, "")
    await broker_channel.select_confirm()

    await broker_channel.publish(exchange, "unbound", "found its way")

    assert ["found its way"] == await drain(broker_channel, queue)


async def test_declare_exchange_internal(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    source, internal = name("source"), name("internal")
    await broker_channel.declare_exchange(source, "fanout")
    await broker_channel.declare_exchange(internal, "fanout", internal=True)
    await broker_channel.bind_exchange(internal, source, "")
    await broker_channel.bind_queue(queue, internal, "")
    await broker_channel.select_confirm()
    await broker_channel.publish(source, "", "through")
    assert ["through"] == await drain(broker_channel, queue)

    with pytest.raises(AccessRefused, match="internal exchange"):
        await broker_channel.publish(internal, "", "no")


async def test_bind_and_unbind_exchange(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    source, destination = name("source"), name("destination")
    await broker_channel.declare_exchange(source, "direct")
    await broker_channel.declare_exchange(destination, "fanout")
    await broker_channel.bind_queue(queue, destination, "")
    await broker_channel.bind_exchange(destination, source, "key")
    await broker_channel.select_confirm()
    await broker_channel.publish(source, "key", "1")
    await broker_channel.publish(source, "other", "2")

    await broker_channel.unbind_exchange(destination, source, "key")
    await broker_channel.publish(source, "key", "3")

    assert ["1"] == await drain(broker_channel, queue)


async def test_delete_exchange_if_unused(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    exchange = name("exchange")
    await broker_channel.declare_exchange(exchange, "direct")
    await broker_channel.bind_queue(queue, exchange, "key")

    with pytest.raises(PreconditionFailed, match="in use"):
        await broker_channel.delete_exchange(exchange, if_unused=True)


async def test_delete_exchange(broker_channel: ammoo.Channel, name: Name) -> None:
    exchange = name("exchange")
    await broker_channel.declare_exchange(exchange, "direct")

    await broker_channel.delete_exchange(exchange)
    await broker_channel.delete_exchange(exchange, if_unused=True)

    with pytest.raises(NotFound):
        await broker_channel.assert_exchange_exists(exchange)


async def test_binding_to_a_headers_exchange_is_undone_by_the_same_headers(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    exchange = name("headers")
    await broker_channel.declare_exchange(exchange, "headers")
    await broker_channel.bind_queue(queue, exchange, {"a": 1})
    await broker_channel.select_confirm()
    await broker_channel.publish(exchange, {"a": 1}, "1")

    await broker_channel.unbind_queue(queue, exchange, {"a": 1})
    await broker_channel.publish(exchange, {"a": 1}, "2")

    assert ["1"] == await drain(broker_channel, queue)


# --- queues ---


async def test_declare_queue_exclusive(broker_url: str, broker_channel: ammoo.Channel) -> None:
    queue = (await broker_channel.declare_queue("", exclusive=True)).queue_name

    async with await ammoo.connect(broker_url) as connection, connection.channel() as channel:
        with pytest.raises(ResourceLocked, match="exclusive"):
            await channel.assert_queue_exists(queue)


async def test_declare_queue_durable(broker_channel: ammoo.Channel, name: Name) -> None:
    queue = name("queue")
    await broker_channel.declare_queue(queue, durable=True)

    with pytest.raises(PreconditionFailed, match="inequivalent arg 'durable'"):
        await broker_channel.declare_queue(queue)


async def test_declare_queue_auto_delete(broker_channel: ammoo.Channel, name: Name) -> None:
    queue = (await broker_channel.declare_queue(name("queue"), auto_delete=True)).queue_name
    async with broker_channel.consume(queue):
        assert 1 == (await broker_channel.assert_queue_exists(queue)).consumer_count

    with pytest.raises(NotFound):
        await broker_channel.assert_queue_exists(queue)


async def test_declare_queue_answers_with_counts(broker_channel: ammoo.Channel, queue: str) -> None:
    await publish(broker_channel, queue, "1", "2")

    assert (queue, 2, 0) == await broker_channel.declare_queue(queue)


async def test_declare_queue_ttl_and_dead_lettering(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    dying = name("dying")
    await broker_channel.declare_queue(
        dying, ttl=1, dead_letter_exchange="", dead_letter_routing_key=queue
    )
    await publish(broker_channel, dying, "old")

    async with broker_channel.consume(queue) as consumer:
        message = await anext(consumer)

    assert "old" == message.decode()
    assert message.properties.headers is not None
    assert "expired" == message.properties.headers["x-death"][0]["reason"]


async def test_declare_queue_expires(broker_channel: ammoo.Channel, name: Name) -> None:
    queue = (await broker_channel.declare_queue(name("queue"), expires=50)).queue_name

    await until_gone(broker_channel, queue)

    with pytest.raises(NotFound):
        await broker_channel.assert_queue_exists(queue)


@pytest.mark.parametrize("limit", [{"max_length": 2}, {"max_length_bytes": 2}])
async def test_declare_queue_limits(
    broker_channel: ammoo.Channel, name: Name, limit: dict[str, int]
) -> None:
    queue = (await broker_channel.declare_queue(name("queue"), **limit)).queue_name  # type: ignore[arg-type]  # all are int
    await publish(broker_channel, queue, "1", "2", "3")

    assert ["2", "3"] == await drain(broker_channel, queue)


async def test_declare_queue_overflow(broker_channel: ammoo.Channel, name: Name) -> None:
    queue = name("queue")
    await broker_channel.declare_queue(queue, max_length=1, overflow="reject-publish")
    await publish(broker_channel, queue, "1")

    with pytest.raises(PublishNack):
        await publish(broker_channel, queue, "2")


async def test_declare_queue_max_priority(broker_channel: ammoo.Channel, name: Name) -> None:
    queue = (await broker_channel.declare_queue(name("queue"), max_priority=5)).queue_name
    await publish(broker_channel, queue, "low", priority=1)
    await publish(broker_channel, queue, "high", priority=4)

    assert ["high", "low"] == await drain(broker_channel, queue)


async def test_declare_queue_single_active_consumer(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, name: Name
) -> None:
    queue = name("queue")
    await broker_channel.declare_queue(queue, single_active_consumer=True)
    async with broker_channel.consume(queue) as active, other_channel.consume(queue) as idle:
        await publish(broker_channel, queue, "1", "2")

        assert ["1", "2"] == [(await anext(active)).decode() for _ in range(2)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(idle), 0.05)


async def test_declare_queue_type_and_delivery_limit(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    quorum = name("quorum")
    await broker_channel.declare_queue(
        quorum,
        durable=True,
        queue_type="quorum",
        delivery_limit=1,
        dead_letter_exchange="",
        dead_letter_routing_key=queue,
    )
    await publish(broker_channel, quorum, "poison")
    async with broker_channel.consume(quorum) as consumer:
        await (await anext(consumer)).reject(requeue=True)
        await (await anext(consumer)).reject(requeue=True)
    async with broker_channel.consume(queue) as consumer:
        message = await anext(consumer)

    assert message.properties.headers is not None
    assert "delivery_limit" == message.properties.headers["x-death"][0]["reason"]


@pytest.mark.parametrize(
    ("offset", "expected"), [("first", "1"), (1, "2"), (datetime(2020, 1, 1), "1")]
)
async def test_consume_stream_offset(
    broker_channel: ammoo.Channel, name: Name, offset: StreamOffset, expected: str
) -> None:
    stream = name("stream")
    await broker_channel.declare_queue(stream, durable=True, queue_type="stream")
    await publish(broker_channel, stream, "1", "2", "3")
    await broker_channel.qos(prefetch_count=10)

    async with broker_channel.consume(stream, stream_offset=offset) as consumer:
        message = await anext(consumer)

    assert expected == message.decode()


async def test_delete_queue(broker_channel: ammoo.Channel, queue: str) -> None:
    await publish(broker_channel, queue, "1", "2")

    assert 2 == await broker_channel.delete_queue(queue)
    assert 0 == await broker_channel.delete_queue(queue)


async def test_delete_queue_if_unused(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    async with other_channel.consume(queue):
        with pytest.raises(PreconditionFailed, match="in use"):
            await broker_channel.delete_queue(queue, if_unused=True)


async def test_delete_queue_if_empty(broker_channel: ammoo.Channel, queue: str) -> None:
    await publish(broker_channel, queue, "1")

    with pytest.raises(PreconditionFailed, match="not empty"):
        await broker_channel.delete_queue(queue, if_empty=True)


async def test_purge_queue(broker_channel: ammoo.Channel, queue: str) -> None:
    await publish(broker_channel, queue, "1", "2", "3")

    assert 3 == await broker_channel.purge_queue(queue)
    assert [] == await drain(broker_channel, queue)


async def test_assert_queue_exists(broker_channel: ammoo.Channel, queue: str) -> None:
    assert (queue, 0, 0) == await broker_channel.assert_queue_exists(queue)

    with pytest.raises(NotFound, match="no queue 'no such'"):
        await broker_channel.assert_queue_exists("no such")
    with pytest.raises(ServerClosedChannel):
        await broker_channel.declare_queue(queue)


# --- consuming ---


async def test_consume_no_ack(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    await publish(broker_channel, queue, "1")
    async with other_channel.consume(queue, no_ack=True) as consumer:
        await anext(consumer)
    await other_channel.close()

    assert [] == await drain(broker_channel, queue)


async def test_consume_unread_and_unsettled_messages_come_back(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    await publish(broker_channel, queue, "1", "2", "3")
    async with other_channel.consume(queue) as consumer:
        unsettled = await anext(consumer)
    async with broker_channel.consume(queue) as again:
        assert ["2", "3"] == [(await anext(again)).decode() for _ in range(2)]
        await other_channel.close()
        message = await anext(again)

    assert (message.decode(), message.redelivered) == (unsettled.decode(), True)
    assert not unsettled.redelivered


async def test_consume_no_local_is_taken(broker_channel: ammoo.Channel, queue: str) -> None:
    async with broker_channel.consume(queue, no_local=True) as consumer:
        await publish(broker_channel, queue, "1")
        assert "1" == (await anext(consumer)).decode()  # RabbitMQ takes no notice of it


async def test_consume_exclusive(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    async with broker_channel.consume(queue, exclusive=True):
        with pytest.raises(AccessRefused, match="in exclusive use"):
            await other_channel.consume(queue).__aenter__()


async def test_consume_priority(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    await broker_channel.qos(prefetch_count=1)
    await other_channel.qos(prefetch_count=1)
    async with (
        other_channel.consume(queue, priority=1) as low,
        broker_channel.consume(queue, priority=2) as high,
    ):
        await publish(broker_channel, queue, "1", "2")

        assert "1" == (await anext(high)).decode()
        assert "2" == (await anext(low)).decode()


async def test_get(broker_channel: ammoo.Channel, queue: str) -> None:
    await publish(broker_channel, queue, "1", "2")

    message = await broker_channel.get(queue)

    assert (1, 1, False) == (message.message_count, message.delivery_tag, message.redelivered)
    assert (message.exchange_name, message.routing_key) == ("", queue)
    await broker_channel.get(queue)
    with pytest.raises(ammoo.EmptyQueue, match=queue):
        await broker_channel.get(queue)


async def test_get_no_ack(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    await publish(broker_channel, queue, "1", "2")
    await other_channel.get(queue, no_ack=True)
    await other_channel.get(queue)
    await other_channel.close()

    assert ["2"] == await drain(broker_channel, queue)


# --- settling ---


async def test_ack_by_tag_and_multiple(broker_channel: ammoo.Channel, queue: str) -> None:
    await publish(broker_channel, queue, "1", "2", "3", "4")
    await broker_channel.get(queue)
    await broker_channel.get(queue)
    await broker_channel.get(queue)
    await broker_channel.get(queue)

    await broker_channel.ack(2, multiple=True)
    await broker_channel.ack(4)
    await broker_channel.recover(requeue=True)

    assert ["3"] == await drain(broker_channel, queue)


async def test_reject(broker_channel: ammoo.Channel, queue: str) -> None:
    await publish(broker_channel, queue, "1", "2", "3", "4", "5")
    first = await broker_channel.get(queue)
    second = await broker_channel.get(queue)
    third = await broker_channel.get(queue)

    await first.reject(requeue=False)
    await broker_channel.reject(second.delivery_tag, requeue=True)
    await broker_channel.reject(third.delivery_tag, True, multiple=True)
    await broker_channel.nack((await broker_channel.get(queue)).delivery_tag, requeue=False)

    assert ["3", "4", "5"] == await drain(broker_channel, queue)


async def test_settling_twice_raises_and_the_channel_goes_on(
    broker_channel: ammoo.Channel, queue: str
) -> None:
    await publish(broker_channel, queue, "1")
    message = await broker_channel.get(queue)
    await message.ack()

    with pytest.raises(UnknownDelivery, match="settled once"):
        await message.ack()

    assert [] == await drain(broker_channel, queue)


async def test_what_was_rolled_back_can_be_settled_again(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    await publish(other_channel, queue, "1", "2", "3")
    await broker_channel.select_transaction()
    messages = [await broker_channel.get(queue) for _ in range(3)]
    await messages[1].ack(multiple=True)
    await broker_channel.rollback()

    await messages[0].ack()
    await messages[2].reject(requeue=True)
    await messages[1].nack(requeue=False)
    await broker_channel.commit()

    assert ["3"] == await drain(other_channel, queue)
    with pytest.raises(UnknownDelivery):
        await messages[0].ack()


async def test_unread_messages_go_back_when_a_consumer_is_left(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    """Behind a message that is unacked one by one, and all of them at once when they can."""
    bodies = [str(number) for number in range(1500)]
    await publish(other_channel, queue, *bodies)
    async with broker_channel.consume(queue) as consumer:
        first = await anext(consumer)
        await arrived(broker_channel, consumer, 1499)
    assert 0 == (await broker_channel.assert_queue_exists(queue)).message_count

    await first.ack()

    async with other_channel.consume(queue, no_ack=True) as consumer:
        assert bodies[1:] == [(await anext(consumer)).decode() for _ in bodies[1:]]


# --- transactions ---


async def test_transaction(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    async with other_channel.transaction():
        await other_channel.publish("", queue, "1")
        assert [] == await drain(broker_channel, queue)

    assert ["1"] == await drain(broker_channel, queue)


async def test_what_others_do_during_a_commit_comes_after_it(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    await publish(broker_channel, queue, "0")
    await other_channel.select_transaction()
    message = await other_channel.get(queue)

    await publish_around_commits(other_channel, queue, rounds=5)
    await asyncio.gather(other_channel.commit(), message.ack(), other_channel.commit())
    await other_channel.commit()

    expected = [f"{i} {when}" for i in range(5) for when in ("before", "behind")]
    assert expected == await drain(broker_channel, queue)


async def publish_around_commits(channel: ammoo.Channel, queue: str, *, rounds: int) -> None:
    """Publish before a commit and, from another task, while it goes on; then commit again."""
    for number in range(rounds):
        await channel.publish("", queue, f"{number} before")
        await asyncio.gather(
            channel.commit(),
            channel.declare_queue(queue),
            channel.publish("", queue, f"{number} behind"),
            channel.commit(),
        )


async def test_transaction_that_fails(
    broker_channel: ammoo.Channel, other_channel: ammoo.Channel, queue: str
) -> None:
    async def fail() -> None:
        async with other_channel.transaction():
            await other_channel.publish("", queue, "1")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    async with other_channel.transaction():
        await other_channel.publish("", queue, "2")

    assert ["2"] == await drain(broker_channel, queue)


async def test_transactions_and_confirms_exclude_each_other(
    broker_channel: ammoo.Channel,
) -> None:
    await broker_channel.select_confirm()

    with pytest.raises(PreconditionFailed, match="cannot switch from confirm to tx"):
        await broker_channel.select_transaction()
