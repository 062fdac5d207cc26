"""Sections of a document that commands write."""

import re
import tomllib
from pathlib import Path

import pytest

from benchmarks.calibration import Calibration
from benchmarks.readme import ROOT, TABLES, provenance, replace_section, write_section

DOCUMENT = "before\n<!-- bench:x -->\nold\n<!-- /bench:x -->\nafter <!-- bench:y -->"


@pytest.fixture
def quiet() -> Calibration:
    """What a quiet machine shows."""
    calibration = Calibration()
    calibration.milliseconds += [50.0, 50.5, 50.2]
    return calibration


def test_section_is_replaced_and_nothing_around_it() -> None:
    expected = "before\n<!-- bench:x -->\n\nnew\nlines\n\n<!-- /bench:x -->\nafter <!-- bench:y -->"

    assert expected == replace_section(DOCUMENT, "x", ["new", "lines"])


@pytest.mark.parametrize("name", ["y", "z"])
def test_section_that_is_not_there_is_an_error(name: str) -> None:
    with pytest.raises(LookupError, match=f"<!-- bench:{name} -->"):
        replace_section(DOCUMENT, name, [])


def test_section_that_is_there_twice_is_an_error() -> None:
    with pytest.raises(LookupError, match="expected one section"):
        replace_section(DOCUMENT + DOCUMENT, "x", [])


def test_section_is_written_into_a_file(tmp_path: Path, quiet: Calibration) -> None:
    file = tmp_path / "README.md"
    file.write_text(DOCUMENT, encoding="utf-8")

    write_section("x", ["µs"], quiet, file)

    assert replace_section(DOCUMENT, "x", ["µs"]) == file.read_text(encoding="utf-8")


def test_nothing_is_written_when_the_machine_was_not_quiet(
    tmp_path: Path, quiet: Calibration
) -> None:
    file = tmp_path / "README.md"
    file.write_text(DOCUMENT, encoding="utf-8")
    quiet.milliseconds[:] = [50.0, 60.0, 61.0]

    with pytest.raises(SystemExit, match=r"nothing is written: .* 50 ms \+20% \(3 samples\)"):
        write_section("x", ["µs"], quiet, file)

    assert DOCUMENT == file.read_text(encoding="utf-8")


def test_one_disturbed_round_leaves_the_machine_quiet(quiet: Calibration) -> None:
    quiet.milliseconds[0] *= 3

    quiet.require_quiet()

    assert "50 ms +1% (3 samples)" == str(quiet)


def test_each_round_is_calibrated() -> None:
    calibration = Calibration()

    assert [0, 1, 2] == list(calibration.rounds(3))
    assert 3 == len(calibration.milliseconds)


@pytest.mark.parametrize(
    ("document", "name"),
    [
        *(
            (TABLES, name)
            for name in ["compare", "memory", "codec", "imports", "fakebroker", "growth", "profile"]
        ),
        (ROOT / "packages" / "ammoo-wire" / "README.md", "capture"),
    ],
    ids=lambda value: str(value).removeprefix(f"{ROOT}/"),
)
def test_section_of_each_command_is_where_it_will_be_looked_for(document: Path, name: str) -> None:
    """Else a command would find that out when it has measured for ten minutes."""
    replaced = replace_section(document.read_text(encoding="utf-8"), name, ["figures"])

    assert f"<!-- bench:{name} -->\n\nfigures\n\n<!-- /bench:{name} -->" in replaced


def test_each_command_is_in_the_table_of_commands() -> None:
    with (ROOT / "hatch.toml").open("rb") as file:
        scripts = tomllib.load(file)["envs"]["bench"]["scripts"]
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")

    assert set(scripts) == set(re.findall(r"^\| `hatch run bench:(\w+)", text, re.MULTILINE))


def test_provenance_names_the_command_and_nobody_s_password() -> None:
    said = provenance("compare", ["--url", "amqp://me:secret@host:1/v"], {"ammoo": "1.0"})

    assert said.startswith("`hatch run bench:compare --url amqp://host:1/v` on 20")
    assert said.endswith("ammoo 1.0.")
