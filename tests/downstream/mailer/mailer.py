"""A worker that sends mail; a message that it cannot handle is parked after three tries.

A message that fails is rejected, and comes back by way of a queue in which it waits.
"""

import json
import sys
from collections.abc import Callable

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties

TRIES = 3
WAIT = 30_000
"""Milliseconds between two tries."""

Send = Callable[[str, str], None]


def declare(channel: BlockingChannel) -> None:
    """Declare the queues: for new mail, for mail that waits for another try, for parked mail."""
    dead_letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "mail.waiting"}
    channel.queue_declare("mail", durable=True, arguments=dead_letters)
    back = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "mail"}
    channel.queue_declare("mail.waiting", durable=True, arguments={**back, "x-message-ttl": WAIT})
    channel.queue_declare("mail.parked", durable=True)


def tries_of(properties: BasicProperties) -> int:
    """Return how often a message was rejected."""
    deaths = (properties.headers or {}).get("x-death", [])
    return sum(death["count"] for death in deaths if death["reason"] == "rejected")


def work(url: str, send: Send) -> None:
    """Handle mail until the connection is closed.

    Args:
        url: The broker.
        send: Sends a mail to an address.
    """

    def handle(
        channel: BlockingChannel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        try:
            mail = json.loads(body)
            send(mail["to"], mail["text"])
        except (OSError, KeyError, ValueError) as error:
            print(f"mail {method.delivery_tag}: {error!r}", file=sys.stderr)
            if tries_of(properties) + 1 < TRIES:
                channel.basic_reject(method.delivery_tag, requeue=False)
                return
            channel.basic_publish("", "mail.parked", body, properties)
        channel.basic_ack(method.delivery_tag)

    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        declare(channel)
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume("mail", handle)
        try:
            channel.start_consuming()
        except pika.exceptions.ConnectionClosedByBroker:
            print("the broker has closed the connection", file=sys.stderr)
