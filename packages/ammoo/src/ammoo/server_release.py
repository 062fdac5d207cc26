"""Which release of RabbitMQ the server is, for the few things that depend on it.

Servers say so in the properties that they send when a connection is opened; others than RabbitMQ
have no release here.
"""

from ammoo_wire.fields import FieldTable

__all__ = ["rabbitmq_release"]


def rabbitmq_release(server_properties: FieldTable) -> tuple[int, int] | None:
    """Return the release of a RabbitMQ, such as (4, 3), from the properties that it sent.

    Args:
        server_properties: The properties of connection.start.

    Returns:
        The first two numbers of its version; None if it is no RabbitMQ, or has no such version.
    """
    version = server_properties.get("version")
    if server_properties.get("product") != "RabbitMQ" or not isinstance(version, str):
        return None
    numbers = version.split(".")[:2]
    if len(numbers) < 2 or not all(number.isdecimal() for number in numbers):
        return None
    return int(numbers[0]), int(numbers[1])
