"""Attributes that do not exist: the error names the one that may have been meant."""

from __future__ import annotations

from typing import NoReturn, TypeVar

from ammoo_wire import BasicHeaderProperties

from .similar_names import similar_name

__all__ = ["names_attributes"]

_Class = TypeVar("_Class", bound=type)

_OF_SEQUENCES = frozenset(dir(tuple))


def names_attributes(owner: _Class) -> _Class:
    """Decorate a class: the AttributeError for an attribute that it lacks names a similar one.

    Args:
        owner: The class.
    """

    def raise_error(self: object, name: str) -> NoReturn:
        hint = "" if name.startswith("_") else _hint_at(name, owner, self)
        raise AttributeError(f"{owner.__name__} has no attribute {name!r}{hint}")

    owner.__getattr__ = raise_error  # type: ignore[attr-defined]  # hidden: checkers know what there is
    return owner


def _hint_at(name: str, owner: type, instance: object) -> str:
    """Return what may have been meant, as the end of the error's text."""
    everything = {*dir(owner), *getattr(instance, "__dict__", ())} - _OF_SEQUENCES
    known = sorted(each for each in everything if not each.startswith("_"))
    if "properties" in known and name in BasicHeaderProperties._fields:
        return f"; did you mean properties.{name}?"
    close = similar_name(name, known)
    return f"; did you mean {close!r}?" if close else f"; it has {', '.join(known)}"
