"""How to draw from choices that are not equally likely; what is drawn is nobody's business here."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


def weighted(*choices: tuple[int, Any]) -> SearchStrategy[Any]:
    """Draw one of some values, each as often as its weight says; the first is the simplest."""
    return st.sampled_from([value for weight, value in choices for _ in range(weight)])


def one_of(*choices: tuple[int, SearchStrategy[Any]]) -> SearchStrategy[Any]:
    """Draw from one of some strategies, each as often as its weight says."""
    return weighted(*choices).flatmap(lambda strategy: strategy)


def table(*items: tuple[int, str, Any]) -> SearchStrategy[dict[str, Any]]:
    """Draw a table of up to three of these items, most often an empty one."""
    pairs = weighted(*((weight, (key, value)) for weight, key, value in items))
    return one_of((3, st.just({})), (2, st.lists(pairs, max_size=3).map(dict)))


def built(kind: Any, *fields: Any, **more: Any) -> SearchStrategy[Any]:
    """Draw a named tuple; fields that are not given have their defaults."""
    # Hypothesis would draw those too: it finds the fields' types, but not that they may be missing.
    return st.builds(lambda *values, **named: kind(*values, **named), *fields, **more)
