"""The names of the types that a field table's values have on the wire."""

from enum import StrEnum

__all__ = ["FieldType"]


class FieldType(StrEnum):
    """The types of a field table's values: RabbitMQ's names for them, and their letters.

    ::

        assert FieldType("S") is FieldType.LONGSTR
    """

    LONGSTR = "S"
    SIGNEDINT = "I"
    LONG = "l"
    BOOL = "t"
    TABLE = "F"
    ARRAY = "A"
    TIMESTAMP = "T"
    DOUBLE = "d"
    VOID = "V"
    BINARY = "x"
    DECIMAL = "D"
    BYTE = "b"
    UNSIGNEDBYTE = "B"
    SHORT = "s"
    UNSIGNEDSHORT = "u"
    UNSIGNEDINT = "i"
    FLOAT = "f"
