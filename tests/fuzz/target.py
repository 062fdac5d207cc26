"""What a fuzzer of one thing supplies: inputs to begin with, and what is done with an input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random
from typing import ClassVar

from tests.fuzz.mutation import mutate

__all__ = ["Finding", "Target"]


class Finding(AssertionError):
    """An input made a package do what it promises never to do."""


class Target(ABC):
    """One thing that is fuzzed.

    An input is octets, whatever a target makes of them: so it can be kept in a file of the corpus
    and be tried again. A target that needs more than octets reads its choices from them.
    """

    name: ClassVar[str]

    @abstractmethod
    def seeds(self) -> list[bytes]:
        """Return inputs that are sound, or nearly, to make others of."""

    @abstractmethod
    def run(self, octets: bytes) -> None:
        """Try an input.

        Raises:
            Exception: It has found a fault, whatever the exception is.
        """

    def mutate(self, random: Random, parents: list[bytes]) -> bytes:
        """Return a new input, made of some that were there."""
        return mutate(random, parents)

    def close(self) -> None:  # noqa: B027  most have nothing to close
        """Give up what inputs were tried with."""
