"""A service: many tasks publish jobs, ten are handled at a time, SIGTERM shuts it down cleanly."""

import asyncio
import itertools
import logging
import os

import ammoo

logger = logging.getLogger("service")
URL = os.environ.get("AMQP_URL", "amqp://localhost/")
ENDED = (  # why a consumer ends by itself
    ammoo.exceptions.ConsumerCancelled,
    ammoo.exceptions.ChannelClosed,
    ammoo.exceptions.ConnectionClosed,
)


async def handle(message: ammoo.DeliverMessage) -> None:
    print("done:", message.decode(), flush=True)


async def produce(publisher: ammoo.Publisher, name: str) -> None:
    for number in itertools.count():
        confirmation = await publisher.publish("", "jobs", f"{name} {number}", persistent=True)
        try:
            await confirmation
        except ammoo.exceptions.PublishFailed as error:
            logger.error("a job was not published: %s", error)
        await asyncio.sleep(0.02)


async def main() -> None:
    recovery = ammoo.Recovery(retry_first=True)
    async with (
        ammoo.connect(URL, recovery=recovery) as connection,
        connection.channel() as publishing,
        connection.channel(prefetch_count=20) as working,
    ):
        await working.declare_queue("jobs.failed", durable=True)
        await working.declare_queue(
            "jobs",
            durable=True,
            dead_letter_exchange="",  # the default exchange, which routes to the queue of this name:
            dead_letter_routing_key="jobs.failed",
        )
        async with (
            publishing.publisher(republish=True) as publisher,
            working.consume("jobs") as consumer,
            ammoo.drain_on_signals(consumer, timeout=20, publishers=[publisher]),
            asyncio.TaskGroup() as tasks,
        ):
            producers = [tasks.create_task(produce(publisher, name)) for name in "abc"]
            try:
                await consumer.run(handle, concurrency=10, on_error="dead-letter")
            except ExceptionGroup as failures:  # each is logged, and its job is in jobs.failed
                if failures.subgroup(ENDED):
                    raise
            for producer in producers:  # the drain has ended the consumer, and nothing else
                producer.cancel()


if __name__ == "__main__":
    asyncio.run(main())
