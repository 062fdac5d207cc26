"""What a publisher costs beside gathered publishes and `publish_nowait`, in one run.

    hatch run bench:publisher

The fake broker runs in another process. The figures are the client's CPU time a message, with as
many messages in flight each way; the ratio is to gathered publishes.
"""

import argparse
import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Final

import ammoo
from benchmarks import fakebroker, results
from benchmarks.calibration import Calibration
from benchmarks.clients import ammoo as client
from benchmarks.clients.ammoo import opened
from benchmarks.job import Job
from benchmarks.workloads import IN_FLIGHT

__all__ = ["main"]

COUNT: Final = 80 * IN_FLIGHT
BODY_SIZE: Final = 100


async def publisher(job: Job) -> None:
    """Publish through a publisher, whose failures are raised at its end."""
    async with opened(job) as channel:
        await channel.select_confirm()
        with job.measured():
            async with channel.publisher(max_in_flight=IN_FLIGHT) as publisher:
                for _ in range(job.count):
                    await publisher.publish("", job.queue_name, job.body)


async def publish_many(job: Job) -> None:
    """Publish from a generator."""
    async with opened(job) as channel:
        await channel.select_confirm()
        with job.measured():
            async with channel.publisher(max_in_flight=IN_FLIGHT) as publisher:
                await publisher.publish_many(
                    ("", job.queue_name, job.body) for _ in range(job.count)
                )


async def awaited(job: Job) -> None:
    """Publish through a publisher, and await each outcome."""
    async with opened(job) as channel:
        await channel.select_confirm()
        with job.measured():
            async with channel.publisher(max_in_flight=IN_FLIGHT) as publisher:
                for _ in range(job.count // IN_FLIGHT):
                    confirmations = [
                        await publisher.publish("", job.queue_name, job.body)
                        for _ in range(IN_FLIGHT)
                    ]
                    for confirmation in confirmations:
                        await confirmation


WAYS: Final[dict[str, Callable[[Job], Awaitable[None]]]] = {
    "gathered publishes": client.publish_confirm_gathered,
    "publish_nowait": client.publish_nowait,
    "publisher": publisher,
    "publisher, each outcome awaited": awaited,
    "publisher, publish_many": publish_many,
}


async def measure(rounds: int, count: int, calibration: Calibration) -> dict[str, list[float]]:
    """Measure all ways in turn, in microseconds of CPU a message."""
    costs: dict[str, list[float]] = {name: [] for name in WAYS}
    queue_name = f"benchmark.{uuid.uuid4().hex}"
    async with (
        fakebroker.other_process(history=0) as broker,
        await ammoo.connect(broker.url) as connection,
        connection.channel() as channel,
    ):
        await channel.declare_queue(queue_name)
        for _ in calibration.rounds(rounds):
            for name, way in WAYS.items():
                job = Job(broker.url, queue_name, count, BODY_SIZE)
                await way(job)
                costs[name].append(job.figures.cpu)
                await channel.purge_queue(queue_name)
    return costs


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:publisher", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=COUNT, help="messages each way and round")
    options = parser.parse_args(arguments)
    calibration = Calibration()
    best = {
        name: min(costs)
        for name, costs in asyncio.run(measure(options.rounds, options.count, calibration)).items()
    }
    gathered = best["gathered publishes"]
    rows = [
        [name, results.microseconds(cost), f"{cost / gathered:.2f}"] for name, cost in best.items()
    ]
    for line in results.table([f"{IN_FLIGHT} in flight", "µs", "of gathered"], rows):
        print(line)
    print(f"calibration {calibration}")


if __name__ == "__main__":
    main()
