"""HTTP/1.1 without sockets: octets to requests, and responses to octets.

A `RequestReader` keeps the parts of a request until the request is complete. Its limits prevent a
client from filling the memory. This module does not interpret requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

__all__ = [
    "CONTINUE",
    "HttpError",
    "Request",
    "RequestReader",
    "Response",
    "encode_response",
]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""The response to a client that asks whether to send the body (RFC 9110, section 10.1.1)."""

_MAX_HEAD = 16_384
_MAX_BODY = 64 * 1_048_576
_MAX_CHUNK_LINE = 256
_MAX_LENGTH_DIGITS = 19


class HttpError(Exception):
    """The octets from a client are not a valid request.

    Attributes:
        status: The status of the response, after which the connection is closed.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Request(NamedTuple):
    """A complete request."""

    method: str
    path: tuple[str, ...]
    """The segments of the path, decoded; a slash at the end adds none."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """The headers by their names in lower case."""
    body: bytes
    keeps_alive: bool
    """Whether the client may send another request on the connection."""
    is_from_loopback: bool = True
    """Whether the client runs on this machine."""


class Response(NamedTuple):
    """A response, complete before it is sent."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}

    def allowing(self, methods: str) -> Response:
        """Return a copy with a header that lists the path's methods."""
        return self._replace(headers={**self.headers, "allow": methods})


class RequestReader:
    """Reads requests from the octets of one connection.

    Args:
        is_from_loopback: Whether the client runs on this machine.
    """

    def __init__(self, *, is_from_loopback: bool = True) -> None:
        self._is_from_loopback = is_from_loopback
        self._was_asked = False
        self._data = bytearray()
        self._head: _Head | None = None
        self._chunks = bytearray()

    def receive(self, data: bytes) -> list[Request]:
        """Add octets, and return the requests that are complete now.

        Raises:
            HttpError: The octets are not a request, or the request is too large.
        """
        self._data += data
        requests = []
        while (request := self._next()) is not None:
            requests.append(request)
        return requests

    def must_continue(self) -> bool:
        """Return True once for each request whose client waits for 100 Continue."""
        was_asked, self._was_asked = self._was_asked, False
        return was_asked and self._head is not None and not self._data

    def _next(self) -> Request | None:
        if self._head is None:
            self._head = self._read_head()
            self._was_asked = self._head is not None and self._head.expects_continue
        if self._head is None:
            return None
        body = self._read_chunks() if self._head.is_chunked else self._read_body(self._head.length)
        if body is None:
            return None
        request = self._head.request(body, is_from_loopback=self._is_from_loopback)
        self._head = None
        return request

    def _read_head(self) -> _Head | None:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > _MAX_HEAD:
                raise HttpError(431, f"the headers take more than {_MAX_HEAD} octets")
            return None
        head = _parse_head(self._data[:end].decode("latin-1"))
        del self._data[: end + 4]
        return head

    def _read_body(self, length: int) -> bytes | None:
        if len(self._data) < length:
            return None
        return self._take(length)

    def _read_chunks(self) -> bytes | None:
        """Read the rest of a chunked body (RFC 9112, section 7.1); None if it is not complete."""
        while True:
            line_end = self._data.find(b"\r\n")
            if line_end < 0:
                if len(self._data) > _MAX_CHUNK_LINE:
                    raise HttpError(400, "the line of a chunk is too long")
                return None
            size = _hexadecimal(bytes(self._data[:line_end]).split(b";")[0])
            if not size:
                return self._end_chunks(line_end)
            _check_size(len(self._chunks) + size)
            if len(self._data) < line_end + 2 + size + 2:
                return None
            del self._data[: line_end + 2]
            self._chunks += self._take(size)
            del self._data[:2]

    def _end_chunks(self, line_end: int) -> bytes | None:
        """Drop the trailers, which end with an empty line, and return the body."""
        end = self._data.find(b"\r\n\r\n", line_end)
        if end < 0:
            if len(self._data) > _MAX_HEAD:
                raise HttpError(431, f"the trailers take more than {_MAX_HEAD} octets")
            return None
        del self._data[: end + 4]
        body, self._chunks = bytes(self._chunks), bytearray()
        return body

    def _take(self, length: int) -> bytes:
        taken = bytes(self._data[:length])
        del self._data[:length]
        return taken


class _Head(NamedTuple):
    """A request without its body."""

    method: str
    target: str
    headers: dict[str, str]
    keeps_alive: bool

    @property
    def is_chunked(self) -> bool:
        return self.headers.get("transfer-encoding", "").lower() == "chunked"

    @property
    def expects_continue(self) -> bool:
        return self.headers.get("expect", "").lower() == "100-continue"

    @property
    def length(self) -> int:
        text = self.headers.get("content-length", "0")
        if not (text.isascii() and text.isdecimal()):
            raise HttpError(400, f"content-length is {text!r}; expected a number of octets")
        digits = text.lstrip("0") or "0"
        if len(digits) > _MAX_LENGTH_DIGITS:  # int() refuses thousands of digits
            raise _too_large()
        length = int(digits)
        _check_size(length)
        return length

    def request(self, body: bytes, *, is_from_loopback: bool) -> Request:
        path, _, query = self.target.partition("?")
        segments = [unquote(segment) for segment in path.split("/")[1:]]
        while segments and not segments[-1]:
            segments.pop()
        return Request(
            self.method,
            tuple(segments),
            dict(parse_qsl(query, keep_blank_values=True)),
            self.headers,
            body,
            self.keeps_alive,
            is_from_loopback,
        )


def _parse_head(text: str) -> _Head:
    first, *lines = text.lstrip("\r\n").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[1].startswith("/"):
        raise HttpError(400, f"{first!r} is no request line of HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise HttpError(400, f"{line!r} is no header")
        headers[name.strip().lower()] = value.strip()
    connection = headers.get("connection", "").lower()
    keeps_alive = connection == "keep-alive" if parts[2] == "HTTP/1.0" else connection != "close"
    return _Head(parts[0], parts[1], headers, keeps_alive)


def _check_size(size: int) -> None:
    if size > _MAX_BODY:
        raise _too_large()


def _too_large() -> HttpError:
    return HttpError(413, f"the body takes more than {_MAX_BODY} octets")


def _hexadecimal(text: bytes) -> int:
    if not text or text.strip(b"0123456789abcdefABCDEF"):
        raise HttpError(400, f"{text!r} is no size of a chunk")
    return int(text, 16)


def encode_response(response: Response, *, has_body: bool, keeps_alive: bool) -> bytes:
    """Encode a response.

    Args:
        response: The response.
        has_body: Whether the body is sent; for a HEAD request it is not.
        keeps_alive: Whether the connection stays open.
    """
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    headers = {**response.headers, "server": "ammoo-fakebroker"}
    if response.status != HTTPStatus.NO_CONTENT:
        headers["content-length"] = str(len(response.body))
    if not keeps_alive:
        headers["connection"] = "close"
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
    return head + response.body if has_body else head
