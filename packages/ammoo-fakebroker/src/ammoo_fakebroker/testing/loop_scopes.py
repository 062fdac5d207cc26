"""The scope of the event loop in which pytest-asyncio runs a test."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

__all__ = ["loop_scope_of"]


def loop_scope_of(item: pytest.Item) -> Any:
    """Return the scope of the event loop of a test; None if pytest-asyncio does not run the test.

    Args:
        item: The test.
    """
    marker = item.get_closest_marker("asyncio")
    if marker is None or not item.config.pluginmanager.hasplugin("asyncio"):
        return None
    given = marker.kwargs.get("loop_scope") or marker.kwargs.get("scope")
    with suppress(ValueError):  # releases before 0.26 have no such option
        return given or item.config.getini("asyncio_default_test_loop_scope")
    return given
