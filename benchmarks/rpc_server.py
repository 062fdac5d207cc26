"""The other end of the RPC workload: a process that answers every request with its own body.

    python -m benchmarks.rpc_server URL QUEUE

It says a word on standard output when it is ready, and runs until its standard input is closed:
it does not outlive a comparison that was killed.
"""

import asyncio
import contextlib
import sys

import ammoo

__all__ = ["run"]


async def run(url: str, queue_name: str) -> None:
    """Serve as long as anybody holds the other end of standard input."""
    loop = asyncio.get_running_loop()
    serving = loop.create_task(serve(url, queue_name))

    def stop() -> None:
        loop.remove_reader(sys.stdin)
        serving.cancel()

    loop.add_reader(sys.stdin, stop)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def serve(url: str, queue_name: str) -> None:
    """Answer for ever."""
    async with await ammoo.connect(url) as connection, connection.channel() as channel:
        await channel.declare_queue(queue_name, durable=False, exclusive=True)
        async with channel.consume(queue_name, no_ack=True) as requests:
            print("ready", flush=True)
            async for request in requests:
                await request.reply(bytes(request.body))


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
