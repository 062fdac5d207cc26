"""Brokers, and scripted servers, for requests and replies: the client's own."""

from tests.client.conftest import *
