"""Run a broker from the command line: ``ammoo-fakebroker``, or ``python -m ammoo_fakebroker``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .command_line.options import parse, parse_ready
from .command_line.problems import CommandError
from .command_line.readiness import wait_until_ready
from .command_line.serving import serve

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: The command line, without the program's name; None for the one of the process.

    Raises:
        SystemExit: The command failed; the code is 2 if the command line or a file is wrong.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["ready"]:
            wait_until_ready(parse_ready(given[1:]))
        else:
            serve(parse(given))
    except CommandError as error:
        print(error, file=sys.stderr)
        sys.exit(error.code)


if __name__ == "__main__":
    main()
