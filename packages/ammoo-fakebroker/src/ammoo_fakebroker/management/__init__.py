"""The management interface: an HTTP API with which tools inspect and change a broker.

`server.py` moves octets between sockets and the requests and responses of `http.py`, which does no
I/O; `router.py` finds the handler of a request, and `api/` has the handlers, one module for each
kind of object. This package is imported only for brokers with a management port.
See https://www.rabbitmq.com/docs/http-api-reference
"""
