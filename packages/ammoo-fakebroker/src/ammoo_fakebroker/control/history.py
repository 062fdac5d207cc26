"""The history over HTTP: queries by the names of an event's attributes, and waits."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..management.json_bodies import json_response
from ..management.refusals import Refusal, bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..management.http import Response
    from .call import ControlCall
    from .ports import ControlledEvents

__all__ = ["show_history", "show_mark"]

_IN_JSON = frozenset(("json", "headers", "redelivered", "mandatory"))
_NUMBERS = frozenset(
    (
        "channel_number",
        "code",
        "delivery_mode",
        "delivery_tag",
        "fault_number",
        "message_number",
        "priority",
        "sequence_number",
    )
)
_LONGEST_WAIT = 60.0


async def show_history(call: ControlCall) -> Response:
    """Show what has happened.

    The query names the kind of events and the attributes that they must have; ``wait`` is how many
    there must be, ``timeout`` for how many seconds to wait for them.
    """
    query = dict(call.request.query)
    count, timeout = _number(query, "wait", 0), _seconds(query)
    try:
        events: ControlledEvents = call.broker.history(
            kind=query.pop("kind", None), since=_number(query, "since", 0), **_criteria(query)
        )
        if count:
            events = await events.wait_async(count, timeout=timeout)
        found = [event.as_dict() for event in events]
    except AssertionError as error:
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "timeout", str(error)) from None
    except (TypeError, ValueError, RuntimeError) as error:
        raise bad_request(str(error)) from None
    return json_response({"events": found, "mark": call.broker.mark()})


def show_mark(call: ControlCall) -> Response:
    """Show the mark of now, for the ``since`` of a later query."""
    try:
        return json_response({"mark": call.broker.mark()})
    except RuntimeError as error:
        raise bad_request(str(error)) from None


def _criteria(query: Mapping[str, str]) -> dict[str, Any]:
    """Return the criteria of a query, with the types of the attributes."""
    return {name: _value(name, text) for name, text in query.items()}


def _value(name: str, text: str) -> Any:
    if name in _NUMBERS:
        return _integer(name, text)
    if name == "body":
        return text.encode()
    if name not in _IN_JSON:
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise bad_request(f"{name} is {text!r}; expected a value in JSON") from None


def _number(query: dict[str, str], name: str, default: int) -> int:
    return _integer(name, query.pop(name)) if name in query else default


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise bad_request(f"{name} is {text!r}; expected an integer") from None


def _seconds(query: dict[str, str]) -> float:
    text = query.pop("timeout", "5")
    try:
        seconds = float(text)
    except ValueError:
        raise bad_request(f"timeout is {text!r}; expected a number of seconds") from None
    if not 0 < seconds <= _LONGEST_WAIT:
        raise bad_request(f"timeout is {text}; expected seconds, at most {_LONGEST_WAIT:g}")
    return seconds
