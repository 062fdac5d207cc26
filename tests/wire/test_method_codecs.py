"""The compiler of methods: what it makes of a declaration, and how it words what went wrong."""

import inspect
import linecache
import traceback
from array import array
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_wire import (
    BasicAckParameters,
    BasicDeliverParameters,
    BasicPublishParameters,
    BasicQosParameters,
    ConnectionSecureOkParameters,
    ConnectionStartOkParameters,
    EncodeError,
    ExchangeDeclareParameters,
    FrameError,
    InternalError,
    Method,
    ProtocolError,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    TxSelectParameters,
    encode_method,
    method_of,
    method_with_id,
)
from ammoo_wire.method_codecs import Parameters
from tests.wire import strategies

ACK = method_of(BasicAckParameters)
DELIVER = method_of(BasicDeliverParameters)


# --- looking up ---


def test_method_of_takes_parameters_or_their_type() -> None:
    assert method_of(BasicAckParameters(1)) is method_of(BasicAckParameters)


def test_method_with_id_knows_no_more_than_the_specification() -> None:
    assert method_with_id(60 << 16 | 99) is None


def test_method_tells_its_name_and_ids() -> None:
    assert "<Method basic.ack (60, 80)>" == repr(ACK)
    assert (ACK.class_id, ACK.method_id) == ACK.id == (60, 80)


def test_name_of_several_words_has_hyphens() -> None:
    assert "queue.declare-ok" == method_of(QueueDeclareOkParameters).name


# --- the compiled functions ---


def test_encode_and_decode_are_compiled_once() -> None:
    assert ACK.encode is ACK.encode
    assert ACK.decode is ACK.decode


def test_bits_share_octets_in_their_order() -> None:
    encoded = encode_method(ExchangeDeclareParameters("", "", durable=True, no_wait=True))

    assert bytes((0, 40, 0, 10, 0, 0, 0, 0, 0b10010, 0, 0, 0, 0)) == encoded


def test_bits_that_are_reserved_are_not_read() -> None:
    assert BasicAckParameters(0, False) == ACK.decode(bytes(8) + b"\xfe", 0, 9)


def test_method_without_arguments_is_its_ids() -> None:
    select = method_of(TxSelectParameters)

    assert bytes((0, 90, 0, 10)) == select.encode()
    assert TxSelectParameters() == select.decode(b"", 0, 0)


def test_decode_reads_between_its_positions() -> None:
    octets = b"...." + bytes(7) + b"\x05\x01" + b"...."

    assert BasicAckParameters(5, True) == ACK.decode(octets, 4, 13)
    assert BasicAckParameters(5, True) == ACK.decode(bytearray(octets), 4, 13)


def test_longstr_is_read_as_bytes_from_a_bytearray() -> None:
    decoded = method_of(ConnectionSecureOkParameters).decode(bytearray(b"\0\0\0\x01r"), 0, 5)

    assert type(decoded.response) is bytes


def test_longstr_may_be_a_bytearray() -> None:
    assert encode_method(untyped_secure_ok(bytearray(b"r"))).endswith(b"\0\0\0\x01r")


def test_traceback_shows_the_compiled_source() -> None:
    with pytest.raises(FrameError) as caught:
        ACK.decode(b"", 0, 0)

    shown = "".join(traceback.format_exception(caught.value.__cause__))

    assert "delivery_tag, bits1, = unpack_QB(data, i); i += 9" in shown


def test_compiled_source_survives_a_check_of_the_line_cache() -> None:
    ACK.decode(bytes(9), 0, 9)

    linecache.checkcache()

    assert linecache.getline("<ammoo_wire decode basic.ack>", 1).startswith("def decode(")


# --- what cannot be encoded ---


class Broken(Mapping[str, Any]):
    """A mapping with a mistake in its own code."""

    def __getitem__(self, key: str) -> Any:
        raise TypeError("a mistake")

    def __iter__(self) -> Iterator[str]:
        return iter(["k"])

    def __len__(self) -> int:
        return 1


# What a type checker would find is passed through here, as untyped callers do.
untyped_publish: Any = BasicPublishParameters
untyped_qos: Any = BasicQosParameters
untyped_declare: Any = QueueDeclareParameters
untyped_secure_ok: Any = ConnectionSecureOkParameters
untyped_start_ok: Any = ConnectionStartOkParameters


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (
            untyped_publish("", "k" * 300),
            "basic.publish: routing_key is 300 bytes long in UTF-8; a shortstr holds at most 255: "
            + repr("k" * 300)[:299]
            + "…",
        ),
        (
            untyped_publish("", "ö" * 128),
            "basic.publish: routing_key is 256 bytes long in UTF-8; a shortstr holds at most 255: "
            + repr("ö" * 128),
        ),
        (
            untyped_publish(b"exchange"),
            "basic.publish: exchange_name is b'exchange'; expected a str",
        ),
        (
            untyped_publish("", None),
            "basic.publish: routing_key is None; expected a str",
        ),
        (
            untyped_publish("", "\ud800"),
            r"basic.publish: routing_key cannot be encoded as UTF-8: '\ud800'",
        ),
        (
            untyped_publish("", "\udcff"),
            r"basic.publish: routing_key cannot be encoded as UTF-8: '\udcff'",
        ),
        (
            BasicAckParameters(-1),
            "basic.ack: delivery_tag is -1; expected an integer from 0 to 18446744073709551615",
        ),
        (
            untyped_qos(0, 65536),
            "basic.qos: prefetch_count is 65536; expected an integer from 0 to 65535",
        ),
        (
            untyped_qos(1 << 32),
            "basic.qos: prefetch_size is 4294967296; expected an integer from 0 to 4294967295",
        ),
        (
            untyped_qos(0, "10"),
            "basic.qos: prefetch_count is '10'; expected an integer from 0 to 65535",
        ),
        (
            untyped_qos(0, 10**5000),
            (
                "basic.qos: prefetch_count is a value of type int too large to print;"
                " expected an integer from 0 to 65535"
            ),
        ),
        (
            untyped_declare("q", arguments={"x-max-length": 1 << 64}),
            (
                "queue.declare: arguments['x-max-length'] is 18446744073709551616; an integer in a"
                " field table has at most 64 bits with its sign"
            ),
        ),
        (
            untyped_declare("q", arguments=[]),
            "queue.declare: arguments is []; expected a mapping of str to field values",
        ),
        (
            untyped_declare("q" * 256, arguments=[]),
            "queue.declare: queue_name is 256 bytes long in UTF-8; a shortstr holds at most 255: "
            + repr("q" * 256),
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_argument_that_cannot_be_encoded_is_named(parameters: Parameters, text: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_method(parameters)

    assert text == str(caught.value)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        ("hunter2", "str"),
        (None, "NoneType"),
        (7, "int"),
        (["hunter2"], "list"),
        (array("I", [1]), "array"),
        (memoryview(b"hunter2"), "memoryview"),
    ],
)
def test_longstr_must_be_bytes_and_is_not_quoted(response: Any, kind: str) -> None:
    """Its use is for secrets: connection.start-ok, secure-ok and update-secret."""
    with pytest.raises(EncodeError) as caught:
        encode_method(untyped_secure_ok(response))

    assert f"connection.secure-ok: response is of type {kind}; expected bytes" == (
        str(caught.value)
    )


def test_a_mistake_in_the_callers_mapping_is_shown_as_the_cause() -> None:
    with pytest.raises(EncodeError) as caught:
        encode_method(untyped_declare("q", arguments=Broken()))

    assert "queue.declare: cannot encode its parameters: a mistake" == str(caught.value)
    assert isinstance(caught.value.__cause__, TypeError)


def test_a_secret_is_not_quoted_when_another_argument_is_bad() -> None:
    with pytest.raises(EncodeError) as caught:
        encode_method(untyped_start_ok(Broken(), "PLAIN", b"hunter2", "en_US"))

    assert "hunter2" not in str(caught.value)


# --- what cannot be decoded ---


@pytest.mark.parametrize("size", [0, 8, 10])
def test_arguments_of_the_wrong_size_are_a_frame_error(size: int) -> None:
    with pytest.raises(FrameError) as caught:
        ACK.decode(bytes(size) + b"more", 0, size)

    assert f"cannot decode <<{','.join('0' * size)}>>" == caught.value.text
    assert (60, 80) == (caught.value.class_id, caught.value.method_id)


def test_short_string_that_is_not_utf8_is_rabbitmqs_frame_error() -> None:
    with pytest.raises(FrameError) as caught:
        DELIVER.decode(b"\x01\xff" + bytes(11), 0, 13)

    assert "Malformed UTF-8 in shortstr" == caught.value.text


@pytest.mark.parametrize("behind", [b"", b"\xce", b"\xce\x01", b"\xce\x80", b"\xff" * 300])
@pytest.mark.parametrize("payload", [b"", b"\x05ab", bytes(9), bytes(10) + b"\x03", b"\x00" * 11])
def test_string_that_goes_on_behind_the_arguments_is_told_without_what_stands_there(
    payload: bytes, behind: bytes
) -> None:
    """What stands behind a frame's end depends on how the octets arrived; the fault must not."""
    with pytest.raises(FrameError) as caught:
        DELIVER.decode(payload + behind, 0, len(payload))

    assert caught.value.text.startswith("cannot decode <<")


def test_table_in_arguments_has_the_tables_own_errors() -> None:
    head = b"\x00\x00\x01q\x00"
    declare = method_of(QueueDeclareParameters)

    with pytest.raises(InternalError):
        declare.decode(head + b"\x00\x00\x00\x03\x01k?", 0, 12)
    with pytest.raises(FrameError, match="12 octets of parameters are cut short or too long"):
        declare.decode(head + b"\x00\x00\x00\x09\x01kV", 0, 12)


def test_text_for_many_octets_is_cut() -> None:
    with pytest.raises(FrameError) as caught:
        ACK.decode(bytes(100_000), 0, 100_000)

    assert len(caught.value.text) < 2000
    assert 255 == len(caught.value.reply_text)


@strategies.few_examples
@given(st.data())
@pytest.mark.parametrize("method", strategies.ALL_METHODS, ids=lambda method: method.name)
def test_any_octets_make_arguments_or_a_protocol_error(method: Method, data: st.DataObject) -> None:
    valid = strategies.parameters_of(method).map(lambda arguments: encode_method(arguments)[4:])
    octets = data.draw(st.binary(max_size=60) | valid.flatmap(strategies.mutated))
    with suppress(ProtocolError):
        decoded = method.decode(octets, 0, len(octets))

        assert type(decoded) is method.parameters


def test_parameters_name_the_method_they_are_for() -> None:
    assert QueueDeclareParameters.__doc__ is not None
    assert QueueDeclareParameters.__doc__.endswith(
        "The parameters of ``queue.declare`` (class 50, method 10)."
    )


@pytest.mark.parametrize("name", ["encode", "decode"])
def test_class_shows_the_signature_of_what_is_compiled(name: str) -> None:
    declared = getattr(Method, name)

    assert "self" in inspect.signature(declared).parameters
    assert "Raises:" in declared.__doc__
