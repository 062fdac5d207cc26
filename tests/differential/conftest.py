"""Which RabbitMQ the fake is compared with, how often, and the account of it at a run's end.

The comparison needs a real broker: unless one is named (``--rabbitmq``, or the variable
AMMOO_TEST_RABBITMQ) it is not collected. AMMOO_DIFFERENTIAL_PROGRAMS says how many programs are run
on each broker named, AMMOO_DIFFERENTIAL_SEED (a number, or ``random``) which.
"""

from pathlib import Path

import pytest

from tests.conftest import RABBITMQ_URLS

from .accounts import ACCOUNTS, Account
from .running import RabbitMQ, rabbitmq_at


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ACCOUNTS] = []


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    needs_rabbitmq = collection_path.name == "test_rabbitmq.py"
    return True if needs_rabbitmq and not config.stash[RABBITMQ_URLS] else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "rabbitmq" in metafunc.fixturenames:
        brokers = [rabbitmq_at(url) for url in metafunc.config.stash[RABBITMQ_URLS]]
        metafunc.parametrize("rabbitmq", brokers, ids=[broker.version for broker in brokers])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for account in config.stash.get(ACCOUNTS, []):
        terminalreporter.write_line(str(account))


@pytest.fixture
def account(request: pytest.FixtureRequest, rabbitmq: RabbitMQ) -> Account:
    """What will be told at the end of the run."""
    account = Account(rabbitmq.version)
    request.config.stash[ACCOUNTS].append(account)
    return account
