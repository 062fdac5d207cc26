"""HTTP without sockets: what a reader makes of octets, whatever pieces they come in."""

import pytest

from ammoo_fakebroker.management.http import (
    HttpError,
    Request,
    RequestReader,
    Response,
    encode_response,
)

GET = b"GET /api/queues/%2F/a%20b/?page=1&name=&x=%26 HTTP/1.1\r\nHost: localhost\r\nX-Reason: be\r\n\r\n"
PUT = b"PUT /api/queues HTTP/1.1\r\nContent-Length: 7\r\n\r\n" + b"\r\n{} \r\n"
CHUNKED = (
    b"POST /fake/faults HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4;ext=1\r\n\r\n\r\n\r\nB\r\n 0123456789\r\n0\r\n\r\n"
)
TRAILED = CHUNKED[:-2] + b"Checksum: 5\r\nSigned: no\r\n\r\n"


def read_in_pieces(octets: bytes, size: int) -> list[Request]:
    """Return the requests in octets that arrive in pieces of a size."""
    reader = RequestReader()
    return [
        request
        for start in range(0, len(octets), size)
        for request in reader.receive(octets[start : start + size])
    ]


def test_request_is_read() -> None:
    (request,) = RequestReader().receive(GET)

    assert "GET" == request.method
    assert ("api", "queues", "/", "a b") == request.path
    assert {"page": "1", "name": "", "x": "&"} == request.query
    assert {"host": "localhost", "x-reason": "be"} == request.headers
    assert (b"", True) == (request.body, request.keeps_alive)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000])
def test_requests_are_the_same_in_any_pieces(size: int) -> None:
    requests = read_in_pieces(GET + PUT + CHUNKED + TRAILED + GET, size)

    chunks = b"\r\n\r\n 0123456789"
    assert ["GET", "PUT", "POST", "POST", "GET"] == [request.method for request in requests]
    assert [b"", b"\r\n{} \r\n", chunks, chunks, b""] == [request.body for request in requests]


def test_client_that_asks_is_told_once_to_send_the_body() -> None:
    reader = RequestReader()

    before = reader.receive(b"PUT / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    answers = [reader.must_continue(), reader.must_continue()]
    (request,) = reader.receive(b"{}")

    assert [] == before
    assert [True, False] == answers
    assert b"{}" == request.body
    assert not reader.must_continue()


def test_client_that_asks_and_sends_is_told_nothing() -> None:
    reader = RequestReader()
    head = b"PUT / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"

    (request,) = reader.receive(head + b"{}")

    assert (b"{}", False) == (request.body, reader.must_continue())


@pytest.mark.parametrize(
    ("head", "keeps_alive"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_client_says_whether_the_connection_stays_open(head: bytes, keeps_alive: bool) -> None:
    (request,) = RequestReader().receive(head)

    assert keeps_alive == request.keeps_alive


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"AMQP\x00\x00\x09\x01\r\n\r\n", 400),
        (b"GET nowhere HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 300, 400),
        (b"GET /" + b"x" * 20_000, 431),
        (CHUNKED[:-2] + b"Checksum: " + b"x" * 20_000, 431),
    ],
)
def test_what_is_no_request_is_refused(octets: bytes, status: int) -> None:
    with pytest.raises(HttpError) as caught:
        RequestReader().receive(octets)

    assert status == caught.value.status


def test_response_is_encoded() -> None:
    response = Response(200, b"{}", {"content-type": "application/json"}).allowing("GET")

    assert (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nallow: GET\r\n"
        b"server: ammoo-fakebroker\r\ncontent-length: 2\r\n\r\n{}"
    ) == encode_response(response, has_body=True, keeps_alive=True)


def test_response_to_head_has_the_length_and_no_body() -> None:
    encoded = encode_response(Response(200, b"{}"), has_body=False, keeps_alive=False)

    assert encoded.endswith(b"content-length: 2\r\nconnection: close\r\n\r\n")
