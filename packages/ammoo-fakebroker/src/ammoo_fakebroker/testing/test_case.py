"""The mixin for tests of unittest.

It needs no pytest. If pytest runs the tests, the plugin makes the broker, so that its options, marks,
checks and reports hold for these tests as well; the mixin then only takes the broker of its test.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from ..broker import FakeBroker
from .leaks import find_leaks, kinds_of
from .options import options_of_one_broker

if TYPE_CHECKING:
    import unittest

    _Base = unittest.TestCase
else:
    _Base = object

__all__ = ["FIXTURE", "FakeBrokerTestCase"]

FIXTURE: Final = "_fakebroker_of_test_case"
"""The name of the plugin's fixture for these tests."""

_ADVICE: Final = "Close it in the test, in tearDown or by addCleanup."


class FakeBrokerTestCase(_Base):
    """A mixin for `unittest.TestCase`: each test has a new broker, which runs in a thread.

    It works with `unittest.IsolatedAsyncioTestCase`, too. Name it in front of the other base class::

        class OrdersTest(FakeBrokerTestCase, unittest.TestCase):
            fakebroker_options = {"compatibility": "4.0"}
            fakebroker_leaks = ["connections"]

            def test_order(self):
                service = Service(self.fakebroker.url)
                ...

    Under pytest, the plugin makes the broker, as it does for its fixture ``fakebroker``: the options
    of the command line and the configuration file, the fixture ``fakebroker_options`` and the mark
    ``fakebroker`` hold, and a failing test shows what happened in the broker.

    Attributes:
        fakebroker: The broker of the test that runs.
        fakebroker_options: The options of `FakeBroker` by their names; none by default.
            ``"clock": ManualClock`` gives each test a clock of its own.
        fakebroker_leaks: The kinds of leaks that fail a test, as in the mark ``fakebroker``. By
            default None: under pytest, those of the configuration option ``fakebroker_leaks``;
            otherwise none.
    """

    fakebroker: FakeBroker
    fakebroker_options: ClassVar[Mapping[str, Any]] = {}
    fakebroker_leaks: ClassVar[Collection[str] | str | None] = None

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test while its broker runs.

        Cleanups of the test check stub responders, functions of faults and leaks: an exception
        outside of the test would end the whole run, and hide the test's own failure. For the same
        reason, a broker that cannot be started is an error of the test's set-up.

        Args:
            result: The result to report to; None for a default one.
        """
        broker = _broker_of_plugin(result)
        if broker is not None:
            self.fakebroker = broker
            return super().run(result)
        try:
            leak_kinds = kinds_of(self.fakebroker_leaks or ())
            self.fakebroker = self._start_broker()
        except Exception as error:  # noqa: BLE001  raised again in the set-up of the test
            vars(self)["setUp"] = partial(_fail, error)  # of this test only
            return super().run(result)
        self.addCleanup(self._check_leaks, leak_kinds, result, _count_problems(result))
        self.addCleanup(self.fakebroker.check_responders)
        self.addCleanup(self.fakebroker.check_functions)
        try:
            return super().run(result)
        finally:
            self.fakebroker._stop_thread()

    def _start_broker(self) -> FakeBroker:
        return FakeBroker(**options_of_one_broker(self.fakebroker_options)).__enter__()

    def _check_leaks(
        self, kinds: Collection[str], result: unittest.TestResult | None, problems: int
    ) -> None:
        """Fail the test for what it has left in the broker, unless it has failed or was skipped.

        A failure that is expected (`unittest.expectedFailure`) counts as one, although unittest adds
        it to the result after the cleanups.

        Args:
            kinds: The kinds of leaks.
            result: The result that the test reports to.
            problems: How many problems the result had before the test.
        """
        outcome = getattr(self, "_outcome", None)
        has_failed = getattr(outcome, "expectedFailure", None) is not None
        if kinds and not has_failed and _count_problems(result) == problems:
            leaks = find_leaks(self.fakebroker, kinds, advice=_ADVICE)
            if leaks:
                raise AssertionError("\n".join(leaks))


def _count_problems(result: unittest.TestResult | None) -> int:
    """Return how many tests of a result have failed or were skipped; 0 if that is not known."""
    return sum(len(getattr(result, name, ())) for name in ("errors", "failures", "skipped"))


def _broker_of_plugin(result: object) -> FakeBroker | None:
    """Return the broker that the plugin has made for the test of a result; None without the plugin.

    pytest runs a test with its own object of the test as the result.
    """
    values: Mapping[str, FakeBroker] = getattr(result, "funcargs", None) or {}
    return values.get(FIXTURE)


def _fail(error: Exception) -> NoReturn:
    raise error
