"""The faults of networks: those of `broker.faults` for connections and their octets.

Each docstring says what happens to traffic in flight, what happens when the fault is removed, and
whether RabbitMQ, a network or neither behaves like this. Octets are delayed in real time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from .connections import (
    Coalesce,
    Cut,
    HeldOctets,
    IgnoreConnections,
    RefuseConnections,
    Silence,
    Slow,
    Split,
    StopReading,
)
from .fault import Fault
from .options import ConnectionRule, LimitRule, with_options_of

if TYPE_CHECKING:
    from typing import TypeAlias, Unpack

    Direction: TypeAlias = Literal["client", "broker"]

__all__ = ["NetworkFaults"]

_FaultT = TypeVar("_FaultT", bound=Fault)


class NetworkFaults(ABC):
    """The faults that strike connections and their octets, in sockets and in memory.

    Their limits count connections: ``times=1`` is one connection. The scope can be ``connection``,
    ``user`` and ``virtualhost``; a fault with a scope begins when the connection is open.
    """

    @abstractmethod
    def _begin(self, kind: type[_FaultT], options: Mapping[str, Any]) -> _FaultT:
        """Check the options of a fault, make it, and put it in force."""

    # -- new connections -----------------------------------------------------------------------

    @with_options_of(LimitRule)
    def refuse_connections(self, **options: Unpack[LimitRule]) -> Fault:
        """Refuse new connections (ECONNREFUSED), as while RabbitMQ is down; the port is kept.

        With a limit such as ``times=2`` the broker has to count: it accepts these connections, and
        resets them before any octet. Without a limit it cannot count, and a ``with`` block never
        fails because no client was refused.
        In flight: open connections stay open. At removal: new connections are accepted.
        A network does this, and RabbitMQ when it is not running.

        Example::

            with broker.faults.refuse_connections():
                ...  # no client can connect
        """
        return self._begin(RefuseConnections, options)

    @with_options_of(LimitRule)
    def ignore_connections(
        self,
        *,
        after: Literal["accept", "start", "tune"] = "accept",
        **options: Unpack[LimitRule],
    ) -> Fault:
        """Accept new connections, and then send nothing.

        In flight: open connections stay open. At removal: ignored connections are cut.
        A network does this, or a node that hangs.

        Args:
            after: The last step that a client sees: ``"accept"`` (the TCP connection), ``"start"``
                (connection.start) or ``"tune"`` (connection.tune).
        """
        return self._begin(IgnoreConnections, {"after": after, **options})

    # -- connections that end ------------------------------------------------------------------

    @with_options_of(ConnectionRule)
    def cut(
        self,
        *,
        after_octets: int | None = None,
        after_frames: int | None = None,
        inside_frame: bool = False,
        towards: Direction = "client",
        reset: bool = False,
        **options: Unpack[ConnectionRule],
    ) -> Fault:
        """Cut connections at an exact position in the stream, without a connection.close.

        Without a position they are cut when the next octet comes (`FakeBroker.cut_connections` does
        not wait for one). Octets and frames are counted from the call on, for each connection.
        In flight: octets before the position are written; the rest is lost. At removal: nothing
        happens.
        A network does this, and RabbitMQ when its process is killed.

        Args:
            after_octets: How many octets pass.
            after_frames: How many frames pass; the protocol header counts as one.
            inside_frame: Whether the first half of the next frame passes, too.
            towards: The direction that is counted: octets sent by the broker (``"client"``) or by
                clients (``"broker"``).
            reset: Whether the socket ends with a reset (RST); else with a FIN.
        """
        own = {
            "after_octets": after_octets,
            "after_frames": after_frames,
            "inside_frame": inside_frame,
            "towards": towards,
            "reset": reset,
        }
        return self._begin(Cut, {**own, **options})

    # -- octets that come late or never --------------------------------------------------------

    @with_options_of(ConnectionRule)
    def silence(
        self, *, towards: Direction | None = None, **options: Unpack[ConnectionRule]
    ) -> Fault:
        """Lose all octets, heartbeats included: the sockets stay open, but nothing arrives.

        In flight: octets on their way are lost. At removal: connections that have lost octets are
        cut, because AMQP cannot continue behind a gap.
        A network does this when a cable is pulled or a firewall forgets the connection; so does a
        node that hangs.

        Args:
            towards: The direction that is silent; None for both.
        """
        return self._begin(Silence, {"towards": towards, **options})

    @with_options_of(ConnectionRule)
    def hold(
        self, *, towards: Direction | None = None, **options: Unpack[ConnectionRule]
    ) -> HeldOctets:
        """Keep octets, in order, until `release` passes them on.

        In flight: octets on their way are kept. At removal: all are passed on. If heartbeats are held
        for too long, either side ends the connection meanwhile.
        A network does this.

        Args:
            towards: The direction that is held; None for both.
        """
        return self._begin(HeldOctets, {"towards": towards, **options})

    @with_options_of(ConnectionRule)
    def slow(
        self,
        *,
        octets_per_second: int,
        towards: Direction | None = None,
        **options: Unpack[ConnectionRule],
    ) -> Fault:
        """Move octets slowly.

        In flight: nothing is lost. At removal: kept octets are passed on at once.
        A network does this.

        Args:
            octets_per_second: The speed of each direction of each connection.
            towards: The direction that is slow; None for both.
        """
        own = {"octets_per_second": octets_per_second, "towards": towards}
        return self._begin(Slow, {**own, **options})

    @with_options_of(ConnectionRule)
    def split(
        self,
        *,
        size: int,
        towards: Direction | None = None,
        **options: Unpack[ConnectionRule],
    ) -> Fault:
        """Move octets in small pieces: frames arrive in parts.

        In flight: nothing is lost. At removal: kept octets are passed on at once.
        A network does this: TCP has no messages.

        Args:
            size: The size of a piece, in octets.
            towards: The direction that is split; None for both.
        """
        return self._begin(Split, {"size": size, "towards": towards, **options})

    @with_options_of(ConnectionRule)
    def coalesce(
        self,
        *,
        seconds: float,
        towards: Direction | None = None,
        **options: Unpack[ConnectionRule],
    ) -> Fault:
        """Collect octets for a time: many frames arrive at once.

        In flight: nothing is lost. At removal: kept octets are passed on at once.
        A network does this: TCP has no messages.

        Args:
            seconds: How long to collect, in seconds of real time.
            towards: The direction that is collected; None for both.
        """
        return self._begin(Coalesce, {"seconds": seconds, "towards": towards, **options})

    @with_options_of(ConnectionRule)
    def stop_reading(self, **options: Unpack[ConnectionRule]) -> Fault:
        """Read nothing from sockets: clients cannot write when the buffers are full.

        In flight: commands that were read are executed. At removal: all octets are read; nothing is
        lost.
        RabbitMQ does this to publishers during an alarm, after a connection.blocked.
        """
        return self._begin(StopReading, options)
