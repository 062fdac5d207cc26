"""A call of the control API: a request, and the broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..management.json_bodies import json_object
from ..management.refusals import bad_request

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

    def options(self, *known: str) -> dict[str, Any]:
        """Return the body, an object; a missing body is an empty one.

        Args:
            known: The members that it may have.

        Raises:
            Refusal: 400, the body is no object, or has another member.
        """
        if self.request.body.lstrip()[:1] == b"[":
            raise bad_request("the body is a list; expected an object")
        options = json_object(self.request)
        unknown = options.keys() - set(known)
        if unknown:
            expected = f"expected {', '.join(known)}" if known else "this request has no options"
            raise bad_request(f"{min(unknown)!r} is unknown; {expected}")
        return options
