"""Watch every event loop of the process for what a test must not leave behind.

An exception that ends up in a loop's handler is only logged, and a task that is still pending
when its loop is closed is silently cancelled; both are faults of the test that ran, or of what
it tested. Loops in other threads count as well: the fake broker has one.
"""

import asyncio
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from unittest import mock


class Hygiene:
    """While entered, collect complaints about all event loops.

    Attributes:
        complaints: A text for each fault, in the order they were met.
    """

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self._patches = [
            mock.patch.object(asyncio.BaseEventLoop, "call_exception_handler", self._exception()),
            mock.patch.object(asyncio.Runner, "close", self._runner_close()),
        ]

    def __enter__(self) -> Self:
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for patch in self._patches:
            patch.stop()

    def _exception(self) -> Any:
        def call_exception_handler(
            loop: asyncio.AbstractEventLoop, context: dict[str, Any]
        ) -> None:
            self.complaints.append(f"exception in the event loop's handler: {_show(context)}")

        return call_exception_handler

    def _runner_close(self) -> Any:
        original = asyncio.Runner.close

        def close(runner: asyncio.Runner) -> None:
            # Nobody will run these any more: closing the runner cancels them.
            with suppress(RuntimeError):  # it was closed before, and has no loop
                self.complaints += [
                    f"leaked task: {task!r}" for task in asyncio.all_tasks(runner.get_loop())
                ]
            original(runner)

        return close


def _show(context: dict[str, Any]) -> str:
    exception = context.get("exception")
    lines = [f"{key}={value!r}" for key, value in context.items()]
    if isinstance(exception, BaseException):
        lines += traceback.format_exception(exception)
    return "\n".join(lines)
