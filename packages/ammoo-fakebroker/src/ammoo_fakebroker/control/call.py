"""A call of the control API: a request, and the broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..management.http import Request
    from ..node.node import Node
    from .ports import ControlledBroker

__all__ = ["ControlCall"]


class ControlCall(NamedTuple):
    """A request, and the broker that its handler uses."""

    broker: ControlledBroker
    node: Node
    request: Request
    names: Mapping[str, str]
    """The variable segments of the path, by their names."""
