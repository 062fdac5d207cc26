"""Puts what a benchmark has printed into a document, so that no figure there was typed by hand.

A section stands between two comments, `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`. What is
around them is written by people, what is between them by the command of that name.
"""

import datetime
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.calibration import Calibration

__all__ = ["ROOT", "TABLES", "provenance", "replace_section", "write_section"]

ROOT: Final = Path(__file__).parent.parent
TABLES: Final = ROOT / "benchmarks" / "README.md"
MEASURED: Final = ("packages", "benchmarks/*.py", "benchmarks/*.c", "benchmarks/clients")
"""What a figure depends on: changes in it that are not committed are told of."""


def replace_section(text: str, name: str, lines: list[str]) -> str:
    """Give a document with other lines in one of its sections.

    Raises:
        LookupError: It has no such section, or not just one.
    """
    first, last = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    if text.count(first) != 1 or text.count(last) != 1:
        raise LookupError(f"expected one section between {first} and {last}")
    before, _, rest = text.partition(first)
    _, _, after = rest.partition(last)
    content = "\n".join(lines)
    return f"{before}{first}\n\n{content}\n\n{last}{after}"


def write_section(
    name: str, lines: list[str], calibration: Calibration, document: Path = TABLES
) -> None:
    """Write lines into a document's section, if the machine was quiet while they were measured.

    Raises:
        LookupError: It has no such section, or not just one.
        SystemExit: The machine was not quiet.
    """
    calibration.require_quiet()
    text = document.read_text(encoding="utf-8")
    document.write_text(replace_section(text, name, lines), encoding="utf-8")


def provenance(name: str, arguments: list[str] | None, about: dict[str, str]) -> str:
    """Say where figures come from: the command, when, on what, and at which commit.

    Args:
        name: What Hatch knows the command by.
        arguments: What it was given, None for those of this process; nobody's password is shown.
        about: What was measured, and with what.
    """
    given = shlex.join(sys.argv[1:] if arguments is None else arguments)
    command = re.sub(r"://[^/@\s]*@", "://", f"hatch run bench:{name} {given}").rstrip()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    said = {"": python, **about}
    details = ", ".join(f"{name} {value}".strip() for name, value in said.items())
    return f"`{command}` on {_today()}, {commit()}: {details}."


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def commit() -> str:
    """Name the commit that is checked out, and say if something in it was changed."""
    try:
        hash_ = _git("rev-parse", "--short=10", "HEAD")
        changed = _git("status", "--porcelain", "--", *MEASURED)
    except (OSError, subprocess.CalledProcessError):
        return "outside a repository"
    return f"commit {hash_}" + (" with changes" if changed else "")


def _git(*arguments: str) -> str:
    finished = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return finished.stdout.strip()
