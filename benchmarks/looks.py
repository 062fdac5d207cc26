"""How often a look at the broker comes too early, and what it costs.

    hatch run python -m benchmarks.looks

A client publishes without confirms, and the test looks at once. Each look sees the message or comes
too early; pika writes before `basic_publish` returns, ammoo writes in a later turn of the loop, so
that its test awaits `settle()`.
"""

import argparse
import asyncio
import statistics
import time
from typing import Final

import pika  # type: ignore[import-untyped]  # it ships no types

import ammoo
from ammoo_fakebroker import FakeBroker
from benchmarks import results

__all__ = ["main"]

SIZES: Final = (1, 300_000)


def from_another_thread(size: int, looks: int) -> tuple[int, float]:
    """Publish with pika, and look.

    Returns:
        How many looks came too early, and the median of what one took, in microseconds.
    """
    early, taken = 0, []
    with FakeBroker() as broker:
        connection = pika.BlockingConnection(pika.URLParameters(broker.url))
        channel = connection.channel()
        channel.queue_declare("looks")
        body = b"x" * size
        for _ in range(looks):
            channel.basic_publish("", "looks", body)
            started = time.perf_counter()
            early += not broker.messages("looks")
            taken.append(time.perf_counter() - started)
            channel.queue_purge("looks")
        connection.close()
    return early, statistics.median(taken) * 1e6


async def in_one_loop(size: int, looks: int) -> tuple[int, float]:
    """Publish with ammoo in the broker's loop, settle, and look."""
    early, taken = 0, []
    async with (
        FakeBroker() as broker,
        await ammoo.connect(broker.url) as connection,
        connection.channel() as channel,
    ):
        await channel.declare_queue("looks")
        body = b"x" * size
        for _ in range(looks):
            await channel.publish("", "looks", body)
            started = time.perf_counter()
            await broker.settle()
            early += not broker.messages("looks")
            taken.append(time.perf_counter() - started)
            await channel.purge_queue("looks")
    return early, statistics.median(taken) * 1e6


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--looks", type=int, default=400, help="for each row")
    options = parser.parse_args(arguments)
    rows = []
    for size in SIZES:
        early, cost = from_another_thread(size, options.looks)
        rows.append([f"pika, {size:,} octets", f"{early} of {options.looks}", f"{cost:,.0f}"])
        early, cost = asyncio.run(in_one_loop(size, options.looks))
        rows.append([f"ammoo, {size:,} octets", f"{early} of {options.looks}", f"{cost:,.0f}"])
    print("\n".join(results.table(["looks at the fake broker", "too early", "µs"], rows)))


if __name__ == "__main__":
    main()
