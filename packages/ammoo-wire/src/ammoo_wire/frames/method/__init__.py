"""The 66 methods of AMQP 0-9-1 with RabbitMQ's extensions, a module a class.

Each is a NamedTuple of its arguments (section 1 of the specification's
reference part). Methods that a client sends have defaults: those of the
protocol, no and nothing.
"""
