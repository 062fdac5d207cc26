"""The management interface: an HTTP API with which tools look at a broker and change it.

`server.py` moves octets between sockets and the requests and responses of `http.py`, which does no
I/O; `router.py` finds the handler of a request, and `api/` has the handlers, one module for each
kind of thing. Nothing of this is imported unless a broker has a management port.
See https://www.rabbitmq.com/docs/http-api-reference
"""
