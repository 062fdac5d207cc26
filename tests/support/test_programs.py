"""A program that a test runs ends with its block, whatever becomes of the test."""

import signal
import subprocess
import sys

import pytest

from tests.support import management_api, peer, programs
from tests.support.programs import running_program

NEVER_ENDS = [sys.executable, "-c", "import signal; signal.pause()"]


def test_program_is_killed_when_its_block_fails() -> None:
    with pytest.raises(LookupError), running_program(*NEVER_ENDS) as process:
        raise LookupError

    assert -signal.SIGKILL == process.returncode


def test_program_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "PATIENCE", 0.01)

    with pytest.raises(subprocess.TimeoutExpired), running_program(*NEVER_ENDS) as process:
        pass

    assert -signal.SIGKILL == process.returncode


def test_program_may_end_in_its_own_way() -> None:
    with running_program(sys.executable, "-c", "raise SystemExit(3)") as process:
        pass

    assert 3 == process.returncode


@pytest.mark.parametrize(
    "seconds", [management_api.PATIENCE, peer.DEFAULT_SECONDS, programs.PATIENCE]
)
def test_waits_end_before_pytest_ends_the_test(seconds: float, pytestconfig: pytest.Config) -> None:
    """Only then does the failure say what was waited for."""
    assert seconds < float(pytestconfig.getini("timeout"))
