"""Which publish a returned message belongs to; without a channel."""

from typing import Any

import pytest

from ammoo.live import returns
from ammoo.live.returns import AwaitedReturns
from ammoo.messages import ReturnMessage
from ammoo_wire import BasicHeaderProperties, BasicReturnParameters, encode_properties


def encoded(**properties: Any) -> bytes:
    return encode_properties(BasicHeaderProperties(**properties))


def awaiting(*publishes: bytes, key: str = "key", body: bytes | bytearray = b"") -> AwaitedReturns:
    """Await returns of publishes 1, 2, … to one exchange, with these encoded properties."""
    awaited = AwaitedReturns()
    for number, properties in enumerate(publishes, 1):
        awaited.add(number, "exchange", key, properties, body, raise_returned=True)
    return awaited


def come_back(awaited: AwaitedReturns, key: str, body: bytes, properties: bytes) -> Any:
    """Let a message come back; gives it if somebody awaits it."""
    parameters = BasicReturnParameters(312, "NO_ROUTE", "exchange", key)
    message = ReturnMessage.of(None, parameters, properties, bytearray(body))  # type: ignore[arg-type]  # no channel
    return message if awaited.returned(message, properties) else None


def test_nothing_is_awaited() -> None:
    awaited = AwaitedReturns()

    assert not awaited
    assert come_back(awaited, "key", b"", encoded()) is None
    assert awaited.settle(1) is None


def test_identical_publishes_get_what_came_back_in_the_order_of_their_confirms() -> None:
    awaited = awaiting(encoded(), encoded(), encoded(), body=bytearray(b"body"))
    first = come_back(awaited, "key", b"body", encoded())
    second = come_back(awaited, "key", b"body", encoded())

    assert [first, second, None] == [awaited.settle(number) for number in (2, 3, 1)]
    assert not awaited


def test_what_was_confirmed_gets_nothing_any_more() -> None:
    awaited = AwaitedReturns()
    awaited.add(1, "exchange", "key", encoded(), b"body", raise_returned=True)
    awaited.settle(1)

    assert come_back(awaited, "key", b"body", encoded()) is None


def test_no_more_come_back_than_were_sent() -> None:
    awaited = AwaitedReturns()
    awaited.add(1, "exchange", "key", encoded(), b"body", raise_returned=True)

    assert come_back(awaited, "key", b"body", encoded()) is not None
    assert come_back(awaited, "key", b"body", encoded()) is None


def test_headers_may_come_back_sorted_and_without_bcc() -> None:
    awaited = AwaitedReturns()
    awaited.add(
        1,
        "exchange",
        "key",
        encoded(headers={"b": 1, "BCC": ["x"], "a": {"z": 1}}),
        b"",
        raise_returned=True,
    )
    awaited.add(
        2, "exchange", "key", encoded(headers={"b": 2, "a": {"z": 1}}), b"", raise_returned=True
    )
    awaited.add(3, "exchange", "key", encoded(headers={"BCC": ["x"]}), b"", raise_returned=True)

    second = come_back(awaited, "key", b"", encoded(headers={"a": {"z": 1}, "b": 2}))
    first = come_back(awaited, "key", b"", encoded(headers={"a": {"z": 1}, "b": 1}))
    third = come_back(awaited, "key", b"", encoded(headers={}))

    assert [first, second, third] == [awaited.settle(number) for number in (1, 2, 3)]


def test_rewritten_message_belongs_to_the_publish_that_is_most_like_it() -> None:
    awaited = AwaitedReturns()
    awaited.add(
        1,
        "exchange",
        "other",
        encoded(reply_to="amq.rabbitmq.reply-to"),
        b"body",
        raise_returned=True,
    )
    awaited.add(
        2,
        "exchange",
        "key",
        encoded(reply_to="amq.rabbitmq.reply-to"),
        b"other",
        raise_returned=True,
    )
    awaited.add(
        3,
        "exchange",
        "key",
        encoded(reply_to="amq.rabbitmq.reply-to"),
        b"body",
        raise_returned=True,
    )

    message = come_back(awaited, "key", b"body", encoded(reply_to="amq.rabbitmq.reply-to.g1h2"))

    assert [None, None, message] == [awaited.settle(number) for number in (1, 2, 3)]


def deep_headers(innermost: str) -> dict[str, Any]:
    """Return headers with 10,000 tables, one in the other."""
    value: Any = innermost
    for _ in range(10_000):
        value = {"": value}
    return {"deep": value}


def test_rewritten_message_is_known_by_its_headers_however_deep_they_are() -> None:
    reply_to = "amq.rabbitmq.reply-to"
    awaited = awaiting(
        encoded(headers=deep_headers("this"), reply_to=reply_to),
        encoded(headers=deep_headers("that"), reply_to=reply_to),
        key="",
    )

    headers = {"x": 1, **deep_headers("that")}
    message = come_back(awaited, "", b"", encoded(headers=headers, reply_to=f"{reply_to}.g1h2"))

    assert message is not None
    assert [None, message] == [awaited.settle(number) for number in (1, 2)]


def test_what_comes_back_of_the_indifferent_is_nobodys_own() -> None:
    awaited = AwaitedReturns()
    awaited.add(1, "exchange", "", encoded(headers={"k": 1}), b"", raise_returned=False)
    awaited.add(2, "exchange", "", encoded(headers={"k": 2}), b"", raise_returned=True)

    assert come_back(awaited, "", b"", encoded(headers={"k": 1})) is None
    assert [None, None] == [awaited.settle(number) for number in (1, 2)]
    assert not awaited


def test_identical_publishes_of_both_kinds() -> None:
    awaited = AwaitedReturns()
    awaited.add(1, "exchange", "key", encoded(), b"", raise_returned=False)
    awaited.add(2, "exchange", "key", encoded(), b"", raise_returned=True)
    awaited.add(3, "exchange", "key", encoded(), b"", raise_returned=False)

    own = come_back(awaited, "key", b"", encoded())
    others = [come_back(awaited, "key", b"", encoded()) for _ in range(3)]

    assert own is not None
    assert [None, None, None] == others
    assert [None, own, None] == [awaited.settle(number) for number in (1, 2, 3)]
    assert not awaited


def test_server_may_add_headers_and_properties() -> None:
    awaited = awaiting(encoded(headers={"a": 1}), encoded(headers={"a": 2}))

    message = come_back(awaited, "key", b"", encoded(headers={"a": 2, "b": 1}, timestamp=1))

    assert message is not None
    assert [None, message] == [awaited.settle(number) for number in (1, 2)]


@pytest.mark.parametrize(
    ("published", "returned"),
    [
        ({"expiration": "0100"}, {"expiration": "100"}),
        ({"expiration": "+100"}, {"expiration": "100"}),
        ({"expiration": "00"}, {"expiration": "0"}),
        ({"reply_to": "amq.rabbitmq.reply-to"}, {"reply_to": "amq.rabbitmq.reply-to.g1h2"}),
        ({"headers": {"b": 1, "a": 2, "BCC": ["x"]}}, {"headers": {"a": 2, "b": 1}}),
    ],
)
def test_rewriting_that_is_known(published: dict[str, Any], returned: dict[str, Any]) -> None:
    awaited = AwaitedReturns()
    awaited.add(1, "exchange", "key", encoded(message_id="1"), b"", raise_returned=True)
    awaited.add(2, "exchange", "key", encoded(**published), b"", raise_returned=True)

    message = come_back(awaited, "key", b"", encoded(**returned))

    assert message is not None
    assert [None, message] == [awaited.settle(number) for number in (1, 2)]


@pytest.mark.parametrize(
    "properties",
    [
        encoded(headers={"a": 2}),
        encoded(expiration="1", priority=9),
        encoded(),
        b"\x20\x00\xff",
    ],
)
def test_message_rewritten_beyond_recognition_belongs_to_the_oldest(properties: bytes) -> None:
    awaited = awaiting(
        encoded(headers={"a": 1}, message_id="1"), encoded(headers={"a": 1}, message_id="2")
    )

    first, second, third = (come_back(awaited, "key", b"", properties) for _ in range(3))

    assert first is not None
    assert second is not None
    assert third is None
    assert [first, second] == [awaited.settle(number) for number in (1, 2)]
    assert not awaited


@pytest.mark.parametrize(("key", "body"), [("other", b""), ("key", b"other")])
def test_other_message_belongs_to_no_publish(key: str, body: bytes) -> None:
    awaited = AwaitedReturns()
    awaited.add(1, "exchange", "key", encoded(), b"", raise_returned=True)

    assert come_back(awaited, key, body, encoded()) is None
    assert awaited.settle(1) is None


def test_rewritten_messages_are_matched_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def count(published: bytes, came_back: bytes) -> bool:
        nonlocal compared
        compared += 1
        return False

    monkeypatch.setattr(returns, "_may_have_become", count)
    awaited = awaiting(*(encoded(message_id=f"{number}") for number in range(1, 2001)))

    came_back = [come_back(awaited, "key", b"", encoded(app_id="x")) for _ in range(2000)]

    assert None not in came_back
    assert compared <= 2000 * 16


# --- publishes that do not await their return, beside one that does ---

OTHER = {"content_type": "other"}


def with_other(*, plain: int) -> AwaitedReturns:
    """Make so many identical publishes that await nothing, and one of other properties that does.

    What comes back beyond the identical ones is taken for the other one, which tells how many
    of them are still out.
    """
    awaited = AwaitedReturns()
    for number in range(1, plain + 1):
        awaited.add(number, "exchange", "key", encoded(), b"body", raise_returned=False)
    awaited.add(plain + 1, "exchange", "key", encoded(**OTHER), b"body", raise_returned=True)
    return awaited


def test_returns_of_plain_publishes_belong_to_no_other() -> None:
    awaited = with_other(plain=2)

    came = [come_back(awaited, "key", b"body", encoded()) for _ in range(3)]

    assert [None, None] == came[:2]
    assert came[2] is awaited.settle(3)
    assert came[2] is not None


def test_plain_publish_that_came_back_and_is_confirmed_leaves_the_others_out() -> None:
    awaited = with_other(plain=3)
    come_back(awaited, "key", b"body", encoded())
    come_back(awaited, "key", b"body", encoded())

    awaited.settle(1)

    assert come_back(awaited, "key", b"body", encoded()) is None
    assert come_back(awaited, "key", b"body", encoded()) is not None


def test_plain_publish_that_did_not_come_back_and_is_confirmed_is_out_no_more() -> None:
    awaited = with_other(plain=2)

    awaited.settle(1)

    assert come_back(awaited, "key", b"body", encoded()) is None
    assert come_back(awaited, "key", b"body", encoded()) is not None
