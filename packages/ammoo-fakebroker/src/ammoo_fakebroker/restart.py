"""Restarts: a broker goes down and comes up again, and keeps what RabbitMQ keeps.

The port is kept while the broker is down. Other methods of the broker still show and change its
stored state. What survives was compared with RabbitMQ 3.10.8, 4.0.5 and 4.3.6.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

from .call_checks import checks_arguments
from .network.server import Server
from .node.node import Node
from .responders import Responders

__all__ = ["Restarting"]

_Result = TypeVar("_Result")
_KEEP = ("durable", "all", "none")

Keep = Literal["durable", "all", "none"]


@checks_arguments
class Restarting(Responders, ABC):
    """The methods that take a broker down and up.

    Attributes:
        _node: The broker's node.
        _server: The broker's server.
        _is_running: Whether it has been started, and not stopped for good.
    """

    _node: Node
    _server: Server
    _is_running: bool

    @abstractmethod
    def _call(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the broker's thread, and return its result."""

    @abstractmethod
    def _check_running(self) -> None:
        """Raise a RuntimeError if the broker does not run."""

    def restart(
        self, *, keep: Keep = "durable", down_for: float = 0.0, politely: bool = True
    ) -> None:
        """Take the broker down and up again, at the same port.

        Clients lose their connections. With ``keep="durable"``, as with RabbitMQ, durable queues and
        exchanges stay, and the bindings between them. Classic queues keep persistent messages,
        quorum queues and streams keep all. Messages that clients held are redelivered. Times to live
        continue while the broker is down. Users, virtual hosts, permissions, policies, limits, alarms
        and faults stay.

        Example::

            broker.restart()

        Args:
            keep: ``"durable"``, the default; ``"all"`` to keep everything but exclusive queues; or
                ``"none"`` for the state of a new node.
            down_for: How long clients are refused, in seconds of real time; 0 by default.
            politely: Whether the broker closes connections (320, CONNECTION_FORCED), as
                ``rabbitmqctl stop_app`` does; else it resets their sockets, as when the node is
                killed. True by default.

        Raises:
            OSError: The port is not available any more.
            RuntimeError: The broker does not run or is down; or it runs in the event loop of this
                thread, which `down_for` would block: await `restart_async`.
            TypeError: An argument is of a wrong type.
            ValueError: `keep` is unknown, or `down_for` is negative.
        """
        if down_for and self._is_running and self._server.is_current_thread():
            raise RuntimeError(
                "the broker runs in this event loop: await restart_async(down_for=…)"
            )
        self.shut_down(keep=keep, politely=politely)
        with self._coming_back():
            time.sleep(down_for)

    async def restart_async(
        self, *, keep: Keep = "durable", down_for: float = 0.0, politely: bool = True
    ) -> None:
        """Take the broker down and up again, as `restart` does, without stopping the event loop.

        If it is cancelled, the broker comes up at once.

        Args:
            keep, down_for, politely: As for `restart`.

        Raises:
            OSError: The port is not available any more.
            RuntimeError: The broker does not run, or is down.
            ValueError: `keep` is unknown, or `down_for` is negative.
        """
        self.shut_down(keep=keep, politely=politely)
        with self._coming_back():
            await asyncio.sleep(down_for)

    @contextmanager
    def _coming_back(self) -> Iterator[None]:
        """Take the broker up at the end of a block, and at once if the block is interrupted."""
        try:
            yield
        except BaseException:
            if self._is_running and self._node.is_down:
                self.start()
            raise
        self.start()

    def shut_down(self, *, keep: Keep = "durable", politely: bool = True) -> None:
        """Take the broker down until `start`; clients are refused, and the port is kept.

        Args:
            keep, politely: As for `restart`.

        Raises:
            RuntimeError: The broker does not run, or is down already.
            ValueError: `keep` is unknown.
        """
        if keep not in _KEEP:
            raise ValueError(f"keep is {keep!r}; expected 'durable', 'all' or 'none'")
        self._check_running()
        self._call(lambda: self._shut_down(keep, politely=politely))

    def _shut_down(self, keep: Keep, *, politely: bool) -> None:
        if self._node.is_down:
            raise RuntimeError("the broker is already down; call start() to take it up")
        self._server.go_down(politely=politely)
        for virtualhost in self._node.virtualhosts.values():
            if keep == "durable":
                virtualhost.forget_transient()
            elif keep == "none":
                virtualhost.forget_everything()

    def start(self) -> None:
        """Take the broker up again after `shut_down`.

        Raises:
            OSError: The port is not available any more.
            RuntimeError: The broker does not run, or is not down.
        """
        self._check_running()
        if not self._node.is_down:
            raise RuntimeError(
                "the broker is not down; start() takes it up again after shut_down(),"
                " and `with broker:` starts a new broker"
            )
        self._call(self._start)

    def _start(self) -> None:
        self._server.come_up()
        self._responders_go_on()
