"""How much memory clients hold: with nothing to do, and how much more while they consume.

    hatch run bench:memory --url amqp://guest:guest@127.0.0.1:5672

Idle is what a process holds that has imported the client, is connected and has a channel open.
Beside it stands by how much that grows, at the most, while 100,000 messages of 100 octets are
consumed without acknowledgement, when nothing but the client itself holds the server back.
It is read from Linux, in KiB; medians of rounds in which the clients take turns.
"""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import compare, readme, results
from benchmarks.calibration import Calibration
from benchmarks.job import Figures
from benchmarks.results import Results
from benchmarks.workloads import LIMIT, WORKLOADS

__all__ = ["main"]

MESSAGES: Final = 100_000
WORKLOAD: Final = next(each for each in WORKLOADS if each.name == "consume_no_ack")
BELOW: Final = "pika-asyncio"
"""The client that ammoo is to hold less than, idle; pika's blocking one holds more."""
MOST_GROWTH: Final = 1024
"""KiB that ammoo may grow by."""


async def measure(
    options: argparse.Namespace, found: Results, program: Path | None, calibration: Calibration
) -> None:
    """Run all clients in turns."""
    count = round(MESSAGES * options.scale)
    for _ in range(options.rounds):
        for client, rounds in found[WORKLOAD.name].items():
            calibration.sample()
            async with compare.queue(options.url, WORKLOAD, count) as queue_name:
                rounds.append(
                    await compare.measure(client, WORKLOAD, options.url, queue_name, count, program)
                )


def verdict(ours: Figures, below: Figures | None) -> str:
    """Say whether ammoo holds as little as it should."""
    missed = []
    if below is not None and ours.idle_memory >= below.idle_memory:
        missed.append("idle")
    if ours.memory_growth > MOST_GROWTH:
        missed.append("growth")
    return "missed: " + ", ".join(missed) if missed else "met"


def table(found: Results) -> list[str]:
    """Write what all clients hold, ammoo beside its goals."""
    held = {client: results.medians(rounds) for client, rounds in found[WORKLOAD.name].items()}
    rows = [
        [
            client,
            f"{figures.idle_memory:,.0f}",
            f"{figures.memory_growth:,.0f}",
            verdict(figures, held.get(BELOW)) if client == "ammoo" else "",
        ]
        for client, figures in held.items()
        if figures is not None
    ]
    goal = f"goal: idle below {BELOW}'s, at most {MOST_GROWTH:,} more"
    titles = ["memory, KiB", "idle", f"consuming {MESSAGES:,} adds", goal]
    return results.table(titles, rows, ends_in_words=True)


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:memory", description=__doc__.partition("\n")[0]
    )
    compare.add_options(parser, rounds=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args(arguments)
    clients = compare.installed([name for name in options.clients if name != LIMIT])
    with tempfile.TemporaryDirectory() as folder:
        program = compare.compile_limit(Path(folder)) if LIMIT in options.clients else None
        if program is not None:
            clients.insert(0, LIMIT)
        found: Results = {WORKLOAD.name: {client: [] for client in clients}}
        calibration = Calibration()
        asyncio.run(measure(options, found, program, calibration))
    server = asyncio.run(compare.server_name(options.url))
    about = compare.described(options, clients, server, calibration)
    lines = [*table(found), "", readme.provenance("memory", arguments, about)]
    print("\n".join(lines))
    if options.json is not None:
        options.json.write_text(json.dumps({"about": about, "results": found}, indent=1) + "\n")
    if options.readme:
        readme.write_section("memory", lines, calibration)


if __name__ == "__main__":
    main()
