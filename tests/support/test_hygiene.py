"""A test that leaves something behind fails itself, and no other one."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LEAKS = """
import asyncio
import socket


async def test_leaves_a_task_behind():
    global task
    task = asyncio.create_task(asyncio.sleep(60))


def test_innocent_after_a_task():
    pass


async def test_leaves_an_exception_behind():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_innocent_after_an_exception():
    pass


async def fail():
    raise OSError


async def test_forgets_a_task():
    asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_innocent_after_a_forgotten_task():
    pass


class Holder:
    pass


def test_leaves_a_socket_open():
    holder = Holder()
    holder.itself = holder  # only the garbage collector finds it
    holder.socket = socket.socket()


def test_innocent_after_a_socket():
    pass


async def test_leaves_a_transport_open():
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    await asyncio.open_connection(*server.sockets[0].getsockname())
    server.close()  # and no wait_closed: up to 3.13.0 it waits for the very connection


def test_innocent_after_a_transport():
    pass
"""


def test_leak_fails_the_test_it_happens_in(pytester: pytest.Pytester) -> None:
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text("utf-8"))
    pytester.makepyprojecttoml(
        (ROOT / "pyproject.toml").read_text("utf-8").replace('["."]', f'["{ROOT.as_posix()}"]')
    )
    pytester.makepyfile(test_leaks=LEAKS)

    result = pytester.runpytest_subprocess("test_leaks.py")

    summary = [line.split()[1] for line in result.outlines if line.startswith(("FAILED", "ERROR"))]
    assert {
        "test_leaks.py::test_leaves_a_task_behind",
        "test_leaks.py::test_leaves_an_exception_behind",
        "test_leaks.py::test_forgets_a_task",
        "test_leaks.py::test_leaves_a_socket_open",
        "test_leaks.py::test_leaves_a_transport_open",
    } == set(summary)
    result.stdout.fnmatch_lines_random(
        [
            "*leaked task: <Task pending*",
            "*exception in the event loop's handler*",
            "*Task exception was never retrieved*",
            "*unclosed <socket*",
        ]
    )
