"""Starting and stopping: in the running loop, in a thread, with clients that misbehave."""

import asyncio
import copy
import os
import pickle
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import aio_pika
import pytest
import trustme

from ammoo_fakebroker import FakeBroker, ManualClock
from ammoo_fakebroker.__main__ import main
from ammoo_fakebroker.auth.users import Permissions
from tests.support.programs import running_program

HEADER = b"AMQP\x00\x00\x09\x01"


def knock(broker: FakeBroker) -> socket.socket:
    """Connect, and wait for connection.start."""
    client = socket.create_connection((broker.host, broker.port), timeout=10)
    client.sendall(HEADER)
    assert client.recv(65536)
    return client


def drain(client: socket.socket) -> bytes:
    """Read until the broker closes."""
    octets = b""
    with client, suppress(ConnectionError):
        while piece := client.recv(65536):
            octets += piece
    return octets


async def pass_turns(count: int) -> None:
    """Let the event loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_broker_runs_in_the_running_loop() -> None:
    async with FakeBroker() as broker:
        reader, writer = await asyncio.open_connection(broker.host, broker.port)
        writer.write(HEADER)
        answer = await reader.read(100)
        writer.close()
        await writer.wait_closed()

    assert answer.startswith(b"\x01\x00\x00")


def test_broker_runs_in_a_thread_of_its_own() -> None:
    before = set(threading.enumerate())

    with FakeBroker() as broker:
        (thread,) = set(threading.enumerate()) - before
        knock(broker).close()

    assert thread.daemon
    assert not thread.is_alive()


def test_port_is_free_again_afterwards() -> None:
    with FakeBroker() as broker:
        port = broker.port
    with FakeBroker(port=port) as again:
        assert port == again.port


def test_error_of_the_thread_is_raised_where_the_broker_is_started() -> None:
    with FakeBroker() as broker, pytest.raises(OSError, match="in use"):
        FakeBroker(port=broker.port).__enter__()


async def test_error_of_starting_is_raised_in_the_loop() -> None:
    async with FakeBroker() as broker:
        with pytest.raises(OSError, match="in use"):
            await FakeBroker(port=broker.port).__aenter__()


def test_error_of_a_port_that_is_taken_names_it() -> None:
    with FakeBroker() as first, pytest.raises(OSError, match="Address already in use") as caught:
        FakeBroker(port=first.port).__enter__()

    place = f"127.0.0.1, port {first.port}"
    assert f"the broker cannot listen on {place}: Address already in use" == caught.value.strerror


def test_broker_whose_options_were_refused_has_a_repr() -> None:
    broker = FakeBroker.__new__(FakeBroker)

    assert "<FakeBroker, not started>" == repr(broker)


def test_broker_can_be_started_once() -> None:
    broker = FakeBroker()
    with broker:
        pass

    with pytest.raises(RuntimeError, match="started only once"), broker:
        pass


@pytest.mark.timeout(10)  # it would wait for ever
def test_stopping_does_not_wait_for_clients() -> None:
    with FakeBroker() as broker:
        client = knock(broker)

    drain(client)


async def test_stopping_in_the_loop_does_not_wait_for_clients() -> None:
    async with FakeBroker() as broker:
        _, writer = await asyncio.open_connection(broker.host, broker.port)

    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("turns", range(1, 16))
async def test_broker_that_is_cancelled_while_it_stops_closes_its_sockets(turns: int) -> None:
    broker = FakeBroker()
    await broker.__aenter__()
    listener = broker._server._listener
    assert listener is not None
    _, writer = await asyncio.open_connection(broker.host, broker.port)
    stopping = asyncio.create_task(broker.__aexit__(None, None, None))

    await pass_turns(turns)
    stopping.cancel()
    await asyncio.wait([stopping])

    assert -1 == listener.fileno()
    writer.close()


@pytest.mark.parametrize("turns", range(8))
async def test_client_that_comes_while_the_broker_goes_leaves_no_socket(turns: int) -> None:
    async with FakeBroker() as broker:
        client = socket.create_connection((broker.host, broker.port), timeout=10)
        await pass_turns(turns)

    drain(client)


@pytest.mark.parametrize("turns", range(8))
async def test_client_in_the_middle_of_tls_leaves_no_socket(turns: int) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with FakeBroker(tls=tls) as broker:
        client = socket.create_connection((broker.host, broker.port), timeout=10)
        await pass_turns(turns)

    drain(client)


def test_what_is_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match=r"compatibility is '2\.0'; expected '3\.10' or '4\.0'"):
        FakeBroker(compatibility="2.0")
    with pytest.raises(ValueError, match="mechanisms has 'KERBEROS'; expected some of PLAIN, "):
        FakeBroker(mechanisms=["KERBEROS"])


def test_looking_and_arranging_work_from_any_thread() -> None:
    def arrange(number: int) -> int:
        broker.add_virtualhost(f"host-{number}")
        return len(broker.virtualhosts)

    with FakeBroker() as broker, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(arrange, range(50)))
        assert {"/", *(f"host-{number}" for number in range(50))} == set(broker.virtualhosts)


def test_missing_things_are_named() -> None:
    with FakeBroker() as broker:
        with pytest.raises(LookupError, match="no queue 'q' in virtual host '/'"):
            broker.queue("q")
        with pytest.raises(LookupError, match="no virtual host 'v'"):
            broker.queues("v")
        with pytest.raises(LookupError, match=r"no user 'bob'; FakeBroker\.add_user adds one"):
            broker.url_for("bob")
        with pytest.raises(LookupError, match="no user 'bob'"):
            broker.set_permissions("bob")
        with pytest.raises(LookupError, match=r"no virtual host 'v'; FakeBroker\.add_virtualhost"):
            broker.set_permissions("guest", virtualhost="v")
        with pytest.raises(LookupError, match="no user 'bob'"):
            broker.clear_permissions("bob")
        with pytest.raises(LookupError, match="no virtual host 'v'"):
            broker.clear_permissions("guest", virtualhost="v")
        with pytest.raises(LookupError, match="no user 'bob'"):
            broker.delete_user("bob")
        with pytest.raises(LookupError, match="no user 'bob'"):
            broker.set_user_limits("bob")
        with pytest.raises(LookupError, match="no virtual host 'v'"):
            broker.set_virtualhost_limits("v")
        with pytest.raises(LookupError, match="no virtual host 'v'"):
            broker.delete_virtualhost("v")


def test_unknown_default_queue_type_is_refused() -> None:
    with FakeBroker() as broker:
        with pytest.raises(
            ValueError, match="default_queue_type is 'mirrored'; expected 'classic'"
        ):
            broker.add_virtualhost("v", default_queue_type="mirrored")
        assert ("/",) == broker.virtualhosts


def test_user_of_a_missing_virtual_host_is_refused_and_not_added() -> None:
    with FakeBroker() as broker:
        with pytest.raises(LookupError, match="no virtual host 'typo'"):
            broker.add_user("bob", "secret", virtualhosts=["/", "typo"])
        with pytest.raises(LookupError, match="no user 'bob'"):
            broker.url_for("bob")


def test_virtual_host_of_a_missing_user_is_refused_and_not_created() -> None:
    with FakeBroker() as broker:
        with pytest.raises(LookupError, match="no user 'typo'"):
            broker.add_virtualhost("mine", users=["guest", "typo"])

        assert ("/",) == broker.virtualhosts


@pytest.mark.parametrize("verb", ["configure", "write", "read"])
def test_broken_regular_expression_is_refused(verb: str) -> None:
    with FakeBroker() as broker:
        with pytest.raises(ValueError, match=rf"{verb} is '\('; expected a regular expression: "):
            broker.set_permissions("guest", **{verb: "("})
        with pytest.raises(TypeError, match=f"{verb} is b'x'; expected a regular expression"):
            broker.set_permissions("guest", **{verb: b"x"})  # type: ignore[arg-type]  # the point

        assert Permissions() == broker._node.users["guest"].permissions["/"]


def test_address_is_not_known_before_it_is_there() -> None:
    broker = FakeBroker()

    with pytest.raises(RuntimeError, match="no port before it is started; start it first"):
        _ = broker.url
    with pytest.raises(RuntimeError, match="no port before it is started"):
        _ = broker.port
    assert "amqp://guest:guest@127.0.0.1:5673/%2F" == FakeBroker(port=5673).url


def test_broker_shows_where_it_is_and_no_password() -> None:
    broker = FakeBroker()
    assert "<FakeBroker, not started>" == repr(broker)
    with broker:
        assert f"<FakeBroker amqp://127.0.0.1:{broker.port}>" == repr(broker)

    assert f"<FakeBroker amqp://127.0.0.1:{broker.port}, not running>" == repr(broker)


async def test_address_of_ipv6_and_tls_is_shown_as_in_its_url() -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    async with FakeBroker(host="::1", tls=tls) as broker:
        assert f"<FakeBroker amqps://[::1]:{broker.port}>" == repr(broker)
        assert f"amqps://guest:guest@[::1]:{broker.port}/%2F" == broker.url


def test_url_is_quoted() -> None:
    with FakeBroker() as broker:
        broker.add_user("us/er", "p@ss")
        broker.add_virtualhost("a/b", users=["us/er"])

        assert f"amqp://guest:guest@127.0.0.1:{broker.port}/%2F" == broker.url
        assert f"amqp://us%2Fer:p%40ss@127.0.0.1:{broker.port}/a%2Fb" == (
            broker.url_for("us/er", virtualhost="a/b")
        )


def test_real_time_cannot_be_moved() -> None:
    with (
        FakeBroker() as broker,
        pytest.raises(RuntimeError, match=r"create it with clock=ManualClock\(\)"),
    ):
        broker.advance(1)
    with FakeBroker(clock=ManualClock()) as broker:
        broker.advance(3600)


def test_cut_connections_are_cut_without_a_word() -> None:
    with FakeBroker() as broker:
        client = knock(broker)

        broker.cut_connections()

        assert b"" == drain(client)


def test_importing_the_package_loads_nothing() -> None:
    code = """
import sys
import ammoo_fakebroker
heavy = [name for name in ("asyncio", "ssl", "threading", "ammoo_wire") if name in sys.modules]
assert not heavy, heavy
assert "FakeBroker" in dir(ammoo_fakebroker)
assert ammoo_fakebroker.FakeBroker.__name__ == "FakeBroker"
assert "ammoo_wire" in sys.modules
"""
    # Coverage would load threading and more before the package.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_package_has_no_other_names() -> None:
    import ammoo_fakebroker

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = ammoo_fakebroker.Nothing


def test_broker_runs_from_the_command_line() -> None:
    command = [sys.executable, "-m", "ammoo_fakebroker", "--port", "0", "--compatibility", "3.10"]
    with running_program(*command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        host, port = line.rstrip().rpartition("@")[2].removesuffix("/%2F").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(HEADER)
            assert b"3.10.8" in client.recv(65536)
        process.terminate()

    assert line.startswith("listening on amqp://guest:guest@127.0.0.1:")
    assert 0 == process.returncode


def test_command_line_names_a_port_that_is_taken() -> None:
    with FakeBroker() as broker:
        command = [sys.executable, "-m", "ammoo_fakebroker", "--port", str(broker.port)]
        finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    assert 1 == finished.returncode
    assert f"cannot listen on 127.0.0.1, port {broker.port}: " in finished.stderr
    assert "in use" in finished.stderr
    assert finished.stderr.endswith("; use --port 0 to take a free one\n")
    assert "Traceback" not in finished.stderr


def test_command_line_names_an_address_that_is_not_ours() -> None:
    command = [sys.executable, "-m", "ammoo_fakebroker", "--host", "192.0.2.1", "--port", "0"]

    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    assert 1 == finished.returncode
    assert finished.stderr.startswith("the broker cannot listen on 192.0.2.1, port 0: ")
    assert "--port" not in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize("port", ["65536", "-1", "amqp"])
def test_command_line_refuses_what_is_no_port(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([f"--port={port}"])

    assert port in capsys.readouterr().err


async def test_stopped_broker_leaves_no_timer_in_the_loop() -> None:
    loop = asyncio.get_running_loop()
    async with FakeBroker() as broker:
        connection = await aio_pika.connect(broker.url)
        channel = await connection.channel()
        await channel.declare_queue(
            "queue", arguments={"x-expires": 3_600_000, "x-message-ttl": 3_600_000}
        )
        await channel.default_exchange.publish(aio_pika.Message(b""), "queue")
        await connection.close()

    scheduled = loop._scheduled  # type: ignore[attr-defined]  # the public ways show no timers
    owners = [getattr(timer._callback, "__self__", None) for timer in scheduled if timer._callback]
    assert [] == [owner for owner in owners if "fakebroker" in type(owner).__module__]
    assert 1 == broker.queue("queue").message_count


def test_client_that_stalls_in_its_tls_handshake_is_dropped_in_the_handshakes_time() -> None:
    """Whether it says nothing, or the first half of a hello."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with FakeBroker(tls=tls, handshake_timeout=0.2) as broker:
        silent, half = (socket.create_connection((broker.host, broker.port), 10) for _ in range(2))
        half.sendall(b"\x16\x03\x01\x02\x00\x01")

        ends = drain(silent), drain(half)

        with socket.create_connection((broker.host, broker.port), 10) as client:
            context = ssl._create_unverified_context()
            with context.wrap_socket(client) as secured:
                secured.sendall(HEADER)
                answer = secured.recv(100)

    assert (b"", b"") == ends
    assert answer.startswith(b"\x01\x00\x00")


@pytest.mark.parametrize("make_copy", [pickle.dumps, copy.copy])
def test_broker_cannot_be_pickled_or_copied(
    fakebroker: FakeBroker, make_copy: Callable[[FakeBroker], object]
) -> None:
    with pytest.raises(TypeError, match="it runs in this process only; pass its url to another"):
        make_copy(fakebroker)
