"""Where ammoo's CPU time goes in a workload: what says why a goal was missed.

    hatch run bench:profile consume_ack --url amqp://guest:guest@127.0.0.1:5672
    hatch run bench:profile --url amqp://guest:guest@127.0.0.1:5672

With a workload, first the time without a profiler, and the kernel's part of it. Then, profiled,
the parts of those who spend it, and the functions that spend most of it by themselves. Without
one, the parts for all workloads. A profiler charges for each call, so parts are right only
roughly, and small functions look dearer than they are.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import selectors
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

import ammoo
import ammoo_wire
from benchmarks import compare, readme, results
from benchmarks.calibration import Calibration
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
    if file == selectors.__file__:
        return "asyncio"
    return next(
        (whose for whose, folder in FOLDERS.items() if file.startswith(folder + os.sep)), "others"
    )


def shown(function: Function) -> str:
    """Write a function's name, and where it is."""
    file, line, name = function
    return name if file == "~" else f"{name} ({Path(file).name}:{line})"


class Spent(NamedTuple):
    """What a profiler knows of a function."""

    primitive_calls: int
    calls: int
    own: float
    """Seconds in itself, without what it called."""
    whole: float
    callers: dict[Function, tuple[int, int, float, float]]
    """The same four for each caller."""


def parts(profile: dict[Function, Spent]) -> Counter[str]:
    """Tell how many nanoseconds each owner spends; what is built in is on its callers' account."""
    spent: Counter[str] = Counter()
    for function, entry in profile.items():
        file, _, _ = function
        if file == "~" and owner(function) == "others":
            for caller, (_, _, own, _) in entry.callers.items():
                spent[owner(caller)] += round(own * 1e9)
        else:
            spent[owner(function)] += round(entry.own * 1e9)
    return spent


def print_profile(profile: dict[Function, Spent], count: int, most: int) -> None:
    """Print who spends how much, and the functions that spend most."""
    whole = sum(entry.own for entry in profile.values())
    rows = [[name, f"{part / 1e9 / whole:.0%}"] for name, part in parts(profile).most_common()]
    print("", *results.table(["who", "part"], rows), sep="\n")
    dearest = sorted(profile.items(), key=lambda item: item[1].own, reverse=True)[:most]
    rows = [
        [shown(function), f"{entry.calls / count:.2f}", f"{entry.own / whole:.1%}"]
        for function, entry in dearest
    ]
    print("", *results.table(["function", "calls a message", "part"], rows), sep="\n")


async def profiled(
    workload: Workload, options: argparse.Namespace
) -> tuple[Job, dict[Function, Spent]]:
    """Do a workload twice; give it as it was without the profiler, and what that has seen."""
    job = await measure(workload, options, None)
    profiler = cProfile.Profile(time.process_time)
    await measure(workload, options, profiler)
    found: dict[Function, Any] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]  # typeshed has none
    return job, {function: Spent._make(entry) for function, entry in found.items()}


def summary(spent: dict[str, tuple[Job, Counter[str]]]) -> list[str]:
    """Make the table of the parts of all workloads, by their titles."""
    owners = ["calls of the kernel", *FOLDERS, "others"]
    rows = [
        [
            title,
            results.microseconds(job.figures.cpu),
            *(f"{whose[owner] / whose.total():.0%}" for owner in owners),
        ]
        for title, (job, whose) in spent.items()
    ]
    return results.table(["who spends the time", "µs", *owners], rows)


def main(arguments: list[str] | None = None) -> None:
    """Measure, profile, and print."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:profile", description=__doc__.partition("\n")[0]
    )
    workloads = {workload.name: workload for workload in WORKLOADS}
    parser.add_argument(
        "workload", nargs="?", choices=workloads, metavar="WORKLOAD", help=str([*workloads])
    )
    parser.add_argument("--url", default="amqp://guest:guest@127.0.0.1:5672", help="the broker's")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of messages")
    parser.add_argument("--most", type=int, default=15, help="so many functions are shown")
    parser.add_argument(
        "--readme", action="store_true", help="write the table of all into benchmarks/README.md"
    )
    options = parser.parse_args(arguments)
    if options.readme and options.workload is not None:
        parser.error("--readme is for the table of all workloads; leave WORKLOAD out")
    if options.workload is not None:
        workload = workloads[options.workload]
        job, profile = asyncio.run(profiled(workload, options))
        cpu, system, *_ = job.figures
        print(f"{workload.title}: {cpu:.3g} µs a message, {system:.3g} in the kernel")
        print_profile(profile, job.count, options.most)
        return
    spent = {}
    calibration = Calibration()
    for workload in WORKLOADS:
        calibration.sample()
        job, profile = asyncio.run(profiled(workload, options))
        spent[workload.title] = job, parts(profile)
    about = {
        "server": asyncio.run(compare.server_name(options.url)),
        "calibration": str(calibration),
    }
    lines = [*summary(spent), "", readme.provenance("profile", arguments, about)]
    print(*lines, sep="\n")
    if options.readme:
        readme.write_section("profile", lines, calibration)


if __name__ == "__main__":
    main()
