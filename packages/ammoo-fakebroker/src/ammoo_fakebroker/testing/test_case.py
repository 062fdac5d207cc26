"""The mixin for tests of unittest, which need no pytest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ..broker import FakeBroker

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
    """

    fakebroker: FakeBroker
    fakebroker_options: ClassVar[Mapping[str, Any]] = {}

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test while its broker runs.

        Cleanups of the test check stub responders and functions of faults: an exception outside of
        the test would end the whole run, and hide the test's own failure.

        Args:
            result: The result to report to; None for a default one.
        """
        self.fakebroker = FakeBroker(**self.fakebroker_options).__enter__()
        self.addCleanup(self.fakebroker.check_responders)
        self.addCleanup(self.fakebroker.check_functions)
        try:
            return super().run(result)
        finally:
            self.fakebroker._stop_thread()
