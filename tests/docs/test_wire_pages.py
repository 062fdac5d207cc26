"""What README and pages of ammoo-wire show of its commands is what they print, and the proxies work."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest

from ammoo_fakebroker import FakeBroker
from tests.support.programs import running_program

ROOT = Path(__file__).parents[2]
CAPTURES = Path(__file__).with_name("captures")
PAGES = [ROOT / "packages/ammoo-wire/README.md", *sorted(ROOT.glob("docs/wire/*.md"))]
SHOWN = "".join(page.read_text() for page in PAGES)
CONSOLE = re.findall(r"^```console\n\$ (.*)\n((?:.*\n)+?)```$", SHOWN, re.MULTILINE)
FENCED = re.findall(r"^```python\n(.*?)^```", SHOWN, re.MULTILINE | re.DOTALL)
PROXIES = [code for code in FENCED if "serve_forever" in code]
SESSION = next(code for code in FENCED if "Conversation()" in code)


@pytest.mark.parametrize(("command", "output"), CONSOLE, ids=[each[0] for each in CONSOLE])
def test_command_prints_what_is_shown(command: str, output: str) -> None:
    here = command.replace("python", sys.executable, 1)

    run = subprocess.run(
        ["sh", "-c", here], cwd=CAPTURES, capture_output=True, check=True, text=True
    )

    assert run.stdout == output


def test_programs_are_as_short_as_they_are_said_to_be() -> None:
    """A capture prints in under 10 lines; either proxy takes under 25, blank ones left out."""

    def lines(code: str) -> int:
        return len([line for line in code.splitlines() if line.strip()])

    assert lines(SESSION) < 10
    assert [True, True] == [lines(code) < 25 for code in PROXIES]


def test_proxies_read_no_more_while_a_peer_is_slow() -> None:
    assert [1, 1] == [code.count("await target.drain()") for code in PROXIES]


@contextmanager
def proxy(code: str, broker_port: int, tmp_path: Path) -> Iterator[int]:
    """Run a proxy of the site on a free port, and give it."""
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    code = code.replace("5672", str(broker_port)).replace("5673", str(port))
    code = code.replace(
        "await server.serve_forever", "print(flush=True); await server.serve_forever"
    )
    file = tmp_path / "proxy.py"
    file.write_text(code)
    with running_program(sys.executable, file, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield port
        process.kill()


def test_proxy_that_delays_confirms_passes_everything_on(
    fakebroker: FakeBroker, tmp_path: Path
) -> None:
    with (
        proxy(PROXIES[0], fakebroker.port, tmp_path) as port,
        pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port)) as connection,
    ):
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("q")
        channel.basic_publish("", "q", b"body", mandatory=True)

        assert b"body" == channel.basic_get("q", auto_ack=True)[2]


def test_proxy_that_corrupts_the_tenth_frame_is_noticed(
    fakebroker: FakeBroker, tmp_path: Path
) -> None:
    with (
        proxy(PROXIES[1], fakebroker.port, tmp_path) as port,
        pytest.raises(pika.exceptions.AMQPConnectionError),
    ):
        declare_ten_queues(port)


def declare_ten_queues(port: int) -> None:
    """Have the broker send more than ten frames."""
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port)) as connection:
        channel = connection.channel()
        for number in range(10):
            channel.queue_declare(f"q{number}")
