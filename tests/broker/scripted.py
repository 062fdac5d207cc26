"""A node with scripted faults, and clients of it, without a socket: frames are seen one by one."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from ammoo_fakebroker.clocks.clock import ManualClock
from ammoo_fakebroker.connections.strike_points import StrikePoints
from ammoo_fakebroker.faults.faults import Faults
from ammoo_fakebroker.faults.ports import FaultyClient
from ammoo_fakebroker.faults.registry import Registry
from ammoo_wire import BasicAckParameters, BasicNackParameters
from tests.broker.link import Line, make_node
from tests.support.commands import Command


async def _await_future(future: Future[None], seconds: float) -> None:
    future.result(seconds)


class _NoNetwork:
    """A network without sockets."""

    refuses_connections = False
    clients: Sequence[FaultyClient] = ()


class Stage:
    """A node, its faults, and what makes its clients.

    Attributes:
        faults: The faults of the node.
    """

    def __init__(self, compatibility: str = "4.3", seed: int = 0, **limits: Any) -> None:
        self.node = make_node(compatibility, **limits)
        self._points = StrikePoints()
        self.faults = Faults(
            Registry(
                self.node,
                self._points,
                call=lambda function: function(),
                change=lambda function: function(),
                check_running=lambda: None,
                runs_here=lambda: False,
                await_future=_await_future,
                network=_NoNetwork(),
                seed=seed,
            )
        )

    def connect(self, **options: Any) -> Line:
        """Connect a client, with channel 1 open."""
        return Line(self.node, strike_points=self._points, **options)

    def advance(self, seconds: float) -> None:
        """Move the node's clock."""
        clock = self.node.clock
        assert isinstance(clock, ManualClock)
        clock.advance(seconds)


def names(commands: list[Command]) -> list[str]:
    """Return the names of methods, as in ``BasicAck``."""
    return [type(command.parameters).__name__.removesuffix("Parameters") for command in commands]


def confirms(commands: list[Command]) -> list[tuple[str, int, bool]]:
    """Return the confirms: the method, its delivery tag, and whether it is for all up to that."""
    found: list[tuple[str, int, bool]] = []
    for name, command in zip(names(commands), commands, strict=True):
        parameters = command.parameters
        if isinstance(parameters, BasicAckParameters | BasicNackParameters):
            found.append((name, parameters.delivery_tag, parameters.multiple))
    return found
