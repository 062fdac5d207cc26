"""Run a broker until the process is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import signal
from pathlib import Path
from typing import Any

from ..broker import FakeBroker
from ..clocks.clock import ManualClock
from ..management.server import AddressError
from ..node.limits import Limits
from .faults_file import add_faults
from .output import Output
from .problems import CommandError

__all__ = ["serve"]

_PORT_TAKEN = (errno.EADDRINUSE, errno.EACCES)
_HISTORY = 10_000


def serve(options: argparse.Namespace) -> None:
    """Run a broker until it is interrupted.

    Args:
        options: The result of `options.parse`.

    Raises:
        CommandError: A file or an option is invalid, or the address is not available.
    """
    try:
        asyncio.run(_serve(options))
    except KeyboardInterrupt:
        pass
    except OSError as error:
        raise CommandError(_describe_address_error(error), code=1) from None


def _describe_address_error(error: OSError) -> str:
    option = "--management-port" if isinstance(error, AddressError) else "--port"
    hint = f"; use {option} 0 to take a free one" if error.errno in _PORT_TAKEN else ""
    return f"{error.strerror}{hint}"


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in loops
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    output = Output(options.log_format, options.verbose)
    async with _create_broker(options) as broker:
        _fill(broker, options)
        async with output.following(broker):
            with _ready_file(options.ready_file, broker, options):
                output.listening(broker, options)
                await stop.wait()


def _create_broker(options: argparse.Namespace) -> FakeBroker:
    try:
        return FakeBroker(
            host=options.host,
            port=options.port,
            compatibility=options.compatibility,
            management_port=options.management_port,
            control=options.control,
            plugins=options.plugins,
            clock=ManualClock() if options.manual_clock else None,
            history=_history_size(options),
            tls=_tls_context(options.tls_generate),
            **_given(options, "seed", *Limits.__dataclass_fields__),
        )
    except (TypeError, ValueError) as error:
        raise CommandError(str(error)) from None


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the options that the command line contains, by the names of `FakeBroker`'s options."""
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _history_size(options: argparse.Namespace) -> int:
    if options.history is not None:
        return int(options.history)
    return _HISTORY if options.control or options.verbose else 0


def _tls_context(folder: Path | None) -> Any:
    if folder is None:
        return None
    from .certificates import generate_certificates

    return generate_certificates(folder)


def _fill(broker: FakeBroker, options: argparse.Namespace) -> None:
    """Add the users, virtual hosts, definitions and faults of the command line to a broker."""
    for name in options.vhosts:
        if not name:
            raise CommandError("--vhosts has an empty name; expected names of virtual hosts")
        broker.add_virtualhost(name)
    for user in options.users:
        broker.add_user(
            user.name, user.password, virtualhosts=["/", *options.vhosts], tags=user.tags
        )
    if options.definitions is not None:
        _load_definitions(broker, options.definitions)
    if options.faults is not None:
        add_faults(broker, options.faults)


def _load_definitions(broker: FakeBroker, path: Path) -> None:
    try:
        broker.load_definitions(path)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except (LookupError, TypeError, ValueError) as error:
        text = str(error).removeprefix(f"{path}: ")
        raise CommandError(f"{path.name}: {text}") from None


@contextlib.contextmanager
def _ready_file(path: Path | None, broker: FakeBroker, options: argparse.Namespace) -> Any:
    """Keep a file with the broker's URLs while the broker runs; it is created complete."""
    if path is None:
        yield
        return
    lines = [broker.url]
    if options.management_port is not None:
        lines.append(broker.management_url)
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        unfinished.write_text("\n".join(lines) + "\n", "utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
