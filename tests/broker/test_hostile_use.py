"""Uses of a broker that could hang: each ends, and says what to do."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NoReturn
from unittest.mock import Mock

import pytest

from ammoo_fakebroker import FakeBroker, broker
from ammoo_fakebroker.network import server, threaded_server

FORK = """
    import asyncio
    import os
    import pika
    from ammoo_fakebroker import FakeBroker

    def fork(broker):
        child = os.fork()
        if child:
            return child
        with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
            connection.channel().basic_publish("", "orders", b"from the fork")
        for call in (broker.purge_queue, broker.wait_for_messages):
            try:
                call("orders")
            except RuntimeError as error:
                print(error, flush=True)
        os._exit(0)

    def in_a_thread():
        with FakeBroker() as broker:
            broker.declare_queue("orders")
            os.waitpid(fork(broker), 0)
            print([message.body for message in broker.messages("orders")])

    async def in_the_loop():
        async with FakeBroker() as broker:
            broker.declare_queue("orders")
            await asyncio.to_thread(os.waitpid, fork(broker), 0)
            print([message.body for message in broker.messages("orders")])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("run", ["in_a_thread()", "asyncio.run(in_the_loop())"])
def test_forked_process_is_refused_and_its_clients_are_served(run: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORK) + run],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    refusal, refusal_of_wait, bodies = finished.stdout.splitlines()
    assert refusal == refusal_of_wait
    assert "this is a fork of it" in refusal
    assert "connect clients here, and call the broker's methods there" in refusal
    assert "[b'from the fork']" == bodies


LEAVE = """
    import os
    import sys
    from ammoo_fakebroker import FakeBroker

    def fork(broker):
        broker.respond("orders", json=1)
        broker.faults.nack_publishes()
        return os.fork() or sys.exit(7)

    def in_a_thread():
        with FakeBroker() as broker:
            child = fork(broker)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), list(broker.queues()))

    in_a_thread()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_forked_process_leaves_the_block_and_the_broker_runs_on() -> None:
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(LEAVE)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "7 ['orders']\n" == finished.stdout


END = """
    import socket
    import sys
    from ammoo_fakebroker import FakeBroker

    def end():
        sys.exit(3)

    broker = FakeBroker().__enter__()
    client = socket.create_connection((broker.host, broker.port), timeout=30)
    broker.wait_until(lambda look: broker._server.clients)
    broker._server.loop.call_soon_threadsafe(end)
    try:
        print(client.recv(1))
    except ConnectionResetError as error:
        print(b"")
    client.close()
    try:
        broker.__exit__(None, None, None)
    except SystemExit as error:
        print(error)
"""


def test_error_that_ends_the_loop_closes_the_sockets_and_is_raised_at_the_end() -> None:
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(END)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert ("b''\n3\n", "") == (finished.stdout, finished.stderr)


def test_closed_loop_is_named() -> None:
    loop = asyncio.new_event_loop()
    broker = FakeBroker()
    loop.run_until_complete(broker.__aenter__())
    loop.run_until_complete(broker._server.stop())
    loop.close()

    with (
        ThreadPoolExecutor() as threads,
        pytest.raises(RuntimeError, match=r"leave `async with FakeBroker.*before the loop ends"),
    ):
        threads.submit(broker.queues).result()


def test_loop_that_does_not_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_CALL_TIMEOUT", 0.01)
    loop = asyncio.new_event_loop()
    broker = FakeBroker()
    loop.run_until_complete(broker.__aenter__())

    with (
        ThreadPoolExecutor() as threads,
        pytest.raises(RuntimeError, match=r"has not run for 0\.01 s: it is stopped, or blocked"),
    ):
        threads.submit(broker.declare_queue, "orders").result()

    loop.run_until_complete(broker.__aexit__(None, None, None))
    loop.close()
    assert {} == broker.queues()


@pytest.fixture
def block_thread(request: pytest.FixtureRequest) -> Callable[[FakeBroker], threading.Event]:
    """Return a function that blocks the thread of a broker until the event it returns is set."""

    def block(broker: FakeBroker) -> threading.Event:
        is_blocked, goes_on = threading.Event(), threading.Event()
        request.addfinalizer(goes_on.set)
        broker._server.loop.call_soon_threadsafe(is_blocked.set)
        broker._server.loop.call_soon_threadsafe(goes_on.wait)
        assert is_blocked.wait(60)
        return goes_on

    return block


def test_end_of_a_broker_whose_thread_is_blocked_names_that_only(
    monkeypatch: pytest.MonkeyPatch, block_thread: Callable[[FakeBroker], threading.Event]
) -> None:
    def fail_while_the_thread_is_blocked() -> None:
        with FakeBroker() as blocked:
            blocked.faults.nack_publishes()
            block_thread(blocked)
            monkeypatch.setattr(broker, "_END_TIMEOUT", 0.01)
            monkeypatch.setattr(server, "_CALL_TIMEOUT", 0.01)
            monkeypatch.setattr(threaded_server, "_STOP_TIMEOUT", 0.01)
            raise KeyError("by the test")

    with pytest.raises(RuntimeError, match=r"did not end within 0\.01 s") as raised:
        fail_while_the_thread_is_blocked()

    assert isinstance(raised.value.__context__, KeyError)


def test_end_of_a_broker_calls_its_thread_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBroker() as broker:
        broker.faults.nack_publishes()
        broker.faults.drop_confirms()
        end = Mock(wraps=broker._server.submit)
        monkeypatch.setattr(broker._server, "submit", end)

    end.assert_called_once()
    assert () == broker.faults.active


def test_call_that_is_interrupted_is_not_made_later(
    monkeypatch: pytest.MonkeyPatch, block_thread: Callable[[FakeBroker], threading.Event]
) -> None:
    asked: list[object] = []
    with FakeBroker() as broker:
        goes_on = block_thread(broker)
        submit = broker._server.submit

        def submit_and_interrupt(call: Callable[[], object]) -> Future[object]:
            result = submit(call)
            monkeypatch.setattr(result, "result", interrupt)
            return result

        def interrupt(_: float) -> NoReturn:
            raise KeyboardInterrupt

        monkeypatch.setattr(broker._server, "submit", submit_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            broker.wait_until(asked.append)
        monkeypatch.setattr(broker._server, "submit", submit)
        goes_on.set()

        assert not broker._call(lambda: broker._waiters.is_waiting)
    assert [] == asked


def test_call_while_the_broker_stops_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBroker() as broker:
        server = broker._server
        monkeypatch.setattr(server, "awaits_octets", lambda: True)  # so that a drain takes long
        calls: list[Future[None]] = []
        stop = server.stop

        async def stop_and_call() -> None:
            await stop()
            calls.append(server.submit(lambda: None))

        monkeypatch.setattr(server, "stop", stop_and_call)

    with pytest.raises(RuntimeError, match="the broker was stopped during the call"):
        calls[0].result(timeout=10)


def fail_test(*_: object) -> NoReturn:
    pytest.fail("the test took too long")


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="there is no such signal")
@pytest.mark.parametrize("handler", [signal.default_int_handler, fail_test])
def test_interrupted_wait_leaves_nothing_behind(
    request: pytest.FixtureRequest, handler: Callable[..., NoReturn]
) -> None:
    before = signal.signal(signal.SIGUSR1, handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGUSR1, before))
    signals = iter([signal.SIGUSR1])

    def interrupt(_: object) -> None:
        """Interrupt the test, the first time that the broker asks; signal 0 is none."""
        os.kill(os.getpid(), next(signals, 0))

    with FakeBroker() as broker:
        with pytest.raises((KeyboardInterrupt, pytest.fail.Exception)):
            broker.wait_until(interrupt, timeout=1000)

        assert not broker._call(lambda: broker._waiters.is_waiting)


def test_broker_may_be_left_twice() -> None:
    with FakeBroker() as broker:
        broker.__exit__(None, None, None)

    assert "not running" in repr(broker)


def test_function_that_the_broker_calls_cannot_stop_it() -> None:
    with FakeBroker() as broker:
        with pytest.raises(RuntimeError, match="leave the broker's block instead"):
            broker.wait_until(lambda _: broker.__exit__(None, None, None))

        assert {} == broker.queues()


def test_broker_that_was_not_entered_cannot_be_left() -> None:
    with pytest.raises(RuntimeError, match="start it with `with broker:`"):
        FakeBroker().__exit__(None, None, None)


async def test_broker_that_was_not_entered_in_the_loop_cannot_be_left_there() -> None:
    with pytest.raises(RuntimeError, match="start it with `async with broker:`"):
        await FakeBroker().__aexit__(None, None, None)

    with FakeBroker() as broker, pytest.raises(RuntimeError, match="start it with `async with"):
        await broker.__aexit__(None, None, None)


async def test_broker_in_the_loop_may_be_left_twice() -> None:
    async with FakeBroker() as broker:
        await broker.__aexit__(None, None, None)

    assert "not running" in repr(broker)
