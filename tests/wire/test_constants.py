"""The numbers, as the specification and RabbitMQ give them."""

import pytest

import ammoo_wire.constants
from ammoo_wire import PROTOCOL_HEADER, FrameType, ReplyCode

HARD = {320, 402, 501, 502, 503, 504, 505, 506, 530, 540, 541}
SOFT = {311, 312, 313, 403, 404, 405, 406}


def test_protocol_header_is_that_of_0_9_1() -> None:
    assert b"AMQP" + bytes((0, 0, 9, 1)) == PROTOCOL_HEADER


def test_frame_types_are_those_of_the_specification() -> None:
    assert {
        "METHOD": 1,
        "HEADER": 2,
        "BODY": 3,
        "HEARTBEAT": 8,
    } == {frame_type.name: int(frame_type) for frame_type in FrameType}


def test_reply_codes_are_all_of_the_specification() -> None:
    assert HARD | SOFT | {200} == {int(code) for code in ReplyCode}


@pytest.mark.parametrize("code", ReplyCode, ids=lambda code: code.name)
def test_reply_code_is_hard_where_the_specification_says_so(code: ReplyCode) -> None:
    assert code.is_hard is (code in HARD)


def test_every_public_constant_is_exported() -> None:
    capitals = {name for name in vars(ammoo_wire.constants) if name.isupper() and name[0] != "_"}

    assert capitals <= set(ammoo_wire.constants.__all__)
