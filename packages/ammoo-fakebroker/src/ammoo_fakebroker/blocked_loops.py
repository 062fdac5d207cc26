"""The event loop that a wait has blocked: a hint for the text of its failure."""

from __future__ import annotations

import asyncio

__all__ = ["hint_at_blocked_loop"]


def hint_at_blocked_loop(name: str) -> str:
    """Return a line for the text of a failed wait that has blocked its thread's event loop.

    Args:
        name: The name of the wait's method, which has a variant for event loops.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return ""
    return f"\n  the wait blocked this thread's event loop; await {name}_async(…) does not"
