"""The brokers of one test: started with its options, checked for leaks, stopped, and reported.

Only a test that has passed is checked for leaks; a leak is an error of its teardown. A leak therefore
never hides the test's own failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from ..broker import FakeBroker
from .leaks import find_leaks, kinds_of
from .options import options_of_one_broker
from .reports import describe_broker, write_transcript

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    import pytest

    from .real_broker import RealBroker
    from .test_case import FakeBrokerTestCase

__all__ = ["Brokers", "describe_in", "options_of_test_case", "session_broker"]

_End = Callable[[str], NoReturn]
"""Skips or fails a test, with a reason."""

_ADVICE: Final = (
    "If a fixture closes it, let that fixture request fakebroker, so that it ends first."
)


class Brokers:
    """The brokers that one test uses.

    Args:
        request: The request of the fixture.
        options: The options of `FakeBroker` for all tests.
        skip: Skips the test.
        fail: Fails the test.

    Raises:
        ValueError: The mark or the configuration asks for leaks of an unknown kind.
    """

    def __init__(
        self,
        request: pytest.FixtureRequest,
        options: Mapping[str, Any],
        *,
        skip: _End,
        fail: _End,
    ) -> None:
        self._test = request.node.nodeid
        self._skip = skip
        self._fail = fail
        self._config = request.config
        self._options = {**options, **_options_of_mark(request)}
        kinds = self._options.pop("leaks", None)
        if kinds is None:
            kinds = self._config.getini("fakebroker_leaks")
        self._leak_kinds = kinds_of(kinds)
        self._running = ExitStack()
        self._fakes: list[FakeBroker] = []
        self._in_loop: FakeBroker | None = None
        self._has_passed = False

    def make(self, **options: Any) -> FakeBroker:
        """Start a broker; on a real RabbitMQ, make a virtual host for it."""
        url = self._config.getoption("fakebroker_url")
        if url:
            return self._running.enter_context(self._real(url, options))  # type: ignore[return-value]  # it stands in
        broker = FakeBroker(**self._merged(options))
        self._running.enter_context(broker)
        self._fakes.append(broker)
        return broker

    async def start_in_loop(self) -> FakeBroker:
        """Start a broker in the running event loop."""
        if self._config.getoption("fakebroker_url"):
            return self.make()
        self._in_loop = broker = FakeBroker(**self._merged({}))
        await broker.__aenter__()
        self._fakes.append(broker)
        return broker

    def _merged(self, options: Mapping[str, Any]) -> dict[str, Any]:
        seed = self._config.getoption("fakebroker_seed")
        return options_of_one_broker({**self._options, **options}, seed)

    def _real(self, url: str, options: Mapping[str, Any]) -> RealBroker:
        from .real_runs import open_real_broker

        merged = {**self._options, **options}
        return open_real_broker(url, self._config, merged, skip=self._skip, fail=self._fail)

    # -- the end -------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        problems: list[str] = []
        try:
            problems += self._finish()
        finally:
            with _collecting(problems):
                self._running.close()
        self._fail_for(problems)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        problems: list[str] = []
        try:
            if self._in_loop is not None:
                await self._in_loop.settle()
            problems += self._finish()
        finally:
            with _collecting(problems):
                if self._in_loop is not None:
                    await self._in_loop.__aexit__(kind, error, traceback)
            with _collecting(problems):
                self._running.close()
        self._fail_for(problems)

    def _fail_for(self, problems: list[str]) -> None:
        if problems:
            self._fail("\n".join(problems))

    def _finish(self) -> list[str]:
        """Write the transcripts, and return the leaks of a test that has passed."""
        folder = self._config.getoption("fakebroker_transcript")
        if folder:
            for broker in self._fakes:
                write_transcript(Path(folder), self._test, broker)
        if not self._has_passed or not self._leak_kinds:
            return []
        return [
            leak
            for broker in self._fakes
            for leak in find_leaks(broker, self._leak_kinds, advice=_ADVICE)
        ]

    # -- reports -------------------------------------------------------------------------------

    def take_report(self, report: pytest.TestReport) -> None:
        """Record whether the test has passed; add a section about the brokers if it has failed.

        A failure in the set-up counts, too; at the teardown the brokers are already stopped.
        """
        if report.when == "call":
            self._has_passed = report.passed
        if report.failed and report.when != "teardown":
            for broker in self._fakes:
                describe_in(report, broker)


@contextmanager
def _collecting(problems: list[str]) -> Iterator[None]:
    """Add an assertion that fails at the end of a broker to the other problems of the test."""
    try:
        yield
    except AssertionError as error:
        problems.append(str(error))


def options_of_test_case(test_case: type[FakeBrokerTestCase]) -> dict[str, Any]:
    """Return the options of the mixin for unittest, its leaks among them."""
    options = dict(test_case.fakebroker_options)
    if test_case.fakebroker_leaks is not None:
        options["leaks"] = test_case.fakebroker_leaks
    return options


def _options_of_mark(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the options of all marks of a test; the closest mark takes precedence.

    Raises:
        TypeError: A mark has an option without a name.
    """
    options: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("fakebroker"))):
        if mark.args:
            raise TypeError(
                f"the mark fakebroker has {mark.args[0]!r}; expected options by their names, such"
                " as compatibility='4.0'"
            )
        options |= mark.kwargs
    return options


def describe_in(report: pytest.TestReport, broker: FakeBroker) -> None:
    """Add a section about a broker to the report of a test that has failed."""
    _add_section(report, _described(broker))


def _add_section(report: pytest.TestReport, text: str) -> None:
    """Add a section to the failure itself, which JUnit files have, too."""
    add = getattr(report.longrepr, "addsection", None)
    if add is None:
        report.sections.append(("fake broker", text))
    else:
        add("fake broker", text)


def _described(broker: FakeBroker) -> str:
    """Describe a broker; an error in this must not hide the failure of the test."""
    try:
        return describe_broker(broker)
    except Exception as error:  # noqa: BLE001  it is reported
        return f"{broker!r} could not be described: {error!r}"


@contextmanager
def session_broker(
    config: pytest.Config, options: Mapping[str, Any], *, skip: _End, fail: _End
) -> Iterator[FakeBroker]:
    """Run a broker for the whole session."""
    url = config.getoption("fakebroker_url")
    if url:
        from .real_runs import open_real_broker

        with open_real_broker(url, config, options, skip=skip, fail=fail) as real:
            yield real  # type: ignore[misc]  # it stands in for a fake one
    else:
        own = {name: value for name, value in options.items() if name != "leaks"}
        seed = config.getoption("fakebroker_seed")
        with FakeBroker(**options_of_one_broker(own, seed)) as broker:
            yield broker
