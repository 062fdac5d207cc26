"""Refused requests: the statuses and bodies of the refusals of RabbitMQ's management plugin."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from ammoo_wire import ProtocolError, ReplyCode

from .erlang_texts import erlang_list
from .http import Response

__all__ = [
    "Refusal",
    "access_refused",
    "bad_request",
    "missing_keys",
    "not_authorised",
    "not_found",
    "refusal_of",
    "refusal_of_channel",
]


_FIRST_OF_CONNECTIONS = 500
"""The lowest code of those errors of methods that end the connection."""


class Refusal(Exception):
    """A request that is refused.

    Args:
        status: The status of the response.
        error: The kind of error, in one word.
        reason: The error: a text, or a list, as RabbitMQ sends for some errors.
        more: Further members of the body.
    """

    def __init__(self, status: int, error: str, reason: Any, **more: Any) -> None:
        super().__init__(f"{status} {error}: {reason}")
        self.status = status
        self.error = error
        self.reason = reason
        self.more = more

    def response(self) -> Response:
        """Return the response with the refusal."""
        body = {"error": self.error, "reason": self.reason, **self.more}
        headers = {"content-type": "application/json"}
        return Response(self.status, json.dumps(body, separators=(",", ":")).encode(), headers)


def not_found() -> Refusal:
    """Return the refusal for an object that does not exist."""
    return Refusal(HTTPStatus.NOT_FOUND, "Object Not Found", "Not Found")


def bad_request(reason: Any) -> Refusal:
    """Return the refusal of an invalid request."""
    return Refusal(HTTPStatus.BAD_REQUEST, "bad_request", reason)


def missing_keys(*names: str) -> Refusal:
    """Return the refusal of a body that lacks members."""
    return bad_request(erlang_list(f"{{key_missing,{name}}}" for name in names))


def not_authorised(reason: str) -> Refusal:
    """Return the refusal for a user who may not do this."""
    return Refusal(HTTPStatus.UNAUTHORIZED, "not_authorised", reason)


def access_refused() -> Refusal:
    """Return the refusal for a lack of permissions, or for a reserved name."""
    return not_authorised("Access refused.")


def refusal_of_channel(error: ProtocolError) -> Refusal:
    """Return the refusal for an error that ends the channel or connection of a publish or a get.

    It names the code. If the error ends the connection, RabbitMQ leaves out the code's name.
    """
    ends_connection = error.reply_code >= _FIRST_OF_CONNECTIONS
    text = error.reply_text.partition(" - ")[2] if ends_connection else error.reply_text
    return bad_request(f"{int(error.reply_code)} {text}")


def refusal_of(error: ProtocolError) -> Refusal:
    """Return the refusal for an error of AMQP: its reply text without the name of its code."""
    if error.reply_code == ReplyCode.ACCESS_REFUSED:
        return access_refused()
    reason = error.reply_text.partition(" - ")[2] or error.reply_text
    if error.reply_code == ReplyCode.NOT_FOUND:
        return Refusal(HTTPStatus.NOT_FOUND, "not_found", reason)
    return bad_request(reason)
