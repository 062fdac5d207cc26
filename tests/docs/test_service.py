"""The service of docs/examples works off everything, also across a loss, and ends when it is told to."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

import pytest

from ammoo_fakebroker import FakeBroker
from tests.support.programs import running_program

SERVICE = Path(__file__).parents[2] / "docs/examples/service.py"
HANDLED = 'print("done:", message.decode(), flush=True)'


def running_service(
    broker: FakeBroker, file: Path = SERVICE, **options: Any
) -> AbstractContextManager["subprocess.Popen[str]"]:
    """Run the service with a broker; what it prints is not read unless `options` says so."""
    environment = {**os.environ, "AMQP_URL": broker.url}
    streams = {"stdout": subprocess.DEVNULL, **options}
    return running_program(sys.executable, file, env=environment, **streams)


def read_until_all_came(lines: set[str], stream: IO[str]) -> set[str]:
    """Read lines until each of these has come; return all that were read."""
    seen: set[str] = set()
    while lines - seen:
        line = stream.readline()
        assert line, f"the program ended without {sorted(lines - seen)}"
        seen.add(line)
    return seen


LOSSES: dict[str, Callable[[FakeBroker], object]] = {
    "cut": FakeBroker.cut_connections,
    "restarted": FakeBroker.restart,
    "killed": lambda broker: broker.restart(politely=False),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_service_survives_a_loss_and_ends_in_order(
    fakebroker: FakeBroker, lose: Callable[[FakeBroker], object]
) -> None:
    with running_service(fakebroker, stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        jobs = {f"done: {name} {number}\n" for name in "abc" for number in range(10)}
        seen = {service.stdout.readline()}
        lose(fakebroker)
        seen |= read_until_all_came(jobs - seen, service.stdout)
        service.terminate()  # its producers never end by themselves
        seen.update(service.stdout)

    assert 0 == service.returncode
    published = {f"done: {(event.body or b'').decode()}\n" for event in fakebroker.published()}
    waiting = {f"done: {message.body.decode()}\n" for message in fakebroker.messages("jobs")}
    assert published == seen | waiting


def test_service_whose_broker_is_away_ends_at_the_second_signal(fakebroker: FakeBroker) -> None:
    with running_service(fakebroker, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as service:
        assert service.stdout is not None
        assert service.stderr is not None
        service.stdout.readline()  # it works
        fakebroker.shut_down(politely=False)
        logged = service.stderr.readline()
        service.terminate()
        service.send_signal(signal.SIGINT)
        logged += service.stderr.read()

    assert logged.startswith("lost amqp://")
    assert service.returncode in {0, 1}  # 1 if a job was in flight: it is not known, and raised


def test_service_in_which_a_job_has_failed_ends_in_order(fakebroker: FakeBroker) -> None:
    with running_service(fakebroker, stderr=subprocess.PIPE) as service:
        fakebroker.wait_for_consumers("jobs", timeout=30)
        fakebroker.put("jobs", b"\xff")  # no text, so the handler raises
        fakebroker.wait_for_messages("jobs.failed", timeout=30)
        service.terminate()
        _, logged = service.communicate()

    assert 0 == service.returncode
    assert 1 == logged.count("has failed\n")


def test_service_logs_a_job_that_was_not_published(fakebroker: FakeBroker) -> None:
    with (
        fakebroker.faults.nack_publishes(routing_key="jobs", times=1),
        running_service(fakebroker, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as service,
    ):
        assert service.stdout is not None
        read_until_all_came({"done: a 1\n"}, service.stdout)
        service.terminate()
        _, logged = service.communicate()

    assert 0 == service.returncode
    assert 1 == logged.count("a job was not published")


def test_service_whose_handlers_publish_in_vain_ends_in_order(
    fakebroker: FakeBroker, tmp_path: Path
) -> None:
    file = tmp_path / "service.py"
    failing = "raise ammoo.exceptions.PublishNack  # as a publish in the handler may"
    file.write_text(SERVICE.read_text().replace(HANDLED, failing))

    with running_service(fakebroker, file, stderr=subprocess.PIPE) as service:
        fakebroker.wait_for_messages("jobs.failed", timeout=30)
        service.terminate()
        _, logged = service.communicate()

    assert 0 == service.returncode, logged
    assert "has failed\n" in logged


def test_service_whose_queue_is_deleted_fails(fakebroker: FakeBroker) -> None:
    with running_service(fakebroker, stderr=subprocess.PIPE) as service:
        fakebroker.wait_for_consumers("jobs", timeout=30)
        fakebroker.delete_queue("jobs")
        _, logged = service.communicate()

    assert 1 == service.returncode
    assert "ServerCancelledConsumer" in logged
