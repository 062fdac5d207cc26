"""What many tests do with a queue: put messages into it, and take them out."""

import asyncio
from contextlib import suppress
from typing import Any

import ammoo
from ammoo.exceptions.channel import PublishNack, PublishReturned

__all__ = ["arrived", "drain", "publish", "until_gone"]


async def publish(channel: ammoo.Channel, queue: str, *bodies: str | bytes, **options: Any) -> None:
    """Publish so that the messages are in the queue when this returns."""
    await channel.select_confirm()
    await asyncio.gather(*(channel.publish("", queue, body, **options) for body in bodies))


async def drain(channel: ammoo.Channel, queue: str) -> list[str]:
    """Get the bodies of all messages."""
    bodies = []
    while True:
        try:
            bodies.append((await channel.get(queue, no_ack=True)).decode())
        except ammoo.EmptyQueue:
            return bodies


async def arrived(channel: ammoo.Channel, consumer: ammoo.Consumer, count: int) -> None:
    """Wait until a consumer of the channel has so many unread messages."""
    while len(consumer._inbox.messages) < count:
        await channel.assert_queue_exists(consumer.queue_name)


async def until_gone(channel: ammoo.Channel, queue: str) -> None:
    """Publish to a queue until it is gone: to look at it would keep it alive.

    A message that reaches a queue that is just being deleted may be nacked.
    """
    await channel.select_confirm()
    with suppress(PublishReturned, PublishNack):
        while True:
            await channel.publish("", queue, b"", mandatory=True, raise_returned=True)
            await asyncio.sleep(0.01)  # RabbitMQ tells no client: only asking again helps
