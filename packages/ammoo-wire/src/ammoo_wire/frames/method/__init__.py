"""The 66 methods of AMQP 0-9-1 with RabbitMQ's extensions, a module a class.

Each is a NamedTuple of its parameters (section 1 of the specification's
reference part). The parameters of methods that a client sends have defaults: False,
0, an empty string or table, except where the docstring says otherwise.
"""
