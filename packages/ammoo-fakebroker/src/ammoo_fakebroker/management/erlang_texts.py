"""Values and lists as Erlang writes them, which RabbitMQ shows in some refusals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["erlang_list", "erlang_value"]

_LINE: Final = 80
"""After so many characters, Erlang begins a new line for each element of a list."""


def erlang_value(value: Any) -> str:
    """Write a value of JSON as Erlang does."""
    if isinstance(value, str):
        return f'<<"{value}">>'
    if isinstance(value, list):
        return f"[{','.join(map(erlang_value, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{erlang_value(name)} => {erlang_value(each)}" for name, each in value.items())
        return f"#{{{','.join(pairs)}}}"
    return json.dumps(value)


def erlang_list(terms: Iterable[str]) -> str:
    """Write a list of terms, in several lines if it is long."""
    each = list(terms)
    together = f"[{','.join(each)}]"
    if len(together) <= _LINE:
        return together
    next_line = ",\n "
    return f"[{next_line.join(each)}]"
