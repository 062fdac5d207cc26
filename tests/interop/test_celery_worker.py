"""Celery's worker, unmodified and as it is usually run: ``celery worker``, a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, chord  # type: ignore[import-untyped]  # it ships no types

from ammoo_fakebroker import FakeBroker

SECONDS = 40

# A worker needs seconds of processor time to start, and a loaded machine gives them slowly.
pytestmark = pytest.mark.timeout(240)


class Worker:
    """The process of a worker.

    Attributes:
        log: What it has said; complete when it has ended.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.log = ""

    def wait_until_ready(self) -> None:
        """Read its log up to the line that says that it waits for tasks."""
        stderr = self._process.stderr
        assert stderr is not None
        for line in stderr:
            self.log += line
            if line.endswith(" ready.\n"):
                return
        raise AssertionError(f"the worker ended: {self.log}")

    def end(self) -> int:
        """Let it finish its tasks, and give its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self.log += self._process.communicate()[1]
        return self._process.returncode


@contextmanager
def running_worker(broker: str, backend: str, name: str, *options: str) -> Iterator[Worker]:
    command = [sys.executable, "-m", "celery", "-A", "celery_project", "worker"]
    with subprocess.Popen(
        [*command, "-n", name, "--loglevel=INFO", *options],
        cwd=Path(__file__).parent,
        env={**os.environ, "BROKER_URL": broker, "RESULT_BACKEND": backend},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        worker = Worker(process)
        try:
            worker.wait_until_ready()
            yield worker
            worker.end()
        finally:
            process.kill()


StartWorker = Callable[..., Worker]


@pytest.fixture
def start_worker() -> Iterator[StartWorker]:
    """Start workers, and end them with the test."""
    with ExitStack() as workers:

        def start(broker: str, *options: str, name: str, backend: str = "rpc://") -> Worker:
            return workers.enter_context(running_worker(broker, backend, name, *options))

        yield start


@contextmanager
def client(broker: str, backend: str = "rpc://") -> Iterator[Celery]:
    """The application in the process that asks for tasks to be done."""
    with Celery("project", broker=broker, backend=backend, set_as_current=False) as app:
        app.conf.task_default_exchange = app.conf.task_default_routing_key = "celery"
        yield app
        if backend == "rpc://" and app.backend.result_consumer._connection is not None:
            app.backend.result_consumer.stop()


def test_forked_workers_give_results_and_end_when_told(url: str, start_worker: StartWorker) -> None:
    worker = start_worker(url, "--concurrency=2", name="one@here")

    with client(url) as app:
        results = [app.send_task("add", (number, 1)) for number in range(10)]
        assert [number + 1 for number in range(10)] == [r.get(timeout=SECONDS) for r in results]

    assert 0 == worker.end()
    assert "succeeded" in worker.log


def test_chord(url: str, start_worker: StartWorker, tmp_path: Path) -> None:
    start_worker(url, "--pool=solo", name="one@here", backend=tmp_path.as_uri())

    with client(url, tmp_path.as_uri()) as app:
        squares = [app.signature("add", (number, number)) for number in range(5)]
        result = chord(squares, app=app)(app.signature("total"))

        assert 20 == result.get(timeout=SECONDS)


def names_of_reporters(app: Celery, reports: Any, count: int) -> set[str]:
    """Ask everybody to report until so many workers have.

    A worker may overlook a task until something else wakes it, on RabbitMQ too.
    """
    names: set[str] = set()
    while len(names) < count:
        app.send_task("report", exchange="everybody")
        report = reports.get(timeout=SECONDS)
        report.ack()
        names.add(report.payload[0][0])
    return names


def test_two_workers_know_each_other_and_get_what_is_for_everybody(
    url: str, start_worker: StartWorker
) -> None:
    one = start_worker(url, "--pool=solo", name="one@here")
    two = start_worker(url, "--pool=solo", name="two@here")

    with client(url) as app, app.connection_for_read() as connection:
        pongs = app.control.ping(timeout=SECONDS, limit=2)
        with connection.SimpleQueue("reports") as reports:
            names = names_of_reporters(app, reports, 2)

    assert {"one@here", "two@here"} == {name for pong in pongs for name in pong} == names
    assert "mingle: all alone" in one.log
    assert "mingle: sync with 1 nodes" in two.log


def drain_until_seen(event: str, seen: list[str], connection: Any) -> None:
    while event not in seen:
        connection.drain_events(timeout=SECONDS)


def test_events_of_a_worker(url: str, start_worker: StartWorker) -> None:
    start_worker(url, "--pool=solo", "--task-events", name="one@here")
    seen: list[str] = []

    with client(url) as app, app.connection_for_read() as connection:
        receiver = app.events.Receiver(
            connection, handlers={"*": lambda event: seen.append(event["type"])}
        )
        with receiver.consumer_context() as (own_connection, _, _):
            app.send_task("add", (1, 2), ignore_result=True)
            drain_until_seen("task-succeeded", seen, own_connection)

    tasks = [event for event in seen if event.startswith("task-")]
    assert ["task-received", "task-started", "task-succeeded"] == tasks


def test_worker_comes_back_after_a_cut(fakebroker: FakeBroker, start_worker: StartWorker) -> None:
    worker = start_worker(fakebroker.url, "--pool=solo", name="one@here")

    fakebroker.cut_connections()
    with client(fakebroker.url) as app:
        assert 3 == app.send_task("add", (1, 2)).get(timeout=SECONDS)

    worker.end()
    assert "Connection to broker lost" in worker.log
