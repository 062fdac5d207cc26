"""Faults that strike whole connections: they refuse them, or change what happens to their octets.

Such a fault matches connections, not octets: those that are open when it is made, and later ones.
Without a scope it affects a connection from the first octet on. With a scope it affects a connection
from connection.open on, because the broker does not know its name and its user before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..call_checks import check_count
from .deliveries import check_seconds
from .fault import Fault
from .occasions import Occasion
from .octet_stages import (
    CoalescingStage,
    CuttingStage,
    DiscardingStage,
    HoldingStage,
    OctetStage,
    SilentStage,
    SlowStage,
    SplittingStage,
    UnansweringStage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .ports import FaultHost, FaultyClient

__all__ = [
    "Coalesce",
    "ConnectionFault",
    "Cut",
    "HeldOctets",
    "IgnoreConnections",
    "RefuseConnections",
    "Silence",
    "Slow",
    "Split",
    "StopReading",
]

_Towards = Literal["client", "broker"]
_LAST_METHODS: Mapping[str, tuple[int, int] | None] = {
    "accept": None,
    "start": (10, 10),
    "tune": (10, 30),
}


class ConnectionFault(Fault):
    """A fault that affects connections until it is removed."""

    _noun: ClassVar[tuple[str, str]] = ("connection", "connections")
    _takes_open_ones: ClassVar[bool] = True
    """Whether it affects connections that exist already."""

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._claimed: dict[FaultyClient, None] = {}

    @property
    def _strikes_at_accept(self) -> bool:
        """Whether it can strike before the connection's name and user are known."""
        return not self._matcher.scope

    def _begin(self) -> None:
        if self._takes_open_ones:
            for client in self._host.clients():
                if self._strikes_at_accept or client.connection.is_open:
                    self._offer(client, is_new=False)

    def _offer(self, client: FaultyClient, *, is_new: bool) -> None:
        """Affect a connection if the fault matches it and its limits allow it."""
        occasion = Occasion(client.connection)
        if self._affects(occasion):
            self._claimed[client] = None
            self._take(client, occasion, is_new=is_new)

    def _take(self, client: FaultyClient, occasion: Occasion, *, is_new: bool) -> None:
        """Begin to affect a connection."""
        raise NotImplementedError


class RefuseConnections(ConnectionFault):
    """See `Faults.refuse_connections`."""

    name: ClassVar[str] = "refuse_connections"
    _takes_open_ones: ClassVar[bool] = False

    @property
    def _is_countable(self) -> bool:
        return not self.stops_listening

    @property
    def stops_listening(self) -> bool:
        """Whether the broker stops listening; it then cannot count the connections refused."""
        limit = self._matcher.limit
        return not (limit.skip or limit.times) and limit[1:] == (1, None, 1.0)

    def _begin(self) -> None:
        if self.stops_listening:
            self._host.stop_listening()

    def _ended(self) -> None:
        if self.stops_listening:
            self._host.listen()

    def _take(self, client: FaultyClient, occasion: Occasion, *, is_new: bool) -> None:
        self._strike(occasion)
        client.cut(reset=True)


class _StagedFault(ConnectionFault):
    """A fault that puts stages on the paths of octets."""

    _own_options: ClassVar[frozenset[str]] = frozenset(("towards",))

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._stages: list[tuple[FaultyClient, OctetStage]] = []
        self._directions = directions(options.get("towards"))

    def _take(self, client: FaultyClient, occasion: Occasion, *, is_new: bool) -> None:
        struck: list[bool] = []

        def strike() -> None:
            if not struck:
                struck.append(True)
                self._strike(occasion)

        for towards in self._directions:
            stage = self._stage(client, towards, strike, is_new=is_new)
            client.path.add(towards, stage)
            self._stages.append((client, stage))

    def _stage(
        self, client: FaultyClient, towards: _Towards, strike: Any, *, is_new: bool
    ) -> OctetStage:
        raise NotImplementedError

    def _ended(self) -> None:
        stages, self._stages = self._stages, []
        for client, stage in stages:
            if stage.has_lost:
                client.cut(reset=True)
                continue
            stage.let_go()
            client.path.remove(stage)
            client.leave_path()


class Cut(_StagedFault):
    """See `Faults.cut`."""

    name: ClassVar[str] = "cut"
    _own_options: ClassVar[frozenset[str]] = frozenset(
        ("towards", "after_octets", "after_frames", "inside_frame", "reset")
    )

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._after_octets = check_amount("after_octets", options.get("after_octets"))
        self._after_frames = check_amount("after_frames", options.get("after_frames"))
        if self._after_octets is not None and self._after_frames is not None:
            raise ValueError("both after_octets and after_frames are given; expected one of them")
        if self._after_octets is not None and options.get("inside_frame"):
            raise ValueError("inside_frame needs after_frames, not after_octets")

    def _stage(
        self, client: FaultyClient, towards: _Towards, strike: Any, *, is_new: bool
    ) -> OctetStage:
        return CuttingStage(
            self._host.node.network_clock,
            strike,
            lambda: client.cut(reset=bool(self.options.get("reset"))),
            after_octets=self._after_octets,
            after_frames=self._after_frames or 0,
            inside_frame=bool(self.options.get("inside_frame")),
            has_header=is_new and towards == "broker",
        )


class Silence(_StagedFault):
    """See `Faults.silence`."""

    name: ClassVar[str] = "silence"

    def _stage(
        self, client: FaultyClient, towards: _Towards, strike: Any, *, is_new: bool
    ) -> OctetStage:
        return SilentStage(self._host.node.network_clock, strike)


class IgnoreConnections(_StagedFault):
    """See `Faults.ignore_connections`."""

    name: ClassVar[str] = "ignore_connections"
    _own_options: ClassVar[frozenset[str]] = frozenset(("after",))
    _takes_open_ones: ClassVar[bool] = False

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        after = options["after"]
        if after not in _LAST_METHODS:
            raise ValueError(f"after is {after!r}; expected 'accept', 'start' or 'tune'")
        self._last_method = _LAST_METHODS[after]

    def _take(self, client: FaultyClient, occasion: Occasion, *, is_new: bool) -> None:
        self._strike(occasion)
        clock = self._host.node.network_clock
        outgoing = UnansweringStage(clock, self._last_method)
        incoming = DiscardingStage(clock, lambda: outgoing.is_over)
        client.path.add("client", outgoing)
        client.path.add("broker", incoming)
        self._stages += [(client, outgoing), (client, incoming)]


class HeldOctets(_StagedFault):
    """Octets that are held: the return value of `Faults.hold`."""

    name: ClassVar[str] = "hold"

    def _stage(
        self, client: FaultyClient, towards: _Towards, strike: Any, *, is_new: bool
    ) -> OctetStage:
        return HoldingStage(self._host.node.network_clock, strike)

    @property
    def held_size(self) -> int:
        """How many octets are held now."""
        return self._host.call(lambda: sum(stage.kept_size for _, stage in self._stages))

    def release(self) -> None:
        """Pass on all octets that are held now; later ones are held again."""
        self._host.call(self._release)

    def _release(self) -> None:
        for _, stage in list(self._stages):
            stage.let_go()


class Slow(_StagedFault):
    """See `Faults.slow`."""

    name: ClassVar[str] = "slow"
    _own_options: ClassVar[frozenset[str]] = frozenset(("towards", "octets_per_second"))

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._speed = check_amount("octets_per_second", options["octets_per_second"], lowest=1)

    def _stage(
        self, client: FaultyClient, towards: _Towards, strike: Any, *, is_new: bool
    ) -> OctetStage:
        return SlowStage(self._host.node.network_clock, strike, self._speed or 1)


class Split(_StagedFault):
    """See `Faults.split`."""

    name: ClassVar[str] = "split"
    _own_options: ClassVar[frozenset[str]] = frozenset(("towards", "size"))

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._size = check_amount("size", options["size"], lowest=1)

    def _stage(
        self, client: FaultyClient, towards: _Towards, strike: Any, *, is_new: bool
    ) -> OctetStage:
        return SplittingStage(self._host.node.network_clock, strike, self._size or 1)


class Coalesce(_StagedFault):
    """See `Faults.coalesce`."""

    name: ClassVar[str] = "coalesce"
    _own_options: ClassVar[frozenset[str]] = frozenset(("towards", "seconds"))

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._seconds = check_seconds(options["seconds"])

    def _stage(
        self, client: FaultyClient, towards: _Towards, strike: Any, *, is_new: bool
    ) -> OctetStage:
        return CoalescingStage(self._host.node.network_clock, strike, self._seconds)


class StopReading(ConnectionFault):
    """See `Faults.stop_reading`."""

    name: ClassVar[str] = "stop_reading"

    def _take(self, client: FaultyClient, occasion: Occasion, *, is_new: bool) -> None:
        self._strike(occasion)
        client.stop_reading(is_stopped=True)

    def _ended(self) -> None:
        for client in self._claimed:
            client.stop_reading(is_stopped=False)


def directions(towards: object) -> tuple[_Towards, ...]:
    """Return the directions of a fault.

    Raises:
        ValueError: There is no such direction.
    """
    if towards is None:
        return ("client", "broker")
    if towards == "client":
        return ("client",)
    if towards == "broker":
        return ("broker",)
    raise ValueError(f"towards is {towards!r}; expected 'client' or 'broker'")


def check_amount(name: str, value: object, *, lowest: int = 0) -> int | None:
    """Return a number of octets or frames; None if the option was not given.

    Raises:
        TypeError: The value is not an integer.
        ValueError: The value is too low.
    """
    return None if value is None else check_count(name, value, lowest=lowest)
