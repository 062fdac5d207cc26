"""The mixin for unittest, run by pytest with the plugin, and its check for leaks without pytest."""

import subprocess
import sys
from pathlib import Path

import pytest

from ammoo_fakebroker import FakeBroker
from tests.broker.test_plugin_features import run

SUITE = """
import unittest
from ammoo_fakebroker import FakeBrokerTestCase

class Orders(FakeBrokerTestCase, unittest.TestCase):
    fakebroker_options = {"compatibility": "4.0"}

    def test_publish(self):
        with connect(self.fakebroker) as connection:
            channel = connection.channel()
            channel.queue_declare("orders")
            channel.basic_publish("", "orders", b"one")
        self.fakebroker.wait_for_messages("orders")
"""


def test_mixin_runs_on_the_real_broker_of_the_plugin(pytester: pytest.Pytester) -> None:
    test = """
    def test_fault(self):
        self.fakebroker.cut_connections()

class Old(FakeBrokerTestCase, unittest.IsolatedAsyncioTestCase):
    fakebroker_options = {"compatibility": "3.10"}

    async def test_nothing(self):
        pass
"""
    with FakeBroker(management_port=0, compatibility="4.0") as broker:
        options = ("--fakebroker-url", broker.url, "--fakebroker-management-url")
        result = run(pytester, SUITE + test, *options, broker.management_url)
        opened = len(broker.history(kind="connection_opened", user="guest"))
        left = broker.virtualhosts

    result.assert_outcomes(passed=1, skipped=2)
    assert "2 tests skipped that need the fake" in result.stdout.str()
    assert "1 x needs RabbitMQ 3.10, and this one is 4.0" in result.stdout.str()
    assert (1, ("/",)) == (opened, left)


def test_options_of_the_mixin_stand_between_those_of_the_fixture_and_the_mark(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        """
import unittest
from ammoo_fakebroker import FakeBrokerTestCase

@pytest.fixture(scope="session")
def fakebroker_options():
    return {"compatibility": "3.10", "seed": 7}

class Orders(FakeBrokerTestCase, unittest.TestCase):
    fakebroker_options = {"compatibility": "4.0"}

    def test_class(self):
        self.assertEqual("4.0.5", self.fakebroker._node.profile.version)
        self.assertEqual(7, self.fakebroker._seed)

    @pytest.mark.fakebroker(compatibility="4.3", clock=ManualClock)
    def test_mark(self):
        self.assertEqual("4.3.6", self.fakebroker._node.profile.version)
        self.fakebroker.advance(10)

class Other(FakeBrokerTestCase, unittest.TestCase):
    def test_fixture(self):
        self.assertEqual("3.10.8", self.fakebroker._node.profile.version)
""",
    )

    result.assert_outcomes(passed=3)


LEAKS = """
import unittest
from ammoo_fakebroker import FakeBrokerTestCase

class Orders(FakeBrokerTestCase, unittest.TestCase):
    def test_leak(self):
        type(self).connection = connect(self.fakebroker)

    def test_closed_at_the_end(self):
        connection = connect(self.fakebroker)
        self.addCleanup(connection.close)

    def test_failure(self):
        type(self).connection = connect(self.fakebroker)
        self.fail("its own failure")

    @pytest.mark.fakebroker(leaks=[])
    def test_mark(self):
        type(self).connection = connect(self.fakebroker)
"""


def test_leaks_of_the_configuration_fail_tests_with_the_mixin(pytester: pytest.Pytester) -> None:
    result = run(pytester, LEAKS, "-o", "fakebroker_leaks=connections")

    result.assert_outcomes(passed=3, failed=1, errors=1)
    assert "1 connection is still open: 'api'" in result.stdout.str()


def test_failing_test_with_the_mixin_shows_its_broker(
    pytester: pytest.Pytester, tmp_path: Path
) -> None:
    test = SUITE + '        self.fail("its own failure")\n'

    folder = tmp_path / "transcripts"

    result = run(pytester, test, "--fakebroker-transcript", str(folder))

    result.assert_outcomes(failed=1)
    assert "message 1 routed to 'orders'" in result.stdout.str()
    assert 1 == len(list(folder.glob("*_Orders_test_publish-*.txt")))


def test_wrong_option_of_the_mixin_is_an_error_of_the_set_up(pytester: pytest.Pytester) -> None:
    test = SUITE.replace('"compatibility"', '"compatiblity"')

    result = run(pytester, test)

    result.assert_outcomes(errors=1)
    assert "did you mean 'compatibility'?" in result.stdout.str()


def test_mixin_works_without_the_plugin(pytester: pytest.Pytester) -> None:
    result = run(pytester, SUITE, "-p", "no:ammoo_fakebroker")

    result.assert_outcomes(passed=1)


def run_unittest(program: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True, timeout=60
    )
    return finished.stderr


PLAIN = """
import pika, unittest
from ammoo_fakebroker import FakeBrokerTestCase

class Orders(FakeBrokerTestCase, unittest.TestCase):
    fakebroker_leaks = {kinds!r}

    def connect(self):
        return pika.BlockingConnection(pika.URLParameters(self.fakebroker.url))

    def test_1_leak(self):
        type(self).client = self.connect()

    def test_2_no_leak(self):
        self.addCleanup(self.connect().close)

    def test_3_failure(self):
        type(self).client = self.connect()
        self.fail("its own failure")

    @unittest.expectedFailure
    def test_4_expected_failure(self):
        type(self).client = self.connect()
        self.fail("a bug that is known")

unittest.main()
"""


def test_plain_unittest_fails_for_leaks_of_the_class() -> None:
    text = run_unittest(PLAIN.format(kinds=["connections"]))

    assert "FAILED (failures=2, expected failures=1)" in text
    assert "0 channels). Close it in the test, in tearDown or by addCleanup." in text
    assert 1 == text.count("AssertionError: 1 connection")
    assert "FAIL: test_1_leak" in text


def test_plain_unittest_has_no_check_for_leaks_by_default() -> None:
    assert "FAILED (failures=1, expected failures=1)" in run_unittest(PLAIN.format(kinds=None))


def test_unknown_kind_of_leaks_is_an_error_of_the_tests() -> None:
    text = run_unittest(PLAIN.format(kinds="conections"))

    assert "FAILED (errors=4)" in text
    assert "fakebroker_leaks has 'conections'; did you mean 'connections'?" in text
