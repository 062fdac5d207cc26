"""What got slower since a stored result, in units of a calibration loop.

    hatch run bench:gate              compares with benchmarks/gate.json
    hatch run bench:gate --update     stores what is measured now

It runs `replay` and `broker_replay`, which need no network, and the client against a fake broker in
another process, on asyncio's own loop and on uvloop. Each figure is divided by the calibration
loop's: so much of the machine's speed falls out that two runs differ by a few per cent, and a run
on another machine can be looked at. It only fails if it is asked to. How quiet the machine was
stands above the figures, and is stored with them.
"""

import argparse
import asyncio
import importlib.util
import json
import platform
import sys
from pathlib import Path
from typing import Final

from benchmarks import broker_replay, compare, fakebroker, replay
from benchmarks.calibration import Calibration
from benchmarks.results import UVLOOP
from benchmarks.workloads import WORKLOADS, Workload

__all__ = ["main"]

STORED: Final = Path(__file__).with_name("gate.json")
TOLERANCE: Final = 0.15
"""Less is not said: another run on the same machine may differ by as much."""
REPEATED: Final = 100
ON_SOCKETS: Final = ("publish_confirm_gathered", "consume_ack", "consume_no_ack", "consume_large")
"""The workloads in which event loops differ."""
SCALE: Final = 0.2
"""Of the numbers of messages of those."""
SOCKET_ROUNDS: Final = 5


def calibrate() -> None:
    """Run the loop for as long as the cases take, so that what disturbs them disturbs it, too."""
    for _ in range(REPEATED):
        replay.calibrate()


def loops(rounds: int, quiet: Calibration) -> dict[str, float]:
    """Measure what ammoo's cases cost, in calibration loops a message.

    Args:
        rounds: How often each case in memory is run; those on sockets are run less often.
        quiet: Samples the machine before each round.
    """
    calibration = replay.Case("calibration", None, calibrate)
    cases = [calibration, *replay.WIRE, *replay.CLIENT, *broker_replay.CASES]
    best = replay.measure(cases, rounds, quiet)
    unit = best.pop(calibration.name) / REPEATED
    best |= asyncio.run(on_sockets(min(rounds, SOCKET_ROUNDS), quiet))
    return {name: round(nanoseconds / unit, 2) for name, nanoseconds in best.items()}


async def on_sockets(rounds: int, quiet: Calibration) -> dict[str, float]:
    """Measure the client's CPU time on each event loop, in nanoseconds a message."""
    best = {}
    for workload in (each for each in WORKLOADS if each.name in ON_SOCKETS):
        for loop in ("", UVLOOP) if importlib.util.find_spec("uvloop") else ("",):
            name = f"on {loop[1:] or 'asyncio'}: {workload.title}"
            costs = [await cpu(workload, "ammoo" + loop) for _ in quiet.rounds(rounds)]
            best[name] = min(costs)
    return best


async def cpu(workload: Workload, client: str) -> float:
    """Run a workload once; return the client's nanoseconds of CPU a message.

    Raises:
        RuntimeError: The client failed.
    """
    count = compare.messages(workload, client, SCALE)
    cost = await fakebroker.apart(client, workload, count, None)
    if cost is None:
        raise RuntimeError(f"{client} did not do {workload.name}")
    return cost.client * 1000


def print_comparison(now: dict[str, float], stored: dict[str, float], tolerance: float) -> int:
    """Print both, and give how many have become slower."""
    slower = 0
    print(f"{'calibration loops a message':<52}{'stored':>8}{'now':>8}{'change':>8}")
    for name, current in now.items():
        before = stored.get(name)
        if before is None:
            print(f"{name:<52}{'':>8}{current:>8.1f}{'new':>8}")
            continue
        change = current / before - 1
        word = "  SLOWER" if change > tolerance else "  faster" if change < -tolerance else ""
        slower += change > tolerance
        print(f"{name:<52}{before:>8.1f}{current:>8.1f}{change:>+8.0%}{word}")
    for name in stored.keys() - now.keys():
        print(f"{name:<52}{stored[name]:>8.1f}{'':>8}{'gone':>8}")
    return slower


def main(arguments: list[str] | None = None) -> None:
    """Measure and compare."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:gate", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--stored", type=Path, default=STORED, metavar="FILE")
    parser.add_argument("--update", action="store_true", help="store what is measured now")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, metavar="PART")
    parser.add_argument("--fail", action="store_true", help="exit with 1 if something got slower")
    options = parser.parse_args(arguments)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    quiet = Calibration()
    now = loops(options.rounds, quiet)
    print(f"calibration {quiet}")
    if options.update:
        options.stored.write_text(
            json.dumps({"python": python, "calibration": str(quiet), "loops": now}, indent=1) + "\n"
        )
        print(f"stored {len(now)} figures in {options.stored}")
        return
    if not options.stored.exists():
        print(f"nothing is stored in {options.stored}; --update does", file=sys.stderr)
        return
    stored = json.loads(options.stored.read_text())
    calibrated = stored.get("calibration", "unknown")
    print(f"stored with {stored['python']}, calibration {calibrated}; now on {python}")
    slower = print_comparison(now, stored["loops"], options.tolerance)
    print(f"{slower} got slower by more than {options.tolerance:.0%}")
    if slower and options.fail:
        sys.exit(1)


if __name__ == "__main__":
    main()
