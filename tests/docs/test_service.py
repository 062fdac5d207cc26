"""The service of docs/examples works off everything, also across a loss, and ends when it is told to."""

import os
import subprocess
import sys
from pathlib import Path

from ammoo_fakebroker import FakeBroker

SERVICE = Path(__file__).parents[2] / "docs/examples/service.py"


def test_service_survives_a_loss_and_ends_in_order(fakebroker: FakeBroker) -> None:
    with subprocess.Popen(
        [sys.executable, SERVICE],
        env={**os.environ, "AMQP_URL": fakebroker.url},
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdout is not None
        jobs = {f"done: {name} {number}\n" for name in "abc" for number in range(10)}
        jobs.discard(service.stdout.readline())
        fakebroker.cut_connections()
        while jobs:
            jobs.discard(service.stdout.readline())
        while left(fakebroker):  # what was not acknowledged before the loss comes again
            pass
        service.terminate()
        service.stdout.read()

    assert 0 == service.returncode
    assert 0 == left(fakebroker)


def left(broker: FakeBroker) -> int:
    """Return how many jobs are in the queue, or with the service."""
    queue = broker.queue("jobs")
    return queue.message_count + queue.unacknowledged_count
