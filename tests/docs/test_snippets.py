"""Every Python snippet in the READMEs runs: as a program, or as a test file if it holds a test.

So does the fake broker's command, and it prints what its README says.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from ammoo_fakebroker import FakeBroker
from tests.support.programs import running_program

ROOT = Path(__file__).parents[2]
CAPTURES = Path(__file__).with_name("captures")
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n\$ (?P<command>.*)\n(?P<output>.*\n)```$", re.MULTILINE)
PORT = re.compile(r":[1-9]\d*/")


class Snippet(NamedTuple):
    """A fenced block of Python."""

    name: str
    code: str


def snippets() -> list[Snippet]:
    """Collect the snippets of all READMEs, save those that run until they are interrupted."""
    found = []
    for path in sorted((ROOT / "README.md", *ROOT.glob("packages/*/README.md"))):
        for number, code in enumerate(FENCED.findall(path.read_text()), 1):
            if "serve_forever" not in code:  # tests of its own: test_wire_pages.py
                found.append(Snippet(f"{path.relative_to(ROOT)}:{number}", code))
    return found


@pytest.mark.parametrize("snippet", snippets(), ids=lambda snippet: snippet.name)
def test_snippet_runs_as_it_stands(
    snippet: Snippet, fakebroker: FakeBroker, tmp_path: Path
) -> None:
    """Only the URL is replaced: nothing listens on the usual port."""
    code = snippet.code.replace("amqp://localhost/", fakebroker.url)
    file = tmp_path / "test_snippet.py"
    file.write_text(code)
    is_test = "def test_" in code
    pytest_alone = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    command = [*pytest_alone, file] if is_test else [file]

    finished = subprocess.run(
        [sys.executable, *command],
        cwd=CAPTURES,
        capture_output=True,
        check=False,
        text=True,
        timeout=50,
    )

    assert 0 == finished.returncode, finished.stdout + finished.stderr


def test_command_prints_what_the_readme_shows() -> None:
    readme = (ROOT / "packages/ammoo-fakebroker/README.md").read_text()
    (shown,) = CONSOLE.finditer(readme)
    program, *arguments = shlex.split(shown["command"])
    assert "ammoo-fakebroker" == program

    command = [sys.executable, "-m", "ammoo_fakebroker", *arguments]
    with running_program(*command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()

    assert PORT.sub(":PORT/", shown["output"]) == PORT.sub(":PORT/", line)
