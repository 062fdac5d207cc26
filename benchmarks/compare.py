"""ammoo beside other clients, and beside C, on a RabbitMQ: CPU time and clock a message.

    hatch run bench:compare --url amqp://guest:guest@127.0.0.1:5672

Each client does each workload in a process of its own, once a round; they take turns, so that
what else the machine does falls on all of them. Figures are medians over the rounds. Ratios are
the medians of each round's own: they can be compared with another run's, microseconds cannot.
An interrupt (Ctrl-C) ends the measuring; what has been measured is printed.

The limit is a small program on rabbitmq-c, which is compiled when it is needed (Debian:
librabbitmq-dev) and left out where it cannot be. Clients that are not installed are left out too.
With `--readme` the table of goals and a chart go into benchmarks/, if the machine was quiet.
"""

import argparse
import asyncio
import contextlib
import importlib.metadata
import json
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import ammoo
from ammoo.publish_options import MessageOptions
from benchmarks import chart, readme, results
from benchmarks.calibration import Calibration
from benchmarks.job import Figures, Job
from benchmarks.results import UVLOOP, Results
from benchmarks.workloads import LIMIT, WORKLOADS, Workload

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
WORKER_TIMEOUT: Final = 180
EXPIRES: Final = 600_000
"""The queues of a run that was killed are gone after so many milliseconds."""
CHART: Final = readme.ROOT / "benchmarks" / "chart.svg"


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
    properties: MessageOptions = {}
    confirmations = []
    for number in range(count + 1):
        if workload.has_properties:
            properties = {
                "content_type": "text/plain",
                "delivery_mode": 1,
                "correlation_id": f"correlation-{number}",
                "message_id": f"message-{number}",
                "headers": {"a": number, "b": "text"},
            }
        if not channel.is_publishable:
            await channel.wait_publishable()
        confirmations.append(channel.publish_nowait("", name, body, **properties))
    for confirmation in confirmations:
        await confirmation


@asynccontextmanager
async def rpc_server(url: str) -> AsyncIterator[str]:
    """Run a server of RPCs in a process of its own; gives the queue that it answers from."""
    name = f"benchmark.{uuid.uuid4().hex}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.rpc_server", url, name),
        cwd=readme.ROOT,
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
        *command, cwd=readme.ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
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
    return None if answer is None else Figures(*answer)


def nothing_yet(options: argparse.Namespace, clients: list[str]) -> Results:
    """Make room for what will be measured."""
    return {
        workload.name: {name: [] for name in clients}
        for workload in WORKLOADS
        if workload.name in options.workloads
    }


async def run(
    options: argparse.Namespace, found: Results, program: Path | None, calibration: Calibration
) -> None:
    """Run all workloads for all clients, in turns."""
    chosen = [workload for workload in WORKLOADS if workload.name in found]
    async with rpc_server(options.url) as rpc_queue:
        for number in range(options.rounds):
            for workload in chosen:
                print(f"round {number + 1}: {workload.name}", file=sys.stderr)
                calibration.sample()
                for client in found[workload.name]:
                    count = messages(workload, client, options.scale)
                    async with queue(options.url, workload, count) as own_queue:
                        name = rpc_queue if workload.name == "rpc" else own_queue
                        figures = await measure(client, workload, options.url, name, count, program)
                    found[workload.name][client].append(figures)


# --- the command ------------------------------------------------------------------------------


def described(
    options: argparse.Namespace, clients: list[str], server: str, calibration: Calibration
) -> dict[str, str]:
    """Say what was measured with what."""
    about = {"server": server, "rounds": str(options.rounds), "scale": str(options.scale)}
    about["calibration"] = str(calibration)
    about |= {
        client: importlib.metadata.version(DISTRIBUTIONS[client])
        for client in clients
        if client in DISTRIBUTIONS
    }
    if any(client.endswith(UVLOOP) for client in clients):
        about["uvloop"] = importlib.metadata.version("uvloop")
    return about


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


def add_options(parser: argparse.ArgumentParser, *, rounds: int) -> None:
    """Add what every comparison of clients can be told."""
    parser.add_argument("--url", default="amqp://guest:guest@127.0.0.1:5672", help="the broker's")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of messages")
    clients = [LIMIT, *DISTRIBUTIONS]
    parser.add_argument(
        "--clients", nargs="+", choices=clients, default=clients, metavar="NAME", help=str(clients)
    )
    parser.add_argument("--readme", action="store_true", help="write the table into benchmarks/")


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:compare", description=__doc__.partition("\n")[0]
    )
    add_options(parser, rounds=5)
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument(
        "--workloads", nargs="+", choices=names, default=names, metavar="NAME", help=str(names)
    )
    parser.add_argument("--uvloop", action="store_true", help="asyncio's clients on uvloop, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args(arguments)


def tables(found: Results, clients: list[str]) -> list[str]:
    """Write all tables, an empty line before each."""
    lines = []
    for make in (results.cpu_table, results.kernel_table, results.clock_table):
        lines += ["", *make(found, clients)]
    if "ammoo" in clients:
        lines += ["", *results.goals_table(found, "ammoo")]
    return lines


def write_readme(
    found: Results, about: dict[str, str], provenance: str, calibration: Calibration
) -> None:
    """Write the goals' table and the chart, if the machine was quiet."""
    calibration.require_quiet()
    CHART.write_text(chart.chart(found, about), encoding="utf-8")
    readme.write_section(
        "compare",
        [
            *results.goals_table(found, "ammoo"),
            "",
            provenance,
            "",
            f"![CPU time a message, by client]({CHART.name})",
        ],
        calibration,
    )


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the tables."""
    options = parsed(arguments)
    clients = [name for name in options.clients if name != LIMIT]
    if options.uvloop:
        clients += [name + UVLOOP for name in clients if name in ASYNCIO]
    clients = installed(clients)
    with tempfile.TemporaryDirectory() as folder:
        program = compile_limit(Path(folder)) if LIMIT in options.clients else None
        if program is not None:
            clients.insert(0, LIMIT)
        server = asyncio.run(server_name(options.url))
        found = nothing_yet(options, clients)
        calibration = Calibration()
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run(options, found, program, calibration))
    about = described(options, clients, server, calibration)
    provenance = readme.provenance("compare", arguments, about)
    print(provenance)
    print("\n".join(tables(found, clients)))
    if options.json is not None:
        options.json.write_text(json.dumps({"about": about, "results": found}, indent=1) + "\n")
    if options.readme:
        write_readme(found, about, provenance, calibration)


if __name__ == "__main__":
    main()
