"""What the gate says of two results."""

import pytest

from benchmarks.gate import print_comparison


def test_only_what_is_slower_than_the_tolerance_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = {"a": 12.0, "b": 11.0, "c": 8.0}

    slower = print_comparison(now, dict.fromkeys(now, 10.0), 0.15)

    _, a, b, c = capsys.readouterr().out.splitlines()
    assert 1 == slower
    assert a.endswith("+20%  SLOWER")
    assert b.endswith("+10%")
    assert c.endswith("-20%  faster")


def test_what_is_new_and_what_is_gone_is_said_and_not_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    slower = print_comparison({"new one": 1.0}, {"old one": 1.0}, 0.15)

    _, new, gone = capsys.readouterr().out.splitlines()
    assert 0 == slower
    assert new.startswith("new one") and new.endswith("new")  # noqa: PT018  one line
    assert gone.startswith("old one") and gone.endswith("gone")  # noqa: PT018  one line
