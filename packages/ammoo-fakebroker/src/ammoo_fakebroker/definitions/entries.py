"""The entries of definitions: objects of JSON whose members are read by name, with checks.

An error names the entry. Some tools of RabbitMQ 3 write objects as lists of pairs, and lists of tags
as one string; this module accepts both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

__all__ = ["Entry", "entries"]

_REQUIRED: Final = object()


class Entry(NamedTuple):
    """An entry: its place in the definitions, and its members."""

    place: str
    members: Mapping[str, Any]

    @contextmanager
    def naming_errors(self) -> Iterator[None]:
        """Name the entry in an error of the block.

        Raises:
            ValueError: The block has raised ValueError, TypeError or LookupError.
        """
        try:
            yield
        except (TypeError, ValueError, LookupError) as error:
            text = error.args[0] if error.args else error
            name = self.members.get("name", self.members.get("user", ""))
            named = f" ({name!r})" if name else ""
            raise ValueError(f"{self.place}{named}: {text}") from error

    def get(self, name: str, default: Any = None) -> Any:
        """Return a member of any type."""
        return self.members.get(name, default)

    def text(self, name: str, default: Any = _REQUIRED) -> str:
        """Return a member that is a string.

        Raises:
            TypeError: The member is not a string.
            ValueError: The member is missing, and there is no default.
        """
        value = self.members.get(name, default)
        if value is _REQUIRED:
            raise ValueError(f"member {name!r} is missing")
        if not isinstance(value, str):
            raise TypeError(f"{name} is {value!r}; expected a string")
        return value

    def flag(self, name: str) -> bool:
        """Return a member that is true or false; a missing one is false.

        Raises:
            TypeError: The member has another type.
        """
        value = self.members.get(name, False)
        if not isinstance(value, bool):
            raise TypeError(f"{name} is {value!r}; expected true or false")
        return value

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return a member that is an object; a missing one is empty.

        Raises:
            TypeError: The member is not an object.
        """
        value = self.members.get(name) or {}
        if isinstance(value, list) and all(
            isinstance(each, list) and len(each) == 2 for each in value
        ):
            value = dict(value)
        if not isinstance(value, Mapping):
            raise TypeError(f"{name} is {value!r}; expected an object")
        return value

    def tags(self) -> tuple[str, ...]:
        """Return the member `tags`, a list or a string with commas.

        Raises:
            TypeError: The member has another type.
        """
        value = self.members.get("tags") or []
        if isinstance(value, str):
            return tuple(tag.strip() for tag in value.split(",") if tag.strip())
        if not isinstance(value, list | tuple):
            raise TypeError(f"tags is {value!r}; expected a list of strings")
        return tuple(map(str, value))


def entries(definitions: Any, kind: str) -> Iterator[Entry]:
    """Return the entries of a kind.

    Raises:
        TypeError: The definitions are not a mapping, or the kind is not a list of objects.
    """
    if not isinstance(definitions, Mapping):
        kind = type(definitions).__name__
        raise TypeError(f"the definitions are of type {kind}; expected a mapping, such as a dict")
    found = definitions.get(kind, [])
    if not isinstance(found, list | tuple):
        raise TypeError(f"{kind} is {found!r}; expected a list")
    for number, members in enumerate(found):
        if not isinstance(members, Mapping):
            raise TypeError(f"{kind}[{number}] is {members!r}; expected an object")
        yield Entry(f"{kind}[{number}]", members)
