"""What many tests do with a queue: put messages into it, and take them out."""

import asyncio
from typing import Any

import ammoo

__all__ = ["arrived", "drain", "publish"]


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
