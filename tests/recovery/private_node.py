"""RabbitMQs of the test's own, which it kills: by `.ci/rabbitmq`, with a home and ports apart.

AMMOO_TEST_KILL_HOME and AMMOO_TEST_KILL_PORT move them (/tmp/ammoo-killed and 5772).
"""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

__all__ = ["PrivateCluster", "PrivateNode"]

SCRIPT = Path(__file__).parents[2] / ".ci" / "rabbitmq"
PORT = int(os.environ.get("AMMOO_TEST_KILL_PORT", "5772"))
HOME = os.environ.get("AMMOO_TEST_KILL_HOME", "/tmp/ammoo-killed")
WRITE_TABLES = "[dets:sync(Table) || Table <- dets:all()]."


class Script:
    """Runs `.ci/rabbitmq` for a release.

    Args:
        release: Which RabbitMQ, such as "3.10".
    """

    def __init__(self, release: str) -> None:
        variable = f"AMMOO_RABBITMQ_PORT_{release.replace('.', '_')}"
        self._environment = {**os.environ, "AMMOO_RABBITMQ_HOME": HOME, variable: str(PORT)}

    async def run(self, *arguments: str) -> str:
        """Run it, and return what it prints."""
        return await asyncio.to_thread(self._run, arguments)

    def _run(self, arguments: Sequence[str]) -> str:
        return subprocess.run(
            [SCRIPT, *arguments],
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ).stdout


class PrivateNode:
    """Runs while it is entered.

    Args:
        release: As in `Script`.
    """

    def __init__(self, release: str) -> None:
        self.url = f"amqp://guest:guest@127.0.0.1:{PORT}"
        self._release = release
        self._script = Script(release)

    async def __aenter__(self) -> Self:
        await self._script.run("start", self._release)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._script.run("stop", self._release)

    async def kill_and_resume(self, on_listening: Callable[[], None] = lambda: None) -> float:
        """Kill the node and start it again; return when it began to listen (`time.monotonic`).

        RabbitMQ 3.10 writes half a second later which quorum queues it has. One that was declared
        right before the kill never elects a leader again, and its confirmed messages are gone. So
        the node writes its tables first.

        Args:
            on_listening: Called in a thread as soon as the node listens.
        """
        await self._script.run("ctl", self._release, "eval", WRITE_TABLES)
        await self._script.run("kill", self._release)
        resuming = asyncio.create_task(self._script.run("resume", self._release))
        listening = await asyncio.to_thread(_wait_until_it_listens, on_listening)
        await resuming
        return listening


class PrivateCluster:
    """Three nodes, which run while it is entered.

    Args:
        release: As in `Script`.

    Attributes:
        urls: Where the nodes are.
    """

    def __init__(self, release: str) -> None:
        self.urls: list[str] = []
        self._release = release
        self._script = Script(release)

    async def __aenter__(self) -> Self:
        self.urls = (await self._script.run("cluster", "start", self._release)).split()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._script.run("cluster", "stop", self._release)

    def number_of(self, address: str) -> int:
        """Return which node has an address: 1, 2 or 3."""
        ports = [urlsplit(url).port for url in self.urls]
        return 1 + ports.index(urlsplit(address).port)

    async def kill(self, number: int) -> float:
        """Kill a node; return when it was dead (`time.monotonic`)."""
        await self._script.run("kill", f"{self._release}@{number}")
        return time.monotonic()

    async def resume(self, number: int) -> None:
        """Start a node again that was killed."""
        await self._script.run("resume", f"{self._release}@{number}")


def _wait_until_it_listens(on_listening: Callable[[], None]) -> float:
    """Look all the time, from a thread, whether the port is open; give up after two minutes.

    No event of the system tells of it.
    """
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", PORT), 1):
            listening = time.monotonic()
            on_listening()
            return listening
        time.sleep(0.01)
    raise TimeoutError("the node did not listen again")
