"""The error that ends the command."""

from __future__ import annotations

__all__ = ["CommandError"]


class CommandError(Exception):
    """The command fails; the text is for the user.

    Args:
        text: The error, with the name of the file or option.
        code: The exit code: 2 if the command line or a file is wrong, as in argparse, else 1.
    """

    def __init__(self, text: str, *, code: int = 2) -> None:
        super().__init__(text)
        self.code = code
