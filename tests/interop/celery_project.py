"""A Celery project as its users have them; test_celery_worker runs ``celery worker`` on it."""

import os

from celery import Celery, Task  # type: ignore[import-untyped]  # it ships no types
from kombu import Exchange, Queue
from kombu.common import Broadcast

app = Celery("project", broker=os.environ["BROKER_URL"], backend=os.environ["RESULT_BACKEND"])
app.conf.task_queues = [
    Queue("celery", Exchange("celery"), routing_key="celery"),
    Broadcast("everybody"),
]
app.conf.task_routes = {"report": {"queue": "everybody"}}
app.conf.result_chord_retry_interval = 0.1


@app.task(name="add")  # type: ignore[untyped-decorator]  # Celery ships no types
def add(x: int, y: int) -> int:
    return x + y


@app.task(name="total")  # type: ignore[untyped-decorator]  # Celery ships no types
def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task(name="report", bind=True, ignore_result=True)  # type: ignore[untyped-decorator]  # the same
def report(self: Task) -> None:
    """Tell each worker to tell its name."""
    self.app.send_task("reported", (self.request.hostname,), queue="reports")
