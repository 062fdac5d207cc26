"""How hard Hypothesis tries in this suite, and which of its files are only run when asked for."""

import os

from hypothesis import settings

# It restarts RabbitMQs of its own: those that the variable names.
collect_ignore = [] if os.environ.get("AMMOO_TEST_RESTARTS") else ["test_restart_as_rabbitmq.py"]

settings.register_profile("moderate", deadline=None, print_blob=True, max_examples=60)

if settings.get_current_profile_name() in ("default", "ci"):
    settings.load_profile("moderate")
