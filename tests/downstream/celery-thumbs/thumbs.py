"""Thumbnails, made by Celery; a picture whose worker is lost is tried again (acks_late)."""

import os

from celery import Celery

app = Celery("thumbs", broker=os.environ.get("CELERY_BROKER_URL", "amqp://localhost/"))
app.conf.task_acks_late = True
app.conf.worker_prefetch_multiplier = 1
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_cancel_long_running_tasks_on_connection_loss = False

made: list[str] = []


@app.task
def make_thumb(name: str) -> None:
    """Make the thumbnail of a picture."""
    made.append(name)
