"""The main job, step by step: declare, bind, publish, get, consume, and call over AMQP.

    hatch run demo                                  on a fake broker in this process
    hatch run demo --url amqp://guest:guest@host/   the very same on a RabbitMQ

It says what it does, and says the same on every broker but for the names that
the broker makes up. Whatever it declares, it deletes again.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import ammoo
from ammoo.exceptions import AuthenticationError

QUEUE = "ammoo_demo_queue"
EXCHANGE = "ammoo_demo_exchange"
HEADERS_EXCHANGE = "ammoo_demo_headers_exchange"
RPC_QUEUE = "ammoo_demo_rpc_queue"
REPLY_TO = "amq.rabbitmq.reply-to"


def say(text: str) -> None:
    """Print one line of the report."""
    print(f"   {text}")


def headline(number: int, text: str) -> None:
    """Begin a step."""
    print(f"\n{number}. {text}")


@asynccontextmanager
async def broker_url(url: str | None) -> AsyncIterator[str]:
    """Give the URL that was asked for, or that of a fake broker, which lives as long."""
    if url is not None:
        yield url
        return
    from ammoo_fakebroker import FakeBroker  # only needed where there is no real broker

    async with FakeBroker() as broker:
        yield broker.url


async def open_channels(connection: ammoo.Connection) -> None:
    """Open several channels on one connection."""
    headline(1, "Connect, and open channels")
    async with connection.channel() as first, connection.channel() as second:
        say(f"two channels are open: {first.channel_id} and {second.channel_id}")
        async with connection.channel() as third:
            say(f"and yet another one: {third.channel_id}")
        say(f"channel {third.channel_id} is closed again")


async def declare(channel: ammoo.Channel) -> None:
    """Declare queues and exchanges, and bind them."""
    headline(2, "Declare queues and exchanges, and bind them")
    # Durable, for newer RabbitMQs refuse a queue that is neither durable nor exclusive.
    declaration = await channel.declare_queue(QUEUE, durable=True)
    say(f"declared the queue {declaration.queue_name}: {declaration.message_count} messages")
    declaration = await channel.declare_queue("", exclusive=True)
    say(f"declared a queue that the broker named: {declaration.queue_name}")
    await channel.declare_exchange(EXCHANGE, "fanout")
    await channel.bind_queue(QUEUE, EXCHANGE, "my_routing_key")
    say(f"declared the fanout exchange {EXCHANGE}, and bound the queue to it")
    await channel.declare_exchange(HEADERS_EXCHANGE, "headers")
    await channel.bind_queue(QUEUE, HEADERS_EXCHANGE, {"key": "value", "another_key": 123})
    say(f"declared the headers exchange {HEADERS_EXCHANGE}, and bound the queue by headers")


async def publish(channel: ammoo.Channel) -> None:
    """Publish bytes, text, JSON, and by headers, each confirmed by the broker."""
    headline(3, "Publish, with the broker's confirmation")
    await channel.select_confirm()
    await channel.publish(EXCHANGE, "my_routing_key", b"message body")
    say("published bytes")
    await channel.publish(EXCHANGE, "my_routing_key", "text body")
    say("published a str, which went out as UTF-8")
    await channel.publish(
        EXCHANGE, "my_routing_key", "t\xe9xt b\xf6dy", encoding="iso-8859-1", content_encoding=True
    )
    say("published a str as ISO 8859-1, and said so in a property")
    await channel.publish(
        EXCHANGE, "my_routing_key", json=["a", "list", "of", {"json": 123}], content_type=True
    )
    say("published JSON")
    await channel.publish(HEADERS_EXCHANGE, {"key": "value", "another_key": 123}, b"message body")
    say("published to a headers exchange, with headers for a route")
    await channel.publish(HEADERS_EXCHANGE, {"key": "other"}, b"message body")
    say("published with headers that fit no binding: confirmed, and routed nowhere")


async def get(channel: ammoo.Channel) -> None:
    """Fetch messages from a queue one at a time."""
    headline(4, "Get messages from the queue")
    message = await channel.get(QUEUE)
    say(f"got {bytes(message.body)!r}, routing key {message.routing_key!r}")
    await message.ack()
    say(f"acknowledged it; {message.message_count} messages were left behind it")
    message = await channel.get(QUEUE)
    say(f"got {message.decode()!r}")
    await message.reject(requeue=False)
    say("rejected it for good")
    message = await channel.get(QUEUE)
    say(f"got {message.decode()!r}, decoded as its {message.properties.content_encoding}")
    await message.ack()


async def consume(channel: ammoo.Channel) -> None:
    """Have messages delivered as they come."""
    headline(5, "Consume messages as they come")
    async with channel.consume(QUEUE) as consumer:
        async for message in consumer:
            if message.properties.content_type == "application/json":
                say(f"delivered, and read as JSON: {message.json()}")
            else:
                headers = sorted((message.properties.headers or {}).items())
                say(f"delivered: {bytes(message.body)!r}, headers {dict(headers)}")
            await message.ack()
            if message.exchange_name == HEADERS_EXCHANGE:
                break
    try:
        await channel.get(QUEUE)
    except ammoo.EmptyQueue:
        say("the queue is empty now")


async def call(connection: ammoo.Connection) -> None:
    """Call a server over AMQP, and be answered directly."""
    headline(6, "Call a server, and be answered over direct reply-to")
    async with connection.channel() as server_channel, connection.channel() as client_channel:
        await server_channel.declare_queue(RPC_QUEUE, durable=True)
        server = asyncio.create_task(serve_one_call(server_channel))
        async with client_channel.consume(REPLY_TO, no_ack=True) as replies:
            await client_channel.publish(
                "", RPC_QUEUE, json=[1, 2, 3], correlation_id="call-1", reply_to=REPLY_TO
            )
            say("client: asked for the sum of 1, 2 and 3")
            async for reply in replies:
                say(f"client: the answer to {reply.properties.correlation_id} is {reply.json()}")
                break
        await server


async def serve_one_call(channel: ammoo.Channel) -> None:
    """Add the numbers of one request, and reply with the sum."""
    async with channel.consume(RPC_QUEUE) as requests:
        async for request in requests:
            numbers = request.json()
            assert isinstance(numbers, list)
            await request.reply(json={"sum": sum(n for n in numbers if isinstance(n, int))})
            await request.ack()
            return


async def clean_up(connection: ammoo.Connection) -> None:
    """Delete what was declared, now or in a run that was cut short; it need not exist."""
    async with connection.channel() as channel:
        for queue_name in (QUEUE, RPC_QUEUE):
            await channel.delete_queue(queue_name)
        for exchange_name in (EXCHANGE, HEADERS_EXCHANGE):
            await channel.delete_exchange(exchange_name)


async def run(url: str | None) -> None:
    """Run all steps on one connection."""
    async with (
        broker_url(url) as actual_url,
        await ammoo.connect(actual_url) as connection,
    ):
        await open_channels(connection)
        await clean_up(connection)
        try:
            async with connection.channel() as channel:
                await declare(channel)
                await publish(channel)
                await get(channel)
                await consume(channel)
            await call(connection)
        finally:
            await clean_up(connection)
    print("\nDone.")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", help="of a RabbitMQ; without it a fake broker is started")
    try:
        asyncio.run(run(parser.parse_args().url))
    except (OSError, AuthenticationError) as error:
        sys.exit(f"cannot connect to the RabbitMQ of --url: {error}")


if __name__ == "__main__":
    main()
