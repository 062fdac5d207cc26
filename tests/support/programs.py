"""Programs that a test runs beside itself."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["running_program"]

PATIENCE = 45.0
"""Seconds for the end of a program; pytest's own limit for a test is 60."""


@contextmanager
def running_program(*command: str | Path, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Run a program, and wait for its end at the end of the block.

    If the block fails, or the program does not end, it is killed: a block of Popen alone would wait
    for it without a limit, and hide the failure.

    Args:
        command: The program and its arguments.
        options: Those of `subprocess.Popen`.
    """
    process: subprocess.Popen[str]
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
            process.wait(PATIENCE)
        finally:
            process.kill()
