"""The command ``ammoo-fakebroker``: its options, what it prints, and how it fails."""

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pika  # type: ignore[import-untyped]  # it has no types
import pytest

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.__main__ import main
from tests.support.programs import running_program

_COMMAND = [sys.executable, "-m", "ammoo_fakebroker", "--port", "0"]


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run the command, and yield it with the lines of its ready file."""
    with running_program(*_COMMAND, *options, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it listens
        yield process, Path(options[1]).read_text("utf-8").splitlines()
        process.terminate()


def fail(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str]:
    """Run the command in this process; return its exit code and what it complains of."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code, capsys.readouterr().err


def write(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


def test_command_gives_other_languages_a_fixture(tmp_path: Path) -> None:
    faults = write(tmp_path / "faults.toml", '[[fault]]\ndo = "nack_publishes"\ntimes = 1\n')
    options = ["--users", "alice:secret", "--vhosts", "shop", "--faults", faults, "--control"]

    with running("--ready-file", str(tmp_path / "ready"), *options) as (process, places):
        port = urlsplit(places[0]).port
        url = f"amqp://alice:secret@127.0.0.1:{port}/shop"
        with pika.BlockingConnection(pika.URLParameters(url)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.queue_declare("orders")
            with pytest.raises(pika.exceptions.NackError):
                channel.basic_publish("", "orders", b"order 1")

    assert places[1].startswith("http://127.0.0.1:")
    assert 0 == process.returncode
    assert not (tmp_path / "ready").exists()


def test_command_enables_plugins(tmp_path: Path) -> None:
    options = ["--plugins", "rabbitmq_consistent_hash_exchange"]

    with (
        running("--ready-file", str(tmp_path / "ready"), *options) as (_, places),
        pika.BlockingConnection(pika.URLParameters(places[0])) as connection,
    ):
        declared = connection.channel().exchange_declare("ring", "x-consistent-hash")

    assert isinstance(declared.method, pika.spec.Exchange.DeclareOk)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--port", "x"], "'x' is not a whole number"),
        (["--history", "many"], "'many' is not a whole number"),
        (["--heartbeat", "1.5"], "'1.5' is not a whole number"),
        (["--login-pause", "long"], "'long' is not a number"),
        (["--host", ""], "the name is empty; expected an address, such as 0.0.0.0"),
        (["--port", "0", "--vhosts", ""], "--vhosts has an empty name"),
        (
            ["--port", "0", "--ready-file", "nowhere/ready"],
            "cannot write nowhere/ready: No such file or directory",
        ),
    ],
)
def test_mistake_ends_the_command_with_a_sentence(
    capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    code, text = fail(capsys, *options)

    assert 2 == code
    assert complaint in text


def test_definitions_that_are_no_json_are_named_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write(tmp_path / "broken.json", "nonsense")

    code, text = fail(capsys, "--port", "0", "--definitions", path)

    assert 2 == code
    assert "broken.json: the file is not JSON: Expecting value" in text


def test_unknown_plugin_is_refused_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    code, complaint = fail(capsys, "--port", "0", "--plugins", "consistent_hash")

    assert 2 == code
    assert "did you mean 'rabbitmq_consistent_hash_exchange'?" in complaint


def test_command_prints_what_happens_as_json(tmp_path: Path) -> None:
    options = ["--ready-file", str(tmp_path / "ready"), "-v", "--log-format", "json"]

    with running(*options) as (process, places):
        with pika.BlockingConnection(pika.URLParameters(places[0])) as connection:
            connection.channel().queue_declare("orders")
        assert process.stdout is not None
        events = [json.loads(process.stdout.readline()) for _ in range(3)]

    assert ["connection_opened", "channel_opened", "queue_declared"] == [
        event["kind"] for event in events
    ]
    assert "orders" == events[2]["queue_name"]


def test_command_speaks_tls_with_an_authority_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "tls"

    with running("--ready-file", str(tmp_path / "ready"), "--tls-generate", str(folder)) as (
        _,
        places,
    ):
        parameters = pika.URLParameters(places[0])
        context = ssl.create_default_context(cafile=folder / "authority.pem")
        context.load_cert_chain(folder / "client.pem")
        parameters.ssl_options = pika.SSLOptions(context, "localhost")
        pika.BlockingConnection(parameters).close()

    assert places[0].startswith("amqps://")


def test_tls_without_trustme_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)

    code, complaint = fail(capsys, "--port=0", f"--tls-generate={tmp_path}")

    assert 2 == code
    assert (
        "--tls-generate needs trustme; install it with pip install 'ammoo-fakebroker[tls]'\n"
        == complaint
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            '[[fault]]\ndo = "nack_publishes"\n[[fault]]\ndo = "nack_publishes"\ntmies = 2\n',
            "faults.toml, rule 2: nack_publishes has no option 'tmies'; did you mean 'times'?",
        ),
        (
            '[[fault]]\ndo = "nack_publish"\n',
            "faults.toml, rule 1: there is no fault 'nack_publish'; did you mean 'nack_publishes'?",
        ),
        (
            "[[fault]]\ntimes = 2\n",
            "faults.toml, rule 1: a fault needs the key 'do': its name, such as 'nack_publishes'",
        ),
        (
            "fault = [3]\n",
            "faults.toml: 'fault' is [3]; expected [[fault]] tables",
        ),
        (
            '[[fualt]]\ndo = "nack_publishes"\n',
            "faults.toml: 'fualt' is unknown; did you mean '[[fault]]'?",
        ),
        ("[rules]\n", "faults.toml: 'rules' is unknown; it has only [[fault]] tables"),
        (
            '[fault]\ndo = "nack_publishes"\n',
            "faults.toml: [fault] is one table; expected [[fault]]",
        ),
    ],
)
def test_bad_file_of_faults_is_named_with_the_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, complaint: str
) -> None:
    path = write(tmp_path / "faults.toml", text)

    assert (2, f"{complaint}\n") == fail(capsys, "--port=0", f"--faults={path}")


def test_definitions_are_loaded_before_the_broker_is_ready(tmp_path: Path) -> None:
    definitions = {"vhosts": [{"name": "shop"}], "permissions": []}
    path = write(tmp_path / "definitions.json", json.dumps(definitions))

    with running("--ready-file", str(tmp_path / "ready"), "--definitions", path) as (_, places):
        parameters = pika.URLParameters(places[0])
        parameters.virtual_host = "shop"
        with pytest.raises(pika.exceptions.AMQPConnectionError, match="refused for user 'guest'"):
            pika.BlockingConnection(parameters)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("{", "definitions.json"), ('{"users": [{"tags": []}]}', "definitions.json: ")],
)
def test_bad_definitions_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, complaint: str
) -> None:
    path = write(tmp_path / "definitions.json", text)

    code, printed = fail(capsys, "--port=0", f"--definitions={path}")

    assert 2 == code
    assert complaint in printed


def test_file_that_is_no_toml_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "faults.toml", "[[fault")

    code, complaint = fail(capsys, "--port=0", f"--faults={path}")

    assert 2 == code
    assert complaint.startswith("faults.toml: ")


def test_file_that_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "faults.toml"

    assert (2, f"{path}: No such file or directory\n") == fail(
        capsys, "--port=0", f"--faults={path}"
    )


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("--heartbeat=-1", "heartbeat is -1; expected an integer from 0 (none) to 65535"),
        ("--users=alice", "'alice' has no colon; expected NAME:PASSWORD"),
        ("--users=:secret", "':secret' has no name; expected NAME:PASSWORD"),
        ("--history=-1", "-1 is negative; expected how many events to keep"),
        ("--management-port=70000", "port is 70000; expected 0 to 65535"),
    ],
)
def test_unsuitable_option_is_named_with_what_is_expected(
    capsys: pytest.CaptureFixture[str], option: str, complaint: str
) -> None:
    code, printed = fail(capsys, "--port=0", option)

    assert 2 == code
    assert complaint in printed


# -- ready -------------------------------------------------------------------------------------


def test_ready_returns_when_a_broker_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeBroker() as broker:
        main(["ready", broker.url, "--timeout", "30"])

    assert f"ready: amqp://127.0.0.1:{broker.port}\n" == capsys.readouterr().out


def test_ready_fails_when_no_broker_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeBroker() as broker:
        url = broker.url

    code, complaint = fail(capsys, "ready", url, "--timeout", "0")

    assert 1 == code
    assert f"no broker answered at 127.0.0.1:{broker.port} within 0 s: " in complaint


@pytest.mark.parametrize(
    "url", ["http://localhost", "amqp://localhost:x", "amqp://localhost:70000"]
)
def test_ready_needs_an_amqp_url(capsys: pytest.CaptureFixture[str], url: str) -> None:
    code, complaint = fail(capsys, "ready", url)

    assert 2 == code
    assert complaint.startswith(f"URL is {url!r}; expected amqp://host:port")


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
def test_ready_needs_a_time_that_ends(capsys: pytest.CaptureFixture[str], seconds: str) -> None:
    code, complaint = fail(capsys, "ready", "amqp://localhost", f"--timeout={seconds}")

    assert 2 == code
    assert f"{seconds} is not a time to wait; expected a number of seconds from 0 on" in complaint


def test_taken_management_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeBroker() as broker:
        code, complaint = fail(capsys, "--port=0", f"--management-port={broker.port}")

    assert 1 == code
    place = f"the management interface cannot listen on 127.0.0.1, port {broker.port}: "
    assert complaint.startswith(place)
    assert complaint.endswith("; use --management-port 0 to take a free one\n")
    assert 1 == complaint.count(str(broker.port))
