"""Errors of a test's functions are passed on, but for those that end the program."""

from asyncio import CancelledError
from concurrent.futures import ThreadPoolExecutor

import pytest

from ammoo_fakebroker.function_errors import ErrorsPassedTo


@pytest.mark.parametrize(
    "kind", [ValueError, StopIteration, CancelledError, GeneratorExit, pytest.fail.Exception]
)
def test_errors_are_passed_on(kind: type[BaseException]) -> None:
    received: list[BaseException] = []
    error = kind("by the test")

    with ErrorsPassedTo(received.append):
        raise error

    assert [error] == received


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_leaves_the_block_in_the_main_thread(
    kind: type[BaseException],
) -> None:
    received: list[BaseException] = []

    with pytest.raises(kind), ErrorsPassedTo(received.append):
        raise kind

    assert [] == received


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_in_other_threads_they_are_passed_on_too(kind: type[BaseException]) -> None:
    received: list[BaseException] = []
    error = kind("by the test")

    def fail() -> None:
        with ErrorsPassedTo(received.append):
            raise error

    with ThreadPoolExecutor() as threads:
        threads.submit(fail).result()

    assert [error] == received
