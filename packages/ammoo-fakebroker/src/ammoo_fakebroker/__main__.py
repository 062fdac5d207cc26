"""Run a broker from the command line: ``python -m ammoo_fakebroker --port 5672``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import signal
import sys
from collections.abc import Sequence

from . import __version__
from .broker import FakeBroker
from .rabbitmq.profiles import PROFILES

__all__ = ["main"]

_PORT_TAKEN = (errno.EADDRINUSE, errno.EACCES)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a broker until it is interrupted.

    Args:
        arguments: The command line, without the program's name.

    Raises:
        SystemExit: The address is not available, or the command line is wrong.
    """
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_serve(options))
    except KeyboardInterrupt:
        pass
    except OSError as error:
        hint = "; use --port 0 to take a free one" if error.errno in _PORT_TAKEN else ""
        sys.exit(f"cannot listen on {options.host}, port {options.port}: {error.strerror}{hint}")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"port is {port}; expected 0 to 65535")
    return port


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ammoo_fakebroker",
        description="Run a broker for tests that answers as RabbitMQ does.",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=5672,
        help="port to listen on, 0 for a free one (default: 5672)",
    )
    parser.add_argument(
        "--compatibility",
        choices=sorted(PROFILES),
        default="4.3",
        help="RabbitMQ release to imitate (default: %(default)s)",
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
