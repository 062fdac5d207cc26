"""A service: many tasks publish jobs, ten are worked off at a time, SIGTERM ends it in order."""

import asyncio
import os

import ammoo

URL = os.environ.get("AMQP_URL", "amqp://localhost/")


async def handle(message: ammoo.DeliverMessage) -> None:
    print("done:", message.decode(), flush=True)


async def produce(publisher: ammoo.Publisher, name: str) -> None:
    for number in range(10):
        await publisher.publish("", "jobs", f"{name} {number}", persistent=True)


async def main() -> None:
    recovery = ammoo.Recovery(retry_first=True)
    async with (
        await ammoo.connect(URL, recovery=recovery) as connection,
        connection.channel() as publishing,
        connection.channel(prefetch_count=20) as working,
    ):
        await working.declare_queue("jobs", durable=True)
        async with (
            publishing.publisher(republish=True) as publisher,
            working.consume("jobs") as consumer,
            ammoo.drain_on_signals(consumer, timeout=20, publishers=[publisher]),
            asyncio.TaskGroup() as tasks,
        ):
            for name in "abc":
                tasks.create_task(produce(publisher, name))
            tasks.create_task(consumer.run(handle, concurrency=10, on_error="dead-letter"))


if __name__ == "__main__":
    asyncio.run(main())
