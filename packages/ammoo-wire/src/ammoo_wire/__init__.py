"""AMQP 0-9-1 without input or output: framing, methods, properties and both openings.

Octets go in and commands come out; commands go in and octets come out. The
program around the package moves the octets and gives commands their meaning: a client, a
broker, a proxy, a tool.

`ClientProtocol` and `ServerProtocol` are the two peers; see `ammoo_wire.protocol`
for how a shell is wrapped around them. `FrameReader`, `CommandReader` and
`Conversation` read what others say. Every method is a NamedTuple, and `method_of`
returns its numbers and its codec.

::

    declare = QueueDeclareParameters("orders", durable=True)
    assert declare.queue_name == "orders"
    assert method_of(declare).replies == ("queue.declare-ok",)
    payload = encode_method(declare)
"""

from typing import TYPE_CHECKING

from .client import ClientProtocol
from .command import Command, OversizedContent, encode_method
from .constants import (
    DEFAULT_CHANNEL_MAX,
    DEFAULT_FRAME_MAX,
    DEFAULT_MAX_BODY_SIZE,
    FRAME_END,
    FRAME_HEAD_SIZE,
    FRAME_MIN_SIZE,
    FRAME_OVERHEAD,
    PROTOCOL_HEADER,
    FrameType,
    ReplyCode,
)
from .exceptions import (
    AMQPError,
    ChannelError,
    CommandInvalid,
    EncodeError,
    ForeignProtocol,
    FrameError,
    FramingLost,
    InternalError,
    ProtocolError,
    UnexpectedFrame,
    UnreadableField,
    WireSyntaxError,
)
from .fields import (
    EncodedValue,
    FieldTable,
    FieldValue,
    Float32,
    Int8,
    Int16,
    Int64,
    LongString,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
)
from .frames.header import (
    NO_PROPERTIES,
    BasicHeaderProperties,
    decode_properties,
    encode_properties,
    encode_property_values,
)
from .frames.method.access import AccessRequestOkParameters, AccessRequestParameters
from .frames.method.basic import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicGetEmptyParameters,
    BasicGetOkParameters,
    BasicGetParameters,
    BasicNackParameters,
    BasicPublishParameters,
    BasicQosOkParameters,
    BasicQosParameters,
    BasicRecoverAsyncParameters,
    BasicRecoverOkParameters,
    BasicRecoverParameters,
    BasicRejectParameters,
    BasicReturnParameters,
)
from .frames.method.channel import (
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
)
from .frames.method.confirm import (
    ConfirmSelectOkParameters,
    ConfirmSelectParameters,
)
from .frames.method.connection import (
    ConnectionBlockedParameters,
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    ConnectionOpenOkParameters,
    ConnectionOpenParameters,
    ConnectionSecureOkParameters,
    ConnectionSecureParameters,
    ConnectionStartOkParameters,
    ConnectionStartParameters,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    ConnectionUnblockedParameters,
    ConnectionUpdateSecretOkParameters,
    ConnectionUpdateSecretParameters,
)
from .frames.method.exchange import (
    ExchangeBindOkParameters,
    ExchangeBindParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteOkParameters,
    ExchangeDeleteParameters,
    ExchangeUnbindOkParameters,
    ExchangeUnbindParameters,
)
from .frames.method.queue import (
    QueueBindOkParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueueDeleteOkParameters,
    QueueDeleteParameters,
    QueuePurgeOkParameters,
    QueuePurgeParameters,
    QueueUnbindOkParameters,
    QueueUnbindParameters,
)
from .frames.method.tx import (
    TxCommitOkParameters,
    TxCommitParameters,
    TxRollbackOkParameters,
    TxRollbackParameters,
    TxSelectOkParameters,
    TxSelectParameters,
)
from .heartbeat import Heartbeat, HeartbeatVerdict
from .incoming_frames import UnknownMethod
from .method_codecs import Method, Parameters, method_of, method_with_id, methods
from .outgoing_frames import CommandWriter, ContentHead
from .protocol import ConnectionState, Protocol
from .sasl import amqplain_response, parse_amqplain, parse_plain, plain_response
from .table_decoder import check_readable, decode_table
from .table_encoder import encode_table, field_type

if TYPE_CHECKING:
    from .field_types import FieldType
    from .frame_encoder import (
        encode_command,
        encode_content_header,
        encode_frame,
        encode_heartbeat,
        encode_protocol_header,
    )
    from .frames.flags import PropertyFlag
    from .onlookers.conversation import Conversation, Peer, Said
    from .onlookers.read_items import BrokenFrame, Frame, ProtocolHeader, ReadCommand
    from .onlookers.reader import CommandReader, FrameReader
    from .server import Accepted, Challenge, Refused, ServerProtocol
else:
    # What a client does without is imported when it is first asked for.
    _LATE = {
        name: module
        for module, names in {
            "onlookers.conversation": ("Conversation", "Peer", "Said"),
            "field_types": ("FieldType",),
            "frames.flags": ("PropertyFlag",),
            "onlookers.read_items": ("BrokenFrame", "Frame", "ProtocolHeader", "ReadCommand"),
            "onlookers.reader": ("CommandReader", "FrameReader"),
            "server": ("Accepted", "Challenge", "Refused", "ServerProtocol"),
            "frame_encoder": (
                "encode_command",
                "encode_content_header",
                "encode_frame",
                "encode_heartbeat",
                "encode_protocol_header",
            ),
        }.items()
        for name in names
    }

    def __getattr__(name):
        if name not in _LATE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)


__version__ = "1.0.0"

__all__ = [
    "DEFAULT_CHANNEL_MAX",
    "DEFAULT_FRAME_MAX",
    "DEFAULT_MAX_BODY_SIZE",
    "FRAME_END",
    "FRAME_HEAD_SIZE",
    "FRAME_MIN_SIZE",
    "FRAME_OVERHEAD",
    "NO_PROPERTIES",
    "PROTOCOL_HEADER",
    "AMQPError",
    "Accepted",
    "AccessRequestOkParameters",
    "AccessRequestParameters",
    "BasicAckParameters",
    "BasicCancelOkParameters",
    "BasicCancelParameters",
    "BasicConsumeOkParameters",
    "BasicConsumeParameters",
    "BasicDeliverParameters",
    "BasicGetEmptyParameters",
    "BasicGetOkParameters",
    "BasicGetParameters",
    "BasicHeaderProperties",
    "BasicNackParameters",
    "BasicPublishParameters",
    "BasicQosOkParameters",
    "BasicQosParameters",
    "BasicRecoverAsyncParameters",
    "BasicRecoverOkParameters",
    "BasicRecoverParameters",
    "BasicRejectParameters",
    "BasicReturnParameters",
    "BrokenFrame",
    "Challenge",
    "ChannelCloseOkParameters",
    "ChannelCloseParameters",
    "ChannelError",
    "ChannelFlowOkParameters",
    "ChannelFlowParameters",
    "ChannelOpenOkParameters",
    "ChannelOpenParameters",
    "ClientProtocol",
    "Command",
    "CommandInvalid",
    "CommandReader",
    "CommandWriter",
    "ConfirmSelectOkParameters",
    "ConfirmSelectParameters",
    "ConnectionBlockedParameters",
    "ConnectionCloseOkParameters",
    "ConnectionCloseParameters",
    "ConnectionOpenOkParameters",
    "ConnectionOpenParameters",
    "ConnectionSecureOkParameters",
    "ConnectionSecureParameters",
    "ConnectionStartOkParameters",
    "ConnectionStartParameters",
    "ConnectionState",
    "ConnectionTuneOkParameters",
    "ConnectionTuneParameters",
    "ConnectionUnblockedParameters",
    "ConnectionUpdateSecretOkParameters",
    "ConnectionUpdateSecretParameters",
    "ContentHead",
    "Conversation",
    "EncodeError",
    "EncodedValue",
    "ExchangeBindOkParameters",
    "ExchangeBindParameters",
    "ExchangeDeclareOkParameters",
    "ExchangeDeclareParameters",
    "ExchangeDeleteOkParameters",
    "ExchangeDeleteParameters",
    "ExchangeUnbindOkParameters",
    "ExchangeUnbindParameters",
    "FieldTable",
    "FieldType",
    "FieldValue",
    "Float32",
    "ForeignProtocol",
    "Frame",
    "FrameError",
    "FrameReader",
    "FrameType",
    "FramingLost",
    "Heartbeat",
    "HeartbeatVerdict",
    "Int8",
    "Int16",
    "Int64",
    "InternalError",
    "LongString",
    "Method",
    "OversizedContent",
    "Parameters",
    "Peer",
    "PropertyFlag",
    "Protocol",
    "ProtocolError",
    "ProtocolHeader",
    "QueueBindOkParameters",
    "QueueBindParameters",
    "QueueDeclareOkParameters",
    "QueueDeclareParameters",
    "QueueDeleteOkParameters",
    "QueueDeleteParameters",
    "QueuePurgeOkParameters",
    "QueuePurgeParameters",
    "QueueUnbindOkParameters",
    "QueueUnbindParameters",
    "ReadCommand",
    "Refused",
    "ReplyCode",
    "Said",
    "ServerProtocol",
    "Timestamp",
    "TxCommitOkParameters",
    "TxCommitParameters",
    "TxRollbackOkParameters",
    "TxRollbackParameters",
    "TxSelectOkParameters",
    "TxSelectParameters",
    "UInt8",
    "UInt16",
    "UInt32",
    "UnexpectedFrame",
    "UnknownMethod",
    "UnreadableField",
    "WireSyntaxError",
    "__version__",
    "amqplain_response",
    "check_readable",
    "decode_properties",
    "decode_table",
    "encode_command",
    "encode_content_header",
    "encode_frame",
    "encode_heartbeat",
    "encode_method",
    "encode_properties",
    "encode_property_values",
    "encode_protocol_header",
    "encode_table",
    "field_type",
    "method_of",
    "method_with_id",
    "methods",
    "parse_amqplain",
    "parse_plain",
    "plain_response",
]
