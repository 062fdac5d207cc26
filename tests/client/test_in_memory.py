"""ammoo over transports that the user opens: in memory, and in virtual time."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import ammoo
from ammoo.exceptions.connection import HeartbeatTimeout
from ammoo_fakebroker import FakeBroker, VirtualTimeLoop


def run_virtually(main: Coroutine[Any, Any, None]) -> float:
    """Run a coroutine under a loop with virtual time, and return how far its time went."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main)
        return runner.get_loop().time()


async def connect(broker: FakeBroker, **options: Any) -> ammoo.Connection:
    return await ammoo.connect(broker.url, open_transport=broker.open_transport, **options)


async def test_client_and_broker_talk_in_memory() -> None:
    async with FakeBroker() as broker, await connect(broker) as connection:
        async with connection.channel() as channel:
            await channel.select_confirm()
            await channel.declare_queue("large")
            await channel.publish("", "large", bytes(3_000_000))
            message = await channel.get("large", no_ack=True)

        assert 3_000_000 == len(message.body)
        assert [("127.0.0.1", 1)] == [(each.host, each.port) for each in broker.connections]
    assert connection.closing


async def test_open_transport_is_called_as_create_connection_is() -> None:
    calls: list[tuple[tuple[object, ...], dict[str, object]]] = []

    async def open_transport(
        factory: Callable[[], asyncio.BaseProtocol], *place: object, **tls: object
    ) -> Any:
        calls.append((place, tls))
        return await broker.open_transport(factory)

    context = ssl.create_default_context()
    async with FakeBroker() as broker:
        url = "amqp://nowhere.example:1234/"
        async with await ammoo.connect(url, open_transport=open_transport):
            pass
        async with await ammoo.connect(url, open_transport=open_transport, ssl_context=context):
            pass

    assert [
        (("nowhere.example", 1234), {"ssl": None, "server_hostname": None}),
        (("nowhere.example", 1234), {"ssl": context, "server_hostname": None}),
    ] == calls


async def test_loops_own_function_fits_as_open_transport(broker_url: str) -> None:
    loop = asyncio.get_running_loop()

    async with await ammoo.connect(broker_url, open_transport=loop.create_connection) as connection:
        assert connection.entered


async def test_open_transport_that_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="open_transport is of type str"):
        await ammoo.connect("amqp://localhost/", open_transport="memory")  # type: ignore[arg-type]  # the mistake


async def test_several_urls_lead_to_several_brokers_in_memory() -> None:
    async with FakeBroker() as one, FakeBroker() as other:
        brokers = {one.port: one, other.port: other}

        async def open_transport(
            factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, **tls: object
        ) -> Any:
            return await brokers[port].open_transport(factory)

        async with await ammoo.connect(
            [one.url, other.url], open_transport=open_transport, recovery=ammoo.Recovery()
        ) as connection:
            first = next(broker for broker in brokers.values() if broker.connections)
            events = connection.events()
            first.cut_connections()
            names = [type(await anext(events)).__name__ for _ in range(3)]
            assert ["Recovering", "Connecting", "Open"] == names

            assert 0 == len(first.connections)
            assert 1 == len(one.connections) + len(other.connections)


def test_heartbeats_keep_a_connection_for_hours_of_virtual_time() -> None:
    async def main() -> None:
        async with FakeBroker(heartbeat=60) as broker, await connect(broker) as connection:
            await asyncio.sleep(10 * 3600)

            assert 60 == connection.heartbeat_interval
            assert 1 == len(broker.connections)
            assert not connection.closing

    assert 10 * 3600 == pytest.approx(run_virtually(main()), abs=1)


def test_messages_expire_in_virtual_time_as_they_would_in_real_time() -> None:
    async def main() -> None:
        async with (
            FakeBroker() as broker,
            await connect(broker) as connection,
            connection.channel() as channel,
        ):
            await channel.select_confirm()
            await channel.declare_queue(
                "orders", ttl=3_600_000, dead_letter_exchange="", dead_letter_routing_key="dead"
            )
            await channel.declare_queue("dead")
            await channel.publish("", "orders", b"order")
            async with channel.consume("dead", no_ack=True) as consumer:
                began = asyncio.get_running_loop().time()
                message = await anext(aiter(consumer))

                passed = asyncio.get_running_loop().time() - began
                assert 3600 == pytest.approx(passed, abs=0.1)
                assert b"order" == message.body

    run_virtually(main())


def test_client_notices_that_the_brokers_heartbeats_stopped() -> None:
    async def main() -> None:
        async with FakeBroker(heartbeat=60) as broker, await connect(broker) as connection:
            began = asyncio.get_running_loop().time()
            with broker.faults.silence(towards="client"):
                await connection.wait_closed()

            assert isinstance(connection.closing_exc, HeartbeatTimeout)
            assert 60 <= asyncio.get_running_loop().time() - began <= 180

    run_virtually(main())


async def watch(connection: ammoo.Connection, seen: list[tuple[float, str]]) -> None:
    """Note each event of a connection, and when it came."""
    loop = asyncio.get_running_loop()
    async for event in connection.events():
        seen.append((loop.time(), type(event).__name__))


async def cut_connections_every(seconds: float, broker: FakeBroker, *, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(seconds)
        broker.cut_connections()


def test_two_runs_have_the_same_events_at_the_same_times() -> None:
    async def main(seen: list[tuple[float, str]]) -> None:
        loop = asyncio.get_running_loop()
        recovery = ammoo.Recovery(random=lambda: 0.5)
        async with FakeBroker(heartbeat=30) as broker:
            async with await connect(broker, recovery=recovery) as connection:
                watching = asyncio.create_task(watch(connection, seen))
                await cut_connections_every(1000.5, broker, times=5)
                await asyncio.sleep(1000.5)
                seen.append((loop.time(), "end"))
            await watching

    runs: list[list[tuple[float, str]]] = [[], []]
    run_virtually(main(runs[0]))
    run_virtually(main(runs[1]))

    assert runs[0] == runs[1]
    assert 5 == sum(name == "Recovering" for _, name in runs[0])


def test_hours_of_virtual_time_with_a_dead_network_and_a_restart_lose_no_message() -> None:
    async def main() -> None:
        async with (
            FakeBroker(heartbeat=60) as broker,
            await connect(broker, recovery=ammoo.Recovery()) as connection,
            connection.channel() as channel,
        ):
            await channel.select_confirm()
            await channel.declare_queue("orders", durable=True)
            await channel.publish("", "orders", b"order", delivery_mode=2)

            await asyncio.sleep(3 * 3600)
            epochs = [connection.epoch]
            with broker.faults.silence():
                await asyncio.sleep(3600)
            await connection.ready()
            epochs.append(connection.epoch)
            broker.shut_down()
            await asyncio.sleep(3 * 3600)
            broker.start()
            await connection.ready()
            epochs.append(connection.epoch)
            await asyncio.sleep(3 * 3600)

            message = await channel.get("orders", no_ack=True)
            assert b"order" == message.body
            assert sorted(set(epochs)) == epochs
            assert epochs[-1] == connection.epoch
            assert 1 == len(broker.connections)

    assert 10 * 3600 == pytest.approx(run_virtually(main()), abs=120)


def test_wait_that_nothing_ends_is_an_error() -> None:
    program = """
import asyncio
from ammoo_fakebroker import FakeBroker, VirtualTimeLoop
from ammoo_fakebroker.clocks import virtual_time

async def wait_for_ever():
    async with FakeBroker():
        await asyncio.Event().wait()

virtual_time.LONGEST_WAIT = 0.05
with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
    runner.run(wait_for_ever())
"""

    # In a process of its own: here, a task that has not ended would fail the test.
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True, timeout=60
    )

    assert (
        "RuntimeError: nothing ends this wait: the VirtualTimeLoop has no timer to jump to, and"
        " nothing came from outside of it for 0.05 s; waiting: Task-1 in wait_for_ever(), line 8"
    ) in finished.stderr
