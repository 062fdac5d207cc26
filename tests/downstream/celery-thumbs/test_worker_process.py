"""A worker in a process of its own consumes again when the broker has cancelled its consumer."""

import subprocess
import sys

import pytest
from thumbs import make_thumb


@pytest.fixture
def worker_process(broker):
    """A worker as in production, whose event loop runs: it loses a cancel that comes before."""
    celery = [sys.executable, "-m", "celery", "--app", "thumbs", "--broker", broker.url]
    options = ["--pool", "solo", "--without-mingle", "--without-gossip"]
    with subprocess.Popen([*celery, "worker", *options]) as process:
        try:
            mark = broker.mark()
            broker.published(routing_key="worker.heartbeat", since=mark).wait(1, timeout=60)
            yield process
        finally:
            process.terminate()


def test_worker_consumes_again_when_its_consumer_was_cancelled(broker, worker_process):
    mark = broker.mark()
    broker.cancel_consumer(queue_name="celery")
    make_thumb.delay("first.png")
    broker.acknowledged(queue_name="celery", since=mark).wait(1, timeout=60)
