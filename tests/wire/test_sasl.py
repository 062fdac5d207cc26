"""The responses of PLAIN and AMQPLAIN, in both directions."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_wire import (
    FieldTable,
    amqplain_response,
    encode_table,
    parse_amqplain,
    parse_plain,
    plain_response,
)
from tests.wire import strategies

no_nul = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


def test_plain_response_is_as_in_rfc_4616() -> None:
    assert b"Ursel\0tim\0tanstaaftanstaaf" == plain_response("tim", "tanstaaftanstaaf", "Ursel")


def test_plain_response_has_no_authzid_by_default() -> None:
    assert b"\0guest\0g\xc3\xa4st" == plain_response("guest", "gäst")


@given(no_nul, no_nul, no_nul)
def test_plain_round_trip(login: str, password: str, authzid: str) -> None:
    assert (authzid, login, password) == parse_plain(plain_response(login, password, authzid))


@pytest.mark.parametrize(
    "kind", [bytearray, memoryview, lambda octets: memoryview(octets).cast("b")]
)
def test_responses_are_read_from_any_octets(
    kind: Callable[[bytes], bytearray | memoryview],
) -> None:
    plain, amqplain = plain_response("guest", "a password"), amqplain_response("guest", "pass")

    assert ("", "guest", "a password") == parse_plain(kind(plain))
    assert ("guest", "pass") == parse_amqplain(kind(amqplain))


@pytest.mark.parametrize("parts", [("a\0b", "c", ""), ("a", "b\0c", ""), ("a", "b", "\0")])
def test_plain_response_refuses_the_separator_and_keeps_the_secret(
    parts: tuple[str, str, str],
) -> None:
    with pytest.raises(ValueError, match=r"cannot hold a NUL character$"):
        plain_response(*parts)


@pytest.mark.parametrize("response", [b"", b"guest", b"\0guest", b"\0guest\0guest\0"])
def test_parse_plain_refuses_other_than_three_parts(response: bytes) -> None:
    with pytest.raises(ValueError, match="has 3 parts, separated by NUL characters; this one"):
        parse_plain(response)


def test_parse_plain_refuses_what_is_not_utf8_and_keeps_the_secret() -> None:
    with pytest.raises(ValueError, match="is text in UTF-8; this one is not") as caught:
        parse_plain(b"\0guest\0s3cr3t\xff")

    assert caught.value.__context__ is None


def test_amqplain_response_is_a_table_without_its_length() -> None:
    expected = b"\x05LOGINS\x00\x00\x00\x05guest\x08PASSWORDS\x00\x00\x00\x02pw"

    assert expected == amqplain_response("guest", "pw")


def test_amqplain_response_is_read() -> None:
    assert ("guest", "pw") == parse_amqplain(amqplain_response("guest", "pw"))


@given(strategies.text, strategies.text)
def test_amqplain_round_trip(login: str, password: str) -> None:
    assert (login, password) == parse_amqplain(amqplain_response(login, password))


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"LOGIN": "guest"},
        {"PASSWORD": "guest"},
        {"LOGIN": "guest", "PASSWORD": 1},
        {"LOGIN": b"guest", "PASSWORD": "guest"},
    ],
)
def test_parse_amqplain_wants_both_as_long_strings(table: FieldTable) -> None:
    with pytest.raises(ValueError, match="LOGIN and PASSWORD as long strings"):
        parse_amqplain(encode_table(table)[4:])


@pytest.mark.parametrize("response", [b"\0guest\0guest", b"\x05LOGINS\xff\xff\xff\xff", b"\x01x?"])
def test_parse_amqplain_refuses_what_is_no_table(response: bytes) -> None:
    with pytest.raises(ValueError, match="an AMQPLAIN response is a field table"):
        parse_amqplain(response)


@given(st.binary())
def test_parsers_raise_nothing_but_value_error(response: bytes) -> None:
    with suppress(ValueError):
        parse_plain(response)
    with suppress(ValueError):
        parse_amqplain(response)


@pytest.mark.parametrize("write", [plain_response, amqplain_response])
@pytest.mark.parametrize(
    ("password", "text"),
    [
        (b"hunter2", "password is of type bytes; expected a str"),
        ("hunter2\ud800", "password cannot be encoded as UTF-8"),
    ],
    ids=["bytes", "surrogate"],
)
def test_response_keeps_a_bad_password_to_itself(
    write: Callable[[str, str], bytes], password: str, text: str
) -> None:
    with pytest.raises(ValueError, match="password") as caught:
        write("guest", password)

    assert text == str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
