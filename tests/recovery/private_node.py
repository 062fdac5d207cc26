"""A RabbitMQ of the test's own, which it kills: by `.ci/rabbitmq`, with a home and a port apart.

AMMOO_TEST_KILL_HOME and AMMOO_TEST_KILL_PORT move them (/tmp/ammoo-killed and 5772).
"""

import asyncio
import os
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

__all__ = ["PrivateNode"]

SCRIPT = Path(__file__).parents[2] / ".ci" / "rabbitmq"
PORT = int(os.environ.get("AMMOO_TEST_KILL_PORT", "5772"))


class PrivateNode:
    """Runs while it is entered.

    Args:
        release: Which RabbitMQ, such as "3.10".
    """

    def __init__(self, release: str) -> None:
        self._release = release
        self.url = f"amqp://guest:guest@127.0.0.1:{PORT}"
        variable = f"AMMOO_RABBITMQ_PORT_{release.replace('.', '_')}"
        home = os.environ.get("AMMOO_TEST_KILL_HOME", "/tmp/ammoo-killed")
        self._environment = {**os.environ, "AMMOO_RABBITMQ_HOME": home, variable: str(PORT)}

    def _run(self, verb: str) -> None:
        subprocess.run(
            [SCRIPT, verb, self._release], env=self._environment, check=True, capture_output=True
        )

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._run, "start")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.to_thread(self._run, "stop")

    async def kill_and_resume(self) -> float:
        """Kill the node and start it again; return when it began to listen (`time.monotonic`)."""
        await asyncio.to_thread(self._run, "kill")
        resuming = asyncio.create_task(asyncio.to_thread(self._run, "resume"))
        listening = await asyncio.to_thread(_wait_until_it_listens)
        await resuming
        return listening


def _wait_until_it_listens() -> float:
    """Look all the time, from a thread, whether the port is open; give up after two minutes."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", PORT), 1):
            return time.monotonic()
        time.sleep(0.01)
    raise TimeoutError("the node did not listen again")
