"""What the pytest plugin does beside starting brokers, in pytest runs of its own."""

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.testing.management_client import ManagementError
from ammoo_fakebroker.testing.real_broker import RealBroker
from tests.broker.test_plugin import WITHOUT_ASYNCIO

PIKA = """
import os
import pika
import pytest
from ammoo_fakebroker import FakeBroker, ManualClock

def connect(broker, name="api"):
    parameters = pika.URLParameters(broker.url)
    parameters.client_properties = {"connection_name": name}
    return pika.BlockingConnection(parameters)
"""


def run(
    pytester: pytest.Pytester,
    test: str,
    *arguments: str,
    plugins: tuple[str, ...] = WITHOUT_ASYNCIO,
) -> pytest.RunResult:
    pytester.makepyfile(PIKA + test)
    quick = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist")
    return pytester.runpytest_subprocess(*quick, *plugins, *arguments)


# -- marks, environment, unittest --------------------------------------------------------------


def test_marks_set_options_and_the_environment_leads_to_the_broker(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        """
pytestmark = pytest.mark.fakebroker(compatibility="3.10")

@pytest.mark.fakebroker(clock=ManualClock, seed=7)
def test_marks(fakebroker, make_fakebroker):
    fakebroker.advance(10)
    assert "3.10.8" == fakebroker._node.profile.version
    assert 7 == fakebroker._seed
    assert make_fakebroker(seed=8)._seed == 8

def test_no_clock(fakebroker):
    with pytest.raises(RuntimeError):
        fakebroker.advance(10)
    assert 3 == fakebroker._seed

def test_environment(fakebroker_env):
    for name in ("AMQP_URL", "RABBITMQ_URL", "CELERY_BROKER_URL"):
        assert os.environ[name] == fakebroker_env.url

def test_environment_is_restored():
    assert "AMQP_URL" not in os.environ
""",
        *("--strict-markers", "--fakebroker-seed", "3"),
    )

    result.assert_outcomes(passed=4)


def test_unittest_has_a_mixin() -> None:
    program = """
import asyncio, socket, unittest
from ammoo_fakebroker import FakeBrokerTestCase

class Plain(FakeBrokerTestCase, unittest.TestCase):
    fakebroker_options = {"compatibility": "4.0"}

    def test_talk(self):
        self.assertEqual("4.0.5", self.fakebroker._node.profile.version)
        socket.create_connection((self.fakebroker.host, self.fakebroker.port)).close()

class Async(FakeBrokerTestCase, unittest.IsolatedAsyncioTestCase):
    async def test_talk(self):
        _, writer = await asyncio.open_connection(self.fakebroker.host, self.fakebroker.port)
        writer.close()

unittest.main()
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True, timeout=60
    )

    assert "Ran 2 tests" in finished.stderr
    assert 0 == finished.returncode


def test_requests_without_an_answer_fail_only_their_own_test_of_unittest() -> None:
    program = """
import unittest
from ammoo_fakebroker import FakeBrokerTestCase

class Orders(FakeBrokerTestCase, unittest.TestCase):
    def setUp(self):
        self.fakebroker.respond("prices", json=3)
        self.fakebroker.publish("", "prices", b"1")

    def test_1(self):
        pass

    def test_2(self):
        self.fail("its own failure")

unittest.main()
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True, timeout=60
    )

    assert "Ran 2 tests" in finished.stderr
    assert "AssertionError: its own failure" in finished.stderr
    assert 2 == finished.stderr.count("prices: 1 request had no answer: request b'1' has no reply")


def test_broker_that_cannot_be_started_is_an_error_of_the_test_of_unittest() -> None:
    program = """
import unittest
from ammoo_fakebroker import FakeBrokerTestCase, ManualClock

class Misspelt(FakeBrokerTestCase, unittest.TestCase):
    fakebroker_options = {"hartbeat": 3}

    def test_1(self):
        pass

    @unittest.skip("not today")
    def test_2(self):
        pass

class Async(FakeBrokerTestCase, unittest.IsolatedAsyncioTestCase):
    fakebroker_options = {"compatibility": "9"}

    async def test_3(self):
        pass

class Clocks(FakeBrokerTestCase, unittest.TestCase):
    fakebroker_options = {"clock": ManualClock}

    def test_4(self):
        self.fakebroker.advance(10)

unittest.main()
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True, timeout=60
    )

    assert "FAILED (errors=2, skipped=1)" in finished.stderr
    assert "FakeBroker has no option 'hartbeat'; did you mean 'heartbeat'?" in finished.stderr


def test_session_broker_has_the_options_of_the_others(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.fixture(scope="session")
def fakebroker_options():
    return {"clock": ManualClock, "leaks": "connections"}

def test_options(fakebroker_session, fakebroker):
    fakebroker_session.advance(10)
    fakebroker.advance(10)
    assert (5, 5) == (fakebroker_session._seed, fakebroker._seed)
""",
        *("--fakebroker-seed", "5"),
    )

    result.assert_outcomes(passed=1)


# -- in the loop -------------------------------------------------------------------------------

IN_LOOP = """
@pytest.mark.{mark}
async def test_loop(fakebroker_inloop):
    import asyncio
    assert fakebroker_inloop._server.loop is asyncio.get_running_loop()
    _, writer = await asyncio.open_connection(fakebroker_inloop.host, fakebroker_inloop.port)
    await fakebroker_inloop.settle()
    writer.close()
"""


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_broker_in_the_loop_of_pytest_asyncio(pytester: pytest.Pytester, mode: str) -> None:
    result = run(
        pytester,
        IN_LOOP.format(mark="asyncio"),
        *("-o", f"asyncio_mode={mode}", "-o", "asyncio_default_fixture_loop_scope=function"),
        plugins=(),
    )

    result.assert_outcomes(passed=1)


def test_broker_in_the_loop_of_anyio(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        IN_LOOP.format(mark="anyio")
        + """
@pytest.fixture
def anyio_backend():
    return "asyncio"
""",
    )

    result.assert_outcomes(passed=1)


def test_broker_in_the_loop_needs_a_plugin(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        "def test_plain(fakebroker_inloop): ...",
        *("-rs", "-p", "no:anyio"),
    )

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*fakebroker_inloop needs pytest-asyncio or anyio*"])


# -- leaks and reports -------------------------------------------------------------------------


def test_brokers_end_although_their_transcripts_cannot_be_written(
    pytester: pytest.Pytester,
) -> None:
    Path("file").touch()
    result = run(
        pytester,
        """
import threading

def test_broker(fakebroker): pass

def test_no_thread_is_left():
    assert "ammoo-fakebroker" not in {thread.name for thread in threading.enumerate()}
""",
        "--fakebroker-transcript=file",
    )

    result.assert_outcomes(passed=2, errors=1)


def test_leaks_and_requests_without_an_answer_are_told_together(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.fakebroker(leaks="unroutable")
def test_broker(fakebroker):
    with connect(fakebroker) as connection:
        connection.channel().basic_publish("", "nowhere", b"1")
    fakebroker.respond("prices", json=3)
    fakebroker.publish("", "prices", b"1")
""",
    )

    result.assert_outcomes(passed=1, errors=1)
    output = result.stdout.str()
    assert "1 message reached no queue" in output
    assert "prices: 1 request had no answer" in output


def test_option_without_a_name_in_a_mark_is_refused(pytester: pytest.Pytester) -> None:
    result = run(pytester, '@pytest.mark.fakebroker("4.0")\ndef test_broker(fakebroker): pass')

    result.assert_outcomes(errors=1)
    assert "the mark fakebroker has '4.0'; expected options by their names" in result.stdout.str()


def test_leaks_fail_tests_that_have_passed(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
kept = []

@pytest.mark.fakebroker(leaks="connections channels unacknowledged unroutable unused_faults")
def test_leaks(fakebroker):
    connection = connect(fakebroker)
    kept.append(connection)
    channel = connection.channel()
    channel.queue_declare("orders")
    channel.basic_publish("", "orders", b"one")
    channel.basic_publish("", "nowhere", b"two")
    channel.basic_get("orders")
    fakebroker.faults.nack_publishes()

def test_only_what_is_asked_for(fakebroker):
    connect(fakebroker).channel()

def test_failure_comes_first(fakebroker):
    kept.append(connect(fakebroker))
    assert False, "its own failure"

@pytest.mark.fakebroker(leaks="connection")
def test_misspelt(fakebroker): ...
""",
        *("-o", "fakebroker_leaks=unacknowledged"),
    )

    result.assert_outcomes(passed=2, failed=1, errors=2)
    output = result.stdout.str()
    assert "1 connection is still open: 'api' (127.0.0.1:" in output
    assert "1 channel). If a fixture closes it, let that fixture request fakebroker" in output
    assert "1 channel is still open: channel 1 of 'api'." in output
    assert "1 delivery is not settled: b'one' of queue 'orders' is with 'api', channel 1." in output
    assert "1 message reached no queue: " in output
    assert "1 fault never struck: nack_publishes" in output
    assert "fakebroker_leaks has 'connection'; did you mean 'connections'?" in output
    assert "its own failure" in output


def test_failing_test_shows_its_broker(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_fails(fakebroker):
    channel = connect(fakebroker).channel()
    channel.queue_declare("orders")
    for number in range(40):
        channel.basic_publish("", "orders", b"%d" % number)
    fakebroker.wait_for_messages("orders", 41, timeout=0.02)
""",
        *("--fakebroker-transcript=transcripts", "--junit-xml=junit.xml"),
    )

    output = result.stdout.str()
    section = output.partition("- fake broker -")[2].partition("short test summary")[0]
    assert "RabbitMQ 4.3" in section
    assert "seed 0" in section
    assert "connection 'api': user 'guest', virtual host '/', 1 channels" in section
    assert "queue 'orders': 40 ready, 0 with clients, 0 consumers" in section
    assert "the last of 83 events, repeats in one line:" in section
    assert "message 40 routed to 'orders' (the last of 40)" in section
    assert "all 40 published messages are in it" in output
    assert len(section.splitlines()) < 80
    assert "the last of 83 events, repeats in one line:" in Path("junit.xml").read_text()
    text, lines = sorted(Path("transcripts").iterdir(), key=lambda path: path.suffix == ".jsonl")
    assert "message 1 published to default exchange, key 'orders': b'0'" in text.read_text()
    read = [json.loads(line) for line in lines.read_text().splitlines()]
    assert 83 <= len(read)
    assert {"connection_opened", "published", "routed"} <= {each["kind"] for each in read}


def test_failing_set_up_shows_its_broker(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
import pytest

@pytest.fixture
def orders(fakebroker):
    connect(fakebroker).channel().queue_declare("orders")
    raise RuntimeError("the set-up fails")

def test_fails(orders): ...
""",
    )

    result.assert_outcomes(errors=1)
    section = result.stdout.str().partition("- fake broker -")[2]
    assert "queue declared: 'orders'" in section
    assert "→ channel 1 queue.declare queue_name='orders'" in section


def test_failing_test_shows_the_broker_of_the_session(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_passes(fakebroker_session): ...

def test_fails(fakebroker_session):
    connect(fakebroker_session).channel().queue_declare("orders")
    assert False

def test_uses_another(fakebroker):
    assert False
""",
    )

    result.assert_outcomes(passed=1, failed=2)
    output = result.stdout.str()
    assert 2 == output.count("- fake broker -")
    assert 1 == output.count("queue declared: 'orders'")


# -- a real broker -----------------------------------------------------------------------------

SUITE = """
def test_messages(fakebroker):
    connection = connect(fakebroker)
    channel = connection.channel()
    channel.queue_declare("orders")
    channel.basic_publish("", "orders", b"one", pika.BasicProperties(type="t", headers={"a": 1}))
    (message,) = fakebroker.wait_for_messages("orders")
    assert (b"one", "t", {"a": 1}) == (
        message.body, message.properties.type_, message.properties.headers
    )
    assert 1 == fakebroker.queue("orders").message_count
    assert ["orders"] == list(fakebroker.queues())
    assert [b"one"] == [each.body for each in fakebroker.messages("orders")]
    with pytest.raises(LookupError):
        fakebroker.queue("missing")
    connection.close()

def test_clients(fakebroker):
    connection = connect(fakebroker)
    channel = connection.channel()
    channel.queue_declare("orders")
    channel.basic_consume("orders", lambda *_: None)
    assert 1 == fakebroker.wait_for_consumers("orders").consumer_count
    (seen,) = fakebroker.wait_for_connections()
    assert "api" == seen.client_properties["connection_name"]
    fakebroker.close_connections("enough")
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="enough"):
        connection.process_data_events(time_limit=None)

def test_users(fakebroker):
    fakebroker.add_user("reader", "secret")
    fakebroker.set_permissions("reader", configure="^$")
    with pika.BlockingConnection(pika.URLParameters(fakebroker.url_for("reader"))) as connection:
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
            connection.channel().queue_declare("orders")
    fakebroker.delete_user("reader")

def test_setup(fakebroker):
    fakebroker.declare_exchange("orders", "topic")
    fakebroker.declare_queue("orders", arguments={"x-max-length": 2})
    fakebroker.bind_queue("orders", "orders", "a.#")
    fakebroker.publish("orders", "a.b", json={"id": 7}, headers={"n": 1})
    fakebroker.put("orders", b"two")
    seen = fakebroker.messages("orders")
    assert [b'{"id": 7}', b"two"] == [each.body for each in seen]
    assert ("application/json", {"n": 1}) == (
        seen[0].properties.content_type, seen[0].properties.headers
    )
    with pytest.raises(ValueError):
        fakebroker.publish("orders", "b", b"lost")
    with pytest.raises(ValueError):
        fakebroker.declare_queue("orders")
    fakebroker.set_policy("short", "^orders", {"max-length": 1})
    fakebroker.clear_policy("short")
    fakebroker.purge_queue("orders")
    assert [] == fakebroker.messages("orders")
    fakebroker.delete_queue("orders")
    fakebroker.delete_exchange("orders")

def test_exchange_bindings(fakebroker):
    fakebroker.declare_exchange("all", "fanout")
    fakebroker.declare_exchange("some", "topic")
    fakebroker.bind_exchange("all", "some", "a.#")
    fakebroker.declare_queue("orders")
    fakebroker.bind_queue("orders", "all")
    fakebroker.publish("some", "a.b", b"one")
    assert [b"one"] == [each.body for each in fakebroker.messages("orders")]
    with pytest.raises(ValueError):
        fakebroker.bind_exchange("all", "missing")

def test_definitions(fakebroker):
    queue = {"name": "orders", "vhost": "/", "durable": True, "arguments": {"x-max-length": 9}}
    fakebroker.load_definitions({"queues": [queue]})
    (found,) = fakebroker.definitions()["queues"]
    assert ("orders", "/", 9) == (found["name"], found["vhost"], found["arguments"]["x-max-length"])
    assert 9 == fakebroker.queue("orders").arguments["x-max-length"]

def test_definitions_of_users(fakebroker):
    user = {"name": "ann", "password_hash": "", "tags": []}
    fakebroker.load_definitions({"users": [user]})

def test_own_virtual_host(fakebroker):
    assert {} == fakebroker.queues()

def test_faults(fakebroker):
    with fakebroker.faults.nack_publishes(optional=True):
        pass

def test_history(fakebroker):
    fakebroker.published().assert_none()

@pytest.mark.fakebroker(clock=ManualClock)
def test_clock(fakebroker):
    fakebroker.advance(1)

@pytest.mark.fakebroker(compatibility="3.10")
def test_release(fakebroker): ...
"""


def test_suite_runs_on_the_fake(pytester: pytest.Pytester) -> None:
    run(pytester, SUITE).assert_outcomes(passed=12)


def test_suite_runs_on_a_real_broker_and_counts_what_it_skips(pytester: pytest.Pytester) -> None:
    """A fake broker with RabbitMQ's management API stands for a real one here."""
    with FakeBroker(management_port=0) as broker:
        options = ("--fakebroker-url", broker.url, "--fakebroker-management-url")
        result = run(pytester, SUITE, *options, broker.management_url)
        left = broker.virtualhosts

    result.assert_outcomes(passed=7, skipped=5)
    where = broker.url.rpartition("@")[2]
    result.stdout.fnmatch_lines(
        [
            f"on the real broker {where}; 5 tests skipped that need the fake",
            "  1 x needs the fake: faults.nack_publishes() cannot be done to amqp://127.0.0.1:*",
        ]
    )
    output = result.stdout.str()
    assert "1 x needs the fake: published() cannot be done to amqp://127.0.0.1" in output
    assert "1 x needs the fake: FakeBroker(clock=…)" in output
    assert "1 x needs RabbitMQ 3.10, and this one is 4.3" in output
    assert ("/",) == left


SCOPES = """
import ammoo

async def use(broker):
    async with ammoo.connect(broker.url) as connection, connection.channel() as channel:
        await channel.declare_queue("orders")
    assert ["orders"] == list(broker.queues())

@pytest.mark.asyncio
async def test_function(fakebroker_inloop):
    await use(fakebroker_inloop)

@pytest.mark.asyncio(loop_scope="module")
async def test_module(fakebroker_inloop):
    await use(fakebroker_inloop)

@pytest.mark.asyncio(loop_scope="session")
async def test_session(fakebroker_inloop):
    await use(fakebroker_inloop)

def test_set_up(fakebroker_inloop):
    fakebroker_inloop.declare_queue("orders")
"""


@pytest.mark.parametrize("option", ["test", "fixture"])
def test_fixture_in_the_loop_runs_in_the_loop_of_each_test(
    pytester: pytest.Pytester, option: str
) -> None:
    scope = ("-o", f"asyncio_default_{option}_loop_scope=class")

    run(pytester, SCOPES, *scope, plugins=()).assert_outcomes(passed=4)


LOOP_SUITE = """
import asyncio
import ammoo

@pytest.mark.asyncio
async def test_in_loop(fakebroker_inloop):
    fakebroker_inloop.declare_queue("orders")
    async with (
        await ammoo.connect(fakebroker_inloop.url) as connection,
        connection.channel() as channel,
    ):
        await channel.publish("", "orders", b"one")
        await fakebroker_inloop.settle()
        (message,) = await fakebroker_inloop.wait_for_messages_async("orders")
        assert b"one" == message.body
        assert 1 == fakebroker_inloop.queue("orders").message_count

@pytest.mark.asyncio
async def test_fault_in_loop(fakebroker_inloop):
    fakebroker_inloop.cut_connections()
"""


def test_fixture_in_the_loop_stands_for_a_real_broker(pytester: pytest.Pytester) -> None:
    with FakeBroker(management_port=0) as broker:
        options = ("--fakebroker-url", broker.url, "--fakebroker-management-url")
        result = run(pytester, LOOP_SUITE, *options, broker.management_url, plugins=())
        left = broker.virtualhosts

    result.assert_outcomes(passed=1, skipped=1)
    assert "1 x needs the fake: cut_connections() cannot be done" in result.stdout.str()
    assert ("/",) == left


def test_skips_can_be_failures(pytester: pytest.Pytester) -> None:
    with FakeBroker(management_port=0) as broker:
        options = ("--fakebroker-url", broker.url, "--fakebroker-management-url")
        result = run(
            pytester, SUITE, *options, broker.management_url, "--fakebroker-no-skips", "-k", "fau"
        )

    result.assert_outcomes(failed=1)
    assert "needs the fake: faults.nack_publishes() cannot be done" in result.stdout.str()


def test_real_broker_without_management_is_an_error_that_says_so(
    pytester: pytest.Pytester,
) -> None:
    with FakeBroker() as broker:
        options = ("--fakebroker-url", broker.url, "--fakebroker-management-url")
        result = run(pytester, SUITE, *options, f"http://127.0.0.1:{broker.port}", "-k", "own")

    result.assert_outcomes(errors=1)


def refuse(what: str) -> NoReturn:
    pytest.fail(what)


def test_management_interface_of_another_broker_is_refused() -> None:
    with FakeBroker(management_port=0) as broker:
        own = RealBroker(broker.url, broker.management_url, "test", refuse)
        other = RealBroker("amqp://guest:guest@127.0.0.1:9", broker.management_url, "test", refuse)

        own.check_management()
        with pytest.raises(ManagementError) as refused:
            other.check_management()

    assert (
        f"the management API at {broker.management_url} is of a broker that listens on"
        f" {broker.port}, not on 9: give the one of amqp://127.0.0.1:9 as"
        " --fakebroker-management-url"
    ) == str(refused.value)


OWN_METHODS = [
    name
    for name in sorted(set(dir(FakeBroker)) & set(dir(RealBroker)))
    if not name.startswith("_") and inspect.isfunction(getattr(RealBroker, name))
]


@pytest.mark.parametrize("name", OWN_METHODS)
def test_real_broker_takes_each_argument_that_the_fake_takes(name: str) -> None:
    taken = inspect.signature(getattr(RealBroker, name)).parameters
    expected = set(inspect.signature(getattr(FakeBroker, name)).parameters)

    assert not expected - set(taken) or "options" in taken


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda broker: broker.messages("q", including_unacknowledged=True), "messages"),
        (lambda broker: broker.delete_queue("q", if_empty=True), "delete_queue"),
        (lambda broker: broker.close_connections(connection="api"), "close_connections"),
    ],
)
def test_option_that_a_real_broker_does_not_have_skips_the_test(
    call: Callable[[RealBroker], object], name: str
) -> None:
    broker = RealBroker("amqp://127.0.0.1:9", None, "test", refuse)

    with pytest.raises(
        pytest.fail.Exception, match=rf"{name}\(.* cannot be done to amqp://127.0.0.1:9"
    ):
        call(broker)


def test_url_of_the_real_broker_is_checked_at_the_start(pytester: pytest.Pytester) -> None:
    result = run(pytester, SUITE, "--fakebroker-url", "guest:secret@127.0.0.1:5672")

    result.stderr.fnmatch_lines(
        ["ERROR: --fakebroker-url is '127.0.0.1:5672'; expected an AMQP URL, such as amqp://*"]
    )


# -- what it costs who does not use it ---------------------------------------------------------


def test_plugin_imports_nothing_but_pytest() -> None:
    program = "import pytest, sys; print('pytest is here', file=sys.stderr);"
    finished = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program + "import ammoo_fakebroker.plugin"],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    behind = finished.stderr.partition("pytest is here")[2]
    imported = [line.rpartition("|")[2].strip() for line in behind.splitlines() if "|" in line]

    assert ["ammoo_fakebroker", "ammoo_fakebroker.plugin"] == sorted(imported)
