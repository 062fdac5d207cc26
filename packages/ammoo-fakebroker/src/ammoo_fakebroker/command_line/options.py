"""The options of the command; those for limits are options of `FakeBroker`."""

from __future__ import annotations

import argparse
import math
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from ..exchanges.plugins import PLUGINS
from ..node.limits import Limits
from ..rabbitmq.profiles import PROFILES

__all__ = ["NewUser", "parse", "parse_ready"]

_UNITS = {
    "channel_max": "channels that a connection may open",
    "frame_max": "octets of the largest frame",
    "heartbeat": "seconds between heartbeats",
    "max_message_size": "octets of the largest body",
    "memory_limit": "octets that messages may take before publishers are blocked",
    "handshake_timeout": "seconds within which a client must open its connection",
    "login_pause": "seconds between a refused login and the closing of the socket",
    "closing_timeout": "seconds to wait for the client's end of a close",
    "send_timeout": "seconds after which a client that does not read is disconnected",
    "consumer_timeout": "milliseconds within which a delivery must be settled",
    "consumer_timeout_check": "seconds between two checks of that time",
}


class NewUser(NamedTuple):
    """A user that the command line adds."""

    name: str
    password: str
    tags: tuple[str, ...]


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line of a broker.

    Raises:
        SystemExit: The command line is wrong (code 2), or asks for help or for the version.
    """
    parser = argparse.ArgumentParser(
        prog="ammoo-fakebroker",
        description="Run a broker for tests that answers as RabbitMQ does, until interrupted.",
        epilog="`ammoo-fakebroker ready URL` waits until a broker answers at a URL.",
    )
    _add_address(parser)
    _add_contents(parser)
    _add_control(parser)
    _add_limits(parser)
    _add_output(parser)
    options = parser.parse_args(arguments)
    if options.control and options.management_port is None:
        options.management_port = 0
    return options


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        type=_host,
        default="127.0.0.1",
        help="address to listen on (default: %(default)s)",
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
    parser.add_argument(
        "--tls-generate",
        type=Path,
        metavar="DIR",
        help="speak TLS, with a certificate for localhost and an authority of its own, which are"
        " written to DIR: authority.pem, server.pem, client.pem (needs ammoo-fakebroker[tls])",
    )


def _add_contents(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--users",
        nargs="+",
        type=_user,
        default=[],
        metavar="NAME:PASSWORD[:TAG,TAG]",
        help="users beside guest; they may do everything in all virtual hosts",
    )
    parser.add_argument(
        "--vhosts", nargs="+", default=[], metavar="NAME", help="virtual hosts beside /"
    )
    parser.add_argument(
        "--plugins",
        nargs="+",
        default=[],
        metavar="NAME",
        help=f"plugins to enable for their types of exchanges: {', '.join(PLUGINS)}",
    )
    parser.add_argument(
        "--definitions",
        type=Path,
        metavar="FILE",
        help="users, virtual hosts, queues, … to begin with, as RabbitMQ exports them, in JSON",
    )
    parser.add_argument(
        "--faults",
        type=Path,
        metavar="FILE",
        help="faults to begin with, in TOML: [[fault]] tables",
    )


def _add_control(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--management-port",
        type=_port,
        metavar="PORT",
        help="serve RabbitMQ's management HTTP API on this port, 0 for a free one",
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help="serve /fake/ on the management port, to control the broker: faults, history, clock;"
        " without a login",
    )
    parser.add_argument(
        "--manual-clock",
        action="store_true",
        help="let time pass for messages and queues only when POST /fake/clock/advance moves it",
    )
    parser.add_argument(
        "--history",
        type=_count,
        metavar="EVENTS",
        help="events to keep for /fake/history (default: 10000 with --control or -v, else 0)",
    )
    parser.add_argument(
        "--seed", type=_integer, metavar="NUMBER", help="seed of the faults with a probability"
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits")
    for field in fields(Limits):
        is_whole = "int" in str(field.type)
        group.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=_integer if is_whole else _number,
            metavar="NUMBER",
            help=_UNITS.get(field.name, ""),
        )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ready-file",
        type=Path,
        metavar="FILE",
        help="write the broker's URL to FILE when it listens, and the management URL in the next"
        " line; the file is removed in the end",
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        help="print connections, declarations and faults as they happen; -vv messages as well",
    )
    parser.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="print lines of text, or an object of JSON in each line (default: %(default)s)",
    )
    parser.add_argument("--version", action="version", version=__version__)


def parse_ready(arguments: list[str]) -> argparse.Namespace:
    """Read the command line of ``ammoo-fakebroker ready``.

    Raises:
        SystemExit: The command line is wrong (code 2), or asks for help.
    """
    parser = argparse.ArgumentParser(
        prog="ammoo-fakebroker ready",
        description="Wait until a broker answers at a URL; exit with 1 if none does in time.",
    )
    parser.add_argument("url", metavar="URL", help="URL of the broker: amqp://… or amqps://…")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long to wait (default: %(default)g)",
    )
    return parser.parse_args(arguments)


# -- values ------------------------------------------------------------------------------------


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _seconds(text: str) -> float:
    seconds = _number(text)
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text} is not a time to wait; expected a number of seconds from 0 on"
        )
    return seconds


def _host(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("the name is empty; expected an address, such as 0.0.0.0")
    return text


def _port(text: str) -> int:
    port = _integer(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"port is {port}; expected 0 to 65535")
    return port


def _count(text: str) -> int:
    count = _integer(text)
    if count < 0:
        raise argparse.ArgumentTypeError(
            f"{count} is negative; expected how many events to keep, 0 for none"
        )
    return count


def _user(text: str) -> NewUser:
    name, colon, rest = text.partition(":")
    password, _, tags = rest.partition(":")
    if not name or not colon:
        missing = "colon" if name else "name"
        raise argparse.ArgumentTypeError(f"{text!r} has no {missing}; expected NAME:PASSWORD")
    return NewUser(name, password, tuple(tag for tag in tags.split(",") if tag))
