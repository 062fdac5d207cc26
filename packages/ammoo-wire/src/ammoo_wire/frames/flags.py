"""The flags of a content header: they say which properties it holds."""

from enum import IntFlag

__all__ = ["PropertyFlag"]


class PropertyFlag(IntFlag):
    """The flags word of a content header: which properties are present.

    ::

        encoded = encode_property_values(delivery_mode=2)
        assert int.from_bytes(encoded[:2]) & PropertyFlag.DELIVERY_MODE
    """

    CONTENT_TYPE = 0x8000
    CONTENT_ENCODING = 0x4000
    HEADERS = 0x2000
    DELIVERY_MODE = 0x1000
    PRIORITY = 0x0800
    CORRELATION_ID = 0x0400
    REPLY_TO = 0x0200
    EXPIRATION = 0x0100
    MESSAGE_ID = 0x0080
    TIMESTAMP = 0x0040
    TYPE = 0x0020
    USER_ID = 0x0010
    APP_ID = 0x0008
    CLUSTER_ID = 0x0004
