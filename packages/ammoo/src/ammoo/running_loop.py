"""Making sure that a connection is used in its own event loop, and starting its tasks there.

Nothing of asyncio is safe to call from another thread. Without this check a message would be
queued and perhaps sent, before asyncio notices, or nothing would happen at all.
"""

from asyncio import AbstractEventLoop, Task, _get_running_loop
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["new_task", "require_loop"]

_ResultT = TypeVar("_ResultT")


def require_loop(loop: AbstractEventLoop) -> None:
    """Raise unless a loop is the one that runs here.

    Raises:
        RuntimeError: Another loop runs here, or none does.
    """
    running = _get_running_loop()
    if running is not loop:
        here = "no event loop runs here" if running is None else "another event loop runs here"
        raise RuntimeError(
            f"the connection belongs to the event loop in which it was made, and {here}; from"
            " another thread, call asyncio.run_coroutine_threadsafe(coroutine, loop); in another"
            " loop, connect again. Nothing was sent"
        )


def new_task(loop: AbstractEventLoop, coroutine: Coroutine[Any, Any, _ResultT]) -> "Task[_ResultT]":
    """Return a task that begins in the next turn of the loop.

    A program's task factory may start tasks at once (`asyncio.eager_task_factory`): such a task
    would run in the middle of what the client does without an await. So this function does not use
    the task factory, which therefore does not see these tasks. Tasks that may begin at once are made
    with the factory.
    """
    return Task(coroutine, loop=loop)
