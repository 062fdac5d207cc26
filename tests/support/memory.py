"""How much memory something takes, as Python's own allocator counts it."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Memory", "traced"]


class Memory:
    """What was taken within `traced`.

    Attributes:
        held: What was still held at its end, in octets.
        peak: What was held at most, in octets.
    """

    def __init__(self) -> None:
        self.held = 0
        self.peak = 0


@contextmanager
def traced() -> Iterator[Memory]:
    """Count what is taken within the block; the figures are there behind it."""
    memory = Memory()
    tracemalloc.start()
    try:
        yield memory
        memory.held, memory.peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
