"""Celery keeps connections for the whole process: so there is one broker, set before the first test."""

import pytest


@pytest.fixture(scope="session")
def celery_broker(fakebroker_session):
    """The broker that the application is connected to."""
    from thumbs import app

    app.conf.broker_url = fakebroker_session.url
    yield fakebroker_session
    app.close()


@pytest.fixture
def broker(celery_broker):
    """The broker, without what former tests left in it."""
    from thumbs import made

    made.clear()
    celery_broker.declare_queue("celery", durable=True)
    celery_broker.purge_queue("celery")
    return celery_broker


@pytest.fixture
def worker(broker):
    """A worker of the application, in a thread."""
    from celery.contrib.testing.worker import start_worker
    from thumbs import app

    # In a thread, the worker reads only when one of its timers fires: a heartbeat is such a timer.
    beats = {"without_heartbeat": False, "heartbeat_interval": 0.1, "task_events": True}
    with start_worker(app, pool="solo", perform_ping_check=False, **beats):
        yield
