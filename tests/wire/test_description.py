"""What was read as a line of text, and as values for JSON; secrets are not shown."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_wire import (
    BasicAckParameters,
    BasicDeliverParameters,
    BasicGetEmptyParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    CommandReader,
    ConnectionStartOkParameters,
    ConnectionStartParameters,
    Conversation,
    FrameReader,
    QueueDeclareParameters,
    encode_command,
    encode_frame,
    encode_method,
    encode_protocol_header,
)
from tests.wire import strategies
from tests.wire.test_tables import nested

START_OK = ConnectionStartOkParameters({"product": "p"}, "PLAIN", b"\x00guest\x00s3cret", "en_US")
MOMENT = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


def item_of(octets: bytes, **options: Any) -> Any:
    (item,) = CommandReader(**options).receive_data(octets)
    return item


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (encode_protocol_header(), "protocol header 0-9-1"),
        (encode_frame(8, 0, b""), "heartbeat"),
        (encode_command(3, BasicAckParameters(7)), "channel 3 basic.ack delivery_tag=7"),
        (
            encode_command(3, BasicAckParameters(0, True)),
            "channel 3 basic.ack delivery_tag=0 multiple=True",
        ),
        (encode_command(1, BasicGetEmptyParameters()), "channel 1 basic.get-empty"),
        (
            encode_command(1, QueueDeclareParameters("q", durable=True, arguments={"x": 1})),
            "channel 1 queue.declare queue_name='q' durable=True arguments={'x': 1}",
        ),
        (
            encode_command(1, BasicPublishParameters("", "q"), None, b"hello"),
            "channel 1 basic.publish routing_key='q' body 5: b'hello'",
        ),
        (
            encode_command(
                1,
                BasicPublishParameters("", "q"),
                BasicHeaderProperties(delivery_mode=2, timestamp=MOMENT, type_="t"),
                b"x" * 61,
            ),
            (
                "channel 1 basic.publish routing_key='q' {delivery_mode=2,"
                f" timestamp='2026-11-23 13:00:00+00:00', type='t'}} body 61: b'{'x' * 60}'…"
            ),
        ),
        (
            encode_command(1, BasicPublishParameters(), b"\x00\x01", b""),
            (
                "channel 1 basic.publish {properties that cannot be decoded: FRAME_ERROR - cannot"
                " decode the properties of a message, 2 octets} body 0: b''"
            ),
        ),
        (
            encode_command(0, START_OK),
            (
                "connection.start-ok client_properties={'product': 'p'} mechanism='PLAIN'"
                " response=<13 octets> locale='en_US'"
            ),
        ),
        (
            encode_command(0, ConnectionStartParameters(0, 9, {}, b"PLAIN", b"\xff")),
            "connection.start version_major=0 version_minor=9 mechanisms='PLAIN' locales=b'\\xff'",
        ),
        (
            encode_command(1, QueueDeclareParameters("q" * 250)),
            f"channel 1 queue.declare queue_name='{'q' * 79}…",
        ),
        (
            encode_frame(1, 1, b"\x00\x3c\x00\x63"),
            (
                "broken frame: COMMAND_INVALID - unknown method 99 of class 60"
                " [01 00 01 00 00 00 04]"
            ),
        ),
    ],
)
def test_item_is_a_line_of_text(octets: bytes, text: str) -> None:
    item = item_of(octets)

    assert text == item.describe()
    assert text == str(item)


def test_frame_is_a_line_of_text() -> None:
    (frame,) = FrameReader().receive_data(encode_frame(3, 2, b"abc"))

    assert "channel 2 content body (3 octets)" == str(frame)


def test_body_that_was_too_large_is_told() -> None:
    octets = encode_command(1, BasicPublishParameters("", "q"), None, b"abc")

    assert "channel 1 basic.publish routing_key='q' body of 3 octets, too large to keep" == (
        str(item_of(octets, max_body_size=2))
    )


def test_broken_login_shows_its_secret_only_if_asked() -> None:
    octets = encode_frame(1, 0, encode_method(START_OK)[:-1])
    (broken,) = CommandReader().receive_data(octets)

    shown = broken.to_json()["octets"]

    assert {"hex": octets[:7].hex(), "size": len(octets)} == shown
    assert b"s3cret".hex() not in f"{broken.describe()} {shown}".replace(" ", "")
    assert {"hex": octets.hex()} == broken.to_json(secrets=True)["octets"]


def test_secrets_are_shown_if_asked() -> None:
    item = item_of(encode_command(0, START_OK))

    assert r"response='\x00guest\x00s3cret'" in item.describe(secrets=True)
    assert "\x00guest\x00s3cret" == item.to_json(secrets=True)["parameters"]["response"]


def test_said_tells_number_peer_and_answers() -> None:
    conversation = Conversation()
    deliveries = [
        encode_command(1, BasicDeliverParameters("t", tag, False, "", "q")) for tag in range(7)
    ]
    conversation.receive_data("server", b"".join(deliveries))

    (said,) = conversation.receive_data("client", encode_command(1, BasicAckParameters(0, True)))

    assert (
        "#7 client: channel 1 basic.ack delivery_tag=0 multiple=True"
        " (answers #0, #1, #2, #3, #4 and 2 more)"
    ) == (str(said))
    assert {
        "number": 7,
        "peer": "client",
        "answers": [0, 1, 2, 3, 4, 5, 6],
        "name": "basic.ack",
        "channel": 1,
        "offset": 0,
        "parameters": {"delivery_tag": 0, "multiple": True},
    } == said.to_json()


@pytest.mark.parametrize(
    ("octets", "values"),
    [
        (encode_protocol_header(), {"name": "protocol header", "version": "0.9.1"}),
        (encode_frame(8, 0, b""), {"name": "heartbeat", "size": 0}),
        (
            encode_frame(9, 1, b"x"),
            {
                "name": "broken frame",
                "channel": 1,
                "error": "FRAME_ERROR - a frame of type 9 on channel 1 has a type that AMQP does"
                " not have; 1, 2, 3 and 8 exist",
                "octets": {"hex": "09000100000001", "size": 9},
            },
        ),
        (
            encode_command(0, START_OK),
            {
                "name": "connection.start-ok",
                "parameters": {
                    "client_properties": {"product": "p"},
                    "mechanism": "PLAIN",
                    "response": {"size": 13},
                    "locale": "en_US",
                },
            },
        ),
        (
            encode_command(
                1,
                BasicPublishParameters("", "q"),
                BasicHeaderProperties(
                    headers={"d": Decimal("1.5"), "t": MOMENT, "b": b"\xff", "l": [None, 0.5]},
                    type_="t",
                ),
                b"\xff",
            ),
            {
                "name": "basic.publish",
                "channel": 1,
                "properties": {
                    "headers": {
                        "d": "1.5",
                        "t": "2026-11-23T13:00:00+00:00",
                        "b": {"hex": "ff"},
                        "l": [None, 0.5],
                    },
                    "type": "t",
                },
                "body_size": 1,
                "body": {"hex": "ff"},
            },
        ),
        (
            encode_command(
                1, BasicPublishParameters(), b"\x20\x00\x00\x00\x00\x07\x01ff\x7f\x80\x00\x00"
            ),
            {"properties": {"headers": {"f": "inf"}}},
        ),
        (
            encode_command(1, BasicPublishParameters(), b"\x00\x01"),
            {
                "properties_error": "FRAME_ERROR - cannot decode the properties of a message,"
                " 2 octets"
            },
        ),
    ],
)
def test_item_is_values_for_json(octets: bytes, values: dict[str, Any]) -> None:
    made = item_of(octets).to_json()

    assert {name: made.get(name) for name in values} == values
    assert made == json.loads(json.dumps(made, allow_nan=False))


def test_body_that_was_too_large_has_a_size_alone() -> None:
    octets = encode_command(1, BasicPublishParameters("", "q"), None, b"abc")

    made = item_of(octets, max_body_size=2).to_json()

    assert 3 == made["body_size"]
    assert "q" == made["parameters"]["routing_key"]
    assert "body" not in made


@given(strategies.commands(3))
def test_any_command_is_text_and_json(command: Any) -> None:
    item = item_of(encode_command(*command))

    assert item.describe().startswith(f"channel 3 {item.name}")
    assert json.loads(json.dumps(item.to_json(), allow_nan=False))["name"] == item.name


@given(st.binary(max_size=60))
def test_whatever_is_broken_is_text_and_json(octets: bytes) -> None:
    items = CommandReader(skip_broken=True).receive_data(octets)

    assert [] == [json.dumps(item.to_json()) for item in items if not item.describe()]


def test_table_nested_too_deeply_to_show_is_told() -> None:
    properties = BasicHeaderProperties(headers={"k": nested(1, 3000)})
    item = item_of(encode_command(1, BasicPublishParameters(), properties))

    assert "headers=<nested too deeply to show>" in item.describe()
    assert "<nested too deeply to show>" == item.to_json()["properties"]["headers"]
