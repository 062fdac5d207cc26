"""How fast the fake broker is: messages a second, CPU a message, and how long a start takes.

    hatch run bench:fakebroker

With the client in another process, the broker's own CPU time is known, and what it could do on a
core of its own: the last column. With the client in the same process and event loop, as in most
tests, the CPU time is both's together. In memory, there is no socket either.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from ammoo_fakebroker import FakeBroker
from benchmarks import broker_replay, compare, readme, replay, results
from benchmarks.calibration import Calibration
from benchmarks.clients import ammoo as ammoo_client
from benchmarks.job import Job
from benchmarks.workloads import LIMIT, WORKLOADS, Workload

__all__ = ["main"]

MEASURED: Final = (
    "publish_fire",
    "publish_confirm_each",
    "publish_confirm_gathered",
    "consume_ack",
    "consume_no_ack",
    "get_loop",
    "publish_large",
    "consume_large",
)
GOALS: Final = {"publish_confirm_gathered": 60_000, "consume_ack": 60_000}
"""Messages a second on one core, the client counted out."""
START_GOAL: Final = 1.0
"""Milliseconds for a start and a stop."""


class Broker(NamedTuple):
    """A broker in another process, which tells its CPU time when it is asked."""

    url: str
    process: asyncio.subprocess.Process

    async def cpu_seconds(self) -> float:
        """Ask for the CPU time that it has spent."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        return float(await self.process.stdout.readline())


async def serve(history: int, *, has_fault: bool) -> None:
    """Be that process, until standard input is closed.

    Args:
        history: How many events the broker keeps.
        has_fault: Whether a fault is in force that concerns none of the messages.
    """
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def answer() -> None:
        if sys.stdin.readline():
            print(time.process_time(), flush=True)
        else:
            over.set_result(None)

    async with FakeBroker(history=history) as broker:
        add_fault(broker, has_fault=has_fault)
        print(broker.url, flush=True)
        loop.add_reader(sys.stdin, answer)
        await over
        loop.remove_reader(sys.stdin)


def add_fault(broker: FakeBroker, *, has_fault: bool) -> None:
    """Let the broker compare each publish, confirm and delivery with a fault that strikes none."""
    if has_fault:
        broker.faults.nack_publishes(exchange_name="no such exchange", optional=True)
        broker.faults.hold_deliveries(queue_name="no such queue", optional=True)


@asynccontextmanager
async def other_process(history: int, *, has_fault: bool = False) -> AsyncIterator[Broker]:
    """Run a broker in another process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.fakebroker", "--serve"),
        *("--history", str(history), *(["--fault"] if has_fault else [])),
        cwd=readme.ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    yield Broker((await process.stdout.readline()).decode().strip(), process)
    process.stdin.close()
    await process.wait()


class Cost(NamedTuple):
    """What a message costs, in microseconds."""

    client: float
    broker: float
    wall: float


async def apart(
    client: str,
    workload: Workload,
    count: int,
    program: Path | None,
    history: int = 0,
    *,
    has_fault: bool = False,
) -> Cost | None:
    """Measure with the client and the broker in processes of their own."""
    async with (
        other_process(history, has_fault=has_fault) as broker,
        compare.queue(broker.url, workload, count) as queue_name,
    ):
        before = await broker.cpu_seconds()
        figures = await compare.measure(client, workload, broker.url, queue_name, count, program)
        spent = (await broker.cpu_seconds() - before) / count * 1e6
    return None if figures is None else Cost(figures.cpu, spent, figures.wall)


async def together(
    workload: Workload, count: int, options: argparse.Namespace
) -> tuple[float, float]:
    """Measure with ammoo and the broker in one event loop: the CPU time of both, and the clock."""
    async with (
        FakeBroker(history=options.history) as broker,
        compare.queue(broker.url, workload, count) as queue_name,
    ):
        add_fault(broker, has_fault=options.fault)
        job = Job(broker.url, queue_name, count, workload.body_size)
        await getattr(ammoo_client, workload.name)(job)
    return job.figures.cpu, job.figures.wall


async def start_in_loop() -> float:
    """Start and stop a broker in the running event loop; gives milliseconds."""
    started = time.perf_counter()
    async with FakeBroker():
        pass
    return (time.perf_counter() - started) * 1000


def start_in_thread() -> float:
    """Start and stop a broker in a thread; gives milliseconds."""
    started = time.perf_counter()
    with FakeBroker():
        pass
    return (time.perf_counter() - started) * 1000


def starts_table(rounds: int) -> list[str]:
    """Measure how long it takes to start and stop."""

    async def in_loop() -> list[float]:
        return [await start_in_loop() for _ in range(rounds)]

    ways: dict[str, Callable[[], list[float]]] = {
        "in the running loop": lambda: asyncio.run(in_loop()),
        "in a thread": lambda: [start_in_thread() for _ in range(rounds)],
    }
    rows = []
    for name, way in ways.items():
        taken = sorted(way()[1:])  # the first one loads modules
        middle = statistics.median(taken)
        late = taken[int(len(taken) * 0.95)]
        goal = [f"{START_GOAL:g}", "met" if middle < START_GOAL else "missed"]
        rows.append([name, f"{middle:.2f}", f"{late:.2f}", *goal])
    titles = ["fake broker, start and stop, ms", "median", "95 %", "goal", ""]
    return results.table(titles, rows, ends_in_words=True)


async def apart_table(
    client: str,
    workloads: list[Workload],
    options: argparse.Namespace,
    program: Path | None,
    calibration: Calibration,
) -> list[str]:
    """Measure what a client and a broker in processes of their own do."""
    rows = []

    async def cost_of(workload: Workload, count: int) -> Cost | None:
        history, has_fault = options.history, options.fault
        return await apart(client, workload, count, program, history, has_fault=has_fault)

    for workload in workloads:
        count = compare.messages(workload, client, options.scale)
        costs = [
            cost
            for _ in calibration.rounds(options.rounds)
            if (cost := await cost_of(workload, count)) is not None
        ]
        if not costs:
            continue
        ours, broker, wall = (statistics.median(column) for column in zip(*costs, strict=True))
        goal = GOALS.get(workload.name)
        words = (
            ["", ""] if goal is None else [f"{goal:,}", "met" if 1e6 / broker >= goal else "missed"]
        )
        rates = [f"{1e6 / wall:,.0f}", f"{1e6 / broker:,.0f}"]
        rows.append(
            [
                workload.title,
                results.microseconds(ours),
                results.microseconds(broker),
                *rates,
                *words,
            ]
        )
    titles = [f"fake broker, {client} in another process", "client µs", "broker µs"]
    titles += ["messages/s", "broker alone/s", "goal", ""]
    return results.table(titles, rows, ends_in_words=True)


async def together_table(workloads: list[Workload], options: argparse.Namespace) -> list[str]:
    """Measure what ammoo and a broker in one event loop do."""
    rows = []
    for workload in workloads:
        count = compare.messages(workload, "ammoo", options.scale)
        runs = [await together(workload, count, options) for _ in range(options.rounds)]
        cpu, wall = (statistics.median(column) for column in zip(*runs, strict=True))
        rows.append([workload.title, results.microseconds(cpu), f"{1e6 / wall:,.0f}"])
    return results.table(["fake broker, ammoo in one event loop", "both µs", "messages/s"], rows)


def in_memory_table(rounds: int) -> list[str]:
    """Measure the broker alone, without a socket."""
    best = replay.measure(broker_replay.CASES, rounds)
    rows = [[name.removeprefix("broker: "), f"{cost:,.0f}"] for name, cost in best.items()]
    return results.table(["fake broker, in memory", "ns"], rows)


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:fakebroker", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of messages")
    parser.add_argument("--starts", type=int, default=200, help="how often it is started")
    parser.add_argument(
        "--clients", nargs="+", default=[LIMIT, "ammoo"], metavar="NAME", help="as in compare"
    )
    parser.add_argument(
        "--workloads", nargs="+", choices=MEASURED, default=MEASURED, metavar="NAME"
    )
    parser.add_argument(
        "--history", type=int, default=0, metavar="N", help="how many events the broker keeps"
    )
    parser.add_argument(
        "--fault", action="store_true", help="with a fault in force that strikes nothing"
    )
    parser.add_argument("--readme", action="store_true", help="write ammoo's and the starts there")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        asyncio.run(serve(options.history, has_fault=options.fault))
        return
    workloads = [workload for workload in WORKLOADS if workload.name in options.workloads]
    tables = {}
    calibration = Calibration()
    with tempfile.TemporaryDirectory() as folder:
        program = compare.compile_limit(Path(folder)) if LIMIT in options.clients else None
        for client in options.clients:
            if client != LIMIT or program is not None:
                tables[client] = asyncio.run(
                    apart_table(client, workloads, options, program, calibration)
                )
    tables["together"] = asyncio.run(together_table(workloads, options))
    tables["in memory"] = in_memory_table(3 * options.rounds)
    calibration.sample()
    tables["starts"] = starts_table(options.starts)
    calibration.sample()
    about = {"rounds": str(options.rounds), "scale": str(options.scale)}
    about["history"] = str(options.history)
    about["fault"] = "yes" if options.fault else "no"
    about["calibration"] = str(calibration)
    provenance = readme.provenance("fakebroker", arguments, about)
    print(provenance)
    for lines in tables.values():
        print("", *lines, sep="\n")
    if options.readme:
        shown = [tables[name] for name in ("ammoo", "starts") if name in tables]
        lines = [line for each in shown for line in (*each, "")]
        readme.write_section("fakebroker", [*lines, provenance], calibration)


if __name__ == "__main__":
    main()
