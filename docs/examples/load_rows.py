"""Publish rows with a progress bar, and write those that failed to a file."""

import asyncio
import json
import os
from collections import deque
from collections.abc import Iterator
from typing import TextIO

import ammoo
from ammoo.publisher import Confirmation

URL = os.environ.get("AMQP_URL", "amqp://localhost/")
ROWS = int(os.environ.get("ROWS", "500000"))
FAILED = os.environ.get("FAILED", "failed.jsonl")
WINDOW = 500  # rows in flight; fewer than the 1000 failures that a publisher keeps for its caller


def rows() -> Iterator[dict[str, int]]:
    """Yield what is to be published: here made up, else from a file or a database's cursor."""
    for number in range(ROWS):
        yield {"id": number, "sum": number % 100}


def show(done: int, end: str) -> None:
    print(f"{done:>9,} of {ROWS:,} [{'#' * (40 * done // ROWS):<40}]", end=end)


async def publish_rows(channel: ammoo.Channel, failed: TextIO) -> int:
    """Return how many rows failed."""
    in_flight: deque[tuple[dict[str, int], Confirmation]] = deque()

    async def settle_oldest() -> None:
        row, confirmation = in_flight.popleft()
        try:
            await confirmation
        except ammoo.exceptions.AmmooError as error:
            print(json.dumps({"row": row, "error": str(error)}), file=failed)

    async with channel.publisher(max_in_flight=WINDOW, republish=True) as publisher:
        try:
            for row in rows():
                confirmation = await publisher.publish("", "rows", json=row, persistent=True)
                in_flight.append((row, confirmation))
                if len(in_flight) > WINDOW:
                    await settle_oldest()
                if publisher.sent % 10_000 == 0:
                    show(publisher.confirmed + publisher.failed, end="\r")
        finally:  # also if publishing has ended early: each row has an outcome
            while in_flight:
                await settle_oldest()
            show(publisher.confirmed + publisher.failed, end="\n")
    return publisher.failed


async def main(failed: TextIO) -> None:
    async with (
        ammoo.connect(URL, recovery=ammoo.Recovery()) as connection,
        connection.channel(reopen=True) as channel,
    ):
        await channel.declare_queue("rows", durable=True)
        failures = await publish_rows(channel, failed)
    if failures:
        print(f"{failures:,} failed: see {FAILED}")


if __name__ == "__main__":
    with open(FAILED, "w") as failed:
        asyncio.run(main(failed))
