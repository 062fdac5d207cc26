"""Definitions: a broker's users, queues and so on, in the JSON that RabbitMQ exports and imports."""
