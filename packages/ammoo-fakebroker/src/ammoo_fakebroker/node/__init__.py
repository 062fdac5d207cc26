"""One node: its virtual hosts with routing and policies, its limits and alarms, and copies of it."""
