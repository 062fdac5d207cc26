"""Errors carry their data as attributes, and make RabbitMQ's sentences of them."""

import pickle

import pytest

from ammoo_wire import (
    AMQPError,
    ChannelError,
    CommandInvalid,
    EncodeError,
    ForeignProtocol,
    FrameError,
    InternalError,
    ProtocolError,
    ReplyCode,
    UnexpectedFrame,
    WireSyntaxError,
)
from ammoo_wire.exceptions import shorten, show, show_octets

CODED = [
    (FrameError, 501),
    (WireSyntaxError, 502),
    (CommandInvalid, 503),
    (ChannelError, 504),
    (UnexpectedFrame, 505),
    (InternalError, 541),
]


def test_protocol_error_keeps_what_it_was_made_of() -> None:
    error = ProtocolError(ReplyCode.NOT_FOUND, "no queue 'a' in vhost '/'", (50, 10))

    assert error.reply_code is ReplyCode.NOT_FOUND
    assert "no queue 'a' in vhost '/'" == error.text
    assert (50, 10) == (error.class_id, error.method_id)
    assert "NOT_FOUND - no queue 'a' in vhost '/'" == error.reply_text
    assert "NOT_FOUND - no queue 'a' in vhost '/'" == str(error)
    assert not error.is_hard


@pytest.mark.parametrize(("cls", "code"), CODED)
def test_subclass_has_its_reply_code_and_is_hard(cls: type[FrameError], code: int) -> None:
    error = cls("a text", (60, 40))

    assert code == error.reply_code
    assert "a text" == error.text
    assert (60, 40) == (error.class_id, error.method_id)
    assert error.is_hard


@pytest.mark.parametrize(("cls", "code"), CODED)
def test_subclass_names_no_method_by_default(cls: type[FrameError], code: int) -> None:
    error = cls("a text")

    assert (0, 0) == (error.class_id, error.method_id)


@pytest.mark.parametrize(
    "error",
    [
        ProtocolError(ReplyCode.NOT_FOUND, "no queue 'a'", (50, 10)),
        FrameError("cannot decode", (60, 80)),
        InternalError(),
        EncodeError("routing_key is 5; expected a str"),
        ForeignProtocol(b"HTTP"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_survives_pickling(error: AMQPError) -> None:
    """As it must to come back from another process."""
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_internal_error_tells_the_peer_its_name_only() -> None:
    error = InternalError("we know more")

    assert "INTERNAL_ERROR" == error.reply_text
    assert "INTERNAL_ERROR - we know more" == str(error)


def test_encode_error_is_a_value_error_and_not_a_protocol_error() -> None:
    assert issubclass(EncodeError, ValueError)
    assert issubclass(EncodeError, AMQPError)
    assert not issubclass(EncodeError, ProtocolError)


def test_reply_text_is_cut_to_255_octets_with_the_code_in_front() -> None:
    error = ProtocolError(ReplyCode.NOT_FOUND, "x" * 300)

    assert "NOT_FOUND - " + "x" * 240 + "..." == error.reply_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("short", "short"),
        ("a" * 255, "a" * 255),
        ("a" * 256, "a" * 252 + "..."),
        ("ö" * 255, "ö" * 126 + "..."),  # 255 characters are 510 octets; 126 pairs are 252
        ("a" + "ö" * 255, "a" + "ö" * 125 + "..."),
        ("\U0001f407" * 64, "\U0001f407" * 63 + "..."),
    ],
    ids=["empty", "short", "exact", "long", "halved", "all-octets", "four-octets"],
)
def test_shorten_cuts_between_characters(text: str, expected: str) -> None:
    assert expected == shorten(text)


def test_shorten_takes_what_is_not_utf8() -> None:
    """A header that the peer sent may be quoted in the reply; it may hold any octets."""
    assert "user 'g?' and 'h?'" == shorten("user 'g\udcff' and 'h\ud800'")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", "<<>>"),
        (b"abcd", '<<"abcd">>'),
        (b'a"b\\', '<<"a\\"b\\\\">>'),
        (b"\x00<\xce", "<<0,60,206>>"),
        (b"~\x7f", "<<126,127>>"),
        (bytearray(b" ~"), '<<" ~">>'),
    ],
)
def test_show_octets_prints_as_erlang_does(octets: bytes, expected: str) -> None:
    assert expected == show_octets(octets)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a'b", repr("a'b")),
        ("x" * 298, repr("x" * 298)),
        ("x" * 299, "'" + "x" * 298 + "…"),
        (10**5000, "a value of type int too large to print"),
        ([10**5000], "a value of type list too large to print"),
    ],
    ids=["short", "exact", "long", "int", "list"],
)
def test_show_prints_a_value_cut_short(value: object, expected: str) -> None:
    assert expected == show(value)
