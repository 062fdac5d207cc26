"""The options of the broker of one test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["options_of_one_broker"]


def options_of_one_broker(options: Mapping[str, Any], seed: int | None = None) -> dict[str, Any]:
    """Return the options of `FakeBroker` for one test.

    Args:
        options: The options. ``clock=ManualClock``, the class, is a new clock for each broker.
        seed: The seed of the command line, which `options` takes precedence over; None for none.
    """
    merged: dict[str, Any] = {} if seed is None else {"seed": seed}
    merged.update(options)
    clock = merged.get("clock")
    if isinstance(clock, type):
        merged["clock"] = clock()
    return merged
