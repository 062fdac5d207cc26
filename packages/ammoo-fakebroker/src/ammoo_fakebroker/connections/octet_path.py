"""The path of a client's octets through faults: stages between its connection and its socket.

The octets of a direction pass its stages one after the other, the newest stage first. A stage may keep
octets, drop them or cut the socket. The path knows neither sockets nor event loops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

__all__ = ["OctetPath", "Stage", "Towards"]

Towards = Literal["client", "broker"]

_BUFFER_SIZE = 65_536


class Stage(Protocol):
    """One fault on the path, for one direction."""

    @property
    def kept_size(self) -> int:
        """How many octets the stage keeps."""
        ...

    @property
    def is_silent(self) -> bool:
        """Whether the client must not see that the connection has ended."""
        ...

    def pass_on(self, octets: bytes, forward: Callable[[bytes], object]) -> None:
        """Take octets, and pass to `forward` those that go on, now or later."""


class OctetPath:
    """The stages of one client.

    Args:
        write: Writes octets to the client's socket.
        receive: Passes the client's octets to its connection.
    """

    def __init__(
        self, write: Callable[[bytes], object], receive: Callable[[bytes], object]
    ) -> None:
        self._ends: dict[Towards, Callable[[bytes], object]] = {
            "client": write,
            "broker": receive,
        }
        self._stages: dict[Towards, list[Stage]] = {"client": [], "broker": []}
        self._buffer = bytearray(_BUFFER_SIZE)

    def get_buffer(self) -> memoryview:
        """Return the buffer to read octets into."""
        return memoryview(self._buffer)

    def received(self, count: int) -> None:
        """Take octets that were read into the buffer."""
        self.send("broker", bytes(self._buffer[:count]))

    def send(self, towards: Towards, octets: bytes) -> None:
        """Send octets through all stages of a direction."""
        self._forward(towards, 0, octets)

    def _forward(self, towards: Towards, index: int, octets: bytes) -> None:
        stages = self._stages[towards]
        if index >= len(stages):
            self._ends[towards](octets)
            return
        stage = stages[index]
        stage.pass_on(octets, lambda more: self._forward_behind(towards, stage, more))

    def _forward_behind(self, towards: Towards, stage: Stage, octets: bytes) -> None:
        stages = self._stages[towards]
        self._forward(towards, stages.index(stage) + 1 if stage in stages else 0, octets)

    @property
    def is_straight(self) -> bool:
        """Whether the path has no stage."""
        return not any(self._stages.values())

    @property
    def kept_size(self) -> int:
        """How many octets towards the client the stages keep."""
        return sum(stage.kept_size for stage in self._stages["client"])

    @property
    def is_silent(self) -> bool:
        """Whether the client must not see that its connection has ended."""
        return any(stage.is_silent for stage in self._stages["client"])

    def add(self, towards: Towards, stage: Stage) -> None:
        """Add a stage, in front of the others of its direction."""
        self._stages[towards].insert(0, stage)

    def remove(self, stage: Stage) -> None:
        """Remove a stage, which has passed on the octets that it kept."""
        for stages in self._stages.values():
            if stage in stages:
                stages.remove(stage)
