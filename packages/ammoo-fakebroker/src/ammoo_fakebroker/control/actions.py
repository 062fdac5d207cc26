"""Actions over HTTP: moving a broker's clock, cutting its connections, resetting it."""

from __future__ import annotations

import asyncio
import math
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..faults.occasions import is_chosen
from ..management.http import Response
from ..management.json_bodies import json_response
from ..management.refusals import Refusal, bad_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..node.ports import Client
    from .call import ControlCall

__all__ = ["advance", "block", "cancel_consumers", "close", "cut", "reset", "restart", "unblock"]

_LONGEST = 60.0
"""How long a request may take, in seconds."""


async def advance(call: ControlCall) -> Response:
    """Move the broker's clock by ``seconds``; the broker needs a clock that is moved by hand."""
    options = call.options("seconds")
    if "seconds" not in options:
        raise bad_request("'seconds' is missing: how far to move the clock")
    if options["seconds"] == math.inf:
        raise bad_request("seconds is infinite; expected a number of seconds from 0 on")
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
    """Close sockets without a connection.close, as a failing network does; those of ``connection``."""
    name = _connection_name(call.options("connection"))
    count = _count_connections(call, name)
    await _cut(call, name)
    return json_response({"connections": count})


async def _cut(call: ControlCall, name: str | None = None) -> None:
    """Cut connections, and wait until the broker has none of them: the next look must show none."""
    with _not_found():
        call.broker.cut_connections(connection=name)
    await call.broker.wait_until_async(lambda _: not _connections_named(call, name))


def close(call: ControlCall) -> Response:
    """Close connections as an operator does (320); ``reason`` is the text, ``connection`` a name."""
    options = call.options("reason", "connection")
    name = _connection_name(options)
    count = _count_connections(call, name)
    reason = str(options.get("reason", "closed by the test"))
    with _not_found():
        call.broker.close_connections(reason, connection=name)
    return json_response({"connections": count})


@contextmanager
def _not_found() -> Iterator[None]:
    """Answer a LookupError with 404 and its text."""
    try:
        yield
    except LookupError as error:
        raise Refusal(HTTPStatus.NOT_FOUND, "not_found", str(error)) from None


def _connection_name(options: Mapping[str, Any]) -> str | None:
    """Return the name of the connections that an action is for; None for all."""
    name = options.get("connection")
    if not isinstance(name, str | None):
        raise bad_request(f"connection is {name!r}; expected the name of a connection")
    return name


def _connections_named(call: ControlCall, name: str | None) -> list[Client]:
    """Return the connections of a name, RabbitMQ's or the client's; all of them if it is None."""
    return [each for each in call.node.connections if name is None or is_chosen(each, name)]


def _count_connections(call: ControlCall, name: str | None) -> int:
    return sum(connection.is_open for connection in _connections_named(call, name))


def cancel_consumers(call: ControlCall) -> Response:
    """Cancel consumers by ``consumer_tag``, ``queue_name`` or both, and answer which; ``virtualhost``."""
    options = call.options("consumer_tag", "queue_name", "virtualhost")
    try:
        with _not_found():
            cancelled = call.broker.cancel_consumer(**options)
    except (TypeError, ValueError) as error:
        raise bad_request(str(error)) from None
    return json_response({"consumer_tags": cancelled})


def block(call: ControlCall) -> Response:
    """Raise an alarm: connections that publish are blocked; clients get ``reason``."""
    options = call.options("reason", "connection")
    reason = str(options.get("reason", "low on memory"))
    call.broker.block(reason, connection=_connection_name(options))
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
        expected = f"expected a number of seconds, at most {_LONGEST:g}"
        raise bad_request(f"down_for is {options['down_for']!r}; {expected}")
    if call.node.is_down:
        reason = "the broker is down already: by another restart, or the test called shut_down()"
        raise Refusal(HTTPStatus.CONFLICT, "not_running", reason)
    try:
        await call.broker.restart_async(**options)
    except (TypeError, ValueError) as error:
        raise bad_request(str(error)) from None
    except RuntimeError:
        # The broker was up at first, so it went down, and this restart did not take it up.
        reason = (
            "the broker went down, and the test called start() or ended it before down_for was over"
        )
        raise Refusal(HTTPStatus.CONFLICT, "not_down", reason) from None
    return Response(HTTPStatus.NO_CONTENT)


def _is_short(seconds: object) -> bool:
    return isinstance(seconds, int | float) and seconds <= _LONGEST
