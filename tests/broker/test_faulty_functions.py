"""Functions of a test that raise errors: clients do not notice, and the test fails with the error."""

import asyncio
import unittest
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event
from typing import Any, NoReturn

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest

from ammoo_fakebroker import FakeBroker, FakeBrokerTestCase, Fault

RAISED = "raised ZeroDivisionError: by the test"


def fail(*_: object) -> NoReturn:
    raise ZeroDivisionError("by the test")


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    """Yield a broker with a message; the test looks at its errors."""
    with suppress(AssertionError), FakeBroker() as broker:
        broker.declare_queue("orders")
        broker.put("orders", b"one")
        yield broker


def use(broker: FakeBroker) -> bytes:
    """Log in, declare, publish with a confirm and consume; return what was consumed."""
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("orders", passive=True)
        channel.basic_publish("", "orders", b"two")
        _, _, body = next(channel.consume("orders", inactivity_timeout=30))
        consumed: bytes = body
        return consumed


FAULTS: dict[str, dict[str, Any]] = {
    "nack_publishes": {"message": fail},
    "hold_confirms": {"routing_key": fail},
    "duplicate_deliveries": {"queue_name": fail},
    "hold_deliveries": {"queue_name": fail},
    "delay_deliveries": {"seconds": 9, "consumer_tag": fail},
    "close_channels": {"queue_name": fail},
    "fail_logins": {"user": fail},
    "silence": {"connection": fail},
    "cut": {"user": fail},
}


@pytest.mark.parametrize("name", FAULTS)
def test_clients_go_on_and_the_block_fails(broker: FakeBroker, name: str) -> None:
    make: Callable[..., Fault] = getattr(broker.faults, name)

    with pytest.raises(AssertionError) as failed, make(**FAULTS[name]):
        body = use(broker)

    assert b"one" == body
    assert str(failed.value).startswith(f"a function of {name}(")
    assert str(failed.value).endswith(f"=fail) {RAISED}")
    assert isinstance(failed.value.__cause__, ZeroDivisionError)
    broker.check_functions()


@pytest.mark.parametrize("end", [pytest.fail, pytest.skip], ids=["fail", "skip"])
def test_exceptions_of_pytest_are_errors_too(
    broker: FakeBroker, end: Callable[[str], NoReturn]
) -> None:
    def choose(_: object) -> NoReturn:
        end("by the test")

    with broker.block(connection=choose):
        fault = broker.faults.nack_publishes(message=choose)
        body = use(broker)

    assert b"one" == body
    with pytest.raises(AssertionError, match=r"raised (Failed|Skipped): by the test"):
        fault.wait(timeout=1000)
    with pytest.raises(AssertionError, match=r"of block\(\) raised (Failed|Skipped): by the test"):
        broker.check_functions()


def test_wait_for_the_fault_fails_at_once(broker: FakeBroker) -> None:
    fault = broker.faults.nack_publishes(message=fail)
    use(broker)

    with pytest.raises(AssertionError, match=RAISED):
        fault.wait(timeout=1000)


def fail_in_the_block(broker: FakeBroker) -> None:
    with broker.faults.nack_publishes(message=fail):
        use(broker)
        raise LookupError


def test_other_exceptions_of_the_block_are_not_hidden(broker: FakeBroker) -> None:
    with pytest.raises(LookupError):
        fail_in_the_block(broker)

    with pytest.raises(AssertionError, match=RAISED):
        broker.check_functions()


def end_with_a_faulty_fault() -> None:
    with FakeBroker() as broker:
        broker.declare_queue("orders")
        broker.faults.nack_publishes(message=fail)
        use(broker)


def test_error_that_was_not_raised_before_is_raised_at_the_end_of_the_broker() -> None:
    with pytest.raises(AssertionError, match=RAISED):
        end_with_a_faulty_fault()


def test_error_is_raised_once() -> None:
    with FakeBroker() as broker:
        broker.declare_queue("orders")
        broker.put("orders", b"one")
        broker.faults.nack_publishes(message=fail)
        broker.block(connection=fail)
        use(broker)

        with pytest.raises(
            AssertionError, match=rf"block\(\) {RAISED}\na function of nack_.*{RAISED}"
        ):
            broker.check_functions()
        broker.check_functions()


def test_alarm_concerns_no_connection_that_its_function_fails_for(broker: FakeBroker) -> None:
    with broker.block(connection=fail):
        body = use(broker)

    assert b"one" == body
    with pytest.raises(AssertionError, match=rf"the function fail of block\(\) {RAISED}"):
        broker.check_functions()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_function_that_ends_the_program_ends_neither_the_broker_nor_the_client(
    broker: FakeBroker, kind: type[BaseException]
) -> None:
    def end(_: object) -> NoReturn:
        raise kind

    broker.faults.nack_publishes(message=end)

    assert b"one" == use(broker)
    with pytest.raises(AssertionError, match=f"raised {kind.__name__}"):
        broker.check_functions()


def test_wait_gets_the_error_of_its_function(broker: FakeBroker) -> None:
    with pytest.raises(ZeroDivisionError):
        broker.wait_until(fail)
    with pytest.raises(ZeroDivisionError):
        broker.published(body=fail).wait(timeout=1000)

    assert b"one" == use(broker)


def test_unittest_fails_as_well() -> None:
    class Case(FakeBrokerTestCase, unittest.TestCase):
        def test_order(self) -> None:
            self.fakebroker.declare_queue("orders")
            self.fakebroker.faults.nack_publishes(message=fail)
            use(self.fakebroker)

    result = unittest.TestResult()
    Case("test_order").run(result)

    ((_, text),) = result.failures
    assert RAISED in text


def publish_unread(broker: FakeBroker, connection: pika.BlockingConnection) -> None:
    """Publish, and let the broker read it only when the test's thread calls the broker."""
    is_held, is_called = Event(), Event()
    submit = broker._server.submit

    def hold() -> None:
        is_held.set()
        is_called.wait(30)

    def submit_and_go_on(function: Callable[[], Any]) -> Any:
        result = submit(function)
        is_called.set()
        return result

    channel = connection.channel()
    broker._server.loop.call_soon_threadsafe(hold)
    is_held.wait(30)
    channel.basic_publish("", "orders", b"two")
    broker._server.submit = submit_and_go_on  # type: ignore[method-assign]  # for one call


def test_unittest_fails_if_the_broker_has_not_read_the_last_publish_yet() -> None:
    connections: list[pika.BlockingConnection] = []

    class Case(FakeBrokerTestCase, unittest.TestCase):
        def test_order(self) -> None:
            self.fakebroker.faults.nack_publishes(message=fail)
            connections.append(pika.BlockingConnection(pika.URLParameters(self.fakebroker.url)))
            publish_unread(self.fakebroker, connections[0])

    result = unittest.TestResult()
    Case("test_order").run(result)
    with suppress(pika.exceptions.AMQPError):
        connections[0].close()

    ((_, text),) = result.failures
    assert RAISED in text


def end_with_an_unread_request(connections: list[pika.BlockingConnection]) -> None:
    with FakeBroker() as broker:
        broker.respond("orders", json=1, when=fail)
        connections.append(pika.BlockingConnection(pika.URLParameters(broker.url)))
        publish_unread(broker, connections[0])


def test_end_of_a_broker_reads_the_last_publish_first() -> None:
    connections: list[pika.BlockingConnection] = []

    with pytest.raises(AssertionError, match="ZeroDivisionError: by the test"):
        end_with_an_unread_request(connections)
    with suppress(pika.exceptions.AMQPError):
        connections[0].close()


@pytest.fixture
def open_channel() -> Iterator[Callable[[FakeBroker], Any]]:
    """Yield a function that opens a channel of pika, whose connection stays open."""
    connections: list[pika.BlockingConnection] = []

    def open_one(broker: FakeBroker) -> Any:
        connections.append(pika.BlockingConnection(pika.URLParameters(broker.url)))
        return connections[-1].channel()

    yield open_one
    with suppress(pika.exceptions.AMQPError):
        connections[0].close()


def fail_to_answer(broker: FakeBroker) -> None:
    broker.respond("orders", json=1, when=fail)


def fail_to_nack(broker: FakeBroker) -> None:
    broker.faults.nack_publishes(message=fail)


@pytest.mark.parametrize("make", [fail_to_answer, fail_to_nack])
async def test_end_of_a_broker_in_the_loop_reads_the_last_publish_first(
    open_channel: Callable[[FakeBroker], Any], make: Callable[[FakeBroker], None]
) -> None:
    broker = FakeBroker()
    await broker.__aenter__()
    make(broker)
    channel = await asyncio.to_thread(open_channel, broker)

    channel.basic_publish("", "orders", b"two")
    with pytest.raises(AssertionError, match="ZeroDivisionError: by the test"):
        await broker.__aexit__(None, None, None)


def test_fixture_fails_as_well(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pika

        def fail(_):
            raise ZeroDivisionError("by the test")

        def test_order(fakebroker):
            fakebroker.faults.nack_publishes(message=fail)
            with pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                channel.basic_publish("", "orders", b"two")
        """
    )

    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"*a function of nack_publishes(message=fail)*{RAISED}*"])
