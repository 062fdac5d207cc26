"""A client of the management API: one request for each call, answers in JSON."""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

__all__ = ["ManagementApi", "Reply", "segment"]

PATIENCE = 45.0
"""Seconds for which a RabbitMQ may keep old statistics; by itself it is 5 s behind.

The message of a failure comes before pytest's own limit for a test, which is 60.
"""
PAUSE = 0.2


def segment(name: str) -> str:
    """Return a name as a segment of a path."""
    return quote(name, safe="")


class Reply(NamedTuple):
    """The answer to a request."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    json: Any
    """The body; None if there is none."""

    @property
    def problem(self) -> tuple[int, Any, Any]:
        """The status, the error and the reason of a refusal."""
        return self.status, self.json["error"], self.json["reason"]


class ManagementApi:
    """The management API of a broker, as a user sees it.

    Args:
        url: Where it listens.
        user: The name to log in with.
        password: The password; None to send neither.
    """

    def __init__(self, url: str, user: str = "guest", password: str | None = "guest") -> None:
        self.url = url
        self._login = b64encode(f"{user}:{password}".encode()).decode() if password else None

    def as_user(self, user: str, password: str | None) -> "ManagementApi":
        """Return the same API for another user."""
        return ManagementApi(self.url, user, password)

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, **headers)

    def put(self, path: str, body: object = None, **headers: str) -> Reply:
        return self.ask("PUT", path, body, **headers)

    def post(self, path: str, body: object = None, **headers: str) -> Reply:
        return self.ask("POST", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Reply:
        return self.ask("DELETE", path, **headers)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Send a request; a body that is no octets is sent as JSON."""
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self._login is not None:
            sent["authorization"] = f"Basic {self._login}"
        if body is not None:
            sent.setdefault("content-type", "application/json")
        octets = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, f"/api/{path}", octets, sent)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, received, json.loads(content) if content else None)

    def get_when(self, path: str, is_ready: Callable[[Any], object]) -> Any:
        """Return what a path shows once it shows what is waited for.

        RabbitMQ's statistics are some seconds old; the fake's are current.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            reply = self.get(path)
            if reply.status == 200 and is_ready(reply.json):
                return reply.json
            assert time.monotonic() < deadline, f"{path} still shows {reply.json}"
            time.sleep(PAUSE)
