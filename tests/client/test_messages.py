"""What is made of the arguments of publish, and what of what comes off the wire."""

import gzip
import pickle
import zlib
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from typing import Any

import pytest

from ammoo.content_encodings import MAX_DECOMPRESSED
from ammoo.exceptions import ContentEncodingError, PublishReturned
from ammoo.messages import DeliverMessage, GetMessage, Message, ReturnMessage
from ammoo.publish_options import NOT_GIVEN, outgoing
from ammoo_wire import (
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicHeaderProperties,
    BasicReturnParameters,
    EncodeError,
    ProtocolError,
    decode_properties,
    encode_properties,
)


def prepare(route: Any = "key", body: Any = b"body", **options: Any) -> Any:
    return outgoing("publish", route, body, "utf-8", options)  # type: ignore[arg-type]  # on purpose


def properties(route: Any = "key", body: Any = b"body", **options: Any) -> BasicHeaderProperties:
    return decode_properties(prepare(route, body, **options).properties)


# --- outgoing ---


def test_nothing_given_sets_nothing() -> None:
    assert ("key", b"\x00\x00", b"body", False, False, False) == prepare()


@pytest.mark.parametrize(
    ("body", "options", "octets"),
    [
        (b"\xff", {}, b"\xff"),
        (bytearray(b"x"), {}, b"x"),
        ("ä", {}, b"\xc3\xa4"),
        ("ä", {"encoding": "latin-1"}, b"\xe4"),
        ("ä", {"content_encoding": "latin-1"}, b"\xe4"),
        ("ä", {"content_encoding": "latin-1", "encoding": "utf-16-be"}, b"\x00\xe4"),
        ("ä", {"content_encoding": True, "encoding": "latin-1"}, b"\xe4"),
        ("ä", {"content_encoding": "identity"}, b"\xc3\xa4"),
        ("ä", {"content_encoding": "Binary"}, b"\xc3\xa4"),
        (NOT_GIVEN, {"json": None}, b"null"),
        (NOT_GIVEN, {"json": ""}, b'""'),
        (NOT_GIVEN, {"json": {"a": [1, "ä"]}}, b'{"a": [1, "\\u00e4"]}'),
        (NOT_GIVEN, {"json": 1, "encoding": "utf-16-be"}, b"\x001"),
    ],
)
def test_body(body: Any, options: dict[str, Any], octets: bytes) -> None:
    assert octets == prepare(body=body, **options).body


@pytest.mark.parametrize(
    ("body", "options", "expected"),
    [
        (b"", {"content_type": True}, "application/octet-stream"),
        (bytearray(), {"content_type": True}, "application/octet-stream"),
        ("", {"content_type": True}, "text/plain"),
        (NOT_GIVEN, {"json": 1, "content_type": True}, "application/json"),
        ("", {"content_type": "text/html"}, "text/html"),
        ("", {"content_type": False}, None),
    ],
)
def test_content_type(body: Any, options: dict[str, Any], expected: str | None) -> None:
    assert expected == properties(body=body, **options).content_type


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"encoding": "latin-1"}, None),
        ({"content_encoding": True}, "utf-8"),
        ({"content_encoding": True, "encoding": "latin-1"}, "latin-1"),
        ({"content_encoding": "gzip", "encoding": "latin-1"}, "gzip"),
        ({"content_encoding": False}, None),
    ],
)
def test_content_encoding(options: dict[str, Any], expected: str | None) -> None:
    assert expected == properties(body="text", **options).content_encoding


def test_every_property() -> None:
    given: dict[str, Any] = {
        "correlation_id": "c",
        "reply_to": "r",
        "expiration": 1000,
        "priority": 5,
        "delivery_mode": 2,
        "timestamp": datetime(2026, 1, 2, 3, 4, 5, 678),
        "message_id": "m",
        "type_": "t",
        "user_id": "u",
        "app_id": "a",
        "headers": {"h": 1},
    }

    assert BasicHeaderProperties(
        **{
            **given,
            "expiration": "1000",
            "timestamp": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        }
    ) == properties(**given)


def test_properties_of_a_message_can_be_published_again() -> None:
    values = BasicHeaderProperties(
        content_type="text/plain",
        content_encoding="gzip",
        headers={"a": 1},
        delivery_mode=2,
        priority=3,
        correlation_id="c",
        reply_to="r",
        expiration="1000",
        message_id="m",
        timestamp=datetime(2026, 1, 2, tzinfo=UTC),
        type_="t",
        user_id="u",
        app_id="a",
        cluster_id="k",
    )

    assert values == properties(**values._asdict())
    assert BasicHeaderProperties() == properties(**BasicHeaderProperties()._asdict())


def test_delivery_mode_may_be_an_enumeration() -> None:
    class DeliveryMode(IntEnum):
        PERSISTENT = 2

    assert 2 == properties(delivery_mode=DeliveryMode.PERSISTENT).delivery_mode


def test_timestamp_with_a_time_zone() -> None:
    east = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))

    assert properties(timestamp=east).timestamp == datetime(2026, 1, 1, tzinfo=UTC)


def test_type_is_type() -> None:
    assert properties(type="t").type_ == properties(type_="t").type_ == "t"
    assert "t" == properties(type="t", type_="t").type_
    with pytest.raises(TypeError, match="same property"):
        prepare(type="t", type_="u")


def test_headers_of_a_headers_exchange_and_carbon_copies() -> None:
    message = prepare({"a": 1}, headers={"a": 0, "b": 2}, cc="x", bcc=["y", "z"])

    assert "" == message.routing_key
    assert {
        "a": 1,
        "b": 2,
        "CC": ["x"],
        "BCC": ["y", "z"],
    } == decode_properties(message.properties).headers
    assert {"CC": ["x"]} == properties("key", cc=["x"]).headers


def test_header_values_go_out_as_they_are() -> None:
    values = {
        "float": 1.1,
        "bytes": b"\xff\x00",
        "decimal": Decimal("12.50"),
        "nested": {"list": [1, "a", None, True, {"x": 2**40}]},
        "int": -5,
        "time": datetime(2026, 1, 1, tzinfo=UTC),
    }

    assert values == properties(headers=values).headers


@pytest.mark.parametrize(
    ("body", "options", "error", "words"),
    [
        (NOT_GIVEN, {}, TypeError, "Either body or json must be given"),
        (b"", {"json": 1}, TypeError, "both"),
        (5, {}, TypeError, "body is of type int; expected a str"),
        (None, {}, TypeError, "body is of type NoneType; expected a str"),
        ("ä", {"encoding": "ascii"}, UnicodeError, "ascii"),
        ("a", {"encoding": "klingon"}, LookupError, "klingon"),
        (b"", {"expiration": 1.5}, TypeError, "milliseconds"),
        (b"", {"expiration": True}, TypeError, "milliseconds"),
        (b"", {"priority": 256}, EncodeError, "priority is 256"),
        (b"", {"delivery_mode": True}, ValueError, "delivery_mode is True; expected 2"),
        (b"", {"delivery_mode": 5}, ValueError, "delivery_mode is 5; expected 2"),
        (b"", {"delivery_mode": 0}, ValueError, "delivery_mode is 0; expected 2"),
        ("", {"delivery_mode": "2"}, ValueError, "delivery_mode is '2'; expected 2"),
        (b"", {"message_id": "x" * 256}, EncodeError, "message_id"),
        (b"", {"cc": b"key"}, TypeError, "cc is b'key'; expected a str, or a sequence of them"),
        (b"", {"bcc": ["key", 1]}, TypeError, r"bcc is \['key', 1\]; expected a str"),
        (b"", {"bcc": 1}, TypeError, "bcc is 1; expected a str"),
        (b"", {"timestamp": "now"}, EncodeError, "timestamp"),
        (b"", {"headers": {"a": object()}}, EncodeError, "object"),
    ],
)
def test_misuse(body: Any, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        prepare(body=body, **options)


def test_route_of_a_wrong_type() -> None:
    with pytest.raises(TypeError, match="route is 5"):
        prepare(5)


# --- incoming ---


class Origin:
    body_encoding = "utf-8"
    tag_offset = 0


def received(body: bytes = b"", **fields: Any) -> Message:
    parameters = BasicDeliverParameters("tag", 7, True, "exchange", "key")
    encoded = encode_properties(BasicHeaderProperties(**fields))
    return DeliverMessage.of(Origin(), parameters, encoded, bytearray(body))  # type: ignore[arg-type]  # settles nothing


def test_delivered_message_shows_what_it_is() -> None:
    message = received(b"body", message_id="m")

    assert isinstance(message, DeliverMessage)
    assert ("tag", 7, True, "exchange", "key") == (
        message.consumer_tag,
        message.delivery_tag,
        message.redelivered,
        message.exchange_name,
        message.routing_key,
    )
    assert "m" == message.properties.message_id
    assert message.properties is message.properties
    assert type(message.body) is bytearray
    assert "'exchange'" in repr(message)


def test_got_and_returned_messages_show_what_they_are() -> None:
    got = GetMessage.of(
        Origin(),  # type: ignore[arg-type]  # settles nothing
        BasicGetOkParameters(7, False, "exchange", "key", 3),
        b"\x00\x00",
        bytearray(),
    )
    returned = ReturnMessage.of(
        Origin(),  # type: ignore[arg-type]  # settles nothing
        BasicReturnParameters(312, "NO_ROUTE", "exchange", "key"),
        b"\x00\x00",
        bytearray(),
    )

    assert (3, 7, False) == (got.message_count, got.delivery_tag, got.redelivered)
    assert (312, "NO_ROUTE") == (returned.reply_code, returned.reply_text)


def test_returned_message_that_is_raised_can_be_pickled() -> None:
    message = ReturnMessage.of(
        Origin(),  # type: ignore[arg-type]  # settles nothing
        BasicReturnParameters(312, "NO_ROUTE", "exchange", "key"),
        encode_properties(BasicHeaderProperties(message_id="m")),
        bytearray("ä", "utf-8"),
    )
    error = PublishReturned(message, 5)

    again = pickle.loads(pickle.dumps(error))

    assert (str(error), 312, 5) == (
        str(again),
        again.reply_code,
        again.publish_sequence_number,
    )
    assert ("ä", "m") == (again.message.decode(), again.message.properties.message_id)


@pytest.mark.parametrize(
    ("fields", "encoding", "octets"),
    [
        ({}, None, b"\xc3\xa4"),
        ({"content_encoding": "latin-1"}, None, b"\xe4"),
        ({"content_encoding": "latin-1"}, "utf-8", b"\xc3\xa4"),
    ],
)
def test_decode(fields: dict[str, Any], encoding: str | None, octets: bytes) -> None:
    assert "ä" == received(octets, **fields).decode(encoding)
    assert "ä" == received(b'"' + octets + b'"', **fields).json(encoding)


@pytest.mark.parametrize(
    ("content_encoding", "octets"),
    [
        ("", b"\xc3\xa4"),
        ("UTF8", b"\xc3\xa4"),
        ("utf_8", b"\xc3\xa4"),
        ("identity", b"\xc3\xa4"),
        ("BINARY", b"\xc3\xa4"),
        ("8bit", b"\xc3\xa4"),
        ("gzip", gzip.compress(b"\xc3\xa4", mtime=0)),
        ("X-GZIP", gzip.compress(b"\xc3\xa4", mtime=0)),
        ("deflate", zlib.compress(b"\xc3\xa4")),
        ("deflate", zlib.compress(b"\xc3\xa4")[2:-4]),
        ("ISO-8859-15", b"\xe4"),
        ("windows-1252", b"\xe4"),
        ("utf-16le", b"\xe4\x00"),
        ("utf-16-be", b"\x00\xe4"),
        ("gb18030", "ä".encode("gb18030")),
    ],
)
def test_decode_follows_a_sender(content_encoding: str, octets: bytes) -> None:
    assert "ä" == received(octets, content_encoding=content_encoding).decode()


@pytest.mark.parametrize(
    "content_encoding",
    [
        "punycode",
        "idna",
        "unicode_escape",
        "utf-7",
        "rot13",
        "hex",
        "zip",
        "br",
        "gzip, gzip",
        "utf\0-8",
        "undefined",
        "os",
        "x" * 255,
        "\udcff",
    ],
)
def test_sender_chooses_no_other_codec(content_encoding: str) -> None:
    message = received(b"-99", content_encoding=content_encoding)

    with pytest.raises(ContentEncodingError, match="encoding=") as caught:
        message.decode()
    with pytest.raises(ContentEncodingError):
        message.json()

    assert content_encoding == caught.value.content_encoding
    assert isinstance(caught.value, LookupError)
    assert isinstance(caught.value, ValueError)
    assert "-99" == message.decode("latin-1")


def test_usual_encoding_of_the_channel_may_be_any() -> None:
    class Unusual:
        body_encoding = "unicode_escape"

    message = DeliverMessage.of(
        Unusual(),  # type: ignore[arg-type]  # settles nothing
        BasicDeliverParameters("tag", 7, True, "exchange", "key"),
        encode_properties(BasicHeaderProperties(content_encoding="unicode_escape")),
        bytearray(b"\\xe4"),
    )

    assert "ä" == message.decode()


def test_caller_may_choose_any_codec() -> None:
    assert "aä" == received(b"a+AOQ-", content_encoding="utf-7").decode("utf-7")


@pytest.mark.parametrize(
    ("content_encoding", "octets", "words"),
    [
        ("gzip", b"no gzip", "cannot be decompressed"),
        ("gzip", b"", "cut short"),
        ("gzip", gzip.compress(b"x", mtime=0)[:-1], "cut short"),
        ("gzip", gzip.compress(b"x", mtime=0) * 2, "data after its end"),
        ("gzip", zlib.compress(b"x"), "cannot be decompressed"),
        ("deflate", b"", "cut short"),
        ("deflate", b"no deflate", "cannot be decompressed"),
        ("gzip", gzip.compress(bytes(MAX_DECOMPRESSED + 1), mtime=0), "more than 16777216 octets"),
        ("deflate", zlib.compress(bytes(MAX_DECOMPRESSED + 1)), "more than 16777216 octets"),
    ],
)
def test_compressed_body_that_is_not_taken(
    content_encoding: str, octets: bytes, words: str
) -> None:
    with pytest.raises(ContentEncodingError, match=words):
        received(octets, content_encoding=content_encoding).decode()


def test_compressed_body_at_the_limit() -> None:
    message = received(gzip.compress(bytes(MAX_DECOMPRESSED), mtime=0), content_encoding="gzip")

    assert MAX_DECOMPRESSED == len(message.decode())


def test_json() -> None:
    assert {"a": [1, None]} == received(b'{"a": [1, null]}').json()
    with pytest.raises(ValueError, match="Expecting"):
        received(b"{").json()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"1" * 5_000,
        b"\xef\xbb\xbf1",
        b"",
        b'"\xff"',
    ],
)
def test_json_that_cannot_be_read_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the words are Python's
        received(body).json()


def test_properties_that_cannot_be_decoded_raise_where_they_are_read() -> None:
    message = DeliverMessage.of(
        Origin(),  # type: ignore[arg-type]  # settles nothing
        BasicDeliverParameters("tag", 1, False, "", "key"),
        b"\x20\x00\x00\x00\x00\x09\x01x?1234567",
        bytearray(b"body"),
    )

    with pytest.raises(ProtocolError):
        message.properties  # noqa: B018  reading is what raises
    assert b"body" == message.body


@pytest.mark.parametrize("reply_to", [None, ""])
async def test_reply_needs_somewhere_to_go(reply_to: str | None) -> None:
    message = received(reply_to=reply_to)

    assert isinstance(message, DeliverMessage)
    with pytest.raises(ValueError, match="reply-to"):
        await message.reply("answer")
