"""What is RabbitMQ's own: releases, error texts, Erlang's terms, arguments of queues and consumers."""
