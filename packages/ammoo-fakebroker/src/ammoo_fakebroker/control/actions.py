"""Actions over HTTP: moving a broker's clock, cutting its connections, resetting it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..management.http import Response
from ..management.json_bodies import json_response
from ..management.refusals import Refusal, bad_request, missing_keys

if TYPE_CHECKING:
    from .call import ControlCall

__all__ = ["advance", "block", "close", "cut", "reset", "restart", "unblock"]

_LONGEST = 60.0
"""How long a request may take, in seconds."""


async def advance(call: ControlCall) -> Response:
    """Move the broker's clock by ``seconds``; the broker needs a clock that is moved by hand."""
    options = call.options("seconds")
    if "seconds" not in options:
        raise missing_keys("seconds")
    try:
        # In another thread: the clock may wait for the broker's thread, if another thread moves it.
        await asyncio.to_thread(call.broker.advance, options["seconds"])
    except RuntimeError as error:
        reason = f"{error}; for the command it is the option --manual-clock"
        raise Refusal(HTTPStatus.CONFLICT, "real_time", reason) from None
    except (TypeError, ValueError) as error:
        raise bad_request(str(error)) from None
    return Response(HTTPStatus.NO_CONTENT)


async def cut(call: ControlCall) -> Response:
    """Close all sockets without a connection.close, as a failing network does."""
    call.options()
    count = _count_connections(call)
    await _cut(call)
    return json_response({"connections": count})


async def _cut(call: ControlCall) -> None:
    """Cut the connections, and wait until the broker has none: the next look must not show any."""
    call.broker.cut_connections()
    await call.broker.wait_until_async(lambda _: not call.node.connections)


def close(call: ControlCall) -> Response:
    """Close all connections as an operator does (320); ``reason`` is the reply text."""
    reason = call.options("reason").get("reason", "closed by the test")
    count = _count_connections(call)
    call.broker.close_connections(str(reason))
    return json_response({"connections": count})


def _count_connections(call: ControlCall) -> int:
    return sum(connection.is_open for connection in call.node.connections)


def block(call: ControlCall) -> Response:
    """Raise an alarm: connections that publish are blocked; clients get ``reason``."""
    call.broker.block(str(call.options("reason").get("reason", "low on memory")))
    return Response(HTTPStatus.NO_CONTENT)


def unblock(call: ControlCall) -> Response:
    """Clear all alarms, or the one of a ``reason``."""
    reason = call.options("reason").get("reason")
    call.broker.unblock(None if reason is None else str(reason))
    return Response(HTTPStatus.NO_CONTENT)


async def reset(call: ControlCall) -> Response:
    """Begin anew: remove faults and alarms, cut connections, delete queues and exchanges.

    Virtual hosts, users and policies stay. The answer has the mark of now, for the history.
    """
    call.options()
    call.broker.faults.clear()
    call.broker.unblock()
    await _cut(call)
    for virtualhost in call.node.virtualhosts.values():
        virtualhost.forget_everything()
    return json_response({"mark": call.broker.mark()})


async def restart(call: ControlCall) -> Response:
    """Take the broker down and up again, at the same port; ``keep``, ``down_for``, ``politely``."""
    options = call.options("keep", "down_for", "politely")
    if options.get("down_for", 0) and not _is_short(options["down_for"]):
        raise bad_request(f"down_for is {options['down_for']!r}; expected at most {_LONGEST:g} s")
    try:
        await call.broker.restart_async(**options)
    except (TypeError, ValueError) as error:
        raise bad_request(str(error)) from None
    except RuntimeError as error:
        raise Refusal(HTTPStatus.CONFLICT, "not_running", str(error)) from None
    return Response(HTTPStatus.NO_CONTENT)


def _is_short(seconds: object) -> bool:
    return isinstance(seconds, int | float) and seconds <= _LONGEST
