"""What got slower since a stored result, in units of a calibration loop.

    hatch run bench:gate              compares with benchmarks/gate.json
    hatch run bench:gate --update     stores what is measured now

It runs `replay` and `broker_replay`, which need no network, and divides each figure by the calibration loop's: so
much of the machine's speed falls out that two runs differ by a few per cent, and a run on
another machine can be looked at. It only fails if it is asked to.
"""

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Final

from benchmarks import broker_replay, replay

__all__ = ["main"]

STORED: Final = Path(__file__).with_name("gate.json")
TOLERANCE: Final = 0.15
"""Less is not said: another run on the same machine may differ by as much."""
REPEATED: Final = 100


def calibrate() -> None:
    """Run the loop for as long as the cases take, so that what disturbs them disturbs it, too."""
    for _ in range(REPEATED):
        replay.calibrate()


def loops(rounds: int) -> dict[str, float]:
    """Measure what ammoo's cases cost, in calibration loops a message."""
    calibration = replay.Case("calibration", None, calibrate)
    best = replay.measure([calibration, *replay.WIRE, *replay.CLIENT, *broker_replay.CASES], rounds)
    unit = best.pop(calibration.name) / REPEATED
    return {name: round(nanoseconds / unit, 2) for name, nanoseconds in best.items()}


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
    now = loops(options.rounds)
    if options.update:
        options.stored.write_text(json.dumps({"python": python, "loops": now}, indent=1) + "\n")
        print(f"stored {len(now)} figures in {options.stored}")
        return
    if not options.stored.exists():
        print(f"nothing is stored in {options.stored}; --update does", file=sys.stderr)
        return
    stored = json.loads(options.stored.read_text())
    print(f"stored with {stored['python']}, now on {python}")
    slower = print_comparison(now, stored["loops"], options.tolerance)
    print(f"{slower} got slower by more than {options.tolerance:.0%}")
    if slower and options.fail:
        sys.exit(1)


if __name__ == "__main__":
    main()
