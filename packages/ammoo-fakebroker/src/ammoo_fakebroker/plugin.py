"""The pytest plugin: fake brokers as fixtures, and reports about them for failing tests.

Every pytest run of an environment with this package loads the plugin, so it imports nothing but
pytest. It has the options, the hooks and the fixtures; their code is in `testing/`, which is imported
when a test uses a fixture. The brokers run in threads, for blocking and for asynchronous tests.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from .broker import FakeBroker
    from .testing.brokers import Brokers

__all__ = [
    "fakebroker",
    "fakebroker_env",
    "fakebroker_options",
    "fakebroker_session",
    "make_fakebroker",
]

_Factory = Callable[..., "FakeBroker"]

_BROKERS: pytest.StashKey[list[Brokers]] = pytest.StashKey()
_SESSION_BROKER: pytest.StashKey[FakeBroker | None] = pytest.StashKey()
_ENVIRONMENT = ["AMQP_URL", "RABBITMQ_URL", "CELERY_BROKER_URL"]


# -- options and hooks -------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the command line and of the configuration file."""
    group = parser.getgroup("fakebroker", "fake brokers (ammoo-fakebroker)")
    group.addoption(
        "--fakebroker-url",
        metavar="URL",
        help="run the tests on a real RabbitMQ, with a virtual host for each (amqp://…)",
    )
    group.addoption(
        "--fakebroker-management-url",
        metavar="URL",
        help="its management API; by default http://HOST:15672 with the same user",
    )
    group.addoption(
        "--fakebroker-no-skips",
        action="store_true",
        help="fail tests that need the fake broker, instead of skipping them",
    )
    group.addoption(
        "--fakebroker-transcript",
        metavar="DIR",
        help="write what happened in each fake broker to files in this folder",
    )
    group.addoption(
        "--fakebroker-seed",
        type=int,
        metavar="NUMBER",
        help="the seed of the random numbers of faults, for all fake brokers (default: 0)",
    )
    parser.addini(
        "fakebroker_leaks",
        "the kinds of leaks that fail a test, some of: connections, channels, unacknowledged,"
        " unroutable, unused_faults (default: none)",
        type="args",
        default=[],
    )
    parser.addini(
        "fakebroker_env",
        "the environment variables that the fixture fakebroker_env sets to the broker's URL"
        f" (default: {' '.join(_ENVIRONMENT)})",
        type="args",
        default=_ENVIRONMENT,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and the fixture of brokers in the test's own event loop.

    Raises:
        UsageError: The URL of the real broker is no AMQP URL.
    """
    url = config.getoption("fakebroker_url")
    if url and not url.startswith(("amqp://", "amqps://")):
        raise pytest.UsageError(
            f"--fakebroker-url is {url.rpartition('@')[2]!r}; expected an AMQP URL, such as"
            " amqp://guest:guest@127.0.0.1:5672"
        )
    config.addinivalue_line(
        "markers",
        "fakebroker(leaks=…, **options): options of FakeBroker for the fixtures of this test, such"
        " as compatibility='3.10', seed=1 or clock=ManualClock (a clock for each broker); leaks are"
        " the kinds of leaks that fail the test, as in the configuration option fakebroker_leaks",
    )
    has_plugin = any(map(config.pluginmanager.hasplugin, ("asyncio", "anyio")))
    config.pluginmanager.register(_InLoop() if has_plugin else _InNoLoop())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests with the mixin for unittest use a fixture, which makes their broker."""
    module = sys.modules.get("ammoo_fakebroker.testing.test_case")
    if module is None:  # no test has imported the mixin
        return
    for item in items:
        test_case = getattr(item, "cls", None)
        if isinstance(test_case, type) and issubclass(test_case, module.FakeBrokerTestCase):
            names = getattr(item, "fixturenames", [])
            if module.FIXTURE not in names:
                names.append(module.FIXTURE)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add a section about the brokers of a failing test to its report."""
    report = yield
    for brokers in item.stash.get(_BROKERS, ()):
        brokers.take_report(report)
    if report.failed and "fakebroker_session" in getattr(item, "fixturenames", ()):
        _describe_session_broker(item.config, report)
    return report


def _describe_session_broker(config: pytest.Config, report: pytest.TestReport) -> None:
    broker = config.stash.get(_SESSION_BROKER, None)
    if broker is not None:
        from .testing.brokers import describe_in

        describe_in(report, broker)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print how many tests were skipped because a real broker cannot do what they need."""
    if config.getoption("fakebroker_url", None):
        from .testing.real_runs import print_skips

        print_skips(terminalreporter, config.getoption("fakebroker_url"))


def _skip(reason: str) -> NoReturn:
    pytest.skip(reason)


def _fail(reason: str) -> NoReturn:
    pytest.fail(reason, pytrace=False)


def _brokers(request: pytest.FixtureRequest, options: dict[str, Any]) -> Brokers:
    """Return the object that starts a test's brokers; the test's report will describe them."""
    from .testing.brokers import Brokers

    brokers = Brokers(request, options, skip=_skip, fail=_fail)
    request.node.stash.setdefault(_BROKERS, []).append(brokers)
    return brokers


# -- fixtures ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def fakebroker_options() -> dict[str, Any]:
    """Return the options of `FakeBroker` that all fixtures use; override it to change them.

    The override must have the scope ``session``, because ``fakebroker_session`` uses it, too::

        @pytest.fixture(scope="session")
        def fakebroker_options():
            return {"compatibility": "4.0"}
    """
    return {}


@pytest.fixture
def make_fakebroker(
    request: pytest.FixtureRequest, fakebroker_options: dict[str, Any]
) -> Iterator[_Factory]:
    """Return a function that starts a fake broker; it has the options of `FakeBroker`.

    All brokers are stopped when the test ends.

    Example::

        def test_failover(make_fakebroker):
            first, second = make_fakebroker(), make_fakebroker(compatibility="4.0")
    """
    with _brokers(request, fakebroker_options) as brokers:
        yield brokers.make


@pytest.fixture
def fakebroker(make_fakebroker: _Factory) -> FakeBroker:
    """A new fake broker for this test, running in a thread; clients connect to its ``url``.

    Example::

        def test_order(fakebroker):
            with pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection:
                ...
    """
    return make_fakebroker()


@pytest.fixture
def _fakebroker_of_test_case(
    request: pytest.FixtureRequest, fakebroker_options: dict[str, Any]
) -> Iterator[FakeBroker]:
    """The broker of a test with the mixin `FakeBrokerTestCase`."""
    from .testing.brokers import options_of_test_case

    assert request.cls is not None
    options = {**fakebroker_options, **options_of_test_case(request.cls)}
    with _brokers(request, options) as brokers:
        yield brokers.make()


@pytest.fixture(scope="session")
def fakebroker_session(
    request: pytest.FixtureRequest, fakebroker_options: dict[str, Any]
) -> Iterator[FakeBroker]:
    """A fake broker that runs for the whole session; under xdist, one for each worker.

    What a test leaves in it stays for the next test, unless `FakeBroker.restore` removes it.
    """
    from .testing.brokers import session_broker

    config = request.config
    with session_broker(config, fakebroker_options, skip=_skip, fail=_fail) as broker:
        if not config.getoption("fakebroker_url"):
            config.stash[_SESSION_BROKER] = broker
        yield broker
        config.stash[_SESSION_BROKER] = None


@pytest.fixture
def fakebroker_env(
    fakebroker: FakeBroker, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> FakeBroker:
    """The fake broker of this test; environment variables such as ``AMQP_URL`` are its URL.

    They are ``AMQP_URL``, ``RABBITMQ_URL`` and ``CELERY_BROKER_URL``, or those that the configuration
    option ``fakebroker_env`` names.
    """
    for name in pytestconfig.getini("fakebroker_env"):
        monkeypatch.setenv(name, fakebroker.url)
    return fakebroker


class _InLoop:
    """The fixture for tests of pytest-asyncio and anyio."""

    async def _fakebroker_inloop(
        self, request: pytest.FixtureRequest, fakebroker_options: dict[str, Any]
    ) -> AsyncIterator[FakeBroker]:
        """A new fake broker for this test, in the event loop that the test runs in."""
        async with _brokers(request, fakebroker_options) as brokers:
            yield await brokers.start_in_loop()

    # pytest-asyncio recognises its fixtures by this attribute, so this module need not import it.
    _fakebroker_inloop._force_asyncio_fixture = True  # type: ignore[attr-defined]  # its own mark
    fakebroker_inloop = pytest.fixture(name="fakebroker_inloop")(_fakebroker_inloop)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Let pytest-asyncio run the fixture in the loop of the test, whatever its scope is."""
        if "fakebroker_inloop" in getattr(item, "fixturenames", ()):
            from .testing.loop_scopes import loop_scope_of

            function: Any = _InLoop._fakebroker_inloop
            function._loop_scope = loop_scope_of(item)


class _InNoLoop:
    """The same fixture where no plugin runs tests in an event loop."""

    @pytest.fixture
    def fakebroker_inloop(self) -> FakeBroker:
        """A new fake broker for this test, in the event loop that the test runs in."""
        pytest.skip("fakebroker_inloop needs pytest-asyncio or anyio, which runs tests in a loop")
