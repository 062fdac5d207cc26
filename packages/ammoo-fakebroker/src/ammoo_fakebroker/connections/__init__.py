"""A client's connection, from its first octet to its last: channels, methods, confirms, heartbeats."""
