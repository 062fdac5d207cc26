"""Starting a task so that a test knows how far it has come."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

__all__ = ["cancel_each", "count_turns", "started", "turn_over"]

_T = TypeVar("_T")


async def turn_over() -> None:
    """Wait until everything that is ready now has had its turn of the loop."""
    loop = asyncio.get_running_loop()
    turn = loop.create_future()
    loop.call_soon(turn.set_result, None)  # behind what is ready
    await turn


def cancel_each(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Ask each task to end; whether it does is not awaited."""
    for task in tasks:
        task.cancel()


async def count_turns(turns: list[None]) -> None:
    """Put something into a list at each turn of the loop, until cancelled."""
    while True:
        await asyncio.sleep(0)
        turns.append(None)


async def started(coroutine: Coroutine[Any, Any, _T]) -> "asyncio.Task[_T]":
    """Start a task, and return it when it has come to where it first waits."""
    task = asyncio.create_task(coroutine)
    await turn_over()
    return task
