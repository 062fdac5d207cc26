"""ammoo beside other clients, and beside C, on a RabbitMQ: CPU time and clock a message.

    hatch run bench:compare --url amqp://guest:guest@127.0.0.1:5672

Each client does each workload in a process of its own, once a round; they take turns, so that
what else the machine does falls on all of them. Figures are medians over the rounds. Ratios are
the medians of each round's own, and so can be told from another run's; microseconds cannot.
An interrupt (Ctrl-C) ends the measuring; what has been measured is printed.

The limit is a small program on rabbitmq-c, which is compiled when it is needed (Debian:
librabbitmq-dev) and left out where it cannot be. Clients that are not installed are left out too.
"""

import argparse
import asyncio
import contextlib
import importlib.metadata
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import ammoo
from benchmarks.job import Job
from benchmarks.workloads import LIMIT, PEER, WORKLOADS, Workload

DISTRIBUTIONS: Final = {
    "ammoo": "ammoo",
    "aio-pika": "aio-pika",
    "aiormq": "aiormq",
    "pika-asyncio": "pika",
    "pika-blocking": "pika",
    "aioamqp": "aioamqp",
    "amqpstorm": "AMQPStorm",
    "py-amqp": "amqp",
}
"""The clients in the order of the table, and where each comes from."""
ASYNCIO: Final = ("ammoo", "aio-pika", "aiormq", "pika-asyncio", "aioamqp")
"""Those that run on uvloop too."""
POLLING: Final = "amqpstorm"
"""Looks for answers every 10 ms: it gets a twentieth of the round trips."""
ROOT: Final = Path(__file__).parent.parent
WORKER_TIMEOUT: Final = 180
EXPIRES: Final = 600_000
"""The queues of a run that was killed are gone after so many milliseconds."""

Figures = tuple[float, float]
"""Microseconds of CPU and of the clock, a message."""
Results = dict[str, dict[str, list[Figures | None]]]
"""By workload and client, one a round; None where the client does not have the workload."""


# --- queues, and what is in them --------------------------------------------------------------


@asynccontextmanager
async def queue(url: str, workload: Workload, count: int) -> AsyncIterator[str]:
    """Declare a queue, fill it if the workload wants it, and delete it in the end."""
    name = f"benchmark.{uuid.uuid4().hex}"
    async with await ammoo.connect(url) as connection, connection.channel() as channel:
        await channel.declare_queue(
            name, durable=False, auto_delete=False, arguments={"x-expires": EXPIRES}
        )
        if workload.is_filled:
            await channel.select_confirm()
            await fill(channel, name, workload, count)
        yield name
        await channel.delete_queue(name)


async def fill(channel: ammoo.Channel, name: str, workload: Workload, count: int) -> None:
    """Publish what will be consumed, and a few more that nobody will get."""
    body = b"x" * workload.body_size
    at_once = 8 if workload.body_size > 4096 else 500
    for first in range(0, count + 1, at_once):
        numbers = range(first, min(first + at_once, count + 1))
        if workload.has_properties:
            publishes = [
                channel.publish(
                    "",
                    name,
                    body,
                    content_type="text/plain",
                    delivery_mode=1,
                    correlation_id=f"correlation-{number}",
                    message_id=f"message-{number}",
                    headers={"a": number, "b": "text"},
                )
                for number in numbers
            ]
        else:
            publishes = [channel.publish("", name, body) for _ in numbers]
        await asyncio.gather(*publishes)


@asynccontextmanager
async def rpc_server(url: str) -> AsyncIterator[str]:
    """Run a server of RPCs in a process of its own; gives the queue that it answers from."""
    name = f"benchmark.{uuid.uuid4().hex}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.rpc_server", url, name),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        yield name
    finally:
        process.stdin.close()
        await process.wait()


# --- running one client -----------------------------------------------------------------------


def compile_limit(folder: Path) -> Path | None:
    """Compile the program on rabbitmq-c; None, and a word, where that is not possible."""
    program = folder / "limit"
    source = Path(__file__).with_name("limit.c")
    command = ["cc", "-O2", "-o", str(program), str(source), "-lrabbitmq"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        print(f"{LIMIT} is left out: there is no C compiler", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        word = error.stderr.strip().partition("\n")[0]
        print(f"{LIMIT} is left out: {word} (Debian: librabbitmq-dev)", file=sys.stderr)
    else:
        return program
    return None


def messages(workload: Workload, client: str, scale: float) -> int:
    """Tell how many messages a run has, in whole windows."""
    count = workload.size * scale
    if workload.is_round_trip and client.startswith(POLLING):
        count /= 20
    if "gathered" in workload.name or workload.name == "publish_nowait":
        return max(1, round(count / 256)) * 256
    return max(2, round(count))


async def measure(
    client: str, workload: Workload, url: str, queue_name: str, count: int, program: Path | None
) -> Figures | None:
    """Have one client do one workload once."""
    size = str(workload.body_size)
    if client == LIMIT:
        assert program is not None
        address = Job(url, queue_name, count, 0).address
        command = [str(program), workload.name, *map(str, address), queue_name, str(count), size]
    else:
        command = [sys.executable, "-m", "benchmarks.worker", client, workload.name, url]
        command += [queue_name, str(count), size]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), WORKER_TIMEOUT)
    except TimeoutError:
        print(f"{client} did not end {workload.name} in time", file=sys.stderr)
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        word = errors.decode().strip().rpartition("\n")[2]
        print(f"{client} failed at {workload.name}: {word}", file=sys.stderr)
        return None
    answer = json.loads(output.splitlines()[-1])
    return None if answer is None else (answer[0], answer[1])


def nothing_yet(options: argparse.Namespace, clients: list[str]) -> Results:
    """Make room for what will be measured."""
    return {
        workload.name: {name: [] for name in clients}
        for workload in WORKLOADS
        if workload.name in options.workloads
    }


async def run(options: argparse.Namespace, results: Results, program: Path | None) -> None:
    """Run all workloads for all clients, in turns."""
    chosen = [workload for workload in WORKLOADS if workload.name in results]
    async with rpc_server(options.url) as rpc_queue:
        for number in range(options.rounds):
            for workload in chosen:
                print(f"round {number + 1}: {workload.name}", file=sys.stderr)
                for client in results[workload.name]:
                    count = messages(workload, client, options.scale)
                    async with queue(options.url, workload, count) as own_queue:
                        name = rpc_queue if workload.name == "rpc" else own_queue
                        figures = await measure(client, workload, options.url, name, count, program)
                    results[workload.name][client].append(figures)


# --- what came out ----------------------------------------------------------------------------


def medians(rounds: list[Figures | None]) -> Figures | None:
    """Give the medians of what was measured."""
    measured = [figures for figures in rounds if figures is not None]
    if not measured:
        return None
    cpu, wall = zip(*measured, strict=True)
    return statistics.median(cpu), statistics.median(wall)


def ratio(ours: list[Figures | None], theirs: list[Figures | None], part: int = 0) -> float | None:
    """Give the median of the rounds' ratios of CPU time (or of the clock, part 1)."""
    ratios = [
        mine[part] / other[part]
        for mine, other in zip(ours, theirs, strict=False)  # an interrupted round is not whole
        if mine is not None and other is not None and other[part]
    ]
    return statistics.median(ratios) if ratios else None


class Reached:
    """What one client has reached in one workload, against the limit and against the peer."""

    def __init__(self, results: Results, workload: Workload, client: str) -> None:
        rows = results[workload.name]
        others = results.get(workload.compared_with, rows)
        self.workload = workload
        self.of_limit = ratio(rows[client], others[LIMIT]) if LIMIT in others else None
        of_peer = ratio(rows[client], others[PEER]) if PEER in others else None
        self.below_peer = 1 / of_peer if of_peer else None
        clock = ratio(rows[client], others[LIMIT], 1) if LIMIT in others else None
        self.rate_of_limit = 1 / clock if clock else None

    @property
    def verdict(self) -> str:
        """Say whether the goals are met."""
        if self.of_limit is None and self.below_peer is None:
            return ""
        missed = []
        if self.of_limit is not None and self.of_limit > self.workload.of_limit:
            missed.append("C")
        if self.below_peer is not None and self.below_peer < self.workload.below_peer:
            missed.append(PEER)
        if missed:
            return "missed: " + ", ".join(missed)
        stretch = self.workload.stretch
        if stretch is not None and self.of_limit is not None and self.of_limit <= stretch:
            return "stretch"
        return "met"


def shown(value: float | None, form: str = ".2f") -> str:
    """Write a number, or a dash."""
    return "-" if value is None else format(value, form)


def print_costs(results: Results, clients: list[str]) -> None:
    """Print all clients' CPU time and clock."""
    for part, title in enumerate(("CPU, µs a message", "clock, messages a second")):
        print(f"\n| {title} | " + " | ".join(clients) + " |")
        print("|---" + "|---:" * len(clients) + "|")
        for workload in WORKLOADS:
            if workload.name not in results:
                continue
            cells = []
            for client in clients:
                figures = medians(results[workload.name][client])
                if figures is None:
                    cells.append("-")
                elif part == 0:
                    cells.append(f"{figures[0]:.3g}" if figures[0] < 1000 else f"{figures[0]:.0f}")
                else:
                    cells.append(f"{1e6 / figures[1]:,.0f}")
            print(f"| {workload.title} | " + " | ".join(cells) + " |")


def print_goals(results: Results, client: str) -> None:
    """Print what a client has reached, beside the goals."""
    print(f"\n| {client} | x {LIMIT} | goal | stretch | x {PEER} | goal | messages/s x C | |")
    print("|---|---:|---:|---:|---:|---:|---:|---|")
    for workload in WORKLOADS:
        if workload.name not in results or medians(results[workload.name][client]) is None:
            continue
        reached = Reached(results, workload, client)
        print(
            f"| {workload.title} | {shown(reached.of_limit)} | {workload.of_limit:g}"
            f" | {shown(workload.stretch, 'g')} | 1/{shown(reached.below_peer, '.1f')}"
            f" | 1/{workload.below_peer:g} | {shown(reached.rate_of_limit)} | {reached.verdict} |"
        )


def described(options: argparse.Namespace, clients: list[str], server: str) -> dict[str, str]:
    """Say what was measured with what."""
    about = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "server": server,
        "rounds": str(options.rounds),
        "scale": str(options.scale),
    }
    for client in clients:
        distribution = DISTRIBUTIONS.get(client.partition("+")[0])
        if distribution is not None:
            about[client] = importlib.metadata.version(distribution)
    return about


# --- the command ------------------------------------------------------------------------------


def installed(wanted: list[str]) -> list[str]:
    """Leave clients out that are not there."""
    found = []
    for client in wanted:
        name, _, loop = client.partition("+")
        try:
            for distribution in filter(None, (DISTRIBUTIONS[name], loop)):
                importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError as error:
            print(f"{client} is left out: {error.name} is not installed", file=sys.stderr)
        else:
            found.append(client)
    return found


async def server_name(url: str) -> str:
    """Ask the server what it is."""
    async with await ammoo.connect(url) as connection:
        properties = connection.server_properties
        return f"{properties['product']} {properties['version']}"


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:compare", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--url", default="amqp://guest:guest@127.0.0.1:5672", help="the broker's")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of messages")
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument(
        "--workloads", nargs="+", choices=names, default=names, metavar="NAME", help=str(names)
    )
    clients = [LIMIT, *DISTRIBUTIONS]
    parser.add_argument(
        "--clients", nargs="+", choices=clients, default=clients, metavar="NAME", help=str(clients)
    )
    parser.add_argument("--uvloop", action="store_true", help="asyncio's clients on uvloop, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the tables."""
    options = parsed(arguments)
    clients = [name for name in options.clients if name != LIMIT]
    if options.uvloop:
        clients += [f"{name}+uvloop" for name in clients if name in ASYNCIO]
    clients = installed(clients)
    with tempfile.TemporaryDirectory() as folder:
        program = compile_limit(Path(folder)) if LIMIT in options.clients else None
        if program is not None:
            clients.insert(0, LIMIT)
        server = asyncio.run(server_name(options.url))
        results = nothing_yet(options, clients)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run(options, results, program))
    about = described(options, clients, server)
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print_costs(results, clients)
    for client in clients:
        if client.startswith("ammoo"):
            print_goals(results, client)
    if options.json is not None:
        options.json.write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
