"""What importing costs: CPU time and memory, in fresh interpreters, interleaved.

    hatch run bench:imports

Each line is the median over the rounds of what `import NAME` costs on top of a
bare interpreter, and on top of `import asyncio` for those that need it anyway.
Packages that are not installed are left out.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys

NAMES = ("asyncio", "ammoo_wire", "ammoo", "ammoo_fakebroker", "pamqp", "pika", "aio_pika")

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
    arguments = [sys.executable, "-c", PROBE, *names]
    answer = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    seconds, kibibytes, modules = json.loads(answer)
    return seconds * 1000, kibibytes, modules


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    cases: list[tuple[str, ...]] = [(name,) for name in NAMES if importlib.util.find_spec(name)]
    cases += [("asyncio", *case) for case in cases if case != ("asyncio",)]
    for case in cases:
        probe(*case)  # the first import writes byte code
    results: dict[tuple[str, ...], list[tuple[float, float, int]]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            results[case].append(probe(*case))
    print(f"{'import':<20}{'after':<10}{'CPU ms':>8}{'RSS KiB':>10}{'modules':>9}")
    for case, rows in results.items():
        milliseconds, kibibytes, modules = (
            statistics.median(column) for column in zip(*rows, strict=True)
        )
        after = "asyncio" if len(case) > 1 else "nothing"
        print(f"{case[-1]:<20}{after:<10}{milliseconds:>8.1f}{kibibytes:>10.0f}{modules:>9.0f}")


if __name__ == "__main__":
    main()
