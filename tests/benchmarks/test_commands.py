"""Every benchmark runs to its end, on the fake broker and with next to nothing to do.

What they find on that scale means nothing, and nothing is asserted of it but that it is there.
"""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ammoo_fakebroker import FakeBroker
from benchmarks.workloads import WORKLOADS

pytestmark = pytest.mark.timeout(300)  # a dozen processes one after the other; none may hang
ROOT = Path(__file__).parents[2]
CLIENTS: dict[str, set[str]] = {
    "ammoo": set(),
    "aio-pika": {"publish_nowait"},
    "pika-asyncio": {"publish_nowait"},
    # It waits for each confirm by itself.
    "pika-blocking": {
        "publish_nowait",
        "publish_confirm_gathered",
        "publish_properties_gathered",
    },
}
"""The clients that the tests' environment has, and the workloads that each does not have."""


def run(module: str, *arguments: str) -> str:
    """Run a benchmark as its users do, warnings being errors; give what it prints."""
    command = [sys.executable, "-W", "error", "-m", f"benchmarks.{module}", *arguments]
    finished = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert 0 == finished.returncode, finished.stderr
    return finished.stdout


def compare(fakebroker: FakeBroker, file: Path, client: str, *arguments: str) -> dict[str, Any]:
    """Compare a client with itself; give all figures."""
    tiny = ("--url", fakebroker.url, "--rounds", "1", "--scale", "0.001")
    run("compare", *tiny, "--clients", client, "--json", str(file), *arguments)
    written: dict[str, Any] = json.loads(file.read_text())
    return written


@pytest.mark.parametrize("client", CLIENTS)
def test_client_does_all_workloads_that_it_has(
    fakebroker: FakeBroker, tmp_path: Path, client: str
) -> None:
    results = compare(fakebroker, tmp_path / "results.json", client)["results"]

    done = {name for name, clients in results.items() if clients[client][0] is not None}
    assert {workload.name for workload in WORKLOADS} - CLIENTS[client] == done


def test_comparison_leaves_no_queues_behind(fakebroker: FakeBroker, tmp_path: Path) -> None:
    compare(fakebroker, tmp_path / "results.json", "ammoo", "--workloads", "publish_fire", "rpc")

    assert {} == fakebroker.queues()


def test_comparison_names_the_versions_that_it_measured(
    fakebroker: FakeBroker, tmp_path: Path
) -> None:
    file = tmp_path / "results.json"

    about = compare(fakebroker, file, "aio-pika", "--workloads", "publish_fire")["about"]

    assert importlib.metadata.version("aio-pika") == about["aio-pika"]
    assert about["server"].startswith("RabbitMQ ")


def test_chart_is_drawn_of_what_a_comparison_has_written(
    fakebroker: FakeBroker, tmp_path: Path
) -> None:
    results, chart = tmp_path / "results.json", tmp_path / "chart.svg"
    compare(fakebroker, results, "ammoo", "--workloads", "consume_ack")

    run("chart", str(results), str(chart))

    assert ">ammoo</text>" in chart.read_text()


def test_memory_of_a_client_is_measured(fakebroker: FakeBroker) -> None:
    tiny = ("--url", fakebroker.url, "--scale", "0.0001")

    printed = run("memory", *tiny, "--clients", "ammoo")

    assert "| ammoo | " in printed


@pytest.mark.parametrize("workload", ["consume_ack", "rpc"])
def test_profile_says_who_spends_the_time(fakebroker: FakeBroker, workload: str) -> None:
    printed = run("profile", workload, "--url", fakebroker.url, "--scale", "0.01")

    assert "| ammoo_wire | " in printed
    assert "| calls of the kernel | " in printed


def test_profile_of_all_workloads_is_one_table(fakebroker: FakeBroker) -> None:
    printed = run("profile", "--url", fakebroker.url, "--scale", "0.001")

    assert "| who spends the time | µs | calls of the kernel | " in printed
    assert "| RPC, direct reply-to | " in printed


def test_fake_broker_is_measured() -> None:
    tiny = ("--rounds", "1", "--scale", "0.001", "--starts", "3")

    printed = run("fakebroker", "--clients", "ammoo", "--workloads", "consume_ack", *tiny)

    assert "| consume, ack each | " in printed
    assert "| in a thread | " in printed


def test_publisher_is_measured_beside_gathered_publishes() -> None:
    printed = run("publisher", "--rounds", "1", "--count", "512")

    assert "| gathered publishes | " in printed
    assert "| publisher, publish_many | " in printed


def test_growth_is_measured() -> None:
    printed = run("growth", "--rounds", "1", "--largest", "100")

    assert "| broker: queue depth, ns | 1: " in printed


@pytest.mark.parametrize("module", ["codec", "imports"])
def test_what_needs_no_broker_is_measured(module: str) -> None:
    printed = run(module, "--rounds", "1")

    assert "| pamqp" in printed


def test_reading_a_capture_is_measured() -> None:
    printed = run("capture", "--rounds", "1", "--frames", "2000")

    assert "| ammoo_wire FrameReader | " in printed
    assert "| pamqp, frames decoded | " in printed


def test_gate_compares_with_what_it_has_stored(tmp_path: Path) -> None:
    stored = str(tmp_path / "gate.json")
    arguments = ("--rounds", "1", "--stored", stored)

    first = run("gate", *arguments, "--update")
    second = run("gate", *arguments)

    assert f"in {stored}" in first
    assert "wire: encode basic.ack" in second
    assert "got slower by more than 15%" in second


def test_floods_come_to_an_end(fakebroker: FakeBroker) -> None:
    table = run("floods", "--url", fakebroker.url, "--scale", "0.01").splitlines()

    assert 2 + 4 == len(table)
    assert table[2].startswith("| 300,000 messages, unread for 8 s |")


def test_attacks_come_to_an_end() -> None:
    table = run("attacks", "--scale", "0.02").splitlines()

    assert 2 + 8 == len(table)
    assert table[2].startswith("| none |")
