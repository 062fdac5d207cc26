"""The program of docs/examples that publishes rows writes each row that fails, however many do."""

import json
import runpy
from pathlib import Path

import pytest

from ammoo_fakebroker import FakeBroker

LOAD_ROWS = Path(__file__).parents[2] / "docs/examples/load_rows.py"


def test_each_row_is_in_the_file_when_all_fail(
    fakebroker: FakeBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AMQP_URL", fakebroker.url)
    monkeypatch.setenv("ROWS", "3000")
    monkeypatch.chdir(tmp_path)

    with fakebroker.faults.nack_publishes(routing_key="rows"):
        runpy.run_path(str(LOAD_ROWS), run_name="__main__")

    lines = (tmp_path / "failed.jsonl").read_text().splitlines()
    assert list(range(3000)) == [json.loads(line)["row"]["id"] for line in lines]
