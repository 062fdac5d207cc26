"""Runs of a test suite on a real RabbitMQ: which tests can run, and how many could not."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

from .real_broker import RealBroker

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

__all__ = ["open_real_broker", "print_skips"]

_NEEDS: Final = "needs the fake: "
_NEEDS_RELEASE: Final = "needs RabbitMQ "
_HARMLESS: Final = ("seed", "history", "leaks")
"""Options of `FakeBroker` that a real broker may ignore."""

_numbers = itertools.count(1)


def open_real_broker(
    url: str,
    config: pytest.Config,
    options: Mapping[str, Any],
    *,
    skip: Callable[[str], NoReturn],
    fail: Callable[[str], NoReturn],
) -> RealBroker:
    """Return a real broker for a test; entering it creates its virtual host.

    Args:
        url: The AMQP URL.
        config: The configuration of pytest.
        options: The options for a fake broker; if a real one cannot have one, the test is skipped.
        skip: Skips the test.
        fail: Fails the test.
    """
    end = fail if config.getoption("fakebroker_no_skips") else skip

    def unavailable(what: str) -> NoReturn:
        end(f"{_NEEDS}{what}")

    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"fake-{worker}-{os.getpid()}-{next(_numbers)}"
    management_url = config.getoption("fakebroker_management_url")
    broker = RealBroker(url, management_url, name, unavailable)
    if management_url is None:
        broker.check_management()
    for option, value in options.items():
        if option == "compatibility":
            version = broker.version
            if not f"{version}.".startswith(f"{value}."):
                end(f"{_NEEDS_RELEASE}{value}, and this one is {version}")
        elif option not in _HARMLESS:
            unavailable(f"FakeBroker({option}=…)")
    return broker


def print_skips(terminalreporter: Any, url: str) -> None:
    """Print how many tests a real broker could not run, and why."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", ()):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if reason.startswith((_NEEDS, _NEEDS_RELEASE)):
            reasons[reason] += 1
    where = url.rpartition("@")[2]
    terminalreporter.section("fakebroker")
    tests = "1 test" if reasons.total() == 1 else f"{reasons.total()} tests"
    terminalreporter.line(f"on the real broker {where}; {tests} skipped that need the fake")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"  {count} x {reason}")
