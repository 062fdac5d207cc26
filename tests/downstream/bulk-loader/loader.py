"""A loader: many rows into RabbitMQ, with a bounded number of them unconfirmed."""

import json
from collections.abc import Iterable
from typing import Any

import ammoo

WINDOW = 10


async def load(url: str, rows: Iterable[dict[str, Any]]) -> int:
    """Publish rows, and return how many there were; raise if the broker refused any."""
    async with (
        await ammoo.connect(url) as connection,
        connection.channel() as channel,
        channel.publisher(max_in_flight=WINDOW) as publisher,
    ):
        count = 0
        for row in rows:
            await publisher.publish("", "rows", json.dumps(row))
            count += 1
    return count
