"""Translate between the words of programs and the names on a broker.

A word such as ``q0`` or ``e1`` becomes a name that only this run of the program uses; ``gen0`` is
the first name that the broker made up for a queue, ``ctag0`` for a consumer, ``reply0`` for a
requester of direct replies. What the broker says is translated back, so that two runs can be
compared: this is one of the few places where something observed is altered before it is compared.
"""

import re
from collections.abc import Iterable
from typing import Any

from ammoo_wire import field_type

OWN_WORD = re.compile(r"[qe]\d")
GENERATED_WORD = re.compile(r"(gen|ctag|reply)(\d)")
GENERATED_NAME = re.compile(
    r"amq\.gen-[A-Za-z0-9_-]{22}|amq\.ctag-[A-Za-z0-9_-]{22}|amq\.rabbitmq\.reply-to\.[^\s']+"
)
_WORD_OF_PREFIX = {"amq.gen-": "gen", "amq.ctag": "ctag", "amq.rabb": "reply"}


class Names:
    """The names of one run of a program on one broker.

    Args:
        prefix: What makes them unique.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._generated: dict[str, list[str]] = {"gen": [], "ctag": [], "reply": []}

    def on_broker(self, text: str) -> str:
        """Give the name that a word of the program stands for; other text is left as it is."""
        if OWN_WORD.match(text):
            return self._prefix + text
        if word := GENERATED_WORD.fullmatch(text):
            known = self._generated[word[1]]
            return known[int(word[2])] if int(word[2]) < len(known) else text
        return text

    def in_program(self, text: str) -> str:
        """Give what the broker said in the program's words."""
        return GENERATED_NAME.sub(self._word_for, text.replace(self._prefix, ""))

    def _word_for(self, match: re.Match[str]) -> str:
        word = _WORD_OF_PREFIX[match[0][:8]]
        known = self._generated[word]
        if match[0] not in known:
            known.append(match[0])
        return f"{word}{known.index(match[0])}"

    def translated(self, value: Any) -> Any:
        """Translate all words in a field table, or in a tuple of parameters or properties."""
        match value:
            case str():
                return self.on_broker(value)
            case dict():
                return {key: self.translated(item) for key, item in value.items()}
            case list():
                return [self.translated(item) for item in value]
            case tuple() if hasattr(value, "_make"):
                return value._make(self.translated(item) for item in value)
            case _:
                return value

    def observed(self, values: Iterable[Any]) -> tuple[Any, ...]:
        """Translate back what came as parameters or properties, keeping the types on the wire."""
        return tuple(self._observed_field(value) for value in values)

    def _observed_field(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._observed_value(value)
        return self.in_program(value) if isinstance(value, str) else value

    def _observed_value(self, value: Any) -> Any:
        """Translate a value of a field table, with its type unless it is the natural one."""
        match value:
            case dict():
                return Table((key, self._observed_item(key, item)) for key, item in value.items())
            case list():
                return [self._observed_value(item) for item in value]
            case str():
                return self.in_program(value)
            case None | bool():
                return value
            case _:
                return (field_type(value).name.lower(), value)

    def _observed_item(self, key: str, value: Any) -> Any:
        # The moment of a death (x-death) is the broker's clock's.
        if key == "time" and field_type(value).name == "TIMESTAMP":
            return "now"
        return self._observed_value(value)


class Table(tuple[tuple[str, Any], ...]):
    """A field table as it was observed, in its order."""

    __slots__ = ()
