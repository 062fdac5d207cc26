"""JSON bodies of the management API, without HTTP."""

from functools import reduce

import pytest

from ammoo_fakebroker.management.json_bodies import check_nulls
from ammoo_fakebroker.management.refusals import Refusal

DEPTH = 5000
"""Deeper than Python's stack."""


def nested(innermost: object) -> object:
    """Return objects and lists within each other, around a value."""
    return reduce(lambda inner, _: {"x": [1, inner]}, range(DEPTH), innermost)


def test_null_is_found_at_any_depth() -> None:
    check_nulls(nested("no null"))

    with pytest.raises(Refusal):
        check_nulls(nested(None))
