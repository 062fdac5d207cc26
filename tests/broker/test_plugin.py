"""The pytest plugin, in pytest runs of its own."""

import pytest

TALK = """
import socket

def talk(broker):
    with socket.create_connection((broker.host, broker.port), timeout=10) as client:
        client.sendall(b"AMQP\\x00\\x00\\x09\\x01")
        return client.recv(65536)
"""

TALK_ASYNC = """
import asyncio

async def talk_async(broker):
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    writer.write(b"AMQP\\x00\\x00\\x09\\x01")
    answer = await reader.read(65536)
    writer.close()
    await writer.wait_closed()
    return answer
"""


WITHOUT_ASYNCIO = ("-p", "no:asyncio")


def run(
    pytester: pytest.Pytester,
    test: str,
    *arguments: str,
    plugins: tuple[str, ...] = WITHOUT_ASYNCIO,
) -> pytest.RunResult:
    pytester.makepyfile(TALK + test)
    # Without Hypothesis' plugin, which is not asked for anything and takes a second to import.
    return pytester.runpytest_subprocess(
        "-W", "error", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *plugins, *arguments
    )


def test_fixture_is_fresh_for_each_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
seen = set()

def test_one(fakebroker):
    assert b"RabbitMQ" in talk(fakebroker)
    assert fakebroker.virtualhosts == ("/",)
    fakebroker.add_virtualhost("mine")
    seen.add(fakebroker)

def test_other(fakebroker):
    assert fakebroker.virtualhosts == ("/",)
    assert fakebroker not in seen
""",
    )

    result.assert_outcomes(passed=2)


def test_fixture_needs_no_asyncio_plugin(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import unittest
import pytest

def test_plain(fakebroker):
    assert talk(fakebroker)

class TestOld(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def take(self, fakebroker):
        self.broker = fakebroker

    def test_old(self):
        assert talk(self.broker)
""",
    )

    result.assert_outcomes(passed=2)


def test_fixture_serves_asyncio_tests(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import asyncio
import pytest

@pytest.mark.asyncio
async def test_async(fakebroker):
    reader, writer = await asyncio.open_connection(fakebroker.host, fakebroker.port)
    writer.write(b"AMQP\\x00\\x00\\x09\\x01")
    assert await reader.read(10)
    writer.close()
    await writer.wait_closed()
""",
        "-o",
        "asyncio_default_fixture_loop_scope=function",
        plugins=(),
    )

    result.assert_outcomes(passed=1)


def test_options_and_further_brokers(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import pytest

@pytest.fixture(scope="session")
def fakebroker_options():
    return {"compatibility": "3.10"}

def test_options(fakebroker, make_fakebroker, fakebroker_session):
    assert b"3.10.8" in talk(fakebroker)
    assert b"3.10.8" in talk(fakebroker_session)
    other = make_fakebroker(compatibility="4.0")
    assert b"4.0.5" in talk(other)
    assert other.port != fakebroker.port
""",
    )

    result.assert_outcomes(passed=1)


def test_fixtures_explain_themselves(pytester: pytest.Pytester) -> None:
    result = run(pytester, "", "--fixtures")

    result.stdout.fnmatch_lines(
        [
            "fakebroker_options*",
            "*override it to change them*",
            "make_fakebroker*",
            "*starts a fake broker*",
            "fakebroker*",
            "*A new fake broker for this test*",
        ]
    )


def test_plugin_loads_the_broker_only_when_it_is_used(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import sys

def test_nothing():
    assert "ammoo_fakebroker.plugin" in sys.modules
    assert "ammoo_fakebroker.broker" not in sys.modules
    assert "ammoo_wire" not in sys.modules
""",
    )

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(("mode", "mark"), [("auto", ""), ("strict", "@pytest.mark.asyncio")])
def test_fixture_serves_both_modes_of_pytest_asyncio(
    pytester: pytest.Pytester, mode: str, mark: str
) -> None:
    result = run(
        pytester,
        f"""{TALK_ASYNC}
import pytest

{mark}
async def test_async(fakebroker):
    assert b"RabbitMQ" in await talk_async(fakebroker)
""",
        *("-o", f"asyncio_mode={mode}", "-o", "asyncio_default_fixture_loop_scope=function"),
        plugins=(),
    )

    result.assert_outcomes(passed=1)


def test_fixture_serves_async_fixtures_of_wider_loops(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        f"""{TALK_ASYNC}
import pytest_asyncio

@pytest_asyncio.fixture(scope="session")
async def answer(fakebroker_session):
    return await talk_async(fakebroker_session)

async def test_async(answer, fakebroker):
    assert answer[:8] == (await talk_async(fakebroker))[:8]
""",
        *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=session"),
        plugins=(),
    )

    result.assert_outcomes(passed=1)


def test_fixture_serves_anyio_tests(pytester: pytest.Pytester) -> None:
    """anyio brings a plugin of its own, without which FastStream cannot be had."""
    result = run(
        pytester,
        f"""{TALK_ASYNC}
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_async(fakebroker):
    assert b"RabbitMQ" in await talk_async(fakebroker)
""",
    )

    result.assert_outcomes(passed=1)


def test_test_case_uses_the_fixture_by_one_line(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import unittest
import pytest

@pytest.fixture
def broker_of_class(request, fakebroker):
    request.cls.broker = fakebroker

@pytest.mark.usefixtures("broker_of_class")
class TestOld(unittest.TestCase):
    def test_one(self):
        assert talk(self.broker)
        self.broker.add_virtualhost("mine")

    def test_other(self):
        assert self.broker.virtualhosts == ("/",)

@pytest.mark.usefixtures("broker_of_class")
class TestAsyncio(unittest.IsolatedAsyncioTestCase):
    async def test_async(self):
        import asyncio
        assert await asyncio.to_thread(talk, self.broker)
""",
    )

    result.assert_outcomes(passed=3)


def test_each_worker_of_xdist_has_brokers_of_its_own(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import pytest

@pytest.mark.parametrize("number", range(6))
def test_talk(fakebroker, fakebroker_session, number):
    assert talk(fakebroker)
    assert talk(fakebroker_session)
    fakebroker.add_virtualhost("mine")
""",
        *("-p", "xdist", "-n", "2"),
    )

    result.assert_outcomes(passed=6)
