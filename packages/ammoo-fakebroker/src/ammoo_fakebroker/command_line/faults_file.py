"""Faults from a file in TOML: one table ``[[fault]]`` for each, with ``do`` and its options."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..control.faults import make_fault
from .problems import CommandError

if TYPE_CHECKING:
    from ..control.ports import ControlledBroker

__all__ = ["add_faults"]

_TABLE = "fault"


def add_faults(broker: ControlledBroker, path: Path) -> None:
    """Make the faults of a file.

    Args:
        broker: The broker.
        path: The file.

    Raises:
        CommandError: The file cannot be read, or a table is not a fault; the text names the file and
            the rule.
    """
    for number, described in enumerate(_read(path), 1):
        try:
            make_fault(broker, described)
        except (LookupError, ValueError) as error:
            raise CommandError(f"{path.name}, rule {number}: {error}") from None


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{path.name}: {error}") from None
    for name in document:
        if name != _TABLE:
            close = get_close_matches(name, [_TABLE], n=1)
            hint = f"did you mean '[[{_TABLE}]]'?" if close else f"it has only [[{_TABLE}]] tables"
            raise CommandError(f"{path.name}: {name!r} is unknown; {hint}")
    rules = document.get(_TABLE, [])
    if isinstance(rules, dict):
        raise CommandError(f"{path.name}: [{_TABLE}] is one table; expected [[{_TABLE}]]")
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise CommandError(f"{path.name}: {_TABLE!r} is {rules!r}; expected [[{_TABLE}]] tables")
    return rules
