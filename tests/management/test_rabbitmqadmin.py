"""rabbitmqadmin, RabbitMQ's own tool, works on the fake broker.

A RabbitMQ 3.10 serves the script from its management interface, so the test runs in runs that name
such a broker. From 4.1 on the tool is a program of its own.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest

from ammoo_fakebroker import FakeBroker
from tests.management.conftest import api_of_rabbitmq
from tests.support.broker_matrix import legs_of


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask each RabbitMQ 3.10 that was named for the script."""
    legs = [leg for leg in legs_of(metafunc.config) if leg.url and leg.version == "3.10"]
    metafunc.parametrize("url", [leg.url for leg in legs], ids=[leg.name for leg in legs])


@pytest.fixture
def rabbitmqadmin(
    url: str, make_fakebroker: Callable[..., FakeBroker], tmp_path: Path
) -> Callable[..., str]:
    """A function that runs the tool on a fake broker, and returns what it prints."""
    script = tmp_path / "rabbitmqadmin"
    with urlopen(f"{api_of_rabbitmq(url).url}/cli/rabbitmqadmin") as response:
        script.write_bytes(response.read())
    port = make_fakebroker(management_port=0).management_url.rpartition(":")[2]
    command = [sys.executable, str(script), "--host=127.0.0.1", f"--port={port}", "--format=tsv"]

    def run(*arguments: str) -> str:
        finished = subprocess.run(
            [*command, *arguments], capture_output=True, check=True, text=True, timeout=50
        )
        return finished.stdout.strip()

    return run


def test_rabbitmqadmin_declares_publishes_gets_and_lists(
    rabbitmqadmin: Callable[..., str], tmp_path: Path
) -> None:
    definitions = str(tmp_path / "definitions.json")

    assert "exchange declared" == rabbitmqadmin("declare", "exchange", "name=shop", "type=topic")
    assert "queue declared" == rabbitmqadmin("declare", "queue", "name=orders", "durable=true")
    assert "binding declared" == rabbitmqadmin(
        "declare", "binding", "source=shop", "destination=orders", "routing_key=#"
    )
    assert "Message published" == rabbitmqadmin(
        "publish", "exchange=shop", "routing_key=created", "payload=order"
    )
    assert "orders" in rabbitmqadmin("list", "queues", "name").split()
    assert "orders" in rabbitmqadmin("list", "bindings", "destination").split()
    assert "Exported" in rabbitmqadmin("export", definitions)
    assert "queue purged" == rabbitmqadmin("purge", "queue", "name=orders")
    assert "queue deleted" == rabbitmqadmin("delete", "queue", "name=orders")
    assert "Uploaded" in rabbitmqadmin("import", definitions)
    assert "orders" in rabbitmqadmin("list", "queues", "name").split()
