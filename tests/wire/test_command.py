"""What a command is made of."""

import pytest

from ammoo_wire import (
    BasicAckParameters,
    BasicPublishParameters,
    EncodeError,
    OversizedContent,
    encode_method,
)


def test_oversized_content_tells_its_size_and_the_limit() -> None:
    oversized = OversizedContent(BasicPublishParameters(), 11, 10)

    assert BasicPublishParameters() == oversized.parameters
    assert (11, 10) == (oversized.body_size, oversized.limit)


def test_encode_method_gives_ids_and_arguments() -> None:
    assert bytes((0, 60, 0, 80, *[0] * 7, 1, 1)) == encode_method(BasicAckParameters(1, True))


def test_encode_method_names_the_bad_argument() -> None:
    with pytest.raises(EncodeError, match=r"^basic\.ack: delivery_tag is -1; expected"):
        encode_method(BasicAckParameters(-1))
