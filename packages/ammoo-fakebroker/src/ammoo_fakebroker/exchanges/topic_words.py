"""The words of routing keys and of topic patterns."""

from __future__ import annotations

__all__ = ["split_words"]


def split_words(key: str) -> list[str]:
    """Split a routing key or a pattern into its words."""
    return key.split(".") if key else []
