"""The demo from outside: what it says of a server that is not there, or lets nobody in."""

import socket
import subprocess
import sys
from pathlib import Path

from ammoo_fakebroker import FakeBroker

DEMO = Path(__file__).parents[2] / "demo" / "chapter1.py"


def run_demo(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, DEMO, "--url", url],
        capture_output=True,
        check=False,
        text=True,
        timeout=50,
    )


def test_server_that_is_not_there() -> None:
    with socket.socket() as unused:  # bound, but nobody listens
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        finished = run_demo(f"amqp://127.0.0.1:{port}/")

    assert 1 == finished.returncode
    assert finished.stderr.startswith("cannot connect to the RabbitMQ of --url: ")
    assert str(port) in finished.stderr
    assert "Traceback" not in finished.stderr


def test_server_that_lets_nobody_in(fakebroker: FakeBroker) -> None:
    finished = run_demo(fakebroker.url.replace("guest:guest", "guest:wrong"))

    assert 1 == finished.returncode
    assert "check login and password" in finished.stderr
    assert "wrong" not in finished.stderr
    assert "Traceback" not in finished.stderr


def test_all_steps_of_the_demo(fakebroker: FakeBroker) -> None:
    finished = run_demo(fakebroker.url)

    assert 0 == finished.returncode, finished.stderr
    assert finished.stdout.endswith("Done.\n")
