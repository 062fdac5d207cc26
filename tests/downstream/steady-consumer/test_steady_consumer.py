"""Days of a consumer's life, in milliseconds: client and broker run in virtual time, in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import steady_consumer

import ammoo
from ammoo_fakebroker import FakeBroker, VirtualTimeLoop

HOUR = 3600.0


class Plant:
    """A broker, a consumer that saves readings, and a channel that sends them.

    Attributes:
        broker: The broker.
        store: What the consumer has saved.
        consuming: The consumer's connection.
    """

    def __init__(
        self, broker: FakeBroker, consuming: ammoo.Connection, sending: ammoo.Channel
    ) -> None:
        self.broker = broker
        self.consuming = consuming
        self.store = steady_consumer.Store()
        self._sending = sending

    async def send(self, *identifiers: str) -> None:
        for identifier in identifiers:
            await steady_consumer.send(self._sending, identifier, b"21.5 C")

    async def saved(self, *identifiers: str) -> None:
        """Wait until the store has these readings, and no others; at most an hour."""
        async with asyncio.timeout(HOUR):
            while set(self.store.readings) != set(identifiers):
                self.store.changed.clear()
                await self.store.changed.wait()


@asynccontextmanager
async def plant() -> AsyncIterator[Plant]:
    async def connect(name: str) -> ammoo.Connection:
        return await ammoo.connect(
            broker.url,
            open_transport=broker.open_transport,
            connection_name=name,
            recovery=ammoo.Recovery(),
        )

    async with (
        FakeBroker(heartbeat=60) as broker,
        await connect("meter") as sending,
        await connect("consumer") as consuming,
        sending.channel() as channel,
    ):
        await steady_consumer.declare(channel)
        await channel.select_confirm()
        place = Plant(broker, consuming, channel)
        working = asyncio.create_task(steady_consumer.consume(consuming, place.store))
        yield place
        await consuming.close()
        await asyncio.gather(working, return_exceptions=True)


def run(test: Callable[[Plant], Awaitable[None]]) -> float:
    """Run a test in virtual time, and return how long it took there, in seconds."""

    async def main() -> None:
        async with plant() as place:
            await test(place)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
        return runner.get_loop().time()


def test_connection_lives_for_two_quiet_days() -> None:
    async def two_days(plant: Plant) -> None:
        await plant.send("first")
        await asyncio.sleep(2 * 24 * HOUR)
        await plant.send("last")

        await plant.saved("first", "last")
        assert 1 == plant.consuming.epoch

    assert run(two_days) >= 2 * 24 * HOUR


def test_consumer_notices_a_dead_network_and_goes_on_behind_it() -> None:
    async def dead_network(plant: Plant) -> None:
        await plant.send("before")
        await plant.saved("before")
        with plant.broker.faults.silence(connection="consumer"):
            await plant.send("meanwhile")
            await asyncio.sleep(600)  # two heartbeats are missed after two minutes
            assert {"before"} == set(plant.store.readings)

        await plant.saved("before", "meanwhile")
        assert plant.consuming.epoch > 1

    run(dead_network)


def test_no_reading_is_lost_when_the_broker_is_down_for_a_night() -> None:
    async def night(plant: Plant) -> None:
        await plant.send("evening")
        await plant.saved("evening")
        plant.broker.cancel_consumer(queue_name=steady_consumer.QUEUE)
        await plant.send("stored")

        plant.broker.shut_down()
        late = asyncio.create_task(plant.send("published while it was down"))
        await asyncio.sleep(8 * HOUR)
        plant.broker.start()

        await late
        await plant.saved("evening", "stored", "published while it was down")

    assert run(night) >= 8 * HOUR
