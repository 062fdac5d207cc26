"""The mixin for tests of unittest, which need no pytest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from ..broker import FakeBroker
from .options import options_of_one_broker

if TYPE_CHECKING:
    import unittest

    _Base = unittest.TestCase
else:
    _Base = object

__all__ = ["FakeBrokerTestCase"]


class FakeBrokerTestCase(_Base):
    """A mixin for `unittest.TestCase`: each test has a new broker, which runs in a thread.

    It works with `unittest.IsolatedAsyncioTestCase`, too. Name it in front of the other base class::

        class OrdersTest(FakeBrokerTestCase, unittest.TestCase):
            fakebroker_options = {"compatibility": "4.0"}

            def test_order(self):
                service = Service(self.fakebroker.url)
                ...

    Attributes:
        fakebroker: The broker of the test that runs.
        fakebroker_options: The options of `FakeBroker` by their names; none by default.
            ``"clock": ManualClock`` gives each test a clock of its own.
    """

    fakebroker: FakeBroker
    fakebroker_options: ClassVar[Mapping[str, Any]] = {}

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test while its broker runs.

        Cleanups of the test check stub responders and functions of faults: an exception outside of
        the test would end the whole run, and hide the test's own failure. For the same reason, a
        broker that cannot be started is an error of the test's set-up.

        Args:
            result: The result to report to; None for a default one.
        """
        try:
            self.fakebroker = self._start_broker()
        except Exception as error:  # noqa: BLE001  raised again in the set-up of the test
            self.setUp = partial(_fail, error)  # type: ignore[method-assign]  # of this test only
            return super().run(result)
        self.addCleanup(self.fakebroker.check_responders)
        self.addCleanup(self.fakebroker.check_functions)
        try:
            return super().run(result)
        finally:
            self.fakebroker._stop_thread()

    def _start_broker(self) -> FakeBroker:
        return FakeBroker(**options_of_one_broker(self.fakebroker_options)).__enter__()


def _fail(error: Exception) -> NoReturn:
    raise error
