"""The command line: ``python -m ammoo_wire decode`` and ``python -m ammoo_wire proxy``."""

import argparse
import os
import sys
from typing import Final

from .tools.captures import FORMATS
from .tools.decode import decode
from .tools.proxy import parse_address, proxy

__all__ = ["main"]

_MAX_BODY: Final = 65536  # octets


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit status.

    Args:
        arguments: Those of the command line; None for the process's own.
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except BrokenPipeError:
        # As behind `| head`. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:  # pragma: no cover  between two lines of any output
        return 130
    except (OSError, ValueError, ModuleNotFoundError) as error:
        print(f"{options.prog}: {error}", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ammoo_wire",
        description="Show what AMQP 0-9-1 clients and brokers say to each other.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_decode(commands.add_parser("decode", help="show what a capture holds"))
    _add_proxy(
        commands.add_parser(
            "proxy", help="connect clients with a broker, and show and record the traffic"
        )
    )
    return parser


def _add_decode(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Show what a capture holds: raw octets or hexadecimal of one direction, a recording of"
        " `proxy`, or packets (pcap, pcapng; these need the extra: pip install 'ammoo-wire[pcap]')."
        " With two files the first is what the client wrote, the second what the server wrote."
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="- is standard input")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="the format of FILE; by default recognised by its first octets",
    )
    parser.add_argument(
        "--port",
        type=int,
        action="append",
        metavar="NUMBER",
        help="on which the server listens, in a capture of packets (may be repeated; default 5672)",
    )
    _add_shown(parser)
    parser.set_defaults(run=_decode, prog=parser.prog)


def _decode(options: argparse.Namespace) -> int:
    if len(options.files) > 2:
        raise ValueError(f"there are {len(options.files)} files; expected one or two")
    return decode(options)


def _add_proxy(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Pass on what clients and a broker say, octet for octet, and show it. LISTEN and TARGET"
        " are host:port or a URL (amqp://host:port, amqps://host:port). With --replay one of them"
        " is -: the recording plays the broker to clients (TARGET is -) or the client to a broker"
        " (LISTEN is -)."
    )
    parser.add_argument("listen", metavar="LISTEN", type=_address, help="port 0 is any free port")
    parser.add_argument("target", metavar="TARGET", type=_address, nargs="?", help="the broker")
    parser.add_argument("--record", metavar="FILE", help="write the traffic to a recording")
    parser.add_argument("--replay", metavar="FILE", help="play one peer of a recording")
    parser.add_argument("--cert", metavar="FILE", help="listen with TLS, with this certificate")
    parser.add_argument("--key", metavar="FILE", help="its key, if it is in another file")
    parser.add_argument(
        "--target-ca", metavar="FILE", help="trust these authorities for an amqps:// TARGET"
    )
    _add_shown(parser)
    parser.set_defaults(run=proxy, prog=parser.prog)


def _address(text: str) -> object:
    return None if text == "-" else parse_address(text)


def _add_shown(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="write objects of JSON, one a line")
    parser.add_argument(
        "--secrets", action="store_true", help="show passwords, tokens and responses of logins"
    )
    parser.add_argument(
        "--max-body",
        type=int,
        default=_MAX_BODY,
        metavar="OCTETS",
        help=f"show only the size of larger bodies (default {_MAX_BODY})",
    )


if __name__ == "__main__":
    sys.exit(main())
