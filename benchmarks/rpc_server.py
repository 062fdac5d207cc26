"""The other end of the RPC workload: a process that answers every request with its own body.

    python -m benchmarks.rpc_server URL QUEUE

It says a word on standard output when it is ready, and runs until it is terminated.
"""

import asyncio
import sys

import ammoo

__all__ = ["serve"]


async def serve(url: str, queue_name: str) -> None:
    """Answer for ever."""
    async with await ammoo.connect(url) as connection, connection.channel() as channel:
        await channel.declare_queue(queue_name, durable=False, exclusive=True)
        async with channel.consume(queue_name, no_ack=True) as requests:
            print("ready", flush=True)
            async for request in requests:
                await request.reply(bytes(request.body))


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
