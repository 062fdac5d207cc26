"""What a run of many programs did, for the person who started it."""

import pytest


class Account:
    """How much was run on a broker.

    Attributes:
        version: The broker's.
        programs: How many programs agreed.
        steps: How many steps they had.
        repeated: How many of them agreed only when they were run again: RabbitMQ's processes race.
        seed: What they were made from.
    """

    def __init__(self, version: str) -> None:
        self.version = version
        self.programs = 0
        self.steps = 0
        self.repeated = 0
        self.seed = 0

    def note(self, steps: int, runs: int) -> None:
        self.programs += 1
        self.steps += steps
        self.repeated += runs > 1

    def __str__(self) -> str:
        return (
            f"differential: {self.programs} programs of {self.steps} steps did the same on"
            f" RabbitMQ {self.version} and on the fake; {self.repeated} of them when run again"
            f" (seed {self.seed})"
        )


ACCOUNTS = pytest.StashKey[list[Account]]()
