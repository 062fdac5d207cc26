"""What holds for every test: the options, and that a test leaves nothing behind.

It knows pytest and `tests.support`; what one suite needs beside stands in that suite's conftest.
"""

import gc
import os
from collections.abc import Iterator

import hypothesis
import pytest

pytest.register_assert_rewrite("tests.support")

from tests.support.hygiene import Hygiene

pytest_plugins = ["pytester"]

# Programs of users, which have an environment of their own: see .ci/downstream.
collect_ignore = ["downstream"]

# How long one example takes says nothing on a machine that others use too; pytest-timeout stops
# what hangs. Every run has other examples, so each may have few. CI has the same ones each time, as
# is Hypothesis' own way there: what passed for a commit passes again.
hypothesis.settings.register_profile(
    "ammoo", deadline=None, max_examples=30, derandomize="CI" in os.environ
)
hypothesis.settings.load_profile("ammoo")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ammoo")
    group.addoption(
        "--rabbitmq",
        action="append",
        default=[],
        metavar="URL",
        help="run what is stated for all brokers on this RabbitMQ too; may be repeated"
        " (or AMMOO_TEST_RABBITMQ=URL,URL)",
    )


def pytest_configure(config: pytest.Config) -> None:
    from_environment = os.environ.get("AMMOO_TEST_RABBITMQ", "").split(",")
    config.stash[RABBITMQ_URLS] = [
        url.strip() for url in [*config.getoption("--rabbitmq"), *from_environment] if url.strip()
    ]


RABBITMQ_URLS = pytest.StashKey[list[str]]()


def pytest_collection_finish() -> None:
    _collect_garbage()


def _collect_garbage() -> None:
    """Collect what is unreachable, and take what is not out of the collector's sight.

    Every test ends with this; over all that lives in a whole run each collection took 50 ms, and
    9 ms over what has come to live since the run began.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _hygiene() -> Iterator[None]:
    """Fail the test in which a task or a socket leaked, or an event loop met an exception."""
    with Hygiene() as hygiene:
        yield
        # Whatever is unreachable now complains now (a ResourceWarning is an error by our
        # settings), so that pytest counts it against this test and not against a later one.
        _collect_garbage()
    assert not hygiene.complaints, "\n".join(hygiene.complaints)
