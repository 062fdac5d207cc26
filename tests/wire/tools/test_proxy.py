"""``python -m ammoo_wire proxy``: in a process of its own, between plain sockets.

Each test is a client and a broker that say a few words; what is shown of them is compared.
"""

import json
import signal
import socket
import ssl
import subprocess
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import trustme

from ammoo_wire import (
    BasicPublishParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    encode_command,
    encode_heartbeat,
    encode_protocol_header,
)
from ammoo_wire.__main__ import main
from ammoo_wire.tools.proxy import Address, parse_address
from tests.support.programs import running_program

HEADER = encode_protocol_header()
DECLARE = encode_command(1, QueueDeclareParameters("q"))
DECLARE_OK = encode_command(1, QueueDeclareOkParameters("q", 0, 0))
OTHER_OK = encode_command(1, QueueDeclareOkParameters("another", 5, 5))
SESSION_TEXT = [
    "client: channel 1 queue.declare queue_name='q'",
    "server: channel 1 queue.declare-ok queue_name='q' message_count=0 consumer_count=0"
    + " (answers #0)",
    "the client stopped writing",
    "the server stopped writing",
]
LOOPBACK = "127.0.0.1"


class Proxy:
    """A running proxy.

    Attributes:
        port: Where it listens, if it does.
    """

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self._process = process
        self.port = port

    def connect(self) -> socket.socket:
        """Connect to it, as a client."""
        return socket.create_connection((LOOPBACK, self.port), timeout=20)

    def lines(self, count: int) -> list[str]:
        """Wait for lines of what it shows; give them without connection, time and number."""
        return [_words(_output(self._process).readline()) for _ in range(count)]

    def stop(self) -> list[str]:
        """Interrupt it; give the rest of what it shows."""
        self._process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> list[str]:
        """Wait for its end; give the rest of what it shows."""
        rest = [_words(line) for line in _output(self._process)]
        assert 0 == self._process.wait()
        return rest


def _output(process: "subprocess.Popen[str]") -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def _words(line: str) -> str:
    return line.rstrip().partition("] ")[2].partition("#")[2].partition(" ")[2] or line[4:].rstrip()


@contextmanager
def running(*arguments: str, listens: bool = True) -> Iterator[Proxy]:
    """Run the command."""
    command = [sys.executable, "-m", "ammoo_wire", "proxy", *arguments]
    with running_program(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        port = int(process.stderr.readline().rpartition(":")[2]) if listens else 0
        try:
            yield Proxy(process, port)
        finally:
            process.send_signal(signal.SIGINT)  # it may have ended


@pytest.fixture
def broker() -> Iterator[socket.socket]:
    """A socket that listens, as a broker's."""
    with socket.create_server((LOOPBACK, 0)) as server:
        server.settimeout(20)
        yield server


def address_of(server: socket.socket) -> str:
    return f"{LOOPBACK}:{server.getsockname()[1]}"


def read_exactly(peer: socket.socket, octets: bytes) -> bytes:
    """Read as many octets as these are."""
    found = b""
    while len(found) < len(octets):
        found += peer.recv(len(octets) - len(found))
    return found


def hold_session(proxy: Proxy, server: socket.socket) -> None:
    """Declare a queue through the proxy, and leave."""
    with proxy.connect() as client:
        peer, _ = server.accept()
        with peer:
            client.sendall(DECLARE)
            assert DECLARE == read_exactly(peer, DECLARE)
            peer.sendall(DECLARE_OK)
            assert DECLARE_OK == read_exactly(client, DECLARE_OK)
            client.shutdown(socket.SHUT_WR)
            assert b"" == peer.recv(1)


# --- passing on ---


def test_what_passes_is_passed_on_and_shown(broker: socket.socket) -> None:
    with running(f"{LOOPBACK}:0", address_of(broker)) as proxy:
        hold_session(proxy, broker)

        assert SESSION_TEXT == proxy.lines(4)
        assert [] == proxy.stop()


def test_what_passes_is_shown_as_json(broker: socket.socket) -> None:
    with running(f"{LOOPBACK}:0", address_of(broker), "--json") as proxy:
        hold_session(proxy, broker)
        shown = [json.loads(_output(proxy._process).readline()) for _ in range(4)]

    assert ["queue.declare", "queue.declare-ok", None, None] == [each.get("name") for each in shown]
    assert {"connection": 1, "note": "the server stopped writing"} == shown[3]


def test_octets_that_are_no_frames_are_passed_on_too(broker: socket.socket) -> None:
    with (
        running(f"{LOOPBACK}:0", address_of(broker)) as proxy,
        proxy.connect() as client,
    ):
        peer, _ = broker.accept()
        with peer:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")

            assert b"GET / HTTP/1.1\r\n\r\n" == read_exactly(peer, b"GET / HTTP/1.1\r\n\r\n")
        assert proxy.lines(1)[0].startswith("client: broken frame: FRAME_ERROR")


def test_several_connections_are_kept_apart(broker: socket.socket) -> None:
    with running(f"{LOOPBACK}:0", address_of(broker)) as proxy:
        hold_session(proxy, broker)
        hold_session(proxy, broker)

        assert SESSION_TEXT * 2 == proxy.lines(8)


def test_broker_that_is_not_there_is_told(broker: socket.socket) -> None:
    address = address_of(broker)
    broker.close()
    with running(f"{LOOPBACK}:0", address) as proxy, proxy.connect() as client:
        assert b"" == client.recv(1)
        assert proxy.lines(1)[0].startswith(f"cannot connect to {address}: ")


def test_interruption_ends_open_connections(broker: socket.socket) -> None:
    with (
        running(f"{LOOPBACK}:0", address_of(broker)) as proxy,
        proxy.connect() as client,
    ):
        peer, _ = broker.accept()
        with peer:
            client.sendall(DECLARE)
            read_exactly(peer, DECLARE)

            assert proxy.stop() == SESSION_TEXT[:1]
            assert b"" == client.recv(1)


def test_tls_may_be_on_either_side(tmp_path: Path, broker: socket.socket) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert(LOOPBACK)
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    options = ["--cert", str(tmp_path / "cert.pem"), "--target-ca", str(tmp_path / "ca.pem")]
    with running(f"{LOOPBACK}:0", f"amqps://{address_of(broker)}", *options) as proxy:
        plain = proxy.connect()
        with client_tls.wrap_socket(plain, server_hostname=LOOPBACK) as client:
            accepted, _ = broker.accept()
            with server_tls.wrap_socket(accepted, server_side=True) as peer:
                client.sendall(DECLARE)
                assert DECLARE == read_exactly(peer, DECLARE)
                peer.sendall(DECLARE_OK)
                assert DECLARE_OK == read_exactly(client, DECLARE_OK)

        assert proxy.lines(2) == SESSION_TEXT[:2]


# --- recordings ---


@pytest.fixture
def recording(tmp_path: Path, broker: socket.socket) -> Path:
    """A session, recorded."""
    path = tmp_path / "recording"
    with running(f"{LOOPBACK}:0", address_of(broker), "--record", str(path)) as proxy:
        hold_session(proxy, broker)
        proxy.lines(4)
        assert [] == proxy.stop()
    return path


def test_recording_is_decoded_as_it_was_shown(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["decode", str(recording)])

    assert SESSION_TEXT == [_words(line) for line in capsys.readouterr().out.splitlines()]


def test_recording_plays_the_broker(recording: Path) -> None:
    with (
        running(f"{LOOPBACK}:0", "-", "--replay", str(recording)) as proxy,
        proxy.connect() as client,
    ):
        client.sendall(encode_heartbeat() + DECLARE)

        assert DECLARE_OK == read_exactly(client, DECLARE_OK)
        client.shutdown(socket.SHUT_WR)
        assert [
            "client: heartbeat",
            SESSION_TEXT[0],
            SESSION_TEXT[1].replace("#0", "#1"),
        ] == proxy.lines(3)


def test_recording_plays_the_client(recording: Path, broker: socket.socket) -> None:
    """What the broker answers need not be the same."""
    arguments = ("-", address_of(broker), "--replay", str(recording))
    with running(*arguments, listens=False) as proxy:
        peer, _ = broker.accept()
        with peer:
            assert DECLARE == read_exactly(peer, DECLARE)
            peer.sendall(OTHER_OK)
        shown = proxy.end()

    assert [
        SESSION_TEXT[0],
        "server: channel 1 queue.declare-ok queue_name='another' message_count=5"
        + " consumer_count=5 (answers #0)",
        "the server stopped writing",
    ] == shown


def test_client_that_leaves_too_soon_is_told(recording: Path) -> None:
    with running(f"{LOOPBACK}:0", "-", "--replay", str(recording)) as proxy:
        with proxy.connect() as client:
            client.sendall(HEADER[:4])

        assert [
            "the client stopped writing",
            "the client left before the recording's end",
        ] == proxy.lines(2)


def test_replay_to_a_broker_may_be_interrupted(recording: Path, broker: socket.socket) -> None:
    arguments = ("-", address_of(broker), "--replay", str(recording))
    with running(*arguments, listens=False) as proxy:
        peer, _ = broker.accept()
        with peer:
            assert DECLARE == read_exactly(peer, DECLARE)
            assert proxy.stop() == SESSION_TEXT[:1]


# --- memory ---


def pass_through(client: socket.socket, peer: socket.socket, octets: bytes, *, times: int) -> None:
    """Send octets at one end and read them at the other, so often."""
    for _ in range(times):
        client.sendall(octets)
        read_exactly(peer, octets)


def test_memory_does_not_grow_with_what_passes(broker: socket.socket) -> None:
    """200 MiB pass through a proxy that may take 150 MiB of address space more than it has."""
    publish = encode_command(1, BasicPublishParameters("", "q"), None, bytes(1 << 20))
    with (
        running(f"{LOOPBACK}:0", address_of(broker), "--max-body", "100") as proxy,
        proxy.connect() as client,
    ):
        peer, _ = broker.accept()
        with peer:
            client.sendall(publish)
            read_exactly(peer, publish)
            before = resident(proxy._process.pid)
            pass_through(client, peer, publish, times=50)

            assert resident(proxy._process.pid) - before < 16 << 20


def resident(pid: int) -> int:
    """Tell how much memory a process has, in octets."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


# --- addresses ---


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("host:1", Address("host", 1, False)),
        (":1", Address("127.0.0.1", 1, False)),
        ("host", Address("host", 5672, False)),
        ("[::1]:0", Address("::1", 0, False)),
        ("amqp://host", Address("host", 5672, False)),
        ("amqps://host", Address("host", 5671, True)),
        ("amqps://guest:guest@host:1/", Address("host", 1, True)),
    ],
)
def test_address_is_a_host_and_a_port_or_a_url(text: str, address: Address) -> None:
    assert address == parse_address(text)


@pytest.mark.parametrize("text", ["host:x", "http://host", "host:65536"])
def test_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError) as caught:
        parse_address(text)

    assert f"{text!r} is no address; expected host:port, amqp://host:port or amqps://host:port" == (
        str(caught.value)
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([":0"], "a proxy needs LISTEN and TARGET; one of them may be - with --replay"),
        (["-", "h"], "a proxy needs LISTEN and TARGET; one of them may be - with --replay"),
    ],
)
def test_proxy_without_both_ends_is_an_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    assert 1 == main(["proxy", *arguments])
    assert f"python -m ammoo_wire proxy: {text}\n" == capsys.readouterr().err


def test_address_that_is_taken_is_an_error(
    capsys: pytest.CaptureFixture[str], broker: socket.socket
) -> None:
    assert 1 == main(["proxy", address_of(broker), "h"])
    assert "address already in use" in capsys.readouterr().err
