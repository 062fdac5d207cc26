"""Sending: run every few seconds by a scheduler."""

import json

import pika
from django.conf import settings
from pika.exceptions import AMQPError

from .models import OutboxRow


def send_outbox() -> int:
    """Send all rows that wait, and return how many RabbitMQ has confirmed; the others stay."""
    try:
        connection = pika.BlockingConnection(pika.URLParameters(settings.AMQP_URL))
    except AMQPError:
        return 0
    count = 0
    with connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for row in OutboxRow.objects.order_by("id"):
            try:
                channel.basic_publish("", row.routing_key, json.dumps(row.body), mandatory=True)
            except AMQPError:
                break
            row.delete()
            count += 1
    return count
