"""Values of Python's own types that AMQP has no type for: a timedelta, a UUID.

Neither module is imported before a program uses it: `datetime` takes 1.7 ms, and a program that
has a UUID has imported `uuid`.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["as_milliseconds", "spell_uuids"]

_IDENTIFIERS = ("message_id", "correlation_id")


def as_milliseconds(value: "int | timedelta", name: str, alternatives: str = "") -> int:
    """Return a time in milliseconds.

    Args:
        value: Milliseconds, or a timedelta, of which fractions of a millisecond are dropped.
        name: The argument's, for the error.
        alternatives: Other values that may be given, for the error.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    from datetime import timedelta

    if isinstance(value, timedelta):
        return value // timedelta(milliseconds=1)
    raise TypeError(
        f"{name} is {value!r}; expected milliseconds as an int{alternatives}, or a timedelta"
    )


def spell_uuids(options: dict[str, Any]) -> bool:
    """Replace UUIDs that identify a message by their texts; return whether there were any."""
    uuid = sys.modules.get("uuid")
    if uuid is None:
        return False
    found = [name for name in _IDENTIFIERS if isinstance(options.get(name), uuid.UUID)]
    for name in found:
        options[name] = str(options[name])
    return bool(found)
