"""A client of RabbitMQ's management API, with nothing but the standard library."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

__all__ = ["ManagementClient", "ManagementError"]

_TIMEOUT = 30.0


class ManagementError(RuntimeError):
    """RabbitMQ's management API has refused a request, or cannot be reached.

    Attributes:
        status: The HTTP status; None if there was no answer.
    """

    def __init__(self, text: str, status: int | None) -> None:
        super().__init__(text)
        self.status = status


class ManagementClient:
    """The management API at a URL, for one user."""

    def __init__(self, url: str, user: str, password: str) -> None:
        scheme, _, rest = url.rstrip("/").partition("://")
        self._url = f"{scheme}://{rest.rpartition('@')[2]}"  # the login goes into a header
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        self._opener = build_opener(ProxyHandler({}))

    def get(self, path: tuple[str, ...]) -> Any:
        """Return the resource at a path."""
        return self._ask("GET", path)

    def put(self, path: tuple[str, ...], body: Mapping[str, Any]) -> None:
        """Create or change the resource at a path."""
        self._ask("PUT", path, body)

    def post(self, path: tuple[str, ...], body: Mapping[str, Any]) -> Any:
        """Send a command to a path, and return the answer."""
        return self._ask("POST", path, body)

    def delete(self, path: tuple[str, ...], headers: Mapping[str, str] | None = None) -> None:
        """Delete the resource at a path."""
        self._ask("DELETE", path, headers=headers)

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        url = "/".join([self._url, "api", *(quote(part, safe="") for part in path)])
        data = None if body is None else json.dumps(body).encode()
        request = Request(url, data, {**self._headers, **(headers or {})}, method=method)
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                text = answer.read()
        except HTTPError as error:
            reason = error.read().decode(errors="replace")
            raise ManagementError(f"{method} {url}: {error.code} {reason}", error.code) from None
        except URLError as error:
            raise ManagementError(
                f"{method} {url}: {error.reason}; --fakebroker-url needs the management plugin of"
                " RabbitMQ, and --fakebroker-management-url if it is not on port 15672",
                None,
            ) from None
        return json.loads(text) if text else None
