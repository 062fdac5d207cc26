"""An outbox: rows that are written with the business's own, and sent to RabbitMQ afterwards."""
