"""Tasks that end with the live connection on which they restore something."""

import asyncio
from asyncio import Task
from collections.abc import Coroutine, Iterator
from typing import Any

from ..running_loop import new_task

__all__ = ["BackgroundTasks"]


class BackgroundTasks:
    """The tasks that run beside the caller's while the connection is open.

    Args:
        loop: The event loop.
    """

    __slots__ = ("_loop", "_tasks")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: set[Task[None]] = set()

    def __iter__(self) -> "Iterator[Task[None]]":
        return iter(self._tasks)

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Start a task."""
        self.add(new_task(self._loop, coroutine))

    def add(self, task: "Task[None]") -> None:
        """Keep a task that runs already."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Cancel all tasks: the connection has ended."""
        for task in self._tasks:
            task.cancel()
