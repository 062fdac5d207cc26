"""What a test with the fixture costs, beside the same test at another commit.

    hatch run python -m benchmarks.fixture --beside 69ecd02

Each test connects with pika, declares a queue, publishes with a confirm and gets the message, with
everything on that is on by default. The ratio is that of the medians of many runs, which alternate.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

__all__ = ["main"]

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("ammoo-wire", "ammoo", "ammoo-fakebroker")

TEST: Final = """
import pika
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_order(fakebroker, number):
    with pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("orders")
        channel.basic_publish("", "orders", b"order")
        assert channel.basic_get("orders", auto_ack=True)[2] == b"order"
"""

TIMER: Final = """
import time
import pytest

spent = []

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol():
    started = time.process_time()
    result = yield
    spent.append(time.process_time() - started)
    return result

def pytest_unconfigure():
    spent.sort()
    print("spent", spent[len(spent) // 2])
"""


def check_out(commit: str, folder: Path) -> Path:
    """Write the packages of a commit to a folder."""
    archive = subprocess.run(
        ["git", "archive", commit, "packages"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder


def measure(tree: Path, folder: Path) -> float:
    """Run the tests with the packages of a tree; return the median CPU seconds of a test."""
    paths = [str(tree / "packages" / package / "src") for package in PACKAGES]
    arguments = ["-q", "-s", "-p", "no:cacheprovider", "-p", "ammoo_fakebroker.plugin"]
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, str(folder)],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
    )
    return float(finished.stdout.rpartition("spent ")[2].split()[0])


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print both medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--beside", default="69ecd02", metavar="COMMIT")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tests", type=int, default=200, help="in each run")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before, tests = folder / "before", folder / "tests"
        before.mkdir()
        tests.mkdir()
        check_out(options.beside, before)
        (tests / "test_order.py").write_text(TEST.format(tests=options.tests))
        (tests / "conftest.py").write_text(TIMER)
        taken: dict[Path, list[float]] = {before: [], ROOT: []}
        for _ in range(options.rounds):
            for tree, times in taken.items():
                times.append(measure(tree, tests))
    old, new = (min(times) * 1e3 for times in taken.values())
    middle = [statistics.median(times) * 1e3 for times in taken.values()]
    print(f"a test with the fixture, CPU ms: {options.beside} {old:.2f}, here {new:.2f}")
    print(
        f"ratio {new / old:.3f} (best of {options.rounds}); of the medians {middle[1] / middle[0]:.3f}"
    )
    print(f"measured at {time.strftime('%Y-%m-%d')}")


if __name__ == "__main__":
    main()
