"""Run a broker from the command line: ``python -m ammoo_fakebroker --port 5672``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Sequence

from . import __version__
from .broker import FakeBroker
from .profiles import PROFILES

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a broker until it is interrupted.

    Args:
        arguments: The command line, without the program's name.
    """
    options = _parser().parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ammoo_fakebroker", description="A RabbitMQ look-alike for tests."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=5672, help="port to listen on, 0 for any")
    parser.add_argument(
        "--compatibility",
        choices=sorted(PROFILES),
        default="4.0",
        help="RabbitMQ release to behave like",
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in loops
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    async with FakeBroker(
        host=options.host, port=options.port, compatibility=options.compatibility
    ) as broker:
        print(f"listening on {broker.url}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    main()
