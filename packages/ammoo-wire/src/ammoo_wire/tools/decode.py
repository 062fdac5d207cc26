"""``python -m ammoo_wire decode``: shows the contents of a capture."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from io import BufferedReader

from .captures import read_capture, read_two_directions
from .display import Display
from .recordings import Piece

__all__ = ["decode"]


def decode(options: argparse.Namespace) -> int:
    """Show the contents of the files; return the command's exit status.

    Raises:
        OSError: A file cannot be opened or read.
        ValueError: A file does not have the format of the option.
        ModuleNotFoundError: A capture of packets needs scapy.
    """
    display = Display(
        sys.stdout,
        as_json=options.json,
        secrets=options.secrets,
        max_body_size=options.max_body,
    )
    with ExitStack() as stack:
        files = [_open(name, stack) for name in options.files]
        for piece in _pieces(files, options):
            display.show(piece)
    return 0


def _pieces(files: list[BufferedReader], options: argparse.Namespace) -> Iterator[Piece]:
    if len(files) == 2:
        return read_two_directions(*files)
    return read_capture(files[0], format=options.format, ports=options.port or [5672])


def _open(name: str, stack: ExitStack) -> BufferedReader:
    file = sys.stdin.fileno() if name == "-" else name
    return stack.enter_context(open(file, "rb", closefd=name != "-"))
