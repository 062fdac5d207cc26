"""Which addresses a reply can be published to without harm."""

from base64 import b64encode

import pytest

from ammoo.rpc.addresses import is_reply_address

NODE = b"reply@127384028"
NUMBERS = bytes(12)


def address(process: bytes, key: str = "a2V5") -> str:
    return f"amq.rabbitmq.reply-to.{b64encode(process).decode()}.{key}"


@pytest.mark.parametrize(
    "reply_to",
    [
        "replies",
        "amq.gen-XYZ",
        "amq.rabbitmq.reply-to-me",
        address(b"\x83Xv\x00\x0f" + NODE + NUMBERS),
        address(b"\x83Xd\x00\x0f" + NODE + NUMBERS),
        address(b"\x83Xw\x0f" + NODE + NUMBERS),
        address(b"\x83Xs\x0f" + NODE + NUMBERS),
    ],
)
def test_queues_and_generated_names_are_addresses(reply_to: str) -> None:
    assert is_reply_address(reply_to)


@pytest.mark.parametrize(
    "reply_to",
    [
        None,
        "",
        "amq.rabbitmq.reply-to",
        "amq.rabbitmq.reply-to.",
        "amq.rabbitmq.reply-to.key",
        "amq.rabbitmq.reply-to.not base64.key",
        "amq.rabbitmq.reply-to.\u00fc.key",
        address(b""),
        address(b"\x83Xv\x00\x0f" + NODE + NUMBERS, key=""),
        address(b"\x83Xv\x00\x0f" + NODE + NUMBERS[1:]),
        address(b"\x83Xv\x00\x10" + NODE + NUMBERS),
        address(b"\x83gv\x00\x0f" + NODE + NUMBERS),
        address(b"\x82Xv\x00\x0f" + NODE + NUMBERS),
        address(b"\x83Xm\x00\x0f" + NODE + NUMBERS),
    ],
)
def test_other_texts_are_none(reply_to: str | None) -> None:
    assert not is_reply_address(reply_to)
