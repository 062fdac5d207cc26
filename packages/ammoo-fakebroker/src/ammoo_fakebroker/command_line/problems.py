"""What ends the command with an error."""

from __future__ import annotations

__all__ = ["CommandError"]


class CommandError(Exception):
    """The command cannot go on; its text is for the user.

    Args:
        text: What is wrong, and with what.
        code: The exit code: 2 if the command line or a file is wrong, as argparse has it, else 1.
    """

    def __init__(self, text: str, *, code: int = 2) -> None:
        super().__init__(text)
        self.code = code
