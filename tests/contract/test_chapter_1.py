"""The documentation's examples, as they are written there, run on brokers.

Their indentation was lost on the way and is repaired, as are quotes and hyphens; the URLs name
the broker that the test runs on.
"""

import textwrap
from typing import Any

import pytest

import ammoo
from ammoo.exceptions.connection import ClientClosedConnectionOK

CONNECT = """
import ammoo
async with await ammoo.connect('amqp://localhost/') as connection:
    async with connection.channel() as channel:
        pass # channel is open
"""

SEVERAL_CHANNELS = """
async with await ammoo.connect('amqp://localhost/') as connection:
    async with connection.channel() as channel_1, connection.channel() as channel_2:
        print('two channels opened')
        async with connection.channel() as channel_3:
            print('yet another one opened - 3 in total')
        print('channel_3 is closed now')
"""

DECLARE = """
await channel.declare_queue('my_queue') # declares queue with explicit name
declaration = await channel.declare_queue('', exclusive=True)
print(declaration.queue_name)
# something like amq.gen-3Wb1ZY42ejtq31P5LmKVkw on RabbitMQ
await channel.declare_exchange('my_exchange', 'fanout')
await channel.bind_queue('my_queue', 'my_exchange', 'my_routing_key')
"""

PUBLISH = """
await channel.publish('my_exchange', 'my_routing_key', b'message body')
await channel.publish('my_exchange', 'my_routing_key', 'text body')
await channel.publish('my_exchange', 'my_routing_key', 'text body', encoding='iso-8859-1')
await channel.publish('my_exchange', 'my_routing_key', json=['a', 'list', 'of', {'json': 123}])
await channel.publish('my_exchange', {'key': 'value', 'another_key': 123}, b'message_body')
"""

GET = """
message = await channel.get('my_queue')
assert message.body == bytearray(b'message body')
assert type(message.body) is bytearray
assert message.decode() == 'message body'
await message.ack()
message = await channel.get('my_queue')
await message.reject(requeue=False)
await (await channel.get('my_queue')).ack()
message = await channel.get('my_queue')
assert message.json() == ['a', 'list', 'of', {'json': 123}]
await message.ack()
"""

CONSUME = """
async with channel.consume('my_queue') as consumer:
    async for message in consumer:
        print(message.body)
        await message.ack()
"""

HEAD_OF_THE_API = """
import ammoo
async with await ammoo.connect('amqp://broker/') as connection:
    async with connection.channel() as channel:
        await channel.publish('my_exchange', 'routing_key', 'text body')

        async with channel.consume('my_queue') as consumer:
            async for message in consumer:
                print('Received message: {}'.format(message.body))
                await message.ack()
"""

REPLY = """
message = await channel.get('my_queue', no_ack=True)
await message.reply(json={'original message': message.decode()})
"""


async def run(example: str, url: str, **names: Any) -> None:
    """Run an example; the names that it makes stay its own."""
    for host in ("localhost", "broker"):
        example = example.replace(f"'amqp://{host}/'", repr(url))
    source = "async def example():\n" + textwrap.indent(example, "    ")
    namespace: dict[str, Any] = {"ammoo": ammoo, **names}
    exec(compile(source, "<documentation>", "exec"), namespace)  # noqa: S102  our own text
    await namespace["example"]()


@pytest.fixture
async def my(broker_channel: ammoo.Channel) -> ammoo.Channel:
    """A channel of a broker without what the examples declare."""
    await _delete(broker_channel)
    return broker_channel


async def _delete(channel: ammoo.Channel) -> None:
    await channel.delete_queue("my_queue")
    await channel.delete_exchange("my_exchange")


class StopHere(Exception):
    pass


async def test_connect(broker_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    await run(CONNECT, broker_url)
    await run(SEVERAL_CHANNELS, broker_url)

    assert [
        "two channels opened",
        "yet another one opened - 3 in total",
        "channel_3 is closed now",
    ] == capsys.readouterr().out.splitlines()


async def test_declare_publish_and_get(
    broker_url: str, my: ammoo.Channel, capsys: pytest.CaptureFixture[str]
) -> None:
    await run(DECLARE, broker_url, channel=my)
    await run(PUBLISH, broker_url, channel=my)
    await run(GET, broker_url, channel=my)
    message = await my.get("my_queue")

    assert capsys.readouterr().out.startswith("amq.gen-")
    assert {"key": "value", "another_key": 123} == message.properties.headers
    await message.ack()
    with pytest.raises(ammoo.EmptyQueue):
        await my.get("my_queue")
    await _delete(my)


def print_until_stop(body: bytearray) -> None:
    if body == b"stop":
        raise StopHere
    print(body)


async def test_consume(
    broker_url: str, my: ammoo.Channel, capsys: pytest.CaptureFixture[str]
) -> None:
    await my.declare_queue("my_queue")
    await my.publish("", "my_queue", "one")
    await my.publish("", "my_queue", "two")
    await my.publish("", "my_queue", "stop")

    with pytest.raises(StopHere):
        await run(CONSUME, broker_url, channel=my, print=print_until_stop)

    assert "bytearray(b'one')\nbytearray(b'two')\n" == capsys.readouterr().out
    await _delete(my)


async def test_head_of_the_api(
    broker_url: str, my: ammoo.Channel, capsys: pytest.CaptureFixture[str]
) -> None:
    def show(text: str) -> None:
        print(text)
        raise StopHere

    await run(DECLARE, broker_url, channel=my)
    capsys.readouterr()

    with pytest.raises(StopHere):
        await run(HEAD_OF_THE_API, broker_url, print=show)

    assert "Received message: bytearray(b'text body')\n" == capsys.readouterr().out
    await _delete(my)


async def test_reply(broker_url: str, my: ammoo.Channel) -> None:
    await my.declare_queue("my_queue")
    async with my.consume("amq.rabbitmq.reply-to", no_ack=True) as replies:
        await my.publish(
            "", "my_queue", "question", reply_to="amq.rabbitmq.reply-to", correlation_id="7"
        )

        await run(REPLY, broker_url, channel=my)

        reply = await anext(replies)
    assert {"original message": "question"} == reply.json()
    assert "7" == reply.properties.correlation_id
    await _delete(my)


async def test_connection_that_was_not_entered_says_so(broker_url: str) -> None:
    connection = await ammoo.connect(broker_url)  # works, but...
    with pytest.raises(RuntimeError):
        connection.channel()
    await connection.close()
    assert isinstance(connection.closing_exc, ClientClosedConnectionOK)
