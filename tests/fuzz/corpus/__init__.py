"""Inputs that are kept: those that found a fault once, in a folder for each target."""

from pathlib import Path

__all__ = ["corpus_of"]

_FOLDER = Path(__file__).parent


def corpus_of(target: str) -> list[bytes]:
    """Return the inputs that are kept for a target."""
    return [path.read_bytes() for path in sorted((_FOLDER / target).glob("*"))]
