"""Celery, unmodified, with its worker in a thread; see test_celery_worker for one of its own."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import celery.exceptions  # type: ignore[import-untyped]  # it ships no types
import kombu.pools
import pytest
from celery import Celery, chain, chord, group
from celery.contrib.testing.worker import start_worker  # type: ignore[import-untyped]  # no types
from celery.exceptions import Reject
from kombu import Exchange, Queue

Worker = Callable[..., AbstractContextManager[None]]

SECONDS = 30

QUICK = {
    "perform_ping_check": False,
    "shutdown_timeout": 50,
    # Its loop overlooks that it shall end, and what it has already read off the socket (on RabbitMQ
    # as well), until the next timer is due; sending heartbeats sets one.
    "without_heartbeat": False,
    "heartbeat_interval": 0.1,
    "task_events": True,
}


def task(app: Celery, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Give a task to this application only: by default each one of the process gets it."""
    decorator: Callable[[Callable[..., Any]], Any] = app.task(shared=False, **options)
    return decorator


@pytest.fixture
def app(url: str) -> Iterator[Celery]:
    app = Celery("interop", broker=url, backend="rpc://", set_as_current=False)

    @task(app, name="add")
    def add(x: int, y: int) -> int:
        return x + y

    with app:
        yield app
        # Closing the application leaves the connection that results come through.
        if app.backend.result_consumer._connection is not None:
            app.backend.result_consumer.stop()
    # It also leaves its pool, by URL: another test's broker may get the same port.
    kombu.pools.reset()


@pytest.fixture
def worker(app: Celery) -> Worker:
    @contextmanager
    def run(**options: Any) -> Iterator[None]:
        with start_worker(app, **{**QUICK, **options}):
            yield

    return run


def test_result_comes_back(app: Celery, worker: Worker) -> None:
    with worker():
        results = [app.send_task("add", (number, 1)) for number in range(20)]

        assert [number + 1 for number in range(20)] == [r.get(timeout=SECONDS) for r in results]


def test_failure_comes_back(app: Celery, worker: Worker) -> None:
    @task(app)
    def fail() -> None:
        raise KeyError("missing")

    with worker():
        failure = fail.delay()

        with pytest.raises(KeyError, match="missing"):
            failure.get(timeout=SECONDS)
        assert "FAILURE" == failure.state


def test_state_of_a_task_that_reports_progress(app: Celery, worker: Worker) -> None:
    seen = []

    @task(app, bind=True)
    def work(self: Any) -> str:
        self.update_state(state="PROGRESS", meta={"done": 50})
        return "all"

    with worker():
        work.delay().get(timeout=SECONDS, on_message=lambda body: seen.append(body["status"]))

    assert ["PROGRESS", "SUCCESS"] == seen


def fail_twice(self: Any) -> int:
    """Return how often the task was tried again, once that is twice."""
    retries: int = self.request.retries
    if retries < 2:
        raise OSError("not yet")
    return retries


def test_failing_task_is_tried_again(app: Celery, worker: Worker) -> None:
    options = {"autoretry_for": (OSError,), "default_retry_delay": 0.01, "max_retries": 3}
    third_time_lucky = task(app, bind=True, **options)(fail_twice)

    with worker():
        assert 2 == third_time_lucky.delay().get(timeout=SECONDS)


def test_retries_end(app: Celery, worker: Worker) -> None:
    @task(app, bind=True, default_retry_delay=0.01, max_retries=2)
    def never_lucky(self: Any) -> None:
        raise self.retry(exc=OSError("never"))

    with worker(), pytest.raises(OSError, match="never"):
        never_lucky.delay().get(timeout=SECONDS)


def test_task_does_not_run_before_it_is_due(app: Celery, worker: Worker) -> None:
    @task(app)
    def look_at_the_clock() -> float:
        return time.time()

    with worker():
        due = datetime.now(UTC) + timedelta(seconds=0.2)
        ran = look_at_the_clock.apply_async(eta=due).get(timeout=SECONDS)

    assert ran >= due.timestamp()


def test_chain_and_group(app: Celery, worker: Worker) -> None:
    add = app.tasks["add"]

    with worker():
        assert 10 == chain(add.s(1, 2), add.s(3), add.s(4))().get(timeout=SECONDS)
        assert [3, 7] == group(add.s(1, 2), add.s(3, 4))().get(timeout=SECONDS)


def test_chord_is_unlocked_through_the_broker(url: str) -> None:
    """The backend must count: rpc:// cannot. Its unlocking task is retried until all are done."""
    app = Celery("interop", broker=url, backend="cache+memory://", set_as_current=False)
    app.conf.result_chord_retry_interval = 0.05

    @task(app)
    def square(x: int) -> int:
        return x * x

    @task(app)
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    with app, start_worker(app, **QUICK):
        result = chord(square.s(x) for x in range(4))(total.s())

        assert 14 == result.get(timeout=SECONDS)


def test_chord_without_a_counting_backend_is_refused(app: Celery) -> None:
    add = app.tasks["add"]

    with pytest.raises(NotImplementedError, match="does not support chords"):
        chord([add.s(1, 2)])(add.s(3))


def test_more_urgent_tasks_run_first(app: Celery, worker: Worker) -> None:
    app.conf.task_queue_max_priority = 10
    app.conf.worker_prefetch_multiplier = 1
    app.conf.task_acks_late = True
    order = []

    @task(app)
    def note(priority: int) -> None:
        order.append(priority)

    results = [note.apply_async((priority,), priority=priority) for priority in (1, 9, 5, 0, 9)]
    with worker():
        assert [None] * 5 == [result.get(timeout=SECONDS) for result in results]

    assert [9, 9, 5, 1, 0] == order


def test_routing_by_topic(app: Celery, worker: Worker) -> None:
    media = Exchange("media", "topic")
    app.conf.task_queues = [
        Queue("images", media, routing_key="media.image.#"),
        Queue("videos", media, routing_key="media.video.#"),
    ]

    @task(app, bind=True)
    def convert(self: Any) -> tuple[str, str]:
        delivered = self.request.delivery_info
        return delivered["exchange"], delivered["routing_key"]

    with app.connection_for_write() as connection:
        app.amqp.queues["images"](connection).declare()
    with worker(queues=["videos"]):
        video = convert.apply_async(exchange="media", routing_key="media.video.mp4")
        convert.apply_async(exchange="media", routing_key="media.image.png")

        assert ["media", "media.video.mp4"] == video.get(timeout=SECONDS)
    with app.connection_for_read() as connection:
        image = connection.default_channel.basic_get("images", no_ack=True)
    assert convert.name == image.headers["task"]


def test_rejected_task_is_dead_lettered(app: Celery, worker: Worker) -> None:
    letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    app.conf.task_queues = [Queue("celery", queue_arguments=letters)]

    @task(app, acks_late=True)
    def refuse() -> None:
        raise Reject("no thanks", requeue=False)

    with app.connection_for_read() as connection, connection.SimpleQueue("dead") as dead:
        with worker():
            refuse.delay()
            letter = dead.get(timeout=SECONDS)
        letter.ack()

    assert refuse.name == letter.headers["task"]
    assert ("celery", "rejected") == (
        letter.headers["x-death"][0]["queue"],
        letter.headers["x-death"][0]["reason"],
    )


def test_revoked_task_does_not_run(app: Celery, worker: Worker) -> None:
    with worker():
        app.control.revoke("never-to-run", reply=True, timeout=SECONDS, limit=1)
        revoked = app.send_task("add", (1, 2), task_id="never-to-run")

        with pytest.raises(celery.exceptions.TaskRevokedError):
            revoked.get(timeout=SECONDS)


def test_worker_answers_its_remote_control(app: Celery, worker: Worker) -> None:
    with worker(hostname="worker@here"):
        inspect = app.control.inspect(destination=["worker@here"], timeout=SECONDS, limit=1)

        assert [{"worker@here": {"ok": "pong"}}] == app.control.ping(timeout=SECONDS, limit=1)
        assert "add" in inspect.registered()["worker@here"]
        assert ["celery"] == [q["name"] for q in inspect.active_queues()["worker@here"]]
        assert {} == (app.control.inspect(["nobody@here"], timeout=0.1).ping() or {})


def test_worker_is_given_and_relieved_of_a_queue(app: Celery, worker: Worker) -> None:
    with worker():
        given = app.control.add_consumer("more", reply=True, timeout=SECONDS, limit=1)
        result = app.send_task("add", (1, 2), queue="more")
        assert 3 == result.get(timeout=SECONDS)
        relieved = app.control.cancel_consumer("more", reply=True, timeout=SECONDS, limit=1)

    assert ["add consumer more", "no longer consuming from more"] == [
        next(iter(answers[0].values()))["ok"] for answers in (given, relieved)
    ]


def test_quorum_queues_delay_natively(app: Celery, worker: Worker) -> None:
    """28 exchanges and queues, whose times to live are the bits of the delay."""
    app.conf.task_default_queue_type = "quorum"
    app.conf.task_default_exchange_type = "topic"
    app.conf.broker_transport_options = {"confirm_publish": True}

    @task(app, bind=True)
    def where_from(self: Any) -> list[str]:
        return [death["queue"] for death in self.request.headers["x-death"]]

    with worker():
        queues = where_from.apply_async(countdown=2).get(timeout=SECONDS)

    assert all(queue.startswith("celery_delayed_") for queue in queues)
    assert queues
