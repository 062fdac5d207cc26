"""Where ammoo's CPU time goes in a workload: what says why a goal was missed.

    hatch run bench:profile consume_ack --url amqp://guest:guest@127.0.0.1:5672

First the time without a profiler, and the kernel's part of it. Then, profiled, the parts of those
who spend it, and the functions that spend most of it by themselves. A profiler charges
for each call, so parts are right only roughly, and small functions look dearer than they are.
"""

import argparse
import asyncio
import cProfile
import pstats
import time
from collections import Counter
from pathlib import Path
from typing import Final

import ammoo
import ammoo_wire
from benchmarks import compare, results
from benchmarks.clients import ammoo as client
from benchmarks.job import Job
from benchmarks.workloads import WORKLOADS, Workload

__all__ = ["main"]

FOLDERS: Final = {
    "ammoo": str(Path(ammoo.__file__).parent),
    "ammoo_wire": str(Path(ammoo_wire.__file__).parent),
    "asyncio": str(Path(asyncio.__file__).parent),
    "the workload itself": str(Path(__file__).parent),
}
KERNEL: Final = ("'_socket.socket'", "select.epoll", "select.kqueue")
"""What the methods that are calls of the kernel have in their names."""

Function = tuple[str, int, str]
"""File, line and name, as `pstats` has them."""


async def measure(
    workload: Workload, options: argparse.Namespace, profiler: cProfile.Profile | None
) -> Job:
    """Do a workload once; it is profiled while it is measured, and not while it is prepared."""
    count = compare.messages(workload, "ammoo", options.scale)
    rpc = workload.name == "rpc"
    async with (
        compare.rpc_server(options.url) if rpc else compare.queue(options.url, workload, count)
    ) as queue_name:
        job = _ProfiledJob(options.url, queue_name, count, workload.body_size)
        job.profiler = profiler
        await getattr(client, workload.name)(job)
    return job


class _ProfiledJob(Job):
    """A job whose measured part is profiled."""

    profiler: cProfile.Profile | None = None

    def start(self) -> None:
        super().start()
        if self.profiler is not None:
            self.profiler.enable()

    def stop(self) -> None:
        if self.profiler is not None:
            self.profiler.disable()
        super().stop()


def owner(function: Function) -> str:
    """Say whose a function is."""
    file, _, name = function
    if any(part in name for part in KERNEL):
        return "calls of the kernel"
    if file.startswith("<ammoo_wire"):
        return "ammoo_wire"
    return next((whose for whose, folder in FOLDERS.items() if file.startswith(folder)), "others")


def shown(function: Function) -> str:
    """Write a function's name, and where it is."""
    file, line, name = function
    return name if file == "~" else f"{name} ({Path(file).name}:{line})"


def print_profile(stats: pstats.Stats, count: int, most: int) -> None:
    """Print who spends how much, and the functions that spend most."""
    own: dict[Function, float] = {
        function: seconds
        for function, (_, _, seconds, _, _) in stats.stats.items()  # type: ignore[attr-defined]  # typeshed has none
    }
    calls: dict[Function, int] = {
        function: number
        for function, (_, number, _, _, _) in stats.stats.items()  # type: ignore[attr-defined]  # typeshed has none
    }
    parts: Counter[str] = Counter()
    for function, seconds in own.items():
        parts[owner(function)] += seconds  # type: ignore[assignment]  # seconds count as well
    whole = sum(own.values())
    rows = [[name, f"{part / whole:.0%}"] for name, part in parts.most_common()]
    print("", *results.table(["who", "part"], rows), sep="\n")
    dearest = sorted(own, key=lambda function: own[function], reverse=True)[:most]
    rows = [
        [shown(function), f"{calls[function] / count:.2f}", f"{own[function] / whole:.1%}"]
        for function in dearest
    ]
    print("", *results.table(["function", "calls a message", "part"], rows), sep="\n")


def main(arguments: list[str] | None = None) -> None:
    """Measure, profile, and print."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:profile", description=__doc__.partition("\n")[0]
    )
    workloads = {workload.name: workload for workload in WORKLOADS}
    parser.add_argument("workload", choices=workloads, metavar="WORKLOAD", help=str([*workloads]))
    parser.add_argument("--url", default="amqp://guest:guest@127.0.0.1:5672", help="the broker's")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of messages")
    parser.add_argument("--most", type=int, default=15, help="so many functions are shown")
    options = parser.parse_args(arguments)
    workload = workloads[options.workload]
    figures = asyncio.run(measure(workload, options, None)).figures
    print(f"{workload.title}: {figures.cpu:.3g} µs a message, {figures.system:.3g} in the kernel")
    profiler = cProfile.Profile(time.process_time)
    job = asyncio.run(measure(workload, options, profiler))
    print_profile(pstats.Stats(profiler), job.count, options.most)


if __name__ == "__main__":
    main()
