"""A consumer that is never done: it writes readings of meters to a store, whatever the network does.

It acknowledges a reading only when the store has it. So no reading is lost, and one may come twice:
the store knows each by its identifier.
"""

import asyncio
from contextlib import suppress

import ammoo

QUEUE = "readings"


class Store:
    """Where readings are kept: by their identifiers, so that one that comes again changes nothing."""

    def __init__(self) -> None:
        self.readings: dict[str, bytes] = {}
        self.changed = asyncio.Event()

    async def save(self, identifier: str, reading: bytes) -> None:
        self.readings[identifier] = reading
        self.changed.set()


async def declare(channel: ammoo.Channel) -> None:
    """Declare the queue of readings, which survives a restart of the broker."""
    await channel.declare_queue(QUEUE, durable=True)


async def consume(connection: ammoo.Connection, store: Store) -> None:
    """Save readings until the connection is closed."""
    async with connection.channel(prefetch_count=10) as channel:
        await declare(channel)
        async with channel.consume(QUEUE) as consumer:
            async for message in consumer:
                await store.save(message.properties.message_id or "", bytes(message.body))
                # When the connection is lost meanwhile, the reading comes again.
                with suppress(ammoo.exceptions.StaleDelivery):
                    await message.ack()


async def send(channel: ammoo.Channel, identifier: str, reading: bytes) -> None:
    """Publish a reading until the server has confirmed it."""
    while True:
        try:
            await channel.publish("", QUEUE, reading, message_id=identifier, delivery_mode=2)
        except ammoo.exceptions.PublishUnknown as error:
            await error.recovered()  # whether it arrived is not known: the store sorts that out
        else:
            return
