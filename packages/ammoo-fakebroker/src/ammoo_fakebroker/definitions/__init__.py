"""Definitions: what a broker has, as RabbitMQ writes it to a file of JSON and reads it back."""
