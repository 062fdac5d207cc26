"""What the site shows runs: each Python block, each file of docs/examples, and it prints what is shown.

A block that holds a test runs under pytest. All others are programs: they run here, with the URL of
a fake broker in place of the usual one. A block of text right behind a program is its output.
"""

import contextlib
import io
import json
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest

import ammoo_fakebroker
import ammoo_wire
from ammoo import exceptions
from ammoo_fakebroker import FakeBroker

DOCS = Path(__file__).parents[2] / "docs"
CAPTURES = Path(__file__).with_name("captures")
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
EXAMPLES = sorted(DOCS.glob("examples/**/*.py"))
BLOCK = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>\{?[\w-]*\}?)(?P<rest>[^\n]*)\n(?P<body>.*?)^(?P=indent)(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
USUAL_URL = "amqp://localhost/"
PARSERS = {"json": json.loads, "toml": tomllib.loads}
SHOWN_ONLY = {"text", "console", "yaml", "docker", "javascript", "ini", "sql"}
"""Outputs, commands and the files of other programs."""


class Block(NamedTuple):
    """A fenced block, with the output that is shown right behind it."""

    name: str
    language: str
    code: str
    output: str | None


def blocks() -> Iterator[Block]:
    """Yield the blocks of all pages; not Sphinx's directives."""
    for path in PAGES:
        text = path.read_text()
        found = [match for match in BLOCK.finditer(text) if not match["language"].startswith("{")]
        for number, (match, behind) in enumerate(zip_longest(found, found[1:]), 1):
            is_output = (
                behind is not None
                and behind["language"] == "text"
                and not text[match.end() : behind.start()].strip()
            )
            yield Block(
                name=f"{path.relative_to(DOCS)}:{number}",
                language=match["language"],
                code=unindented(match),
                output=unindented(behind) if behind is not None and is_output else None,
            )


def unindented(match: re.Match[str]) -> str:
    return re.sub(rf"^{match['indent']}", "", match["body"], flags=re.MULTILINE)


BLOCKS = list(blocks())
PYTHON = [block for block in BLOCKS if block.language == "python"]
PROGRAMS = [
    block
    for block in PYTHON
    if "def test_" not in block.code
    and "serve_forever" not in block.code  # tests of their own: test_wire_pages.py
]
TESTS = [block for block in PYTHON if "def test_" in block.code]


def run_program(path: Path) -> str:
    """Run a program in this process, and return what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(path), run_name="__main__")
    return printed.getvalue()


def run_tests(path: Path) -> subprocess.CompletedProcess[str]:
    """Run a file of tests as a project outside of this repository does."""
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    return subprocess.run(
        [sys.executable, *command, path.name],
        cwd=path.parent,
        capture_output=True,
        check=False,
        text=True,
        timeout=50,
    )


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: block.name)
def test_program_runs_and_prints_what_is_shown(
    block: Block, fakebroker: FakeBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(block.code.replace(USUAL_URL, fakebroker.url))
    monkeypatch.chdir(CAPTURES)

    printed = run_program(program)

    assert (block.output or printed) == printed


@pytest.mark.parametrize("block", TESTS, ids=lambda block: block.name)
def test_tests_pass(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "test_block.py"
    file.write_text(block.code)

    finished = run_tests(file)

    assert 0 == finished.returncode, finished.stdout + finished.stderr


@pytest.mark.parametrize(
    "path",
    [path for path in EXAMPLES if not path.name.startswith(("test_", "conftest", "service"))],
    ids=lambda path: path.name,
)
def test_example_runs(
    path: Path, fakebroker: FakeBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AMQP_URL", fakebroker.url)
    monkeypatch.setenv("ROWS", "2000")
    monkeypatch.chdir(tmp_path)

    assert run_program(path)


@pytest.mark.parametrize("language", PARSERS)
def test_settings_can_be_read(language: str) -> None:
    settings = [block.code for block in BLOCKS if block.language == language]

    assert [None] * len(settings) == [PARSERS[language](code) and None for code in settings]


def test_no_block_is_left_out() -> None:
    known = {"python", *PARSERS, *SHOWN_ONLY}

    assert [] == [block.name for block in BLOCKS if block.language not in known]


def test_each_example_stands_on_a_page() -> None:
    pages = "\n".join(path.read_text() for path in PAGES)

    assert [] == [path.name for path in EXAMPLES if path.name not in pages]


@pytest.mark.parametrize(
    ("page", "names"),
    [("wire", ammoo_wire.__all__), ("fakebroker", ammoo_fakebroker.__all__)],
    ids=["wire", "fakebroker"],
)
def test_reference_has_all_names(page: str, names: list[str]) -> None:
    text = (DOCS / f"reference/{page}.md").read_text()

    missing = [name for name in names if not re.search(rf"[:`] ?{name}\b", text)]

    assert ["__version__"] == missing


def test_table_of_exceptions_is_whole_and_right() -> None:
    table = (DOCS / "failures/exceptions.md").read_text()
    shown = re.findall(r"^\| \[?`(\w+)`(?:\]\([^)]*\))? \| (yes|no) \|", table, re.MULTILINE)

    assert sorted(
        (name, "yes" if getattr(exceptions, name).recoverable else "no")
        for name in exceptions.__all__
    ) == sorted(shown)
