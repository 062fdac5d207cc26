"""Run fuzzers for some time: ``python -m tests.fuzz broker-octets --seconds 600``.

Each target gets an equal share of the time. An input that finds a fault is written to
``tests/fuzz/findings`` (made smaller first), and the exit status is 1.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from hashlib import sha1
from pathlib import Path
from random import Random

from tests.fuzz.corpus import corpus_of
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

FINDINGS = Path(__file__).parent / "findings"
_MOST_PARENTS = 2000
_MOST_FINDINGS = 5


def fuzz(target: Target, random: Random, seconds: float) -> tuple[int, int]:
    """Try inputs for some time; return how many, and how many found a fault."""
    parents = [*target.seeds(), *corpus_of(target.name)]
    end = time.monotonic() + seconds
    tried, seen = 0, set[str]()
    for octets in parents:
        tried += 1
        _try(target, octets, seen)
    while time.monotonic() < end and len(seen) < _MOST_FINDINGS:
        octets = target.mutate(random, parents)
        tried += 1
        if not _try(target, octets, seen) and random.random() < 0.02:
            if len(parents) < _MOST_PARENTS:
                parents.append(octets)
            else:
                parents[random.randrange(len(parents))] = octets
    return tried, len(seen)


def _try(target: Target, octets: bytes, seen: set[str]) -> bool:
    """Try an input; report a fault unless it is one that was seen already."""
    fault = _fault_of(target, octets)
    if fault is None:
        return False
    where = _place(fault)
    if where not in seen:
        seen.add(where)
        smaller = _shrink(target, octets, where)
        FINDINGS.mkdir(exist_ok=True)
        path = FINDINGS / f"{target.name}-{sha1(smaller).hexdigest()[:12]}"
        path.write_bytes(smaller)
        traceback.print_exception(fault)
        print(f"{target.name}: {len(smaller)} octets in {path}", file=sys.stderr)
    return True


def _fault_of(target: Target, octets: bytes) -> Exception | None:
    try:
        target.run(octets)
    except Exception as error:  # noqa: BLE001  any is a finding
        return error
    return None


def _place(fault: Exception) -> str:
    """Return what makes two faults the same: the exception, and the line that raised it."""
    frames = traceback.extract_tb(fault.__traceback__)
    return f"{type(fault).__name__} {frames[-1].filename}:{frames[-1].lineno}"


def _shrink(target: Target, octets: bytes, where: str) -> bytes:
    """Leave pieces out as long as the same fault is found, for half a minute at most."""
    end = time.monotonic() + 30
    size = max(len(octets) // 2, 1)
    while size and time.monotonic() < end:
        place = 0
        while place < len(octets) and time.monotonic() < end:
            shorter = octets[:place] + octets[place + size :]
            fault = _fault_of(target, shorter)
            if fault is not None and _place(fault) == where:
                octets = shorter
            else:
                place += size
        size //= 2
    return octets


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"all if none of {', '.join(TARGETS)} is named")
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--seed", type=int, help="makes the run repeatable, but for its length")
    parser.add_argument("--input", type=Path, help="try this one file, with the target named")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        parser.error(f"unknown target {unknown[0]!r}; known are {', '.join(TARGETS)}")
    if options.input is not None:
        TARGETS[names[0]]().run(options.input.read_bytes())
        return 0
    seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000
    found = 0
    for name in names:
        target = TARGETS[name]()
        tried, faults = fuzz(target, Random(seed), options.seconds / len(names))
        target.close()
        print(f"{name}: {tried:,} inputs, {faults} faults (seed {seed})", flush=True)
        found += faults
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
