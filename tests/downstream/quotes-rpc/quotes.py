"""Quotes: what a thing costs, asked of a price service by RPC over RabbitMQ."""

import json
import time
import uuid

import pika


class NoAnswer(Exception):
    """The price service did not answer in time."""


class Quotes:
    """Asks for prices, one after the other."""

    def __init__(self, url: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self._replies: dict[str, bytes] = {}
        self._reply_to = self._channel.queue_declare("", exclusive=True).method.queue
        self._channel.basic_consume(self._reply_to, self._take, auto_ack=True)

    def price(self, sku: str, timeout: float = 5.0) -> float:
        """Return the price of a thing in euros."""
        number = uuid.uuid4().hex
        properties = pika.BasicProperties(reply_to=self._reply_to, correlation_id=number)
        self._channel.basic_publish("", "prices", json.dumps({"sku": sku}), properties)
        deadline = time.monotonic() + timeout
        while number not in self._replies and time.monotonic() < deadline:
            self._connection.process_data_events(max(deadline - time.monotonic(), 0))
        if number not in self._replies:
            raise NoAnswer(f"no price for {sku!r} after {timeout:g} s")
        return json.loads(self._replies.pop(number))["eur"]

    def _take(self, channel, method, properties, body: bytes) -> None:
        self._replies[properties.correlation_id] = body

    def close(self) -> None:
        self._connection.close()
