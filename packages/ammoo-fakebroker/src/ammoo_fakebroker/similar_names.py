"""The name that a test may have meant by one that does not exist.

Users abbreviate: ``exchange`` is meant to be ``exchange_name``, which `difflib` finds less similar
than ``exchange_type``. And they know a client's names: ``queue_declare`` means ``declare_queue``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

__all__ = ["similar_name"]

_OTHER_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "exchange": ("exchange_name",),
    "queue": ("queue_name",),
    "key": ("routing_key",),
    "vhost": ("virtualhost",),
    "channel": ("channel_number",),
    "tag": ("consumer_tag", "delivery_tag"),
    "type": ("type_", "exchange_type"),
    "payload": ("body",),
    "data": ("body",),
    "message": ("body",),
    "properties": ("headers",),
    "version": ("compatibility",),
    "release": ("compatibility",),
    "mode": ("delivery_mode",),
    "seconds": ("timeout", "down_for"),
    "n": ("count", "times"),
    "number": ("count", "times"),
}


def similar_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like another one; None if none is like it."""
    names = list(known)
    for word in _OTHER_WORDS.get(name, ()):
        if word in names:
            return word
    words = sorted(name.split("_"))
    reordered = [each for each in names if sorted(each.split("_")) == words]
    close = get_close_matches(name, names)
    close.sort(key=lambda each: not each.startswith(name[:1]))  # bodies: body, and not code
    longer = [each for each in names if each.startswith(f"{name}_")]
    return next(iter(reordered + close + longer), None)
