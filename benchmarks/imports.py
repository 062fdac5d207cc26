"""What importing costs: CPU time and memory, in fresh interpreters, interleaved.

    hatch run bench:imports

Each line is the median over the rounds of what `import NAME` costs on top of a
bare interpreter, and on top of `import asyncio` for those that need it anyway.
Packages that are not installed are left out.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from typing import Final

from benchmarks import readme, results
from benchmarks.calibration import Calibration

__all__ = ["main"]

NAMES: Final = ("asyncio", "ammoo_wire", "ammoo", "ammoo_fakebroker", "pamqp", "pika", "aio_pika")
GOALS: Final[dict[tuple[str, ...], float]] = {("asyncio", "ammoo"): 8.0}
"""Milliseconds of CPU that an import may cost, by what is imported before and what then."""

PROBE = """
import json, resource, sys, time
names = sys.argv[1:]
for name in names[:-1]:
    __import__(name)
before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(sys.modules)
__import__(names[-1])
after = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(sys.modules)
print(json.dumps([a - b for a, b in zip(after, before)]))
"""


def probe(*names: str) -> tuple[float, float, int]:
    """Import names in a fresh interpreter; give the last one's ms, KiB and number of modules."""
    # Byte code is kept, whatever we were told: who measures is not to measure the compiler.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    arguments = [sys.executable, "-c", PROBE, *names]
    answer = subprocess.run(
        arguments, check=True, capture_output=True, text=True, env=environment
    ).stdout
    seconds, kibibytes, modules = json.loads(answer)
    return seconds * 1000, kibibytes, modules


def measure(
    rounds: int, calibration: Calibration
) -> dict[tuple[str, ...], list[tuple[float, float, int]]]:
    """Import everything that is installed, in turns; gives the probes, by what was imported."""
    cases: list[tuple[str, ...]] = [(name,) for name in NAMES if importlib.util.find_spec(name)]
    cases += [("asyncio", *case) for case in cases if case != ("asyncio",)]
    for case in cases:
        probe(*case)  # the first import writes byte code
    probes: dict[tuple[str, ...], list[tuple[float, float, int]]] = {case: [] for case in cases}
    for _ in calibration.rounds(rounds):
        for case in cases:
            probes[case].append(probe(*case))
    return probes


def table(probes: dict[tuple[str, ...], list[tuple[float, float, int]]]) -> list[str]:
    """Write what each import costs."""
    rows = []
    for case, probed in probes.items():
        milliseconds, kibibytes, modules = (
            statistics.median(column) for column in zip(*probed, strict=True)
        )
        after = "asyncio" if len(case) > 1 else "nothing"
        goal = GOALS.get(case)
        words = (
            ["", ""] if goal is None else [f"{goal:g}", "met" if milliseconds <= goal else "missed"]
        )
        name = f"{case[-1]}, after {after}"
        rows.append([name, f"{milliseconds:.1f}", f"{kibibytes:,.0f}", f"{modules:.0f}", *words])
    titles = ["import", "CPU ms", "memory KiB", "modules", "goal, ms", ""]
    return results.table(titles, rows, ends_in_words=True)


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:imports", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--readme", action="store_true", help="write the table into benchmarks/")
    options = parser.parse_args(arguments)
    calibration = Calibration()
    probes = measure(options.rounds, calibration)
    about = {"rounds": str(options.rounds), "calibration": str(calibration)}
    provenance = readme.provenance("imports", arguments, about)
    print("\n".join([*table(probes), "", provenance]))
    if options.readme:
        after_asyncio = {case: rows for case, rows in probes.items() if case[0] == "asyncio"}
        readme.write_section("imports", [*table(after_asyncio), "", provenance], calibration)


if __name__ == "__main__":
    main()
