"""Brokers, and scripted servers, for what consumes in the caller's place: the client's own."""

import os

from tests.client.conftest import *

# It starts a RabbitMQ of its own, and kills it as often as the variable says.
collect_ignore = [] if "AMMOO_TEST_KILLS" in os.environ else ["test_killed_workers.py"]
