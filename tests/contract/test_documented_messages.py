"""Each documented parameter and attribute of messages on a broker, and what it is for."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

import ammoo
from ammoo.exceptions.channel import NotFound, PreconditionFailed
from tests.client.brokers import Name
from tests.contract.queues import publish

# --- bodies ---


@pytest.mark.parametrize(
    ("body", "options", "octets", "content_type", "content_encoding"),
    [
        (b"\xff", {}, b"\xff", None, None),
        (bytearray(b"\xff"), {}, b"\xff", None, None),
        ("ä", {}, b"\xc3\xa4", None, None),
        ("ä", {"encoding": "iso-8859-1"}, b"\xe4", None, None),
        ("ä", {"content_encoding": "iso-8859-1"}, b"\xe4", None, "iso-8859-1"),
        ("ä", {"content_encoding": True}, b"\xc3\xa4", None, "utf-8"),
        (
            "ä",
            {"encoding": "utf-16-le", "content_encoding": "x-odd"},
            b"\xe4\x00",
            None,
            "x-odd",
        ),
        (b"", {"content_type": True}, b"", "application/octet-stream", None),
        (bytearray(), {"content_type": True}, b"", "application/octet-stream", None),
        ("", {"content_type": True}, b"", "text/plain", None),
        ("", {"content_type": "text/x-mine"}, b"", "text/x-mine", None),
        (..., {"json": {"a": [1, None]}}, b'{"a": [1, null]}', None, None),
        (..., {"json": None, "content_type": True}, b"null", "application/json", None),
        (..., {"json": ""}, b'""', None, None),
    ],
)
async def test_publish_body(
    broker_channel: ammoo.Channel,
    queue: str,
    body: Any,
    options: dict[str, Any],
    octets: bytes,
    content_type: str | None,
    content_encoding: str | None,
) -> None:
    arguments = () if body is ... else (body,)
    await broker_channel.select_confirm()
    await broker_channel.publish("", queue, *arguments, **options)

    message = await broker_channel.get(queue, no_ack=True)

    assert octets == message.body
    assert type(message.body) is bytearray
    assert content_type == message.properties.content_type
    assert content_encoding == message.properties.content_encoding


async def test_publish_body_is_needed_once(broker_channel: ammoo.Channel, queue: str) -> None:
    with pytest.raises(TypeError, match="Either body or json must be given"):
        await broker_channel.publish("", queue)  # type: ignore[call-overload]  # the mistake is the point
    with pytest.raises(TypeError, match="both"):
        await broker_channel.publish("", queue, b"", json=1)  # type: ignore[call-overload]  # the same

    assert 0 == (await broker_channel.assert_queue_exists(queue)).message_count


async def test_encoding_of_the_channel(
    broker_connection: ammoo.Connection, broker_channel: ammoo.Channel, queue: str
) -> None:
    async with broker_connection.channel(body_encoding="iso-8859-1") as channel:
        await publish(channel, queue, "ä")
        here = await channel.get(queue)
        await here.reject(requeue=True)
        assert "ä" == here.decode()

    assert b"\xe4" == (await broker_channel.get(queue)).body


async def test_decode_and_json(broker_channel: ammoo.Channel, queue: str) -> None:
    await publish(broker_channel, queue, "ä", content_encoding="iso-8859-1")
    await broker_channel.publish("", queue, json=["ä", {"b": 1.5}, True, None], encoding="utf-16")

    text = await broker_channel.get(queue, no_ack=True)
    data = await broker_channel.get(queue, no_ack=True)

    assert ("ä", "ф") == (text.decode(), text.decode("iso-8859-5"))
    assert ["ä", {"b": 1.5}, True, None] == data.json("utf-16")


async def test_attributes_of_messages(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    exchange = name("exchange")
    await broker_channel.declare_exchange(exchange, "fanout")
    await broker_channel.bind_queue(queue, exchange, "")
    await broker_channel.select_confirm()
    await broker_channel.publish(exchange, "some key", b"", message_id="7")
    await broker_channel.publish(exchange, "some key", b"", message_id="7")

    got = await broker_channel.get(queue)
    async with broker_channel.consume(queue) as consumer:
        delivered = await anext(consumer)

    assert (ammoo.GetMessage, ammoo.DeliverMessage) == (type(got), type(delivered))
    assert 1 == got.message_count
    assert consumer.consumer_tag == delivered.consumer_tag
    assert [(exchange, "some key", 1, False, "7"), (exchange, "some key", 2, False, "7")] == [
        (
            message.exchange_name,
            message.routing_key,
            message.delivery_tag,
            message.redelivered,
            message.properties.message_id,
        )
        for message in (got, delivered)
    ]


# --- properties ---


async def test_publish_properties_arrive(broker_channel: ammoo.Channel, queue: str) -> None:
    options: dict[str, Any] = {
        "correlation_id": "correlation",
        "reply_to": "reply",
        "expiration": 60_000,
        "priority": 5,
        "delivery_mode": 2,
        "timestamp": datetime(2026, 1, 2, 3, 4, 5),
        "content_encoding": True,
        "content_type": True,
        "message_id": "message",
        "type_": "type",
        "user_id": "guest",
        "app_id": "app",
    }
    await publish(broker_channel, queue, "täxt", encoding="iso-8859-1", **options)

    message = await broker_channel.get(queue, no_ack=True)

    assert message.body == "täxt".encode("iso-8859-1")
    assert "täxt" == message.decode()
    assert {
        "cluster_id": None,
        "headers": None,
        **options,
        "expiration": "60000",
        "timestamp": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "content_encoding": "iso-8859-1",
        "content_type": "text/plain",
    } == message.properties._asdict()


async def test_publish_type_by_its_other_name(broker_channel: ammoo.Channel, queue: str) -> None:
    await publish(broker_channel, queue, "1", type="type")

    assert "type" == (await broker_channel.get(queue)).properties.type_


async def test_publish_expiration(broker_channel: ammoo.Channel, queue: str, name: Name) -> None:
    """That a message has expired shows where it is dead-lettered to."""
    dying = name("dying")
    await broker_channel.declare_queue(
        dying, dead_letter_exchange="", dead_letter_routing_key=queue
    )
    await publish(broker_channel, dying, "1", expiration="1")

    async with broker_channel.consume(queue) as consumer:
        message = await anext(consumer)

    assert message.properties.headers is not None
    assert "expired" == message.properties.headers["x-death"][0]["reason"]


async def test_publish_user_id_of_somebody_else(broker_channel: ammoo.Channel, queue: str) -> None:
    with pytest.raises(PreconditionFailed, match="user_id"):
        await publish(broker_channel, queue, "1", user_id="somebody")


async def test_publish_cc_and_bcc(broker_channel: ammoo.Channel, queue: str, name: Name) -> None:
    cc, bcc = name("cc"), name("bcc")
    await broker_channel.declare_queue(cc)
    await broker_channel.declare_queue(bcc)
    await publish(broker_channel, queue, "1", cc=cc, bcc=[bcc])

    messages = [await broker_channel.get(each, no_ack=True) for each in (queue, cc, bcc)]

    assert [{"CC": [cc]}] * 3 == [message.properties.headers for message in messages]


async def test_publish_mandatory(broker_channel: ammoo.Channel, queue: str) -> None:
    await broker_channel.select_confirm()
    await broker_channel.publish("", queue, "arrives", mandatory=True)
    await broker_channel.publish("", "no such queue", "comes back", mandatory=True, message_id="m")

    message = await broker_channel.get_next_returned_message()

    assert (
        "comes back",
        312,
        "NO_ROUTE",
    ) == (message.decode(), message.reply_code, message.reply_text)
    assert "m" == message.properties.message_id
    assert "no such queue" == message.routing_key


async def test_publish_to_a_missing_exchange(broker_channel: ammoo.Channel) -> None:
    await broker_channel.select_confirm()

    with pytest.raises(NotFound, match="no exchange 'no such'") as caught:
        await broker_channel.publish("no such", "key", b"")

    assert (60, 40) == (caught.value.class_id, caught.value.method_id)


async def test_reply(broker_channel: ammoo.Channel, queue: str, name: Name) -> None:
    answers = (await broker_channel.declare_queue(name("answers"))).queue_name
    await publish(broker_channel, queue, "question", reply_to=answers, correlation_id="7")

    await (await broker_channel.get(queue, no_ack=True)).reply("answer", app_id="me")

    answer = await broker_channel.get(answers, no_ack=True)
    assert "answer" == answer.decode()
    assert ("7", "me") == (answer.properties.correlation_id, answer.properties.app_id)


async def test_reply_to_nobody(broker_channel: ammoo.Channel, queue: str) -> None:
    await publish(broker_channel, queue, "1")

    with pytest.raises(ValueError, match="no reply-to"):
        await (await broker_channel.get(queue)).reply("answer")


async def test_reject_may_dead_letter(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    source = name("source")
    await broker_channel.declare_queue(
        source, dead_letter_exchange="", dead_letter_routing_key=queue
    )
    await publish(broker_channel, source, "1")
    await (await broker_channel.get(source)).reject(requeue=False)

    async with broker_channel.consume(queue) as consumer:
        headers = (await anext(consumer)).properties.headers

    assert headers is not None
    assert "rejected" == headers["x-death"][0]["reason"]


async def test_header_values_go_out_as_types_that_hold_them(
    broker_channel: ammoo.Channel, queue: str
) -> None:
    zone = timezone(timedelta(hours=2))
    await publish(
        broker_channel,
        queue,
        "1",
        headers={
            "integers": [1, -1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)],
            "naive": datetime(2026, 1, 2, 3, 4, 5, 678),
            "aware": datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone),
            "mapping": {"text": "ä", "true": True, "false": False},
            "decimal": Decimal("-1.5"),
        },
    )

    headers = (await broker_channel.get(queue, no_ack=True)).properties.headers

    assert {
        "integers": [1, -1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)],
        "naive": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "aware": datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC),
        "mapping": {"text": "ä", "true": True, "false": False},
        "decimal": Decimal("-1.5"),
    } == headers
