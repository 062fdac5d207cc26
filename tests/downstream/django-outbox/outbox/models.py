"""What is to be sent."""

from django.db import models


class OutboxRow(models.Model):
    """A message that is written with what it tells of, and deleted when RabbitMQ has it."""

    routing_key = models.CharField(max_length=255)
    body = models.JSONField()
