"""Cancellation exactly where a coroutine waits for something, or after some turns of the loop."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from itertools import count
from types import coroutine
from typing import Any

__all__ = ["cancelled_after", "cancelled_at"]


async def cancelled_at(point: int, operation: Coroutine[Any, Any, Any]) -> bool:
    """Run a coroutine in a task of its own, and cancel that at one of the points where it waits.

    Args:
        point: How often it has waited before; 0 for the first time.
        operation: What to run. It may raise nothing but the cancellation.

    Returns:
        False if it was over before it came to the point.
    """
    task = asyncio.create_task(_run(point, operation))
    await asyncio.wait({task})
    if task.cancelled():
        return True
    task.result()
    return False


async def cancelled_after(turns: int, operation: Coroutine[Any, Any, Any]) -> bool:
    """The same after some turns of the loop, wherever it is then: an answer may be on its way."""
    task = asyncio.create_task(operation)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    if task.cancelled():
        return True
    task.result()
    return False


async def _run(point: int, operation: Coroutine[Any, Any, Any]) -> None:
    await _stepwise(point, operation)


@coroutine
def _stepwise(point: int, operation: Coroutine[Any, Any, Any]) -> Generator[Any, Any, None]:
    """Do what ``await`` does, and know where it is."""
    steps = operation.__await__()
    resume: Callable[[], Any] = partial(next, steps)
    for number in count():
        try:
            awaited = resume()
        except StopIteration:
            return
        if number == point:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        try:
            yield awaited
            resume = partial(next, steps)
        except BaseException as error:  # noqa: BLE001  it is thrown on
            resume = partial(steps.throw, error)
